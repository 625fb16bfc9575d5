"""Which libraries of the system a C or C++ program is linked with, by what its build files name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from refactor.ecosystems.cpp.tools import Build
from refactor.flow.reading import Refused, StageReading
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
_MAX_WORDS = 500
_HEADERS_ONLY = frozenset(
    {"nlohmann_json", "PkgConfig", "Eigen3", "GTest", "Catch2", "doctest", "benchmark", "Git", "Doxygen"}
)
_ALPINE: Mapping[str, tuple[str, ...]] = {
    "libssl-dev": ("libssl3", "libcrypto3"), "zlib1g-dev": ("zlib",), "libcurl4-openssl-dev": ("libcurl",),
    "libpq-dev": ("libpq",), "libsqlite3-dev": ("sqlite-libs",), "libgomp1": ("libgomp",),
    "libatomic1": ("libatomic",),
}  # fmt: skip
_BROUGHT = (
    r"(?i)\b(?:FetchContent_\w+|ExternalProject_Add|CPMAddPackage)\b|(?<![\w-])-shared\b"
    r"|add_library\s*\([^)]*\bSHARED\b|BUILD_SHARED_LIBS[ =]+ON|lib_LTLIBRARIES"
)


def is_static(build: Build) -> str | None:
    """Where it says that the program is linked statically; None where it does not."""
    for where, text in build.texts.items():
        if re.search(r"(?<![\w-])-static(?![\w-])", text):
            return f"{where} links statically"
    return None


def names(build: Build) -> Iterator[tuple[str, str]]:
    """The libraries that build files name, with the places."""
    for where, text in build.texts.items():
        for one in re.findall(r"(?<![\w-])-l([\w.+-]+)", text):
            yield one, where
        for listed in re.findall(r"pkg-config\s+([^`)\n|&;]*)", text):
            yield from ((word, where) for word in listed.split() if not word.startswith("-"))
        for one, more in re.findall(r"\bAC_CHECK_LIB\(\[?([\w.+-]+)|\bAC_SEARCH_LIBS\([^,]*,\s*\[?([\w .+-]+)", text):
            yield from ((word, where) for word in (one or more).split())
        for listed in re.findall(r"\bPKG_CHECK_MODULES\([^,]*,\s*\[?([^\],)]*)", text):
            yield from ((word, where) for word in re.findall(r"(?:^|\s)([a-z][\w.+-]*)", listed))
        if not build.is_cmake:
            continue
        for name, rest in re.findall(r"(?i)\bfind_package\s*\(\s*(\w+)([^)]*)\)", text):
            parts = re.search(r"COMPONENTS\s+(.*)", rest, re.DOTALL)
            if name == "Boost":
                own = re.findall(r"[a-z_]+", parts[1]) if parts else []
                yield from ((f"boost_{part}", where) for part in own)
            else:
                yield name, where
        for listed in re.findall(r"(?i)\bpkg_(?:check|search)_modules?\s*\(\s*\w+([^)]*)\)", text):
            skipped = {"REQUIRED", "IMPORTED_TARGET", "QUIET", "GLOBAL"}
            yield from (
                (word, where) for word in re.findall(r"[\w.+-]+", listed) if word not in skipped and word[0].isalpha()
            )
        yield from ((one, where) for one in _linked(text, build))


def _linked(text: str, build: Build) -> Iterator[str]:
    """Plain names that are linked and are no targets of the project, nor of a package; variables that a package does
    not set stand for what the project puts into them."""
    whole = "\n".join(build.texts.values())
    own = set(re.findall(r"(?i)\badd_library\s*\(\s*([\w-]+)", whole))
    yield from re.findall(r"(?i)\bfind_library\s*\(\s*\w+\s+(?:NAMES\s+)?\"?([\w.+-]+)", text)
    for prefix, listed in re.findall(r"(?i)\b(target_)?link_libraries\s*\(([^)]*)\)", text):
        waiting = listed.split()[1 if prefix else 0 :]
        for word in waiting:
            variable = re.fullmatch(r"\"?\$\{(\w+)\}\"?", word)
            if variable is not None:
                name = re.escape(variable[1])
                put = re.findall(rf"(?i)\b(?:set|list\s*\(\s*APPEND)\s*\(?\s*{name}\s+([^)]*)\)", whole)
                is_found = re.search(r"(?:LIBRARY|LIBRARIES|LIBS|LDFLAGS|LIBS_INIT)\Z|^PROJECT_NAME\Z", name)
                if len(waiting) < _MAX_WORDS:
                    waiting += [one for each in put for one in each.split()]
                if not put and not is_found and not re.search(rf"find_library\s*\(\s*{name}\b", whole):
                    yield word
            elif word not in own and not re.search(r"::|^-|^\$<|^(?:PUBLIC|PRIVATE|INTERFACE|debug|optimized)$", word):
                yield word.strip('"')


def packages(reading: StageReading, build: Build, is_cpp: bool) -> dict[str, str] | Refused:
    """The system packages that bring what a program is linked with -> why."""
    image = reading.image
    brought = next(((where, found[0]) for where, text in build.texts.items()
                    if (found := re.search(_BROUGHT, text)) is not None), None)  # fmt: skip
    if brought is not None:
        return Refused(
            f"{brought[0]} builds or brings libraries of its own ({brought[1].split('(')[0]}), and which of them the"
            " program loads when it runs is not known",
            "link them statically, or split by hand",
        )
    needed: dict[str, str] = {}
    distro = "" if image is None else image.distro or ""
    for name, where in names(build):
        if name in _PLAIN or name in _HEADERS_ONLY:
            continue
        dev = _DEV.get(name)
        runtime = None if dev is None or image is None else (
            _ALPINE.get(dev) if image.distro == "alpine"
            else (dev,) if not dev.endswith("-dev") else classify(dev, distro, image.release).runtime
        )  # fmt: skip
        if not runtime:
            return Refused(
                f"{where} links {name}, whose run-time package is not known for"
                f" {reading.image_reference or reading.stage.image}",
                "link it statically, or split by hand",
            )
        needed.update(dict.fromkeys(runtime, f"{where} links {name}"))
    texts = "\n".join(build.texts.values())
    if re.search(r"-fopenmp\b", texts):
        needed["libgomp" if image is not None and image.distro == "alpine" else "libgomp1"] = (
            "it is compiled with -fopenmp"
        )
    if is_cpp and image is not None and "-static-libstdc++" not in texts:
        if image.family == "gcc":
            return Refused(
                f"the program needs the C++ library of {image.reference}, which is newer than that of"
                f" debian:{image.release}",
                "link with -static-libstdc++ -static-libgcc, or build with g++ of the distribution",
            )
        if image.distro == "alpine":
            # Debian and Ubuntu have it with apt.
            needed["libstdc++"] = "C++ programs are linked with it"
    return needed


__all__ = ["is_static", "names", "packages"]
