"""Environment markers of requirements (PEP 508) that an image decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refactor.images import BaseImage

_MARKER = re.compile(
    r"(?:implementation_name|platform_python_implementation)\s*(==|!=)\s*[\"'](cpython|pypy)[\"']", re.IGNORECASE
)


def is_for_another(marker: str, image: BaseImage | None) -> bool:
    """Whether the environment marker leaves the requirement out on the image's implementation of Python."""
    if image is None or image.family not in {"python", "pypy"} or re.search(r"\bor\b", marker):
        return False
    own = "pypy" if image.family == "pypy" else "cpython"
    return any((sign == "==") != (name.lower() == own) for sign, name in _MARKER.findall(marker))


__all__ = ["is_for_another"]
