"""Where the files of the build context are in an image, also through copies from earlier stages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import Unknown
from refactor.ecosystems import registry
from refactor.ecosystems.node.package_json import PackageJson, read_package_json
from refactor.flow.places import all_copies, source_of
from refactor.flow.reading import StageReading, join
from refactor.syntax import Instruction, Stage

if TYPE_CHECKING:
    from refactor.flow.graph import Flow

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

    def file(self, name: str) -> str:
        """The context path of a file in it."""
        return posixpath.join(self.source, name)

    def place(self, folder: str) -> str:
        """Where a context folder at or below its own lies in the image."""
        return join(self.folder, folder[len(self.source) :].lstrip("/") or ".")


class Layout:
    """The image of a stage as far as its files come from the build context."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading
        self.context = reading.context
        self._units: dict[tuple[str, int], Unit | Unknown | None] = {}
        self._sources: dict[tuple[str, int], str | None] = {}

    @classmethod
    def of(cls, reading: StageReading) -> Layout:
        """The layout of a stage, made once for all that ask for it."""
        return reading.remember("node layout", lambda: cls(reading))

    @property
    def flow(self) -> Flow:
        return registry.flow_of(self.reading.file, self.context)

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
        return any(maker.kind == "copy" for maker in self.flow.makers(self.reading, path))

    def taken_from(self, stage: Stage) -> Iterator[tuple[Instruction, str]]:
        """What is copied from an earlier stage of the file: the COPY, and the absolute path there."""
        for act in self.flow.acts(self.reading):
            origin = self.flow.origin(act.step)
            if origin is not None and origin.stage is stage:
                yield from ((act.step.step.node, source) for source, _ in act.effect.carries)

    def nearest(self, folder: str, before: Instruction | None = None) -> Unit | Unknown | None:
        """The nearest folder with a package.json, why that cannot be read, or None where there is none."""
        key = (folder, id(before))
        if key not in self._units:
            self._units[key] = None
            for here in (folder, *map(str, PurePosixPath(folder).parents)):
                path = self.source(join(here, "package.json"), before)
                if path is not None:
                    package = read_package_json(self.context, path)
                    self._units[key] = package if isinstance(package, Unknown) else Unit(here, package)
                    break
        return self._units[key]

    def unit(self, folder: str, before: Instruction | None = None) -> Unit | None:
        """The project that a package manager called in ``folder`` works on."""
        found = self.nearest(folder, before)
        return None if isinstance(found, Unknown) else found

    def built_unit(self, path: str) -> Unit | None:
        """The project whose build made ``path``, by the earlier stage that it is copied from."""
        maker = self.flow.trace(self.reading, path) if len(self.reading.file.stages) > 1 else None
        if maker is None or maker.act is None:
            return None
        return Layout.of(maker.act.step.reading).unit(posixpath.dirname(maker.path))


def below(path: str, folder: str) -> str | None:
    """``path`` relative to ``folder``, "" for the folder itself, None where it is elsewhere."""
    if path == folder:
        return ""
    prefix = folder.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
