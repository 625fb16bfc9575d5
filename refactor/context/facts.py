"""What it means not to know something about a build context."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be established, and why. Falsy, so that "not known" never reads as "yes"."""

    reason: str

    def __bool__(self) -> bool:
        return False
