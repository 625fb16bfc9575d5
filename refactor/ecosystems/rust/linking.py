"""Which libraries of the system a Rust program is linked with, by the crates of its lockfile.

Sources: the build scripts of the crates named here (crates.io). A crate whose name ends in ``-sys`` declares a library;
most bring its sources along and link them in, the others look for the system's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage

_LINKS: Mapping[str, str] = {
    "openssl-sys": "libssl-dev", "pq-sys": "libpq-dev", "mysqlclient-sys": "default-libmysqlclient-dev",
    "libsqlite3-sys": "libsqlite3-dev", "curl-sys": "libcurl4-openssl-dev", "libz-sys": "zlib1g-dev",
    "bzip2-sys": "libbz2-dev", "lzma-sys": "liblzma-dev", "libudev-sys": "libudev-dev", "alsa-sys": "libasound2-dev",
    "libdbus-sys": "libdbus-1-dev", "libsodium-sys": "libsodium-dev", "krb5-sys": "libkrb5-dev",
    "libgssapi-sys": "libkrb5-dev", "odbc-sys": "unixodbc-dev", "freetype-sys": "libfreetype6-dev",
    "servo-fontconfig-sys": "libfontconfig1-dev", "yeslogic-fontconfig-sys": "libfontconfig1-dev",
    "libxml": "libxml2-dev", "gdal-sys": "libgdal-dev", "proj-sys": "libproj-dev", "libheif-sys": "libheif-dev",
    "leptonica-sys": "libleptonica-dev", "tesseract-sys": "libtesseract-dev", "sasl2-sys": "libsasl2-dev",
    "libssh2-sys": "libssh2-1-dev", "pcap": "libpcap-dev", "libusb1-sys": "libusb-1.0-0-dev",
}  # fmt: skip
"""Crate -> Debian's package of headers whose library it links, where it does not bring it along."""
_BRINGS: Mapping[str, str] = {
    "openssl-sys": "openssl-src", "libsqlite3-sys": "cc", "pq-sys": "pq-src", "curl-sys": "cc", "libz-sys": "cc",
    "bzip2-sys": "cc", "lzma-sys": "cc", "libssh2-sys": "cc", "libdbus-sys": "cc", "freetype-sys": "cc",
    "proj-sys": "cmake", "libusb1-sys": "cc",
}  # fmt: skip
"""Crate -> the crate that it builds the library with where it is told to (``vendored``, ``bundled``)."""
_LOOKS_FIRST = frozenset(("curl-sys", "libz-sys", "bzip2-sys", "lzma-sys", "libssh2-sys", "libusb1-sys"))
"""Crates that take the system's library where its headers are installed, and build their own elsewhere."""
_PLAIN = (
    r"(?:windows.*|clang|winapi.*|js|web|wasm.*|linux-raw|core-.*|security-framework|system-configuration|dirs|inotify|"
    r"kqueue|fsevent|jni|ndk|mach2?|objc.*|zstd|lz4|jemalloc|tikv-jemalloc|mimalloc|libmimalloc|snmalloc|ring|aws-lc|"
    r"aws-lc-fips|boring|onig|librocksdb|rocksdb|rdkafka|libgit2|brotli|snappy|lmdb|lmdb-rkv|mdbx|secp256k1|blst|"
    r"libwebp|mozjpeg|libdeflate|cmake|psm|stacker|hyperscan|tree-sitter|duckdb|libduckdb|libsql|sqlite-vec|"
    r"sqlite3-parser|protobuf|protoc|libloading|renderdoc|tracy|libfuzzer|compiler-builtins|rustix|errno-dragonfly|"
    r"redox|hermit|fuchsia.*|ittapi|dotnetcore|cryptoki|esp-idf|libnghttp2|opus|cty|libc|libm)[-_]sys\Z"
)
"""Crates of this kind that need no library of the system: sources of their own, or other systems' interfaces."""
_CERTIFICATES = (
    "native-tls", "rustls-native-certs", "rustls-platform-verifier", "openssl-probe", "openssl", "curl", "isahc",
)  # fmt: skip


class Linked(NamedTuple):
    """The system packages that a program needs, with reasons."""

    packages: Mapping[str, str]
    evidence: tuple[str, ...] = ()


def linked(reading: StageReading, crates: Mapping[str, frozenset[str]]) -> Linked | Refused:
    """The packages for the crates that a program is made of, on the distribution of its stage."""
    image = reading.image
    packages: dict[str, str] = {}
    for crate in sorted(crates):
        dev = _LINKS.get(crate)
        if dev is None:
            if re.search(r"[-_]sys\Z", crate) and not re.match(_PLAIN, crate) and _may_link(reading, image):
                return Refused(
                    f"whether {crate} links a library of the system is not known",
                    "start from the slim image and install the -dev packages that it needs by name",
                )
            continue
        if _BRINGS.get(crate) in crates[crate] and not (crate in _LOOKS_FIRST and _has_headers(reading, dev)):
            continue
        answer = _libraries(reading, dev)
        if answer is None:
            return Refused(
                f"{crate} links the library of {dev}, whose run-time package is not known for"
                f" {reading.image_reference or reading.stage.image}",
                "install the run-time package by name",
            )
        packages.update(dict.fromkeys(answer, f"{crate} in Cargo.lock links it"))
    asks = next((name for name in _CERTIFICATES if name in crates), None)
    if asks is not None:
        packages["ca-certificates"] = f"{asks} in Cargo.lock looks for certificates"
    if image is not None and image.distro == "alpine":
        packages["libgcc"] = "Rust programs that are linked dynamically need it"
    return Linked(packages)


def _may_link(reading: StageReading, image: BaseImage | None) -> bool:
    """The image has headers of libraries that nobody asked for by name."""
    return image is None or image.variant == "fat"


def _has_headers(reading: StageReading, dev: str) -> bool:
    image = reading.image
    named = {word.literal for _, call in reading.calls for word in call.packages}
    return dev in named or (image is not None and dev in image.preinstalled)


def _libraries(reading: StageReading, dev: str) -> tuple[str, ...] | None:
    from refactor.images.system_packages import classify

    image = reading.image
    if image is None or image.distro not in {"debian", "ubuntu", "alpine"}:
        return None
    if image.distro == "alpine":
        return {"libssl-dev": ("libssl3", "libcrypto3"), "libpq-dev": ("libpq",), "libsqlite3-dev": ("sqlite-libs",),
                "zlib1g-dev": ("zlib",), "default-libmysqlclient-dev": ("mariadb-connector-c",)}.get(dev)  # fmt: skip
    return classify(dev, image.distro, image.release).runtime


__all__ = ["Linked", "linked"]
