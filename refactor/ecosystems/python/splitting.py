"""A Python stage taken apart: a virtual environment is built in one stage and copied into the other."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.ecosystems import system
from refactor.ecosystems.answers import Rewrite, SplitPlan
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.compiled import judge
from refactor.ecosystems.python.copying import CopyPlacing
from refactor.ecosystems.python.environments import HOME, Environment, find_environment
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.obstacles import why_not_moved
from refactor.ecosystems.python.production import production
from refactor.ecosystems.python.program import program
from refactor.ecosystems.python.stage import BUILDER_ACTIONS, RUNNER_ACTIONS, PythonStage, is_uv_copy, why_not_read
from refactor.ecosystems.python.starting import laid_out, started_directly
from refactor.ecosystems.python.tools import Act, Action
from refactor.ecosystems.split import Role, assemble, builder_name, variant_reference
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, Step
from refactor.images import BaseImage, lookup
from refactor.syntax import Instruction

_SYSTEM_PYTHON = (
    "python3-pip", "python3-setuptools", "python3-wheel", "python3-venv", "python3-virtualenv", "py3-pip",
)  # fmt: skip


def split(reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
    """The plan, or why there is none; None where nothing of Python is installed or built."""
    image = reading.image
    stage = PythonStage.of(reading)
    why = reading.context.why_unknown
    if why is not None:
        return Refused(f"the build context is not known: {why}", "name it with --context") if stage.installs else None
    if image is None or image.family != "python":
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
    building = (*needs.built_from_source(known), *judge(known, image).built)
    reasons = _reasons(stage, builds, building, image)
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
    return _Plan(stage, known, building, builds, image).made(runner, reasons)


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
    stage: PythonStage, builds: Sequence[str], building: Sequence[needs.Building], image: BaseImage
) -> list[str]:
    reasons = []
    if builds:
        reasons.append(f"{', '.join(builds)} {'is' if len(builds) == 1 else 'are'} there only to build")
    tools = [tool for tool in stage.tools if tool not in {"virtualenv", "build", "poetry-core"}]
    if tools:
        reasons.append(f"{', '.join(tools)} {'is' if len(tools) == 1 else 'are'} there only to install")
    if building and image.variant == "fat":
        reasons.append("; ".join(one.why for one in building))
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
        self.anchor: Instruction | None = None
        """The node before which the builder makes the environment."""
        self.is_environment_made = False
        """The environment is made inside of a RUN that was taken apart."""
        self.direct: dict[Instruction, str] = {}
        """New texts of what is started through a build tool."""

    def made(self, runner: str | None, reasons: Sequence[str]) -> SplitPlan | Refused:
        obstacle = why_not_moved(self.stage, self.installs, self.image, self.building, self.builds)
        if obstacle is not None:
            return obstacle
        direct = started_directly(self.stage, self.installs)
        if isinstance(direct, Refused):
            return direct
        self.direct = direct
        image_name = self._runner_image(runner)
        if isinstance(image_name, Refused):
            return image_name
        environment = find_environment(self.stage, self.installs, self.image, bool(self.direct))
        if isinstance(environment, Refused):
            return environment
        expanded = self.reading.file.expand(image_name, self.reading.stage.from_)
        runner_image = None if expanded is None else lookup(expanded)
        context = self.reading.context
        libraries = needs.libraries(self.installs, self.image, self.building) if self.image.distro else {}
        build_only = dict.fromkeys(_SYSTEM_PYTHON, "Python comes with the base image")
        fetched = needs.is_git(self.building)
        called = needs.programs(self.installs, context)
        if isinstance(called, Unknown):
            return Refused(f"which programs the sources start is not known: {called.reason}")
        messages = self._compiles_messages()
        if messages is not None:
            called["msgfmt"] = messages
        if fetched and "git" not in called:
            build_only["git"] = f"{', '.join(fetched)} is fetched with it"
        packages = system.runner_packages(
            self.reading,
            runner_image,
            needed=libraries,
            programs=called,
            build_only=build_only,
            builder=builder_name(self.reading),
        )
        if isinstance(packages, Refused):
            return packages
        self.roles.update(packages.roles)
        placed = self._place_runs(environment)
        if placed is not None:
            return placed
        files = why_not_seen(self.reading) or program(self.reading)
        if isinstance(files, Refused):
            return files
        if files:
            self.evidence.append(f"the programs that it calls were looked for in {named(files)}")
        self.roles = system.narrow(self.reading, self.roles)
        CopyPlacing(self, self.stage, self.installs, environment).place()
        self._move_environment()
        self._place_paths()
        self._start_directly()
        artefacts = [f"COPY --from={builder_name(self.reading)} {path} {path}" for path in environment.copied]
        if environment.is_new or (
            self.direct and environment.path + "/bin" not in self.stage.variables.get("PATH", "")
        ):
            artefacts.insert(1, _environment_text(environment.path))
        self.evidence = [*reasons, *packages.evidence, *self.evidence]
        self.evidence.append(f"the virtual environment is at the same path ({environment.path}) in both stages, on the "
                             f"same Python and distribution ({self.reading.stage.image} and {image_name})")  # fmt: skip
        return assemble(
            self.reading,
            self.roles,
            runner_image=image_name,
            artefacts=artefacts,
            instead=self.instead,
            instead_in_runner=self.instead_in_runner,
            before=self.before,
            runner_head=[*packages.before, packages.install] if packages.install else (),
            is_artefact_absolute=True,
            evidence=tuple(dict.fromkeys(self.evidence)),
        )

    def _compiles_messages(self) -> str | None:
        """Where Django's `compilemessages`, which calls gettext's msgfmt, is run in the runner."""
        for step in self.reading.steps:
            if step.keyword in {"RUN", "CMD", "ENTRYPOINT"} and "compilemessages" in step.node.argument:
                return f"line {self.stage.line(step)} (compilemessages)"
        files = self.reading.context.files(without=NOT_SOURCES)
        for path in files if not isinstance(files, Unknown) else ():
            if path.endswith(".sh"):
                text = self.reading.context.read(path)
                if isinstance(text, str) and "compilemessages" in text:
                    return f"{path} (compilemessages)"
        return None

    def _start_directly(self) -> None:
        """CMD, ENTRYPOINT and steps of the runner call the programs themselves, not through the build tool."""
        for node, text in self.direct.items():
            if node not in self.instead_in_runner:
                self.instead_in_runner[node] = text
            self.evidence.append(
                f"line {self.reading.file.line_of(node)} starts its programs without `{' or '.join(self.stage.tools)} "
                "run`: that only puts the virtual environment on PATH"
            )

    def _place_paths(self) -> None:
        """ENV lines that only put the folder of a build tool on PATH stay in the builder."""
        for step in self.reading.steps:
            if step.keyword != "ENV" or [name for name, _ in step.node.pairs] != ["PATH"]:
                continue
            value = step.node.pairs[0][1].strip("\"'")
            added = [part for part in value.split(":") if part not in {"$PATH", "${PATH}"}]
            if added and all(part in {"/root/.local/bin", "$HOME/.local/bin", "/root/.poetry/bin", "/root/.cargo/bin",
                                      "$POETRY_HOME/bin", "${POETRY_HOME}/bin"} for part in added):  # fmt: skip
                self.roles[step.node] = Role.BUILDER

    # Images

    def _runner_image(self, wish: str | None) -> str | Refused:
        if wish in {"distroless", "scratch"}:
            return Refused(
                f"a virtual environment links to the interpreter of the official image, which {wish} has not",
                "use runner = slim",
            )
        variant = self.image.variant
        if wish == "alpine" and variant != "alpine":
            return Refused(
                f"packages built on {self.reading.stage.image} are linked with glibc and do not run on Alpine's musl",
                "build on the alpine variant as well",
            )
        if variant in {"slim", "alpine"}:
            return self.reading.stage.image
        return variant_reference(self.reading, "slim")

    # RUN

    def _place_runs(self, environment: Environment) -> Refused | None:
        first = self.installs[0].act.step
        rewrites = {id(rewrite.command): rewrite for rewrite in self._rewrites()}
        for step in self.reading.runs:
            acts = self.stage.acts_of(step)
            answer = self._place_run(step, acts, environment, rewrites)
            if answer is not None:
                return answer
        if environment.is_new:
            self._make_environment(first)
        return None

    def _rewrites(self) -> Iterator[Rewrite]:
        for install in self.installs:
            for answer in production(self.stage, install):
                if isinstance(answer, Rewrite):
                    self.evidence += answer.evidence
                    yield answer

    def _place_run(
        self, step: Step, acts: Sequence[Act], environment: Environment, rewrites: Mapping[int, Rewrite]
    ) -> Refused | None:
        if self.roles.get(step.node) is not None:
            return None
        line = self.stage.line(step)
        actions = {act.action for act in acts} - {Action.NEUTRAL}
        unknown = next((act for act in acts if act.action is Action.UNKNOWN), None)
        if unknown is not None:
            text = unknown.command.words[0].text if unknown.command.words else step.node.argument[:40]
            return Refused(
                f"what `{text}` on line {line} is for is not known",
                "move that step into a stage of its own, or split by hand",
            )
        building = actions & BUILDER_ACTIONS
        running = actions & RUNNER_ACTIONS
        if not actions:
            self.roles[step.node] = Role.DROPPED if self._is_idle(step) else Role.BOTH
            return None
        if not building and not running:
            if actions == {Action.SHELL}:
                # The variables and the folder end with the RUN.
                self.roles[step.node] = Role.BOTH
                return None
            self.roles[step.node] = Role.BOTH
            return None
        if not building:
            reason = self._why_not_moved(step)
            if reason is not None:
                return reason
            self.roles[step.node] = Role.RUNNER
            return None
        split_here = environment.is_new and Action.TOOL in actions and Action.INSTALL in actions
        changed = [act for act in acts if id(act.command) in rewrites or self._text(act, environment) is not None]
        shared = [act for act in acts if act.action in RUNNER_ACTIONS | {Action.SET_UP}]
        if not shared and not split_here and not changed:
            self.roles[step.node] = Role.BUILDER
            return None
        script = step.script
        if (
            script is None
            or not script.is_and_list
            or step.node.json is not None
            or any(act.command.depth for act in acts)
            or (Action.SHELL in actions and (shared or split_here))
        ):
            if changed and not shared and not split_here and step.node.json is None:
                self.roles[step.node] = Role.BUILDER
                self.instead[step.node] = [self._spliced(step, acts, environment, rewrites)]
                return None
            return Refused(
                f"the RUN on line {line} installs packages and does other things, not simply joined by &&",
                "give the installation a RUN of its own",
            )
        mine = [act for act in acts if act.action in BUILDER_ACTIONS | {Action.NEUTRAL, Action.SET_UP, Action.SHELL}]
        theirs = [act for act in acts if act.action in RUNNER_ACTIONS | {Action.SET_UP}]
        changes = [act.command.span for act in theirs if act.action is Action.FILES]
        if any(act.action is Action.INSTALL and span < act.command.span for act in mine for span in changes):
            return Refused(f"the RUN on line {line} changes files before it installs packages", "use two RUNs")
        flags = "".join(f"{flag.text} " for flag in step.node.flags)

        def joined(parts: Sequence[Act]) -> str:
            pieces = []
            for act in parts:
                rewrite = rewrites.get(id(act.command))
                piece = rewrite.text if rewrite is not None else self._text(act, environment)
                pieces.append(piece if piece is not None else _raw(step, act))
            return f"RUN {flags}" + " \\\n    && ".join(piece for piece in pieces if piece)

        self.roles[step.node] = Role.BUILDER
        if split_here:
            index = next(i for i, act in enumerate(mine) if act.action is Action.INSTALL)
            start = max(i for i, act in enumerate(mine[:index]) if act.action is Action.TOOL) + 1
            self.instead[step.node] = [joined(mine[:start]), *_making(), joined(mine[start:])]
            self.is_environment_made = True
        elif shared or changed:
            self.instead[step.node] = [joined(mine)]
        if theirs:
            self.roles[step.node] = Role.BOTH
            self.instead_in_runner[step.node] = joined(theirs)
        return None

    def _is_idle(self, step: Step) -> bool:
        return all(command.name in {"echo", "true", ":", "ls", "pwd", "date"} for command in step.commands)

    def _spliced(
        self, step: Step, acts: Sequence[Act], environment: Environment, rewrites: Mapping[int, Rewrite]
    ) -> str:
        text = step.node.argument
        for act in sorted(acts, key=lambda one: one.command.span, reverse=True):
            rewrite = rewrites.get(id(act.command))
            piece = rewrite.text if rewrite is not None else self._text(act, environment)
            if piece is not None:
                text = text[: act.command.span[0]] + piece + text[act.command.span[1] :]
        flags = "".join(f"{flag.text} " for flag in step.node.flags)
        return f"RUN {flags}{laid_out(text)}"

    def _text(self, act: Act, environment: Environment) -> str | None:
        """New text of a command that has another meaning inside of a virtual environment; None: as it is."""
        call = act.call
        if call is None or not environment.is_new or act.action not in {Action.INSTALL, Action.UPGRADE}:
            return None
        drop = {"--user"} if call.manager == "pip" else {"--system"} if call.manager == "uv" else set[str]()
        drop |= {"--break-system-packages"} if call.manager in {"pip", "uv"} else set()
        if not call.has(*drop):
            return None
        text = _raw(act.step, act)
        return re.sub(rf"\s+(?:{'|'.join(sorted(drop))})(?=\s|$)", "", text)

    def _why_not_moved(self, step: Step) -> Refused | None:
        """A step that only the runner repeats must not make what a later installation reads."""
        position = self.reading.position(step.node)
        line = self.stage.line(step)
        text = step.node.argument
        for install in self.installs:
            if self.reading.position(install.act.step.node) < position:
                continue
            for path in install.manifests:
                if posixpath.basename(path) in text:
                    return Refused(
                        f"line {line} works on {path}, which line {self.stage.line(install.act.step)} reads",
                        "do that outside of the Dockerfile",
                    )
            if install.sources is not None:
                return Refused(
                    f"line {line} may change the sources that line {self.stage.line(install.act.step)} installs",
                    "move it below the installation",
                )
        return None

    def _make_environment(self, first: Step) -> None:
        """Makes the environment after the build tools and before the copies that the first installation
        needs.
        """
        if self.is_environment_made:
            return
        steps = self.reading.steps
        at = self.reading.position(first.node)
        start = 0
        for index, step in enumerate(steps[:at]):
            acts = self.stage.acts_of(step) if step.keyword == "RUN" else ()
            if any(act.action in {Action.TOOL, Action.SYSTEM, Action.SET_UP} for act in acts) or is_uv_copy(step):
                start = index + 1
        upgrades = [index for index, step in enumerate(steps[:at]) if step.keyword == "RUN"
                    and any(act.action is Action.UPGRADE for act in self.stage.acts_of(step))]  # fmt: skip
        if (
            upgrades
            and upgrades[0] < start
            and not any(act.action is Action.TOOL for index in upgrades for act in self.stage.acts_of(steps[index]))
        ):
            tools = [index for index, step in enumerate(steps[:at]) if step.keyword == "RUN"
                     and any(act.action is Action.TOOL for act in self.stage.acts_of(step))]  # fmt: skip
            start = upgrades[0] if not tools or max(tools) < upgrades[0] else start
        for step in steps[start : at + 1]:
            if step.keyword in {"COPY", "ADD", "RUN"} and Role.BUILDER in self.roles.get(step.node, Role.BUILDER):
                self.before.setdefault(step.node, []).extend(_making())
                self.anchor = step.node
                return

    def _move_environment(self) -> None:
        """The environment is made before a copy that the builder has; a copy may have left the builder since."""
        node = self.anchor
        if node is None or Role.BUILDER in self.roles.get(node, Role.BUILDER):
            return
        texts = self.before.pop(node)
        for step in self.reading.steps[self.reading.position(node) :]:
            if step.keyword in {"COPY", "ADD", "RUN"} and Role.BUILDER in self.roles.get(step.node, Role.DROPPED):
                self.before.setdefault(step.node, []).extend(texts)
                return


def _raw(step: Step, act: Act) -> str:
    script = step.script.text if step.script is not None else step.node.argument
    text = script[act.command.span[0] : act.command.span[1]]
    # Continuations leave the indentation of the next line behind.
    return text.strip() if "'" in text or '"' in text else " ".join(text.split())


def _making() -> list[str]:
    return [f"RUN python -m venv {HOME}", _environment_text()]


def _environment_text(path: str = HOME) -> str:
    return f'ENV VIRTUAL_ENV={path} \\\n    PATH="{path}/bin:$PATH"'


__all__ = ["HOME", "split"]
