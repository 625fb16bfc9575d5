"""Releases that have come to their end, as of the day of the table: nothing here asks what day it is today."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from functools import cache
from typing import NamedTuple

from refactor.images.base_image import BaseImage
from refactor.images.contents import DEBIAN_NUMBERS, UBUNTU_NUMBERS
from refactor.images.history import version_of
from refactor.images.tables import rows

AS_OF = "2026-08-22"
_A_YEAR_ON = "2027-08-22"
_SOURCE = "https://endoflife.date/"
_OTHER_NAMES = {"golang": "go", "node": "nodejs", "alpine": "alpine-linux", "amazonlinux": "amazon-linux"}
_GONE = {
    "openjdk": (
        "2022-07",
        "https://github.com/docker-library/docs/blob/master/openjdk/deprecated.md",
        "gets no more releases of Java",
    ),
    "java": (
        "2016-12-31",
        "https://github.com/docker-library/docs/blob/master/java/deprecated.md",
        "is no longer made",
    ),
    "centos": (
        "2024-06-30",
        "https://github.com/docker-library/docs/blob/master/centos/deprecated.md",
        "is no longer made",
    ),
}


class End(NamedTuple):
    """That something has ended."""

    what: str
    """"node 14", "Debian buster"."""
    day: str
    source: str

    @property
    def text(self) -> str:
        return f"{self.what} ended on {self.day} ({self.source})"


def version_end(image: BaseImage) -> End | None:
    """The end of the language, or the distribution, that an image is named for; None while it is kept, or not known."""
    if image.family in {"debian", "ubuntu"}:
        return _end(image.family, image.release or "")
    number = version_of(image.version)
    if not number:
        return None
    names = [".".join(map(str, number[:size])) for size in (2, 1)]
    return next((end for name in names if (end := _end(image.family, name))), None)


def release_end(image: BaseImage) -> End | None:
    """The end of the distribution's release below an image of a language, as far as it is known."""
    if image.distro == image.family or image.release is None or image.distro is None:
        return None
    return _end(image.distro, image.release)


def repository_end(family: str) -> tuple[str, str, str] | None:
    """When a repository of images ended, where that is said, and what it means; None for those that go on."""
    return _GONE.get(family)


def kept_line(family: str) -> str:
    """The newest of a family's releases that is kept for another year, as tags name it; "" where none is known."""
    kept = [name for (of, name), day in _table().items() if of == family and day > _A_YEAR_ON]
    if family == "node":
        # The odd ones never are.
        kept = [name for name in kept if int(name) % 2 == 0]
    return kept[0] if kept else ""


def end_of(family: str, version: str) -> str:
    """The last day of a release; "" where it is not known."""
    number = version_of(version) or ()
    names = [".".join(map(str, number[:size])) for size in (2, 1)]
    return next((day for name in names if (day := _table().get((family, name), ""))), "")


def next_debian(image: BaseImage) -> str | None:
    """The nearest Debian release that is kept for another year and for which the image has been published."""
    from refactor.images.published import is_published

    order = list(DEBIAN_NUMBERS.values())
    if image.distro != "debian" or image.release not in order:
        return None
    return next(
        (
            release
            for release in order[order.index(image.release) + 1 :]
            if _table().get(("debian", release), "") > _A_YEAR_ON
            and is_published(f"{image.parsed.name}@{release}", image.version)
        ),
        None,
    )


def _end(family: str, name: str) -> End | None:
    day = _table().get((family, name), "")
    if not day or day > AS_OF:
        return None
    return End(f"{family} {name}", day, _SOURCE + _OTHER_NAMES.get(family, family))


@cache
def _table() -> dict[tuple[str, str], str]:
    found = {}
    for family, name, day in rows("retired.txt"):
        found[family, name] = day
    numbers = {"ubuntu": UBUNTU_NUMBERS}
    for family, codes in numbers.items():
        for number, code in codes.items():
            if (family, code) in found:
                found[family, number] = found[family, code]
    return found
