"""Version ranges as the package managers write them: npm, PEP 440, Poetry, Bundler, Composer and Hex."""

from __future__ import annotations

import re
from typing import TypeAlias

Numbers: TypeAlias = tuple[int, ...]
Interval: TypeAlias = tuple[Numbers, Numbers | None]
"""From a version on, up to and without another one, each with three numbers; None: without an end."""

_PART = r"(\^|~>|~=|~|>=|<=|===?|!=|>|<|=)?\s*v?(\d+(?:\.(?:\d+|[xX*]))*|[xX*])(?![\w.])"
_EVERYTHING: Interval = ((0, 0, 0), None)


def padded(numbers: Numbers) -> Numbers:
    return (*numbers, 0, 0, 0)[:3]


def following(numbers: Numbers) -> Numbers:
    """The first version that does not begin with these numbers."""
    return padded((*numbers[:-1], numbers[-1] + 1))


def intervals(text: str, is_pessimistic: bool = False) -> tuple[Interval, ...] | None:
    """The versions that a range allows; None where it holds what is no version (a channel, a pre-release).

    ``is_pessimistic``: Composer's ``~1.2``, which allows 1.9; npm's and Poetry's ``~1.2`` does not.
    """
    found = [_all_of(part, is_pessimistic) for part in re.split(r"\s*\|\|?\s*|\s+or\s+", text.strip())]
    return None if not found or None in found else tuple(each for each in found if each is not None)


def _all_of(text: str, is_pessimistic: bool) -> Interval | None:
    hyphen = re.fullmatch(r"v?(\d[\d.]*)\s+-\s+v?(\d[\d.]*)", text)
    if hyphen:
        text = f">={hyphen[1]} <={hyphen[2]}"
    if not text or re.sub(rf"{_PART}|\band\b", "", text).strip(" ,"):
        return None
    low, high = _EVERYTHING
    for sign, version in re.findall(_PART, text):
        lower, upper = _one(sign, version, is_pessimistic)
        low = max(low, lower)
        high = upper if high is None or (upper is not None and upper < high) else high
    return low, high


def _one(sign: str, version: str, is_pessimistic: bool) -> Interval:
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())[:3]
    if not numbers or sign == "!=":
        return _EVERYTHING
    low = padded(numbers)
    if sign in {"", "=", "==", "==="}:
        return low, following(numbers)
    if sign == "^":
        return low, following(numbers[: next((at for at, each in enumerate(numbers) if each), len(numbers) - 1) + 1])
    if sign in {"~>", "~="} or (sign == "~" and is_pessimistic):
        return low, following(numbers[:-1] or numbers)
    if sign == "~":
        return low, following(numbers[:2])
    if sign in {">=", ">"}:
        return low if sign == ">=" else following(numbers), None
    return (0, 0, 0), low if sign == "<" else following(numbers)


def meets(version: str, allowed: tuple[Interval, ...]) -> bool:
    """Whether ranges allow a version, or one of those that begin with it: its numbers with dots between."""
    numbers = tuple(map(int, version.split(".")[:3]))
    low, high = padded(numbers), following(numbers)
    return any(lower < high and (upper is None or low < upper) for lower, upper in allowed)


def only_line(allowed: tuple[Interval, ...], depth: int) -> Numbers | None:
    """The longest version that all allowed ones begin with, of at least ``depth`` numbers; None where there is none."""
    ends = [high for _, high in allowed]
    if not allowed or None in ends:
        return None
    low, high = min(low for low, _ in allowed), max(end for end in ends if end is not None)
    return next((low[:size] for size in (3, 2, 1) if size >= depth and high <= following(low[:size])), None)
