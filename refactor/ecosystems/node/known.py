"""What is known by name: of packages, from a dated table (``packages.txt``; ``make_plain`` makes its last part), and of
programs (``programs.txt``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

PACKAGES = os.path.join(os.path.dirname(__file__), "packages.txt")
_PROGRAMS = os.path.join(os.path.dirname(__file__), "programs.txt")


@cache
def _parts(path: str) -> Mapping[str, list[str]]:
    """The lines of each part of a table, read at the first question; what the parts say stands above them there."""
    found, kind = dict[str, list[str]](), ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(" "):
                found[kind].append(line.strip())
            elif not line.startswith("#"):
                kind, _, rest = line.strip().partition(" ")
                found[kind] = [rest] if rest else []
    return found


@cache
def packages(kind: str) -> frozenset[str]:
    """Packages of the npm registry, by a part of the table."""
    return frozenset(" ".join(_parts(PACKAGES)[f"{kind}:"]).split())


@cache
def pairs(kind: str) -> Mapping[str, str]:
    """A part about packages that is made of pairs."""
    words = " ".join(_parts(PACKAGES)[f"{kind}:"]).split()
    return dict(zip(words[::2], words[1::2], strict=True))


def date() -> str:
    """Of the newest fact about a package."""
    return _parts(PACKAGES)["date"][0]


def lines(kind: str) -> list[str]:
    """A part about programs as it is written."""
    return _parts(_PROGRAMS)[f"{kind}:"]


@cache
def names(kind: str) -> frozenset[str]:
    """Programs, by a part of their table."""
    return frozenset(" ".join(lines(kind)).split())


def grouped(kind: str) -> Mapping[str, tuple[str, ...]]:
    """A part of lines: names of programs, a colon, and the words that are of each of them."""
    parted = (line.partition(":")[::2] for line in lines(kind))
    return {name: tuple(rest.split()) for first, rest in parted for name in first.split()}
