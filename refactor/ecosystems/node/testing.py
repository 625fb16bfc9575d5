"""The test stage of a Node project: its script ``test``, with the development dependencies."""

from __future__ import annotations

import re

from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.node.projects import projects
from refactor.ecosystems.testing import other_copies, why_no_tests, written
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction

_ENDINGS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
_NONE = r"echo .*no test specified"
"""What ``npm init`` writes."""
_PRUNES = r"\bprune\b|--omit[= ]dev|--prod(?:uction)?\b|--only[= ]prod"


def tests(reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
    """See :meth:`Ecosystem.tests`."""
    install = next(iter(projects(reading)), None)
    if install is None:
        return Refused("no install of the dependencies is found")
    script = install.package.scripts.get("test", "")
    if not script or re.search(_NONE, script):
        return Refused(f"{install.package.path} has no script `test`", "write one")
    why = why_no_tests(reading, _ENDINGS)
    if why is not None:
        return why
    if reading.file.environment(install.step.node).get("NODE_ENV") == "production":
        return Refused("NODE_ENV=production leaves the development dependencies out", "set it behind the build")
    # What was pruned is installed once more, in this stage alone.
    is_pruned = any(re.search(_PRUNES, text) for text in written(plan))
    again = [f"RUN {' '.join(word.text for word in install.command.words)}"] if is_pruned else []
    return (*other_copies(reading, plan), *again, f"RUN {install.call.program} test")
