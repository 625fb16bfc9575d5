"""Go programs that the builder's own platform can compile for another: pure Go, named outputs, nothing of them run."""

from __future__ import annotations

from refactor.ecosystems.answers import Crossing
from refactor.ecosystems.go.cgo import linking, why_no_cgo
from refactor.ecosystems.go.program import Binary, GoStage
from refactor.flow.reading import Refused, StageReading


def crossing(reading: StageReading) -> Crossing | Refused | None:
    """See :meth:`Ecosystem.crossing`."""
    stage = GoStage(reading)
    if not stage.builds:
        return None
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    evidence: list[str] = []
    for go in stage.builds:
        line = stage.line(go.step)
        system, machine = stage.variable(go, "GOOS"), stage.variable(go, "GOARCH")
        is_given = machine in {"$TARGETARCH", "${TARGETARCH}"}
        if (machine is not None and not is_given) or system not in {None, "linux", "$TARGETOS", "${TARGETOS}"}:
            shown = f"GOOS={system}" if machine is None or is_given else f"GOARCH={machine}"
            return Refused(f"line {line} builds for a platform of its own ({shown})", f"leave {shown} out")
        if go.verb == "install":
            return Refused(
                f"line {line} calls go install, which puts programs for another platform into another folder",
                "call go build -o PATH",
            )
        if stage.variable(go, "CGO_ENABLED") != "0":
            return Refused(
                f"line {line} does not say CGO_ENABLED=0: where cgo may be used, the C compiler is the builder's own",
                "write CGO_ENABLED=0 in front of go build, where the program needs no cgo",
            )
        if go.command.wrappers or go.step.node.json is not None or go.step.node.heredocs:
            return Refused(f"line {line} calls go build through {' '.join(go.command.wrappers) or 'another form'}", "")
        made = stage.made_by(go)
        for binary in made if not isinstance(made, Refused) else ():
            why = _why_cgo(stage, binary, evidence)
            if why is not None:
                return why
        if isinstance(made, Refused):
            return made
    binaries = stage.binaries()
    if isinstance(binaries, Refused):
        return binaries
    paths = tuple(dict.fromkeys(binary.path for binary in binaries))
    return Crossing(
        tuple(
            (go.step, go.command, _assignments(stage.variable(go, "GOOS"), stage.variable(go, "GOARCH")))
            for go in stage.builds
        ),
        paths,
        tuple(dict.fromkeys(evidence)),
    )


def _assignments(system: str | None, machine: str | None) -> str:
    """What the author's own do not say; what is written after a variable needs its ARG as well."""
    return ("" if system else "GOOS=$TARGETOS ") + ("" if machine else "GOARCH=$TARGETARCH ")


def _why_cgo(stage: GoStage, binary: Binary, evidence: list[str]) -> Refused | None:
    """Why the program would miss cgo; adds what shows that it does not."""
    sources = stage.program(binary)
    if isinstance(sources, Refused):
        return sources
    linked = linking(stage, binary, sources)
    if isinstance(linked, Refused):
        return linked
    if linked.why_cgo is not None:
        return Refused(linked.why_cgo, "a program with cgo is compiled on its own platform")
    evidence.append(why_no_cgo(stage, binary, sources))
    return None


__all__ = ["crossing"]
