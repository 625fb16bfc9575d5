"""A Python stage taken apart: a virtual environment is built in one stage and copied into the other."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.ecosystems import registry, system
from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.python import needs, pypy
from refactor.ecosystems.python.compiled import judge
from refactor.ecosystems.python.copying import CopyPlacing
from refactor.ecosystems.python.environments import HOME, Environment, environment_text, find_environment, making
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.obstacles import why_not_moved
from refactor.ecosystems.python.program import program
from refactor.ecosystems.python.runs import Runs
from refactor.ecosystems.python.stage import RUNNER_ACTIONS, PythonStage, is_uv_copy, why_not_read
from refactor.ecosystems.python.starting import started_directly
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.runners import interpreted
from refactor.ecosystems.split import Role, assemble, builder_name
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.images import BaseImage, lookup
from refactor.syntax import Instruction

_SYSTEM_PYTHON = (
    "python3-pip", "python3-setuptools", "python3-wheel", "python3-venv", "python3-virtualenv", "py3-pip",
)  # fmt: skip
_TOOL_FOLDER = r"/root/\.(?:local|poetry|cargo)/bin|\$HOME/\.local/bin|\$(?:POETRY_HOME|\{POETRY_HOME\})/bin"


def split(reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """The plan, or why there is none; None where nothing of Python is installed or built."""
    image = reading.image
    stage = PythonStage.of(reading)
    why = reading.context.why_unknown
    if why is not None:
        return Refused(f"the build context is not known: {why}", "name it with --context") if stage.installs else None
    if image is None or image.family not in {"python", "pypy"}:
        return _other_image(stage)
    builds = system.build_only(reading)
    if not stage.installs:
        if builds and any(act.action is Action.PROGRAM for act in stage.acts):
            are = "is" if len(builds) == 1 else "are"
            return Refused(f"{system.named(builds)} {are} there to build, but no installation of packages is found")
        return None
    unread = why_not_read(reading)
    if unread is not None:
        return unread
    read = read_installs(stage)
    refused = next((answer for answer in read if not isinstance(answer, ReadInstall)), None)
    known = tuple(answer for answer in read if isinstance(answer, ReadInstall))
    verdict = judge(known, image)
    building = (*needs.built_from_source(known), *verdict.built)
    reasons = _reasons(stage, builds, building, verdict.unknown, image)
    git = None if image.variant == "fat" else _git(reading, known, building)
    if isinstance(git, str):
        reasons.append(git)
    if not reasons:
        if refused is not None and image.variant == "fat":
            return refused[1]
        gone = system.removed_at_once(reading)
        if gone:
            return Refused(
                f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} removed in the RUN that installs "
                f"{'it' if len(gone) == 1 else 'them'}: with a builder stage the image would not be smaller"
            )
        if isinstance(git, Refused):
            return git
        return Refused(
            "no compiler or build tool is installed, and what is installed comes as wheels: a virtual environment "
            "copied between slim stages would not be smaller"
        )
    if refused is not None:
        return refused[1]
    return _Plan(stage, known, building, builds, image).made(wish, reasons)


def _other_image(stage: PythonStage) -> Refused | None:
    if not stage.installs:
        return None
    builds = system.build_only(stage.reading)
    if not builds:
        return None
    name = stage.reading.image_reference or stage.reading.stage.image
    return Refused(
        f"{system.named(builds)} {'is' if len(builds) == 1 else 'are'} only needed to build, but the base image {name} "
        "is no official Python image: "
        "which Python it has, and where, is not known",
        "start from python:<version>",
    )


def _reasons(
    stage: PythonStage,
    builds: Sequence[str],
    building: Sequence[needs.Building],
    unknown: Sequence[str],
    image: BaseImage,
) -> list[str]:
    reasons = []
    if builds:
        reasons.append(f"{', '.join(builds)} {'is' if len(builds) == 1 else 'are'} there only to build")
    tools = [tool for tool in stage.tools if tool not in {"virtualenv", "build", "poetry-core"}]
    if tools:
        reasons.append(f"{', '.join(tools)} {'is' if len(tools) == 1 else 'are'} there only to install")
    if building and image.variant == "fat":
        reasons.append("; ".join(one.why for one in building))
    if image.family == "pypy" and image.variant == "fat" and unknown:
        reasons.append(f"{', '.join(unknown)} may have no wheel for PyPy, and is compiled then")
    return reasons


def _git(
    reading: StageReading, installs: Sequence[ReadInstall], building: Sequence[needs.Building]
) -> str | Refused | None:
    """Why git is a build tool here, or why it is not; None where the stage installs no git, or installs nothing with
    it."""
    fetched = needs.is_git(building)
    if not fetched or not system.is_kept(reading, "git"):
        return None
    by_sources = needs.programs(installs, reading.context)
    if isinstance(by_sources, Unknown):
        return Refused(f"which programs the sources start is not known: {by_sources.reason}")
    called = {**by_sources, **system.programs_started(reading)}.get("git")
    if called is not None:
        return Refused(
            f"git, which fetches {', '.join(fetched)}, is called at run time as well ({called}): a virtual environment "
            "copied between slim stages would not be smaller"
        )
    return f"git is there only to fetch {', '.join(fetched)}"


class _Plan:
    """The parts of a plan while it is made."""

    def __init__(
        self,
        stage: PythonStage,
        installs: tuple[ReadInstall, ...],
        building: Sequence[needs.Building],
        builds: Sequence[str],
        image: BaseImage,
    ) -> None:
        self.stage = stage
        self.reading = stage.reading
        self.installs = installs
        self.building = building
        self.builds = builds
        self.image = image
        self.roles: dict[Instruction, Role] = {}
        self.instead: dict[Instruction, list[str]] = {}
        self.instead_in_runner: dict[Instruction, str] = {}
        self.before: dict[Instruction, list[str]] = {}
        self.evidence: list[str] = []

    def made(self, wish: str | None, reasons: Sequence[str]) -> SplitPlan | Refused:
        stage, reading = self.stage, self.reading
        obstacle = why_not_moved(stage, self.installs, self.image, self.building, self.builds)
        obstacle = obstacle or pypy.why_not_known(self.installs, self.image)
        direct = obstacle or started_directly(stage, self.installs)
        if isinstance(direct, Refused):
            return direct
        runner = interpreted(reading, wish, "Python")
        environment = find_environment(stage, self.installs, self.image, bool(direct))
        if isinstance(runner, Refused):
            return runner
        image = runner.image
        if isinstance(environment, Refused):
            return environment
        packages = self._packages(image)
        if isinstance(packages, Refused):
            return packages
        self.roles.update(packages.roles)
        refused = Runs(self, stage, self.installs, environment).place()
        files = refused or why_not_seen(reading) or program(reading)
        if isinstance(files, Refused):
            return files
        if files:
            self.evidence.append(f"the programs that it calls were looked for in {named(files)}")
        self.roles = system.narrow(reading, self.roles)
        CopyPlacing(self, stage, self.installs, environment).place()
        lost = self._why_lost(environment)
        if lost is not None:
            return lost
        if environment.is_new:
            self._make_environment()
        self._place_paths()
        self._start_directly(direct)
        artefacts = [f"COPY --from={builder_name(reading)} {path} {path}" for path in environment.copied]
        is_named = environment.path + "/bin" in stage.variables.get("PATH", "")
        if environment.is_new or (direct and not is_named):
            artefacts.insert(1, environment_text(environment.path))
        self.evidence = [*reasons, *packages.evidence, *self.evidence]
        self.evidence.append(f"the virtual environment is at the same path ({environment.path}) in both stages, on the "
                             f"same Python and distribution ({reading.stage.image} and {image})")  # fmt: skip
        return assemble(
            reading,
            self.roles,
            runner_image=image,
            artefacts=artefacts,
            instead=self.instead,
            instead_in_runner=self.instead_in_runner,
            before=self.before,
            runner_head=[*packages.before, packages.install] if packages.install else (),
            is_artefact_absolute=True,
            evidence=tuple(dict.fromkeys(self.evidence)),
        )

    def _why_lost(self, environment: Environment) -> Refused | None:
        """A command of the runner that reads what a RUN makes which the builder alone has."""
        reading, flow = self.reading, registry.flow_of(self.reading.file, self.reading.context)
        for act in self.stage.acts:
            is_of_runner = act.action is Action.FILES and Role.RUNNER in self.roles.get(act.step.node, Role.RUNNER)
            for path in act.effect.reads if is_of_runner else ():
                for maker in flow.makers(reading, path) if isinstance(path, str) else ():
                    made = maker.act.step if maker.act is not None and maker.kind == "command" else None
                    is_there = any(is_within(maker.path, folder) for folder in environment.copied)
                    if made is not None and not is_there and self.roles.get(made.step.node) == Role.BUILDER:
                        because = f"line {self.stage.line(act.step)} reads {maker.path}, which line {made.line} makes"
                        return Refused(f"{because}, where packages are installed", "split by hand")
        return None

    def _packages(self, image: str) -> system.RunnerPackages | Refused:
        """What the runner installs of the system."""
        build_only = dict.fromkeys(_SYSTEM_PYTHON, "Python comes with the base image")
        called = needs.programs(self.installs, self.reading.context)
        if isinstance(called, Unknown):
            return Refused(f"which programs the sources start is not known: {called.reason}")
        messages = self._compiles_messages()
        if messages is not None:
            called["msgfmt"] = messages
        fetched = needs.is_git(self.building)
        if fetched and "git" not in called:
            build_only["git"] = f"{', '.join(fetched)} is fetched with it"
        installed = self._installed(image, called, build_only)
        if isinstance(installed, Refused):
            return installed
        # What works on the project in the runner needs its programs there.
        own = (act for act in self.stage.acts if act.action in RUNNER_ACTIONS and act.step.node not in installed.roles)
        more = {posixpath.basename(act.command.name or ""): f"line {self.stage.line(act.step)}" for act in own}
        return self._installed(image, {**more, **called}, build_only) if more.keys() - called.keys() else installed

    def _installed(
        self, image: str, called: Mapping[str, str], build_only: Mapping[str, str]
    ) -> system.RunnerPackages | Refused:
        expanded = self.reading.file.expand(image, self.reading.stage.from_)
        return system.runner_packages(
            self.reading,
            None if expanded is None else lookup(expanded),
            needed=needs.libraries(self.installs, self.image, self.building) if self.image.distro else {},
            programs=called,
            build_only=build_only,
            builder=builder_name(self.reading),
        )

    def _compiles_messages(self) -> str | None:
        """Where Django's `compilemessages`, which calls gettext's msgfmt, is run in the runner."""
        for step in self.reading.steps:
            if step.keyword in {"RUN", "CMD", "ENTRYPOINT"} and "compilemessages" in step.node.argument:
                return f"line {self.stage.line(step)} (compilemessages)"
        files = self.reading.context.files(without=NOT_SOURCES)
        for path in files if not isinstance(files, Unknown) else ():
            text = self.reading.context.read(path) if path.endswith(".sh") else None
            if isinstance(text, str) and "compilemessages" in text:
                return f"{path} (compilemessages)"
        return None

    def _start_directly(self, direct: Mapping[Instruction, str]) -> None:
        """CMD, ENTRYPOINT and steps of the runner call the programs themselves, not through the build tool."""
        for node, text in direct.items():
            self.instead_in_runner.setdefault(node, text)
            self.evidence.append(
                f"line {self.reading.file.line_of(node)} starts its programs without `{' or '.join(self.stage.tools)} "
                "run`: that only puts the virtual environment on PATH"
            )

    def _place_paths(self) -> None:
        """ENV lines that only put the folder of a build tool on PATH stay in the builder."""
        for step in self.reading.steps:
            if step.keyword == "ENV" and [name for name, _ in step.node.pairs] == ["PATH"]:
                value = step.node.pairs[0][1].strip("\"'")
                added = [part for part in value.split(":") if part not in {"$PATH", "${PATH}"}]
                if added and all(re.fullmatch(_TOOL_FOLDER, part) for part in added):
                    self.roles[step.node] = Role.BUILDER

    def _make_environment(self) -> None:
        """Makes the environment after the build tools and before the copies that the first installation needs."""
        first = self.installs[0].act.step
        if any(text in making() for texts in self.instead.values() for text in texts):
            # Inside of a RUN that was taken apart.
            return
        steps = self.reading.steps
        at = self.reading.position(first.node)
        kinds = [{act.action for act in self.stage.acts_of(step)} for step in steps[:at]]
        start = 0
        for index, step in enumerate(steps[:at]):
            if kinds[index] & {Action.TOOL, Action.SYSTEM, Action.SET_UP} or is_uv_copy(step):
                start = index + 1
        # pip is upgraded in the environment that is used.
        upgrades = [index for index, own in enumerate(kinds) if Action.UPGRADE in own]
        tools = [index for index, own in enumerate(kinds) if Action.TOOL in own]
        if upgrades and upgrades[0] < start and not {*upgrades} & {*tools} and max(tools, default=-1) < upgrades[0]:
            start = upgrades[0]
        for step in steps[start:]:
            if step.keyword in {"COPY", "ADD", "RUN"} and Role.BUILDER in self.roles.get(step.node, Role.DROPPED):
                self.before[step.node] = [*making(), *self.before.get(step.node, ())]
                return


__all__ = ["HOME", "split"]
