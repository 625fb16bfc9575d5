"""Folders that a program writes to, from the calls in its sources that open files to write them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.program import Program
from refactor.flow.closure import named
from refactor.flow.reading import Refused, join
from refactor.flow.shell_writes import CALM


def folders_written(
    program: Program, files: Sequence[str], found: Sequence[tuple[Found, bool]], ports: tuple[int, ...] = ()
) -> Written | Refused:
    """The folders, or why they are not known. ``found`` are the calls, with True where one names a folder itself."""
    folders: dict[str, str] = {}
    for call, is_folder in found:
        if call.value is None:
            return Refused(
                f"{call.where} ({call.name}) writes where only the running program knows",
                "write USER with an id in front of CMD, and give that user the folders that the program writes to",
            )
        path = join(program.reading.final_workdir, call.value.removeprefix("file:"))
        folder = path if is_folder else posixpath.dirname(path) or "/"
        if not re.match(CALM, folder + "/"):
            folders.setdefault(folder, f"{call.where} ({call.name}) writes to {call.value}")
    if not folders:
        return Written((), (f"nothing in {named(files)} opens a file to write it",), ports=ports)
    rest = f"nothing else in {named(files)} opens a file to write it"
    return Written(tuple(folders), (*folders.values(), rest), ports=ports)


__all__ = ["folders_written"]
