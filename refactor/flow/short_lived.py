"""What one RUN makes and a later one takes away again: its layer keeps it all the same."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.flow.reading import StageReading
from refactor.once import cached_property
from refactor.shell import (
    SYSTEM_MANAGERS,
    Files,
    PackageCall,
    ShellScript,
    files_of,
    is_cleaning,
    package_calls,
    removes_files,
)
from refactor.syntax import Instruction

_MAX_DISTANCE = 10
"""RUNs between a thing and its removal: more of them, cached apart so far, are not one thing."""


class ShortLived(NamedTuple):
    """RUNs from where a thing is made to where it is removed, as positions in what was asked about."""

    start: int
    end: int
    apart: tuple[int, ...]
    """Those between that have nothing to do with the thing."""


def short_lived(reading: StageReading, runs: Sequence[tuple[Instruction, ShellScript | None]]) -> Iterator[ShortLived]:
    """What consecutive RUNs of a stage make for a while, by each of them that removes something; None for the script of
    one that cannot be read."""
    found = [_Run(reading, node, script) for node, script in runs]
    for index, run in enumerate(found):
        if not index or not run.gone:
            continue
        starts = [start for gone in sorted(run.gone) if (start := _start(found, index, gone)) is not None]
        start = min(starts, default=index)
        if start < index:
            apart = tuple(at for at in range(start + 1, index) if not _has_to_do(found[at], run))
            yield ShortLived(start, index, apart)


class _Run:
    def __init__(self, reading: StageReading, node: Instruction, script: ShellScript | None) -> None:
        self.reading, self.node, self.script = reading, node, script

    @cached_property
    def calls(self) -> tuple[PackageCall, ...]:
        calls = () if self.script is None else package_calls(self.script)
        return tuple(call for call in calls if call.manager in SYSTEM_MANAGERS)

    @cached_property
    def files(self) -> Files:
        step = self.reading.step(self.node)
        if step is None or self.script is None:
            return Files(frozenset(), frozenset())
        return files_of(self.script, step.workdir, lambda word: self.reading.expand(word, self.node))

    @cached_property
    def made(self) -> frozenset[str]:
        """Paths and packages (as `apt:git`) that the RUN makes."""
        return self.files.made | frozenset(_packages(self.calls, "install"))

    @cached_property
    def gone(self) -> frozenset[str]:
        """Paths and packages that the RUN takes away again, whoever made them."""
        if self.script is None:
            return frozenset()
        # No RUN makes what a cleaning removes: the caches of packages fill as they are installed.
        is_removing = any(removes_files(one) and not is_cleaning(one) for one in self.script.commands)
        removed = self.files.removed if is_removing else frozenset()
        return removed | frozenset(_packages(self.calls, "remove"))


def _start(runs: Sequence[_Run], index: int, gone: str) -> int | None:
    """The first of the last few RUNs that makes the thing that the RUN at ``index`` removes."""
    return next((at for at in range(max(0, index - _MAX_DISTANCE), index) if _makes(runs[at], gone)), None)


def _makes(run: _Run, gone: str) -> bool:
    if gone in run.made:
        return True
    if any(sign in gone for sign in "*?["):
        import fnmatch

        return any(fnmatch.fnmatchcase(path, gone) for path in run.made)
    return any(path.startswith(gone + "/") for path in run.files.made)


def _has_to_do(between: _Run, remover: _Run) -> bool:
    """Whether a RUN works with what the other one removes: makes it too, names it, or is what packages were for."""
    if any(":" in gone for gone in remover.gone if not gone.startswith(("/", "$"))):
        return True
    if any(_makes(between, gone) for gone in remover.gone):
        return True
    # As written there, and with the values of variables.
    commands = () if remover.script is None else remover.script.commands
    written = [arg for command in commands if command.name == "rm" for arg in command.args]
    names = {posixpath.basename(gone.rstrip("*?/")) for gone in (*remover.gone, *written) if gone[:1] != "-"}
    return any(name in between.node.argument for name in names - {""})


def _packages(calls: Sequence[PackageCall], action: str) -> Iterator[str]:
    for call in calls:
        if call.action == action:
            yield from (f"{call.manager}:{word.literal}" for word in call.packages)
            virtual = call.option("--virtual", "-t") if call.manager == "apk" else None
            if virtual is not None:
                yield f"{call.manager}:{virtual}"


__all__ = ["ShortLived", "short_lived"]
