"""What the usual bases hold. Sources: their Dockerfiles (docker-library/buildpack-deps, nodejs/docker-node,
docker-library/python, docker-library/golang, ...) and debuerreotype's package lists."""

from __future__ import annotations

from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DEBIAN_RELEASES = (
    "wheezy", "jessie", "stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "sid",
)  # fmt: skip
DEBIAN_NUMBERS = {
    "7": "wheezy", "8": "jessie", "9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm",
    "13": "trixie", "14": "forky",
}  # fmt: skip
UBUNTU_NUMBERS = {
    "14.04": "trusty", "16.04": "xenial", "18.04": "bionic", "20.04": "focal", "22.04": "jammy",
    "23.04": "lunar", "23.10": "mantic", "24.04": "noble", "24.10": "oracular", "25.04": "plucky",
    "25.10": "questing", "26.04": "resolute",
}  # fmt: skip
UBUNTU_RELEASES = tuple(UBUNTU_NUMBERS.values())

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEBIAN_SHELLS = ("/bin/sh", "/bin/bash")
ALPINE_SHELLS = ("/bin/sh", "/bin/ash")
DEBIAN_USERS = {"www-data": (33, 33), "nobody": (65534, 65534)}
ALPINE_USERS = {"nobody": (65534, 65534)}

_ESSENTIAL = _words(
    """
    apt bash coreutils dash debianutils diffutils dpkg findutils grep gzip hostname login mount passwd
    perl-base sed tar util-linux
    """
)
ALPINE = _words("apk-tools busybox musl ssl_client zlib ca-certificates-bundle")
UBUNTU = _ESSENTIAL

CURL = _words("ca-certificates curl gnupg netbase openssl wget")
SCM = CURL | _words("git mercurial openssh-client perl procps python3 subversion")
BUILDPACK = SCM | _words(
    """
    autoconf automake binutils bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc imagemagick
    libbz2-dev libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev
    libglib2.0-dev libgmp-dev libjpeg-dev libjpeg62-turbo-dev libkrb5-dev liblzma-dev
    libmagickcore-dev libmagickwand-dev libmaxminddb-dev libmariadb-dev libncurses5-dev
    libncursesw5-dev libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libtool
    libwebp-dev libxml2-dev libxslt-dev libxslt1-dev libyaml-dev make patch pkg-config unzip xz-utils
    zlib1g-dev
    """
)
"""buildpack-deps:<release>. python3 comes with mercurial (python2 before bullseye)."""

# The shared libraries that the -dev packages of buildpack-deps bring along: they are what a program that was
# built or pip-installed on the fat image finds there and misses on the slim one.
BUILDPACK_LIBRARIES = _words(
    """
    default-libmysqlclient-dev libbz2-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev
    libgdbm-dev libglib2.0-dev libgmp-dev libjpeg-dev libkrb5-dev liblzma-dev libmaxminddb-dev
    libncursesw5-dev libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libwebp-dev
    libxml2-dev libxslt1-dev libyaml-dev zlib1g-dev
    """
)

LINKED_AS = {
    name: package
    for package, names in {
        "libssl-dev": "ssl crypto openssl libssl libcrypto", "zlib1g-dev": "z zlib", "libpq-dev": "pq libpq",
        "libcurl4-openssl-dev": "curl libcurl", "libsqlite3-dev": "sqlite3", "libxml2-dev": "xml2 libxml-2.0",
        "default-libmysqlclient-dev": "mysqlclient", "libmariadb-dev": "mariadb libmariadb", "libbz2-dev": "bz2 bzip2",
        "libevent-dev": "event event_core event_extra event_openssl event_pthreads libevent", "libffi-dev": "ffi",
        "libpng-dev": "png libpng", "libjpeg-dev": "jpeg libjpeg", "libwebp-dev": "webp libwebp", "libdb-dev": "db",
        "libncursesw5-dev": "ncurses ncursesw tinfo", "libreadline-dev": "readline", "liblzma-dev": "lzma liblzma",
        "libgmp-dev": "gmp", "libglib2.0-dev": "glib-2.0 gobject-2.0 gio-2.0", "libyaml-dev": "yaml yaml-0.1",
        "libgdbm-dev": "gdbm", "libxslt1-dev": "xslt exslt libxslt", "libkrb5-dev": "krb5 gssapi_krb5 krb5-gssapi",
        "libmaxminddb-dev": "maxminddb libmaxminddb",
    }.items()
    for name in names.split()
}  # fmt: skip
"""What of buildpack-deps a linker (``-lssl``) or pkg-config calls by that name -> its -dev package."""

PYTHON_SLIM_LIBRARIES = _words(
    """
    libbz2-dev libdb-dev libffi-dev libgdbm-dev liblzma-dev libncursesw5-dev libreadline-dev
    libsqlite3-dev libssl-dev uuid-dev zlib1g-dev
    """
)
"""-dev packages whose run-time libraries CPython itself links against, so that python:slim keeps them."""


def debian(release: str | None) -> frozenset[str]:
    """Programs in debian:<release> and debian:<release>-slim; debian has had no tzdata since trixie."""
    if release in ("jessie", "stretch", "buster", "bullseye", "bookworm", "wheezy"):
        return _ESSENTIAL | {"tzdata"}
    return _ESSENTIAL


def runtime_libraries(dev_packages: frozenset[str], distro: str, release: str | None) -> frozenset[str]:
    """Run-time packages of those -dev packages, as far as their names are known for the release."""
    from refactor.images.system_packages import classify

    found: set[str] = set()
    for package in dev_packages:
        runtime = classify(package, distro, release).runtime
        if runtime:
            found.update(runtime)
    return frozenset(found)


def on_apt(distro: str, release: str | None, floating: bool) -> dict[str, Any]:
    """Fields of a base image that follow from Debian or Ubuntu below it."""
    return {
        "distro": distro,
        "release": release,
        "libc": "glibc",
        "is_floating": floating,
        "shells": DEBIAN_SHELLS,
        "package_manager": "apt",
    }


def on_alpine(release: str | None) -> dict[str, Any]:
    """Those that follow from Alpine; its release is None or "" where the tag names none."""
    return {
        "distro": "alpine",
        "release": release or None,
        "libc": "musl",
        "is_floating": not release,
        "shells": ALPINE_SHELLS,
        "package_manager": "apk",
    }


def on_rpm(distro: str, release: str | None, manager: str) -> dict[str, Any]:
    """Those that follow from Fedora and its kin, with their package manager."""
    return {
        "distro": distro,
        "release": release,
        "libc": "glibc",
        "is_floating": release is None,
        "shells": DEBIAN_SHELLS,
        "package_manager": manager,
    }
