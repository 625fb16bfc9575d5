"""One Node stage that is to be taken apart, with the facts that every part of the decision asks for."""

from __future__ import annotations

import re
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.node.builds import Kind, kind_of
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.native import Native, judge
from refactor.ecosystems.node.needs import Started, started
from refactor.ecosystems.node.projects import Project, project_installs, projects
from refactor.flow.reading import Refused, StageReading, Step
from refactor.images import BaseImage


class Case(NamedTuple):
    """The stage, read."""

    reading: StageReading
    layout: Layout
    kind: Kind
    installs: tuple[Project | tuple[Step, Refused], ...]
    started: Started | None
    natives: tuple[Native, ...]
    """Production packages that may be compiled on the full image."""
    say: list[str]
    """Evidence, filled while the needs are found out."""

    @property
    def context(self) -> BuildContext:
        return self.reading.context

    @property
    def start(self) -> Started:
        """What is started; asked once it is known that something is."""
        assert self.started is not None
        return self.started

    @property
    def image(self) -> BaseImage:
        """The base image; asked once it is known to be in the catalogue."""
        assert self.reading.image is not None
        return self.reading.image

    @property
    def projects(self) -> tuple[Project, ...]:
        return projects(self.reading)

    @property
    def unit(self) -> Unit | None:
        """The project that is started."""
        return None if self.started is None else self.started.unit

    @property
    def project(self) -> Project | None:
        """The install that brings the packages of what is started: that of the nearest folder around it."""
        unit = self.unit
        found = [one for one in self.projects if unit is not None and below(unit.folder, one.folder) is not None]
        return max(found, key=lambda project: len(project.folder)) if found else None

    def starts_through(self, manager: str) -> bool:
        """The start command calls the package manager."""
        rule = re.compile(rf"(?<![\w/.-]){manager}(?![\w.-])")
        start, runs = self.reading.start, self.started.runs if self.started is not None else ()
        called = (word.split(" ")[0] for ran in runs for word in ran.via)
        return manager in called or any(rule.search(node.argument) for node in (start.nodes if start else ()))


def case_of(reading: StageReading) -> Case:
    """The facts of a stage, found out once."""
    return reading.remember("node case", lambda: _case_of(reading))


def _case_of(reading: StageReading) -> Case:
    layout, image = Layout.of(reading), reading.image
    is_fat = image is not None and (image.family, image.variant) == ("node", "fat")
    natives: dict[str, Native] = {}
    for project in projects(reading) if is_fat else ():
        for native in judge(reading.context, project.lock, project.package, production=True).compiled:
            natives.setdefault(native.name, native)
    kind, installs, start = kind_of(reading, layout), project_installs(reading), started(reading)
    return Case(reading, layout, kind, installs, start, tuple(natives.values()), [])
