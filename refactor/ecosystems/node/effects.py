"""What the commands of Node's tools read and write, for the graph of the file."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from refactor.context import Unknown
from refactor.ecosystems.answers import installs_by_command
from refactor.ecosystems.node.builds import Built, kind_of
from refactor.ecosystems.node.installing import installs
from refactor.ecosystems.node.layout import Layout
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import StageReading
from refactor.shell import PackageCall

_INSTALLS = frozenset({"install", "ci", "add", "upgrade", "prune", "rebuild", "deploy"})
_LOOKS = frozenset({"-v", "--version", "-V"})
_GLOBAL = ("/usr/local/lib/node_modules", "/usr/local/bin")


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Ecosystem.effect`."""
    if call.command.args and set(call.command.args) <= _LOOKS:
        return Effect()
    package = call.package
    if package is not None and package.manager != "corepack":
        if package.action == "global-install":
            return Effect(writes=_GLOBAL, needs=("network",))
        if package.action in {"config", "clean", "set-version", "", "get"}:
            return Effect(writes=call.paths("~/.npmrc") if package.action == "config" else ())
        if package.action in _INSTALLS:
            return _install(call, package)
    elif package is not None:
        return Effect(writes=_GLOBAL, needs=("network",))
    return _build(call)


def _install(call: Invocation, package: PackageCall) -> Effect:
    """Reads the manifests; all that it puts anywhere goes below node_modules."""
    folder = call.path(package.option("--prefix", "-C", "--dir", "--cwd") or ".")
    writes = (posixpath.join(folder, "node_modules") if isinstance(folder, str) else folder,)
    install = installs_by_command(call.reading, installs).get(id(call.command))
    if install is not None:
        return Effect(call.places(install.manifests), writes, needs=("network",))
    needs = () if package.action in {"prune", "rebuild"} else ("network",)
    return Effect((folder,), writes, needs=needs)


def _build(call: Invocation) -> Effect:
    """A program or a script of package.json: what its programs come down to."""
    built = _builds(call.reading).get(id(call.command), ())
    writes: list[str | Unknown] = []
    for one in built:
        unknown = one.why_unknown or f"where {one.ran.shown} writes is not known"
        writes += [Unknown(unknown)] if one.outputs is None else one.outputs
    return Effect(call.paths("."), tuple(writes))


def _builds(reading: StageReading) -> Mapping[int, tuple[Built, ...]]:
    """The builds of a stage by the command that they come from."""

    def found() -> dict[int, tuple[Built, ...]]:
        builds: dict[int, tuple[Built, ...]] = {}
        for _, command, built in kind_of(reading, Layout.of(reading)).builds:
            builds[id(command)] = (*builds.get(id(command), ()), built)
        return builds

    return reading.remember("node builds", found)


__all__ = ["effect"]
