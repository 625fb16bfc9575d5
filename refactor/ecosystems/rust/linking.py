"""Which libraries of the system a Rust program is linked with, by the crates of its lockfile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage
from refactor.images.crates import BRINGS, CERTIFICATES, LINKS, LOOKS_FIRST, PLAIN


class Linked(NamedTuple):
    """The system packages that a program needs, with reasons."""

    packages: Mapping[str, str]
    evidence: tuple[str, ...] = ()


def linked(reading: StageReading, crates: Mapping[str, frozenset[str]]) -> Linked | Refused:
    """The packages for the crates that a program is made of, on the distribution of its stage."""
    image = reading.image
    packages: dict[str, str] = {}
    for crate in sorted(crates):
        dev = LINKS.get(crate)
        if dev is None:
            if re.search(r"[-_]sys\Z", crate) and not re.match(PLAIN, crate) and _may_link(reading, image):
                return Refused(
                    f"whether {crate} links a library of the system is not known",
                    "start from the slim image and install the -dev packages that it needs by name",
                )
            continue
        if BRINGS.get(crate) in crates[crate] and not (crate in LOOKS_FIRST and _has_headers(reading, dev)):
            continue
        answer = _libraries(reading, dev)
        if answer is None:
            return Refused(
                f"{crate} links the library of {dev}, whose run-time package is not known for"
                f" {reading.image_reference or reading.stage.image}",
                "install the run-time package by name",
            )
        packages.update(dict.fromkeys(answer, f"{crate} in Cargo.lock links it"))
    asks = next((name for name in CERTIFICATES if name in crates), None)
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
