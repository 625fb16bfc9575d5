"""Folders that a program writes to, from the calls in its sources that open files to write them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found, calls
from refactor.ecosystems.program import Program
from refactor.flow.closure import named
from refactor.flow.reading import Refused, join
from refactor.flow.shell_writes import CALM
from refactor.flow.user import BY_HAND


def written_by(
    texts: Mapping[str, str], files: Mapping[str, int], folders: Mapping[str, int], is_bare: bool = False
) -> list[tuple[Found, bool]]:
    """Calls that write files, and those that make folders, as :func:`folders_written` takes them."""
    kinds = ((files, False), (folders, True))
    return [(call, is_folder) for names, is_folder in kinds for call in calls(texts, names, is_bare)]


def named_in(
    settings: Mapping[str, str], pattern: str, computed: str = r"[$~]", what: str = "its settings"
) -> list[tuple[Found, bool]]:
    """Files that settings name, as :func:`folders_written` takes them: the group of the pattern that is found. One in
    which ``computed`` is found only the running program knows."""
    found = ((path, next(filter(None, match.groups()), "")) for path, text in settings.items()
             for match in re.finditer(pattern, text))  # fmt: skip
    return [(Found(what, None if re.search(computed, value) else value.strip("'\""), path), False)
            for path, value in found]  # fmt: skip


def ports_in(texts: Iterable[str], pattern: str) -> tuple[int, ...]:
    """Ports that sources spell out: the group of the pattern that is found."""
    found = (match for text in texts for match in re.finditer(pattern, text))
    return tuple(sorted({int(next(filter(None, match.groups()))) for match in found}))


def folders_written(
    program: Program, files: Sequence[str], found: Sequence[tuple[Found, bool]], ports: tuple[int, ...] = ()
) -> Written | Refused:
    """The folders, or why they are not known. ``found`` are the calls, with True where one names a folder itself."""
    folders: dict[str, str] = {}
    for call, is_folder in found:
        if call.value is None:
            return Refused(
                f"{call.where} ({call.name}) writes where only the running program knows",
                BY_HAND,
            )
        path = join(program.reading.final_workdir, call.value.removeprefix("file:"))
        folder = path if is_folder else posixpath.dirname(path) or "/"
        if not re.match(CALM, folder + "/"):
            folders.setdefault(folder, f"{call.where} ({call.name}) writes to {call.value}")
    if not folders:
        return Written((), (f"nothing in {named(files)} opens a file to write it",), ports=ports)
    rest = f"nothing else in {named(files)} opens a file to write it"
    return Written(tuple(folders), (*folders.values(), rest), ports=ports)


__all__ = ["BY_HAND", "folders_written", "named_in", "ports_in", "written_by"]
