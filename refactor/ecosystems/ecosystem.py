"""What dockerfix knows of one language's tooling, as the codemods ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.ecosystems.answers import (
        Assets,
        Base,
        Behind,
        BuiltStart,
        Crossing,
        DirectStart,
        Install,
        Pruned,
        Rewrite,
        Slim,
        SplitPlan,
        StaticSite,
        Written,
    )
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.reading import StageReading, Step
    from refactor.syntax import Instruction


class Ecosystem:
    """One language. Every answer is a fact with its evidence, a :class:`Refused`, or None: nothing of mine here."""

    rooms: Mapping[str, str] = {}
    """Modules of the language's package -> the questions that functions of these names answer there. A module is loaded
    when it is asked; a function whose first parameter is called ``language`` gets the language itself, as a method."""
    name = ""
    programs: frozenset[str] = frozenset()
    """Names of its tools and interpreters; :meth:`effect` is asked about commands that call one."""
    tools: frozenset[str] = frozenset()
    """Names of other programs of which it knows the effect; a stage that calls them need not be of the language. "*" is
    any that no other language knows: one that its package manager installed by name."""
    system_packages: frozenset[str] = frozenset()
    """Packages of distributions that bring its tools and interpreter."""
    carries_builds = False
    """A split takes what builds of other languages make among the sources into the runner."""
    has_dependency_layers = False
    """A new command that :meth:`installs` names builds the dependencies, so that no cache is of use beside it."""
    versioned: frozenset[str] = frozenset()
    """Families of base images whose tags are versions of the language; NAMING of its module ``version`` says how the
    one of a project is found."""

    def __init_subclass__(cls) -> None:
        for room, questions in cls.__dict__.get("rooms", {}).items():
            for question in questions.split():
                setattr(cls, question, _answered(f"{cls.__module__}.{room}", question))

    def effect(self, call: Invocation) -> Effect | None:
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

    def own_scripts(self, reading: StageReading) -> Iterable[Rewrite | tuple[Step, Refused]]:
        """Installations that run scripts of the project, which need its sources: rewritten into one that reads the
        manifests alone, and the scripts after it."""
        return ()

    def production_install(self, reading: StageReading) -> Iterable[Rewrite | tuple[Step, Refused]]:
        """Installations that can be made reproducible or leave development dependencies out, where nothing in the
        stage (nor what is started) needs those."""
        return ()

    def handed_on(self, reading: StageReading) -> Sequence[Behind | tuple[Step, Refused]]:
        """Instructions that take development dependencies out of what an earlier stage hands on, behind its builds."""
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

    def base(self, reading: StageReading) -> Base | Refused | None:
        """The small image for the final stage where that is on an image for building, and builds nothing."""
        return None

    def split(self, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
        """How the only stage is taken apart into builder and runner; ``wish`` is the configured runner or None.

        None where the stage neither builds nor holds build-only packages.
        """
        return None

    def naming(self, family: str) -> Naming | None:
        """How the version of a base image of that family is found in a project; None where its tags are no versions of
        the language."""
        if family not in self.versioned:
            return None
        naming: Naming = import_module(f"{type(self).__module__}.version").NAMING
        return naming

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

    def serving(self, reading: StageReading) -> Serving | Refused | None:
        """The route by which the started program tells that it is well; None where it is not of this language."""
        return None

    def written(self, reading: StageReading) -> Written | Refused:
        """Where the program writes at run time, inside the image."""
        return Refused("where the program writes at run time is not known for this language")


def _answered(room: str, question: str) -> Callable[..., Any]:
    """A method that stands as a function in another module."""

    @cache
    def loaded() -> tuple[Callable[..., Any], bool]:
        function = getattr(import_module(room), question)
        return function, function.__code__.co_varnames[:1] == ("language",)

    def answer(self: Ecosystem, *given: Any) -> Any:
        function, is_method = loaded()
        return function(self, *given) if is_method else function(*given)

    return answer
