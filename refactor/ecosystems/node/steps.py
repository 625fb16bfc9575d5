"""What the RUN commands of a stage do."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from refactor.ecosystems.node.builds import COPIERS, Built, build_of
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.programs import MANAGERS, Programs
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, is_set_up
from refactor.flow.reading import StageReading, Step, join
from refactor.shell import Command

QUIET = words("echo true ls pwd cat which cd set export printf test [ : id du sleep")
FILES = words("cp mv rm ln sed touch mkdir chmod chown tar unzip gunzip find tee")
FETCHES = frozenset({"curl", "wget", "git", "pip", "pip3", "gem", "cargo", "go", "composer", "apt-key", "gpg"})


class Kind(NamedTuple):
    """What the RUN commands of a stage do."""

    builds: tuple[tuple[Step, Command, Built], ...]
    globals: tuple[tuple[Step, Command, tuple[str, ...]], ...]
    """Packages that are installed for the whole image."""
    added: tuple[tuple[Step, Command], ...]
    """Single packages that are installed into a project (``npm install x``)."""

    @property
    def compiles(self) -> Built | None:
        """The first build that does more than move files about, or make users and folders."""
        moving = FILES | QUIET | COPIERS
        return next(
            (built for _, command, built in self.builds if built.ran.program not in moving and not is_set_up(command)),
            None,
        )

    def removed(self, layout: Layout) -> tuple[str, ...]:
        """Absolute paths that a RUN itself deletes or moves away (not a script of package.json)."""
        found = []
        for step in layout.reading.runs:
            for command in step.commands:
                operands = [arg for arg in command.args if not arg.startswith("-")]
                if command.name == "mv":
                    operands = operands[:-1]
                elif command.name != "rm":
                    continue
                folder = step.folder_of(command) or step.workdir
                found += [join(folder, operand) for operand in operands]
        return tuple(found)


def brings_code(built: Built) -> bool:
    """What it writes may be, or hold, sources; not so the settings that ``sed`` changes in place."""
    if built.ran.program not in FILES | QUIET | COPIERS:
        return True
    return any(posixpath.splitext(output)[1] in {"", ".js", ".mjs", ".cjs", ".ts"} for output in built.outputs or ())


def kind_of(reading: StageReading, layout: Layout) -> Kind:
    """The builds and single installs of the stage, with the programs that scripts of package.json come down to."""
    return reading.remember("node kind", lambda: _kind_of(reading, layout))


def _kind_of(reading: StageReading, layout: Layout) -> Kind:
    builds: list[tuple[Step, Command, Built]] = []
    globals_: list[tuple[Step, Command, tuple[str, ...]]] = []
    added: list[tuple[Step, Command]] = []
    for step in reading.runs:
        calls = {id(call.command): call for call in step.calls}
        programs = Programs(layout, step.node)
        for command, ran in programs.of_step(step):
            call = calls.get(id(command))
            if call is not None and call.manager in SYSTEM_MANAGERS:
                continue
            if call is not None and call.manager in MANAGERS and call.action == "global-install":
                globals_.append((step, command, tuple(word.literal for word in call.packages)))
                continue
            if ran.program.endswith(" add") and ran.program.split(" ")[0] in MANAGERS:
                added.append((step, command))
                continue
            is_plain = not ran.via and (ran.program in QUIET | FILES | FETCHES or is_set_up(command))
            built = build_of(layout, ran)
            if is_plain and (built is None or built.outputs == () or ran.program in FETCHES):
                continue
            if built is not None:
                builds.append((step, command, built))
    return Kind(tuple(builds), tuple(globals_), tuple(added))


__all__ = ["FETCHES", "FILES", "QUIET", "Kind", "brings_code", "kind_of"]
