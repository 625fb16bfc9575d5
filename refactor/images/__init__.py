"""Base images and system packages: what is known of them, as data and look-ups.

The tables of packages (:mod:`refactor.images.system_packages`) are large, and only a file that installs packages asks
for them, so they are imported there.
"""

from __future__ import annotations

from refactor.images.base_image import BaseImage
from refactor.images.catalogue import lookup
from refactor.images.pinning import is_known_tag, moves, with_version
from refactor.images.reference import Reference, parse_reference
from refactor.images.windows import why_windows

__all__ = [
    "BaseImage",
    "Reference",
    "is_known_tag",
    "lookup",
    "moves",
    "parse_reference",
    "why_windows",
    "with_version",
]
