"""The test stage of a Node project: its script ``test``, with the development dependencies."""

from __future__ import annotations

import posixpath
import re

from refactor.context import Unknown
from refactor.context.node_manifests import read_package_json
from refactor.ecosystems.answers import Install, SplitPlan
from refactor.ecosystems.node.installing import installs
from refactor.ecosystems.testing import other_copies, why_no_tests, written
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction

_ENDINGS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
_NONE = r"echo .*no test specified"
"""What ``npm init`` writes."""


def tests(reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
    """See :meth:`Ecosystem.tests`."""
    install = next((one for one in installs(reading) if isinstance(one, Install) and one.commands), None)
    if install is None:
        return Refused("no install of the dependencies is found")
    manifest = next((path for path in install.manifests if posixpath.basename(path) == "package.json"), None)
    package = read_package_json(reading.context, manifest) if manifest is not None else Unknown("no package.json")
    if isinstance(package, Unknown):
        return Refused(f"its package.json is not known: {package.reason}")
    script = package.scripts.get("test", "")
    if not script or re.search(_NONE, script):
        return Refused(f"{manifest} has no script `test`", "write one")
    why = why_no_tests(reading, _ENDINGS)
    if why is not None:
        return why
    command = install.commands[0]
    program = (command.name or "").rpartition("/")[2]
    node = install.step.node
    if reading.file.environment(node).get("NODE_ENV") == "production":
        return Refused("NODE_ENV=production leaves the development dependencies out", "set it behind the build")
    texts = list(written(plan))
    # What was pruned is installed once more, in this stage alone.
    is_pruned = any(re.search(r"\bprune\b|--omit[= ]dev|--prod(?:uction)?\b|--only[= ]prod", text) for text in texts)
    found: list[Instruction | str] = list(other_copies(reading, plan))
    if is_pruned:
        found.append(f"RUN {' '.join(word.text for word in command.words)}")
    return (*found, f"RUN {program} test")


__all__ = ["tests"]
