"""Texts of programs by their brackets and strings, for languages that write strings in quotes or backticks."""

from __future__ import annotations

from collections.abc import Iterator


def marks(text: str, start: int, end: int) -> Iterator[tuple[int, str, int]]:
    """The characters outside of strings, each with its place and how many brackets are open there; a closing one is
    outside of its own, and the first without an opening one at -1."""
    depth, here = 0, start
    while here < end:
        char = text[here]
        if char in "\"'`":
            quote, here = char, here + 1
            while here < end and text[here] != quote:
                here += 2 if text[here] == "\\" else 1
        else:
            depth -= char in ")]}"
            yield here, char, depth
            depth += char in "([{"
        here += 1


def closes(text: str, opening: int = 0) -> int:
    """Index of the bracket that closes the one at ``opening``, -1 without one."""
    found = (at for at, char, depth in marks(text, opening, len(text)) if char in ")]}" and depth == 0)
    return next(found, -1)


def pieces(text: str, *signs: str) -> list[tuple[int, int]]:
    """Spans between the signs that stand outside of brackets and strings."""
    spans, begin = [], 0
    for at, _, depth in marks(text, 0, len(text)):
        sign = next((sign for sign in signs if text.startswith(sign, at)), None) if depth == 0 and at >= begin else None
        if sign is not None:
            spans.append((begin, at))
            begin = at + len(sign)
    return [*spans, (begin, len(text))]


__all__ = ["closes", "marks", "pieces"]
