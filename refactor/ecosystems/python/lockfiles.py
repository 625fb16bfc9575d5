"""Lockfiles of Poetry, uv and PDM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.tables import items, table, text
from refactor.shell import normalise


@dataclass(frozen=True, slots=True)
class LockedDistribution:
    """One distribution of a Python lockfile."""

    name: str
    version: str | None
    source: Literal["registry", "git", "url", "path", "project"]
    """"project": the project itself, or a member of its workspace."""
    path: str | None
    """Local folder or archive, as written, for "path" and "project"."""
    files: tuple[str, ...] = field(repr=False)
    """File names of wheels and archives; () where the lockfile does not list them."""

    @property
    def is_pure(self) -> bool:
        """There is a wheel for every platform (``py3-none-any``)."""
        return any(name.endswith("-none-any.whl") for name in self.files)

    @property
    def is_source_only(self) -> bool:
        """No wheel at all: it is built where it is installed. False where files are not listed."""
        return bool(self.files) and not any(name.endswith(".whl") for name in self.files)


@dataclass(frozen=True, slots=True)
class PythonLock:
    """A lockfile of Poetry, uv or PDM that could be read whole."""

    path: str
    manager: Literal["poetry", "uv", "pdm"]
    version: str
    distributions: tuple[LockedDistribution, ...] = field(repr=False)

    @property
    def names(self) -> frozenset[str]:
        """Normalised names."""
        return frozenset(distribution.name for distribution in self.distributions)


def _named_packages(
    root: Mapping[str, object], distribution: Callable[[str, Mapping[str, object]], LockedDistribution]
) -> tuple[LockedDistribution, ...]:
    """The entries of ``[[package]]`` that have a name."""
    entries = [table(item) for item in items(root.get("package"))]
    return tuple(distribution(name, entry) for entry in entries if (name := text(entry.get("name"))) is not None)


def _files(found: object, older: object) -> tuple[str, ...]:
    """Names of a distribution's files: beside it, or in the table that older lockfiles have at their end."""
    return tuple(file for file in (text(table(file).get("file")) for file in items(found) or items(older)) if file)


@remembered
def read_poetry_lock(context: BuildContext, path: str = "poetry.lock") -> PythonLock | Unknown:
    """``poetry.lock``. Its ``[metadata]`` comes last: without it the file was cut."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    metadata = table(root.get("metadata"))
    if not metadata:
        return context.report_broken(path, "has no [metadata]: it was cut")
    older = table(metadata.get("files"))

    def distribution(name: str, entry: Mapping[str, object]) -> LockedDistribution:
        source = table(entry.get("source"))
        kind = text(source.get("type"))
        is_local = kind in ("directory", "file")
        return LockedDistribution(
            normalise(name),
            text(entry.get("version")),
            "git" if kind == "git" else "path" if is_local else "url" if kind == "url" else "registry",
            text(source.get("url")) if is_local else None,
            _files(entry.get("files"), older.get(name)),
        )

    return PythonLock(
        path,
        "poetry",
        text(metadata.get("lock-version")) or "1.0",
        _named_packages(root, distribution),
    )


@remembered
def read_pdm_lock(context: BuildContext, path: str = "pdm.lock") -> PythonLock | Unknown:
    """``pdm.lock``."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    metadata = table(root.get("metadata"))
    if not metadata:
        return context.report_broken(path, "has no [metadata]: it was cut")
    older = table(metadata.get("files"))

    def distribution(name: str, entry: Mapping[str, object]) -> LockedDistribution:
        where, version = text(entry.get("path")), text(entry.get("version"))
        return LockedDistribution(
            normalise(name),
            version,
            "git" if "git" in entry else "path" if where else "url" if "url" in entry else "registry",
            where,
            _files(entry.get("files"), older.get(f"{name} {version or ''}")),
        )

    return PythonLock(
        path,
        "pdm",
        text(metadata.get("lock_version")) or "",
        _named_packages(root, distribution),
    )


@remembered
def read_uv_lock(context: BuildContext, path: str = "uv.lock") -> PythonLock | Unknown:
    """``uv.lock``. A dependency without an entry of its own means that the file was cut."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    if "version" not in root:
        return context.report_broken(path, "has no version")
    packages = []
    wanted: dict[str, None] = {}
    for item in items(root.get("package")):
        entry = table(item)
        name = text(entry.get("name"))
        if name is None:
            continue
        source = table(entry.get("source"))
        is_project = "editable" in source or "virtual" in source
        kind: Literal["registry", "git", "url", "path", "project"] = (
            "project" if is_project else "git" if "git" in source else "url" if "url" in source
            else "path" if "path" in source or "directory" in source else "registry"
        )  # fmt: skip
        where = next((text(source[key]) for key in ("editable", "virtual", "path", "directory") if key in source), None)
        wheels = [*items(entry.get("wheels")), *([entry["sdist"]] if "sdist" in entry else [])]
        urls = (text(table(file).get("url")) or text(table(file).get("filename")) for file in wheels)
        packages.append(
            LockedDistribution(
                normalise(name),
                text(entry.get("version")),
                kind,
                where,
                tuple(url.rpartition("/")[2] for url in urls if url),
            )
        )
        for dependency in items(entry.get("dependencies")):
            wanted[normalise(text(table(dependency).get("name")) or "")] = None
    known = {package.name for package in packages}
    lost = sorted(name for name in wanted if name and name not in known)
    if lost:
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    return PythonLock(
        path,
        "uv",
        str(root.get("version")),
        tuple(packages),
    )
