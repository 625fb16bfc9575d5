"""What is known of packages by name, from a dated table (``packages.txt``; ``make_plain`` makes its last part)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

PATH = os.path.join(os.path.dirname(__file__), "packages.txt")


@cache
def _table() -> Mapping[str, list[str]]:
    """Read at the first question."""
    found: dict[str, list[str]] = {}
    with open(PATH, encoding="utf-8") as file:
        for line in file:
            if not line.startswith((" ", "#")):
                kind, *rest = line.split()
                found[kind] = rest
            elif not line.startswith("#"):
                found[kind] += line.split()
    return found


@cache
def packages(kind: str) -> frozenset[str]:
    """Those of a part of the table; what the parts say stands there."""
    return frozenset(_table()[f"{kind}:"])


@cache
def pairs(kind: str) -> Mapping[str, str]:
    """A part that is made of pairs."""
    words = _table()[f"{kind}:"]
    return dict(zip(words[::2], words[1::2], strict=True))


def date() -> str:
    """Of the newest fact."""
    return _table()["date"][0]


__all__ = ["PATH", "date", "packages", "pairs"]
