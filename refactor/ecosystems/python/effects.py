"""What the commands of Python's tools read and write, for the graph of the file."""

from __future__ import annotations

import posixpath

from refactor.context import Unknown
from refactor.ecosystems.python.installs import install_of
from refactor.ecosystems.python.tools import Act, Action, action_of
from refactor.ecosystems.python.writing import static_root
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import PackageCall

_SYSTEM = ("/usr/local/lib", "/usr/local/bin")
"""Where pip of the official images puts packages and their programs."""


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
    install = install_of(call.reading, Act(call.step, call.command, Action.INSTALL, call.package))
    if isinstance(install, Refused):
        return Effect(call.paths("."), _packages(call), needs=("network",))
    whole = (install.folder,) if install.sources is not None else ()
    return Effect((*whole, *call.places(install.manifests)), _packages(call), needs=("network",))


def _django(call: Invocation) -> Effect | None:
    """Tasks of manage.py that a build calls."""
    words = [word for word in call.command.args if not word.startswith("-")]
    if len(words) < 2 or posixpath.basename(words[0]) != "manage.py":
        return None
    if words[1] == "collectstatic":
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
    is_project = package is not None and package.action in {"install", "sync"}
    if package is not None and is_project and makes_environment(call.reading, call.step, package):
        return call.paths(".venv")
    return _SYSTEM


_ASKED = {"poetry": "POETRY_VIRTUALENVS_IN_PROJECT", "pipenv": "PIPENV_VENV_IN_PROJECT"}


def makes_environment(reading: StageReading, step: Step, package: PackageCall) -> bool:
    """The tool makes an environment in the project's folder: always (uv), unless told not to (pdm), or where asked."""
    if package.manager == "uv":
        return not package.verb.startswith("pip")
    known = reading.file.environment(step.node)
    if package.manager == "pdm":
        return (known.get("PDM_USE_VENV") or "true").lower() in {"1", "true"}
    own = (call.operands[:2] for _, call in reading.calls if call.manager == "poetry" and call.action == "config")
    settings = [[word.literal for word in words] for words in own if package.manager == "poetry"]
    is_asked = (known.get(_ASKED.get(package.manager, "")) or "").lower() in {"1", "true"}
    return ["virtualenvs.in-project", "true"] in settings or (is_asked and not package.has("--system"))


__all__ = ["effect", "makes_environment"]
