"""Where the files of the build context are in an image, also through copies from earlier stages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import PackageJson, read_package_json
from refactor.ecosystems import registry
from refactor.flow.places import all_copies, source_of
from refactor.flow.reading import StageReading, join
from refactor.once import cached_property
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
        self._sources: dict[tuple[str, int], str | None] = {}

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
        flow = registry.flow_of(self.reading.file, self.context)
        origins = {step.node: origin for step, origin in self.reading.copies_of_stages}
        return tuple(
            Moved(act.step.step.node, origins[act.step.step.node], source, target)
            for act in (flow.acts(self.reading) if origins else ())
            if act.step.step.node in origins
            for source, target in act.effect.carries
        )

    def source(self, path: str, before: Instruction | None = None) -> str | None:
        """The context path whose copy is at the absolute image ``path``; "" is the context itself, None: no copy."""
        key = (path, id(before))
        if key not in self._sources:
            self._sources[key] = source_of(self.reading, path, before)
        return self._sources[key]

    def places(self, path: str) -> tuple[str, ...]:
        """Absolute image paths at which the context's ``path`` ends up in this stage."""
        found = [
            join(one.target, path[len(one.source) :].lstrip("/") or ".") if one.is_folder else one.target
            for one in all_copies(self.reading)
            if one.source == path or (one.is_folder and (not one.source or path.startswith(f"{one.source}/")))
        ]
        return tuple(dict.fromkeys(found))

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
        for here, path in self._manifests(folder, before):
            package = read_package_json(self.context, path)
            return None if isinstance(package, Unknown) else Unit(here, package)
        return None

    def built_unit(self, path: str) -> Unit | None:
        """The project whose build made ``path``, by the earlier stage that it is copied from."""
        if not any(layout.moved for layout in self._and_parents()):
            return None
        maker = registry.flow_of(self.reading.file, self.context).trace(self.reading, path)
        origin = None if maker is None or maker.act is None else Layout.of(maker.act.step.reading)
        return None if origin is None or maker is None else origin.unit(posixpath.dirname(maker.path))

    def broken_unit(self, folder: str, before: Instruction | None = None) -> Unknown | None:
        """Why the nearest package.json cannot be read, None where it can or there is none."""
        for _, path in self._manifests(folder, before):
            package = read_package_json(self.context, path)
            return package if isinstance(package, Unknown) else None
        return None

    def _manifests(self, folder: str, before: Instruction | None) -> Iterator[tuple[str, str]]:
        """Folders from one upwards that have a package.json, each with its context path."""
        for here in (folder, *map(str, PurePosixPath(folder).parents)):
            path = self.source(join(here, "package.json"), before)
            if path is not None:
                yield here, path


def below(path: str, folder: str) -> str | None:
    """``path`` relative to ``folder``, "" for the folder itself, None where it is elsewhere."""
    if path == folder:
        return ""
    prefix = folder.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


__all__ = ["SKIPPED", "Layout", "Moved", "Unit", "below"]
