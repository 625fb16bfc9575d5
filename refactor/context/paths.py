"""Paths of a build context as text."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator


def upwards(folder: str) -> Iterator[str]:
    """A folder of the context and all that it lies in, up to the context itself."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""
