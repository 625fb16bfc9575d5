"""Whether a Node stage is taken apart, what keeps it from that, and what is Node's own in how it is done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.ecosystems.node.builds import FETCHES, Kind, build_of, kind_of
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.lockfiles import NodeLock
from refactor.ecosystems.node.native import Native, judge
from refactor.ecosystems.node.needs import Started, start_of, started
from refactor.ecosystems.node.programs import MANAGERS
from refactor.ecosystems.node.projects import Project, project_installs, projects
from refactor.ecosystems.slicing import split as slices
from refactor.ecosystems.split import Role
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, build_only
from refactor.ecosystems.testing import other_copies, why_no_tests, written
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.images import BaseImage
from refactor.shell import Command
from refactor.shell.posix import SILENT
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.ecosystems.program import Sliced
    from refactor.ecosystems.runner_packages import RunnerPackages
    from refactor.flow.graph import Act
    from refactor.syntax import Instruction


class Case(NamedTuple):
    """The stage, read."""

    reading: StageReading
    layout: Layout
    kind: Kind
    installs: tuple[Project | tuple[Step, Refused], ...]
    started: Started | None
    natives: tuple[Native, ...]
    """Production packages that may be compiled on the full image."""
    say: list[str]
    """Evidence, filled while the needs are found out."""

    @property
    def context(self) -> BuildContext:
        return self.reading.context

    @property
    def start(self) -> Started:
        """What is started; asked once it is known that something is."""
        assert self.started is not None
        return self.started

    @property
    def image(self) -> BaseImage:
        """The base image; asked once it is known to be in the catalogue."""
        assert self.reading.image is not None
        return self.reading.image

    @property
    def projects(self) -> tuple[Project, ...]:
        return projects(self.reading)

    @property
    def unit(self) -> Unit | None:
        """The project that is started."""
        return None if self.started is None else self.started.unit

    @property
    def project(self) -> Project | None:
        """The install that brings the packages of what is started: that of the nearest folder around it."""
        unit = self.unit
        found = [one for one in self.projects if unit is not None and below(unit.folder, one.folder) is not None]
        return max(found, key=lambda project: len(project.folder)) if found else None

    @property
    def root(self) -> Unit:
        """The project that is installed; asked once it is known which one is started."""
        found = self.unit if self.project is None else self.project.unit
        assert found is not None
        return found

    @property
    def lock(self) -> NodeLock | None:
        return None if self.project is None else self.project.lock

    def starts_through(self, manager: str) -> bool:
        """The start command calls the package manager."""
        rule = re.compile(rf"(?<![\w/.-]){manager}(?![\w.-])")
        start, runs = self.reading.start, self.started.runs if self.started is not None else ()
        called = (word.split(" ")[0] for ran in runs for word in ran.via)
        return manager in called or any(rule.search(node.argument) for node in (start.nodes if start else ()))


def case_of(reading: StageReading) -> Case:
    """The facts of a stage, found out once."""
    return reading.remember("node case", lambda: _case_of(reading))


def _case_of(reading: StageReading) -> Case:
    layout, image = Layout.of(reading), reading.image
    is_fat = image is not None and (image.family, image.variant) == ("node", "fat")
    natives: dict[str, Native] = {}
    for project in projects(reading) if is_fat else ():
        for native in judge(reading.context, project.lock, project.package, production=True).compiled:
            natives.setdefault(native.name, native)
    kind, installs, start = kind_of(reading), project_installs(reading), started(reading)
    return Case(reading, layout, kind, installs, start, tuple(natives.values()), [])


# Whether it is


def split(language: Sliced, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`."""
    calls = [call for _, call in reading.calls if call.manager in MANAGERS]
    if not calls:
        return None
    image, context = reading.image, reading.context
    is_node = image is not None and image.family in {"node", "bun"}
    is_building = any(call.action in {"run", "exec", "build", "workspace"} for call in calls)
    if context.why_unknown is not None:
        if not is_building and not build_only(reading):
            return None
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    case = case_of(reading)
    unknown = next((entry[1] for entry in case.installs if not isinstance(entry, Project)), None)
    if case.installs and not case.projects:
        # The project is not in the context: nothing of what a build makes can be known.
        return unknown if is_building else None
    if not case.installs and not (is_building and is_node and case.kind.compiles is not None):
        # Some program of npm's, with no project of the context: no Node application.
        return None
    if case.kind.compiles is None and not build_only(reading) and not case.natives:
        # Nothing is built; said aloud only where a build at every start takes its place.
        ran, reason = (case.started and case.started.dev_server) or (None, "")
        if ran is None or ran.program in {"nodemon", "node-dev", "supervisor", "node"}:
            return None
        told = f"the container is started by {ran.shown}: {reason}"
        because = f"{told}; there is no build step whose result could be shipped"
        return Refused(because, "build in a RUN and start the result with node")
    if not is_node:
        return Refused(
            f"{reading.stage.image} is no official image of Node or Bun, so a small one that runs the same"
            " program is not known",
            "start from node:<version>",
        )
    plan = _why_not_start(case) or unknown or slices(language, reading, wish)
    if not isinstance(plan, SplitPlan) or wish != "distroless":
        return plan
    # Distroless starts node by its ENTRYPOINT: CMD has the arguments only.
    cmd = reading.last("CMD")
    text = f"CMD {json.dumps(list(cmd.json[1:]))}" if cmd is not None and cmd.json is not None else "CMD []"
    return plan._replace(
        runner=tuple(Instead(cmd, text) if cmd is not None and entry is cmd else entry for entry in plan.runner)
    )


def _why_not_start(case: Case) -> Refused | None:
    """Why what is started needs what only the builder would have."""
    start = start_of(case.reading)
    if isinstance(start, Refused):
        return start
    found = start.dev_server
    if found is not None:
        ran, reason = found
        told = f"the container is started by {ran.shown}: {reason}"
        if reason.endswith("a development server"):
            return Refused(
                f"{told}; a front end needs another server for its build",
                "build it in a RUN, and serve the result with nginx; or start the built program with node",
            )
        name = case.unit.package.path if case.unit is not None else "package.json"
        because = f"{told}, so the sources and the tools of {name} are needed at run time"
        return Refused(because, "start the built program with node")
    for ran in start.runs:
        if ran.installs:
            return Refused(f"{ran.shown} installs packages when the container starts", "install them in a RUN")
        built = build_of(start.layout, ran) if ran.program in names("builders") and "start" not in ran.args else None
        if built is not None and built.outputs:
            return Refused(f"{ran.shown} builds when the container starts", "build in a RUN, and only start in CMD")
    comes_from_npm = any("pnpm" in name for _, _, names in case.kind.globals for name in names)
    if case.starts_through("pnpm") and not comes_from_npm:
        because = "the container is started through pnpm, which corepack downloads into the builder only"
        return Refused(because, 'start the program itself, such as CMD ["node", "dist/main.js"]')
    return None


# What the common splitter asks of Node alone


def stays_inside(act: Act) -> bool:
    """See :meth:`Language.stays_inside`: the folder of a build that makes who knows what is copied as a whole."""
    name = "" if act.call is None else act.call.name
    return bool(name) and name not in FETCHES and act.step.step.script is not None


def why_not_followed(case: Case, acts: tuple[Act, ...], chosen: tuple[str, ...], *, is_whole: bool) -> Refused | None:
    """A RUN that cannot be read, or that brings files into the application of which nothing is known."""
    for step in case.reading.runs:
        script, line = step.script, case.reading.file.line_of(step.node)
        if script is None or script.opaque is not None:
            why = script.opaque if script is not None else "it has a heredoc"
            return Refused(f"what line {line} does is not known: {why}", "write the RUN as a plain list of commands")
    for act in acts:
        name = "" if act.call is None else act.call.name
        if act.call is None or name not in FETCHES or act.effect.by == "Node":
            continue
        places = [path for path in act.effect.writes if isinstance(path, str)]
        is_inside = not is_whole and any(is_within(path, one) for path in places for one in chosen)
        is_told = name == "git" and set(act.call.operands[:1]) <= {"config", "init", "submodule"}
        if not is_told and (name in names("of-others") or not places or is_inside):
            because = f"what `{name}` on line {act.step.line} brings into the image is not known"
            return Refused(because, "copy it from a stage of its own")
    return None


def roles(
    reading: StageReading, roles: dict[Instruction, Role], packages: RunnerPackages
) -> dict[Instruction, Role] | Refused:
    """See :meth:`Language.roles`: programs that are installed for the whole image go where they are called."""
    case = case_of(reading)
    _drop_runtime_only(case, roles, packages.dropped)
    for step in case.reading.runs:
        own = [(command, names) for one, command, names in case.kind.globals if one is step]
        found = [_global_role(case, names) for _, names in own]
        is_yarn = case.starts_through("yarn")
        found += [Role.BOTH if is_yarn and call.action == "enable" else Role.BUILDER
                  for call in step.calls if call.manager == "corepack"]  # fmt: skip
        role = Role.DROPPED
        for one in found:
            role |= one
        if role in {Role.DROPPED, Role.BUILDER}:
            continue
        line = case.reading.file.line_of(step.node)
        if not _is_tools_only(step, [command for command, _ in own], packages.shared.get(step.node, step.commands)):
            because = f"line {line} builds and also prepares what is needed at run time"
            return Refused(because, "put each into a RUN of its own")
        if any(re.match(r"[./~$]|.*\.tgz$", name) for _, names in own for name in names):
            return Refused(f"line {line} installs a program from a file, which the runner would not have")
        roles[step.node] = role
    return roles


def _global_role(case: Case, names: Sequence[str]) -> Role:
    """Where packages for the whole image go: to the stages that call their commands."""
    runs = case.started.all if case.started is not None else ()
    used = {word for ran in runs for word in (ran.program, ran.program.split(" ")[0])}
    for step in case.reading.steps:
        if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}:
            used |= set(re.findall(r"[\w-]+", step.node.argument))
    built = [built.ran for _, _, built in case.kind.builds]
    building = {word for ran in built for via in (ran.program, *ran.via) for word in via.split()[:1]}
    building |= {project.manager for project in case.projects}
    for name in names:
        bare = re.sub(r"(?<=.)@[^/]*$", "", name).rpartition("/")[2]
        commands = {bare, bare.removesuffix("-cli")} | ({"pm2-runtime", "pm2-docker"} if bare == "pm2" else set())
        if commands & used and (bare != "npm" or case.starts_through("npm")):
            return Role.BOTH if commands & building else Role.RUNNER
    return Role.BUILDER


def _is_tools_only(step: Step, own: Sequence[Command], commands: Sequence[Command]) -> bool:
    known = {id(command) for command in own}
    known |= {id(call.command) for call in step.calls
              if call.manager == "corepack" or call.action in {"clean", "config", "set"}}  # fmt: skip
    return all(id(command) in known or command.name in SILENT | {"cd", "export"} for command in commands)


def _drop_runtime_only(case: Case, roles: dict[Instruction, Role], dropped: Sequence[str]) -> None:
    """A RUN whose packages all are for the program alone is not needed in the builder."""
    waiting: list[Instruction] = []
    for step in case.reading.runs:
        calls = [call for call in step.calls if call.manager in SYSTEM_MANAGERS]
        if roles.get(step.node) != Role.BUILDER or not calls or len(calls) < len(step.calls):
            continue
        waiting.append(step.node)
        names = {re.split(r"[=:/]", word.literal)[0] for call in calls if call.action == "install"
                 for word in call.packages}  # fmt: skip
        # Lists that are fetched before, or removed behind, go with the install.
        is_last = not names and any(roles.get(one.node) == Role.DROPPED for one in case.reading.runs)
        if is_last or (names and names.isdisjoint(dropped) and not _is_called_by_build(case, step, names)):
            roles.update(dict.fromkeys(waiting, Role.DROPPED))
        waiting = [] if names or is_last else waiting


def _is_called_by_build(case: Case, own: Step, packages: set[str]) -> bool:
    texts = [step.node.argument for step in case.reading.runs if step is not own]
    text = " ".join([*texts, *(built.ran.text for _, _, built in case.kind.builds)])
    return any(
        name == "git" or name.startswith("lib") or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
        for name in packages
    )


def owner_of(case: Case) -> str:
    """Who the author gave the application to, as ``--chown`` takes it; "" for root."""
    reading = case.reading
    given = [value for copied in reading.copies if (value := copied.node.flag("chown"))]
    if given:
        return given[-1]
    last_copy = max((reading.position(copied.node) for copied in reading.copies), default=-1)
    for step in reversed([*reading.runs]):
        for command in step.commands if reading.position(step.node) >= last_copy else ():
            operands = [arg for arg in command.args if not arg.startswith("-")]
            is_deep = command.name == "chown" and {"-R", "--recursive"} & set(command.args) and len(operands) == 2
            if is_deep and below(reading.final_workdir, join(step.workdir, operands[1])) is not None:
                return operands[0]
    steps = [step for step, _, _ in case.kind.builds] or list(reading.runs)
    user = (steps[-1].user if steps else None) or "root"
    return "" if user.split(":")[0] in {"root", "0"} else "node:node" if user == "node" else user


# Tests of what is split


_ENDINGS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
_NONE = r"echo .*no test specified"
"""What ``npm init`` writes."""
_PRUNES = r"\bprune\b|--omit[= ]dev|--prod(?:uction)?\b|--only[= ]prod"


def tests(reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
    """See :meth:`Ecosystem.tests`."""
    install = next(iter(projects(reading)), None)
    if install is None:
        return Refused("no install of the dependencies is found")
    script = install.package.scripts.get("test", "")
    if not script or re.search(_NONE, script):
        return Refused(f"{install.package.path} has no script `test`", "write one")
    why = why_no_tests(reading, _ENDINGS)
    if why is not None:
        return why
    if reading.file.environment(install.step.node).get("NODE_ENV") == "production":
        return Refused("NODE_ENV=production leaves the development dependencies out", "set it behind the build")
    # What was pruned is installed once more, in this stage alone.
    is_pruned = any(re.search(_PRUNES, text) for text in written(plan))
    again = [f"RUN {' '.join(word.text for word in install.command.words)}"] if is_pruned else []
    return (*other_copies(reading, plan), *again, f"RUN {install.call.program} test")
