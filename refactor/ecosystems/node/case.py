"""One Node stage that is to be taken apart, with the facts that every part of the decision asks for."""

from __future__ import annotations

import re
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.native import Native
from refactor.ecosystems.node.needs import Started
from refactor.ecosystems.node.projects import Project
from refactor.ecosystems.node.steps import Kind
from refactor.flow.reading import StageReading
from refactor.images import BaseImage


class Case(NamedTuple):
    """The stage, read."""

    reading: StageReading
    layout: Layout
    image: BaseImage
    kind: Kind
    projects: tuple[Project, ...]
    start: Started
    natives: tuple[Native, ...]
    """Production packages that may be compiled on the full image."""
    wish: str | None
    say: list[str]
    """Evidence, filled while the plan is made."""

    @property
    def context(self) -> BuildContext:
        return self.reading.context

    def starts_through(self, manager: str) -> bool:
        """The start command calls the package manager."""
        start = self.reading.start
        rule = re.compile(rf"(?<![\w/.-]){manager}(?![\w.-])")
        texts = [node.argument for node in start.nodes] if start is not None else []
        return any(rule.search(text) for text in texts) or any(
            word.split(" ")[0] == manager for ran in self.start.runs for word in ran.via
        )


__all__ = ["Case"]
