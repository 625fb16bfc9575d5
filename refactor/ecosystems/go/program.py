"""A stage as a Go project's: its modules, the programs that its commands build, and their sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.go_manifests import GoMod, read_go_mod, read_go_work
from refactor.ecosystems.go.source import GoSource, is_built, may_be_built, read_source
from refactor.flow.reading import Copied, Refused, StageReading, Step, join
from refactor.once import cached_property
from refactor.shell import Command

MAX_SOURCES = 3_000
_VALUED = frozenset(
    """-o -p -asmflags -buildmode -compiler -gccgoflags -gcflags -installsuffix -ldflags -mod -modfile
    -overlay -pgo -pkgdir -tags -toolexec -C -exec -covermode -coverpkg -buildvcs""".split()
)
_SWITCHES = frozenset({"-buildvcs", "-cover"})
_REMOTE = re.compile(r"[\w.-]+\.[a-z]{2,}/[^@\s]+(?:@\S+)?\Z")


class GoCommand(NamedTuple):
    """A call of the go command, its flags told apart as ``go help build`` has them."""

    step: Step
    command: Command
    verb: str
    """``build``, ``install``, ``run``, ``get``, ``mod download``, ..."""
    flags: Mapping[str, str]
    """Name with one dash -> value, "" for a switch; variables filled in where the Dockerfile knows them."""
    operands: tuple[str, ...]
    folder: str | None
    """Absolute image folder that it runs in (``-C`` applied), None where unknown."""


class Module(NamedTuple):
    """Where packages of one import path prefix are."""

    path: str
    """Import path of the root; "" below GOPATH/src."""
    folder: str
    """Folder in the context, "" for its root."""
    manifest: GoMod | None


class Binary(NamedTuple):
    """A program that a command of the stage makes."""

    path: str
    """Absolute path in the image."""
    package: str
    """Context folder of its main package."""
    files: tuple[str, ...]
    """Context paths of its files where the command names them, else ()."""
    go: GoCommand


class GoStage:
    """A stage read as a Go project's."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading
        self.context = reading.context

    def line(self, step: Step) -> int:
        return self.reading.file.line_of(step.node)

    # Settings of the go command

    @cached_property
    def version(self) -> tuple[int, ...]:
        """Of the toolchain as the image's tag has it, ``(1, 22)``; () where the tag has none: the newest."""
        image = self.reading.image
        if image is None or image.family != "golang":
            return ()
        return tuple(int(part) for part in re.findall(r"\d+", image.version)[:2])

    @cached_property
    def gopath(self) -> str:
        for step in reversed(self.reading.steps):
            if step.keyword == "ENV":
                for name, value in step.node.pairs:
                    if name == "GOPATH":
                        found = self.expanded(step, value)
                        if found is not None and found.startswith("/"):
                            return found.rstrip("/")
        image = self.reading.image
        return (image.env.get("GOPATH") if image is not None else None) or "/root/go"

    def variable(self, go: GoCommand, name: str) -> str | None:
        """The value of a variable that the command sees, None where nothing in the Dockerfile sets it."""
        for key, word in reversed(go.command.assignments):
            if key == name:
                return self.expanded(go.step, word.literal) or word.literal
        for command in reversed(go.step.commands):
            if command.span[0] >= go.command.span[0] or command.in_subshell:
                continue
            words = command.args if command.name == "export" else ()
            pairs = [word.partition("=") for word in words if "=" in word]
            if not command.words:
                pairs += [(key, "=", word.literal) for key, word in command.assignments]
            for key, _, value in pairs:
                if key == name:
                    return value
        found = self.reading.file.environment(go.step.node).get(name)
        if found is not None:
            return found
        return self._written_settings.get(name)

    @cached_property
    def _written_settings(self) -> Mapping[str, str]:
        """Variables that the first ``go env -w`` of their name sets."""
        found: dict[str, str] = {}
        for step in self.reading.runs:
            for command in step.commands:
                if command.name == "go" and command.args[:2] == ("env", "-w"):
                    for setting in command.args[2:]:
                        name, sign, value = setting.partition("=")
                        if sign:
                            found.setdefault(name, value)
        return found

    def expanded(self, step: Step, text: str) -> str | None:
        """A word with the Dockerfile's variables filled in, None where one is not known."""
        if "$" not in text and "`" not in text:
            return text.strip("\"'") if text[:1] in "\"'" else text
        if "`" in text or "$(" in text:
            return None
        return self.reading.expand(text, step.node)

    # Commands

    @cached_property
    def commands(self) -> tuple[GoCommand, ...]:
        return tuple(
            go
            for step in self.reading.runs
            for command in step.commands
            if (go := self._read(step, command)) is not None
        )

    def _read(self, step: Step, command: Command) -> GoCommand | None:
        if command.name is None or command.name.rpartition("/")[2] != "go" or len(command.words) < 2:
            return None
        return self.read_words(step, command, tuple(word.literal for word in command.words[1:]))

    def read_words(self, step: Step, command: Command, words: Sequence[str]) -> GoCommand:
        """A call of the go command from its words behind ``go``."""
        words = list(words)
        verb = words.pop(0)
        if verb in {"mod", "work", "tool"} and words and not words[0].startswith("-"):
            verb += f" {words.pop(0)}"
        flags: dict[str, str] = {}
        operands: list[str] = []
        while words:
            word = words.pop(0)
            if not word.startswith("-") or word == "-" or (operands and verb == "run"):
                operands.append(word)
                continue
            name, sign, value = word.partition("=")
            name = "-" + name.lstrip("-")
            if not sign and name in _VALUED - _SWITCHES and words:
                value = words.pop(0)
            flags[name] = value
        folder = step.folder_of(command) if command.span[1] else step.workdir
        flags = {name: self.expanded(step, value) or value for name, value in flags.items()}
        if "-C" in flags and folder is not None:
            folder = None if "$" in flags["-C"] else join(folder, flags["-C"])
        if folder is not None and "$" in folder:
            folder = None
        seen = tuple(self.expanded(step, word) or word for word in operands)
        return GoCommand(step, command, verb, flags, seen, folder)

    @cached_property
    def builds(self) -> tuple[GoCommand, ...]:
        """``go build`` and ``go install`` of the project's own packages."""
        return tuple(go for go in self.commands if go.verb in {"build", "install"} and not self.is_remote(go))

    def is_remote(self, go: GoCommand) -> bool:
        """Packages of others: ``go install golang.org/x/tools/cmd/goimports@latest``, ``go build std``."""
        if not go.operands:
            return False
        own = self.module_of(go)
        for operand in go.operands:
            if "@" in operand or operand in {"std", "cmd", "all"}:
                continue
            if not _REMOTE.match(operand) or operand.endswith(".go"):
                return False
            if isinstance(own, Module) and own.path and (operand == own.path or operand.startswith(own.path + "/")):
                return False
            if self._in_gopath(operand, go) is not None:
                return False
        return True

    def _in_gopath(self, path: str, go: GoCommand) -> str | None:
        """The context folder copied to GOPATH/src/<path>."""
        return self.source_folder(f"{self.gopath}/src/{path}", go)

    def source_folder(self, folder: str, go: GoCommand) -> str | None:
        """The context folder whose sources a command sees in an image folder."""
        found = self.reading.in_context(folder, go.step.node)
        if found is not None and (found == "" or self.context.is_dir(found) is True):
            return found
        first = self._first_source_copied_to.get(folder)
        if first is None or self.reading.position(first.node) >= self.reading.position(go.step.node):
            return None
        return posixpath.dirname(first.source)

    @cached_property
    def _first_source_copied_to(self) -> Mapping[str, Copied]:
        """The first copy of a single source by the image folder that it is copied to."""
        found: dict[str, Copied] = {}
        for copied in self.reading.copies:
            if copied.source.endswith(".go"):
                found.setdefault(posixpath.dirname(copied.target), copied)
        return found

    # Modules

    def module_of(self, go: GoCommand) -> Module | Refused:
        """The module that a command works in, or the GOPATH tree."""
        if go.folder is None:
            return Refused(f"the folder that line {self.line(go.step)} builds in is not known", "set it with WORKDIR")
        first = next((one for one in go.operands if one.startswith(".") and not one.endswith(".go")), None)
        if first is not None:
            # In a workspace the module is that of the package, below the folder that go.work is in.
            below = self.module_at(join(go.folder, first.removesuffix("...")), go)
            if isinstance(below, Module) and below.manifest is not None:
                return below
        return self.module_at(go.folder, go)

    def module_at(self, folder: str, go: GoCommand) -> Module | Refused:
        node = go.step.node
        place = folder
        if self.variable(go, "GO111MODULE") != "off":
            while True:
                manifest = self.reading.in_context(posixpath.join(place, "go.mod"), node)
                if manifest:
                    read = read_go_mod(self.context, manifest)
                    if isinstance(read, Unknown):
                        return Refused(read.reason)
                    return Module(read.module, posixpath.dirname(manifest), read)
                made = self._module_paths.get(place)
                if made is not None:
                    source = self.source_folder(place, go)
                    if source is not None:
                        return Module(made, source, None)
                if place == "/":
                    break
                place = posixpath.dirname(place)
        source = self.source_folder(folder, go)
        if source is None:
            return Refused(
                f"the sources that line {self.line(go.step)} builds in {folder} are not in the build context",
                "copy them from the context, or name the context with --context",
            )
        inside = f"{self.gopath}/src/"
        return Module(folder[len(inside) :] if folder.startswith(inside) else "", source, None)

    @cached_property
    def _module_paths(self) -> Mapping[str, str]:
        """What the first ``go mod init`` of each folder called the module."""
        found: dict[str, str] = {}
        for go in self.commands:
            if go.verb == "mod init" and go.folder is not None and go.operands:
                found.setdefault(go.folder, go.operands[0])
        return found

    # Programs

    def binaries(self) -> tuple[Binary, ...] | Refused:
        """What the builds of the stage make, and where copies and moves put it."""
        found: list[Binary] = []
        for go in self.builds:
            made = self.made_by(go)
            if isinstance(made, Refused):
                return made
            found += made
        return tuple(found + list(self._moved(found)))

    def made_by(self, go: GoCommand) -> tuple[Binary, ...] | Refused:
        line = self.line(go.step)
        module = self.module_of(go)
        if isinstance(module, Refused):
            return module
        packages = self.packages(go, module)
        if isinstance(packages, Refused):
            return packages
        assert go.folder is not None
        output = go.flags.get("-o")
        if go.verb == "install":
            place = self.variable(go, "GOBIN") or f"{self.gopath}/bin"
            if "$" in place:
                return Refused(f"where line {line} installs ({place}) depends on a variable", "write the path")
            return tuple(Binary(join("/", f"{place}/{name}"), folder, files, go) for name, folder, files in packages)
        if output is None:
            if len(packages) != 1 or any(operand.endswith("...") for operand in go.operands):
                return ()
            name, folder, files = packages[0]
            return (Binary(join(go.folder, name), folder, files, go),)
        if "$" in output or "`" in output:
            return Refused(f"where line {line} builds to ({output}) depends on a variable", "write the path")
        if output == "/dev/null":
            return ()
        place = join(go.folder, output)
        if output.endswith("/") or self._is_folder(place, go):
            return tuple(Binary(join(place, name), folder, files, go) for name, folder, files in packages)
        if len(packages) > 1:
            return Refused(f"line {line} builds {len(packages)} programs into one file", "end -o with a slash")
        return tuple(Binary(place, folder, files, go) for _, folder, files in packages)

    def _is_folder(self, path: str, go: GoCommand) -> bool:
        """A folder there before the command: ``-o .``, ``-o /app`` below WORKDIR /app."""
        made = self._folders_made.get(path.rstrip("/") or "/")
        if made is not None and made < (self.reading.position(go.step.node), go.command.span[0]):
            return True
        inside = self.reading.in_context(path, go.step.node)
        return inside is not None and self.context.is_dir(inside) is True

    @cached_property
    def _folders_made(self) -> Mapping[str, tuple[int, int]]:
        """(step, offset in its script) from which on a folder is there: by WORKDIR, ``mkdir`` or a copy."""
        copied: dict[int, list[str]] = {}
        for copy in self.reading.copies:
            if copy.is_folder:
                copied.setdefault(self.reading.position(copy.node), []).append(copy.target)
        found: dict[str, tuple[int, int]] = {}
        for number, step in enumerate(self.reading.steps):
            places = [(step.workdir, -1), *((target, 0) for target in copied.get(number, ()))]
            for command in step.commands:
                here = step.folder_of(command) if command.name == "mkdir" else None
                if here is not None:
                    places += [(join(here, arg), command.span[0]) for arg in command.args if not arg.startswith("-")]
            for path, offset in places:
                while path not in found:
                    found[path] = (number, offset)
                    path = posixpath.dirname(path)
        return found

    def packages(self, go: GoCommand, module: Module) -> tuple[tuple[str, str, tuple[str, ...]], ...] | Refused:
        """The main packages that a command's operands name: name of the program, context folder, named files."""
        assert go.folder is not None
        line = self.line(go.step)
        here = self.source_folder(go.folder, go)
        if any(operand.endswith(".go") for operand in go.operands):
            return self._named_files(go)
        found: list[tuple[str, str, tuple[str, ...]]] = []
        for operand in go.operands or (".",):
            if "$" in operand or "`" in operand:
                return Refused(f"what line {line} builds ({operand}) depends on a variable", "write the package")
            everything = operand == "..." or operand.endswith("/...")
            stem = operand.removesuffix("...").rstrip("/") or "."
            if stem.startswith((".", "/")):
                folder = self.source_folder(join(go.folder, stem), go)
            elif module.path and (stem == module.path or stem.startswith(module.path + "/")):
                folder = posixpath.join(module.folder, stem[len(module.path) + 1 :]).rstrip("/")
            else:
                folder = self._in_gopath(stem, go)
                if folder is None and here is not None and self.context.is_dir(posixpath.join(here, stem)) is True:
                    folder = posixpath.join(here, stem)
            if folder is None:
                return Refused(f"the package {operand} that line {line} builds is not in the build context",
                               "copy its sources from the context")  # fmt: skip
            folders = self._below(folder) if everything else (folder,)
            if isinstance(folders, Refused):
                return folders
            for one in folders:
                unread = self.why_not_read(one, go)
                if unread is not None:
                    return Refused(f"a source that line {line} builds cannot be read: {unread}")
                if self.is_main(one, go):
                    found.append((self._name(one, module, go), one, ()))
                elif not everything and not self.sources_of(one):
                    return Refused(
                        f"line {line} builds {operand}, and no Go source of it is in the build context",
                        "copy the sources from the context, or name the context with --context",
                    )
        return tuple(dict.fromkeys(found))

    def _named_files(self, go: GoCommand) -> tuple[tuple[str, str, tuple[str, ...]], ...] | Refused:
        assert go.folder is not None
        names: list[str] = []
        for operand in go.operands:
            if not operand.endswith(".go"):
                return Refused(f"line {self.line(go.step)} builds files and packages at once")
            where = self.source_folder(join(go.folder, posixpath.dirname(operand) or "."), go)
            if where is None:
                return Refused(f"{operand}, which line {self.line(go.step)} builds, is not in the build context")
            pattern = posixpath.join(where, posixpath.basename(operand))
            matches = self.context.glob(pattern)
            if isinstance(matches, Unknown) or not matches:
                return Refused(f"{operand}, which line {self.line(go.step)} builds, is not in the build context")
            names += matches
        first = min(names) if any("*" in operand for operand in go.operands) else names[0]
        name = posixpath.basename(first).removesuffix(".go")
        return ((name, posixpath.dirname(first), tuple(names)),)

    def _below(self, folder: str) -> tuple[str, ...] | Refused:
        """Folders with sources below one, as ``...`` finds them."""
        files = self.context.files(folder)
        if isinstance(files, Unknown):
            return Refused(f"the sources are not known: {files.reason}")
        found: dict[str, None] = {}
        for path in files:
            if path.endswith(".go"):
                parts = posixpath.relpath(posixpath.dirname(path) or ".", folder or ".").split("/")
                if not any(
                    (part.startswith(("_", ".")) and part != ".") or part in {"testdata", "vendor"} for part in parts
                ):
                    found[posixpath.dirname(path)] = None
        return tuple(found)

    def _name(self, folder: str, module: Module, go: GoCommand) -> str:
        """As the go command names a program (``load.DefaultExecName``): the last element of the import path, or the
        one before it where that is a version."""
        inside = posixpath.relpath(folder or ".", module.folder or ".")
        if module.path:
            path = posixpath.normpath(posixpath.join(module.path, inside))
        else:
            place = self.reading.in_image(folder, go.step.node) if folder else ()
            path = place[-1] if place else (go.folder or "") if inside == "." else folder
        parts = path.split("/")
        if module.manifest is not None and len(parts) > 1 and re.fullmatch(r"v(?:[2-9]|[1-9]\d+)", parts[-1]):
            parts.pop()
        return parts[-1]

    # Sources

    def tags(self, go: GoCommand) -> frozenset[str]:
        return frozenset(re.split(r"[,\s]+", go.flags.get("-tags", "")))

    def sources_of(self, folder: str) -> dict[str, GoSource]:
        """All Go files of a folder that are no tests, by context path."""
        names = self.context.children(folder)
        if isinstance(names, Unknown):
            return {}
        found = {}
        for name in names:
            if name.endswith(".go") and not name.endswith("_test.go") and not name.startswith(("_", ".")):
                path = posixpath.join(folder, name)
                text = self.context.read(path)
                if isinstance(text, str):
                    found[path] = read_source(text)
        return found

    def why_not_read(self, folder: str, go: GoCommand, only: Sequence[str] = ()) -> str | None:
        """The first source of a folder that the go command may take, and that cannot be read as Go: ``a.go: ...``.
        ``only`` are the files that it was given by name."""
        names = self.context.children(folder)
        if isinstance(names, Unknown):
            return names.reason
        for name in names:
            path = posixpath.join(folder, name)
            if (only and path not in only) or not may_be_built(name) or self.context.is_dir(path) is True:
                continue
            text = self.context.read(path)
            if isinstance(text, Unknown):
                return text.reason
            source = read_source(text)
            reason = source.why_not_go if is_built(name, source, self.tags(go)) else None
            if reason is not None:
                return f"{path}: {reason}"
        return None

    def built_sources(self, folder: str, go: GoCommand, *, cgo: bool = True) -> dict[str, GoSource]:
        tags = self.tags(go)
        return {
            path: source
            for path, source in self.sources_of(folder).items()
            if is_built(posixpath.basename(path), source, tags, cgo=cgo)
        }

    def is_main(self, folder: str, go: GoCommand) -> bool:
        return any(source.package == "main" for source in self.built_sources(folder, go).values())

    def program(self, binary: Binary) -> dict[str, GoSource] | Refused:
        """The program's own sources by context path: its main package and what that imports of the project."""
        module = self.module_of(binary.go)
        if isinstance(module, Refused):
            return module
        roots = self.roots(module, binary.go)
        if binary.files:
            sources = {path: source for path, source in self.sources_of(binary.package).items() if path in binary.files}
        else:
            sources = self.built_sources(binary.package, binary.go)
        unread = self.why_not_read(binary.package, binary.go, binary.files)
        found = dict(sources)
        seen = {binary.package}
        waiting = _imports(sources)
        while waiting and unread is None:
            where, path = waiting.pop()
            folder = self._folder_of(path, roots)
            if folder in seen:
                continue
            more = {} if folder is None else self.built_sources(folder, binary.go)
            if not more and _is_own(path, module):
                return Refused(
                    f"{where} imports {path}, and no Go source of it is in the build context",
                    "copy the sources from the context, or name the context with --context",
                )
            if folder is None:
                continue
            seen.add(folder)
            unread = self.why_not_read(folder, binary.go)
            found.update(more)
            if len(found) > MAX_SOURCES:
                return Refused(f"the program has more than {MAX_SOURCES} source files")
            waiting += _imports(more)
        return found if unread is None else Refused(f"a source of the program cannot be read: {unread}")

    def roots(self, module: Module, go: GoCommand) -> tuple[Module, ...]:
        """The module, those that local replaces and go.work add, and what is copied below GOPATH/src."""
        found = [module]
        if module.manifest is not None:
            for replace in module.manifest.replaces:
                if replace.is_local and replace.folder is not None:
                    found.append(Module(replace.module, replace.folder, None))
            found += self.workspace(module)
        for copied in self.reading.copies:
            inside = f"{self.gopath}/src"
            if copied.is_folder and (copied.target + "/").startswith(inside + "/"):
                found.append(Module(copied.target[len(inside) + 1 :], copied.source, None))
        return tuple(sorted(dict.fromkeys(found), key=lambda one: -len(one.path)))

    def workspace(self, module: Module) -> list[Module]:
        """The other modules of the go.work above a module."""
        folder = module.folder
        while True:
            path = posixpath.join(folder, "go.work")
            if self.context.exists(path) is True:
                work = read_go_work(self.context, path)
                if isinstance(work, Unknown):
                    return []
                members = [(use, read_go_mod(self.context, posixpath.join(use, "go.mod"))) for use in work.uses]
                return [
                    Module(read.module, use, read)
                    for use, read in members
                    if isinstance(read, GoMod) and use != module.folder
                ]
            if not folder:
                return []
            folder = posixpath.dirname(folder)

    def is_own(self, path: str, module: Module, go: GoCommand) -> bool:
        """The package lies in the context: of the module, or of one that stands in for another."""
        return self._folder_of(path, self.roots(module, go)) is not None

    def _folder_of(self, path: str, roots: Sequence[Module]) -> str | None:
        for root in roots:
            if not root.path:
                # `COPY . /go/src`, or a project outside of modules: imports are folders below it.
                folder = posixpath.join(root.folder, path)
            elif path == root.path or path.startswith(root.path + "/"):
                folder = posixpath.join(root.folder, path[len(root.path) + 1 :]).rstrip("/")
            else:
                continue
            if folder == "" or self.context.is_dir(folder) is True:
                return folder
        return None

    def _moved(self, binaries: Sequence[Binary]) -> Iterator[Binary]:
        """Copies, moves and links of programs by later commands."""
        known = list(binaries)
        for step in self.reading.runs:
            for command in step.commands:
                if command.name not in {"cp", "mv", "ln", "install"}:
                    continue
                folder = step.folder_of(command)
                operands = [self.expanded(step, arg) for arg in command.args if not arg.startswith("-")]
                if folder is None or len(operands) != 2 or operands[0] is None or operands[1] is None:
                    continue
                source, target = join(folder, operands[0]), join(folder, operands[1])
                for binary in known:
                    if binary.path == source:
                        if (
                            operands[1].endswith("/")
                            or operands[1] in {".", ".."}
                            or self._is_folder(target, binary.go)
                            or target in _FOLDERS
                        ):
                            target = join(target, posixpath.basename(source))
                        moved = binary._replace(path=target)
                        known.append(moved)
                        yield moved
                        break


def _imports(sources: Mapping[str, GoSource]) -> list[tuple[str, str]]:
    """The file and the package of each import."""
    return [(where, path) for where, source in sources.items() for _, path in source.imports]


def _is_own(path: str, module: Module) -> bool:
    """The package is of the module itself, not of another one that is required below its name."""
    manifest = module.manifest
    if manifest is None or not (path + "/").startswith(manifest.module + "/"):
        return False
    return not any((path + "/").startswith(need.module + "/") for need in manifest.requires)


_FOLDERS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt", "/go/bin"})


__all__ = ["Binary", "GoCommand", "GoStage", "Module"]
