"""Whether a program needs cgo, and what of the C world it is then linked with."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.go.commands import GoCall, Module, workspace
from refactor.ecosystems.go.manifests import GoMod
from refactor.ecosystems.go.packages import folder_of_import
from refactor.ecosystems.go.source import GoSource, is_built, may_be_built, read_head
from refactor.flow.closure import named
from refactor.flow.reading import Refused, upwards
from refactor.images.go_modules import C_LIBRARY, CPP_LIBRARY, LIBC_ONLY


class Linking(NamedTuple):
    """How a program is linked."""

    why_cgo: str | None
    """What needs cgo; None where nothing does."""
    is_cpp: bool
    """The C++ library may be among what it is linked with."""


def linking(go: GoCall, sources: Mapping[str, GoSource]) -> Linking | Refused:
    """What a program's own sources, its vendored packages and its module's requirements say."""
    for path, source in sources.items():
        if source.uses_cgo:
            is_cpp = re.search(r"#cgo[^\n]*-l(?!m\b|pthread|dl|rt)", source.text) is not None
            return Linking(f'{path} imports "C"', is_cpp or _has_cpp(go.context, path))
        if any(name == "plugin" for _, name in source.imports):
            return Linking(f"{path} loads plugins, which needs cgo", False)
    if go.has("-race", "-msan", "-asan"):
        return Linking(f"line {go.line} builds with -race, which needs cgo", False)
    if go.flag("-buildmode") in {"plugin", "shared"} or go.has("-linkshared"):
        return Linking(f"line {go.line} builds with -buildmode or -linkshared, which needs cgo", False)
    module = go.module()
    if isinstance(module, Refused):
        return module
    vendored = vendor_folder(go.context, module)
    if vendored is not None:
        return _vendored(go, sources, vendored)
    imported = {path: where for where, source in sources.items() for _, path in source.imports}
    for path, where in imported.items():
        known = _known(path)
        if known is not None:
            return Linking(f"{where} imports {path}, which needs cgo", known)
    manifests = _manifests(go.context, module)
    for manifest in manifests:
        found = _required(go.context, manifest)
        if found is not None:
            return found
    roots = go.roots(module)
    for path, where in imported.items():
        # A package of somebody else's that no manifest requires: what it imports in turn is not known.
        is_own = "." not in path.partition("/")[0] or folder_of_import(go.context, path, roots) is not None
        needs = (need for manifest in manifests for need in manifest.requires)
        if not is_own and not any((path + "/").startswith(need + "/") for need in needs):
            return Linking(f"{where} imports {path}, and no go.mod says what that needs", True)
    return Linking(None, False)


def _manifests(context: BuildContext, module: Module) -> tuple[GoMod, ...]:
    """Of the module, and of those that it shares a workspace with."""
    found = (module, *workspace(context, module)) if module.manifest is not None else ()
    return tuple(one.manifest for one in found if one.manifest is not None)


def why_no_cgo(go: GoCall, sources: Mapping[str, GoSource]) -> str:
    """What the absence of cgo rests on, for :attr:`Linking.why_cgo` None: ``a.go needs no cgo, and ...``."""
    module = go.module()
    vendored = None if isinstance(module, Refused) else vendor_folder(go.context, module)
    names = [one.path for one in (() if isinstance(module, Refused) else _manifests(go.context, module))]
    if vendored is not None:
        rest = f", and no package that they import from {vendored} does"
    else:
        rest = f", and {' and '.join(names)} requires no module that is known to" if names else ""
    return f"{named(tuple(sources))} needs no cgo{rest}"


def vendor_folder(context: BuildContext, module: Module) -> str | None:
    """The vendor folder that the build uses: beside go.mod, or beside a project of GOPATH."""
    folder = posixpath.join(module.folder, "vendor")
    return folder if context.is_dir(folder) is True else None


def _known(path: str) -> bool | None:
    """Whether a package that is known to need cgo may need the C++ library; None for all others."""
    known = next((above for above in upwards(path) if above in C_LIBRARY | LIBC_ONLY | CPP_LIBRARY), None)
    return None if known is None else known in CPP_LIBRARY


def _required(context: BuildContext, manifest: GoMod) -> Linking | None:
    """By the requirements: from Go 1.17 on go.mod names every module that gives a package to the build; before, go.sum
    has a checksum of the content of each (go.dev/ref/mod, "Module graph pruning")."""
    for need in manifest.requires:
        known = _known(need)
        if known is not None:
            return Linking(f"{manifest.path} requires {need}, which needs cgo", known)
    version = tuple(int(part) for part in re.findall(r"\d+", manifest.go or "1.16")[:2])
    if version >= (1, 17):
        return None
    path = posixpath.join(posixpath.dirname(manifest.path), "go.sum")
    text = context.read(path)
    if isinstance(text, Unknown):
        if not manifest.requires:
            return None
        return Linking(f"which modules give packages to the build is not known: {text.reason}", True)
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and not words[1].endswith("/go.mod"):
            known = _known(words[0])
            if known is not None:
                return Linking(f"{path} has {words[0]}, which needs cgo", known)
    return None


def _vendored(go: GoCall, sources: Mapping[str, GoSource], vendor: str) -> Linking | Refused:
    """Follows the imports into the vendor folder."""
    tags = go.tags
    waiting = [path for source in sources.values() for _, path in source.imports]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        folder = posixpath.join(vendor, path)
        names = go.context.children(folder)
        known = _known(path)
        if known is not None:
            return Linking(f"{folder} needs cgo", known)
        if isinstance(names, Unknown) or not names:
            continue
        plain = False
        cgo: str | None = None
        for name in names:
            if not may_be_built(name):
                continue
            text = go.context.read(posixpath.join(folder, name))
            if isinstance(text, Unknown):
                return Refused(f"a source of the program cannot be read: {text.reason}")
            source = read_head(text)
            if not is_built(name, source, tags):
                # A file for builds without cgo stands in for the one that needs it.
                plain = plain or is_built(name, source, tags, cgo=False)
                continue
            waiting += [imported for _, imported in source.imports]
            cgo = posixpath.join(folder, name) if source.uses_cgo else cgo
        if cgo is not None and not plain:
            return Linking(f'{cgo} imports "C"', True)
    return Linking(None, False)


def _has_cpp(context: BuildContext, path: str) -> bool:
    return any(name.endswith((".cc", ".cpp", ".cxx", ".hpp")) for name in context.names(posixpath.dirname(path)))


__all__ = ["Linking", "linking", "vendor_folder", "why_no_cgo"]
