"""A Python stage taken apart: a virtual environment is built in one stage and copied into the other."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES, is_test
from refactor.ecosystems import system
from refactor.ecosystems.ecosystem import Rewrite, SplitPlan
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.production import production
from refactor.ecosystems.python.stage import (
    BUILDER_ACTIONS,
    RUNNER_ACTIONS,
    Act,
    Action,
    PythonStage,
    distribution_name,
    is_uv_copy,
    why_not_read,
)
from refactor.ecosystems.python.starting import laid_out, started_directly
from refactor.ecosystems.reading import Copied, Refused, StageReading, Step, join
from refactor.ecosystems.split import Role, assemble, builder_name, variant_reference
from refactor.images import BaseImage, lookup
from refactor.syntax import Instruction

HOME = "/opt/venv"
_NAMES_PROGRAMS = (".sh", ".conf", ".cfg", ".ini", ".cron", ".service", ".py")
"""Files that may name the interpreter, or a program of the environment, by its path."""
_LOGIN = tuple((option,) for option in ("-l", "-lc", "-cl", "--login"))
_SYSTEM_PYTHON = (
    "python3-pip", "python3-setuptools", "python3-wheel", "python3-venv", "python3-virtualenv", "py3-pip",
)  # fmt: skip
_MANIFEST_NAMES = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_FORBIDDEN_VARIABLES = frozenset(
    {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONUSERBASE", "PYTHONHOME", "UV_SYSTEM_PYTHON",
     "UV_PROJECT_ENVIRONMENT", "PIP_ROOT", "PIP_PYTHON", "CONDA_PREFIX"}
)  # fmt: skip
_OUTSIDE = re.compile(
    r"/usr/local/lib/python3[\w.]*|/usr/local/bin/(?:python|pip|gunicorn|uvicorn|uwsgi|celery|flask|django-admin|alembic|"
    r"hypercorn|daphne|supervisord|streamlit|jupyter|scrapy)[\w.]*"
)


class Environment(NamedTuple):
    """Where the packages are, and what makes that known to the program."""

    path: str
    """Absolute path of the virtual environment."""
    is_new: bool
    """The split makes it; else the stage did."""
    copied: tuple[str, ...]
    """Absolute paths that the runner gets from the builder."""


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
            return Refused(f"{', '.join(builds)} are there to build, but no installation of packages is found")
        return None
    unread = why_not_read(reading)
    if unread is not None:
        return unread
    read = read_installs(stage)
    refused = next((answer for answer in read if not isinstance(answer, ReadInstall)), None)
    known = tuple(answer for answer in read if isinstance(answer, ReadInstall))
    building = needs.built_from_source(known)
    reasons = _reasons(stage, builds, building, image)
    if not reasons:
        if refused is not None and image.variant == "fat":
            return refused[1]
        gone = system.removed_at_once(reading)
        if gone:
            return Refused(
                f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} removed in the RUN that installs "
                f"{'it' if len(gone) == 1 else 'them'}: with a builder stage the image would not be smaller"
            )
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
        f"{', '.join(builds)} {'is' if len(builds) == 1 else 'are'} only needed to build, but the base image {name} "
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
        self.again: list[Instruction] = []
        """Copies of sources that the builder repeats after the dependencies, for the project's own
        installation.
        """

    def made(self, runner: str | None, reasons: Sequence[str]) -> SplitPlan | Refused:
        obstacle = self._obstacle()
        if obstacle is not None:
            return obstacle
        image_name = self._runner_image(runner)
        if isinstance(image_name, Refused):
            return image_name
        environment = self._environment()
        if isinstance(environment, Refused):
            return environment
        expanded = self.reading.file.expand(image_name, self.reading.stage.from_)
        runner_image = None if expanded is None else lookup(expanded)
        context = self.reading.context
        libraries = needs.libraries(self.installs, self.image, self.building) if self.image.distro else {}
        build_only = dict.fromkeys(_SYSTEM_PYTHON, "Python comes with the base image")
        fetched = needs.is_git(self.building)
        called = dict(needs.programs(self.installs, context))
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
        self.roles = system.narrow(self.reading, self.roles)
        placed = self._place_copies(environment)
        if placed is not None:
            return placed
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

    # Whether it can be done

    def _obstacle(self) -> Refused | None:
        stage, reading = self.stage, self.reading
        if self.image.version.startswith("2"):
            return Refused("Python 2 has no venv module", "move to Python 3")
        for step in reading.steps:
            line = stage.line(step)
            if step.keyword == "ONBUILD":
                return Refused(f"ONBUILD on line {line} is for images built from this one, which would get the runner")
            if step.keyword in {"ENV", "ARG"}:
                for name, value in step.node.pairs:
                    if name in _FORBIDDEN_VARIABLES:
                        return Refused(f"{name} on line {line} says where packages are installed", f"remove {name}")
                    if name == "PATH" and "PATH" not in value.replace("PATH=", ""):
                        return Refused(f"line {line} sets PATH without the base image's own", "append to $PATH")
        library = needs.why_library_unknown(self.image, self.building)
        if library is not None:
            return Refused(library, "name the release in the image's tag (python:3.11-bookworm)")
        compiler = needs.why_compiler_stays(self.installs)
        if compiler is not None and self.builds:
            return Refused(f"{compiler}: {', '.join(self.builds)} cannot be left out")
        for install in self.installs:
            answer = self._why_not_installed(install)
            if answer is not None:
                return answer
        return self._why_not_started() or self._why_outside()

    def _why_not_installed(self, install: ReadInstall) -> Refused | None:
        act, call = install.act, install.act.call
        line = self.stage.line(act.step)
        if act.command.is_conditional:
            return Refused(f"line {line} installs packages only under a condition", "use an `&&` list")
        user = act.step.user
        if user not in {None, "", "root", "0", "root:root", "0:0"} and not self.stage.environments:
            return Refused(
                f"line {line} installs packages as the user {user}, who cannot write to {HOME}",
                "install before USER",
            )
        if call is None:
            return None
        if any(wrapper.rpartition("/")[2] == "sudo" for wrapper in act.command.wrappers):
            return Refused(f"line {line} installs with sudo, which sets a PATH of its own", "leave sudo out")
        for option in ("-t", "--target", "--prefix", "--root", "--python"):
            if call.manager in {"pip", "uv"} and call.option(option) is not None:
                return Refused(f"line {line} installs into a folder of its own ({option} {call.option(option)})")
        name = act.command.name or ""
        if name.startswith("/") and not any(name.startswith(path + "/") for _, path in self.stage.environments):
            return Refused(f"line {line} calls {name} by its path, which is outside of a virtual environment",
                           f"call {posixpath.basename(name)} by name")  # fmt: skip
        return None

    def _why_not_started(self) -> Refused | None:
        """What is started calls a tool that the runner has not, or drops the PATH that has the environment in
        it.
        """
        reading = self.reading
        tools = set(self.stage.tools)
        for program, where in system.programs_started(reading).items():
            if program in {"su", "sudo", "runuser"}:
                return Refused(f"{where} calls {program}, which sets a PATH without the virtual environment")
        direct = started_directly(self.stage, self.installs)
        if isinstance(direct, Refused):
            return direct
        self.direct = direct
        deployment = reading.context.deployment
        if tools and deployment.has_own_command:
            for source in deployment.sources:
                text = reading.context.read(source)
                found = next((tool for tool in sorted(tools) if isinstance(text, str) and f"{tool} run" in text), None)
                if found is not None:
                    return Refused(f"{source} starts the image with `{found} run`, so the runner needs {found}")
        start = reading.start
        argv = start.argv if start is not None else ()
        if argv and argv[0].rpartition("/")[2] in {"bash", "sh"} and argv[1:2] in _LOGIN:
            return Refused("the start command is a login shell, which sets a PATH without the virtual environment")
        return None

    def _why_outside(self) -> Refused | None:
        """Something names the interpreter or an installed program by its path in /usr/local."""
        if self.stage.environments:
            return None
        reading = self.reading
        for step in reading.steps:
            if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN", "ENV", "COPY"}:
                text = step.node.argument
                found = _OUTSIDE.search(text)
                if found is not None and not _is_copied_there(reading, found[0]):
                    line = self.stage.line(step)
                    return Refused(
                        f"line {line} names {found[0]}, which is outside of a virtual environment",
                        "call it by name",
                    )
        context = reading.context
        files = context.files(without=NOT_SOURCES)
        if isinstance(files, Unknown):
            return Refused(files.reason)
        composed = set(context.deployment.sources)
        for path in files[:5_000]:
            name = posixpath.basename(path)
            is_read = path in composed or "." not in name.lstrip(".") or name.endswith(_NAMES_PROGRAMS)
            if not is_read or is_test(path):
                continue
            if name.startswith(("Dockerfile", "Makefile", "LICENSE", "README", ".git")):
                continue
            data = context.read_bytes(path)
            if isinstance(data, Unknown) or b"\0" in data[:1024] or b"/usr/local/" not in data:
                continue
            match = _OUTSIDE.search(data.decode("utf-8", "replace"))
            if match is not None and not _is_copied_there(reading, match[0]):
                return Refused(f"{path} names {match[0]}, which is outside of a virtual environment", "call it by name")
        return None

    # Images and environments

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

    def _environment(self) -> Environment | Refused:
        stage = self.stage
        projects: dict[str, ReadInstall] = {}
        plain: list[ReadInstall] = []
        for install in self.installs:
            home = self._own_environment(install)
            if home is not None:
                projects[home] = install
            else:
                plain.append(install)
        folders: list[str] = []
        for install in self.installs:
            if install.is_editable and self._needs_folder(install):
                if install.folder == "/":
                    return Refused("the project is installed in place in /, which cannot be copied as a folder",
                                   "set a WORKDIR before the sources are copied")  # fmt: skip
                folders.append(install.folder)
        if projects and plain:
            first, second = next(iter(projects.values())), plain[0]
            return Refused(
                f"lines {stage.line(first.act.step)} and {stage.line(second.act.step)} install into two environments",
                "install everything with one tool",
            )
        made = stage.environments
        for act, path in made:
            if act.call is not None and act.call.has("--system-site-packages"):
                return Refused(f"the environment made on line {stage.line(act.step)} also uses the system's packages")
            if "$" in path:
                return Refused(f"where line {stage.line(act.step)} makes the environment depends on a variable")
        if projects:
            if len(projects) > 1:
                return Refused(f"several projects are installed: {', '.join(projects)}")
            path, install = next(iter(projects.items()))
            reason = self._why_not_own_python(install)
            if reason is not None:
                return reason
            return self._checked(Environment(path, False, (path, *folders)))
        if made:
            if not self._is_active(made[-1][1]):
                return Refused(
                    f"{made[-1][1]} is made on line {stage.line(made[-1][0].step)}, but not on PATH when packages are "
                    "installed",
                    f"set PATH to {made[-1][1]}/bin:$PATH before the install",
                )
            return self._checked(Environment(made[-1][1], False, (*(path for _, path in made), *folders)))
        return Environment(HOME, True, (HOME, *dict.fromkeys(folders)))

    def _needs_folder(self, install: ReadInstall) -> bool:
        """An editable install by pip or setup.py leaves metadata beside the sources; poetry, uv and pdm do
        not.
        """
        return install.call is None or install.call.manager == "pip" or install.call.manager == "pipenv"

    def _own_environment(self, install: ReadInstall) -> str | None:
        """The environment that the tool makes in the project's folder, None where it takes the active one."""
        call = install.call
        if call is None:
            return None
        variables = self.stage.variables
        if call.manager == "uv" and not call.verb.startswith("pip"):
            return join(install.folder, ".venv")
        in_project = False
        if call.manager == "poetry":
            in_project = variables.get("POETRY_VIRTUALENVS_IN_PROJECT", "").lower() in {"1", "true"} or any(
                act.call is not None and act.call.manager == "poetry" and act.call.action == "config"
                and [word.literal for word in act.call.operands][:2] == ["virtualenvs.in-project", "true"]
                for act in self.stage.acts
            )  # fmt: skip
        elif call.manager == "pipenv":
            in_project = variables.get("PIPENV_VENV_IN_PROJECT", "").lower() in {
                "1",
                "true",
            } and not call.has("--system")
        elif call.manager == "pdm":
            in_project = variables.get("PDM_USE_VENV", "true").lower() in {"1", "true"}
        return join(install.folder, ".venv") if in_project else None

    def _is_active(self, path: str) -> bool:
        value = self.stage.variables.get("PATH", "")
        if path + "/bin" in value or self.stage.variables.get("VIRTUAL_ENV") == path:
            return True
        return all(
            (install.act.command.name or "").startswith(path + "/bin/")
            or any(act.command.name in {".", "source"} for act in self.stage.acts_of(install.act.step))
            or (install.call is not None and install.call.manager in {"uv"})
            for install in self.installs
        ) and self._starts_from(path)

    def _starts_from(self, path: str) -> bool:
        """The start command, or what it calls, names the environment."""
        start = self.reading.start
        if start is None:
            return False
        text = " ".join(start.argv) + (start.script.text if start.script else "")
        name = posixpath.basename(path)
        return path in text or f"{name}/bin/" in text

    def _checked(self, environment: Environment) -> Environment | Refused:
        """Nothing of the context lands on the environment, and something uses it."""
        inside = self.reading.in_context(environment.path)
        if inside:
            return Refused(
                f"{inside} of the build context would be copied over the environment",
                f"add {inside} to .dockerignore",
            )
        if not self.direct and not self._is_active(environment.path) and not self._starts_from(environment.path):
            return Refused(
                f"packages are in {environment.path}, but neither PATH nor the start command names it",
                f'set ENV PATH="{environment.path}/bin:$PATH"',
            )
        return environment

    def _why_not_own_python(self, install: ReadInstall) -> Refused | None:
        """uv fetches another interpreter where the image's does not fit; it would be missing in the runner."""
        from refactor.context.python_manifests import read_version_file

        if install.call is None or install.call.manager != "uv":
            return None
        pinned = next((path for path in install.manifests if path.endswith(".python-version")), None)
        if pinned is None:
            return None
        version = read_version_file(self.reading.context, pinned)
        have = self.image.version
        if isinstance(version, Unknown):
            return Refused(version.reason)
        if not have or (version + ".").startswith(have + ".") or (have + ".").startswith(version + "."):
            return None
        return Refused(f"{pinned} asks for Python {version}, which uv downloads: the base image has {have}",
                       f"start from python:{version}")  # fmt: skip

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

    # COPY and ADD

    def _place_copies(self, environment: Environment) -> Refused | None:
        reading = self.reading
        last = max(reading.position(install.act.step.node) for install in self.installs)
        for step in reading.runs:
            is_builder = Role.BUILDER in self.roles.get(step.node, Role.DROPPED)
            if is_builder and not system.is_package_step(step) and system.system_role(step) is None:
                last = max(last, reading.position(step.node))
        in_place = [install for install in self.installs if install.sources is not None]
        whole = [path for path in environment.copied if any(path == i.folder and i.is_editable for i in self.installs)]
        two_phases = self._two_phases(in_place) if in_place and not whole else False
        is_late = two_phases or self._may_be_late(in_place)
        provided = self._provided()
        for index, step in enumerate(reading.steps):
            node = step.node
            if node.keyword not in {"COPY", "ADD"} or node in self.roles:
                continue
            if is_uv_copy(step):
                self.roles[node] = Role.BUILDER
                continue
            if node.flag("from") is not None:
                self.roles[node] = Role.BOTH if index < last else Role.RUNNER
                continue
            if index > last:
                self.roles[node] = Role.RUNNER
                continue
            answer = self._place_copy(step, provided.get(node, {}), in_place, whole, is_late)
            if answer is not None:
                return answer
        if two_phases and self.again:
            self._install_twice(in_place[0])
        elif self.again:
            self.before.setdefault(in_place[0].act.step.node, []).extend(self._again())
        self._move_environment()
        return None

    def _provided(self) -> dict[Instruction, dict[str, str]]:
        """For each copy the manifests that installations take from it -> their absolute places in the image."""
        found: dict[Instruction, dict[str, str]] = {}
        for install in self.installs:
            here = self.reading.position(install.act.step.node)
            for path in install.manifests:
                latest: tuple[Copied, str] | None = None
                for copied in self.reading.copies:
                    if self.reading.position(copied.node) >= here:
                        break
                    place = _place_of(copied, path)
                    if place is not None:
                        latest = (copied, place)
                if latest is not None:
                    found.setdefault(latest[0].node, {})[path] = latest[1]
        return found

    def _place_copy(
        self,
        step: Step,
        manifests: Mapping[str, str],
        in_place: Sequence[ReadInstall],
        whole: Sequence[str],
        is_late: bool,
    ) -> Refused | None:
        node, reading = step.node, self.reading
        copied = [one for one in reading.copies if one.node is node]
        files = self._files_of(copied)
        is_only_manifests = bool(files) and all(
            any(path == name or path.startswith(name + "/") for name in manifests) for path in files
        )
        in_folder = any(
            one.target == folder or one.target.startswith(folder + "/") for one in copied for folder in whole
        )
        if in_folder and not is_only_manifests:
            # The folder is copied as the installation left it.
            self.roles[node] = Role.BUILDER
            if is_late:
                self.again.append(node)
                texts = self._copy_texts(step, manifests)
                self.instead[node] = texts
                if not texts:
                    self.roles[node] = Role.DROPPED
            return None
        if is_only_manifests:
            again = all(self._is_copied_later(path, node) for path in files)
            keep = any(posixpath.basename(path) in _MANIFEST_NAMES for path in files)
            self.roles[node] = Role.BOTH if keep and not again else Role.BUILDER
            return None
        if in_place:
            self.roles[node] = Role.BOTH
            if is_late:
                self.again.append(node)
                texts = self._copy_texts(step, manifests)
                if texts:
                    self.instead[node] = texts
                else:
                    self.roles[node] = Role.RUNNER
            return None
        if manifests:
            self.roles[node] = Role.BOTH
            self.instead[node] = self._copy_texts(step, manifests)
            self.evidence.append(f"the installation reads only {', '.join(manifests)}")
            return None
        self.roles[node] = Role.BOTH if self._is_called(step, copied) else Role.RUNNER
        return None

    def _files_of(self, copied: Sequence[Copied]) -> tuple[str, ...]:
        found: list[str] = []
        for one in copied:
            if not one.is_folder:
                found.append(one.source)
                continue
            files = self.reading.context.files(one.source)
            found += files if not isinstance(files, Unknown) else (one.source,)
        return tuple(found)

    def _is_copied_later(self, path: str, node: Instruction) -> bool:
        places = [_place_of(one, path) for one in self.reading.copies if one.node is node]
        return any(
            _place_of(one, path) in places
            for one in self.reading.copies
            if self.reading.position(one.node) > self.reading.position(node)
        )

    def _is_called(self, step: Step, copied: Sequence[Copied]) -> bool:
        """Whether a RUN of the builder names what is copied, or it is a setting outside of the project."""
        texts = [
            other.node.argument
            for other in self.reading.runs
            if Role.BUILDER in self.roles.get(other.node, Role.DROPPED)
        ]
        for one in copied:
            name = posixpath.basename(one.source) or one.target
            if any(name in text or one.target in text for text in texts if one.target != "/"):
                return True
            is_script = one.source.endswith((".py", ".sh", ".html", ".js", ".css", ".sql"))
            if one.target.startswith(("/etc/", "/root/", "/usr/local/share/ca-certificates")) and not is_script:
                return True
        return not copied

    def _copy_texts(self, step: Step, manifests: Mapping[str, str]) -> list[str]:
        """COPY instructions that bring the manifests to where the whole copy would have put them."""
        groups: dict[str, list[str]] = {}
        for path, place in manifests.items():
            is_folder = self.reading.context.is_dir(path) is True
            groups.setdefault(place if is_folder else posixpath.dirname(place), []).append(path)
        texts = []
        for folder, paths in groups.items():
            relative = posixpath.relpath(folder, step.workdir) if step.workdir != "/" else folder
            target = "./" if relative == "." else (folder if relative.startswith("..") else relative).rstrip("/") + "/"
            texts.append(f"COPY {' '.join(paths)} {target}")
        return texts

    def _two_phases(self, in_place: Sequence[ReadInstall]) -> bool:
        """Dependencies first, then the sources and the project itself: what poetry, uv and pdm can do."""
        install = in_place[0]
        call = install.call
        if len(in_place) > 1 or call is None or call.manager not in {"poetry", "uv", "pdm"} or install.project is None:
            return False
        if call.verb.startswith("pip") or call.packages or install.project.local_paths:
            return False
        if any(one.source == "path" for one in install.locked):
            return False
        step = install.act.step
        if step.node in self.instead_in_runner or step.script is None:
            return False
        if any(other.call is not None and other.call.manager == call.manager for other in self.installs
               if other is not install):  # fmt: skip
            return False
        # The second installation repeats only its own command, which must be what the first RUN ends with.
        if self.stage.acts_of(step)[-1].command is not install.act.command or not step.script.is_and_list:
            return False
        return self._is_one_workdir(step)

    def _may_be_late(self, in_place: Sequence[ReadInstall]) -> bool:
        """An installation that reads manifests alone comes between the sources and the one that needs them."""
        if not in_place:
            return False
        step = in_place[0].act.step
        until = self.reading.position(step.node)
        copies = sorted(self.reading.position(copied.node) for copied in self.reading.copies if copied.is_folder)
        between = [
            install
            for install in self.installs
            if install.sources is None
            and install.manifests
            and copies
            and copies[0] < self.reading.position(install.act.step.node) < until
        ]
        return bool(between) and step.node not in self.instead_in_runner and self._is_one_workdir(step)

    def _is_one_workdir(self, step: Step) -> bool:
        """Copies before the step mean the same when they are repeated just before it."""
        sources = [
            other
            for other in self.reading.steps[: self.reading.position(step.node)]
            if other.keyword in {"COPY", "ADD"} and other.node.flag("from") is None
        ]
        return all(other.workdir == step.workdir for other in sources)

    def _again(self) -> list[str]:
        return [
            f"{node.keyword} {''.join(f'{flag.text} ' for flag in node.flags)}{node.argument}" for node in self.again
        ]

    def _install_twice(self, install: ReadInstall) -> None:
        call, node = install.call, install.act.step.node
        assert call is not None
        flag = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}[call.manager]
        written = self.instead.get(node, [f"RUN {laid_out(node.argument)}"])
        whole = written[-1]
        again = (
            whole.rpartition(" && ")[2] if len(self.stage.acts_of(install.act.step)) > 1 else whole.removeprefix("RUN ")
        )
        self.instead[node] = [*written[:-1], f"{whole} {flag}", *self._again(), f"RUN {again.strip()}"]
        self.roles[node] = Role.BUILDER
        self.evidence.append(
            f"{install.sources}: its dependencies are installed first, so that an edit of the sources repeats only that"
        )

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


def _place_of(copied: Copied, path: str) -> str | None:
    """Where a copy puts a path of the context, None where it does not copy it."""
    if not copied.is_folder:
        return copied.target if copied.source == path else None
    if copied.source == "" or path == copied.source or path.startswith(copied.source + "/"):
        return join(copied.target, path[len(copied.source) :].lstrip("/") or ".")
    return None


def _raw(step: Step, act: Act) -> str:
    script = step.script.text if step.script is not None else step.node.argument
    text = script[act.command.span[0] : act.command.span[1]]
    # Continuations leave the indentation of the next line behind.
    return text.strip() if "'" in text or '"' in text else " ".join(text.split())


def _making() -> list[str]:
    return [f"RUN python -m venv {HOME}", _environment_text()]


def _environment_text(path: str = HOME) -> str:
    return f'ENV VIRTUAL_ENV={path} \\\n    PATH="{path}/bin:$PATH"'


def _is_copied_there(reading: StageReading, path: str) -> bool:
    """A file of the context, or of another image, that the Dockerfile puts at this path."""
    for copied in reading.copies:
        if copied.target in {"/", "/usr", "/usr/local"}:
            continue
        if path == copied.target or path.startswith(copied.target.rstrip("/") + "/"):
            return True
    others = (step.node for step in reading.steps if step.keyword == "COPY" and step.node.flag("from") is not None)
    return any((node.destination or "").startswith("/usr/local") for node in others)


__all__ = ["HOME", "distribution_name", "split"]
