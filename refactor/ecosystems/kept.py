"""What a runner gets besides what its program asks for: files and folders that a stage makes on purpose."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems import system
from refactor.ecosystems.program import Sliced
from refactor.flow.effects import ON_PATH, SYSTEM, Path
from refactor.flow.reading import StageReading, is_within
from refactor.flow.roots import Root, places_of

if TYPE_CHECKING:
    from refactor.flow.graph import Act, Flow

_WIDE = frozenset((*SYSTEM, *ON_PATH, "/usr/lib", "/usr/share", "/usr/local", "/usr/local/lib", "/home", "/root"))
"""Folders of the whole system: a command that changes something in them makes none of them."""
_SCRATCH = r"/(?:tmp|var/tmp|var/cache|var/lib/apt|var/log|proc|sys|dev|root/\.[\w.-]+)(?:/|\Z)"
"""Where builds keep their own things."""
_OF_SYSTEM = r"/(?:etc/(?:apt|apk|ssh|pki|ssl|passwd|group|shadow|nsswitch\.conf)|lib64|home)(?:/|\Z)"
"""What an image without a shell has of its own, or nothing in it reads."""
_MAKES_NONE = frozenset({"mkdir", "touch", "sed", "tee", "chmod", "chown", "chgrp"})


def trees(language: Sliced, reading: StageReading, acts: Sequence[Act]) -> tuple[str, ...]:
    """Where the sources lie, and where the language's tools work."""
    folders = {reading.final_workdir}
    for act in acts:
        folders.update(path for path in (act.call.folder if act.call else None,) if path)
    for copied in reading.copies:
        files = reading.context.files(copied.source) if copied.is_folder else (copied.source,)
        if isinstance(files, tuple) and any(re.search(language.sources, path) for path in files):
            folders.add(copied.target if copied.is_folder else posixpath.dirname(copied.target))
    return tuple(folder for folder in folders if folder != "/")


def kept(
    language: Sliced, reading: StageReading, acts: Sequence[Act], last_build: int, *, is_bare: bool
) -> dict[str, str]:
    """Files and folders that a RUN makes outside of the sources, or a COPY puts there -> why.

    A runner that ``is_bare`` has no shell, so that what sets the system up there is copied as well.
    """
    flow, own = language.flow(reading), trees(language, reading, acts)
    found: dict[str, str] = {}
    for act in flow.acts(reading):
        package = None if act.call is None else act.call.package
        node = act.step.step.node
        is_left = node.keyword == "WORKDIR" or (act.call is None and bool(node.heredocs))
        if act.effect.by or is_left or (package and package.manager in system.MANAGERS):
            continue
        is_set_up = act.call is not None and system.is_set_up(act.call.command)
        if (is_set_up and not is_bare) or (act.call is None and _is_tool(language, reading, act.effect.writes)):
            continue
        if is_bare and _leads_nowhere(reading, act):
            continue
        is_late = reading.position(act.step.step.node) > last_build and act.call is None
        for path in act.effect.writes:
            if not isinstance(path, str) or path == "/" or re.match(_SCRATCH, path) or act.step.is_hidden(path):
                continue
            if path in _WIDE or (is_bare and re.match(_OF_SYSTEM, path)):
                continue
            # Of folders that are made among the sources, only a shell's runner can make those anew.
            is_own = is_set_up and act.call is not None and act.call.name == "mkdir"
            inside = any((is_within(path, tree) and not is_own) or is_within(tree, path) for tree in own)
            if (not inside or is_late) and flow.makers(reading, path):
                found[path] = f"line {act.step.line} makes it"
    return found


def _is_tool(language: Sliced, reading: StageReading, writes: Sequence[Path]) -> bool:
    """A tool of the language that a COPY brings (composer), and that nothing at run time calls."""
    names = {posixpath.basename(path) for path in writes if isinstance(path, str)}
    return names <= language.programs and not names & system.programs_started(reading).keys()


def _leads_nowhere(reading: StageReading, act: Act) -> bool:
    """A link to a time zone in an image that has none."""
    if not any(source.startswith("/usr/share/zoneinfo") for source, _ in act.effect.carries):
        return False
    return not has_zones(reading)


def has_zones(reading: StageReading) -> bool:
    """The stage has the time zones of the system."""
    image = reading.image
    if image is not None and "tzdata" in image.preinstalled:
        return True
    return any(word.literal == "tzdata" for _, call in reading.calls for word in call.packages)


def fetched(language: Sliced, reading: StageReading, roots: Collection[Root]) -> Iterator[tuple[str, str]]:
    """Programs that the container starts, and that a RUN fetched or unpacked to where they are -> where."""
    flow, start = language.flow(reading), reading.start
    first = () if start is None or not roots else start.argv[:1]
    where = next((root.where for root in roots), "")
    named = [*(Root((word,), reading.final_workdir, where) for word in first), *roots]
    for root in named:
        for place in places_of(reading, root, root.words[0]):
            maker = flow.trace(reading, place)
            act = None if maker is None or maker.kind != "command" else maker.act
            if act is not None and act.call is not None and not act.effect.by and act.call.name not in _MAKES_NONE:
                yield place, f"{root.where} starts it, and line {act.step.line} puts it there"


__all__ = ["fetched", "has_zones", "kept", "trees"]
