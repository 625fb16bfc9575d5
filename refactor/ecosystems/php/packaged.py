"""PHP from packages of Debian and Ubuntu, those of deb.sury.org and ppa:ondrej/php among them.

Sources: the php-defaults and phpX.Y packages of these archives; ZEND_MODULE_API_NO of each release line
(Zend/zend_modules.h), after which the folder of the extensions is named.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.flow.effects import Path
from refactor.flow.places import source_of
from refactor.flow.reading import StageReading, join
from refactor.flow.roots import Root

FOLDER = "/usr/lib/php"
"""Extensions lie below it, in a folder for each version of the interface."""
SERVICES = r"(?:php\d?(?:\.\d)?-fpm|apache2)"
"""Servers of PHP by the names of their services."""
FPM = r"php-fpm(?:\d(?:\.\d)?)?"
"""The process manager by the name of its program."""
_INTERFACES = {
    "5.6": "20131226", "7.0": "20151012", "7.1": "20160303", "7.2": "20170718", "7.3": "20180731", "7.4": "20190902",
    "8.0": "20200930", "8.1": "20210902", "8.2": "20220829", "8.3": "20230831", "8.4": "20240924", "8.5": "20250925",
}  # fmt: skip
_OF_RELEASES = {
    "stretch": "7.0", "buster": "7.3", "bullseye": "7.4", "bookworm": "8.2", "trixie": "8.4",
    "xenial": "7.0", "bionic": "7.2", "focal": "7.4", "jammy": "8.1", "noble": "8.3",
}  # fmt: skip
"""What `php-cli` installs where no archive is added."""
_ARCHIVES = r"ondrej/php|packages\.sury\.org"


def is_packaged(reading: StageReading) -> bool:
    """The base image brings no PHP, is one of Debian or Ubuntu, and the stage installs its packages."""
    is_bare = reading.image is not None and reading.image.family in {"debian", "ubuntu", "buildpack-deps"}
    return is_bare and any(re.match(r"(?:libapache2-mod-)?php(?:\d|-|\Z)", name) for name in _packages(reading))


def _packages(reading: StageReading) -> list[str]:
    return [word.literal for _, call in reading.calls if call.manager == "apt" and call.action == "install"
            for word in call.packages]  # fmt: skip


def _version(reading: StageReading) -> str | None:
    """The only version of PHP that the stage installs; None where there are several or none is known."""
    names = _packages(reading)
    numbered = {match[1] for name in names if (match := re.match(r"php(\d\.\d)(?=-|\Z)", name))}
    if numbered or any(re.search(_ARCHIVES, step.node.argument) for step in reading.runs):
        return next(iter(numbered)) if len(numbered) == 1 else None
    is_there = any(re.match(r"php(?:-|\Z)", name) for name in names)
    return _OF_RELEASES.get((reading.image.release if reading.image else None) or "") if is_there else None


def extension(reading: StageReading, name: str) -> Path:
    """The file of an extension that pecl compiles, by its name there (``event-3.1.4``)."""
    version = _version(reading)
    if version not in _INTERFACES:
        return Unknown("which version of PHP it is for is not known: install packages of one version by name")
    own = re.sub(r"-(?:\d.*|beta|alpha|stable|devel)\Z", "", posixpath.basename(name)).removeprefix("pecl_")
    return f"{FOLDER}/{_INTERFACES[version]}/{own.lower()}.so"


def document_roots(reading: StageReading, roots: tuple[Root, ...]) -> Iterator[str]:
    """Absolute folders that nginx or Apache serve, by settings of the build context that are copied or named at the
    start."""
    for path in _settings(reading, roots):
        text = reading.context.read(path)
        for line in re.finditer(r"(?im)^\s*(?:root|DocumentRoot)\s+[\"']?(/[^\s;\"']*)", str(text)):
            yield posixpath.normpath(line[1])


def _settings(reading: StageReading, roots: tuple[Root, ...]) -> Iterator[str]:
    for root in roots:
        words = root.words
        if root.name == "nginx" and "-c" in words[:-1]:
            path = source_of(reading, join(root.folder, words[words.index("-c") + 1]))
            if path:
                yield path
    for copied in reading.copies:
        if re.match(r"/etc/(?:nginx|apache2)(?:/|\Z)", copied.target):
            files = reading.context.files(copied.source) if copied.is_folder else (copied.source,)
            yield from files if isinstance(files, tuple) else ()
