"""Which small image carries a program that was built in a stage: one of the same distribution and release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from refactor.ecosystems.kept import has_package
from refactor.ecosystems.program import Needs, Runner
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.system import PROVIDERS
from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup

_PRESENT = frozenset({"ca-certificates", "tzdata"})
"""What the static image of distroless has, and what other images without a shell get from the builder."""
STATIC = "gcr.io/distroless/static-debian12"
_DISTROLESS = {"bullseye": "11", "bookworm": "12", "trixie": "13"}


def for_program(reading: StageReading, needs: Needs, wish: str | None = None) -> Runner | Refused:
    """The smallest image for a compiled program: without a distribution where it needs no C library, no shell and no
    package."""
    reasons = _of_a_system(needs)
    is_alone = needs.is_static or (wish == "distroless" and needs.linked_by != "")
    if not is_alone:
        return small_system(reading, wish, needs)
    refused = why_not_bare(wish, needs) if wish in {"scratch", "distroless"} else None
    if refused is not None:
        return refused
    if not needs.is_static:
        return _with_c_library(reading, needs)
    if wish == "scratch":
        if "ca-certificates" in needs.packages and not has_package(reading, "ca-certificates"):
            return Refused("the program looks for certificates, and scratch has none", 'use runner = "distroless"')
        return Runner("scratch", has_shell=False, evidence=("the program is linked statically",))
    if not reasons and wish in {None, "distroless"}:
        return Runner(STATIC, has_shell=False, evidence=("the program is linked statically and needs no C library",))
    image = reading.image
    distro = None if image is None else image.distro
    why = (f"the runner has a shell: {'; '.join(reasons)}",) if reasons else ()
    named = [package for package in needs.packages if package not in _PRESENT]
    other = {"alpine": "slim", "slim": "alpine"}.get(wish or "")
    if named and (wish == "alpine") != (distro == "alpine") and other is not None:
        system = "Alpine" if wish == "alpine" else "Debian"
        return Refused(f"{', '.join(named)} would have to be installed on {system}, where names differ",
                       f'use runner = "{other}"')  # fmt: skip
    release = None if image is None else image.release
    if distro == "alpine" if wish is None else wish == "alpine":
        return Runner(f"alpine:{(release if distro == 'alpine' else None) or '3'}", evidence=why)
    if distro == "ubuntu":
        return Runner(_ubuntu(reading, release), evidence=why)
    return Runner(f"debian:{(release if distro == 'debian' else None) or 'bookworm'}-slim", evidence=why)


def _of_a_system(needs: Needs) -> list[str]:
    """Why a program needs a shell, or a package manager that brings what it needs."""
    reasons = [*needs.shell, *(f"{package} is needed" for package in needs.packages if package not in _PRESENT)]
    return [*reasons, *(f"{where} calls {name}" for name, where in needs.programs.items())]


def why_not_bare(image: str, needs: Needs) -> Refused | None:
    """Why an image without a distribution cannot carry a program; None where it can."""
    reasons = _of_a_system(needs)
    because = f"{image} has no shell and installs nothing, but {'; '.join(reasons)}"
    return Refused(because, 'use runner = "slim"') if reasons else None


def small_system(reading: StageReading, wish: str | None = None, needs: Needs | None = None) -> Runner | Refused:
    """The same distribution and release without anything else: for programs that need its C library. With what a
    program ``needs`` it may be known that no library besides that one counts."""
    image = reading.image
    if image is None:
        name = reading.image_reference or reading.stage.image
        return Refused(f"the base image {name} is not in the catalogue", "start from an official image")
    why = f": {needs.linked_by}" if needs is not None and needs.linked_by else ""
    if wish in {"scratch", "distroless"}:
        return Refused(f"the program is linked with the C library, which {wish} has not{why}", 'use runner = "slim"')
    if image.distro == "alpine":
        if wish == "slim":
            return Refused(f"the program is linked with musl, which Debian has not{why}", 'use runner = "alpine"')
        release = image.release
        libraries = None if needs is None else [name for name in needs.packages if name not in _PRESENT]
        if not release and libraries != []:
            linked = f"the program is linked with {', '.join(libraries)}, and " if libraries else ""
            return Refused(f"{linked}the Alpine release of {reading.stage.image} is not known",
                           "name it in the tag, as in -alpine3.21")  # fmt: skip
        return _pinned(reading, image, f"alpine:{release or '3'}")
    if wish == "alpine":
        return Refused(f"the program is linked with glibc, which Alpine has not{why}", 'use runner = "slim"')
    if image.distro == "ubuntu" and image.release:
        return Runner(_ubuntu(reading, image.release))
    if image.distro == "debian" and image.release:
        return _pinned(reading, image, f"debian:{image.release}-slim")
    return Refused(f"the release of {reading.stage.image} is not known", "name it in the tag, as in -bookworm")


def _ubuntu(reading: StageReading, release: str | None) -> str:
    image = reading.image
    return reading.stage.image if image is not None and image.family == "ubuntu" else f"ubuntu:{release or 'latest'}"


def _with_c_library(reading: StageReading, needs: Needs) -> Runner | Refused:
    """The image of distroless with the C library of the builder's release."""
    image = reading.image
    number = _DISTROLESS.get((image.release if image is not None else None) or "")
    if image is None or number is None or image.libc != "glibc":
        shown = "" if image is None else f"{image.distro} {image.release or '(release not known)'}"
        return Refused(f"there is no distroless image of {shown}", 'use runner = "slim"')
    found = _pinned(reading, image, f"gcr.io/distroless/{'cc' if needs.is_cpp else 'base'}-debian{number}")
    return found if isinstance(found, Refused) else found._replace(has_shell=False)


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


def interpreted(reading: StageReading, wish: str | None, language: str) -> Runner | Refused:
    """The slim image of the same version of an interpreter; the same image where it is small already."""
    image, name = reading.image, reading.stage.image
    if wish in {"scratch", "distroless"}:
        return Refused(f"the program runs on the {language} of {name}, which {wish} has not", 'use runner = "slim"')
    if wish == "alpine" and (image is None or image.distro != "alpine"):
        because = f"what is installed on {name} is linked with glibc, which Alpine has not"
        return Refused(because, 'build on the alpine variant as well, or use runner = "slim"')
    if image is None or image.variant != "fat":
        return Runner(name)
    found = variant_reference(reading, "slim")
    return found if isinstance(found, Refused) else Runner(found)


def lacking(image: BaseImage, programs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Of programs that are called (-> where) those that an image has and its slim variant has not: name, package,
    where."""
    reference = image.with_variant("slim")
    target = lookup(reference) if reference else None
    has = target.preinstalled if target is not None else frozenset[str]()
    for program, where in programs.items():
        package = PROVIDERS.get(program)
        if package and package in image.preinstalled and package not in has and program not in has:
            yield program, package, where


__all__ = ["STATIC", "for_program", "interpreted", "lacking", "small_system", "why_not_bare"]
