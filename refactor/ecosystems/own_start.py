"""What CMD alone starts: a tool that compiles the program at every start, say."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from refactor.flow.reading import StageReading
from refactor.shell import PackageCall, package_call, read
from refactor.syntax import Instruction


class OwnStart(NamedTuple):
    """The CMD of a stage that has no ENTRYPOINT, and that nobody replaces who deploys it."""

    cmd: Instruction
    argv: tuple[str, ...]
    package: PackageCall | None
    """What it starts, where that is a package manager or a build tool."""

    @property
    def shown(self) -> str:
        return f"`{' '.join(self.argv)}`"


def own_start(reading: StageReading) -> OwnStart | None:
    """What CMD starts; None where it is not all that decides on that."""
    cmd, start = reading.last("CMD"), reading.start
    if cmd is None or start is None or not start.argv or reading.last("ENTRYPOINT") is not None:
        return None
    if reading.context.deployment.has_own_command:
        return None
    commands = read(shlex.join(start.argv)).commands
    return OwnStart(cmd, start.argv, package_call(commands[0]) if len(commands) == 1 else None)


__all__ = ["OwnStart", "own_start"]
