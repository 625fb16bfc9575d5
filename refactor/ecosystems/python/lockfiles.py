"""Lockfiles of Poetry, uv and PDM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.tables import items, table, text
from refactor.shell import normalise

_KINDS = {
    "path": "path", "directory": "path", "file": "path", "editable": "project", "virtual": "project", "git": "git",
    "url": "url",
}  # fmt: skip
"""What says where a distribution comes from -> :attr:`LockedDistribution.source`."""


@dataclass(frozen=True, slots=True)
class LockedDistribution:
    """One distribution of a Python lockfile."""

    name: str
    version: str | None
    source: str
    """registry, git, url, path, or project: the project itself, or a member of its workspace."""
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


@remembered
def read_lock(context: BuildContext, path: str) -> tuple[LockedDistribution, ...] | Unknown:
    """The distributions of ``poetry.lock``, ``pdm.lock`` or ``uv.lock``; Unknown where it was cut: Poetry and PDM write
    ``[metadata]`` last, and what an entry of uv's needs has one of its own."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    metadata = table(root.get("metadata"))
    sign = "version" if path.endswith("uv.lock") else "metadata"
    if not root.get(sign):
        return context.report_broken(path, f"has no {sign}: it was cut")
    entries = [table(item) for item in items(root.get("package"))]
    found = tuple(_distribution(entry, table(metadata.get("files"))) for entry in entries if text(entry.get("name")))
    needs = (text(table(need).get("name")) for entry in entries for need in items(entry.get("dependencies")))
    lost = sorted({normalise(need) for need in needs if need} - {one.name for one in found})
    if lost:
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    return found


def _distribution(entry: Mapping[str, object], older: Mapping[str, object]) -> LockedDistribution:
    """``older`` is the table of files that lockfiles had at their end before entries listed them."""
    name, version = str(entry["name"]), text(entry.get("version"))
    origin = table(entry.get("source"))
    # Poetry names the kind of a source, uv has a key for each, and PDM has those in the entry itself.
    places = {str(origin["type"]): origin.get("url")} if "type" in origin else origin or entry
    key = next((key for key in _KINDS if key in places), "")
    source = _KINDS.get(key, "registry")
    listed = entry.get("files") or older.get(name) or older.get(f"{name} {version}")
    files = [table(file) for file in (*items(listed), *items(entry.get("wheels")), entry.get("sdist"))]
    names = [text(file.get("file")) or text(file.get("url")) or text(file.get("filename")) or "" for file in files]
    return LockedDistribution(
        normalise(name),
        version,
        source,
        text(places.get(key)) if source in {"path", "project"} else None,
        tuple(name.rpartition("/")[2] for name in names if name),
    )
