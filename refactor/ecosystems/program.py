"""A started program, what it needs, and what a language has to say for its stage to be taken apart."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from refactor.flow.reading import Refused, StageReading, is_within
from refactor.flow.roots import Root

if TYPE_CHECKING:
    from refactor.ecosystems.answers import Written
    from refactor.ecosystems.runner_packages import RunnerPackages
    from refactor.ecosystems.split import Role
    from refactor.flow.effects import Invocation
    from refactor.flow.graph import Act, Flow
    from refactor.syntax import Instruction


class Program(NamedTuple):
    """What a container starts, seen as a program of the language."""

    root: Root
    path: str
    """Absolute, where it is started; "" where what it needs names it."""
    act: "Act | None"
    """The command of the language that made it; None for a file of the build context."""
    made: str
    """Absolute path that ``act`` made it at; the context path where there is none."""
    reading: StageReading
    """The stage of the start command."""
    flow: "Flow"
    unpacked: str = ""
    """The folder into which a command of the system unpacked it, out of what ``act`` made; "" where none did."""

    @property
    def call(self) -> "Invocation | None":
        """That command as it is called."""
        return None if self.act is None else self.act.call

    @property
    def origin(self) -> StageReading:
        """The stage that it is made in."""
        return self.reading if self.act is None else self.act.step.reading

    @property
    def folders(self) -> tuple[str, ...]:
        """Context folders (and files) that the command which made it reads; its own folder where there is none."""
        return (posixpath.dirname(self.made),) if self.act is None else self.flow.sources(self.act)


class Needs(NamedTuple):
    """What a program needs when it runs, besides the system's C library."""

    paths: Mapping[str, str] = {}
    """Absolute paths in the image of the stage that starts it -> why."""
    programs: Mapping[str, str] = {}
    """Programs that it calls by name -> where."""
    packages: Mapping[str, str] = {}
    """System packages of the runner's distribution -> why."""
    is_static: bool = False
    """It needs no C library either."""
    shell: tuple[str, ...] = ()
    """Why the runner has to have a shell, as far as the stage says so; filled in where a stage is taken apart."""
    evidence: tuple[str, ...] = ()
    linked_by: str = ""
    """Why it needs the C library, where that is known."""
    is_cpp: bool = False
    """It may be linked with the C++ library."""
    edits: tuple[tuple["Instruction", int, str], ...] = ()
    """What the build commands get so that the program is as it is said here: RUN, offset in its argument, text."""
    before: tuple[tuple["Instruction", str], ...] = ()
    """What stands in front of build commands that are not to be edited, as instructions of the builder."""
    names_downloads: bool = False
    """``paths`` and ``programs`` have all that it may use of what a RUN fetches."""
    variables: frozenset[str] = frozenset()
    """Environment variables that its sources name, among those that the language's tools read as well."""
    files: frozenset[str] = frozenset()
    """Those of ``paths`` that are copied as single files into their folder, each in its turn."""
    chosen: tuple[str, ...] = ()
    """Folders of which ``paths`` has all that the program needs: nothing else of them goes along. Of "/" only itself
    counts, as the target of a COPY."""
    owner: str = ""
    """Who gets what is copied of the ``chosen`` folders, as ``--chown`` takes it."""

    left: str = r"(?!)"
    """Pattern of the absolute paths that only the build has a use for: archives, and the sources that came in them."""
    linker_cache: str = ""
    """Why the runner has to run ``ldconfig`` on what is copied."""

    def is_elsewhere(self, folder: str) -> bool:
        """Part of the application lies outside of the folder that the program starts in: named alike, all of it is."""
        return any(not is_within(chosen, folder) for chosen in self.chosen)

    def is_chosen(self, path: str) -> bool:
        return any(path == folder or (folder != "/" and is_within(path, folder)) for folder in self.chosen)


class Runner(NamedTuple):
    """The image of a runner stage."""

    image: str
    builder: str | None = None
    """Another name for the builder's image, so that both stay on one release; None for the one written."""
    has_shell: bool = True
    evidence: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    """Instructions that come first in the runner."""
    installs: tuple[str, ...] = ()
    """Instructions in front of the copies that make some of what the program needs anew: ``made``."""
    made: frozenset[str] = frozenset()
    tail: tuple[str, ...] = ()
    """Shell commands that the builder runs last."""


def project_folder(program: Program, manifest: str) -> tuple[str, str] | Refused:
    """The folder of an interpreted program's project: context path and image path. It is the nearest one above the
    program with the manifest; without any the folder that is copied as a whole with the program in it."""
    from refactor.flow.places import source_of

    reading = program.reading
    # A task of a framework may write anywhere in the project: what it was copied from counts.
    made = program.made if program.act is None else source_of(reading, program.path) or _beside(program)
    if made is None:
        return Refused(f"{program.path} is not copied from the build context", "copy the project as one folder")
    own = posixpath.dirname(made)
    root = own
    while root and reading.context.exists(posixpath.join(root, manifest)) is not True:
        root = posixpath.dirname(root)
    if reading.context.exists(posixpath.join(root, manifest)) is not True:
        whole = [one.source for one in reading.copies if one.is_folder]
        whole = [source for source in whole if not source or f"{own}/".startswith(f"{source}/")]
        root = min(whole, key=len) if whole else own
    rest = posixpath.relpath(made, root or ".")
    if not program.path.endswith("/" + rest):
        return Refused(f"{program.path} is copied away from its project", "copy the project as one folder")
    place = program.path[: -len(rest) - 1] or "/"
    if place == "/":
        return Refused("the application lies in /, among the system's own files", "set a WORKDIR, /app say")
    return root, place


def _beside(program: Program) -> str | None:
    """Where in the context a program would lie that a task of the project makes among its sources."""
    from refactor.flow.places import source_of

    folder = program.act.call.folder if program.act is not None and program.act.call is not None else None
    source = None if folder in {None, "/"} else source_of(program.reading, folder or "/")
    if source is None or not program.path.startswith(f"{folder}/"):
        return None
    return posixpath.join(source, program.path[len(f"{folder}/") :])


class Sliced(Protocol):
    """What :func:`refactor.ecosystems.slicing.split` asks of a language."""

    @property
    def name(self) -> str: ...
    @property
    def programs(self) -> frozenset[str]: ...
    @property
    def sources(self) -> str: ...
    @property
    def build_packages(self) -> frozenset[str]: ...
    @property
    def build_variables(self) -> str: ...
    @property
    def tool_folders(self) -> str: ...
    @property
    def fetched_stand_alone(self) -> bool: ...
    def flow(self, reading: StageReading) -> "Flow": ...
    def acts(self, reading: StageReading) -> "tuple[Act, ...]": ...
    def roots(self, reading: StageReading) -> tuple[Root, ...] | Refused: ...
    def programs_of(self, reading: StageReading) -> tuple[Program, ...] | Refused: ...
    def needs(self, program: Program) -> Needs | Refused: ...
    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused: ...
    def why_not_split(self, reading: StageReading, program: Program) -> Refused | None: ...
    def written(self, reading: StageReading) -> "Written | Refused": ...
    def stays_inside(self, act: "Act") -> bool: ...
    def roles(
        self, reading: StageReading, roles: "dict[Instruction, Role]", packages: "RunnerPackages"
    ) -> "dict[Instruction, Role] | Refused": ...


__all__ = ["Needs", "Program", "Runner", "Sliced", "project_folder"]
