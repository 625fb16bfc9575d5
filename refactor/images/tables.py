"""The dated tables that stand beside this code as text."""

from __future__ import annotations

import os
from collections.abc import Iterator


def rows(name: str) -> Iterator[list[str]]:
    """The words of each line of a table of this folder, comments left out."""
    # Not pathlib: every run asks when its base image ends, and pathlib takes longer than all else at start-up.
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.split()
