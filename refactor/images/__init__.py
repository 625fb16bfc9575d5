"""Base images and system packages: what is known of them, as data and look-ups."""

from __future__ import annotations

from refactor.images.base_image import BaseImage
from refactor.images.catalogue import lookup
from refactor.images.reference import Reference, parse_reference
from refactor.images.windows import why_windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from refactor.images.system_packages import (
        SystemPackage,
        classify,
        loads_system_library,
        native_build_needs,
        native_needs,
        npm_native_needs,
    )

__all__ = [
    "BaseImage",
    "Reference",
    "SystemPackage",
    "classify",
    "loads_system_library",
    "lookup",
    "native_build_needs",
    "native_needs",
    "npm_native_needs",
    "parse_reference",
    "why_windows",
]


def __getattr__(name: str) -> object:
    # The package tables are large, and only a file that installs packages asks for them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from refactor.images import system_packages

    return getattr(system_packages, name)
