"""A language as a table on the flow: the base of every language that is written down by its tools and its needs alone.

What a language says: the images that are made for it, the effects of its commands, which word of a start command is a
program of its own, and what such a program needs when it runs. What follows from that for any language (manifests
first, split, the program's sources, rebuilds) is here and in :mod:`refactor.ecosystems.slicing`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from refactor.context import Unknown
from refactor.ecosystems import registry
from refactor.ecosystems.ecosystem import Ecosystem
from refactor.flow.reading import Refused, StageReading, Step, is_within

if TYPE_CHECKING:
    from refactor.ecosystems.answers import Base, DirectStart, Install, SplitPlan, Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.ecosystems.runner_packages import RunnerPackages
    from refactor.ecosystems.split import Role
    from refactor.flow.effects import Effect, Invocation, Path
    from refactor.flow.graph import Act, Flow, Maker
    from refactor.flow.roots import Root
    from refactor.syntax import Instruction

_MAX_SOURCES = 5_000
_FOR_BUILDING = frozenset({"sdk", "jdk", "jdk-alpine"})


class Language(Ecosystem):
    """One language on the flow; see README.md beside this file for how to write one."""

    carries_builds = True
    families: frozenset[str] = frozenset()
    """Base images that are made for it, by :attr:`BaseImage.family`."""
    compilers: frozenset[str] = frozenset()
    """Those of which no program of the language needs anything when it runs."""
    programs: frozenset[str] = frozenset()
    """Names of its tools and interpreters; a RUN or a start command that calls one is of this language."""
    sources: str = r"(?!)"
    """Pattern of the context paths of source files, without those that only its tests use."""
    manifest = ""
    """Of an interpreted language: a file of the folder that holds a whole project. A program is that project."""
    other_folders: tuple[str, ...] = ()
    """Names of folders whose files its programs do not run."""
    development_server: tuple[str, str, str] = (r"(?!)", "", "")
    """Pattern of a start command, what that starts for development, and what is started instead."""
    compiles: str = r"(?!)"
    """Pattern of the start commands that compile a program each time, the tool without its folder."""
    compiling = "compiles at every start"
    """What is bad about them."""
    build_once = ""
    """What to do instead."""
    build_packages: frozenset[str] = frozenset()
    """System packages that only its builds use."""
    tool_folders: str = r"(?!)"
    """Pattern of the folders that its tools work in: a runner gets nothing of them but what is asked for by name."""
    fetched_stand_alone = False
    """Programs that a RUN fetches are taken to need nothing of the image but its C library."""
    build_variables: str = r"(?!)"
    """Pattern of the names of variables that only its tools read."""

    # What each language says

    def effect(self, call: Invocation) -> Effect | None:
        """The effect of one of its tools; None for commands that are none.

        An install is a command that needs the ``network`` and reads files, each by name; one that reads a folder
        builds. Paths come from ``call.path``, which follows ``cd`` and variables. Leave out what goes to caches.
        """
        raise NotImplementedError

    def roots(self, reading: StageReading) -> tuple[Root, ...] | Refused:
        """What a container starts. To be widened where the base image's own CMD starts programs of the language."""
        from refactor.flow.roots import roots_of

        return roots_of(reading)

    def entry(self, root: Root) -> str | Refused | None:
        """The file that a started command runs as a program of the language, as written (``java -jar app.jar``); the
        program itself for compiled ones. None where it cannot be one, refused where it must not be split."""
        return self.why_compiles(root) or (None if root.name in self.programs else root.words[0])

    def why_compiles(self, root: Root) -> Refused | None:
        """A start command that builds the program first."""
        shown = " ".join(root.words)
        if re.match(self.compiles, " ".join((root.name, *root.words[1:]))) is None:
            return None
        return Refused(f"{root.where} starts `{shown}`, which {self.compiling}", self.build_once)

    def needs(self, program: Program) -> Needs | Refused:
        """What the program needs at run time, its own file aside."""
        files = self.sources_of(program)
        needs = files if isinstance(files, Refused) else self.needs_of(program, files)
        if isinstance(needs, Refused) or not program.unpacked:
            return needs
        why = f"what {program.path} needs was unpacked there with it"
        return needs._replace(paths={**needs.paths, program.unpacked: why})

    def needs_of(self, program: Program, files: Sequence[str]) -> Needs | Refused:
        """The same, by the context paths of its sources."""
        raise NotImplementedError

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        """Where it writes; ``files`` are the context paths of its sources."""
        return Refused(f"where {self.name} programs write is not read from their sources yet")

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        """The image that carries it; by default the slim one of an interpreter; for programs the small one of the same
        distribution and release, or, for a compiled one that needs none, an image without a distribution."""
        from refactor.ecosystems.runners import for_program, interpreted, small_system

        if self.manifest:
            return interpreted(reading, wish, self.name)
        return for_program(reading, needs, wish) if self.compilers else small_system(reading, wish)

    def production_server(self, reading: StageReading) -> DirectStart | Refused | None:
        pattern, what, instead = self.development_server
        if reading.start is None or re.search(pattern, reading.start.text) is None:
            return None
        return Refused(f"the container starts {what}, a development server", instead)

    def why_not_split(self, reading: StageReading, program: Program) -> Refused | None:
        """What of the project keeps its stage from being taken apart, such as a plugin that starts a server."""
        return None

    def stays_inside(self, act: Act) -> bool:
        """What is not known of the command concerns only folders of which the program's needs are chosen."""
        return False

    def roles(
        self, reading: StageReading, roles: dict[Instruction, Role], packages: RunnerPackages
    ) -> dict[Instruction, Role] | Refused:
        """The roles of RUN, COPY and ADD where its stage is taken apart, as the language wants them."""
        return roles

    # What follows

    def script(self, root: Root, words: Sequence[str], inline: str, valued: Collection[str]) -> str | Refused | None:
        """The file that an interpreter is started with, by its own words: ``inline`` is the option that has a program
        as its value, ``valued`` those with other values."""
        if inline in words:
            return Refused(f"{root.where} starts a program that it names by {inline}", "put it in a file")
        named = (word for before, word in pairwise(words) if not word.startswith("-") and before not in valued)
        return next(named, None)

    def recognises(self, reading: StageReading) -> bool:
        found = reading.facts.get(_AT_WORK)
        return self.name in (_at_work(reading) if found is None else found)  # type: ignore[operator]

    def is_at_work(self, reading: StageReading) -> bool:
        """Whether the stage itself, apart from those that it comes from, is of the language; asked where a program or
        an image of it is seen."""
        if reading.image is not None and reading.image.family in self.families:
            return True
        return not self.programs.isdisjoint(reading.programs)

    def flow(self, reading: StageReading) -> Flow:
        """The graph of the file that a stage is of."""
        return registry.flow_of(reading.file, reading.context)

    def acts(self, reading: StageReading) -> tuple[Act, ...]:
        """The commands of the stage that are the language's."""
        # The names alone need no graph.
        if self.programs.isdisjoint(reading.programs) and not reading.has_heredocs:
            return ()
        return tuple(act for act in self.flow(reading).acts(reading) if act.effect.by == self.name)

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        if reading.context.why_unknown is not None:
            return ()
        return tuple(self.installed(reading))

    def installed(self, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
        """As :meth:`installs`, where the build context is known: the commands that fetch and read files by name."""
        from refactor.ecosystems.answers import Install

        flow = self.flow(reading)
        for step in flow.steps(reading):
            own = [act for act in step.acts if act.effect.by == self.name]
            # Tools by name (`gem install bundler`) read nothing; what follows them may.
            first = next((at for at, act in enumerate(own) if "network" in act.effect.needs and act.effect.reads), None)
            if first is None or any(self._is_build(flow, act) for act in own[: first + 1]):
                continue
            manifests = self.manifests_of(own[first], own[first].effect.reads)
            # Settings of the tool (`bundle config`) that stand in front belong to the install.
            calls = [act.call for act in own[: first + 1] if act.call is not None]
            if isinstance(manifests, Refused):
                yield step.step, manifests
            elif manifests:
                commands = tuple(call.command for call in calls)
                read = f"`{own[first].text}` on line {step.line} reads {', '.join(manifests)}"
                yield Install(step.step, commands, calls[-1].folder or "/", manifests, (read,))

    def manifests_of(self, act: Act, reads: Sequence[Path]) -> tuple[str, ...] | Refused:
        """The context paths of ``reads``, which a command or a part of it reads by name."""
        unknown = next((path for path in reads if isinstance(path, Unknown)), None)
        if unknown is not None:
            because = f"what line {act.step.line} reads is not known: {unknown.reason}"
            return Refused(because, "name the files as text")
        return self.flow(act.step.reading).sources(act, reads)

    def _is_build(self, flow: Flow, act: Act) -> bool:
        return any(flow.context.is_dir(path) is True or path == "" for path in flow.sources(act))

    def programs_of(self, reading: StageReading) -> tuple[Program, ...] | Refused:
        """The programs of the language that a container of the stage starts."""
        from refactor.flow.roots import health_roots

        roots = self.roots(reading)
        if isinstance(roots, Refused):
            return roots
        found: list[Program] = []
        for root in roots:
            word = self.entry(root)
            program = self._program(reading, root, word) if isinstance(word, str) else word
            if isinstance(program, Refused):
                return program
            if program is not None:
                found.append(program)
        for root in health_roots(reading) if found else ():
            # `server -health`, or a program of its own that is built for it.
            program = self._program(reading, root, root.words[0])
            if not isinstance(program, Refused) and program is not None and program.act is not None:
                found.append(program)
        return tuple(found)

    def _program(self, reading: StageReading, root: Root, word: str) -> Program | Refused | None:
        from refactor.ecosystems.program import Program
        from refactor.flow.roots import places_of

        flow = self.flow(reading)
        for place in places_of(reading, root, word):
            maker = flow.trace(reading, place)
            if maker is None:
                continue
            if maker.kind == "context":
                if re.search(self.sources, maker.path) is not None:
                    return Program(root, place, None, maker.path, reading, flow)
            elif maker.act is not None and maker.act.effect.by == self.name:
                return Program(root, place, maker.act, maker.path, reading, flow)
            elif maker.act is not None:
                packed = self._unpacked(flow, maker.act, place)
                if packed is not None:
                    return Program(root, place, packed[0].act, packed[0].path, reading, flow, packed[1])
        if root.name in self.programs:
            why = next(filter(None, (act.effect.why_unknown for act in self.acts(reading))), None)
            more = "" if why is None else f": {why}"
            return Refused(
                f"{root.where} starts {word}, which no command of the Dockerfile is known to make{more}",
                "build it in a RUN of this Dockerfile",
            )
        return None

    def _unpacked(self, flow: Flow, act: Act, place: str) -> tuple[Maker, str] | None:
        """What the language packed an archive by that ``act``, no command of its own, unpacks around a place
        (`tar xf build/distributions/app.tar`), and the folder that it unpacks it to."""
        read = (path for path in act.effect.reads if isinstance(path, str))
        makers = (maker for path in read for maker in flow.makers(act.step.reading, path, act))
        own = next((maker for maker in makers if maker.act is not None and maker.act.effect.by == self.name), None)
        folder = next((path for path in act.effect.writes if isinstance(path, str) and is_within(place, path)), place)
        return None if own is None or folder == place else (own, folder)

    def program(self, reading: StageReading) -> tuple[str, ...] | Refused:
        programs = self.programs_of(reading)
        if isinstance(programs, Refused):
            return programs
        found: dict[str, None] = {}
        for program in programs:
            files = self.sources_of(program)
            if isinstance(files, Refused):
                return files
            found.update(dict.fromkeys(files))
        return tuple(found)

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        """The context paths of the sources of a program."""
        context = program.reading.context
        found: dict[str, None] = {}
        folders: Sequence[str] | Refused = program.folders
        if self.manifest:
            from refactor.ecosystems.program import project_folder

            own = project_folder(program, self.manifest)
            folders = own if isinstance(own, Refused) else own[:1]
        if isinstance(folders, Refused):
            return folders
        for folder in folders:
            is_file = context.is_dir(folder) is False
            files = (folder,) if is_file else context.files(folder, without=self.other_folders)
            if isinstance(files, Unknown):
                return Refused(f"the sources of {program.path} cannot be read: {files.reason}")
            found.update(dict.fromkeys(path for path in files if re.search(self.sources, path)))
        if not found:
            return Refused(
                f"no source of {program.path} is in the build context",
                "name the folder that is built from with --context",
            )
        if len(found) > _MAX_SOURCES and not self.manifest:
            return Refused(f"{program.path} has more than {_MAX_SOURCES} source files")
        return tuple(found)

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.ecosystems.answers import Written

        programs = self.programs_of(reading)
        if isinstance(programs, Refused):
            return programs
        answers: list[Written] = []
        for program in programs:
            files = self.sources_of(program)
            answer = files if isinstance(files, Refused) else self.writes(program, files)
            if isinstance(answer, Refused):
                return answer
            answers.append(answer)
        return Written(
            tuple(dict.fromkeys(path for answer in answers for path in answer.paths)),
            tuple(dict.fromkeys(line for answer in answers for line in answer.evidence)),
            tuple(dict.fromkeys(path for answer in answers for path in answer.filled)),
            tuple(dict.fromkeys(node for answer in answers for node in answer.fillers)),
            tuple(dict.fromkeys(port for answer in answers for port in answer.ports)),
            tuple(dict.fromkeys(path for answer in answers for path in answer.caches)),
        )

    def base(self, reading: StageReading) -> Base | Refused | None:
        image = reading.image
        is_for_building = image is not None and (image.family in self.compilers or image.variant in _FOR_BUILDING)
        if not is_for_building or not reading.copies_of_stages or not self.recognises(reading) or self.acts(reading):
            return None
        from refactor.ecosystems.on_another import base

        return base(self, reading)

    def split(self, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.slicing import split

        return split(self, reading, wish)


@lru_cache(maxsize=1)
def _named(known: tuple[Ecosystem, ...]) -> dict[str, list[Language]]:
    """The languages of the table by their programs and families of images."""
    found: dict[str, list[Language]] = {}
    for language in known:
        if isinstance(language, Language):
            for name in language.programs | language.families:
                found.setdefault(name, []).append(language)
    return found


_AT_WORK = "languages at work"


def _at_work(reading: StageReading) -> set[str]:
    """The names of the languages of the table that are at work in a stage, or in those that it comes from."""
    from refactor.flow.places import direct_origins

    waiting, found = [reading], set[str]()
    # From the stages that it comes from on; each is asked once, and a chain of thousands needs no deep stack.
    while waiting:
        one = waiting[-1]
        before = direct_origins(one)
        missing = [other for other in before if _AT_WORK not in other.facts]
        if missing and _AT_WORK not in one.facts:
            waiting += missing
            continue
        names = {*one.programs, *one.managers, one.image.family if one.image is not None else ""}
        asked = {each for name in names for each in _named(registry.known).get(name, ())}
        found = {each.name for each in asked if each.is_at_work(one)}
        for other in before:
            found |= other.facts[_AT_WORK]  # type: ignore[arg-type]
        one.facts[_AT_WORK] = found
        waiting.pop()
    return found


__all__ = ["Language", "Needs", "Program"]
