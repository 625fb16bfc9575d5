"""What a Go program needs when it runs, how it is linked, and what its build gets for that."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from refactor.ecosystems.go.cgo import linking, why_no_cgo
from refactor.ecosystems.go.commands import Binary, GoCall, Module
from refactor.ecosystems.go.packages import made_by, program_sources
from refactor.ecosystems.go.source import GoSource
from refactor.ecosystems.go.uses import Uses, uses
from refactor.ecosystems.go.values import Evaluator, Program as Texts
from refactor.ecosystems.program import Needs, Program
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction

_ONLINE = frozenset({"net/http", "crypto/tls", "net/smtp"})
_RUN_TIME_OF_CPP = {"alpine": ("libstdc++", "libgcc")}
_ELSEWHERE = frozenset(
    {"open", "xdg-open", "rundll32", "explorer", "cmd", "cmd.exe", "powershell", "launchctl", "osascript"}
)
"""Programs of other systems, called in code that picks one by the system it is on."""


def built(program: Program) -> tuple[GoCall, Binary] | Refused:
    """The command that builds a started program, and which of its programs that is."""
    go = GoCall.of(program.call)
    made = made_by(go) if go is not None and go.builds else None
    if go is None or made is None:
        return Refused(
            f"what is started ({program.path}) is not built by a go build or go install of this stage",
            "build it with go build -o, and start that path",
        )
    if isinstance(made, Refused):
        return made
    found = next((binary for binary in made if binary.path == program.made), None)
    return (go, found) if found else Refused(f"which program of line {go.line} {program.path} is, is not known")


def sources_by_path(program: Program) -> Mapping[str, GoSource] | Refused:
    """The program's own sources by context path."""
    found = built(program)
    return found if isinstance(found, Refused) else program_sources(*found)


def sources_of(program: Program) -> tuple[str, ...] | Refused:
    """See :meth:`Language.sources_of`."""
    sources = sources_by_path(program)
    return sources if isinstance(sources, Refused) else tuple(sources)


def needs(program: Program) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    found = built(program)
    if isinstance(found, Refused):
        return found
    go, sources = found[0], program_sources(*found)
    if isinstance(sources, Refused):
        return sources
    linked = linking(go, sources)
    if isinstance(linked, Refused):
        return linked
    module, made = go.module(), made_by(go)
    manifest = module.manifest if isinstance(module, Module) else None
    requires = () if manifest is None else manifest.requires
    used = uses(program, Evaluator(texts_of(program.reading, sources)), requires)
    if used.why_open_program is not None:
        return Refused(
            f"{used.why_open_program} starts a program whose name is only known when it runs",
            "name the program in the source, or split by hand",
        )
    setting = go.variable("CGO_ENABLED")
    linker = f"{go.flag('-ldflags') or ''} {go.variable('GOFLAGS') or ''}"
    image = go.reading.image
    is_musl = image is not None and image.libc == "musl"
    fully = "-static" in linker and (is_musl or {"netgo", "osusergo"} <= go.tags)
    adds_cgo = setting is None and linked.why_cgo is None and "external" not in linker and "-static" not in linker
    is_static = adds_cgo or setting == "0" or fully
    packages: dict[str, str] = {}
    imports = {path for source in sources.values() for _, path in source.imports}
    if imports & _ONLINE or any("." in path.partition("/")[0] for path in imports):
        packages["ca-certificates"] = "programs that speak TLS look for certificates"
    if used.zones is not None:
        packages["tzdata"] = f"{used.zones} asks for a time zone"
    is_cpp = linked.is_cpp and not is_static
    if is_cpp and image is not None:
        why = "the program may be linked with the C++ library"
        packages.update(dict.fromkeys(_RUN_TIME_OF_CPP.get(image.distro or "", ()), why))
    linked_by = "" if is_static else linked.why_cgo or "CGO_ENABLED is set"
    evidence = [f"{linked_by}: the program is linked with the C library of the builder's release"] if linked_by else []
    evidence += [why_no_cgo(go, sources)] if adds_cgo else []
    own = {} if isinstance(made, Refused) else {one.path: posixpath.basename(one.path) for one in made}
    others = ", ".join(sorted({name for path, name in own.items() if path != program.made}))
    evidence += [f"{others} is built as well, and not started: it stays in the builder"] if others else []
    started = {posixpath.basename(name): where for name, where in used.programs.items()}
    return Needs(
        used.files,
        {name: where for name, where in started.items() if name not in _ELSEWHERE | {*own.values()}},
        packages,
        is_static,
        evidence=tuple(evidence),
        linked_by=linked_by,
        is_cpp=is_cpp,
        edits=tuple(_edits(go, adds_cgo, used)),
        before=((go.call.step.node, "ENV CGO_ENABLED=0"),) if adds_cgo and _is_fixed(go) else (),
        names_downloads=True,
        variables=frozenset(one.text for source in sources.values() for one in source.strings),
    )


def _edits(go: GoCall, adds_cgo: bool, used: Uses) -> Iterator[tuple[Instruction, int, str]]:
    """What an expert adds to the build command: no cgo where none is needed; smaller programs."""
    node, command = go.call.step.node, go.call.command
    if _is_fixed(go):
        return
    if adds_cgo:
        yield node, command.words[0].span[0] if command.wrappers else command.span[0], "CGO_ENABLED=0 "
    flags = _flags(go, used)
    if flags:
        yield node, command.words[1].span[1], flags


def _is_fixed(go: GoCall) -> bool:
    """The command is none that can be edited: in exec form, in a heredoc or in a script."""
    script = go.call.step.script
    return go.call.step.node.json is not None or script is None or go.call.command not in script.commands


def _flags(go: GoCall, used: Uses) -> str:
    """`-trimpath -ldflags="-s -w"`, where the author has no linker flags of their own."""
    own = go.variable("GOFLAGS") or ""
    image = go.reading.image
    if go.has("-ldflags", "-gcflags") or "-ldflags" in own or image is None or image.family != "golang":
        return ""
    is_trimmed = go.has("-trimpath") or "-trimpath" in own or used.by_source is not None
    is_old = bool(go.version) and go.version < (1, 13)
    return ("" if is_trimmed or is_old else " -trimpath") + ' -ldflags="-s -w"'


def texts_of(reading: StageReading, sources: Mapping[str, GoSource]) -> Texts:
    """The sources with the environment and the arguments that the container starts with."""
    environment: dict[str, str | None] = {}
    for step in reading.steps:
        if step.keyword == "ENV":
            for name, value in step.node.pairs:
                environment[name] = reading.expand(value, step.node)
    start = reading.start
    arguments = start.argv[1:] if start is not None else ()
    if start is not None and start.script is not None and not arguments:
        arguments = tuple(word.literal for command in start.script.commands for word in command.words)
    return Texts(sources, environment, tuple(arguments))


__all__ = ["built", "needs", "sources_by_path", "sources_of", "texts_of"]
