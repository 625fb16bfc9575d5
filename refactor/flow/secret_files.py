"""Keys and passwords that are copied into an image: which steps use the file, and what else would miss it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.leftovers import other_names
from refactor.flow.places import brought, users_of
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.flow.secrets import COMPOSE, NO_READER, PASSES, files_to_search, managers_of, texts
from refactor.flow.source_builds import posix_calls
from refactor.flow.user_ids import mount_owner
from refactor.shell import SHELL_BUILTINS, SYSTEM_MANAGERS, Command
from refactor.shell.posix import OF_THE_SYSTEM, QUIET, SILENT, Does, tools
from refactor.syntax import Instruction

PASSWORD = r"(?i)(?:_authToken|_auth|_password|npmAuthToken)[\"']?\s*[=:]\s*[\"']?[^\s$\"'<]|://[^/\s:@$]+:[^/\s@$]+@"
"""A password, and no variable, in a file of settings."""
_SSH = frozenset({"git", "ssh", "scp", "sftp", "rsync", "ssh-add", "ssh-agent", "svn"})
_KEYS = {
    **dict.fromkeys(("id_rsa", "id_ed25519", "id_ecdsa"), _SSH),
    ".netrc": frozenset({"git", "curl", "wget"}),
    ".git-credentials": frozenset({"git"}),
    ".pypirc": frozenset({"twine"}),
}
"""Files that are nothing but a credential, and the programs that look for them by themselves."""
_ON_ITSELF = tools(Does.CHANGES, Does.REMOVES)
"""What is done to a copied file, and cannot be done to a mount, which is there for one RUN with the mode it needs."""
_NAMING = SILENT | tools(Does.SHELL) - {"read"}
"""What may name the file without taking anything out of it."""
_BUILDS = rb"docker(?:-compose)? (?:buildx )?(?:compose )?(?:build|bake)\b|build-push-action"
_BUILDERS = rf"{PASSES}|(?:.*/)?(?:Makefile|package\.json|Justfile|[^/]*\.sh)"


class SecretFile(NamedTuple):
    """A file with a secret that a COPY brings into a stage, and the RUNs that are given it as a secret instead."""

    name: str
    """The source, as it is written."""
    path: str
    """Of the file in the build context."""
    target: str
    """Absolute, in the image."""
    what: str
    """What it is, as a sentence about it goes on."""
    runs: tuple[tuple[Step, str], ...]
    """Those that use it, and the options that give it to their user."""
    idle: tuple[tuple[Step, tuple[Command, ...]], ...]
    """Commands that work on the file itself: there is nothing left for them to do."""
    evidence: tuple[str, ...] = ()
    passed_by: tuple[str, ...] = ()
    """Files that build images, and may have to give the secret: not edited here."""
    compose: tuple[tuple[str, bytes, bytes], ...] = ()
    """Compose files: path, what they hold, and what they hold once they give the secret."""
    is_ignored: bool = True
    """No copy of a folder brings it; else a line of ``.dockerignore`` has to keep it out."""
    is_sure: bool = True
    """Nothing of the image uses it when a container runs."""

    @property
    def id(self) -> str:
        return posixpath.basename(self.path).strip(".").replace(".", "-")


def secret_files(reading: StageReading) -> Iterator[tuple[Instruction, SecretFile | Refused]]:
    """The keys that a stage copies by name, and the files with a password in them."""
    for step in reading.steps:
        node = step.node
        if node.keyword in {"COPY", "ADD"} and node.flag("from") is None:
            for source in node.sources:
                what = _what(reading, source, node)
                if what is not None:
                    found = _File(reading, step, source, what).found()
                    if isinstance(found, Refused):
                        because = f"{source} {what}, and stays in a layer even where a later RUN removes it"
                        found = Refused(f"{because}: {found.because}", found.hint)
                    yield node, found
                    break  # One after the other: each is taken out of the same line.


def _what(reading: StageReading, source: str, node: Instruction) -> str | None:
    name = source.rstrip("/").rpartition("/")[2]
    if name in _KEYS:
        return "is a key"
    text = reading.context.read(source.lstrip("/").removeprefix("./")) if managers_of(name) else None
    has_password = isinstance(text, str) and re.search(PASSWORD, text) is not None
    return "has a password or a token in it" if has_password else None


class _File:
    def __init__(self, reading: StageReading, step: Step, source: str, what: str) -> None:
        self.reading, self.context, self.step, self.source, self.what = reading, reading.context, step, source, what
        self.path = posixpath.normpath("/" + source).lstrip("/")
        self.base = posixpath.basename(self.path)
        self.programs = _KEYS.get(self.base, frozenset())
        self.managers = managers_of(self.base)
        self.target = ""

    def found(self) -> SecretFile | Refused:
        node = self.step.node
        if node.json is not None or node.keyword == "ADD":
            return Refused("the instruction has another form than COPY with words", self._hint())
        if self.context.why_unknown is not None:
            return Refused(f"what reads it is not known: {self.context.why_unknown}", self._hint())
        target = self._target()
        if target is None:
            return Refused("where it is copied to is not known", self._hint())
        self.target = target
        used = self._runs()
        if isinstance(used, Refused):
            return used
        runs, idle = used
        reader = self._reader() or self._why_elsewhere()
        if reader is not None:
            return reader
        passed_by, compose = self._passed()
        is_ignored = True
        if self.context.is_ignored(self.path) is False and self._is_in_folder():
            others = other_names(self.reading.file, self.context, self.path, node)
            if others is not None and not others.is_copy_here:
                return Refused(f"a folder that holds it is copied too, and {others.where} names it", self._hint())
            is_ignored = others is not None
        names = ", ".join(str(self.reading.file.line_of(step.node)) for step, _ in runs)
        told = [f"line{'s' * (len(runs) > 1)} {names} may read {target}, and nothing else is known to"]
        told.append(f"{self.source} is in every image that was built so far: renew what it holds")
        is_sure = not self.programs or self.reading.stage.index not in self.reading.file.shipped
        if not is_sure:
            told.append(f"whether the program uses {self.base} when a container runs is not known")
        return SecretFile(
            *(self.source, self.path, target, self.what, tuple(runs), tuple(idle), tuple(told), passed_by, compose),
            is_ignored=is_ignored,
            is_sure=is_sure,
        )

    def _hint(self) -> str:
        name = self.base.strip(".").replace(".", "-")
        if self.base.startswith("id_"):
            return "write `RUN --mount=type=ssh git ...`, and build with --ssh default"
        mount = f"--mount=type=secret,id={name},target={self.target or '/root/' + self.base}"
        return f"leave it out of the COPY, write `RUN {mount} ...`, and build with --secret id={name},src={self.source}"

    def _target(self) -> str | None:
        node, workdir = self.step.node, self.step.workdir
        written = self.reading.expand(node.destination or "", node)
        if written is None or "$" in written or "$" in self.source:
            return None
        place = join(workdir, written)
        into = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
        into = into or is_within(workdir, place) or posixpath.basename(place) in {"root", ".ssh"}
        return join(place, self.base) if into else place

    def _runs(self) -> tuple[list[tuple[Step, str]], list[tuple[Step, tuple[Command, ...]]]] | Refused:
        runs: list[tuple[Step, str]] = []
        idle: list[tuple[Step, tuple[Command, ...]]] = []
        line_of = self.reading.file.line_of
        for step in self.reading.steps[self.reading.position(self.step.node) + 1 :]:
            if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK", "VOLUME"} and self._names(step.node.text):
                return Refused(f"line {line_of(step.node)} names it, for the container that runs", self._hint())
            if step.keyword != "RUN":
                continue
            own = tuple(command for command in step.commands if self._is_on_itself(step, command))
            reason = self._why_unclear(step, own)
            if reason is not None:
                return Refused(f"line {line_of(step.node)} {reason}", self._hint())
            if own:
                idle.append((step, own))
            if self._uses(step):
                owner = mount_owner(self.reading, step)
                if owner is None:
                    return Refused(f"the numbers of the user on line {line_of(step.node)} are not known", self._hint())
                runs.append((step, owner))
        if not any(self._is_user(step, command) for step, _ in runs for command in step.commands):
            return Refused("no step is known to use it", "give it to the container when it starts, not to the image")
        return runs, idle

    def _names(self, text: str) -> bool:
        return re.search(rf"(?<![\w.-]){re.escape(self.base)}(?![\w-])", text) is not None

    def _is_user(self, step: Step, command: Command) -> bool:
        if (command.name or "").rpartition("/")[2] in self.programs:
            return True
        managers = {call.manager for call in step.calls if call.command is command}
        # Package managers of languages fetch by git, ssh and HTTP themselves.
        return bool(managers & self.managers) or (bool(self.programs) and bool(managers - SYSTEM_MANAGERS))

    def _uses(self, step: Step) -> bool:
        if any(self._is_user(step, command) for command in step.commands):
            return True
        # The copy made the folder, in which such a RUN puts something: the mount makes it as well.
        folder = posixpath.dirname(self.target)
        is_made = folder in {"/", "/root", "/etc"} or is_within(self.step.workdir, folder)
        removes = any(command.name in {"rm", "mkdir"} for command in step.commands)
        names = (folder, f"~/{posixpath.basename(folder)}")
        return not is_made and not removes and any(name in step.node.argument for name in names)

    def _is_on_itself(self, step: Step, command: Command) -> bool:
        if command.name not in _ON_ITSELF or command.redirects:
            return False
        places = self._places(step, command)
        return bool(places) and all(place == self.target for place in places)

    def _places(self, step: Step, command: Command) -> list[str | Unknown]:
        """What a tool of the system changes or removes."""
        acts = posix_calls(self.reading, self.reading.position(step.node))
        effects = (effect for call, effect in acts if call.command is command)
        return [path for effect in effects for path in (*effect.writes, *effect.removes)]

    def _why_unclear(self, step: Step, own: Sequence[Command]) -> str | None:
        if step.script is None or step.script.opaque is not None:
            return "cannot be read, and may use it"
        is_used = self._uses(step)
        calls = {id(call.command) for call in step.calls}
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if any(command is each for each in own) or id(command) in calls or name in self.programs:
                continue
            if name in _ON_ITSELF and self._touches(step, command):
                return f"has `{name}` take it, with other things"
            if (
                self._names(" ".join((*(word.text for word in command.words), *command.redirects)))
                and name not in _NAMING
            ):
                return f"has `{name}` do something with it"
            if not (is_used or not name or name in OF_THE_SYSTEM | QUIET | SHELL_BUILTINS):
                return f"runs {name}, which may use it"
        return None

    def _touches(self, step: Step, command: Command) -> bool:
        """A recursive change, or a removal, of a folder that it lies in, in a RUN that has the mount."""
        if not self._uses(step):
            return False
        deep = r"-[a-zA-Z]*R[a-zA-Z]*|--recursive"
        is_deep = command.name == "rm" or any(re.fullmatch(deep, arg) for arg in command.args)
        places = self._places(step, command)
        return is_deep and any(
            isinstance(place, Unknown) or is_within(self.target, place.rstrip("/*") or "/") for place in places
        )

    def _reader(self) -> Refused | None:
        """A file of the program that names it: it may be read when the container runs."""
        files = files_to_search(self.context)
        if files is None:
            return Refused("the build context has too many files to look for what reads it", self._hint())
        for path, data in texts(self.context, files):
            base = posixpath.basename(path)
            if (
                base.startswith(".")
                or path == self.path
                or re.fullmatch(NO_READER, base)
                or re.fullmatch(COMPOSE, base)
            ):
                continue
            if not re.search(_BUILDS, data) and self._names(data.decode("utf-8", "replace")):
                return Refused(f"{path} names {self.base}, and may read it when the container runs", self._hint())
        return None

    def _why_elsewhere(self) -> Refused | None:
        """Another stage takes it from this one."""
        for node in users_of(self.reading):
            line = self.reading.file.line_of(node)
            if node.keyword == "FROM":
                return Refused(f"line {line} builds on the stage that has it", self._hint())
            if any(is_within(join("/", one), self.target) for one in node.sources):
                return Refused(f"line {line} copies it on", self._hint())
        return None

    def _is_in_folder(self) -> bool:
        return any(True for _ in brought(tuple(self.reading.siblings()), self.path))

    def _passed(self) -> tuple[tuple[str, ...], tuple[tuple[str, bytes, bytes], ...]]:
        """The files that build images; and Compose files as they give the secret."""
        from refactor.context.compose_secrets import with_secret_file

        context, id = self.context, self.base.strip(".").replace(".", "-")
        services: dict[str, list[str]] = {}
        for service in context.deployment.services:
            if service.kind == "compose":
                services.setdefault(service.source, []).append(service.name)
        compose, passed_by = [], []
        for path, names in services.items():
            data = context.stored(path)
            text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else ""
            source = posixpath.relpath("/" + self.path, posixpath.dirname(posixpath.normpath("/" + path)))
            edited = None if path.startswith("..") else with_secret_file(text, names, id, f"./{source}")
            if edited is None or not isinstance(data, bytes):
                passed_by.append(path)
            else:
                compose.append((path, data, edited.encode("utf-8", "surrogateescape")))
        builders = (path for path in files_to_search(context) or () if re.fullmatch(_BUILDERS, path))
        passed_by += [path for path, data in texts(context, builders) if re.search(_BUILDS, data)]
        return tuple(passed_by), tuple(compose)


__all__ = ["SecretFile", "secret_files"]
