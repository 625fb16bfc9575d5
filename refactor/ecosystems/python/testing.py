"""The test stage of a Python project: pytest, where its development dependencies have it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from refactor.context import Unknown
from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.testing import other_copies, why_no_tests, written
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction

_FILE = r"(?i)(?:^|/)(?:[\w-]*requirements[\w-]*|(?:dev|test|tests|testing|development|ci))\.(?:txt|in)$"
_PYTEST = r"(?mi)^\s*pytest\b(?!-)"


def tests(reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
    """See :meth:`Ecosystem.tests`."""
    why = why_no_tests(reading, (".py",))
    if why is not None:
        return why
    run = _run(reading, "\n".join(written(plan)))
    if isinstance(run, Refused):
        return run
    return (*other_copies(reading, plan), *run)


def _run(reading: StageReading, builder: str) -> tuple[str, ...] | Refused:
    groups = list(_groups(reading.context.toml("pyproject.toml")))
    has_group = any(re.match(r"pytest\b(?!-)", name) for name in groups)
    if has_group and re.search(r"\bpoetry\s+(?:\S+\s+)*install\b", builder):
        return "RUN poetry install --no-interaction", "RUN python -m pytest"
    if has_group and re.search(r"\buv\s+sync\b", builder):
        return ("RUN uv run --frozen python -m pytest",)
    files = reading.context.files()
    for path in sorted(files) if not isinstance(files, Unknown) else ():
        is_list = re.search(_FILE, path) and re.search(_PYTEST, reading.context.text(path))
        places = reading.in_image(path) if is_list else ()
        if places and re.search(r"\bpip\b", builder):
            return f"RUN pip install --no-cache-dir -r {places[-1]}", "RUN python -m pytest"
    return Refused(
        "no requirements file that is copied, and no development group of pyproject.toml, has pytest",
        "list it in requirements-dev.txt",
    )


def _groups(pyproject: object) -> Iterator[str]:
    """Names that are installed for development without being asked for: dependency groups ``dev``, Poetry's groups."""
    if not isinstance(pyproject, Mapping):
        return
    tools: Any = pyproject.get("tool")
    groups: Any = pyproject.get("dependency-groups")
    if isinstance(groups, Mapping):
        yield from (str(one) for one in groups.get("dev") or ())
    uv = tools.get("uv") if isinstance(tools, Mapping) else None
    if isinstance(uv, Mapping):
        yield from (str(one) for one in uv.get("dev-dependencies") or ())
    poetry = tools.get("poetry") if isinstance(tools, Mapping) else None
    if isinstance(poetry, Mapping):
        yield from map(str, poetry.get("dev-dependencies") or ())
        own = poetry.get("group")
        for group in own.values() if isinstance(own, Mapping) else ():
            if isinstance(group, Mapping) and group.get("optional") is not True:
                yield from map(str, group.get("dependencies") or ())


__all__ = ["tests"]
