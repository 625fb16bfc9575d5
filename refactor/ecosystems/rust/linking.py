"""Which libraries of the system a Rust program is linked with, by the crates of its lockfile."""

from __future__ import annotations

import re
from collections.abc import Mapping

from refactor.ecosystems.libraries import linked
from refactor.flow.reading import Refused, StageReading
from refactor.images.crates import BRINGS, CERTIFICATES, LINKS, LOOKS_FIRST, PLAIN

_ALPINE = {
    "libssl-dev": ("libssl3", "libcrypto3"), "libpq-dev": ("libpq",), "libsqlite3-dev": ("sqlite-libs",),
    "zlib1g-dev": ("zlib",), "default-libmysqlclient-dev": ("mariadb-connector-c",),
}  # fmt: skip


def linked_with(reading: StageReading, crates: Mapping[str, frozenset[str]]) -> dict[str, str] | Refused:
    """The packages for the crates that a program is made of, on the distribution of its stage."""
    image = reading.image
    # The image has headers of libraries that nobody asked for by name.
    is_fat = image is None or image.variant == "fat"
    wanted: dict[str, str] = {}
    for crate in sorted(crates):
        dev = LINKS.get(crate)
        if dev is None:
            if re.search(r"[-_]sys\Z", crate) and not re.match(PLAIN, crate) and is_fat:
                return Refused(
                    f"whether {crate} links a library of the system is not known",
                    "start from the slim image and install the -dev packages that it needs by name",
                )
        elif BRINGS.get(crate) not in crates[crate] or (crate in LOOKS_FIRST and _has_headers(reading, dev)):
            wanted[crate] = dev
    packages = linked(reading, wanted, "{} in Cargo.lock links it", _ALPINE)
    asks = next((name for name in CERTIFICATES if name in crates), None)
    if isinstance(packages, Refused):
        return packages
    if asks is not None:
        packages["ca-certificates"] = f"{asks} in Cargo.lock looks for certificates"
    if image is not None and image.distro == "alpine":
        packages["libgcc"] = "Rust programs that are linked dynamically need it"
    return packages


def _has_headers(reading: StageReading, dev: str) -> bool:
    image = reading.image
    named = {word.literal for _, call in reading.calls for word in call.packages}
    return dev in named or (image is not None and dev in image.preinstalled)


__all__ = ["linked_with"]
