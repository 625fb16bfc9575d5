"""What is PyPy's own: distributions that are compiled where there is no wheel for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from refactor.ecosystems.python.compiled import judge
from refactor.flow.reading import Refused
from refactor.images import pypi

if TYPE_CHECKING:
    from refactor.ecosystems.python.installs import ReadInstall
    from refactor.images import BaseImage


def why_not_known(installs: Iterable[ReadInstall], image: BaseImage) -> Refused | None:
    """A distribution that may be compiled on the full image with libraries that nobody names; wheels for CPython fit no
    PyPy."""
    if image.family != "pypy":
        return None
    from refactor.images.system_packages import native_build_needs

    known = tuple(installs)
    for install in known:
        for need in install.requirements:
            if need.name == "uwsgi":
                return Refused("uwsgi has PyPy by a plugin, and what that is linked with is not known", "use gunicorn")
            if need.url is not None and not need.url.startswith(("git+", "git://")):
                name = need.name or need.url
                return Refused(
                    f"what {name} is linked with is not known: it comes from {need.url}",
                    "install a release of it from the index",
                )
    for shown in judge(known, image).unknown:
        name = re.split(r"[^\w.-]", shown)[0]
        if name not in pypi.LINKS_NOTHING | pypi.SOURCE_ONLY and not native_build_needs(name):
            return Refused(
                f"nothing says whether {shown} has a wheel for PyPy {image.version}, nor what it is linked with where"
                " it is compiled",
                "lock the versions with poetry, uv or pdm, which list the files of each",
            )
    return None


__all__ = ["why_not_known"]
