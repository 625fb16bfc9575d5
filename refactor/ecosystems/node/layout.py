"""Where the files of the build context are in an image, also through copies from earlier stages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import PackageJson, read_package_json
from refactor.ecosystems.reading import StageReading, join
from refactor.syntax import Instruction

SKIPPED = ("node_modules", ".git")


class Unit(NamedTuple):
    """A folder with a ``package.json``: a project, or a member of a workspace."""

    folder: str
    """Absolute folder in the image."""
    package: PackageJson

    @property
    def source(self) -> str:
        """Its folder in the context, "" for the root."""
        return self.package.folder


class Moved(NamedTuple):
    """One source of a ``COPY --from=<stage>``: ``source`` in that stage's image becomes ``target`` in
    this one's."""

    node: Instruction
    stage: StageReading
    source: str
    target: str


class Layout:
    """The image of a stage as far as its files come from the build context."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading
        self.context = reading.context
        self._moved: tuple[Moved, ...] | None = None
        self._parent: Layout | bool | None = False
        self._units: dict[tuple[str, int], Unit | None] = {}

    @property
    def parent(self) -> Layout | None:
        """The earlier stage of the file that this one is built FROM."""
        if isinstance(self._parent, bool):
            stage = self.reading.parent
            self._parent = (
                None if stage is None else Layout(StageReading(self.reading.file, stage, self.reading.context))
            )
        return self._parent

    @property
    def moved(self) -> tuple[Moved, ...]:
        """Copies from earlier stages of the same file, in order."""
        if self._moved is None:
            self._moved = tuple(self._read_moved())
        return self._moved

    def _read_moved(self) -> Iterator[Moved]:
        reading = self.reading
        stages: dict[int, StageReading] = {}
        for step in reading.steps:
            node = step.node
            name = node.flag("from") if node.keyword == "COPY" else None
            stage = reading.file.stage(name) if name else None
            if stage is None or stage.index >= reading.stage.index or node.destination is None:
                continue
            if stage.index not in stages:
                stages[stage.index] = StageReading(reading.file, stage, reading.context)
            origin = stages[stage.index]
            written = reading.file.expand(node.destination, node) or node.destination
            target = join(step.workdir, written)
            for raw in node.sources:
                source = join("/", reading.file.expand(raw, node) or raw)
                into = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
                for match in _matches(origin, source):
                    inside = into and _is_file(origin, match)
                    yield Moved(node, origin, match, join(target, posixpath.basename(match)) if inside else target)

    def source(self, path: str, before: Instruction | None = None) -> str | None:
        """The context path whose copy is at the absolute image ``path``; "" is the context itself,
        None: no copy."""
        found = self.reading.in_context(path, before)
        if found is not None:
            return found
        position = self.reading.position(before) if before is not None else None
        for moved in reversed(self.moved):
            if position is not None and self.reading.position(moved.node) >= position:
                continue
            rest = below(path, moved.target)
            if rest is not None:
                found = Layout(moved.stage).source(join(moved.source, rest or "."))
                if found is not None:
                    return found
        return self.parent.source(path) if self.parent is not None else None

    def places(self, path: str) -> tuple[str, ...]:
        """Absolute image paths at which the context's ``path`` ends up in this stage."""
        found = list(self.reading.in_image(path))
        for moved in self.moved:
            for place in Layout(moved.stage).places(path):
                rest = below(place, moved.source)
                if rest is not None:
                    found.append(join(moved.target, rest or "."))
        if self.parent is not None:
            found += self.parent.places(path)
        return tuple(dict.fromkeys(found))

    def is_from_stage(self, path: str) -> bool:
        """``path`` lies in something that is copied from an earlier stage."""
        return any(below(path, moved.target) is not None for moved in self.moved) or (
            self.parent is not None and self.parent.is_from_stage(path)
        )

    def unit(self, folder: str, before: Instruction | None = None) -> Unit | None:
        """The project that a package manager called in ``folder`` works on: the nearest folder with a
        package.json."""
        key = (folder, id(before))
        if key not in self._units:
            self._units[key] = self._unit(folder, before)
        return self._units[key]

    def _unit(self, folder: str, before: Instruction | None) -> Unit | None:
        here = folder
        while True:
            path = self.source(join(here, "package.json"), before)
            if path is not None:
                package = read_package_json(self.context, path)
                return None if isinstance(package, Unknown) else Unit(here, package)
            if here == "/":
                return None
            here = posixpath.dirname(here)

    def built_unit(self, path: str) -> Unit | None:
        """The project whose build made ``path``, by the earlier stage that it is copied from."""
        for moved in reversed(self.moved):
            rest = below(path, moved.target)
            if rest is not None:
                origin = Layout(moved.stage)
                place = join(moved.source, rest or ".")
                return origin.unit(posixpath.dirname(place)) or origin.built_unit(place)
        return self.parent.built_unit(path) if self.parent is not None else None

    def broken_unit(self, folder: str, before: Instruction | None = None) -> Unknown | None:
        """Why the nearest package.json cannot be read, None where it can or there is none."""
        here = folder
        while True:
            path = self.source(join(here, "package.json"), before)
            if path is not None:
                package = read_package_json(self.context, path)
                return package if isinstance(package, Unknown) else None
            if here == "/":
                return None
            here = posixpath.dirname(here)


def below(path: str, folder: str) -> str | None:
    """``path`` relative to ``folder``, "" for the folder itself, None where it is elsewhere."""
    if path == folder:
        return ""
    prefix = folder.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _matches(reading: StageReading, source: str) -> tuple[str, ...]:
    if not any(sign in source for sign in "*?["):
        return (source,)
    folder, pattern = posixpath.split(source)
    context_folder = reading.in_context(folder)
    names = reading.context.children(context_folder) if context_folder is not None else ()
    if isinstance(names, Unknown):
        return ()
    return tuple(join(folder, name.rstrip("/")) for name in names if fnmatchcase(name.rstrip("/"), pattern))


def _is_file(reading: StageReading, path: str) -> bool:
    found = reading.in_context(path)
    if found:
        return reading.context.is_dir(found) is not True
    # Made by the build: a name with an extension is a file (dist/main.js), one without a folder.
    name = posixpath.basename(path)
    return "." in name.lstrip(".") and not name.startswith(".")


__all__ = ["SKIPPED", "Layout", "Moved", "Unit", "below"]
