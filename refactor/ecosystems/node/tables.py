"""Word lists, written as text."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


def grouped(text: str) -> dict[str, tuple[str, ...]]:
    """Lines of names, a colon, and the words that are of each of them."""
    lines = (line.partition(": ")[::2] for line in text.strip().splitlines())
    return {name: tuple(rest.split()) for names, rest in lines for name in names.rstrip(":").split()}


def pairs(text: str) -> dict[str, str]:
    """Each word with the one behind it."""
    found = text.split()
    return dict(zip(found[::2], found[1::2], strict=True))


__all__ = ["grouped", "pairs", "words"]
