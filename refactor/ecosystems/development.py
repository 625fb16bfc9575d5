"""Packages that a project has for development alone: whether its image does without them."""

from __future__ import annotations

import re
from collections.abc import Collection

from refactor.context.literals import is_test
from refactor.flow.reading import Refused, StageReading

_NOT_OURS = ("node_modules", "vendor", ".git")


def why_production(reading: StageReading, names: Collection[str], values: Collection[str]) -> str | None:
    """The variable by which a stage says that it is for production."""
    return next((f"{name} is production" for name in names if reading.environment.get(name) in values), None)


def why_used(
    reading: StageReading, folder: str, programs: str, uses: str, sources: tuple[str, str], advice: tuple[str, str, str]
) -> Refused | None:
    """A step that runs one, or a source below a folder of the context that uses one: the first group of two patterns.
    ``sources`` has a pattern of files, and one of those among them that are for development; ``advice`` what a
    source does with it, what it is, and what to do."""
    for step in reading.steps:
        found = re.search(programs, step.node.argument) if step.keyword in {"RUN", "CMD", "ENTRYPOINT"} else None
        if found is not None:
            return Refused(f"line {reading.file.line_of(step.node)} runs {found[1]}, which is {advice[1]}", advice[2])
    files = reading.context.files(folder, without=_NOT_OURS)
    for path in files if isinstance(files, tuple) else ():
        is_run = re.search(sources[0], path) and not re.search(sources[1], path) and not is_test(path)
        found = re.search(uses, reading.context.text(path)) if is_run else None
        if found is not None:
            return Refused(f"{path} {advice[0]} {found[1]}, which is {advice[1]}", advice[2])
    return None


__all__ = ["why_production", "why_used"]
