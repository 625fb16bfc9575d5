"""Folders of a build context that a build of the image makes itself: what a build on the host left there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.flow.graph import Flow
from refactor.flow.reading import StageReading, is_within
from refactor.syntax import Instruction


class Output(NamedTuple):
    """A folder in which a tool puts what it makes of a project."""

    path: str
    """In the build context."""
    managers: frozenset[str]
    """Those that always make it; empty where a project's own script may."""


_OF_TOOLS = (
    ("target", r"pom\.xml", frozenset({"mvn"})),
    ("target", r"Cargo\.toml", frozenset({"cargo"})),
    ("build", r"build\.gradle(?:\.kts)?", frozenset({"gradle"})),
    ("bin", r".*\.[cfv]sproj|.*\.vbproj", frozenset({"dotnet"})),
    ("obj", r".*\.[cfv]sproj|.*\.vbproj", frozenset({"dotnet"})),
)
"""Folders, what lies beside them, and whose they are: the defaults of Maven, cargo, Gradle and MSBuild."""
_OF_SCRIPTS = ("dist", "build", "out", ".next", ".nuxt", ".output", ".svelte-kit")
_COMPILES = frozenset({"build", "publish", "test", "run", "install", "package", "restore"})


def outputs(context: BuildContext, files: Sequence[str]) -> Iterator[Output]:
    """The folders among ``files`` that may be such, and are there."""
    seen = set()
    for manifest in files:
        folder, _, name = manifest.rpartition("/")
        kinds = [(made, managers) for made, pattern, managers in _OF_TOOLS if re.fullmatch(pattern, name)]
        if name == "package.json":
            kinds += [(made, frozenset()) for made in _OF_SCRIPTS]
        for made, managers in kinds:
            path = posixpath.join(folder, made)
            if path not in seen and context.is_on_disk(path) is True and context.is_dir(path) is True:
                seen.add(path)
                yield Output(path, managers)


def ignored_by_git(context: BuildContext, path: str) -> str | None:
    """The ``.gitignore`` that names the folder, beside it or above it: then it holds nothing that was written by hand.

    None where none does, or one has exceptions (``!``), which may bring a part of it back.
    """
    folder, name = posixpath.split(path)
    while True:
        ignore = posixpath.join(folder, ".gitignore")
        data = context.stored(ignore)
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
        lines = [line.strip() for line in text.splitlines()]
        below = posixpath.relpath(path, folder or ".")
        if any(line.startswith("!") and name in line for line in lines):
            return None
        for line in lines:
            plain = line.removeprefix("**/").rstrip("/*").rstrip("/")
            if plain.lstrip("/") == below or (plain == name and "/" not in plain):
                return ignore
            # As the templates for Visual Studio write it: [Bb]in/
            if re.fullmatch(r"\[[A-Z][a-z]\]\w+", plain) and re.fullmatch(plain, name):
                return ignore
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def made_by(flow: Flow, reading: StageReading, place: str, output: Output, copy: Instruction) -> str | None:
    """The command, as it is written, that makes the folder at ``place`` of a stage behind ``copy``, which brings the
    host's. None where none is known to, and where a step in between reads what was brought, or may do so."""
    start = reading.position(copy)
    makers = [maker.act for maker in flow.makers(reading, place) if maker.kind == "command"]
    for step in flow.steps(reading)[start + 1 :]:
        for act in step.acts:
            call = act.call.package if act.call is not None else None
            folder = None if act.call is None else act.call.folder
            is_tool = call is not None and call.manager in output.managers and call.action in _COMPILES
            project = posixpath.dirname(place)
            if is_tool and folder is not None and (is_within(project, folder) or is_within(folder, project)):
                return f"`{act.text}`"
            if not output.managers and any(act is maker for maker in makers):
                return f"`{act.text}`"
            if act.effect.why_unknown is not None and call is None:
                return None
            if any(isinstance(path, str) and is_within(path, place) for path in act.effect.reads):
                return None
    return None


__all__ = ["Output", "ignored_by_git", "made_by", "outputs"]
