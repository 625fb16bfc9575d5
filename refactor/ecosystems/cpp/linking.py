"""Which libraries of the system a C or C++ program is linked with, by what its build files name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from refactor.ecosystems.brought import chain
from refactor.ecosystems.cpp.tools import Build
from refactor.ecosystems.program import Program
from refactor.ecosystems.system import adds_repositories
from refactor.flow.reading import Refused
from refactor.images.contents import runtime_libraries
from refactor.images.system_packages import classify

_PLAIN = frozenset("c m pthread dl rt util resolv stdc++fs stdc++ gcc gcc_s crypt Threads".split())
"""Parts of the C and C++ libraries themselves."""
_DEV: Mapping[str, str] = {
    "ssl": "libssl-dev", "crypto": "libssl-dev", "OpenSSL": "libssl-dev", "openssl": "libssl-dev",
    "libssl": "libssl-dev",
    "libcrypto": "libssl-dev", "z": "zlib1g-dev", "ZLIB": "zlib1g-dev", "zlib": "zlib1g-dev",
    "curl": "libcurl4-openssl-dev", "CURL": "libcurl4-openssl-dev", "libcurl": "libcurl4-openssl-dev",
    "pq": "libpq-dev", "PostgreSQL": "libpq-dev", "libpq": "libpq-dev", "sqlite3": "libsqlite3-dev",
    "SQLite3": "libsqlite3-dev", "mysqlclient": "default-libmysqlclient-dev", "mariadb": "libmariadb-dev",
    "uuid": "uuid-dev", "jsoncpp": "libjsoncpp-dev", "event": "libevent-dev", "libevent": "libevent-dev",
    "xml2": "libxml2-dev", "LibXml2": "libxml2-dev", "libxml-2.0": "libxml2-dev", "yaml-cpp": "libyaml-cpp-dev",
    "png": "libpng-dev", "PNG": "libpng-dev", "libpng": "libpng-dev", "jpeg": "libjpeg-dev", "JPEG": "libjpeg-dev",
    "ncurses": "libncurses-dev", "ncursesw": "libncurses-dev", "Curses": "libncurses-dev",
    "readline": "libreadline-dev", "microhttpd": "libmicrohttpd-dev", "libmicrohttpd": "libmicrohttpd-dev",
    "pcre": "libpcre3-dev", "pcre2-8": "libpcre2-dev",
    "bz2": "libbz2-dev", "BZip2": "libbz2-dev", "lzma": "liblzma-dev",
    "LibLZMA": "liblzma-dev", "zstd": "libzstd-dev", "lz4": "liblz4-dev", "hiredis": "libhiredis-dev",
    "zmq": "libzmq3-dev", "sodium": "libsodium-dev", "libsodium": "libsodium-dev", "uv": "libuv1-dev",
    "boost_system": "libboost-system-dev", "boost_filesystem": "libboost-filesystem-dev",
    "boost_thread": "libboost-thread-dev", "fmt": "libfmt-dev", "spdlog": "libspdlog-dev", "gmp": "libgmp-dev",
    "jansson": "libjansson-dev", "glib-2.0": "libglib2.0-dev", "ev": "libev-dev", "expat": "libexpat1-dev",
    "cjson": "libcjson-dev", "mosquitto": "libmosquitto-dev", "usb-1.0": "libusb-1.0-0-dev", "gomp": "libgomp1",
    "OpenMP": "libgomp1", "atomic": "libatomic1",
}  # fmt: skip
"""Library, module of CMake, or name of pkg-config -> Debian's package of headers."""
_LINKS = (
    r"(?i)\b(?:find_package|find_library|(?:target_)?link_libraries|pkg_(?:check|search)_modules?|AC_\w+_LIBS?)\s*\("
)
_FROM_COMPILER = {"libgomp1": "libgomp", "libatomic1": "libatomic"}
"""Parts of the compiler's own that a program may be linked with: Debian's package -> Alpine's."""


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
    is_alpine = distro == "alpine"
    needed: dict[str, str] = {}
    texts = "\n".join(build.texts.values())
    for name, other in _FROM_COMPILER.items():
        option = {"libgomp1": r"-fopenmp\b|\bOpenMP\b", "libatomic1": r"-latomic\b"}[name]
        if brought or re.search(option, texts):
            needed[other if is_alpine else name] = brought or "the compiler links it"
    for one in chain(program):
        # Those of the stage that is split are taken over by the split itself.
        for word in (word for _, call in one.calls for word in call.packages) if one is not program.reading else ():
            kind, known = classify(word.literal, distro, release)[1:]
            if kind != "unknown":
                needed.update(
                    dict.fromkeys(known if known is not None else (word.literal,), f"{one.stage.image} has it")
                )
    headers = frozenset(name for name in image.preinstalled if name.endswith("-dev")) if image is not None else None
    why = brought if brought or not headers else _by_name(build, needed, distro, release)
    if headers and why and release is None:
        name = reading.image_reference or reading.stage.image
        return Refused(
            f"{why}, and of which release {name} has it is not known", "link it statically, or split by hand"
        )
    if headers and why:
        needed.update(dict.fromkeys(sorted(runtime_libraries(headers, distro, release)), why))
    if is_cpp and image is not None and "-static-libstdc++" not in texts:
        if image.family == "gcc":
            return Refused(
                f"the program needs the C++ library of {image.reference}, which is newer than that of"
                f" debian:{image.release}",
                "link with -static-libstdc++ -static-libgcc, or build with g++ of the distribution",
            )
        if is_alpine:
            # Debian and Ubuntu have it with apt.
            needed["libstdc++"] = "C++ programs are linked with it"
        elif adds_repositories(reading):
            needed["libstdc++6"] = "the compiler may come from an archive that has a newer C++ library"
    return needed


def _by_name(build: Build, needed: dict[str, str], distro: str, release: str | None) -> str:
    """Adds the packages of the libraries that are named; why those are not all, "" where they are."""
    if build.kind and re.search(_LINKS, "\n".join(build.texts.values())):
        return f"{next(iter(build.texts))} links libraries"
    for name, where in names(build):
        dev = _DEV.get(name, name)
        runtime = classify(dev, distro, release).runtime if dev.endswith("-dev") else (dev,) if name in _DEV else None
        if name not in _PLAIN and not runtime:
            return f"{where} links {name}"
        needed.update(dict.fromkeys(runtime if runtime and name not in _PLAIN else (), f"{where} links {name}"))
    return ""


__all__ = ["is_static", "packages"]
