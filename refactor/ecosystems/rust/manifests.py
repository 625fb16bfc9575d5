"""Cargo.toml and Cargo.lock: which programs a build makes, and which crates it links.

Source: the Cargo Book, "The Manifest Format", "Cargo Targets", "Workspaces", "Build Cache".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.tables import at, closed, items, table, text, words
from refactor.flow.reading import Refused, upwards

_DEPENDENCIES = ("dependencies", "build-dependencies")


class Package(NamedTuple):
    """One package of a workspace."""

    name: str
    folder: str
    """Its context path; "" for the context itself."""
    programs: Mapping[str, str]
    """Name -> context path of the source that has its ``main``."""
    dependencies: frozenset[str]
    libraries: tuple[str, ...]
    """Names of the files that a cdylib is written to."""
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


class Workspace(NamedTuple):
    """What `cargo build` sees from a folder."""

    root: str
    """Context path of the folder with the lockfile and `target`."""
    packages: tuple[Package, ...]
    default: tuple[str, ...]
    """Names of the packages that are built where none is asked for."""


@remembered
def workspace(context: BuildContext, folder: str) -> Workspace | Refused:
    """The workspace or single package that a folder of the context belongs to."""
    own = context.toml(posixpath.join(folder, "Cargo.toml"))
    if isinstance(own, Unknown) or not table(own):
        return Refused(f"{posixpath.join(folder, 'Cargo.toml')} is not in the build context, or cannot be read")
    for above in upwards(folder):
        section = table(context.toml(posixpath.join(above, "Cargo.toml"))).get("workspace")
        members = tuple(_members(context, above, table(section)))
        if section is not None and (above == folder or folder in members):
            return _workspace(context, above, members, folder)
    return _workspace(context, folder, (), folder)


def _workspace(context: BuildContext, root: str, members: tuple[str, ...], folder: str) -> Workspace | Refused:
    manifest = table(context.toml(posixpath.join(root, "Cargo.toml")))
    folders = dict.fromkeys([*([root] if "package" in manifest else []), *members])
    packages: list[Package] = []
    for each in folders:
        found = _package(context, each)
        if isinstance(found, Refused):
            return found
        packages.append(found)
    if not packages:
        return Refused(f"the workspace in {root or '.'} has no member in the build context")
    chosen = words(at(manifest, "workspace", "default-members"))
    wanted = {folder} if folder != root else {posixpath.normpath(posixpath.join(root, one)) for one in chosen}
    if not wanted and "package" in manifest:
        wanted = {root}
    default = tuple(package.name for package in packages if not wanted or package.folder in wanted)
    return Workspace(root, tuple(packages), default)


def _members(context: BuildContext, root: str, section: Mapping[str, object]) -> Iterator[str]:
    left_out = {posixpath.normpath(posixpath.join(root, one)) for one in words(section.get("exclude"))}
    for pattern in words(section.get("members")):
        path = posixpath.normpath(posixpath.join(root, pattern))
        found = context.glob(path) if any(sign in path for sign in "*?[") else (path,)
        for match in found if not isinstance(found, Unknown) else ():
            if match not in left_out and context.exists(posixpath.join(match, "Cargo.toml")) is True:
                yield match


def _package(context: BuildContext, folder: str) -> Package | Refused:
    path = posixpath.join(folder, "Cargo.toml")
    manifest = table(context.toml(path))
    name = text(at(manifest, "package", "name"))
    if name is None:
        return Refused(f"{path} names no package", "give the package a name")
    programs: dict[str, str] = {}
    if at(manifest, "package", "autobins") is not False:
        if context.exists(posixpath.join(folder, "src/main.rs")) is True:
            programs[name] = posixpath.join(folder, "src/main.rs")
        for entry in context.names(posixpath.join(folder, "src/bin")):
            source = posixpath.join(folder, "src/bin", entry)
            if entry.endswith(".rs"):
                programs[entry.removesuffix(".rs")] = source
            elif context.exists(posixpath.join(source, "main.rs")) is True:
                programs[entry.rstrip("/")] = posixpath.join(source, "main.rs")
    for item in items(manifest.get("bin")):
        named, own = text(table(item).get("name")), text(table(item).get("path"))
        if named is not None:
            place = posixpath.join(folder, own or f"src/bin/{named}.rs")
            if own is None and context.exists(place) is not True:
                place = posixpath.join(folder, "src/main.rs")
            programs = {key: one for key, one in programs.items() if one != place}
            programs[named] = place
    library = table(manifest.get("lib"))
    kinds = words(library.get("crate-type")) or words(library.get("crate_type"))
    file = (text(library.get("name")) or name).replace("-", "_")
    libraries = (f"lib{file}.so",) if "cdylib" in kinds else ()
    return Package(name, folder, programs, frozenset(_dependencies(manifest)), libraries, manifest)


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


def closure(crates: Mapping[str, frozenset[str]], package: Package) -> frozenset[str]:
    """The crates that a package is built from, its own dependencies' dependencies included."""
    return closed([*package.dependencies, *crates.get(package.name, ())], crates)


@remembered
def configured(context: BuildContext, root: str) -> Mapping[str, object]:
    """``.cargo/config.toml``: the target that builds are for, and where they go."""
    for name in (".cargo/config.toml", ".cargo/config"):
        found = context.toml(posixpath.join(root, name))
        if not isinstance(found, Unknown):
            return table(found)
    return {}
