"""What a stage does, read in order: working directories, where copied files are, who runs what.

Every codemod that needs to know where a file of the build context ends up in the image, or what the container starts,
asks a :class:`StageReading`; the rules are those of BuildKit's dispatchers (``dockerfile2llb/convert.go``).
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, takewhile
from typing import NamedTuple, TypeVar

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import upwards
from refactor.images import BaseImage, lookup
from refactor.once import cached_property
from refactor.shell import Command, PackageCall, ShellScript, package_calls, read
from refactor.syntax import Dockerfile, Instruction, Stage

_T = TypeVar("_T")


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

    @property
    def is_unpacked(self) -> bool:
        """ADD unpacks archives of the context into its target (Dockerfile reference, "Adding local tar archives")."""
        is_archive = re.search(r"\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz)\Z", self.source) is not None
        return self.node.keyword == "ADD" and is_archive and not self.is_folder

    def place_of(self, path: str) -> str | None:
        """Where it puts a path of the context, None where it does not copy it."""
        if not self.is_folder or self.source == path:
            return self.target if self.source == path else None
        is_inside = self.source == "" or path.startswith(self.source + "/")
        return join(self.target, path[len(self.source) :].lstrip("/")) if is_inside else None


_MAKES_USERS = r"\b(?:useradd|adduser|groupadd|addgroup|newusers)\b"


class Step:
    """One instruction of a stage, with what holds just before it."""

    __slots__ = ("_calls", "_script", "keyword", "node", "user", "workdir")

    def __init__(self, node: Instruction, workdir: str, user: str | None) -> None:
        self.node = node
        self.keyword = node.keyword
        self.workdir = workdir
        """Absolute working directory before the instruction ("/" where none was set)."""
        self.user = user
        """Value of the last USER, None for the base image's own."""
        self._script: ShellScript | None = None
        self._calls: tuple[PackageCall, ...] | None = None

    @property
    def script(self) -> ShellScript | None:
        """The commands of a RUN (exec form is quoted into one), None for other instructions and heredocs."""
        if self._script is None and self.keyword == "RUN" and not self.node.heredocs:
            words = self.node.json
            if words is None:
                self._script = read(self.node.argument)
            else:
                import shlex

                self._script = read(shlex.join(words))
        return self._script

    @property
    def commands(self) -> tuple[Command, ...]:
        script = self.script
        return script.commands if script is not None else ()

    @property
    def calls(self) -> tuple[PackageCall, ...]:
        """The package manager calls of a RUN, in order."""
        if self._calls is None:
            script = self.script
            self._calls = () if script is None else package_calls(script)
        return self._calls

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

    @property
    def words(self) -> tuple[str, ...]:
        """All words that are started; those of every command of a shell form."""
        if self.script is None:
            return self.argv
        return tuple(word.literal for command in self.script.commands for word in command.words)

    @property
    def text(self) -> str:
        """The command, as one line where it is one, else as written."""
        return " ".join(self.argv) or self.nodes[-1].argument


def is_within(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@lru_cache(maxsize=4096)
def join(folder: str, path: str) -> str:
    """``path`` as seen from ``folder`` (absolute), normalised the way WORKDIR and COPY do."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return "/" + joined.lstrip("/")


def _folders_above(path: str) -> list[str]:
    """The folders that a path lies in, from the outermost: "" and "/a" of ``/a/b``, "a" of ``a/b``."""
    return [path[:at] for at, char in enumerate(path) if char == "/"]


def _latest_first(places: Sequence[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    """The places before the step ``end``, from the last one back."""
    return (places[index] for index in range(bisect_left(places, (end, 0)) - 1, -1, -1))


class StageReading:
    """A stage read against its build context."""

    def __init__(self, file: Dockerfile, stage: Stage, context: BuildContext) -> None:
        self.file = file
        self.stage = stage
        self.context = context
        self.final_workdir = "/"
        """Absolute working directory at the end of the stage."""
        self.final_user: str | None = None
        """Value of the last USER, None where the base image's own holds."""
        self.facts: dict[str, object] = {}
        """What languages found out about the stage, each under its own name."""
        self.steps: tuple[Step, ...] = tuple(self._read())

    @classmethod
    def of(cls, file: Dockerfile, stage: Stage, context: BuildContext) -> "StageReading":
        """The reading of a stage, made once for all codemods that ask about the same file and context."""
        global _last_read
        if _last_read is None or _last_read[0] is not file or _last_read[1] is not context:
            for old in _last_read[2].values() if _last_read is not None else ():
                # What languages found out holds the reading: together they would wait for the garbage collector.
                old.facts.clear()
            _last_read = (file, context, {})
        known = _last_read[2]
        if stage.index in known:
            return known[stage.index]
        # From the first ancestor on: each reading begins with what its parent's ends with.
        missing = []
        ancestor: Stage | None = stage
        while ancestor is not None and ancestor.index not in known:
            missing.append(ancestor)
            ancestor = file.stage_before(ancestor.index, ancestor.image)
        for each in reversed(missing):
            known[each.index] = cls(file, each, context)
        return known[stage.index]

    def _read(self) -> Iterator[Step]:
        before, image = self._parent_reading, self.image
        if before is not None:
            self.final_workdir, self.final_user = before.final_workdir, before.final_user
        elif image is not None:
            self.final_workdir = image.workdir or "/"
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
        return self.file.stage_before(self.stage.index, self.stage.image)

    @cached_property
    def _parent_reading(self) -> "StageReading | None":
        return None if self.parent is None else StageReading.of(self.file, self.parent, self.context)

    def _ask_parents_first(self, name: str) -> None:
        """Has a cached property of all parents computed, the first one's first: recursion would go too deep."""
        waiting = takewhile(lambda one: name not in one.__dict__, islice(self.lineage(), 1, None))
        for reading in reversed(tuple(waiting)):
            getattr(reading, name)

    @cached_property
    def image_reference(self) -> str | None:
        """The base image with build arguments filled in from their defaults, None where one has none."""
        return self.file.expand(self.stage.image, self.stage.from_)

    @cached_property
    def image(self) -> BaseImage | None:
        """The catalogue's entry of the base image; of the first image behind stages of the same file."""
        if self._parent_reading is not None:
            return self._parent_reading.image
        reference = self.image_reference
        return None if reference is None else lookup(reference)

    def remember(self, name: str, make: Callable[[], _T]) -> _T:
        """Finds a fact about the stage out once; ``name`` is that of the fact."""
        if name not in self.facts:
            self.facts[name] = make()
        return self.facts[name]  # type: ignore[return-value]

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

    @cached_property
    def managers(self) -> frozenset[str]:
        """The package managers that the stage calls."""
        return frozenset([call.manager for _, call in self.calls])

    @cached_property
    def has_heredocs(self) -> bool:
        """A RUN of the stage has a heredoc, whose commands are in none of ``calls``, ``managers`` and ``programs``."""
        return any(step.node.heredocs for step in self.runs)

    @cached_property
    def programs(self) -> frozenset[str]:
        """The names, without folders, of all commands of the stage's RUNs, and of the program that it starts."""
        names = {command.name for step in self.runs for command in step.commands if command.name}
        if self.start is not None:
            names.add(self.start.program)
        return frozenset(name.rpartition("/")[2] for name in names)

    @cached_property
    def environment(self) -> Mapping[str, str | None]:
        """The variables at its end; see :meth:`Dockerfile.environment`."""
        return self.file.environment(self.steps[-1].node if self.steps else self.stage.from_)

    def last(self, keyword: str) -> Instruction | None:
        return next((step.node for step in reversed(self.steps) if step.keyword == keyword), None)

    @cached_property
    def why_no_new_user(self) -> str | None:
        """The author makes users: one of ours might have the same name, which would end the build, and theirs may be
        meant. None where nothing of the stage, or of those that it is based on, makes one."""
        for node in self.stage.instructions:
            text = "\n".join((node.argument, *(heredoc.body for heredoc in node.heredocs)))
            found = re.search(_MAKES_USERS, text) if node.keyword == "RUN" else None
            if found is not None:
                line = self.file.line_of(node)
                return (
                    f"line {line} makes a user or a group already ({found[0]}), and nothing says whether the"
                    " program is meant to run as that one"
                )
        self._ask_parents_first("why_no_new_user")
        return None if self._parent_reading is None else self._parent_reading.why_no_new_user

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
        import heapq

        end = len(self.steps) if before is None else self.position(before)
        keys = ["", *_folders_above(path), path]
        at = heapq.merge(*(self._copies_by_source.get(key, ()) for key in dict.fromkeys(keys)))
        found: dict[str, None] = {}
        for position, number in at:
            copied = self.copies[number]
            if position >= end:
                break
            place = copied.place_of(path)
            found |= {} if place is None else {place: None}
        return tuple(found)

    def in_context(self, path: str, before: Instruction | None = None) -> str | None:
        """The context path whose copy is at the absolute image ``path``: "" is the context itself, None: no copy.

        Only answers with paths that the context is known to hold.
        """
        if not self._copies_by_target:
            return None
        keys = dict.fromkeys([*_folders_above(path), path.rstrip("/")])
        places = [at for key in keys if (at := self._copies_by_target.get(key))]
        if not places:
            return None
        end = len(self.steps) if before is None else self.position(before)
        latest = _latest_first(places[0], end)
        if len(places) > 1:
            import heapq

            latest = heapq.merge(latest, *(_latest_first(at, end) for at in places[1:]), reverse=True)
        for _, number in latest:
            copied = self.copies[number]
            if path == copied.target:
                candidate = copied.source
            elif copied.is_folder and path.startswith(copied.target.rstrip("/") + "/"):
                candidate = posixpath.join(copied.source, path[len(copied.target.rstrip("/")) + 1 :])
            else:
                continue
            if candidate == "" or self.context.exists(candidate) is True:
                return candidate
        return None

    @cached_property
    def copies_of_stages(self) -> tuple[tuple[Step, "StageReading"], ...]:
        """The COPYs out of earlier stages of the file, each with the reading of that stage, in order."""
        found = []
        for step in self.steps:
            name = step.node.flag("from") if step.keyword == "COPY" else None
            stage = self.file.stage(name) if name else None
            if stage is not None and stage.index < self.stage.index:
                found.append((step, StageReading.of(self.file, stage, self.context)))
        return tuple(found)

    @cached_property
    def targets(self) -> dict[Instruction, str]:
        """Where each COPY and ADD puts something, absolute; variables that are not known stay in it as written."""
        return {
            step.node: join(step.workdir, self.expand(step.node.destination, step.node) or step.node.destination)
            for step in self.steps
            if step.node.destination is not None
        }

    def lineage(self) -> "Iterator[StageReading]":
        """The stage and those that it is built from, itself first."""
        one: StageReading | None = self
        while one is not None:
            yield one
            one = one._parent_reading

    def siblings(self) -> "Iterator[StageReading]":
        """All stages of the file, in order, itself among them."""
        return (StageReading.of(self.file, stage, self.context) for stage in self.file.stages)

    def copies_before(self, before: Instruction | None) -> tuple[Copied, ...]:
        """What is copied from the build context before an instruction; everything for None."""
        return self.copies if before is None else self.copies[: self._first_copy(self.position(before))]

    def copied_by(self, node: Instruction) -> tuple[Copied, ...]:
        """What one instruction copies from the build context."""
        position = self.position(node)
        return self.copies[self._first_copy(position) : self._first_copy(position + 1)]

    def _first_copy(self, position: int) -> int:
        return bisect_left(self.copies, position, key=lambda copy: self.position(copy.node))

    @cached_property
    def _copies_by_source(self) -> dict[str, list[tuple[int, int]]]:
        """(position of the step, index in ``copies``) by the context path that is copied, in order."""
        return self._copies_by(lambda copied: copied.source)

    @cached_property
    def _copies_by_target(self) -> dict[str, list[tuple[int, int]]]:
        """As ``_copies_by_source``, by the path in the image, without a slash at its end."""
        return self._copies_by(lambda copied: copied.target.rstrip("/"))

    def _copies_by(self, key: Callable[[Copied], str]) -> dict[str, list[tuple[int, int]]]:
        found: dict[str, list[tuple[int, int]]] = {}
        for number, copied in enumerate(self.copies):
            found.setdefault(key(copied), []).append((self.position(copied.node), number))
        return found

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
        self._ask_parents_first("start")
        return None if self._parent_reading is None else self._parent_reading.start

    def _shell_start(self, node: Instruction, nodes: tuple[Instruction, ...]) -> Start:
        script = read(node.argument)
        words: tuple[str, ...] = ()
        if script.opaque is None and len(script.top) == 1 and script.top[0].command is not None:
            command = script.top[0].command
            words = (command.words[0].text, *command.args) if command.words else ()
        return Start(words, True, script, nodes)


_last_read: tuple[Dockerfile, BuildContext, dict[int, StageReading]] | None = None

__all__ = ["Copied", "Refused", "StageReading", "Start", "Step", "is_within", "join", "upwards"]
