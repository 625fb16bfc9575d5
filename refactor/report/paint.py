"""Colours in a report: the command line brings them, a report without them is plain."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[..., str]
"""Colours a piece of text: ``paint(text, fg=..., bold=...)``."""


def plain(text: str, **_: object) -> str:
    return text
