"""What a language answers: records of facts and plans, read by the codemods that asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.flow.graph import Act


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
    from_manifests: str = ""
    """Text of the last of ``commands`` that leaves the project itself out (``poetry install --no-root``): the command
    is run again, as it is written, where the sources are there."""


def ahead(act: Act, folder: str, manifests: tuple[str, ...], commands: Iterable[str], what: str) -> Install:
    """New commands in front of one that would else do it all again after every edit of the sources: ``fetch all
    packages``."""
    said = f"`{act.text}` on line {act.step.line} would {what} again after every edit"
    return Install(act.step.step, (), folder, manifests, (said,), " \\\n    && ".join(commands))


def why_not_ahead(
    context: BuildContext, folders: Iterable[str], moves: str | None = None, fetch: str = "", lock: str = ""
) -> Refused | None:
    """Why packages that are fetched in front of the copy of the sources may not be those of the image in the end: one
    of the ``folders`` that they are put into is copied as well; or another ``lock`` is written, as ``moves`` says,
    than the one that ``fetch`` would have left in the build context."""
    own = next((path for path in folders if context.exists(path) is True), None)
    if own is not None:
        because = f"{own} lies in the build context, and a later copy would put it over the packages of the image"
        return Refused(because, f"add {own} to .dockerignore")
    if moves is not None:
        because = f"{moves}: it is written anew, and a later copy puts the old one back"
        return Refused(because, f"run `{fetch}`, and commit {lock}")
    return None


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


class Behind(NamedTuple):
    """An instruction that follows a step, with the reasons."""

    step: Step
    text: str
    """Canonical text."""
    evidence: tuple[str, ...] = ()


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
    not_found: bool = False
    """Addresses that name no file are answered with 404.html, where the build makes one."""
    what: str = "a development or file server ships Node and all packages to hand out a few files"
    """What is bad about the server today."""


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


class Base(NamedTuple):
    """A small image for a final stage that is on one for building, and builds nothing."""

    image: str
    instructions: tuple[str, ...] = ()
    """Canonical text of what follows its FROM."""
    instead: Mapping[Instruction, str] = {}
    """Instructions that name variables of the larger image, without them."""
    evidence: tuple[str, ...] = ()
    sets_workdir: bool = False
    """They name the working directory that the stage had from the larger image."""


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

    def besides(self, folders: Mapping[str, str]) -> Written:
        """The same with folders that no call names -> why: they come first."""
        paths = tuple(dict.fromkeys([*folders, *self.paths]))
        return self._replace(paths=paths, evidence=(*folders.values(), *self.evidence))
