"""Where the commands of a stage keep what they compiled, and whether a cache mount may take its place.

A cache mount hides what lies at its target from every step without it, and from ``COPY --from``. So it is only right
for what nobody but the compiler itself looks for again: Go's build cache, which is filled anew where it is empty; and
the repositories of build tools where one RUN alone uses them.
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.cache_places import Kept, Place, is_mounted as is_covered, place_of, target_of
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.images import BaseImage
from refactor.shell import Command, PackageCall
from refactor.syntax import Dockerfile, Instruction, Stage


class CompileCache(NamedTuple):
    """The compile cache of one RUN."""

    step: Step
    commands: tuple[Command, ...]
    """Those of the step that use it."""
    folder: str
    """Absolute path in the image."""
    mount: str
    """Value of ``--mount``."""
    is_mounted: bool
    """A mount of the RUN covers the folder already."""
    evidence: tuple[str, ...]


class _Tool(NamedTuple):
    title: str
    verbs: frozenset[str]
    """What compiles (`PackageCall.action`, or the verb itself)."""
    variable: str
    """Names the folder; ``below`` is then counted from there."""
    default: str
    """The folder without that variable; ``~`` is the user's home."""
    below: str = ""
    elsewhere: str = r"(?!)"
    """Options that name another folder, or make the cache useless."""
    is_locked: bool = False
    """Two builds at once must not share it."""
    is_filled_anew: bool = False
    """No command needs what another one left there."""
    since: tuple[int, ...] = ()


# Go: `go help cache` (since 1.10). Maven and Gradle lock their folders between processes of one machine only, so two
# containers take turns. NuGet's global packages folder and cargo's registry are made for several processes at once.
_TOOLS = {
    "go": _Tool("go", frozenset({"build", "install", "run", "test", "vet", "generate"}), "GOCACHE",
                "~/.cache/go-build", elsewhere=r"\bgo env -w\b", is_filled_anew=True, since=(1, 10)),
    "mvn": _Tool("Maven", frozenset({"build", "install", "test"}), "", "~/.m2/repository",
                 elsewhere=r"maven\.repo\.local|(?<!\S)(?:-o|--offline)(?!\S)", is_locked=True),
    "gradle": _Tool("Gradle", frozenset({"build", "test"}), "GRADLE_USER_HOME", "~/.gradle",
                    elsewhere=r"(?<!\S)(?:-g|--gradle-user-home|--offline)(?![\w-])", is_locked=True),
    "dotnet": _Tool("dotnet", frozenset({"publish"}), "NUGET_PACKAGES", "~/.nuget/packages",
                    elsewhere=r"--no-restore|--no-build|--packages"),
    "cargo": _Tool("cargo", frozenset({"build"}), "CARGO_HOME", "~/.cargo", below="registry",
                   elsewhere=r"--offline|--frozen"),
}  # fmt: skip
_NO_CACHE = r"(?<!\S)-a(?!\S)"


def compile_caches(reading: StageReading) -> Iterator[CompileCache | tuple[Step, Refused]]:
    """The compile cache of each RUN that an edit of the sources runs again, or why it gets no mount."""
    for step in reading.runs:
        for manager in dict.fromkeys(call.manager for call in step.calls if call.manager in _TOOLS):
            calls = _compiling(step, manager)
            if not calls or _is_old(reading.image, manager):
                continue
            if facts_of(reading.file, reading.context).sees_sources(reading, step):
                answer = _of(reading, step, manager, calls)
                yield (step, answer) if isinstance(answer, Refused) else answer


def _is_remote(call: PackageCall) -> bool:
    """`go install example.org/tool@v1` compiles nothing of the project."""
    return call.manager == "go" and any("@" in word.literal for word in call.operands)


def _is_old(image: BaseImage | None, manager: str) -> bool:
    since = _TOOLS[manager].since
    if image is None or not since or image.family != "golang":
        return False
    numbers = tuple(int(part) for part in image.version.split(".") if part.isdigit())
    return len(numbers) > 1 and numbers < since


class StageFacts:
    """What is asked about all stages of a file, found out once."""

    def __init__(self, file: Dockerfile, context: BuildContext) -> None:
        self.readings = [StageReading.of(file, stage, context) for stage in file.stages]
        self.roots: list[int] = []
        """Index of the stage that a stage is built on in the end."""
        self.has_sources: list[bool] = []
        """Something of the build context is in the stage, or in one that it is built on."""
        self.ahead: list[Step | None] = []
        """A RUN that compiles before that, there or below."""
        self.users: dict[tuple[int, str], list[Step]] = {}
        """The RUNs that call a tool, by root and tool."""
        self.copies: dict[int, list[Instruction]] = {}
        """The ``COPY --from`` of each stage."""
        for reading in self.readings:
            parent = None if reading.parent is None else reading.parent.index
            self.roots.append(reading.stage.index if parent is None else self.roots[parent])
            self.has_sources.append(bool(reading.copies) or (parent is not None and self.has_sources[parent]))
            self.ahead.append(None if parent is None else self.ahead[parent])
            for step in reading.steps:
                self._read(file, reading, step)
        self.shipped: set[int] = set()
        for stage in (*file.stages[-1:], *(one for one in file.stages if one.name in context.deployment.targets)):
            at: Stage | None = stage
            while at is not None and at.index not in self.shipped:
                self.shipped.add(at.index)
                at = self.readings[at.index].parent

    def _read(self, file: Dockerfile, reading: StageReading, step: Step) -> None:
        index = reading.stage.index
        origin = step.node.flag("from") if step.keyword == "COPY" else None
        stage = file.stage(origin) if origin else None
        if stage is not None:
            self.copies.setdefault(stage.index, []).append(step.node)
        for manager in dict.fromkeys(call.manager for call in step.calls if call.manager in _TOOLS):
            self.users.setdefault((self.roots[index], manager), []).append(step)
            if self.ahead[index] is None and _compiling(step, manager) and not self.sees_sources(reading, step):
                self.ahead[index] = step

    def sees_sources(self, reading: StageReading, step: Step) -> bool:
        """Something of the build context is there when the step runs."""
        parent, position = reading.parent, reading.position(step.node)
        return (
            any(target_of(reading, step, value, "bind") is not None for value in step.node.flag_values("mount"))
            or (parent is not None and self.has_sources[parent.index])
            or any(reading.position(copied.node) < position for copied in reading.copies[:1])
        )

    def family(self, reading: StageReading) -> Iterator[Step]:
        """Every step of the stages that are built on the same one."""
        root = self.roots[reading.stage.index]
        return (step for one in self.readings if self.roots[one.stage.index] == root for step in one.steps)


@lru_cache(maxsize=1)
def facts_of(file: Dockerfile, context: BuildContext) -> StageFacts:
    """The same for all who ask about a file."""
    return StageFacts(file, context)


def _compiling(step: Step, manager: str) -> list[PackageCall]:
    """The calls of a step that compile the project."""
    verbs = _TOOLS[manager].verbs
    calls = [call for call in step.calls if call.manager == manager and {call.action, call.verb} & verbs]
    return [call for call in calls if not _is_remote(call)]


def _of(reading: StageReading, step: Step, manager: str, calls: Sequence[PackageCall]) -> CompileCache | Refused:
    tool, line = _TOOLS[manager], reading.file.line_of(step.node)
    place = _place(reading, step, manager)
    if isinstance(place, Refused):
        return place
    folder, owner = place
    is_mounted = is_covered(reading, step, folder)
    commands = tuple(call.command for call in calls)
    mount = f"type=cache,target={folder}{owner}{',sharing=locked' if tool.is_locked else ''}"
    if not is_mounted:
        reason = (
            _why_in_a_layer(reading, step)
            or _why_not_used(reading, step, manager, calls)
            or _why_not_hidden(reading, step, manager, folder)
            or why_not_shipped(reading, step)
        )
        if reason is not None:
            return reason
    evidence = (f"line {line} runs {tool.title}, which keeps what it can use again in {folder}",)
    return CompileCache(step, commands, folder, mount, is_mounted, evidence)


def _place(reading: StageReading, step: Step, manager: str) -> Place | Refused:
    tool, image = _TOOLS[manager], reading.image
    default = tool.default
    if manager == "gradle" and image is not None and image.family == "gradle":
        default = "/home/gradle/.gradle"
    variables = ((tool.variable, tool.below),) if tool.variable else ()
    return place_of(reading, step, Kept(tool.title, default, variables, tool.below))


def _why_not_used(reading: StageReading, step: Step, manager: str, calls: Sequence[PackageCall]) -> Refused | None:
    """The command would not look into the folder, or not find anything of use there."""
    tool, line, text = _TOOLS[manager], reading.file.line_of(step.node), step.node.argument
    elsewhere = tool.elsewhere + (rf"|\b{tool.variable}=" if tool.variable else "")
    found = re.search(rf"{elsewhere}|\b(?:HOME|XDG_CACHE_HOME)=", text)
    if found is not None:
        return Refused(f"line {line} has {found[0].strip()}: {tool.title} looks for its cache elsewhere, or for none")
    if manager == "go" and any(re.search(_NO_CACHE, text[slice(*call.command.span)]) for call in calls):
        return Refused(
            f"`-a` on line {line} has every package compiled again, whatever a cache holds",
            "remove -a: go build knows by itself what changed",
        )
    return None


def _why_in_a_layer(reading: StageReading, step: Step) -> Refused | None:
    """The dependencies are fetched and built in a layer of their own, which a mount would hide."""
    from refactor.ecosystems import recognise
    from refactor.ecosystems.answers import Install

    for language in recognise(reading):
        for install in language.installs(reading) if language.has_dependency_layers else ():
            if isinstance(install, Install) and install.new_command and install.step is step:
                line = reading.file.line_of(step.node)
                return Refused(f"what line {line} fetches goes to a layer of its own, from the manifests alone")
    return None


def _why_not_hidden(reading: StageReading, step: Step, manager: str, folder: str) -> Refused | None:
    """Somebody else needs, or removes, what lies in the folder."""
    tool, file, line = _TOOLS[manager], reading.file, reading.file.line_of(step.node)
    for command in step.commands:
        gone = command.name == "rm" and any(
            is_within(folder, join(step.workdir, arg.rstrip("/*") or "/")) or ".cache" in arg for arg in command.args
        )
        if gone or (command.name == "go" and "clean" in command.args and "-cache" in command.args):
            return Refused(
                f"line {line} empties the cache, which a mount keeps", "remove that: a mount is no part of the image"
            )
    whole = facts_of(file, reading.context)
    for node in whole.copies.get(reading.stage.index, ()):
        for source in node.sources:
            if is_within(folder, join("/", source)):
                return Refused(f"line {file.line_of(node)} copies {source} from this stage, and the cache with it")
    if tool.is_filled_anew:
        ahead = whole.ahead[reading.stage.index]
        return None if ahead is None else Refused(
            f"line {file.line_of(ahead.node)} compiles ahead, for line {line} to use: a mount would hide it"
        )  # fmt: skip
    for other in whole.users[whole.roots[reading.stage.index], manager]:
        if other is not step:
            other_line = file.line_of(other.node)
            return Refused(
                f"line {other_line} runs {tool.title} as well: what one of them puts into {folder} the other one reads"
            )
    named = posixpath.basename(folder) if manager == "gradle" else folder
    for other in whole.family(reading):
        if other.keyword in {"RUN", "COPY", "ADD"} and named in other.node.argument:
            return Refused(f"line {file.line_of(other.node)} works with {named}, which a mount would hide")
    return None


def why_not_shipped(reading: StageReading, step: Step) -> Refused | None:
    """What the image starts may compile again, with what the step left behind."""
    if reading.stage.index not in facts_of(reading.file, reading.context).shipped:
        return None
    return Refused(
        f"the image that line {reading.file.line_of(step.node)} compiles in is the one that is shipped, and what it"
        " starts may compile again",
        "build in a stage of its own",
    )


__all__ = ["CompileCache", "StageFacts", "compile_caches", "facts_of", "why_not_shipped"]
