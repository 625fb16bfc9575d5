"""Base images and system packages: what is known of them, as data and look-ups."""

from __future__ import annotations

from refactor.images.base_image import BaseImage
from refactor.images.catalogue import lookup
from refactor.images.reference import Reference, parse_reference
from refactor.images.system_packages import SystemPackage, classify, native_build_needs, native_needs

__all__ = [
    "BaseImage",
    "Reference",
    "SystemPackage",
    "classify",
    "lookup",
    "native_build_needs",
    "native_needs",
    "parse_reference",
]
