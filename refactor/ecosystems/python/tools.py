"""What the commands of Python's tools are for."""

from __future__ import annotations

import enum
import posixpath
import re
from typing import NamedTuple

from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import StageReading, Step
from refactor.shell import Command, PackageCall, normalise

MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})
BUILD_TOOLS = frozenset(
    """poetry pdm pipenv uv virtualenv pip-tools poetry-core hatch build pipx poetry-plugin-export
    poetry-dynamic-versioning pdm-backend""".split()
)
"""Distributions that install others: called by a build, not by the program."""
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What every environment has of its own; upgraded in the one that is used."""
_SCRIPTS = "install.python-poetry.org get-poetry.py install-poetry.py astral.sh/uv install-pdm.py get-pip.py get-pipenv"
INSTALLER_SCRIPT = "|".join(map(re.escape, _SCRIPTS.split()))
"""Names of what is downloaded to install a tool."""
_PYTHON = r"(?:python|pypy)[0-9.]*"


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


class Act(NamedTuple):
    """One command of a RUN and what it is for."""

    step: Step
    command: Command
    action: Action
    call: PackageCall | None = None
    effect: Effect = Effect()

    @property
    def folder(self) -> str | None:
        """Absolute image folder it runs in, None where unknown."""
        return self.step.folder_of(self.command)

    @property
    def text(self) -> str:
        """As it is written; where no quotes are in one line, without the indentation behind continuations."""
        script = self.step.script.text if self.step.script is not None else self.step.node.argument
        text = script[slice(*self.command.span)]
        return text.strip() if "'" in text or '"' in text else " ".join(text.split())


def expanded(reading: StageReading, step: Step, text: str) -> str:
    """A word with the variables filled in that the Dockerfile knows; as written where one is not known."""
    value = reading.file.expand(text, step.node) if "$" in text else text
    return text if value is None else value


def action_of(call: Invocation) -> Action:
    """What one of Python's tools is called for."""
    package = call.package
    if package is not None and package.manager in {*MANAGERS, "venv"}:
        return _of_package(call, package)
    if call.command.args in {("--version",), ("-V",), ("version",)}:
        return Action.NEUTRAL
    return _of_interpreter(call) if re.fullmatch(_PYTHON, call.name) else Action.PROGRAM


def _of_package(call: Invocation, package: PackageCall) -> Action:
    if package.manager == "venv" or package.action == "venv":
        return Action.VENV
    if package.action == "global-install":
        return Action.TOOL
    if package.action in {"run", "exec"}:
        return Action.PROGRAM
    if package.action == "install" and (package.manager == "pip" or package.verb.startswith("pip ")):
        names = {distribution_name(expanded(call.reading, call.step, word.literal)) for word in package.packages}
        if names and not package.has("-r", "--requirement", "-e", "--editable"):
            if names <= INSTALLERS:
                return Action.UPGRADE
            if names <= BUILD_TOOLS | INSTALLERS:
                return Action.TOOL
    if package.action == "install" or (package.action == "sync" and package.manager != "pip"):
        return Action.INSTALL
    return Action.MAINTENANCE


def _of_interpreter(call: Invocation) -> Action:
    args = [arg for arg in call.command.args if arg not in {"-u", "-B", "-O", "-s", "-E"}]
    if not args or args[0] in {"--version", "-V"}:
        return Action.NEUTRAL
    if re.search(INSTALLER_SCRIPT, call.step.node.argument):
        return Action.TOOL
    if args[0] == "-m" and len(args) > 1:
        if args[1] in {"pytest", "tox", "nox", "unittest", "build", "cython", "coverage", "mypy", "pylint", "flake8"}:
            return Action.UNKNOWN
        return Action.INSTALL if args[1:3] == ["spacy", "download"] else Action.PROGRAM
    if posixpath.basename(args[0]) == "setup.py":
        return Action.INSTALL
    return Action.PROGRAM if args[0] in {"-c", "-"} or not args[0].startswith("-") else Action.UNKNOWN


def distribution_name(requirement: str) -> str:
    """`Poetry==1.8.2` -> poetry, `poetry[plugin]>=1` -> poetry (PEP 503); a path or URL as it is."""
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@].*)?$", requirement.strip())
    return normalise(found[1]) if found is not None else requirement


__all__ = ["BUILD_TOOLS", "INSTALLER_SCRIPT", "MANAGERS", "Act", "Action", "action_of", "distribution_name", "expanded"]
