"""Where a Go stage downloads its modules, and which manifests that reads."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.context.go_manifests import read_go_mod, read_go_work
from refactor.ecosystems.answers import Install
from refactor.ecosystems.go.cgo import vendor_folder
from refactor.ecosystems.go.program import GoCommand, GoStage, Module
from refactor.flow.reading import Refused, StageReading, Step

_NEEDS_MODULES = frozenset(
    {"build", "install", "run", "get", "test", "vet", "generate", "list", "mod tidy", "mod vendor", "mod verify"}
)


def installs(reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """The ``go mod download`` of the stage; where a build downloads by itself, the one that can come before it.

    ``go mod download`` reads go.mod, go.sum and the manifests of modules that live in the context (go.dev/ref/mod).
    """
    stage = GoStage(reading)
    seen: set[str] = set()
    for go in stage.commands:
        if go.verb not in _NEEDS_MODULES | {"mod download"} or (
            go.verb in {"install", "build", "get"} and stage.is_remote(go)
        ):
            continue
        if go.folder is None or (go.verb == "mod download" and go.operands):
            continue
        module = _module(stage, go)
        if module is None:
            continue
        key = _work(stage, module) or module.folder
        if key in seen:
            continue
        seen.add(key)
        answer = _of(stage, go, module)
        if answer is not None:
            yield answer


def _module(stage: GoStage, go: GoCommand) -> Module | None:
    """The module of a command, or the first one of the workspace that it works in."""
    module = stage.module_of(go)
    if isinstance(module, Module) and module.manifest is not None:
        return module
    place = go.folder or "/"
    while True:
        found = stage.reading.in_context(posixpath.join(place, "go.work"), go.step.node)
        if found:
            work = read_go_work(stage.context, found)
            uses = () if isinstance(work, Unknown) else work.uses
            for use in uses:
                read = read_go_mod(stage.context, posixpath.join(use, "go.mod"))
                if not isinstance(read, Unknown):
                    return Module(read.module, use, read)
            return None
        if place == "/":
            return None
        place = posixpath.dirname(place)


def _of(stage: GoStage, go: GoCommand, module: Module) -> Install | tuple[Step, Refused] | None:
    context = stage.context
    manifest = module.manifest
    assert manifest is not None
    flags = f"{go.flags.get('-mod', '')} {stage.variable(go, 'GOFLAGS') or ''}"
    members = [module, *stage.workspace(module)]
    is_download = go.verb == "mod download"
    if not is_download and not any(one.manifest is not None and one.manifest.requires for one in members):
        # Nothing to download before the build; a step that the author wrote is cached all the same.
        return None
    if vendor_folder(stage, module) is not None or "vendor" in flags:
        return None
    if stage.version and stage.version < (1, 11):
        return None
    read: list[str] = []
    for one in members:
        assert one.manifest is not None
        read.append(one.manifest.path)
        total = posixpath.join(one.folder, "go.sum")
        if context.exists(total) is True:
            read.append(total)
        elif one.manifest.requires and not is_download and not _has_work(stage, module):
            return go.step, Refused(
                f"{total} is not in the build context, so it is not known which modules go mod download would take",
                "run go mod tidy and commit go.sum",
            )
        for replace in one.manifest.replaces:
            if not replace.is_local:
                continue
            if replace.folder is None:
                return go.step, Refused(
                    f"{one.manifest.path} replaces {replace.module} by {replace.target}, outside of the build context"
                )
            if context.exists(posixpath.join(replace.folder, "go.mod")) is not True:
                return go.step, Refused(
                    f"{one.manifest.path} replaces {replace.module} by {replace.target}, whose go.mod is not in the"
                    " build context",
                    "name the folder that is built from with --context",
                )
            for name in ("go.mod", "go.sum"):
                path = posixpath.join(replace.folder, name)
                if context.exists(path) is True and path not in read:
                    read.append(path)
    work = _work(stage, module)
    if work is not None:
        read += [path for path in (work, work + ".sum") if context.exists(path) is True]
    names = ", ".join(read)
    evidence = (f"go mod download reads {names} and no source",)
    root = posixpath.dirname(work) if work is not None else module.folder
    folder = (
        next(iter(stage.reading.in_image(root, go.step.node)[-1:]), go.folder)
        if root or go.folder is None
        else _root_in_image(stage, go)
    )
    assert folder is not None
    if is_download:
        following = [other.command for other in stage.commands if other.step is go.step and other.verb == "mod verify"]
        return Install(go.step, (go.command, *following[:1]), folder, tuple(read), evidence)
    return Install(go.step, (), folder, tuple(read), evidence, "go mod download")


def _root_in_image(stage: GoStage, go: GoCommand) -> str | None:
    """The image folder that holds the module's root: the nearest one above the command's with a go.mod."""
    place = go.folder or "/"
    while True:
        for name in ("go.work", "go.mod"):
            if stage.reading.in_context(posixpath.join(place, name), go.step.node) == name:
                return place
        if place == "/":
            return go.folder
        place = posixpath.dirname(place)


def _work(stage: GoStage, module: Module) -> str | None:
    folder = module.folder
    while True:
        path = posixpath.join(folder, "go.work")
        if stage.context.exists(path) is True:
            return path
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _has_work(stage: GoStage, module: Module) -> bool:
    return _work(stage, module) is not None


__all__ = ["installs"]
