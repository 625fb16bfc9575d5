"""Which later RUN lives on the package lists that an `apt-get update` left in a layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from refactor.codemod.scripts import Body, body_of, called_scripts
from refactor.context import BuildContext
from refactor.flow.reading import StageReading
from refactor.shell import PackageCall, ShellScript, package_calls
from refactor.syntax import Dockerfile, Instruction

_INSTALLS = r"\b(?:apt(?:-get)?|aptitude)\b[^\n;&|#]*\b(?:install|upgrade|dist-upgrade)\b"
_UPDATES = r"\b(?:apt(?:-get)?|aptitude)\b[^\n;&|#]*\bupdate\b"


def lives_on_lists(text: str) -> bool:
    """Whether a shell script installs Debian packages before it updates the lists, as far as its text says."""
    installs, updates = re.search(_INSTALLS, text), re.search(_UPDATES, text)
    return installs is not None and (updates is None or updates.start() > installs.start())


def why_lists_needed(reading: StageReading, runs: Sequence[tuple[Instruction, Body | str]]) -> list[str | None]:
    """For each RUN, and before them all as the last entry, why a later one needs the lists that are there, if so."""
    needed: list[str | None] = [None]
    for node, body in reversed(runs):
        needed.append(needed[-1] if isinstance(body, str) else _why_needed(reading, node, body.script, needed[-1]))
    before = needed.pop()
    return [*reversed(needed), before]


def _why_needed(reading: StageReading, node: Instruction, script: ShellScript, after: str | None) -> str | None:
    """Why the RUN, or else what comes after it, needs package lists; None where it makes its own."""
    uses: list[tuple[tuple[int, int], str | None]] = []
    line = reading.file.line_of(node)
    for call in package_calls(script):
        if call.manager == "apt" and call.action == "update" and not call.command.is_conditional:
            uses.append((call.command.span, None))
        elif call.manager == "apt" and call.action in {"install", "upgrade"} and not _is_paired(script, call):
            uses.append((call.command.span, f"the RUN on line {line} relies on the package lists of this one"))
    for command, path, text in called_scripts(reading, node, script):
        if text is None:
            reason = f"line {line} runs {path}, which is not in the build context and may rely on the package lists"
            uses.append((command.span, reason))
        elif lives_on_lists(text):
            uses.append((command.span, f"{path}, run on line {line}, relies on the package lists of this one"))
    return min(uses)[1] if uses else after


def _is_paired(script: ShellScript, install: PackageCall) -> bool:
    """Whether an update stands right in front of the install, under the same condition if there is one."""
    start = install.command.span[0]
    ends = (call.command.span[1] for call in package_calls(script) if call.manager == "apt" and call.action == "update")
    return any(script.text[end:start].strip() in {"&&", ";"} for end in ends if end < start)


@lru_cache(maxsize=1)
def why_lists_needed_above(file: Dockerfile, context: BuildContext) -> Mapping[int, str]:
    """Why a stage that is built from another one needs its package lists, by the index of that other stage."""
    found: dict[int, str] = {}
    for child in reversed(file.stages):
        parent = file.stage_before(child.index, child.image)
        if parent is not None:
            runs = [(node, body_of(file, node)) for node in child.instructions if node.keyword == "RUN"]
            reading = StageReading.of(file, child, context)
            reason = why_lists_needed(reading, runs)[-1] or found.get(child.index)
            if reason is not None:
                found[parent.index] = reason
    return found


__all__ = ["lives_on_lists", "why_lists_needed", "why_lists_needed_above"]
