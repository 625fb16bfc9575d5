"""The packages of a Go project: which of them are programs, and the sources that one is made of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.go.commands import Binary, GoCall, Module
from refactor.ecosystems.go.source import GoSource, is_built, may_be_built, read_head, read_source
from refactor.flow.reading import Refused, join

MAX_SOURCES = 3_000

Main = tuple[str, str, tuple[str, ...]]
"""A main package: name of the program, context folder, files where they are named."""


def made_by(go: GoCall) -> tuple[Binary, ...] | Refused:
    """The programs that a build or an install of the project's own packages makes."""
    module = go.module()
    packages = module if isinstance(module, Refused) else main_packages(go, module)
    if isinstance(packages, Refused):
        return packages
    assert go.folder is not None
    output = go.flag("-o")
    place = join(go.folder, go.programs_folder if go.verb == "install" else output or ".")
    if "$" in place or "`" in place:
        verb = "installs" if go.verb == "install" else "builds to"
        return Refused(f"where line {go.line} {verb} ({place}) depends on a variable", "write the path")
    if output == "/dev/null":
        return ()
    if go.verb == "install":
        is_folder = True
    elif output is None:
        if len(packages) != 1 or any(operand.endswith("...") for operand in go.operands):
            return ()
        is_folder = True
    else:
        is_folder = output.endswith("/") or go.is_folder(place)
    if is_folder:
        return tuple(Binary(join(place, name), folder, files) for name, folder, files in packages)
    if len(packages) > 1:
        return Refused(f"line {go.line} builds {len(packages)} programs into one file", "end -o with a slash")
    return tuple(Binary(place, folder, files) for _, folder, files in packages)


def main_packages(go: GoCall, module: Module) -> tuple[Main, ...] | Refused:
    """The main packages that the operands of a command name."""
    if any(operand.endswith(".go") for operand in go.operands):
        return _named_files(go)
    found: list[Main] = []
    for operand in go.operands or (".",):
        if "$" in operand or "`" in operand:
            return Refused(f"what line {go.line} builds ({operand}) depends on a variable", "write the package")
        folder = _folder_of_operand(go, module, operand)
        if folder is None:
            return Refused(f"the package {operand} that line {go.line} builds is not in the build context",
                           "copy its sources from the context")  # fmt: skip
        is_wide = operand == "..." or operand.endswith("/...")
        folders = _below(go.context, folder) if is_wide else (folder,)
        if isinstance(folders, Refused):
            return folders
        for one in folders:
            sources = _read_folder(go, one)
            if isinstance(sources, Refused):
                return Refused(f"a source that line {go.line} builds cannot be read: {sources.because}")
            if any(source.package == "main" for source in sources.values()):
                found.append((_name(go, one, module), one, ()))
            elif not is_wide and not _has_source(go.context, one):
                return Refused(
                    f"line {go.line} builds {operand}, and no Go source of it is in the build context",
                    "copy the sources from the context, or name the context with --context",
                )
    return tuple(dict.fromkeys(found))


def _folder_of_operand(go: GoCall, module: Module, operand: str) -> str | None:
    """The context folder of a package or, for ``./...``, the one that all of them lie in."""
    assert go.folder is not None
    stem = operand.removesuffix("...").rstrip("/") or "."
    if stem.startswith((".", "/")):
        return go.source_folder(join(go.folder, stem))
    if module.path and (stem == module.path or stem.startswith(module.path + "/")):
        return posixpath.join(module.folder, stem[len(module.path) + 1 :]).rstrip("/")
    here = go.source_folder(go.folder)
    inside = None if here is None else posixpath.join(here, stem)
    return go.in_gopath(stem) or (inside if inside is not None and go.context.is_dir(inside) is True else None)


def _named_files(go: GoCall) -> tuple[Main, ...] | Refused:
    assert go.folder is not None
    names: list[str] = []
    for operand in go.operands:
        if not operand.endswith(".go"):
            return Refused(f"line {go.line} builds files and packages at once")
        where = go.source_folder(join(go.folder, posixpath.dirname(operand) or "."))
        matches = None if where is None else go.context.glob(posixpath.join(where, posixpath.basename(operand)))
        if not matches or isinstance(matches, Unknown):
            return Refused(f"{operand}, which line {go.line} builds, is not in the build context")
        names += matches
    first = min(names) if any("*" in operand for operand in go.operands) else names[0]
    return ((posixpath.basename(first).removesuffix(".go"), posixpath.dirname(first), tuple(names)),)


def _below(context: BuildContext, folder: str) -> tuple[str, ...] | Refused:
    """Folders with sources below one, as ``...`` finds them."""
    files = context.files(folder)
    if isinstance(files, Unknown):
        return Refused(f"the sources are not known: {files.reason}")
    found: dict[str, None] = {}
    for path in files:
        parts = posixpath.relpath(posixpath.dirname(path) or ".", folder or ".").split("/")
        hidden = ((part.startswith(("_", ".")) and part != ".") or part in {"testdata", "vendor"} for part in parts)
        if path.endswith(".go") and not any(hidden):
            found[posixpath.dirname(path)] = None
    return tuple(found)


def _name(go: GoCall, folder: str, module: Module) -> str:
    """As the go command names a program (``load.DefaultExecName``): the last element of the import path, or the one
    before it where that is a version."""
    inside = posixpath.relpath(folder or ".", module.folder or ".")
    if module.path:
        path = posixpath.normpath(posixpath.join(module.path, inside))
    else:
        place = go.reading.in_image(folder, go.call.step.node) if folder else ()
        path = place[-1] if place else (go.folder or "") if inside == "." else folder
    parts = path.split("/")
    if module.manifest is not None and len(parts) > 1 and re.fullmatch(r"v(?:[2-9]|[1-9]\d+)", parts[-1]):
        parts.pop()
    return parts[-1]


# Sources


def _has_source(context: BuildContext, folder: str) -> bool:
    """The folder has Go files, be they for other systems."""
    return any(re.fullmatch(r"(?![_.]).*(?<!_test)\.go", name) for name in context.names(folder))


def _read_folder(go: GoCall, folder: str, only: Sequence[str] = ()) -> dict[str, GoSource] | Refused:
    """The files of a folder that the command takes, by context path, or why one cannot be read as Go: ``a.go: ...``.
    ``only`` are the files that it was given by name."""
    names = go.context.children(folder)
    if isinstance(names, Unknown):
        return Refused(names.reason)
    found: dict[str, GoSource] = {}
    for name in names:
        path = posixpath.join(folder, name)
        is_asked = path in only if only else may_be_built(name)
        text = go.context.read(path) if is_asked and go.context.is_dir(path) is not True else None
        if isinstance(text, Unknown):
            return Refused(text.reason)
        if text is None or not (only or is_built(name, read_head(text), go.tags)):
            continue
        source = read_source(text)
        if source.why_not_go is not None:
            return Refused(f"{path}: {source.why_not_go}")
        found[path] = source
    return found


def program_sources(go: GoCall, binary: Binary) -> Mapping[str, GoSource] | Refused:
    """The program's own sources by context path: its main package and what that imports of the project."""
    name = f"go sources of {binary.package} {binary.files} {id(go.call.command)}"
    return go.reading.remember(name, lambda: _program_sources(go, binary))


def _program_sources(go: GoCall, binary: Binary) -> Mapping[str, GoSource] | Refused:
    module = go.module()
    if isinstance(module, Refused):
        return module
    roots, seen = go.roots(module), {binary.package}
    found = _read_folder(go, binary.package, binary.files)
    waiting = [] if isinstance(found, Refused) else _imports(found)
    while waiting and not isinstance(found, Refused):
        where, path = waiting.pop()
        folder = folder_of_import(go.context, path, roots)
        if folder in seen:
            continue
        more = {} if folder is None else _read_folder(go, folder)
        if not more and _is_own(path, module):
            return Refused(
                f"{where} imports {path}, and no Go source of it is in the build context",
                "copy the sources from the context, or name the context with --context",
            )
        if folder is None:
            continue
        seen.add(folder)
        if isinstance(more, Refused):
            found = more
        elif len(found) + len(more) > MAX_SOURCES:
            return Refused(f"the program has more than {MAX_SOURCES} source files")
        else:
            found.update(more)
            waiting += _imports(more)
    return Refused(f"a source of the program cannot be read: {found.because}") if isinstance(found, Refused) else found


def folder_of_import(context: BuildContext, path: str, roots: Sequence[Module]) -> str | None:
    """The context folder of an imported package; None where it is somebody else's."""
    for root in roots:
        if not root.path:
            # `COPY . /go/src`, or a project outside of modules: imports are folders below it.
            folder = posixpath.join(root.folder, path)
        elif path == root.path or path.startswith(root.path + "/"):
            folder = posixpath.join(root.folder, path[len(root.path) + 1 :]).rstrip("/")
        else:
            continue
        if folder == "" or context.is_dir(folder) is True:
            return folder
    return None


def _imports(sources: Mapping[str, GoSource]) -> list[tuple[str, str]]:
    """The file and the package of each import."""
    return [(where, path) for where, source in sources.items() for _, path in source.imports]


def _is_own(path: str, module: Module) -> bool:
    """The package is of the module itself, not of another one that is required below its name."""
    manifest = module.manifest
    if manifest is None or not (path + "/").startswith(manifest.module + "/"):
        return False
    return not any((path + "/").startswith(need + "/") for need in manifest.requires)


__all__ = ["folder_of_import", "made_by", "main_packages", "program_sources"]
