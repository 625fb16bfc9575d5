"""Libraries of the system that packages of a language are linked with, as packages of the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refactor.ecosystems.system import named
from refactor.flow.reading import Refused, StageReading


def linked(reading: StageReading, wanted: Mapping[str, str], why: str) -> dict[str, str] | Refused:
    """The run-time packages on the distribution of a stage -> why (``the gem {} uses it``). ``wanted`` has Debian's
    package with the headers for each that is linked."""
    from refactor.images.system_packages import classify

    image, found = reading.image, dict[str, str]()
    for name, dev in wanted.items():
        runtime = None if image is None else classify(dev, image.distro or "", image.release).runtime
        if runtime is None:
            return Refused(
                f"{name} is linked with the library of {dev}, whose run-time package is not known for"
                f" {reading.image_reference or reading.stage.image}",
                "install the run-time package by name",
            )
        found.update(dict.fromkeys(runtime, why.format(name)))
    return found


def why_not_linked(names: Sequence[str], kind: str) -> Refused:
    """Of packages that may be compiled it is not known what they link, and the image has libraries that nobody asked
    for by name."""
    return Refused(
        f"whether {named(names)} {'links' if len(names) == 1 else 'link'} libraries of the full image is not known",
        f"start from the slim image, and install the -dev packages that the {kind} need by name",
    )


__all__ = ["linked", "why_not_linked"]
