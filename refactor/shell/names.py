"""Names of packages, as their managers compare them."""

from __future__ import annotations

import re


def normalise(name: str) -> str:
    """The name of a Python distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


__all__ = ["normalise"]
