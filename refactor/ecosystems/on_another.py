"""A final stage that is on an image for building and builds nothing, put on the one that carries its programs."""

from __future__ import annotations

from refactor.ecosystems.answers import Base
from refactor.ecosystems.bare import spelled_out
from refactor.ecosystems.program import Sliced
from refactor.ecosystems.slicing import Slicer
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup
from refactor.shell.posix import Does, tools

_SET_UP = tools(Does.USERS, Does.MAKES, Does.CHANGES)
"""What any image of the same distribution has."""


def base(language: Sliced, reading: StageReading) -> Base | Refused | None:
    """See :meth:`Ecosystem.base`."""
    slicer = Slicer(language, reading, None, ())
    chosen = slicer.chosen([f"line {reading.file.line_of(step.node)} needs a shell" for step in reading.runs])
    if isinstance(chosen, Refused):
        return chosen
    wanted, runner = chosen
    image, other = reading.image, lookup(runner.image)
    # The JRE of a JDK: what the stage does on the one is done alike on the other.
    is_same = image is not None and other is not None and image.family == other.family
    is_variant = image is not None and is_same and image.variant.startswith("jdk")
    for step in () if is_variant else reading.runs:
        if not step.commands or any(command.name not in _SET_UP for command in step.commands):
            because = f"line {reading.file.line_of(step.node)} may need the larger image"
            return Refused(because, "build in an earlier stage, and copy what it makes")
    if runner.image == reading.stage.image:
        return None
    if runner.builder is not None:
        because = f"{reading.stage.image} moves to newer releases, and the program is linked with the C library of one"
        return Refused(because, f"name the release in the tag, as in {runner.builder}")
    packages = slicer.packages(wanted, runner)
    if isinstance(packages, Refused):
        return packages
    more = [*packages.before, *([packages.install] if packages.install else [])]
    if is_variant:
        more, packages = [], packages._replace(evidence=())
    sets_workdir = image is not None and image.workdir != "/" and reading.last("WORKDIR") is None
    if sets_workdir:
        more.append(f"WORKDIR {reading.final_workdir}")
    evidence = dict.fromkeys((*slicer.evidence, *packages.evidence, *runner.evidence))
    return Base(runner.image, tuple(more), spelled_out(reading, runner), tuple(evidence), sets_workdir)


__all__ = ["base"]
