"""What the commands of Python's tools read and write, for the graph of the file."""

from __future__ import annotations

import posixpath

from refactor.context import Unknown
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.stage import PythonStage
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import StageReading, join
from refactor.shell import PackageCall

_SYSTEM = ("/usr/local/lib", "/usr/local/bin")
"""Where pip of the official images puts packages and their programs."""


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Ecosystem.effect`."""
    package = call.package
    if package is not None and package.manager == "venv":
        return Effect(writes=call.paths(*(word.literal for word in package.operands)))
    if package is not None and package.action == "wheel":
        return Effect(call.paths("."), call.paths(package.option("-w", "--wheel-dir") or "."), needs=("network",))
    if package is not None and package.action in {"config", "clean", "", "remove"}:
        return Effect()
    install = _installs(call.reading).get(id(call.command))
    if install is not None:
        reads = [call.reading.in_image(path, call.step.node)[-1:] for path in install.manifests]
        whole = (install.folder,) if install.sources is not None else ()
        return Effect((*whole, *(path for one in reads for path in one)), _packages(call, package), needs=("network",))
    if package is not None:
        return Effect(call.paths("."), _packages(call, package), needs=("network",))
    if call.command.args[:1] in {("-V",), ("--version",), ("-c",)}:
        return Effect()
    return _django(call) or Effect(call.paths("."), (Unknown(f"what `{call.name}` writes is not known"),))


def _django(call: Invocation) -> Effect | None:
    """Tasks of manage.py that a build calls."""
    words = [word for word in call.command.args if not word.startswith("-")]
    if len(words) < 2 or posixpath.basename(words[0]) != "manage.py":
        return None
    if words[1] == "collectstatic":
        from refactor.ecosystems.python.writing import static_root

        folder = static_root(call.reading)
        return Effect(call.paths("."), (folder or Unknown("STATIC_ROOT could not be read from the settings"),))
    return Effect(call.paths("."), call.paths(".") if words[1] == "compilemessages" else ()) if (
        words[1] in {"compilemessages", "check"}
    ) else None  # fmt: skip


def _installs(reading: StageReading) -> dict[int, ReadInstall]:
    def found() -> dict[int, ReadInstall]:
        installs = read_installs(PythonStage.of(reading))
        return {id(one.act.command): one for one in installs if isinstance(one, ReadInstall)}

    return reading.remember("python effects", found)


def _packages(call: Invocation, package: PackageCall | None) -> tuple[Path, ...]:
    """Where the packages go: --target, the virtual environment that is in force, or the system."""
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


__all__ = ["effect"]
