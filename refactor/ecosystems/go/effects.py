"""What the go command reads and writes, for the graph of the file."""

from __future__ import annotations

from collections.abc import Mapping

from refactor.context import Unknown
from refactor.ecosystems.answers import installs_by_command
from refactor.ecosystems.go.installing import installs
from refactor.ecosystems.go.program import GoStage
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, StageReading


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Ecosystem.effect`."""
    package = call.package
    if package is None:
        return None
    modules = (f"{_stage(call.reading).gopath}/pkg/mod",)
    if package.verb in {"build", "install"}:
        made = _binaries(call.reading)
        own = () if isinstance(made, Refused) else made.get(id(call.command), ())
        if isinstance(made, Refused) or (not own and package.verb == "build"):
            because = made.because if isinstance(made, Refused) else "which program it makes is not known"
            return Effect(call.paths("."), (Unknown(because),), needs=("network",))
        return Effect(call.paths("."), own or (f"{_stage(call.reading).gopath}/bin",), needs=("network",))
    if package.verb in {"mod download", "get", "mod vendor"}:
        install = installs_by_command(call.reading, installs).get(id(call.command))
        if install is not None:
            reads = [call.reading.in_image(path, call.step.node)[-1:] for path in install.manifests]
            return Effect(tuple(path for one in reads for path in one), modules, needs=("network",))
        return Effect(call.paths("."), modules, needs=("network",))
    if package.verb == "run":
        return None
    return Effect(call.paths("."), call.paths(".") if package.verb in {"generate", "mod tidy", "fmt"} else ())


def _stage(reading: StageReading) -> GoStage:
    return reading.remember("go stage", lambda: GoStage(reading))


def _binaries(reading: StageReading) -> Mapping[int, tuple[str, ...]] | Refused:
    """The paths of the programs that a stage makes, by the command that makes them."""
    return reading.remember("go binaries", lambda: _binaries_of(_stage(reading)))


def _binaries_of(stage: GoStage) -> Mapping[int, tuple[str, ...]] | Refused:
    made = stage.binaries()
    if isinstance(made, Refused):
        return made
    found: dict[int, tuple[str, ...]] = {}
    for one in made:
        found[id(one.go.command)] = (*found.get(id(one.go.command), ()), one.path)
    return found


__all__ = ["effect"]
