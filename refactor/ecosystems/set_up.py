"""What of a RUN that builds also sets the system up, so that the runner has to do it too."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection

from refactor.ecosystems import system
from refactor.flow.reading import Refused, Step, is_within
from refactor.shell import Command
from refactor.shell.posix import PLACES, SILENT, Does, tools

_FROM_ELSEWHERE = tools(Does.COPIES, Does.FILLS)
"""What they put there may be the builder's alone."""


def works_on_files(command: Command) -> bool:
    """A command that changes nothing but the files that it names."""
    name = posixpath.basename(command.name or "")
    return name in PLACES | _FROM_ELSEWHERE | {"sed"} or (name in SILENT and bool(command.redirects))


def makes_only_folders(step: Step) -> bool:
    """A RUN that makes empty folders, and so reads nothing that is copied."""
    return bool(step.commands) and all(posixpath.basename(command.name or "") == "mkdir" for command in step.commands)


def repeated(
    step: Step, line: int, trees: Collection[str], over: Collection[Command] = ()
) -> tuple[str, ...] | Refused:
    """The commands of a RUN that set the system up (users, modules of a server, folders outside of the sources), as the
    runner repeats them; () where there are none. Work on files of the build is not among them: those come over, as do
    the files that the commands ``over`` change."""
    found: list[str] = []
    made: set[str] = set()
    for command in step.commands:
        name = posixpath.basename(command.name or "")
        if not system.is_set_up(command) or name == "rm" or (name in SILENT and not command.redirects):
            continue
        if any(command is one for one in over):
            continue
        paths = [word for word in command.args if word.startswith("/")]
        outside = [path for path in paths if not any(is_within(path, tree) for tree in trees)]
        is_link = name == "ln" and bool(outside) and paths[-1] == outside[-1]
        if name == "mkdir":
            if len(outside) < len([word for word in command.args if not re.match(r"-|[0-7]{3,4}$", word)]):
                continue
            made.update(path.rstrip("/") for path in outside)
        elif name in PLACES and not is_link and not (paths and {path.rstrip("/") for path in paths} <= made):
            continue
        if is_link or command.is_conditional or name in _FROM_ELSEWHERE or step.script is None:
            return Refused(f"line {line} builds and also sets the system up ({name})", "give each a RUN of its own")
        found.append(step.script.text[slice(*command.span)].strip())
    return tuple(found)


__all__ = ["makes_only_folders", "repeated", "works_on_files"]
