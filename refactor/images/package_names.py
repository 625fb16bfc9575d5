"""System packages by names that do not change from one release to the next."""

from __future__ import annotations

_IN_ALL = frozenset(
    """
    autoconf automake bash build-essential bzip2 ca-certificates cmake cron curl dumb-init ffmpeg file fontconfig
    fonts-dejavu fonts-dejavu-core fonts-liberation g++ gcc gettext git gnupg gosu graphviz imagemagick iproute2
    iputils-ping jq less libbz2-dev libcairo2-dev libffi-dev libfreetype6-dev libjpeg-dev liblzma-dev
    libmagickwand-dev libpng-dev libpq-dev libpq5 libreadline-dev libsasl2-dev libsqlite3-dev libssl-dev libtool
    libxml2-dev libxslt1-dev libyaml-dev libzip-dev locales make nano netbase netcat-openbsd nginx openssh-client
    openssl patch perl pkg-config postgresql-client procps python3 python3-dev python3-pip python3-venv redis-tools
    rsync sqlite3 sudo supervisor tar tini tzdata unzip vim wget xvfb xz-utils zip zlib1g-dev
    """.split()
)
"""In Debian from buster to trixie and in Ubuntu from focal on (packages.debian.org, packages.ubuntu.com): the
same program or header under the same name, in whichever version is the release's."""
_IN_ALPINE = frozenset(
    "bash ca-certificates curl fontconfig git jq openssl procps su-exec tar tzdata unzip wget zip".split()
)
"""In Alpine's main and community repositories from 3.9 on (https://pkgs.alpinelinux.org)."""


def is_in_all_releases(package: str, manager: str) -> bool:
    """Whether a package has the same name in every release of Debian and Ubuntu (apt), or of Alpine (apk)."""
    return package in {"apt": _IN_ALL, "apk": _IN_ALPINE}.get(manager, frozenset())
