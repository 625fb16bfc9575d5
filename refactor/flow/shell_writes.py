"""What the shell part of a start command writes: redirections and the operands of everyday programs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import SHELLS, Root, roots_of
from refactor.shell.posix import QUIET, Does, redirected, use_of

CALM = r"^/(?:dev|proc|tmp|var/tmp)(?:/|$)"
"""Folders that any user may write to."""


def written_by_shell(reading: StageReading) -> dict[str, str] | Refused:
    """Folders that the start command and the shell scripts which it runs write to -> why."""
    roots = roots_of(reading)
    if isinstance(roots, Refused):
        return roots
    found: dict[str, str] = {}
    for root in roots:
        for written, is_folder in _targets(root):
            if "$" in written or "`" in written:
                return Refused(f"{root.where} writes to {written}, which depends on a variable", "set USER by hand")
            path = join(root.folder, written)
            place = path if is_folder else posixpath.dirname(path)
            if not re.match(CALM, place + "/"):
                found.setdefault(place, f"{root.where} writes to it ({root.name})")
    return found


def _targets(root: Root) -> Iterator[tuple[str, bool]]:
    """What it writes to, as written, and whether that is a folder."""
    for path, is_written in redirected(() if root.command is None else root.command.redirects):
        if is_written:
            yield path, False
    use = use_of(root.name, root.words[1:]) if root.name in QUIET else None
    if use is not None:
        for word in (*use.makes, *use.changes, *use.removes):
            yield word.strip("\"'"), root.name == "mkdir" or use.does is Does.FINDS or word == "."


def unknown_program(root: Root) -> Refused | None:
    """What is said of a program that no language knows; None for everyday programs of a shell script."""
    if root.name in QUIET or root.name in SHELLS:
        return None
    return Refused(
        f"{root.where} starts {root.name}, and where that writes is not known",
        "write USER with an id in front of CMD, and give that user the folders that it writes to",
    )


__all__ = ["CALM", "unknown_program", "written_by_shell"]
