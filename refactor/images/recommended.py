"""What packages of Debian and Ubuntu recommend, as far as programs need it: apt installs it unless it is told not to.

Read from the Recommends of Debian bookworm's packages (``apt-cache depends``), and of what they depend on where that
is well known; names of other releases were not checked.
"""

from __future__ import annotations

import re


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_CERTIFICATES = ("ca-certificates",)
_NEEDED: dict[str, tuple[str, ...]] = {
    # Without certificates each of them refuses every https address.
    **dict.fromkeys(
        _words("curl wget git aria2 libcurl4 libcurl3-gnutls libcurl3-nss python3 python3-venv"), _CERTIFICATES
    ),
    "docker.io": _words("ca-certificates git xz-utils"),
    # add-apt-repository reads a key from https, and gpg asks its agent.
    "software-properties-common": _words("ca-certificates gpg-agent"),
    "python3-pip": _words("ca-certificates build-essential python3-dev"),
    "npm": _words("ca-certificates git"),
    "gpg": ("gnupg",),
    # A compiler without the C library's headers, a build system without what it drives.
    "gcc": ("libc6-dev",),
    **dict.fromkeys(("golang", "golang-go"), _words("gcc g++ libc6-dev pkg-config")),
    "cmake": _words("gcc make"),
    "autoconf": ("automake",),
    "libtool": ("libltdl-dev",),
    "flex": ("libfl-dev",),
    "protobuf-compiler": ("libprotobuf-dev",),
    "libasio-dev": _words("libboost-dev libboost-regex-dev libboost-date-time-dev libssl-dev"),
    "xvfb": ("xauth",),  # xvfb-run calls it
    "zip": ("unzip",),
    "libgtk-3-0": ("librsvg2-common",),
    "libgtk2.0-0": ("librsvg2-common",),
    "libglib2.0-0": ("shared-mime-info",),
}
_NOTHING = frozenset(
    _words(
        """
        apt-transport-https apt-utils autopoint automake binutils bison build-essential bzip2 ca-certificates ccache
        chrpath cppcheck default-mysql-client diffstat dnsutils dos2unix dumb-init file fontconfig g++ g++-multilib gawk
        gcc-multilib gfortran gnupg gnupg-agent gnupg2 gosu gperf gpgconf gpgv help2man htop inotify-tools iputils-ping
        jq less lld locales lsb-release lzip lzma m4 make nano nasm net-tools netbase netcat-openbsd ninja-build nodejs
        openssl openssh-client patch patchelf perl pkg-config pkgconf postgresql-client procps python3-dev
        python3-setuptools python3-wheel re2c redis-tools rlwrap rsync socat sqlite3 subversion sudo supervisor tar tini
        texinfo tk-dev tree tzdata unzip usbutils uuid-dev vim xauth xsltproc xz-utils yasm zlib1g-dev zstd
        iproute2 bash
        """
    )
)
_FAMILIES = (
    (r"gcc-\d+", ("libc6-dev",)),
    (r"python3\.\d+(?:-venv)?", _CERTIFICATES),
    (r"lib[\w.+-]*-dev|python3\.\d+-dev|g\+\+-\d+|openjdk-\d+-(?:jre|jdk)-headless|default-(?:jre|jdk)-headless", ()),
    (r"fonts-[\w-]+|lib(?:x|X)[\w-]+\d|lib(?:nss3|nspr4|gbm1|cups2|cairo2|asound2|sm6|gomp1|stdc\+\+6|pq5)", ()),
)


def recommended(package: str) -> tuple[str, ...] | None:
    """What a package recommends that programs need, None where that is not known.

    ``package`` may carry a version, a release or an architecture (``curl=7.88.*``, ``git/bookworm-backports``).
    """
    name = re.split(r"[=/:]", package, maxsplit=1)[0]
    if name in _NEEDED:
        return _NEEDED[name]
    if name in _NOTHING:
        return ()
    return next((needed for pattern, needed in _FAMILIES if re.fullmatch(pattern, name)), None)
