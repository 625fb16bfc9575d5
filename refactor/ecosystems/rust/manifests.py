"""Cargo.toml and Cargo.lock: which programs a build makes, and which crates it links.

Source: the Cargo Book, "The Manifest Format", "Cargo Targets", "Workspaces", "Build Cache".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered, upwards
from refactor.context.tables import at, items, table, text, words

_DEPENDENCIES = ("dependencies", "build-dependencies")
_OF_TESTS = (("test", "tests"), ("bench", "benches"), ("example", "examples"))


class Package(NamedTuple):
    """One package of a workspace."""

    name: str
    folder: str
    """Its context path; "" for the context itself."""
    programs: Mapping[str, str]
    """Name -> context path of the source that has its ``main``."""
    library: str | None
    """Context path of the source that its library begins with."""
    dependencies: frozenset[str]
    manifest: Mapping[str, object]
    """Its Cargo.toml."""

    @property
    def path(self) -> str:
        return posixpath.join(self.folder, "Cargo.toml")

    @property
    def beside(self) -> Iterator[str]:
        """Context paths of the folders of the packages that it depends on by path."""
        tables = [table(self.manifest.get(name)) for name in (*_DEPENDENCIES, "dev-dependencies")]
        tables += map(table, table(self.manifest.get("patch")).values())
        named = (text(table(value).get("path")) for one in tables for value in one.values())
        return (posixpath.normpath(posixpath.join(self.folder, path)) for path in named if path is not None)

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the files that a cdylib is written to."""
        library = table(self.manifest.get("lib"))
        kinds = words(library.get("crate-type")) or words(library.get("crate_type"))
        return (f"lib{(text(library.get('name')) or self.name).replace('-', '_')}.so",) if "cdylib" in kinds else ()

    @property
    def sources(self) -> Mapping[str, bool]:
        """Context paths of the sources that cargo looks for -> whether each has a ``main``."""
        found = dict.fromkeys(self.programs.values(), True)
        if self.library is not None:
            found[self.library] = False
        named = [text(at(self.manifest, "package", "build"))]
        for kind, folder in _OF_TESTS:
            for item in map(table, items(self.manifest.get(kind))):
                named.append(text(item.get("path")) or f"{folder}/{text(item.get('name'))}.rs")
        return {**found, **{posixpath.join(self.folder, path): True for path in named if path is not None}}


class Workspace(NamedTuple):
    """What `cargo build` sees from a folder."""

    root: str
    """Context path of the folder with the lockfile and `target`."""
    packages: tuple[Package, ...]
    default: tuple[str, ...]
    """Names of the packages that are built where none is asked for."""


@remembered
def workspace(context: BuildContext, folder: str) -> Workspace | Unknown:
    """The workspace or single package that a folder of the context belongs to."""
    if not table(context.toml(posixpath.join(folder, "Cargo.toml"))):
        return Unknown(f"{posixpath.join(folder, 'Cargo.toml')} is not in the build context, or cannot be read")
    for above in upwards(folder):
        section = table(context.toml(posixpath.join(above, "Cargo.toml"))).get("workspace")
        members = tuple(_members(context, above, table(section)))
        if section is not None and (above == folder or folder in members):
            return _workspace(context, above, members, folder)
    return _workspace(context, folder, (), folder)


def _workspace(context: BuildContext, root: str, members: tuple[str, ...], folder: str) -> Workspace | Unknown:
    manifest = table(context.toml(posixpath.join(root, "Cargo.toml")))
    found = [_package(context, each) for each in dict.fromkeys([*([root] if "package" in manifest else []), *members])]
    packages = tuple(one for one in found if isinstance(one, Package))
    if len(packages) < len(found) or not found:
        missing = Unknown(f"the workspace in {root or '.'} has no member in the build context")
        return next((one for one in found if isinstance(one, Unknown)), missing)
    chosen = words(at(manifest, "workspace", "default-members"))
    wanted = {folder} if folder != root else {posixpath.normpath(posixpath.join(root, one)) for one in chosen}
    if not wanted and "package" in manifest:
        wanted = {root}
    default = tuple(package.name for package in packages if not wanted or package.folder in wanted)
    return Workspace(root, packages, default)


def _members(context: BuildContext, root: str, section: Mapping[str, object]) -> Iterator[str]:
    left_out = {posixpath.normpath(posixpath.join(root, one)) for one in words(section.get("exclude"))}
    for pattern in words(section.get("members")):
        found = context.glob(posixpath.normpath(posixpath.join(root, pattern)))
        for match in found if not isinstance(found, Unknown) else ():
            if match not in left_out and context.exists(posixpath.join(match, "Cargo.toml")) is True:
                yield match


def _package(context: BuildContext, folder: str) -> Package | Unknown:
    path = posixpath.join(folder, "Cargo.toml")
    manifest = table(context.toml(path))
    name = text(at(manifest, "package", "name"))
    if name is None:
        return Unknown(f"{path} names no package")
    library = posixpath.join(folder, text(at(manifest, "lib", "path")) or "src/lib.rs")
    has_library = bool(table(manifest.get("lib"))) or context.exists(library) is True
    programs = dict(_programs(context, folder, name)) if at(manifest, "package", "autobins") is not False else {}
    for item in map(table, items(manifest.get("bin"))):
        named, own = text(item.get("name")), text(item.get("path"))
        if named is not None:
            place = posixpath.join(folder, own or f"src/bin/{named}.rs")
            if own is None and context.exists(place) is not True:
                place = posixpath.join(folder, "src/main.rs")
            programs = {key: one for key, one in programs.items() if one != place}
            programs[named] = place
    dependencies = frozenset(_dependencies(manifest))
    return Package(name, folder, programs, library if has_library else None, dependencies, manifest)


def _programs(context: BuildContext, folder: str, name: str) -> Iterator[tuple[str, str]]:
    """Those that cargo finds by the places of their sources."""
    if context.exists(posixpath.join(folder, "src/main.rs")) is True:
        yield name, posixpath.join(folder, "src/main.rs")
    for entry in context.names(posixpath.join(folder, "src/bin")):
        source = posixpath.join(folder, "src/bin", entry)
        if entry.endswith(".rs"):
            yield entry.removesuffix(".rs"), source
        elif context.exists(posixpath.join(source, "main.rs")) is True:
            yield entry.rstrip("/"), posixpath.join(source, "main.rs")


def _dependencies(manifest: Mapping[str, object]) -> Iterator[str]:
    tables = [manifest, *(table(one) for one in table(manifest.get("target")).values())]
    for one in tables:
        for section in _DEPENDENCIES:
            for name, value in table(one.get(section)).items():
                yield text(table(value).get("package")) or name


@remembered
def locked(context: BuildContext, root: str) -> Mapping[str, frozenset[str]] | Unknown:
    """The crates of the lockfile -> what each depends on."""
    found = context.toml(posixpath.join(root, "Cargo.lock"))
    if isinstance(found, Unknown):
        return Unknown(f"{posixpath.join(root, 'Cargo.lock')} is not in the build context, or cannot be read")
    result: dict[str, frozenset[str]] = {}
    for item in items(table(found).get("package")):
        name = text(table(item).get("name"))
        if name is not None:
            needs = (word.partition(" ")[0] for word in words(table(item).get("dependencies")))
            result[name] = result.get(name, frozenset()) | frozenset(needs)
    return result


__all__ = ["Package", "Workspace", "locked", "workspace"]
