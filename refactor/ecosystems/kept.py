"""What a runner gets besides what its program asks for: files and folders that a stage makes on purpose."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems import system
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.program import Needs, Sliced
from refactor.flow.effects import ON_PATH, SYSTEM, UNPACKS, Path
from refactor.flow.reading import StageReading, is_within
from refactor.flow.roots import Root, places_of
from refactor.shell.posix import Does, tools

if TYPE_CHECKING:
    from refactor.flow.graph import Act

_WIDE = frozenset((*SYSTEM, *ON_PATH, "/usr/lib", "/usr/share", "/usr/local", "/usr/local/lib", "/home", "/root"))
"""Folders of the whole system: a command that changes something in them makes none of them."""
_SCRATCH = r"/(?:tmp|var/tmp|var/cache|var/lib/apt|var/log|proc|sys|dev|root/\.[\w.-]+)(?:/|\Z)"
"""Where builds keep their own things."""
_OF_SYSTEM = (
    r"/(?:etc/(?:apt|apk|ssh|pki|ssl|passwd|group|shadow|nsswitch\.conf)|lib64|home"
    r"|usr/local/share/ca-certificates)(?:/|\Z)"
)
"""What an image without a shell has of its own, or nothing in it reads."""
_CERTIFICATES = "/usr/local/share/ca-certificates"
"""Where ``update-ca-certificates`` takes those of the author from."""
_CHANGES = tools(Does.CHANGES, Does.GRANTS)
_MAKES_NONE = _CHANGES | tools(Does.MAKES, Does.FILLS, Does.EDITS)


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
    language: Sliced, reading: StageReading, acts: Sequence[Act], wanted: Needs, last_build: int, *, is_bare: bool
) -> dict[str, str]:
    """Files and folders that a RUN makes outside of the sources, or a COPY puts there -> why.

    A runner that ``is_bare`` has no shell, so that what sets the system up there is copied as well.
    """
    called = {*wanted.programs, *programs_started(reading)}
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
        name = "" if act.call is None else act.call.name
        if is_bare and (name in _CHANGES or _leads_nowhere(reading, act)):
            continue
        is_fetched = wanted.names_downloads and ("network" in act.effect.needs or name in UNPACKS)
        is_late = reading.position(act.step.step.node) > last_build and act.call is None
        for path in act.effect.writes:
            if not isinstance(path, str) or path == "/" or re.match(_SCRATCH, path) or act.step.is_hidden(path):
                continue
            if (is_fetched and posixpath.basename(path) not in called) or re.match(language.tool_folders, path):
                continue
            if (re.match(wanted.left, path) and path not in wanted.paths) or is_within(path, "/etc/apt"):
                continue
            is_certificate = wanted.is_static and _CERTIFICATES in path
            if path in _WIDE or ((is_bare or is_certificate) and re.match(_OF_SYSTEM, path)):
                continue
            # Of folders that are made among the sources, only a shell's runner can make those anew.
            is_own = is_set_up and name == "mkdir"
            inside = any((is_within(path, tree) and not is_own) or is_within(tree, path) for tree in own)
            if (not inside or is_late) and flow.makers(reading, path):
                found[path] = f"line {act.step.line} makes it"
    return found


def is_of_system(path: str) -> bool:
    """A folder of the whole system, or what an image has of its own."""
    return path in _WIDE or re.match(f"{_SCRATCH}|{_OF_SYSTEM}", path) is not None


def _is_tool(language: Sliced, reading: StageReading, writes: Sequence[Path]) -> bool:
    """A tool of the language that a COPY brings (composer), and that nothing at run time calls."""
    names = {posixpath.basename(path) for path in writes if isinstance(path, str)}
    return names <= language.programs and not names & programs_started(reading).keys()


def _leads_nowhere(reading: StageReading, act: Act) -> bool:
    """A link to a time zone in an image that has none."""
    if not any(source.startswith("/usr/share/zoneinfo") for source, _ in act.effect.carries):
        return False
    return not has_package(reading, "tzdata")


def has_package(reading: StageReading, name: str) -> bool:
    """The stage has a system package: by its base image, or a RUN installs it."""
    if reading.image is not None and name in reading.image.preinstalled:
        return True
    return any(word.literal == name for _, call in reading.calls for word in call.packages)


def fetched(
    language: Sliced, reading: StageReading, roots: Sequence[Root], own: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Programs among the first words of ``roots``, and before them (``tini``), that a RUN or an ADD fetched to where
    they are started from -> where. Their own needs are not known. ``own`` are words of the language's programs."""
    flow, start = language.flow(reading), reading.start
    where = "the start" if start is None else f"{start.nodes[0].keyword} on line {reading.file.line_of(start.nodes[0])}"
    first = [] if start is None or not start.argv else [Root(start.argv[:1], reading.final_workdir, where)]
    for root in (*first, *roots):
        found: dict[str, str] = {}
        for place in places_of(reading, root, root.words[0]) if root.words[0] not in own else ():
            maker = flow.trace(reading, place)
            act = None if maker is None or maker.kind not in {"command", "copy"} else maker.act
            name = "" if act is None or act.call is None else act.call.name
            if act is not None and not act.effect.by and name not in _MAKES_NONE:
                found[place] = f"{root.where} starts {root.name}, which line {act.step.line} brings"
        # The file itself counts for more than folders that something was unpacked to.
        named = [place for place in found if any(one.path == place for one in flow.makers(reading, place))]
        yield from ((place, found[place]) for place in (named or list(found))[:1])


__all__ = ["fetched", "has_package", "is_of_system", "kept", "trees"]
