"""When output is coloured, and with what."""

from __future__ import annotations

import os

from refactor.report.paint import Paint, plain


def wants_colour(stream: object) -> bool:
    """Colour only on a terminal; NO_COLOR and FORCE_COLOR (no-color.org, force-color.org) decide otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and os.environ.get("TERM") != "dumb"


def painter(stream: object) -> Paint:
    """Colours for a stream, or none."""
    if not wants_colour(stream):
        return plain
    from click import style

    return style
