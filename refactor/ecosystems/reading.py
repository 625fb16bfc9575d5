"""What a stage does, read in order: working directories, where copied files are, who runs what.

Every codemod that needs to know where a file of the build context ends up in the image, or what the container starts,
asks a :class:`StageReading`; the rules are those of BuildKit's dispatchers (``dockerfile2llb/convert.go``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.images import BaseImage, lookup
from refactor.shell import Command, PackageCall, ShellScript, package_call, package_calls, read
from refactor.syntax import Dockerfile, Instruction, Stage


class Refused(NamedTuple):
    """Why the facts do not carry a rewrite, and what would change that."""

    because: str
    hint: str = ""


class Copied(NamedTuple):
    """One source of a COPY or ADD from the build context, as a mapping of paths."""

    node: Instruction
    source: str
    """Path in the context, without leading slash; "" is the whole context."""
    target: str
    """Absolute path in the image: of the folder whose content this becomes, or of the file."""
    is_folder: bool
    """The source is a folder (its content is copied) or the whole context."""


_MAKES_USERS = r"\b(?:useradd|adduser|groupadd|addgroup|newusers)\b"


class Step:
    """One instruction of a stage, with what holds just before it."""

    __slots__ = ("_script", "node", "user", "workdir")

    def __init__(self, node: Instruction, workdir: str, user: str | None) -> None:
        self.node = node
        self.workdir = workdir
        """Absolute working directory before the instruction ("/" where none was set)."""
        self.user = user
        """Value of the last USER, None for the base image's own."""
        self._script: ShellScript | None = None

    @property
    def keyword(self) -> str:
        return self.node.keyword

    @property
    def script(self) -> ShellScript | None:
        """The commands of a RUN (exec form is quoted into one), None for other instructions and heredocs."""
        if self._script is None and self.node.keyword == "RUN" and not self.node.heredocs:
            words = self.node.json
            if words is None:
                self._script = read(self.node.argument)
            else:
                import shlex

                self._script = read(shlex.join(words))
        return self._script

    @property
    def commands(self) -> tuple[Command, ...]:
        return self.script.commands if self.script is not None else ()

    @property
    def calls(self) -> tuple[PackageCall, ...]:
        """The package manager calls of a RUN, in order."""
        script = self.script
        return () if script is None else package_calls(script)

    def folder_of(self, command: Command) -> str | None:
        """Absolute folder that ``command`` of this step runs in, following ``cd`` before it; None where unknown."""
        folder: str | None = self.workdir
        for other in self.commands:
            if other.span[0] >= command.span[0]:
                break
            if other.name in {"pushd", "popd"}:
                folder = None
            elif other.name == "cd" and not other.in_subshell:
                target = other.words[1].value if len(other.words) == 2 else None
                folder = None if target is None or folder is None else join(folder, target)
        return folder


class Start(NamedTuple):
    """What the container runs: ENTRYPOINT and CMD put together as the engine does."""

    argv: tuple[str, ...]
    """Words of the program as started; of a shell form the words of its only command."""
    is_shell: bool
    """Started through ``/bin/sh -c``."""
    script: ShellScript | None
    """The shell script of a shell form."""
    nodes: tuple[Instruction, ...]
    """The CMD and ENTRYPOINT instructions that decide."""

    @property
    def program(self) -> str:
        return self.argv[0] if self.argv else ""


def join(folder: str, path: str) -> str:
    """``path`` as seen from ``folder`` (absolute), normalised the way WORKDIR and COPY do."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return "/" + joined.lstrip("/")


class StageReading:
    """A stage read against its build context."""

    def __init__(self, file: Dockerfile, stage: Stage, context: BuildContext) -> None:
        self.file = file
        self.stage = stage
        self.context = context
        self.languages: tuple[str, ...] | None = None
        """Names of the languages that recognised the stage, None until they were asked."""
        self.final_workdir = "/"
        """Absolute working directory at the end of the stage."""
        self.final_user: str | None = None
        """Value of the last USER, None where the base image's own holds."""
        self.facts: dict[str, object] = {}
        """What languages found out about the stage, each under its own name."""
        self.steps: tuple[Step, ...] = tuple(self._read())

    @classmethod
    def of(cls, file: Dockerfile, stage: Stage, context: BuildContext) -> StageReading:
        """The reading of a stage, made once for all codemods that ask about the same file and context."""
        global _last_read
        if _last_read is None or _last_read[0] is not file or _last_read[1] is not context:
            _last_read = (file, context, {})
        found = _last_read[2].get(stage.index)
        if found is None:
            found = _last_read[2][stage.index] = cls(file, stage, context)
        return found

    def _read(self) -> Iterator[Step]:
        image = self.image
        workdir = (image.workdir if image is not None else "") or "/"
        user: str | None = None
        parent = self.parent
        if parent is not None:
            before = StageReading.of(self.file, parent, self.context)
            workdir, user = before.final_workdir, before.final_user
        self.final_workdir, self.final_user = workdir, user
        for node in self.stage.instructions:
            if node is self.stage.from_:
                continue
            yield Step(node, self.final_workdir, self.final_user)
            if node.keyword == "WORKDIR":
                value = self.expand(node.argument, node)
                # An unknown variable keeps its written form, so that paths stay comparable as text.
                self.final_workdir = join(self.final_workdir, node.argument if value is None else value)
            elif node.keyword == "USER":
                self.final_user = node.argument

    def expand(self, text: str, at: Instruction) -> str | None:
        """As :meth:`Dockerfile.expand`, with the variables that the base image is known to bring (``$GOPATH``)."""
        value = self.file.expand(text, at)
        if value is not None or self.image is None or not self.image.env:
            return value
        known, own = self.image.env, self.file.environment(at)

        def filled(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            return known[name] if name in known and name not in own else found[0]

        return self.file.expand(re.sub(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", filled, text), at)

    @cached_property
    def parent(self) -> Stage | None:
        """The earlier stage that this one is built from, None for an image."""
        found = self.file.stage(self.stage.image)
        return found if found is not None and found.index < self.stage.index and found.name else None

    @cached_property
    def image_reference(self) -> str | None:
        """The base image with build arguments filled in from their defaults, None where one has none."""
        return self.file.expand(self.stage.image, self.stage.from_)

    @cached_property
    def image(self) -> BaseImage | None:
        """The catalogue's entry of the base image; of the first image behind stages of the same file."""
        stage, seen = self.stage, 0
        while seen <= len(self.file.stages):
            found = self.file.stage(stage.image)
            if found is None or found.index >= stage.index or not found.name:
                break
            stage, seen = found, seen + 1
        reference = self.file.expand(stage.image, stage.from_)
        return None if reference is None else lookup(reference)

    def step(self, node: Instruction) -> Step | None:
        position = self.position(node)
        return self.steps[position] if position < len(self.steps) else None

    @property
    def runs(self) -> Iterator[Step]:
        return (step for step in self.steps if step.keyword == "RUN")

    @cached_property
    def calls(self) -> tuple[tuple[Step, PackageCall], ...]:
        """Every package manager call of the stage with its step, in order."""
        return tuple((step, call) for step in self.steps for call in step.calls)

    def last(self, keyword: str) -> Instruction | None:
        return next((step.node for step in reversed(self.steps) if step.keyword == keyword), None)

    @property
    def why_no_new_user(self) -> str | None:
        """The author makes users: one of ours might have the same name, which would end the build, and theirs may be
        meant. None where nothing of the stage, or of those that it is based on, makes one."""
        stage: Stage | None = self.stage
        while stage is not None:
            for node in stage.instructions:
                found = re.search(_MAKES_USERS, node.argument) if node.keyword == "RUN" else None
                if found is not None:
                    line = self.file.line_of(node)
                    return (
                        f"line {line} makes a user or a group already ({found[0]}), and nothing says whether the"
                        " program is meant to run as that one"
                    )
            stage = self.file.stage_before(stage.index, stage.image)
        return None

    @cached_property
    def copies(self) -> tuple[Copied, ...]:
        """What is copied from the build context (not from stages), in order."""
        return tuple(copied for step in self.steps for copied in self._copied(step))

    def _copied(self, step: Step) -> Iterator[Copied]:
        node = step.node
        if node.keyword not in {"COPY", "ADD"} or node.flag("from") is not None or node.destination is None:
            return
        written = self.expand(node.destination, node)
        written = node.destination if written is None else written
        target = join(step.workdir, written)
        into_folder = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
        # WORKDIR makes its folder: a file copied to a folder that is there lands in it.
        into_folder = into_folder or (step.workdir.rstrip("/") + "/").startswith(target.rstrip("/") + "/")
        for raw in node.sources:
            source = self.file.expand(raw, node)
            if source is None or "://" in source or source.startswith("git@"):
                continue
            source = posixpath.normpath("/" + source).lstrip("/")
            matches: Sequence[str] = (source,)
            if any(sign in source for sign in "*?["):
                found = self.context.glob(source)
                matches = () if isinstance(found, Unknown) else found
                into_folder = into_folder or len(matches) > 1
            for match in matches:
                is_folder = match == "" or self.context.is_dir(match) is True
                at = target if is_folder or not into_folder else join(target, posixpath.basename(match))
                yield Copied(node, match, at, is_folder)

    def in_image(self, path: str, before: Instruction | None = None) -> tuple[str, ...]:
        """Absolute image paths at which the context's ``path`` is copied (before an instruction), latest last."""
        found = []
        for copied in self.copies_before(before):
            if copied.is_folder and (
                copied.source == "" or path == copied.source or path.startswith(copied.source + "/")
            ):
                found.append(join(copied.target, path[len(copied.source) :].lstrip("/") or "."))
            elif copied.source == path:
                found.append(copied.target)
        return tuple(dict.fromkeys(found))

    def in_context(self, path: str, before: Instruction | None = None) -> str | None:
        """The context path whose copy is at the absolute image ``path``: "" is the context itself, None: no copy.

        Only answers with paths that the context is known to hold.
        """
        for copied in reversed(self.copies_before(before)):
            if path == copied.target:
                candidate = copied.source
            elif copied.is_folder and path.startswith(copied.target.rstrip("/") + "/"):
                candidate = posixpath.join(copied.source, path[len(copied.target.rstrip("/")) + 1 :])
            else:
                continue
            if candidate == "" or self.context.exists(candidate) is True:
                return candidate
        return None

    def copies_before(self, before: Instruction | None) -> tuple[Copied, ...]:
        """What is copied from the build context before an instruction; everything for None."""
        if before is None:
            return self.copies
        nodes = {id(step.node) for step in self.steps[: self.position(before)]}
        return tuple(copied for copied in self.copies if id(copied.node) in nodes)

    def position(self, node: Instruction) -> int:
        """Index of the step of ``node``; the number of steps where it is not of this stage."""
        return self._positions.get(node, len(self.steps))

    @cached_property
    def _positions(self) -> dict[Instruction, int]:
        return {step.node: index for index, step in enumerate(self.steps)}

    @cached_property
    def start(self) -> Start | None:
        """What a container of this stage runs, None where only the base image knows.

        The table is the one of Docker's documentation ("Understand how CMD and ENTRYPOINT interact"): a shell-form
        ENTRYPOINT ignores CMD, an exec-form one gets CMD's words as arguments, and an ENTRYPOINT resets the CMD that
        the base image has.
        """
        entrypoint, cmd = self.last("ENTRYPOINT"), self.last("CMD")
        if entrypoint is not None and entrypoint.json is None:
            return self._shell_start(entrypoint, (entrypoint,))
        if entrypoint is not None and entrypoint.json:
            if cmd is None:
                return Start(entrypoint.json, False, None, (entrypoint,))
            more = cmd.json if cmd.json is not None else ("/bin/sh", "-c", cmd.argument)
            return Start(entrypoint.json + tuple(more), False, None, (entrypoint, cmd))
        nodes = tuple(node for node in (entrypoint, cmd) if node is not None)
        if cmd is not None:
            if cmd.json is None:
                return self._shell_start(cmd, nodes)
            return Start(tuple(cmd.json), False, None, nodes)
        if self.parent is not None:
            return StageReading.of(self.file, self.parent, self.context).start
        return None

    def _shell_start(self, node: Instruction, nodes: tuple[Instruction, ...]) -> Start:
        script = read(node.argument)
        words: tuple[str, ...] = ()
        if script.opaque is None and len(script.top) == 1 and script.top[0].command is not None:
            command = script.top[0].command
            words = (command.words[0].text, *command.args) if command.words else ()
        return Start(words, True, script, nodes)


_last_read: tuple[Dockerfile, BuildContext, dict[int, StageReading]] | None = None

__all__ = ["Copied", "PackageCall", "Refused", "StageReading", "Start", "Step", "join", "package_call"]
