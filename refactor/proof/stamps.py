"""Files that two builds of one Dockerfile make differently: what package managers and their like stamp with the time,
with a random number, or leave behind as a cache.

Each row says how much of a file is left out of a comparison, why, and where that is written down.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Leave(Enum):
    """How much of a file is left out."""

    CONTENT = "content"
    """Type, mode and owner are compared all the same, and whether it is there."""
    ALL = "all"
    """It may be there or not."""
    CACHE = "cache"
    """As ALL: cleaning caches is what a SAFE rewrite does, so what went is told with its size."""


class Stamp(NamedTuple):
    """One row of the table."""

    leave: Leave
    pattern: re.Pattern[str]
    """Of the whole path, without the leading slash."""
    reason: str
    source: str
    normal: Callable[[bytes], bytes] | None = None
    """Takes the stamp out of the content, so that the rest of it is compared; None: no part of it is."""


def _without_day(content: bytes) -> bytes:
    return re.sub(rb"(?m)^([^:\n]*:[^:\n]*:)\d+:", rb"\1:", content)


def _row(leave: Leave, pattern: str, reason: str, source: str, normal: Callable[[bytes], bytes] | None = None) -> Stamp:
    return Stamp(leave, re.compile(rf"(?:{pattern})\Z"), reason, source, normal)


_HOME = r"(?:root|home/[^/]+|github/home)"
_BELOW = r"(?:/.*)?"

STAMPS: tuple[Stamp, ...] = (
    # What the engine mounts or makes, empty in every image.
    _row(
        Leave.ALL,
        rf"\.dockerenv|run/\.containerenv|(?:proc|sys|dev){_BELOW}|etc/(?:hosts|hostname|resolv\.conf|mtab)",
        "the engine's own mount points",
        "OCI runtime specification, config-linux; moby, daemon/initlayer",
    ),
    # Logs and the time in them.
    _row(
        Leave.CONTENT,
        r"var/log/(?:dpkg|alternatives|bootstrap|fontconfig|apk)(?:\.log)?|var/log/apt/.*",
        "logs with the time of each call",
        "dpkg(1) --log; apt.conf(5) Dir::Log; update-alternatives(1) --log; apk(8)",
    ),
    _row(
        Leave.CONTENT,
        r"var/log/(?:dnf|yum|hawkey|zypper|microdnf)[^/]*\.log|var/log/zypp/.*",
        "logs with the time of each call",
        "dnf.conf(5) logdir; zypper(8)",
    ),
    # Debian's package managers.
    _row(
        Leave.CONTENT,
        r"var/lib/dpkg/[^/]+-old|var/cache/debconf/[^/]+-old|var/backups/.*",
        "a copy of the state before the last call",
        "dpkg(1), internal files; debconf.conf(5)",
    ),
    _row(
        Leave.CACHE,
        rf"var/lib/apt/lists{_BELOW}|var/cache/apt{_BELOW}|var/lib/apt/periodic/.*",
        "apt's lists and caches",
        "apt.conf(5) Dir::State::lists, Dir::Cache",
    ),
    _row(Leave.CONTENT, r"var/cache/ldconfig/aux-cache", "inode numbers and times of libraries", "glibc, elf/cache.c"),
    _row(
        Leave.CONTENT,
        r"var/cache/man/.*|var/cache/fontconfig/.*",
        "an index with the times of the files in it",
        "mandb(8); fontconfig, fccache.c",
    ),
    _row(
        Leave.CONTENT,
        r"etc/shadow",
        "the day of the last change of a password, as useradd writes it",
        "shadow(5), third field",
        _without_day,
    ),
    _row(
        Leave.CONTENT,
        r"etc/(?:passwd|shadow|group|gshadow|subuid|subgid)-",
        "a copy of the state before the last call",
        "passwd(5), FILES of useradd(8)",
    ),
    _row(
        Leave.CONTENT,
        r"etc/machine-id|var/lib/dbus/machine-id|var/lib/systemd/random-seed",
        "a random number of the installation",
        "machine-id(5); dbus-uuidgen(1); systemd-random-seed(8)",
    ),
    _row(
        Leave.CONTENT,
        r"etc/ssh/ssh_host_[a-z0-9]+_key(?:\.pub)?|etc/ssl/(?:private|certs)/ssl-cert-snakeoil\.(?:key|pem)",
        "a key that is made when the package is installed",
        "sshd_config(5) HostKey; make-ssl-cert(8)",
    ),
    _row(
        Leave.CONTENT,
        r"etc/ssl/certs/java/cacerts",
        "a key store with the time of each entry",
        "java.security.KeyStore.getCreationDate",
    ),
    # Alpine's, Red Hat's and SUSE's.
    _row(
        Leave.CONTENT,
        r"(?:usr/)?lib/apk/db/scripts\.tar(?:\.gz)?",
        "an archive with the time of the installation",
        "apk-tools, src/database.c",
    ),
    _row(
        Leave.CACHE,
        rf"(?:etc/apk/cache|var/cache/(?:apk|dnf|libdnf5|yum|zypp|misc)){_BELOW}",
        "the package manager's lists and caches",
        "apk-cache(5); dnf.conf(5) cachedir; zypper(8)",
    ),
    _row(
        Leave.CONTENT,
        r"(?:var/lib|usr/lib/sysimage)/(?:rpm|dnf|yum|libdnf5)/.*",
        "the time of each installation",
        "rpm(8), INSTALLTIME; dnf, history.sqlite",
    ),
    # Python's.
    _row(
        Leave.ALL,
        rf"(?:.*/)?__pycache__{_BELOW}",
        "compiled anew from the sources, with the time of the source in it",
        "PEP 3147; PEP 552",
    ),
    _row(Leave.CONTENT, r".*\.py[co]", "the time of the source in it", "PEP 552"),
    _row(
        Leave.CONTENT,
        r".*\.dist-info/RECORD",
        "a list of files that are compared one by one, compiled ones among them",
        "PEP 376",
    ),
    _row(
        Leave.CACHE,
        rf"{_HOME}/\.cache(?:/(?:pip|pypoetry|uv|pdm){_BELOW})?",
        "pip's and its like's downloads, with the time of each",
        "pip documentation, Caching; uv and Poetry documentation",
    ),
    # Node's.
    _row(
        Leave.CACHE,
        rf"{_HOME}/\.(?:npm|yarn/berry/cache){_BELOW}|{_HOME}/\.cache/(?:yarn|node|node-gyp|pnpm){_BELOW}"
        rf"|usr/local/share/\.cache{_BELOW}|tmp/(?:node-compile-cache|v8-compile-cache-\d+){_BELOW}",
        "npm's and yarn's downloads and logs, with the time of each",
        "npm-cache(1), npm logging; yarn 1 documentation, cache; module.enableCompileCache",
    ),
    _row(
        Leave.CONTENT,
        r".*/node_modules/\.modules\.yaml|.*/\.config/configstore/.*",
        "the time of the installation",
        "pnpm, installing/modules-yaml; configstore",
    ),
    # Other compilers' and managers'.
    _row(
        Leave.ALL,
        rf"{_HOME}/\.cache/go-build{_BELOW}|(?:root/)?go/pkg/(?:mod/cache/(?:lock|download/sumdb/.*)|sumdb/.*)",
        "entries with the time of their last use",
        "cmd/go/internal/cache; go help cache",
    ),
    _row(
        Leave.CONTENT,
        r".*/\.m2/repository/.*(?:/_remote\.repositories|/resolver-status\.properties|\.lastUpdated)",
        "properties that begin with the time",
        "Maven Resolver, enhanced local repository manager; java.util.Properties.store",
    ),
    _row(
        Leave.CONTENT,
        r".*/\.?cargo/\.global-cache|.*/extensions/.*/(?:gem_make\.out|mkmf\.log)",
        "times and names of temporary folders",
        "cargo, global_cache_tracker; rubygems, ext/builder.rb",
    ),
    _row(Leave.CONTENT, rf"{_HOME}/\.wget-hsts", "the time of each answer", "wget manual, --hsts-file"),
)

_NORMALIZED = tuple(row for row in STAMPS if row.normal is not None)
_ANY = re.compile("|".join(f"(?:{row.pattern.pattern})" for row in STAMPS))


def stamp_of(path: str) -> Stamp | None:
    """The row that holds for a path, None where all of it is compared."""
    if not _ANY.match(path):
        return None
    return next(row for row in STAMPS if row.pattern.match(path))


def normalizer_of(path: str) -> Callable[[bytes], bytes] | None:
    """What takes the stamp out of a file's content, None where its content is compared as it is or not at all."""
    return next((row.normal for row in _NORMALIZED if row.pattern.match(path)), None)
