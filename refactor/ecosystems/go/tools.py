"""What the go command and the tools around it read and write."""

from __future__ import annotations

from collections.abc import Collection

from refactor.context import Unknown
from refactor.ecosystems.go.commands import GoCall, installed
from refactor.ecosystems.go.installing import manifests, module_of
from refactor.ecosystems.go.packages import made_by
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused


def effect(call: Invocation, tools: Collection[str]) -> Effect | None:
    """See :meth:`Ecosystem.effect`; ``tools`` are programs that work on Go sources."""
    go = GoCall.of(call)
    if go is None:
        return Effect() if call.name == "go" else _of_tool(call, tools)
    modules = (f"{go.gopath}/pkg/mod",)
    if go.verb in {"build", "install"}:
        if go.is_remote:
            return Effect(writes=(go.programs_folder,) if go.verb == "install" else (), needs=("network",))
        made = made_by(go)
        if isinstance(made, Refused):
            return Effect(call.paths("."), (Unknown(made.because),), needs=("network",))
        return Effect(call.paths("."), tuple(binary.path for binary in made), needs=("network",))
    if go.verb in {"mod download", "get", "mod vendor"}:
        module = module_of(go) if go.folder is not None else None
        read = () if module is None else manifests(go, module)
        reads = () if isinstance(read, Refused) else call.places(read)
        return Effect(reads or call.paths("."), modules, needs=("network",))
    is_writing = go.verb in {"generate", "mod tidy", "fmt", "run"}
    return Effect(call.paths("."), call.paths(".") if is_writing else ())


def _of_tool(call: Invocation, tools: Collection[str]) -> Effect | None:
    """A tool that works on Go sources; a script of the network that installs one (``curl ... | sh``)."""
    if call.name in {"sh", "bash"}:
        is_piped = call.command.in_pipeline and not any(word.endswith(".sh") for word in call.command.args)
        is_of_go = call.reading.image is not None and call.reading.image.family == "golang"
        return Effect(writes=("/go/bin", "/usr/local/bin"), needs=("network",)) if is_piped and is_of_go else None
    is_known = call.name in tools or call.name in installed(call.reading)
    return Effect(call.paths("."), call.paths(".")) if is_known and call.command.words else None


__all__ = ["effect"]
