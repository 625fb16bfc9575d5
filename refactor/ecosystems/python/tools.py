"""What the commands of Python's tools are for, and what they read and write."""

from __future__ import annotations

import enum
import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import Command, PackageCall

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
_SYSTEM = ("/usr/local/lib", "/usr/local/bin")
"""Where pip of the official images puts packages and their programs."""


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

    @property
    def folder(self) -> str | None:
        """Absolute image folder it runs in, None where unknown."""
        return self.step.folder_of(self.command)


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


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Ecosystem.effect`."""
    action, package = action_of(call), call.package
    if package is not None and package.action == "wheel":
        return Effect(call.paths("."), call.paths(package.option("-w", "--wheel-dir") or "."), needs=("network",))
    is_silent = action is Action.NEUTRAL and bool(call.command.args)
    if is_silent or action is Action.MAINTENANCE or call.command.args[:1] == ("-c",):
        return Effect()
    if action is Action.VENV:
        words = () if package is None else package.operands or package.packages
        return Effect(writes=call.paths(words[0].literal if words else ".venv"))
    if action in {Action.TOOL, Action.UPGRADE}:
        return Effect(writes=_packages(call), needs=("network",))
    if action is Action.INSTALL:
        return _install(call)
    return _django(call) or Effect(call.paths("."), (Unknown(f"what `{call.name}` writes is not known"),))


def _install(call: Invocation) -> Effect:
    from refactor.ecosystems.python.installs import install_of

    install = install_of(call.reading, Act(call.step, call.command, Action.INSTALL, call.package))
    if isinstance(install, Refused):
        return Effect(call.paths("."), _packages(call), needs=("network",))
    places = [call.reading.in_image(path, call.step.node)[-1:] for path in install.manifests]
    whole = (install.folder,) if install.sources is not None else ()
    return Effect((*whole, *(path for one in places for path in one)), _packages(call), needs=("network",))


def _django(call: Invocation) -> Effect | None:
    """Tasks of manage.py that a build calls."""
    words = [word for word in call.command.args if not word.startswith("-")]
    if len(words) < 2 or posixpath.basename(words[0]) != "manage.py":
        return None
    if words[1] == "collectstatic":
        from refactor.ecosystems.python.writing import static_root

        folder = static_root(call.reading)
        return Effect(call.paths("."), (folder or Unknown("STATIC_ROOT could not be read from the settings"),))
    if words[1] in {"compilemessages", "check"}:
        return Effect(call.paths("."), call.paths(".") if words[1] == "compilemessages" else ())
    return None


def _packages(call: Invocation) -> tuple[Path, ...]:
    """Where the packages go: --target, the virtual environment that is in force, or the system."""
    package = call.package
    target = package.option("--target", "-t", "--prefix", "--root") if package is not None else None
    if target is not None:
        return (call.path(target),)
    known = call.reading.file.environment(call.step.node)
    place = known.get("VIRTUAL_ENV") or known.get("UV_PROJECT_ENVIRONMENT")
    program = call.command.name or ""
    if "/bin/" in program and not program.startswith(("/usr/", "/bin/")):
        return (join(call.folder or "/", posixpath.dirname(posixpath.dirname(program))),)
    if place:
        return (join(call.folder or "/", place),)
    if package is not None and package.manager in {"uv", "pdm"} and package.verb in {"sync", "install"}:
        return call.paths(".venv")
    return _SYSTEM


def distribution_name(requirement: str) -> str:
    """`Poetry==1.8.2` -> poetry, `poetry[plugin]>=1` -> poetry (PEP 503); a path or URL as it is."""
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@].*)?$", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found is not None else requirement


__all__ = [
    "BUILD_TOOLS", "INSTALLER_SCRIPT", "MANAGERS", "Act", "Action", "action_of", "distribution_name",
    "effect", "expanded",
]  # fmt: skip
