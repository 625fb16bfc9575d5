"""Where a Go stage downloads its modules, and which manifests that reads."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.ecosystems.answers import Install
from refactor.ecosystems.go.cgo import vendor_folder
from refactor.ecosystems.go.commands import GoCall, Module, go_calls, members, work_above, workspace
from refactor.ecosystems.go.manifests import GoMod, GoReplace
from refactor.flow.reading import Refused, StageReading, Step, upwards

_NEEDS_MODULES = frozenset(
    {"build", "install", "run", "get", "test", "vet", "generate", "list", "mod tidy", "mod vendor", "mod verify"}
)


def installed(reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """The ``go mod download`` of the stage; where a build downloads by itself, the one that can come before it."""
    seen: set[str] = set()
    calls = go_calls(reading)
    for go in calls:
        is_download = go.verb == "mod download"
        if not (is_download or go.verb in _NEEDS_MODULES) or (go.verb in {"install", "build", "get"} and go.is_remote):
            continue
        module = None if go.folder is None or (is_download and go.operands) else module_of(go)
        key = None if module is None else work_above(reading.context, module.folder) or module.folder
        if module is None or key is None or key in seen:
            continue
        seen.add(key)
        read = manifests(go, module)
        if isinstance(read, Refused):
            yield go.call.step, read
        elif read:
            following = [
                one.call.command for one in calls if one.call.step is go.call.step and one.verb == "mod verify"
            ]
            commands = (go.call.command, *following[:1]) if is_download else ()
            evidence = (f"go mod download reads {', '.join(read)} and no source",)
            new = "" if is_download else "go mod download"
            yield Install(go.call.step, commands, _folder(go, module), read, evidence, new)


def module_of(go: GoCall) -> Module | None:
    """The module of a command, or the first one of the workspace that it works in; None without a go.mod."""
    module = go.module()
    if isinstance(module, Module) and module.manifest is not None:
        return module
    for place in upwards((go.folder or "/").strip("/")):
        found = go.reading.in_context(posixpath.join("/", place, "go.work"), go.call.step.node)
        if found:
            return next(iter(members(go.context, found)), None)
    return None


def manifests(go: GoCall, module: Module) -> tuple[str, ...] | Refused:
    """Context paths of what ``go mod download`` reads: go.mod, go.sum and the manifests of modules that live in the
    context (go.dev/ref/mod). () where there is nothing to download before the build."""
    is_download = go.verb == "mod download"
    modules = [module, *workspace(go.context, module)]
    flags = f"{go.flag('-mod') or ''} {go.variable('GOFLAGS') or ''}"
    # A step that the author wrote is cached all the same.
    has_needs = is_download or any(one.manifest is not None and one.manifest.requires for one in modules)
    is_vendored = vendor_folder(go.context, module) is not None or "vendor" in flags
    if not has_needs or is_vendored or (go.version and go.version < (1, 11)):
        return ()
    work = work_above(go.context, module.folder)
    read: dict[str, None] = {}
    for one in modules:
        assert one.manifest is not None
        total = posixpath.join(one.folder, "go.sum")
        has_total = go.context.exists(total) is True
        if not has_total and one.manifest.requires and not is_download and work is None:
            return Refused(
                f"{total} is not in the build context, so it is not known which modules go mod download would take",
                "run go mod tidy and commit go.sum",
            )
        read.update(dict.fromkeys((one.manifest.path, *([total] if has_total else []))))
        for replace in one.manifest.replaces:
            more = _of_replaced(go, one.manifest, replace) if replace.is_local else ()
            if isinstance(more, Refused):
                return more
            read.update(dict.fromkeys(more))
    if work is not None:
        read.update(dict.fromkeys(path for path in (work, work + ".sum") if go.context.exists(path) is True))
    return tuple(read)


def _of_replaced(go: GoCall, manifest: GoMod, replace: GoReplace) -> tuple[str, ...] | Refused:
    """The manifests of a module that a folder stands in for."""
    said = f"{manifest.path} replaces {replace.module} by {replace.target}"
    if replace.folder is None:
        return Refused(f"{said}, outside of the build context")
    paths = [posixpath.join(replace.folder, name) for name in ("go.mod", "go.sum")]
    if go.context.exists(paths[0]) is not True:
        return Refused(
            f"{said}, whose go.mod is not in the build context", "name the folder that is built from with --context"
        )
    return tuple(path for path in paths if go.context.exists(path) is True)


def _folder(go: GoCall, module: Module) -> str:
    """The image folder of the module, or of its workspace."""
    assert go.folder is not None
    assert module.manifest is not None
    place = go.reading.in_image(work_above(go.context, module.folder) or module.manifest.path, go.call.step.node)
    return posixpath.dirname(place[-1]) if place else go.folder


__all__ = ["installed", "manifests", "module_of"]
