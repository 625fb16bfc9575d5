"""What CMD alone starts: a tool that compiles the program at every start, say."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from refactor.ecosystems import registry
from refactor.ecosystems.answers import BuiltStart
from refactor.flow.effects import Invocation
from refactor.flow.reading import Refused, StageReading, join
from refactor.shell import PackageCall, read
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.flow.graph import Act


class OwnStart(NamedTuple):
    """The CMD of a stage that has no ENTRYPOINT, and that nobody replaces who deploys it."""

    cmd: Instruction
    argv: tuple[str, ...]
    what: str
    """What is bad about it: ``compiles at every start``."""
    reading: StageReading

    @property
    def shown(self) -> str:
        return f"`{' '.join(self.argv)}` {self.what}"

    def call(self, text: str = "") -> Invocation | None:
        """What it starts, or another command in its place, where the container starts it; None where that is not one
        command alone."""
        commands, last = read(text or shlex.join(self.argv)).commands, self.reading.steps[-1]
        if len(commands) != 1:
            return None
        return Invocation(commands[0], self.reading, last, self.reading.final_workdir, {})

    @property
    def package(self) -> PackageCall | None:
        """What it starts, where that is a package manager or a build tool."""
        call = self.call()
        return None if call is None else call.package

    def refused(self, because: str, hint: str = "") -> Refused:
        return Refused(f"{self.shown}, and {because}", hint)

    def built(
        self, build: str, words: tuple[str, ...], makes: str, *evidence: str, idle: Collection[str] = ()
    ) -> BuiltStart:
        """What a RUN builds once, and CMD starts then; no further RUN where one makes it of all that is copied, with
        the same options but for those that are ``idle``."""
        made = self._made(build, makes, idle)
        if made is None:
            return BuiltStart(self.cmd, build, words, (f"{self.shown}; `{build}` makes {makes}", *evidence))
        said = f"{self.shown}; `{made.text}` on line {made.step.line} makes {makes} already"
        return BuiltStart(self.cmd, "", words, (said, *evidence))

    def _made(self, build: str, makes: str, idle: Collection[str]) -> Act | None:
        reading, place, asked = self.reading, join(self.reading.final_workdir, makes), self.call(build)
        last = max((reading.position(one.node) for one in reading.copies), default=-1)

        def options(call: Invocation | None) -> set[tuple[str, str | None]] | None:
            package = None if call is None else call.package
            return None if package is None else {one for one in package.options if one[0] not in idle}

        for one in registry.flow_of(reading.file, reading.context).makers(reading, place):
            act = one.act
            if act is not None and act.step.reading is reading and place in act.effect.writes:
                is_last = reading.position(act.step.step.node) > last
                return act if is_last and options(act.call) == options(asked) else None
        return None


def own_start(reading: StageReading, program: str = "", what: str = "compiles at every start") -> OwnStart | None:
    """What CMD starts; None where it is not all that decides on that, or starts another program."""
    cmd, start = reading.last("CMD"), reading.start
    if cmd is None or start is None or not start.argv or reading.last("ENTRYPOINT") is not None:
        return None
    if reading.context.deployment.has_own_command or program not in {"", start.argv[0]}:
        return None
    return OwnStart(cmd, start.argv, what, reading)


__all__ = ["OwnStart", "own_start"]
