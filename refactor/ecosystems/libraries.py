"""Libraries of the system that packages of a language are linked with, as packages of the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refactor.ecosystems.system import named
from refactor.flow.reading import Refused, StageReading


def linked(
    reading: StageReading, wanted: Mapping[str, str], why: str, alpine: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, str] | Refused:
    """The run-time packages on the distribution of a stage -> why (``the gem {} uses it``). ``wanted`` has Debian's
    package with the headers for each that is linked; ``alpine`` what belongs to such a package there. Without that
    nothing is looked up: which headers a build on Alpine has is in its `apk add`, and with them the libraries."""
    from refactor.images.system_packages import classify

    image, found = reading.image, dict[str, str]()
    distro = None if image is None else image.distro
    for name, dev in wanted.items() if distro != "alpine" or alpine is not None else ():
        runtime = (alpine or {}).get(dev)
        if image is not None and distro in {"debian", "ubuntu"}:
            runtime = classify(dev, distro, image.release).runtime
        if runtime is None:
            return Refused(
                f"{name} is linked with the library of {dev}, whose run-time package is not known for"
                f" {reading.image_reference or reading.stage.image}",
                "install the run-time package by name",
            )
        found.update(dict.fromkeys(runtime, why.format(name)))
    return found


def of_image(reading: StageReading, why: str) -> dict[str, str] | Refused:
    """The run-time packages of all libraries of which the base image has headers -> ``why`` which of them a program is
    linked with is not seen: with others it can only be linked if packages of its stage bring them."""
    from refactor.images.contents import runtime_libraries

    image = reading.image
    headers = () if image is None else frozenset(name for name in image.preinstalled if name.endswith("-dev"))
    if image is None or not headers:
        return {}
    if image.release is None:
        name = reading.image_reference or reading.stage.image
        return Refused(
            f"{why}, and of which release {name} has it is not known", "link it statically, or split by hand"
        )
    return dict.fromkeys(sorted(runtime_libraries(headers, image.distro or "", image.release)), why)


def why_not_linked(names: Sequence[str], kind: str) -> Refused:
    """Of packages that may be compiled it is not known what they link, and the image has libraries that nobody asked
    for by name."""
    return Refused(
        f"whether {named(names)} {'links' if len(names) == 1 else 'link'} libraries of the full image is not known",
        f"start from the slim image, and install the -dev packages that the {kind} need by name",
    )


__all__ = ["linked", "of_image", "why_not_linked"]
