"""The go command as a Dockerfile calls it: its settings, the module that it works in, the programs that it makes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.go.manifests import GoMod, read_go_mod, read_go_work
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Invocation
from refactor.flow.reading import Refused, StageReading, is_within, join, upwards
from refactor.shell import PackageCall

if TYPE_CHECKING:
    from refactor.context import BuildContext

_REMOTE = re.compile(r"[\w.-]+\.[a-z]{2,}/[^@\s]+(?:@\S+)?\Z")


class Module(NamedTuple):
    """Where packages of one import path prefix are."""

    path: str
    """Import path of the root; "" below GOPATH/src."""
    folder: str
    """Folder in the context, "" for its root."""
    manifest: GoMod | None


class Binary(NamedTuple):
    """A program that a command makes."""

    path: str
    """Absolute path in the image."""
    package: str
    """Context folder of its main package."""
    files: tuple[str, ...]
    """Context paths of its files where the command names them, else ()."""


class GoCall(ToolCall):
    """A call of the go command where it stands."""

    manager = "go"

    def __init__(self, call: Invocation, package: PackageCall) -> None:
        super().__init__(call, package)
        self.verb = package.verb
        """``build``, ``install``, ``run``, ``get``, ``mod download``, ..."""
        self.reading: StageReading = call.reading
        self.context: BuildContext = call.reading.context
        self.line = call.reading.file.line_of(call.step.node)
        where = call.path(self.flag("-C") or ".")
        self.folder = None if isinstance(where, Unknown) or "$" in where else where
        """Absolute image folder that it runs in, None where that is not known."""

    @property
    def operands(self) -> tuple[str, ...]:
        """Packages and files, with variables filled in where the Dockerfile knows them."""
        return tuple(self.call.expanded(word.literal) or word.literal for word in self.package.operands)

    def has(self, *names: str) -> bool:
        """Whether one of the flags is given, with one dash or two."""
        return self.package.has(*names, *(f"-{name}" for name in names))

    def flag(self, name: str) -> str | None:
        """The value of a flag, variables filled in as in ``operands``."""
        value = self.package.option(name, f"-{name}")
        return None if value is None else self.call.expanded(value) or value

    def variable(self, name: str) -> str | None:
        """The value of a variable that the command sees, None where nothing in the Dockerfile sets it."""
        given = next((word.literal for key, word in reversed(self.call.command.assignments) if key == name), None)
        return self.call.variable(name) if given is None else self.call.expanded(given) or given

    @property
    def version(self) -> tuple[int, ...]:
        """Of the toolchain as the image's tag has it, ``(1, 22)``; () where the tag has none: the newest."""
        image = self.reading.image
        if image is None or image.family != "golang":
            return ()
        return tuple(int(part) for part in re.findall(r"\d+", image.version)[:2])

    @property
    def gopath(self) -> str:
        return (self.variable("GOPATH") or "/root/go").partition(":")[0].rstrip("/")

    @property
    def programs_folder(self) -> str:
        """Where ``go install`` puts programs."""
        return self.variable("GOBIN") or f"{self.gopath}/bin"

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(re.split(r"[,\s]+", self.flag("-tags") or ""))

    @property
    def builds(self) -> bool:
        """``go build`` or ``go install`` of the project's own packages."""
        return self.verb in {"build", "install"} and not self.is_remote

    @property
    def is_remote(self) -> bool:
        """Packages of others: ``go install golang.org/x/tools/cmd/goimports@latest``, ``go build std``."""
        own = self.module() if self.operands else None
        for operand in self.operands:
            if "@" in operand or operand in {"std", "cmd", "all"}:
                continue
            if not _REMOTE.match(operand) or operand.endswith(".go"):
                return False
            if isinstance(own, Module) and own.path and is_within(operand, own.path):
                return False
            if self.in_gopath(operand) is not None:
                return False
        return bool(self.operands)

    def in_gopath(self, path: str) -> str | None:
        """The context folder copied to GOPATH/src/<path>."""
        return self.source_folder(f"{self.gopath}/src/{path}")

    def source_folder(self, folder: str) -> str | None:
        """The context folder whose sources the command sees in an image folder."""
        node = self.call.step.node
        found = self.reading.in_context(folder, node)
        if found is not None and (found == "" or self.context.is_dir(found) is True):
            return found
        # `COPY main.go /app`: what the folder holds was copied one by one.
        single = (one for one in self.reading.copies_before(node) if one.source.endswith(".go"))
        return next((posixpath.dirname(one.source) for one in single if posixpath.dirname(one.target) == folder), None)

    # The module

    def module(self) -> Module | Refused:
        """The module that it works in, or the GOPATH tree."""
        if self.folder is None:
            return Refused(f"the folder that line {self.line} builds in is not known", "set it with WORKDIR")
        first = next((one for one in self.operands if one.startswith(".") and not one.endswith(".go")), None)
        if first is not None:
            # In a workspace the module is that of the package, below the folder that go.work is in.
            below = self._module_at(join(self.folder, first.removesuffix("...")))
            if isinstance(below, Module) and below.manifest is not None:
                return below
        return self._module_at(self.folder)

    def _module_at(self, folder: str) -> Module | Refused:
        place = folder
        while self.variable("GO111MODULE") != "off":
            manifest = self.reading.in_context(posixpath.join(place, "go.mod"), self.call.step.node)
            if manifest:
                read = read_go_mod(self.context, manifest)
                if isinstance(read, Unknown):
                    return Refused(read.reason)
                return Module(read.module, posixpath.dirname(manifest), read)
            made = _modules_made(self.reading).get(place)
            source = None if made is None else self.source_folder(place)
            if made is not None and source is not None:
                return Module(made, source, None)
            if place == "/":
                break
            place = posixpath.dirname(place)
        source = self.source_folder(folder)
        if source is None:
            return Refused(
                f"the sources that line {self.line} builds in {folder} are not in the build context",
                "copy them from the context, or name the context with --context",
            )
        inside = f"{self.gopath}/src/"
        return Module(folder[len(inside) :] if folder.startswith(inside) else "", source, None)

    def roots(self, module: Module) -> tuple[Module, ...]:
        """The module, those that local replaces and go.work add, and what is copied below GOPATH/src."""
        found = [module]
        if module.manifest is not None:
            for replace in module.manifest.replaces:
                if replace.is_local and replace.folder is not None:
                    found.append(Module(replace.module, replace.folder, None))
            found += workspace(self.context, module)
        inside = f"{self.gopath}/src"
        for copied in self.reading.copies:
            if copied.is_folder and (copied.target + "/").startswith(inside + "/"):
                found.append(Module(copied.target[len(inside) + 1 :], copied.source, None))
        return tuple(sorted(dict.fromkeys(found), key=lambda one: -len(one.path)))

    def is_folder(self, path: str) -> bool:
        """A folder there before the command: ``-o .``, ``-o /app`` below WORKDIR /app."""
        from refactor.flow.folders import is_folder_there

        step, path = self.call.step, path.rstrip("/") or "/"
        before = [command for command in step.commands if command.span[0] < self.call.command.span[0]]
        made = (join(step.folder_of(command) or "/", arg) for command in before if command.name == "mkdir"
                for arg in command.args)  # fmt: skip
        inside = self.reading.in_context(path, step.node)
        is_here = is_within(step.workdir, path) or any(is_within(one, path) for one in made)
        is_copied = inside is not None and self.context.is_dir(inside) is True
        return is_here or is_copied or is_folder_there(self.reading, path, step.node)


def go_calls(reading: StageReading) -> tuple[GoCall, ...]:
    """The calls of the go command in a stage, in order."""
    from refactor.ecosystems import registry

    if "go" not in reading.programs and not reading.has_heredocs:
        return ()
    acts = registry.flow_of(reading.file, reading.context).acts(reading)
    return tuple(filter(None, (GoCall.of(act.call) for act in acts)))


def programs_made(reading: StageReading) -> frozenset[str]:
    """Where the programs that the stage builds are, and where later commands carry them to."""
    from refactor.ecosystems import registry

    known: set[str] = set()
    for act in registry.flow_of(reading.file, reading.context).acts(reading):
        if act.effect.by == "Go":
            known.update(path for path in act.effect.writes if isinstance(path, str))
        known.update(target for source, target in act.effect.carries if source in known)
    return frozenset(known)


def workspace(context: BuildContext, module: Module) -> list[Module]:
    """The other modules of the go.work above a module."""
    return [one for one in members(context, work_above(context, module.folder)) if one.folder != module.folder]


def members(context: BuildContext, path: str | None) -> list[Module]:
    """The modules that a go.work names."""
    work = None if path is None else read_go_work(context, path)
    uses = () if work is None or isinstance(work, Unknown) else work.uses
    read = ((use, read_go_mod(context, posixpath.join(use, "go.mod"))) for use in uses)
    return [Module(manifest.module, use, manifest) for use, manifest in read if isinstance(manifest, GoMod)]


def work_above(context: BuildContext, folder: str) -> str | None:
    """The go.work of a folder or of one above it."""
    paths = (posixpath.join(above, "go.work") for above in upwards(folder))
    return next((path for path in paths if context.exists(path) is True), None)


def _plain_calls(reading: StageReading, *verbs: str) -> Iterator[tuple[str | None, PackageCall]]:
    """Calls of the go command before there is a graph, each with the folder that it runs in."""
    for step, call in reading.calls:
        if call.manager == "go" and call.verb in verbs:
            yield step.folder_of(call.command), call


def _modules_made(reading: StageReading) -> Mapping[str, str]:
    """What the first ``go mod init`` of each folder called the module."""

    def look() -> dict[str, str]:
        made = [(folder, call) for folder, call in _plain_calls(reading, "mod init") if folder and call.operands]
        return {folder: call.operands[0].literal for folder, call in reversed(made)}

    return reading.remember("go mod init", look)


def installed(reading: StageReading) -> frozenset[str]:
    """Names that may be those of tools that ``go install`` or ``go get`` fetches."""

    def look() -> frozenset[str]:
        words = [word.literal.partition("@")[0] for _, call in _plain_calls(reading, "install", "get")
                 for word in call.operands]  # fmt: skip
        return frozenset(part for word in words if _REMOTE.match(word) for part in word.split("/"))

    return reading.remember("go tools", look)


__all__ = [
    "Binary",
    "GoCall",
    "Module",
    "go_calls",
    "installed",
    "members",
    "programs_made",
    "work_above",
    "workspace",
]
