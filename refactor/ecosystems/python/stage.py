"""The commands of a stage as a Python project sees them: tools, environments, installations, programs."""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.ecosystems import system
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.once import cached_property
from refactor.shell import Command, PackageCall
from refactor.syntax import Instruction

MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})

BUILD_TOOLS = frozenset(
    {"poetry", "pdm", "pipenv", "uv", "virtualenv", "pip-tools", "poetry-core", "hatch", "build", "pipx",
     "poetry-plugin-export", "poetry-dynamic-versioning", "pdm-backend"}
)  # fmt: skip
"""Distributions that install others: called by a build, not by the program."""

INSTALLERS = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What every environment has of its own; upgraded in the one that is used."""

_VARIABLE = re.compile(r"\$\{?(?!PATH\b)([A-Za-z_][A-Za-z0-9_]*)\}?")
_INSTALLER_SCRIPTS = re.compile(
    r"install\.python-poetry\.org|get-poetry\.py|install-poetry\.py|astral\.sh/uv|install-pdm\.py|get-pip\.py|get-pipenv"
)
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")

_CONSOLE_SCRIPTS = frozenset(
    {"flask", "django-admin", "alembic", "playwright", "spacy", "streamlit", "celery", "pybabel", "mkdocs", "invoke",
     "aerich", "prisma", "gdown", "huggingface-cli", "transformers-cli", "manage.py", "dvc", "scrapy",
     "jupyter", "opentelemetry-bootstrap", "reflex", "superset", "dbt", "sphinx-build", "chainlit", "nltk"}
)  # fmt: skip
"""Programs of distributions that Dockerfiles call at build time once these are installed."""

_TESTS = frozenset({"pytest", "tox", "nox", "flake8", "pylint", "mypy", "ruff", "black", "isort", "coverage", "bandit"})

_FILES = frozenset({"rm", "mv", "cp", "sed", "chmod", "chown", "chgrp", "touch", "mkdir", "ln", "find", "cat", "echo",
                    "printf", "ls", "dos2unix", "envsubst", "tee", "truncate", "install"})  # fmt: skip
_NEUTRAL = frozenset({"echo", "true", ":", "set", "ls", "pwd", "which", "date", "id", "env", "sleep"})
_SHELL = frozenset({"cd", "export", ".", "source", "umask", "shopt", "pushd", "popd", "exit", "trap"})


class Action(enum.Enum):
    """What a command of a RUN is for."""

    SYSTEM = "system packages"
    SET_UP = "system set-up"
    TOOL = "build tool"
    UPGRADE = "installer upgrade"
    VENV = "virtual environment"
    INSTALL = "dependencies"
    MAINTENANCE = "package maintenance"
    PROGRAM = "program of the project"
    FILES = "files of the project"
    SHELL = "shell state"
    NEUTRAL = "no effect"
    UNKNOWN = "unknown"


BUILDER_ACTIONS = frozenset(
    {Action.SYSTEM, Action.TOOL, Action.UPGRADE, Action.VENV, Action.INSTALL, Action.MAINTENANCE}
)
RUNNER_ACTIONS = frozenset({Action.PROGRAM, Action.FILES})


class Act(NamedTuple):
    """One command of a RUN and what it is for."""

    step: Step
    command: Command
    action: Action
    call: PackageCall | None = None

    @property
    def folder(self) -> str | None:
        """Absolute image folder it runs in, None where unknown."""
        return self.step.folder_of(self.command)


class PythonStage:
    """A stage read as a Python project's."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading

    @classmethod
    def of(cls, reading: StageReading) -> PythonStage:
        """The stage of a reading, made once for all that is asked about it."""
        return reading.remember("python", lambda: cls(reading))

    @classmethod
    def all(cls, reading: StageReading) -> tuple[PythonStage, ...]:
        """All stages of the reading's file: the runner of a split installs nothing itself."""
        file, context = reading.file, reading.context
        return tuple(
            cls.of(reading if stage is reading.stage else StageReading.of(file, stage, context))
            for stage in file.stages
        )

    def line(self, step: Step) -> int:
        return self.reading.file.line_of(step.node)

    @cached_property
    def acts(self) -> tuple[Act, ...]:
        return tuple(act for step in self.reading.runs for act in self._read(step))

    def acts_of(self, step: Step) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if act.step is step)

    @cached_property
    def installs(self) -> tuple[Act, ...]:
        # Most Dockerfiles install nothing of Python; reading all their commands would be for nothing.
        if not any(call.manager in MANAGERS for _, call in self.reading.calls) and not any(
            "setup.py" in step.node.argument or "spacy" in step.node.argument for step in self.reading.runs
        ):
            return ()
        return tuple(act for act in self.acts if act.action is Action.INSTALL)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the build tools that the stage installs, or copies out of their images."""
        found: dict[str, None] = {}
        for act in self.acts:
            if act.action is not Action.TOOL:
                continue
            if act.call is not None:
                for word in act.call.packages:
                    name = distribution_name(self.expanded(act.step, word.literal))
                    if name in BUILD_TOOLS:
                        found[name] = None
            else:
                script = _INSTALLER_SCRIPTS.search(act.step.node.argument)
                if script is not None:
                    text = script[0]
                    found[
                        "poetry" if "poetry" in text else "pdm" if "pdm" in text else "uv" if "uv" in text else "pip"
                    ] = None
        for step in self.reading.steps:
            if is_uv_copy(step):
                found["uv"] = None
        return tuple(name for name in found if name != "pip")

    @cached_property
    def environments(self) -> tuple[tuple[Act, str], ...]:
        """Virtual environments that the stage makes by name, with their absolute paths."""
        found = []
        for act in self.acts:
            if act.action is not Action.VENV or act.call is None:
                continue
            operands = act.call.operands or act.call.packages
            written = operands[0].literal if operands else ".venv"
            folder = act.folder
            if folder is not None:
                found.append((act, join(folder, self.expanded(act.step, written))))
        return tuple(found)

    def expanded(self, step: Step, text: str) -> str:
        """A word with the variables filled in that the Dockerfile knows; as written where one is not known."""
        if "$" not in text:
            return text
        value = self.reading.file.expand(text, step.node)
        return text if value is None else value

    @cached_property
    def variables(self) -> dict[str, str]:
        """ENV and ARG of the stage by name, known variables filled in; all values of PATH, one after the
        other.
        """
        found: dict[str, str] = {}
        for step in self.reading.steps:
            if step.keyword not in {"ENV", "ARG"}:
                continue
            for name, written in step.node.pairs:
                value = _VARIABLE.sub(lambda match: found.get(match[1], match[0]), written.strip("\"'"))
                if name == "PATH" and name in found:
                    value = f"{value}:{found[name]}"
                found[name] = value
        return found

    def _read(self, step: Step) -> Iterator[Act]:
        calls = {id(call.command): call for call in step.calls}
        is_installer = _INSTALLER_SCRIPTS.search(step.node.argument) is not None
        for command in step.commands:
            call = calls.get(id(command))
            if is_installer and (command.in_pipeline or command.name in {"curl", "wget", "python", "python3"}):
                yield Act(step, command, Action.TOOL)
                continue
            yield Act(step, command, self._action(step, command, call), call)

    def _action(self, step: Step, command: Command, call: PackageCall | None) -> Action:
        name = (command.name or "").rpartition("/")[2]
        if call is not None:
            if call.manager in system.MANAGERS:
                return Action.SYSTEM
            if call.manager in MANAGERS or call.manager == "venv":
                action = self._python_action(step, call)
                # `pip freeze > installed.txt`: a file that somebody may want.
                is_kept = any(
                    ">" in target and "/dev/" not in target and "&" not in target for target in command.redirects
                )
                return Action.UNKNOWN if action is Action.MAINTENANCE and is_kept else action
        if command.name is None:
            return Action.SHELL if command.assignments and not command.words else Action.UNKNOWN
        if name in _SHELL:
            return Action.SHELL
        if not command.redirects and (name in _NEUTRAL or command.args in {("--version",), ("-V",), ("version",)}):
            return Action.NEUTRAL
        if name in _TESTS:
            return Action.UNKNOWN
        if _PYTHON.fullmatch(name):
            return _python_program(command)
        if name in _CONSOLE_SCRIPTS or (command.name or "").endswith(".py"):
            return Action.PROGRAM
        if name == "rm" and command.args and all(is_cache(arg) for arg in command.args if not arg.startswith("-")):
            return Action.SYSTEM
        if system.is_set_up(command) and not self._touches_project(step, command):
            return Action.SET_UP
        if name in _FILES:
            return Action.FILES
        return Action.UNKNOWN

    def _python_action(self, step: Step, call: PackageCall) -> Action:
        if call.manager == "venv" or call.action == "venv":
            return Action.VENV
        if call.action == "global-install":
            return Action.TOOL
        if call.manager == "pip" or (call.manager == "uv" and call.verb.startswith("pip ")):
            if call.action == "install":
                names = {distribution_name(self.expanded(step, word.literal)) for word in call.packages}
                extra = call.has("-r", "--requirement", "-e", "--editable")
                if names and not extra and names <= INSTALLERS:
                    return Action.UPGRADE
                if names and not extra and names <= BUILD_TOOLS | INSTALLERS:
                    return Action.TOOL
                return Action.INSTALL
            return Action.INSTALL if call.action == "sync" else Action.MAINTENANCE
        if call.action in {"install", "sync"}:
            return Action.INSTALL
        if call.manager == "pdm" and call.action == "install":
            return Action.INSTALL
        if call.action in {"run", "exec"}:
            return Action.PROGRAM
        return Action.MAINTENANCE

    def _touches_project(self, step: Step, command: Command) -> bool:
        """Whether a path that the command names lies in what was copied from the context, or is relative."""
        name = (command.name or "").rpartition("/")[2]
        if name in {"useradd", "adduser", "groupadd", "addgroup", "usermod", "locale-gen", "update-locale"}:
            return False
        folders = [copied.target for copied in self.reading.copies
                   if self.reading.position(copied.node) < self.reading.position(step.node)]  # fmt: skip
        operands = [self.expanded(step, arg) for arg in command.args if not arg.startswith("-")]
        if name in {"chmod", "chown", "chgrp"}:
            operands = operands[1:]
        for path in operands:
            if "/" in path or name in {"mkdir", "chmod", "chown", "touch"}:
                place = join(step.workdir, path)
                if not path.startswith("/") and name != "mkdir":
                    return True
                if any(place == folder or place.startswith(folder.rstrip("/") + "/") for folder in folders):
                    return True
        return False


def _python_program(command: Command) -> Action:
    args = [arg for arg in command.args if arg not in {"-u", "-B", "-O", "-s", "-E"}]
    if not args or args[0] in {"--version", "-V"}:
        return Action.NEUTRAL
    if args[0] == "-m" and len(args) > 1:
        if args[1] in _TESTS or args[1] in {"unittest", "build", "cython"}:
            return Action.UNKNOWN
        return Action.INSTALL if args[1:3] == ["spacy", "download"] else Action.PROGRAM
    if posixpath.basename(args[0]) == "setup.py":
        return Action.INSTALL
    if args[0] in {"-c", "-"} or args[0].endswith(".py") or not args[0].startswith("-"):
        return Action.PROGRAM
    return Action.UNKNOWN


def is_cache(path: str) -> bool:
    return (
        re.match(r"(?:/root|~|\$HOME)/\.cache\b|/tmp\b|/var/(?:lib/apt|cache|tmp)\b|/var/log/apt\b", path) is not None
    )


def is_uv_copy(step: Step) -> bool:
    """`COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/`."""
    source = step.node.flag("from") if step.keyword == "COPY" else None
    return source is not None and "astral-sh/uv" in source


def distribution_name(requirement: str) -> str:
    """`Poetry==1.8.2` -> poetry, `poetry[plugin]>=1` -> poetry (PEP 503); a path or URL as it is."""
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@].*)?$", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found is not None else requirement


def pinned_version(requirement: str) -> str | None:
    """`poetry==1.8.2` -> 1.8.2."""
    found = re.search(r"==\s*([0-9][\w.]*)", requirement)
    return found[1] if found is not None else None


def why_not_read(reading: StageReading) -> Refused | None:
    """A RUN whose commands cannot be told, by name."""
    for step in reading.runs:
        line = reading.file.line_of(step.node)
        if step.script is None:
            return Refused(f"the RUN on line {line} has its commands in a heredoc, which are not read", "use && lists")
        if step.script.opaque is not None:
            return Refused(f"the RUN on line {line} cannot be read: {step.script.opaque}", "write it simpler")
    return None


def later(reading: StageReading, node: Instruction, other: Instruction) -> bool:
    """``node`` comes after ``other`` in the stage."""
    return reading.position(node) > reading.position(other)
