"""Which small image carries a program that was built in a stage: one of the same distribution and release."""

from __future__ import annotations

from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup

STATIC = "gcr.io/distroless/static-debian12"


class Runner(NamedTuple):
    """The image of a runner stage."""

    image: str
    builder: str | None = None
    """Another name for the builder's image, so that both stay on one release; None for the one written."""
    has_shell: bool = True
    evidence: tuple[str, ...] = ()


def small_system(reading: StageReading, wish: str | None = None) -> Runner | Refused:
    """The same distribution and release without anything else: for programs that need its C library."""
    image = reading.image
    if image is None:
        name = reading.image_reference or reading.stage.image
        return Refused(f"the base image {name} is not in the catalogue", "start from an official image")
    if wish in {"scratch", "distroless"}:
        return Refused(f"the program is linked with a C library, which {wish} does not bring", 'use runner = "slim"')
    if image.distro == "alpine":
        if wish == "slim":
            return Refused("the program is linked with musl, which Debian has not", 'use runner = "alpine"')
        release = image.release
        if not release:
            return Refused(
                f"the Alpine release of {reading.stage.image} is not known", "name it in the tag, as in -alpine3.21"
            )
        return _pinned(reading, image, f"alpine:{release}")
    if wish == "alpine":
        return Refused("the program is linked with glibc, which Alpine has not", 'use runner = "slim"')
    if image.distro == "ubuntu" and image.release:
        return Runner(reading.stage.image if image.family == "ubuntu" else f"ubuntu:{image.release}")
    if image.distro == "debian" and image.release:
        return _pinned(reading, image, f"debian:{image.release}-slim")
    return Refused(f"the release of {reading.stage.image} is not known", "name it in the tag, as in -bookworm")


def _pinned(reading: StageReading, image: BaseImage, runner: str) -> Runner | Refused:
    """`rust:1.80` -> `rust:1.80-bookworm`: both stages have to stay on one release."""
    written, parsed = reading.stage.image, image.parsed
    if not image.is_floating or image.release is None:
        return Runner(runner)
    refusal = Refused(
        f"{written} moves to newer releases of its distribution, and the program is linked with the C library of one",
        f"name the release in the tag, as in {parsed.name}:{image.version or '1'}-{image.release}",
    )
    if "$" in written or parsed.digest:
        return refusal
    suffix = f"alpine{image.release}" if image.distro == "alpine" else image.release
    tag = (parsed.tag or "latest").removesuffix("-alpine")
    found = parsed.with_tag(suffix if tag in {"latest", "alpine"} else f"{tag}-{suffix}")
    known = lookup(found) if found else None
    if not found or known is None or known.release != image.release:
        return refusal
    return Runner(runner, found, evidence=(f"{written} moves to newer releases: the builder names its own",))


__all__ = ["STATIC", "Runner", "small_system"]
