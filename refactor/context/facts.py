"""What it means not to know something about a build context."""

from __future__ import annotations


class Unknown:
    """A fact that could not be established, and why. Falsy, so that "not known" never reads as "yes"."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.reason == self.reason

    def __hash__(self) -> int:
        return hash(self.reason)

    def __repr__(self) -> str:
        return f"Unknown(reason={self.reason!r})"
