"""The COPYs that bring to a runner what its builder made, and what else both stages get in text."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from refactor.ecosystems.answers import Instead
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.split import builder_name
from refactor.flow.effects import ON_PATH
from refactor.flow.reading import StageReading, is_within
from refactor.images import lookup
from refactor.syntax import Instruction


class Owned(NamedTuple):
    """What belongs to the program's user in the runner."""

    paths: Collection[str] = ()
    owner: str | None = None
    """As ``COPY --chown`` takes it."""


def from_builder(reading: StageReading, source: str, target: str, owner: str | None = None) -> str:
    """``COPY --from=builder``."""
    return f"COPY --from={builder_name(reading)}{f' --chown={owner}' if owner else ''} {source} {target}"


def artefacts(
    reading: StageReading,
    paths: Sequence[str],
    programs: Sequence[Program],
    owned: Owned,
    wanted: Needs,
    runner: Runner,
) -> Iterator[str]:
    """The COPYs of absolute paths: files of one folder together, all else one by one."""
    home, image = reading.final_workdir, lookup(runner.image)
    is_home = reading.last("WORKDIR") is not None or (image is not None and image.workdir == home)
    is_home = is_home or bool(wanted.chosen and own_workdir(reading, wanted.paths, runner))
    is_home = is_home and not wanted.is_elsewhere(home)
    started, turn = {program.path for program in programs}, 0
    groups: dict[tuple[str, bool, int], list[str]] = {}
    for path in paths:
        source = reading.in_context(path)
        is_file = source is not None and reading.context.is_dir(source) is False and path not in started
        is_owned = any(is_within(path, one) or is_within(one, path) for one in owned.paths)
        # A program is not to change itself.
        is_owned = is_owned and not any(is_within(program, path) for program in started)
        is_file = is_file or path in wanted.files
        # What changes least is copied first, so that files wait for their turn.
        turn += path not in wanted.files and bool(wanted.files)
        groups.setdefault((posixpath.dirname(path) if is_file else path, is_owned, turn), []).append(path)
    for (_, is_owned, _), members in groups.items():
        path = members[0]
        target = _place(reading, path, programs)
        if is_home and path == home:
            target = "."
        elif is_home and is_within(path, home) and home != "/":
            target = "./" + path[len(home.rstrip("/")) + 1 :]
        if len(members) > 1 or re.search(r"[*?\[]", path) or path in wanted.files:
            target = posixpath.dirname(target).rstrip("/") + "/"
        owner = wanted.owner if wanted.is_chosen(path) else None
        yield from_builder(reading, " ".join(members), target, owned.owner if is_owned else owner)


def _place(reading: StageReading, path: str, programs: Sequence[Program]) -> str:
    """Where a path goes in the runner: where it is, but for a program that is found along a PATH which only the
    builder's image has (/usr/local/cargo/bin)."""
    program = next((one for one in programs if one.path == path and "/" not in one.root.words[0]), None)
    own = [step.node.argument for step in reading.steps if step.keyword == "ENV"]
    folder = posixpath.dirname(path)
    is_usual = folder in ON_PATH or any(folder in text for text in own)
    return path if program is None or is_usual else f"/usr/local/bin/{posixpath.basename(path)}"


def own_workdir(reading: StageReading, paths: Collection[str], runner: Runner) -> list[str]:
    """The base image's own WORKDIR, written down where a relative path, or one of the runner's, counts on it."""
    home, start, image = reading.final_workdir, reading.start, lookup(runner.image)
    if reading.last("WORKDIR") is not None or home == "/" or (image is not None and image.workdir == home):
        return []
    program = "" if start is None else start.program
    is_relative = "/" in program and not program.startswith("/")
    return [f"WORKDIR {home}"] if is_relative or any(is_within(path, home) for path in paths) else []


def edited(entries: Sequence[Instruction | str | Instead], wanted: Needs) -> tuple[Instruction | str | Instead, ...]:
    """The builder with what its build commands get."""
    edits: dict[Instruction, list[tuple[int, int, str]]] = {}
    for node, at, text in wanted.edits:
        edits.setdefault(node, []).append((at, at, text))
    return tuple(
        Instead(entry, entry.splice(edits[entry])) if isinstance(entry, Instruction) and entry in edits else entry
        for entry in entries
    )


def tops(paths: Mapping[str, str]) -> dict[str, str]:
    """Without paths that lie in another one of them, or that a pattern among them names."""

    def holds(other: str, path: str) -> bool:
        # As COPY takes a pattern: its `*` stops at a slash.
        (folder, name), (own, pattern) = posixpath.split(path), posixpath.split(other)
        return is_within(path, other) or (folder == own and fnmatchcase(name, pattern))

    return {path: why for path, why in paths.items() if not any(path != one and holds(one, path) for one in paths)}


__all__ = ["Owned", "artefacts", "edited", "from_builder", "own_workdir", "tops"]
