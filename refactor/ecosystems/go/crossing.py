"""Go programs that the builder's own platform can compile for another: pure Go, named outputs, nothing of them run."""

from __future__ import annotations

from refactor.ecosystems.answers import Crossing
from refactor.ecosystems.go.cgo import linking, why_no_cgo
from refactor.ecosystems.go.commands import Binary, GoCall, go_calls, programs_made
from refactor.ecosystems.go.packages import made_by, program_sources
from refactor.flow.reading import Refused, StageReading


def crossing(reading: StageReading) -> Crossing | Refused | None:
    """See :meth:`Ecosystem.crossing`."""
    builds = [go for go in go_calls(reading) if go.builds]
    if not builds:
        return None
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    evidence: list[str] = []
    for go in builds:
        refused = _why_not(go)
        made = refused or made_by(go)
        if isinstance(made, Refused):
            return made
        for binary in made:
            why = _why_cgo(go, binary, evidence)
            if why is not None:
                return why
    return Crossing(
        tuple((go.call.step, go.call.command, _assignments(go.variable("GOOS"), go.variable("GOARCH")))
              for go in builds),
        tuple(programs_made(reading)),
        tuple(dict.fromkeys(evidence)),
    )  # fmt: skip


def _why_not(go: GoCall) -> Refused | None:
    """Why one command cannot compile for another platform as it stands."""
    system, machine = go.variable("GOOS"), go.variable("GOARCH")
    is_given = machine in {"$TARGETARCH", "${TARGETARCH}"}
    if (machine is not None and not is_given) or system not in {None, "linux", "$TARGETOS", "${TARGETOS}"}:
        shown = f"GOOS={system}" if machine is None or is_given else f"GOARCH={machine}"
        return Refused(f"line {go.line} builds for a platform of its own ({shown})", f"leave {shown} out")
    if go.verb == "install":
        return Refused(
            f"line {go.line} calls go install, which puts programs for another platform into another folder",
            "call go build -o PATH",
        )
    if go.variable("CGO_ENABLED") != "0":
        return Refused(
            f"line {go.line} does not say CGO_ENABLED=0: where cgo may be used, the C compiler is the builder's own",
            "write CGO_ENABLED=0 in front of go build, where the program needs no cgo",
        )
    command, node = go.call.command, go.call.step.node
    if command.wrappers or node.json is not None or node.heredocs:
        return Refused(f"line {go.line} calls go build through {' '.join(command.wrappers) or 'another form'}", "")
    return None


def _assignments(system: str | None, machine: str | None) -> str:
    """What the author's own do not say; what is written after a variable needs its ARG as well."""
    return ("" if system else "GOOS=$TARGETOS ") + ("" if machine else "GOARCH=$TARGETARCH ")


def _why_cgo(go: GoCall, binary: Binary, evidence: list[str]) -> Refused | None:
    """Why the program would miss cgo; adds what shows that it does not."""
    sources = program_sources(go, binary)
    linked = sources if isinstance(sources, Refused) else linking(go, sources)
    if isinstance(linked, Refused) or isinstance(sources, Refused):
        return linked if isinstance(linked, Refused) else None
    if linked.why_cgo is not None:
        return Refused(linked.why_cgo, "a program with cgo is compiled on its own platform")
    evidence.append(why_no_cgo(go, sources))
    return None


__all__ = ["crossing"]
