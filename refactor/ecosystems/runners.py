"""Which small image carries a program that was built in a stage: one of the same distribution and release."""

from __future__ import annotations

from refactor.ecosystems.program import Needs, Runner
from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup

_PRESENT = frozenset({"ca-certificates", "tzdata"})
"""What the static image of distroless has."""
STATIC = "gcr.io/distroless/static-debian12"


def for_program(reading: StageReading, needs: Needs, wish: str | None = None) -> Runner | Refused:
    """The smallest image for a compiled program: without a distribution where it needs no C library, no shell and no
    package."""
    if not needs.is_static:
        return small_system(reading, wish)
    reasons = [*needs.shell, *(f"{package} is needed" for package in needs.packages if package not in _PRESENT)]
    reasons += [f"{where} calls {name}" for name, where in needs.programs.items()]
    if wish in {"scratch", "distroless"} and reasons:
        return Refused(f"{wish} has no shell and installs nothing, but {'; '.join(reasons)}", 'use runner = "slim"')
    if wish == "scratch":
        if "ca-certificates" in needs.packages:
            return Refused("the program looks for certificates, and scratch has none", 'use runner = "distroless"')
        return Runner("scratch", has_shell=False)
    if not reasons and wish in {None, "distroless"}:
        return Runner(STATIC, has_shell=False, evidence=("the program is linked statically and needs no C library",))
    image = reading.image
    is_alpine = image is not None and image.distro == "alpine"
    why = (f"the runner has a shell: {'; '.join(reasons)}",) if reasons else ()
    if is_alpine if wish is None else wish == "alpine":
        release = image.release if image is not None and is_alpine else None
        return Runner(f"alpine:{release or '3'}", evidence=why)
    release = image.release if image is not None and image.distro == "debian" else None
    return Runner(f"debian:{release or 'bookworm'}-slim", evidence=why)


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


__all__ = ["STATIC", "for_program", "small_system"]
