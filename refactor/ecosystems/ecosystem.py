"""What dockerfix knows of one language's tooling, as the codemods ask for it."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command, PackageCall
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation


class Install(NamedTuple):
    """One installation of the project's dependencies in a stage."""

    step: Step
    commands: tuple[Command, ...]
    """The consecutive commands of the step that belong to it (``pip install -r ...``; ``npm ci``)."""
    folder: str
    """Absolute image folder that it runs in."""
    manifests: tuple[str, ...]
    """Context paths of everything it reads: manifests, lockfiles, settings, files that install scripts open."""
    evidence: tuple[str, ...] = ()
    new_command: str = ""
    """Installs what ``step`` would else fetch while it builds (``go mod download``); ``commands`` is empty then."""


def installs_by_command(
    reading: StageReading, installs: Callable[[StageReading], Iterable[Install | tuple[Step, Refused]]]
) -> dict[int, Install]:
    """The installs of a stage by the identity of their commands, made once for a stage and a language."""

    def found() -> dict[int, Install]:
        own = [one for one in installs(reading) if isinstance(one, Install)]
        return {id(command): one for one in own for command in one.commands}

    return reading.remember(f"installs of {installs.__module__}", found)


class Rewrite(NamedTuple):
    """New text for one command of a RUN, with the reasons."""

    step: Step
    command: Command
    text: str
    """The shell text that takes the place of the command's span; "" removes it."""
    evidence: tuple[str, ...] = ()
    copy: tuple[Instruction, str, str] | None = None
    """A COPY, a source in it as written, and what is to be copied together with that, written the same way."""


class BuiltStart(NamedTuple):
    """How a program that is compiled at every start is built once instead."""

    cmd: Instruction
    """The CMD that compiles."""
    build: str
    """Shell text for a RUN of its own; "" where a RUN builds already."""
    words: tuple[str, ...]
    """What CMD starts then."""
    evidence: tuple[str, ...] = ()


class DirectStart(NamedTuple):
    """What a container starts by itself, in place of a tool that runs it."""

    node: Instruction
    """The CMD or ENTRYPOINT that calls the tool."""
    words: tuple[str, ...]
    """What it starts instead."""
    evidence: tuple[str, ...] = ()


class StaticSite(NamedTuple):
    """What a container serves that is nothing but files, made by a build."""

    cmd: Instruction
    """The CMD that serves them."""
    build: str
    """Shell text for a RUN of its own; "" where a RUN builds already."""
    folder: str
    """Absolute image folder that is served."""
    port: int
    is_single_page: bool
    """Addresses that name no file are answered with the start page."""
    hashed: tuple[str, ...] = ()
    """Folders below it whose files have a hash of their content in the name."""
    evidence: tuple[str, ...] = ()
    doubt: str = ""
    """What may differ between a build and what is served today; "" where nothing was found."""


class Assets(NamedTuple):
    """The front end of a program in another language, taken out of its stage."""

    image: str
    """What it is built on."""
    stage: tuple[Instruction | str, ...]
    """Its own stage after the FROM: nodes that are there too, moved ones, canonical text of new ones."""
    left: Mapping[Instruction, Instruction | None]
    """Instructions that lose what the front end needs, with what is left of them; None: nothing."""
    place: Instruction
    """The last one that builds: here the output is copied to where it was made."""
    outputs: tuple[str, ...]
    """Absolute paths that the builds make."""
    is_last: bool = False
    """What is left of ``place`` comes before the build, and so before its output."""
    evidence: tuple[str, ...] = ()


class Pruned(NamedTuple):
    """A command that takes development dependencies away again, behind a build that does not concern it."""

    sources: Instruction
    """The first COPY or ADD behind the install that brings the sources."""
    step: Step
    command: Command
    """Of ``step``; it reads nothing but what is there before ``sources``."""
    folders: tuple[str, ...]
    """Absolute image folders that hold the packages."""
    evidence: tuple[str, ...] = ()


class Slim(NamedTuple):
    """What a smaller variant of the same base image needs besides itself."""

    packages: tuple[str, ...] = ()
    """System packages that the program needs and the smaller image does not have."""
    evidence: tuple[str, ...] = ()


class Instead(NamedTuple):
    """Canonical text, or a spliced instruction, that takes the place of a node, below the same comments."""

    node: Instruction
    text: str | Instruction


class SplitPlan(NamedTuple):
    """A stage taken apart. Entries are nodes of the stage, kept byte for byte, or canonical text of new ones.

    A node may stand in both lists (ENV, ARG, WORKDIR that build and program need); nodes keep their order. The codemod
    ``split-build-stage`` adds the FROM lines and keeps comments with the node that they stand above. Made by
    :func:`refactor.ecosystems.split.assemble`.
    """

    builder: tuple[Instruction | str | Instead, ...]
    runner_image: str
    runner: tuple[Instruction | str | Instead, ...]
    """Everything of the runner after its FROM, in order, the configuration included."""
    evidence: tuple[str, ...] = ()
    builder_image: str | None = None
    """Another name of the builder's image (``golang:1.26-trixie`` for ``golang:1.26``), None for the one written."""
    sets_user: bool = False
    """The runner starts as another user than the stage did."""
    sets_workdir: bool = False
    """The runner names the working directory that the stage had from its base image."""


class Crossing(NamedTuple):
    """How a builder compiles on its own platform for the one that the image is built for."""

    commands: tuple[tuple[Step, Command, str], ...]
    """Those that compile, each with the shell text to put in front of it: variables of the compiler by BuildKit's
    TARGETOS and TARGETARCH, and a blank."""
    outputs: tuple[str, ...]
    """Absolute image paths of what is made for the other platform: it cannot run in the builder."""
    evidence: tuple[str, ...] = ()


class Written(NamedTuple):
    """Absolute image paths that the program writes to when it runs."""

    paths: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    """Those of ``paths`` that a RUN fills with files of its own, such as the output of a build."""
    fillers: tuple[Instruction, ...] = ()
    """RUNs that run the program itself, and so make files that it changes later (a database)."""
    ports: tuple[int, ...] = ()
    """Ports that its sources listen on, as far as they spell them out."""
    caches: tuple[str, ...] = ()
    """Those of ``paths`` into which a build puts a few small files that the program changes (Rails' ``tmp/cache``)."""


class Ecosystem:
    """One language. Every answer is a fact with its evidence, a :class:`Refused`, or None: nothing of mine here."""

    name = ""
    programs: frozenset[str] = frozenset()
    """Names of its tools and interpreters; :meth:`effect` is asked about commands that call one."""
    system_packages: frozenset[str] = frozenset()
    """Packages of distributions that bring its tools and interpreter."""
    carries_builds = False
    """A split takes what builds of other languages make among the sources into the runner."""
    has_dependency_layers = False
    """A new command that :meth:`installs` names builds the dependencies, so that no cache is of use beside it."""

    def effect(self, call: "Invocation") -> "Effect | None":
        """What one of its tools does to the files of the image; None where that is none of its own."""
        return None

    def recognises(self, reading: StageReading) -> bool:
        """Whether this stage installs, builds or runs programs of the language. Reads no file of the context."""
        raise NotImplementedError

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        """The dependency installations of the stage, each with all files it reads, or why that is not known."""
        return ()

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        """How the final stage starts what a build of its own makes, where it compiles at every start today."""
        return None

    def direct_start(self, reading: StageReading) -> DirectStart | Refused | None:
        """The program behind a script that CMD or ENTRYPOINT of the stage calls by a package manager."""
        return None

    def production_server(self, reading: StageReading) -> DirectStart | Refused | None:
        """What serves the application that CMD or ENTRYPOINT starts by a development server, or with reloading."""

    def static_site(self, reading: StageReading) -> StaticSite | Refused | None:
        """What the only stage serves by a development or file server, where that is files of a build."""
        return None

    def assets(self, reading: StageReading) -> Assets | Refused | None:
        """How a front end that is built beside a program of another language gets a stage of its own; None where there
        is none, or where it is what the container runs."""
        return None

    def interpreters(self, reading: StageReading) -> Mapping[str, str] | Refused:
        """Programs of other languages that its programs look for when they start -> where that is seen."""
        return {}

    def left_behind(self, reading: StageReading) -> tuple[str, ...] | Refused | None:
        """The folders of packages that its tools bring into a stage whose container runs no program of the language,
        where nothing reads them at run time; None where it runs one."""
        return None

    def own_scripts(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        """Installations that run scripts of the project, which need its sources: rewritten into one that reads the
        manifests alone, and the scripts after it."""
        return ()

    def production_install(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        """Installations that can be made reproducible or leave development dependencies out, where nothing in the
        stage (nor what is started) needs those."""
        return ()

    def pruned(self, reading: StageReading) -> Pruned | tuple[Step, Refused] | None:
        """Packages that a builder prunes at each build, though only the manifests decide on them."""
        return None

    def crossing(self, reading: StageReading) -> Crossing | Refused | None:
        """How a stage that builds programs compiles them for another platform than it runs on."""
        return None

    def slim(self, reading: StageReading) -> Slim | Refused | None:
        """What the program of the final stage needs from a smaller variant of its base image."""
        return None

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        """How the only stage is taken apart into builder and runner; ``runner`` is the configured wish or None.

        None where the stage neither builds nor holds build-only packages.
        """
        return None

    def naming(self, family: str) -> "Naming | None":
        """How the version of a base image of that family is found in a project; None where its tags are no versions of
        the language."""
        return None

    def tests(self, reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
        """What a stage from the builder of ``plan`` does to run the project's tests: instructions of the stage that is
        split, or canonical text of new ones."""
        return Refused("how tests are run is not known for this language")

    def program(self, reading: StageReading) -> tuple[str, ...] | Refused:
        """Context paths of the sources of what a container of the stage starts, each found and read without a fault.

        () where nothing that is started is of this language.
        """
        return ()

    def probe(self, reading: StageReading, route: str, port: int) -> tuple[str, ...]:
        """A command in exec form that fails where the route does not answer, by the interpreter that the image has;
        () without one."""
        return ()

    def serving(self, reading: StageReading) -> "Serving | Refused | None":
        """The route by which the started program tells that it is well; None where it is not of this language."""
        return None

    def written(self, reading: StageReading) -> Written | Refused:
        """Where the program writes at run time, inside the image."""
        return Refused("where the program writes at run time is not known for this language")


__all__ = [
    "Assets",
    "BuiltStart",
    "Crossing",
    "DirectStart",
    "Ecosystem",
    "Install",
    "Instead",
    "PackageCall",
    "Pruned",
    "Rewrite",
    "Slim",
    "SplitPlan",
    "StaticSite",
    "Written",
]
