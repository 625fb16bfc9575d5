"""The test stage of a Python project: pytest, where its development dependencies have it."""

from __future__ import annotations

import re

from refactor.context import BuildContext, Unknown
from refactor.context.tables import at, table
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
    has_group = has_pytest(reading.context)
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


def has_pytest(context: BuildContext) -> bool:
    """It is installed for development without being asked for: by the group ``dev``, or a group of Poetry's."""
    from refactor.ecosystems.python.pyproject import read_pyproject

    project = read_pyproject(context)
    if isinstance(project, Unknown):
        return False
    own = table(at(project.tools, "poetry", "group"))
    asked_for = {name for name, group in own.items() if table(group).get("optional") is True}
    return any(need.name == "pytest" for name in {"dev", *own} - asked_for for need in project.groups.get(name, ()))


__all__ = ["has_pytest", "tests"]
