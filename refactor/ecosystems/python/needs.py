"""What Python distributions need of the system: a compiler to be installed, libraries and programs to run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from refactor.context import BuildContext, Unknown
from refactor.ecosystems import system
from refactor.ecosystems.python.compiled import Building
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.sources import in_sources
from refactor.flow.reading import Refused
from refactor.images import pypi

if TYPE_CHECKING:
    from refactor.images import BaseImage


_CALL = re.compile(
    r"\b(?:subprocess\.(?:run|call|check_call|check_output|Popen)|Popen|check_output|check_call|os\.(?:system|popen)|"
    r"shutil\.which|which|create_subprocess_(?:exec|shell)|run|local|sh\.Command|getoutput|getstatusoutput)"
    r"\(\s*\[?\s*[rbf]?(?:\"\"\"|\"|')\s*([\w./+-]+)"
)


def why_compiler_stays(installs: Iterable[ReadInstall]) -> str | None:
    """The distribution that needs the compiler at run time."""
    for install in installs:
        for need in install.requirements:
            if need.name in pypi.COMPILES_AT_RUN_TIME:
                return f"{need.name} calls a C compiler when the program runs"
    return None


def is_git(building: Iterable[Building]) -> tuple[str, ...]:
    """The names among them that are fetched with git."""
    return tuple(one.name for one in building if " git" in one.why)


def libraries(installs: Iterable[ReadInstall], image: BaseImage, building: Iterable[Building]) -> Mapping[str, str]:
    """System packages that the installed distributions need at run time -> why, by the names of the image's
    release.
    """
    from refactor.images.system_packages import classify, loads_system_library, native_needs

    distro, release = image.distro or "debian", image.release
    found: dict[str, str] = {}

    def add_dev(name: str, packages: Iterable[str], why: str) -> None:
        if distro == "alpine":
            return
        for package in packages:
            for library in classify(package, distro, release).runtime or ():
                found.setdefault(library, f"{name} {why}")

    built = {one.name for one in building}
    # A slim image has only the libraries that the stage installs itself: what of those is needed at run time
    # follows from the -dev packages.
    for name in built if image.variant == "fat" else ():
        for library in native_needs(name, distro, release):
            found.setdefault(library, f"{name} is linked with it when it is compiled")
        add_dev(name, pypi.EXTRA_LIBRARIES.get(name, ()), "is linked with it when it is compiled")
    for install in installs:
        for need in install.requirements:
            name = need.name or ""
            if name in built or not name:
                continue
            if loads_system_library(name):
                for library in native_needs(name, distro, release):
                    found.setdefault(library, f"{name} loads it at run time")
            if name == "psycopg" and {"binary", "c"} & set(need.extras):
                continue
            add_dev(name, pypi.OPENS.get(name, ()), "loads it at run time")
            if name in pypi.LOADS_OPENMP:
                found.setdefault("libgomp" if distro == "alpine" else "libgomp1", f"{name} loads it at run time")
    return found


def why_library_unknown(image: BaseImage, building: Iterable[Building]) -> str | None:
    """A distribution that the full image builds against a library whose package name is not known."""
    from refactor.images.system_packages import classify, native_build_needs

    for one in building if image.variant == "fat" else ():
        for package in native_build_needs(one.name) if one.name not in pypi.EXTRA_LIBRARIES else ():
            if classify(package, image.distro or "debian", image.release).runtime is None:
                where = image.release or f"the release behind {image.reference}"
                return f"{one.name} is compiled with {package}, and what its library is called on {where} is not known"
    return None


def programs(installs: Iterable[ReadInstall], context: BuildContext) -> dict[str, str] | Refused:
    """Programs that the project starts at run time -> where: its sources and the distributions that it installs."""
    found: dict[str, str] = {}
    for install in installs:
        for need in install.requirements:
            program = pypi.PROGRAMS.get(need.name or "")
            if program is not None:
                found.setdefault(program, f"the distribution {need.name}")
    calls = context.remember("python-programs", lambda: in_sources(context, _CALL))
    if isinstance(calls, Unknown):
        return Refused(f"which programs the sources start is not known: {calls.reason}")
    called = ((word.rpartition("/")[2], where) for word, where in reversed(calls))
    return {**found, **{name: where for name, where in called if name in system.PROVIDERS}}
