"""Where the files of the build context are in an image, also through copies from earlier stages."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import PackageJson, read_package_json
from refactor.flow.reading import StageReading, join
from refactor.once import cached_property
from refactor.syntax import Instruction

SKIPPED = ("node_modules", ".git")

_MAX_STAGES = 100
"""Stages that one question is followed through; what lies behind them is not known."""
_MAX_PLACES = 100
"""Places of one file in a stage that are followed into later ones: each copy may double them."""


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
    """One source of a ``COPY --from=<stage>``: ``source`` in that stage's image becomes ``target`` in this one's."""

    node: Instruction
    stage: StageReading
    source: str
    target: str


class Layout:
    """The image of a stage as far as its files come from the build context."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading
        self.context = reading.context
        self._units: dict[tuple[str, int], Unit | None] = {}
        self._sources: dict[str, str | None] = {}
        """What was found at the end of the stage."""
        self._places: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, reading: StageReading) -> Layout:
        """The layout of a stage, made once for all that ask for it."""
        return reading.remember("node layout", lambda: cls(reading))

    @cached_property
    def parent(self) -> Layout | None:
        """The earlier stage of the file that this one is built FROM."""
        stage = self.reading.parent
        return None if stage is None else Layout.of(StageReading.of(self.reading.file, stage, self.context))

    def _and_parents(self) -> Iterator[Layout]:
        layout: Layout | None = self
        while layout is not None:
            yield layout
            layout = layout.parent

    @cached_property
    def moved(self) -> tuple[Moved, ...]:
        """Copies from earlier stages of the same file, in order."""
        return tuple(self._read_moved())

    def _read_moved(self) -> Iterator[Moved]:
        reading = self.reading
        for step in reading.steps:
            node = step.node
            name = node.flag("from") if node.keyword == "COPY" else None
            stage = reading.file.stage(name) if name else None
            if stage is None or stage.index >= reading.stage.index or node.destination is None:
                continue
            origin = StageReading.of(reading.file, stage, reading.context)
            written = reading.file.expand(node.destination, node) or node.destination
            target = join(step.workdir, written)
            for raw in node.sources:
                source = join("/", reading.file.expand(raw, node) or raw)
                into = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
                for match in _matches(origin, source):
                    inside = into and _is_file(origin, match)
                    yield Moved(node, origin, match, join(target, posixpath.basename(match)) if inside else target)

    def source(self, path: str, before: Instruction | None = None) -> str | None:
        """The context path whose copy is at the absolute image ``path``; "" is the context itself, None: no copy."""
        return self._source(path, before, itertools.count())

    def _source(self, path: str, before: Instruction | None, asked: Iterator[int]) -> str | None:
        found = None
        passed = []
        for layout in self._and_parents():
            known = path in layout._sources and before is None
            if not known and next(asked) >= _MAX_STAGES:
                break
            found = layout._sources[path] if known else layout._own_source(path, before, asked)
            if before is None:
                passed.append(layout)
            if known or found is not None:
                break
            before = None
        for layout in passed:
            layout._sources[path] = found
        return found

    def _own_source(self, path: str, before: Instruction | None, asked: Iterator[int]) -> str | None:
        found = self.reading.in_context(path, before)
        if found is not None:
            return found
        position = self.reading.position(before) if before is not None else None
        for moved in reversed(self.moved):
            if position is not None and self.reading.position(moved.node) >= position:
                continue
            rest = below(path, moved.target)
            if rest is not None:
                found = Layout.of(moved.stage)._source(join(moved.source, rest or "."), None, asked)
                if found is not None:
                    return found
        return None

    def places(self, path: str, depth: int = 0) -> tuple[str, ...]:
        """Absolute image paths at which the context's ``path`` ends up in this stage."""
        found: dict[str, None] = {}
        for layout in self._and_parents():
            if path not in layout._places:
                layout._places[path] = tuple(layout._own_places(path, depth))
            found.update(dict.fromkeys(layout._places[path]))
        return tuple(found)

    def _own_places(self, path: str, depth: int) -> Iterator[str]:
        yield from self.reading.in_image(path)
        if depth < _MAX_STAGES:
            for moved in self.moved:
                for place in Layout.of(moved.stage).places(path, depth + 1)[:_MAX_PLACES]:
                    rest = below(place, moved.source)
                    if rest is not None:
                        yield join(moved.target, rest or ".")

    def is_from_stage(self, path: str) -> bool:
        """``path`` lies in something that is copied from an earlier stage."""
        return any(below(path, moved.target) is not None for layout in self._and_parents() for moved in layout.moved)

    def unit(self, folder: str, before: Instruction | None = None) -> Unit | None:
        """The project that a package manager called in ``folder`` works on: the nearest folder with a package.json."""
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
        layout = self
        for _ in range(_MAX_STAGES):
            copies = (moved for each in layout._and_parents() for moved in reversed(each.moved))
            moved = next((copy for copy in copies if below(path, copy.target) is not None), None)
            if moved is None:
                return None
            layout = Layout.of(moved.stage)
            path = join(moved.source, below(path, moved.target) or ".")
            unit = layout.unit(posixpath.dirname(path))
            if unit is not None:
                return unit
        return None

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
