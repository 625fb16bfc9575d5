"""Languages and their tooling: what installs, builds and runs, and what each needs at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems import registry
from refactor.ecosystems.ecosystem import Ecosystem
from refactor.ecosystems.foreign import Foreign, foreign
from refactor.flow.reading import Copied, Refused, StageReading, Start, Step, join
from refactor.images import why_windows

if TYPE_CHECKING:
    from refactor.context import BuildContext
    from refactor.ecosystems.versions import Named
    from refactor.flow.graph import Flow
    from refactor.syntax import Dockerfile


def ecosystems() -> tuple[Ecosystem, ...]:
    """Every known language, imported at the first call."""
    if not registry.known:
        from refactor.ecosystems.cpp import Cpp
        from refactor.ecosystems.deno import Deno
        from refactor.ecosystems.dotnet import DotNet
        from refactor.ecosystems.elixir import Elixir
        from refactor.ecosystems.go import Go
        from refactor.ecosystems.java import Java
        from refactor.ecosystems.node import Node
        from refactor.ecosystems.php import PHP
        from refactor.ecosystems.python import Python
        from refactor.ecosystems.ruby import Ruby
        from refactor.ecosystems.rust import Rust
        from refactor.ecosystems.sites import Sites

        first = (Node(), Python(), Go(), Rust(), Java(), Ruby(), PHP(), DotNet(), Elixir(), Deno())
        registry.known = (*first, Cpp(), Sites())
    return registry.known


def recognise(reading: StageReading) -> tuple[Ecosystem, ...]:
    """The languages at work in a stage; more than one where, say, a Python image builds a front end.

    None for a Windows stage: the same programs are called by other commands there, at other places.
    """
    return reading.remember("languages", lambda: _recognised(reading))


def _recognised(reading: StageReading) -> tuple[Ecosystem, ...]:
    if why_windows(reading.file, reading.stage) is not None:
        return ()
    return tuple([ecosystem for ecosystem in ecosystems() if ecosystem.recognises(reading)])


def flow_of(file: Dockerfile, context: BuildContext) -> Flow:
    """The graph of a file over its context, with the tools of all languages."""
    ecosystems()
    return registry.flow_of(file, context)


def program_of(reading: StageReading) -> tuple[str, ...] | Refused:
    """Context paths of the sources of what a container of the stage starts, or why they were not all seen.

    Whoever says that no source does something has to have read these: an empty set proves nothing.
    """
    from refactor.flow.closure import why_not_seen

    reason = why_not_seen(reading)
    if reason is not None:
        return reason
    files: dict[str, None] = {}
    for language in recognise(reading):
        found = language.program(reading)
        if isinstance(found, Refused):
            return found
        files.update(dict.fromkeys(found))
    start = reading.start
    if not files and start is not None:
        return Refused(
            f"what is started ({start.text}) is no program whose sources are known to be in the build context",
            "name the folder that is built from with --context",
        )
    return tuple(files)


def version_named(reading: StageReading) -> Named | Refused | None:
    """The version of the base image's language that the project of a stage names, or why that is not known; None for
    an image whose tags are no versions of a language."""
    family = "" if reading.image is None else reading.image.family
    naming = next((found for language in ecosystems() if (found := language.naming(family)) is not None), None)
    if naming is None:
        return None
    from refactor.ecosystems.versions import decide

    return decide(naming, reading)


__all__ = [
    "Copied",
    "Ecosystem",
    "Foreign",
    "Refused",
    "StageReading",
    "Start",
    "Step",
    "ecosystems",
    "flow_of",
    "foreign",
    "join",
    "program_of",
    "recognise",
    "version_named",
]
