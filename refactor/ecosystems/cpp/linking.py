"""Which libraries of the system a C or C++ program is linked with, by what its build files name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.ecosystems.brought import chain
from refactor.ecosystems.cpp.tools import Build
from refactor.ecosystems.libraries import of_image
from refactor.ecosystems.program import Program
from refactor.ecosystems.repositories import adds_repositories
from refactor.flow.reading import Refused, StageReading
from refactor.images.contents import LINKED_AS
from refactor.images.system_packages import classify

_PLAIN = frozenset("c m pthread dl rt util resolv stdc++fs stdc++ gcc gcc_s crypt gomp atomic".split())
"""Parts of the C and C++ libraries and of the compiler."""
_LINKS = (
    r"(?i)\b(?:find_package|find_library|(?:target_)?link_libraries|pkg_(?:check|search)_modules?|AC_\w+_LIBS?)\s*\("
)
_OF_COMPILER = {
    r"-fopenmp\b|\bOpenMP\b": ("libgomp1", "libgomp"),
    r"-latomic\b": ("libatomic1", "libatomic"),
}
"""What asks for a part of the compiler's own -> its package on Debian and on Alpine."""


def is_static(build: Build) -> str | None:
    """Where it says that the program is linked statically; None where it does not."""
    for where, text in build.texts.items():
        if re.search(r"(?<![\w-])-static(?![\w-])", text):
            return f"{where} links statically"
    return None


def names(build: Build) -> Iterator[tuple[str, str]]:
    """The libraries that commands and makefiles name, with the places."""
    for where, text in build.texts.items():
        for one in re.findall(r"(?<![\w-])-l([\w.+-]+)", text):
            yield one, where
        for listed in re.findall(r"pkg-config\s+([^`)\n|&;]*)", text):
            yield from ((word, where) for word in listed.split() if not word.startswith("-"))


def packages(program: Program, build: Build, is_cpp: bool, brought: str = "") -> dict[str, str] | Refused:
    """The system packages that bring what a program is linked with -> why; ``brought`` says which sources of others it
    is built with, if any.

    A program can link with what is in the base image, what packages of the stage bring, and what its commands install.
    A plain distribution has nothing that its small image lacks, and the packages are those of the split; of other
    images the libraries count that are named, or all where that is not seen.
    """
    reading = program.origin
    image = reading.image
    distro, release = ("", None) if image is None else (image.distro or "", image.release)
    needed: dict[str, str] = {}
    texts = "\n".join(build.texts.values())
    is_cpp = is_cpp or brought != ""
    for option, own in _OF_COMPILER.items():
        if brought or re.search(option, texts):
            needed[own[distro == "alpine"]] = brought or "the compiler links it"
    for one in chain(program):
        # Those of the stage that is split are taken over by the split itself.
        for word in (word for _, call in one.calls for word in call.packages) if one is not program.reading else ():
            known = classify(word.literal, distro, release)
            if known.kind != "unknown":
                more = (word.literal,) if known.runtime is None else known.runtime
                needed.update(dict.fromkeys(more, f"a stage on {one.stage.image} has it"))
    has_headers = image is not None and any(name.endswith("-dev") for name in image.preinstalled)
    why = brought or (_by_name(reading, build, needed) if has_headers else "")
    unseen = of_image(reading, why) if why else {}
    if isinstance(unseen, Refused):
        return unseen
    needed.update(unseen)
    if is_cpp and image is not None and "-static-libstdc++" not in texts:
        if image.family == "gcc":
            return Refused(
                f"the program needs the C++ library of {image.reference}, which is newer than that of"
                f" debian:{image.release}",
                "link with -static-libstdc++ -static-libgcc, or build with g++ of the distribution",
            )
        if distro == "alpine":
            # Debian and Ubuntu have it with apt.
            needed["libstdc++"] = "C++ programs are linked with it"
        elif adds_repositories(reading):
            needed["libstdc++6"] = "the compiler may come from an archive that has a newer C++ library"
    return needed


def _by_name(reading: StageReading, build: Build, needed: dict[str, str]) -> str:
    """Adds the packages of the image's libraries that are named; why those are not all, "" where they are."""
    image = reading.image
    if build.kind and re.search(_LINKS, "\n".join(build.texts.values())):
        return f"{next(iter(build.texts))} links libraries"
    own = {word.literal for _, call in reading.calls for word in call.packages if word.literal.endswith("-dev")}
    for name, where in names(build):
        package = LINKED_AS.get(name)
        runtime = classify(package, image.distro or "", image.release).runtime if package and image else None
        # Packages that the stage installs are those of the split.
        if name in _PLAIN or (not runtime and any(name.partition("_")[0] in package for package in own)):
            continue
        if not runtime:
            return f"{where} links {name}"
        needed.update(dict.fromkeys(runtime, f"{where} links {name}"))
    return ""


__all__ = ["is_static", "packages"]
