"""Whether files that lie in the root folder of an image can lie in a folder of their own: who names them absolutely."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.flow.closure import why_not_seen, why_unseen
from refactor.flow.places import users_of
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import SYSTEM_MANAGERS
from refactor.shell.posix import SILENT, Does, redirected, tools
from refactor.syntax import Instruction

SYSTEM = frozenset(
    "app bin boot dev etc home lib lib32 lib64 media mnt opt proc root run sbin srv sys tmp usr var".split()
)
"""Folders that an image has in its root (Filesystem Hierarchy Standard 3.0), and the one that is to be made."""
_ELSEWHERE = SYSTEM_MANAGERS | {"pip", "corepack", "gem"}
"""Package managers that install for the whole image."""
_CALM = SILENT | tools(Does.USERS, Does.SETTINGS) | {"export"}
_ABSOLUTE = r"(?<![\w.:/$})\]~*\\-])/([\w.@-]+)"
"""A path from the root, and no part of a longer one, of an address or of a variable's value."""
_FROM_HERE = (
    r"(?:(?:__dirname|cwd\(\)|__DIR__|base_dir|BASE_DIR|dirname\([^)\n]*\)|root)\W{1,6}"
    r"|\.(?:use|get|post|put|patch|delete|head|options|all|route|static|redirect|mount|group|register|path)\(\s*[\"'`]"
    r"|\burls?[.\w]*\s*=\s*[\"']"
    r"|(?:\b|_)(?:href|src|url|action|to|path|prefix|route|baseURL|location)[\"']?\s*[=:({]*\s*[\"'`]?)\Z"
)
"""What stands before a path that is put behind another one, or is the route of an address."""
_NO_PROGRAM = (
    r"\.(?:md|html?|s?css|less|svg|map|lock|txt|csv|snap|png|jpe?g|gif|ico|webp|woff2?|ttf|eot|pdf|mp[34])\Z"
    r"|(?:^|[/.])(?:Dockerfile|Containerfile)(?:\Z|\.)|\.dockerignore\Z|lock\.\w+\Z"
)
_NOT_READ = ("node_modules", ".git", ".github", "vendor", "test", "tests", "__tests__", "docs")
_MAX_FILES = 400
_MAX_CHARACTERS = 300_000
_HINT = "set WORKDIR by hand, and change that path"


def why_not_moved(reading: StageReading, first: Instruction) -> Refused | tuple[str, ...]:
    """Why what ``first`` and the instructions behind it bring to the root folder by relative paths has to stay there;
    else the context paths that were searched for absolute names of it."""
    is_final = reading.stage is reading.file.stages[-1]
    unseen = why_not_seen(reading) if is_final else why_unseen(reading)
    names = unseen or _names(reading, first)
    if isinstance(names, Refused):
        return names
    reason = _why_named_here(reading, first) or _why_named_elsewhere(reading, names)
    if reason is not None:
        return reason
    return _why_named_in_files(reading, names)


def _names(reading: StageReading, first: Instruction) -> Refused | frozenset[str]:
    """The names that the copies make in the root folder."""
    position = reading.position(first)
    names: set[str] = {"node_modules"}
    for copied in reading.copies:
        if reading.position(copied.node) < position or (copied.node.destination or "").startswith("/"):
            continue
        found: tuple[str, ...] | Unknown = (posixpath.basename(copied.target),)
        if copied.is_folder and copied.target == "/":
            found = reading.context.children(copied.source)
        if isinstance(found, Unknown):
            return Refused(f"what is copied to / is not known: {found.reason}")
        names.update(name.rstrip("/") for name in found)
    system = sorted(names & SYSTEM - {"app"})
    if system:
        return Refused(f"{system[0]} of the build context goes into the system's /{system[0]}", "copy it by itself")
    return frozenset(names)


def _why_named_here(reading: StageReading, first: Instruction) -> Refused | None:
    """An instruction that names a path of the root folder that the system does not have, or changes folders."""
    line_of = reading.file.line_of
    position = reading.position(first)
    for step in reading.steps:
        node = step.node
        if node.keyword in {"LABEL", "EXPOSE", "USER", "STOPSIGNAL", "MAINTAINER"}:
            continue
        is_later = reading.position(node) >= position
        if is_later and node.keyword in {"WORKDIR", "ONBUILD"}:
            return Refused(f"{node.keyword} on line {line_of(node)} comes after the first copy to /", _HINT)
        text = node.text
        if node.keyword in {"COPY", "ADD"}:
            text = node.destination or ""
            if text.rstrip("/") == "":
                return Refused(f"line {line_of(node)} copies to / by its absolute name", _HINT)
        for found in re.finditer(_ABSOLUTE, text):
            if found[1] not in SYSTEM or found[1] == "app":
                return Refused(f"line {line_of(node)} names {found[0]}, which may be one of the files", _HINT)
        if not is_later and node.keyword == "RUN" and not _is_apart(step):
            return Refused(f"line {line_of(node)} may write to / by relative paths, before the first copy", _HINT)
        if is_later and node.keyword == "RUN" and re.search(r"(?<![\w/.])\.\.(?![\w.])|\bcd /(?:\s|$)", text):
            return Refused(f"line {line_of(node)} goes to the folder above, which would be another one", _HINT)
    return None


def _is_apart(step: Step) -> bool:
    """Commands that are known to leave nothing in the folder they run in."""
    if step.script is None or step.script.opaque is not None:
        return False
    calls = {id(call.command): call for call in step.calls}
    for command in step.commands:
        call = calls.get(id(command))
        if call is not None and (call.manager in _ELSEWHERE or call.action in {"global-install", "clean"}):
            continue
        if any(is_written and not path.startswith("/") for path, is_written in redirected(command.redirects)):
            return False
        paths = [word for word in command.args if not word.startswith(("-", "+")) and "=" not in word]
        if command.name not in _CALM and not (
            command.name in {"mkdir", "rm", "touch"} and all(path.startswith("/") for path in paths)
        ):
            return False
    return True


def _why_named_elsewhere(reading: StageReading, names: frozenset[str]) -> Refused | None:
    """Another stage that builds on this one, and what starts and mounts the image."""
    for node in users_of(reading):
        told = "builds on" if node.keyword == "FROM" else "copies out of"
        return Refused(f"line {reading.file.line_of(node)} {told} this stage", _HINT)
    deployment = reading.context.deployment
    for text, where in _deployed(reading):
        for found in re.finditer(_ABSOLUTE, text):
            if found[1] in names or found[1] == "app":
                return Refused(f"{where} names {found[0]}", _HINT)
    for path in deployment.sources:
        source = reading.context.read(path)
        if isinstance(source, str) and re.search(r"working_?dir", source, re.IGNORECASE):
            return Refused(f"{path} sets the working directory of a container", _HINT)
    return None


def _deployed(reading: StageReading) -> Iterator[tuple[str, str]]:
    for service in reading.context.deployment.services:
        for words in (service.command, service.entrypoint, *(call.words for call in service.calls)):
            yield words if isinstance(words, str) else " ".join(words or ()), service.source
        for mount in service.mounts:
            yield mount.target, service.source


def _why_named_in_files(reading: StageReading, names: frozenset[str]) -> Refused | tuple[str, ...]:
    context = reading.context
    found = context.files("", without=_NOT_READ)
    if isinstance(found, Unknown):
        return Refused(f"whether a file names an absolute path is not known: {found.reason}", "name it with --context")
    files = tuple(path for path in found if not re.search(_NO_PROGRAM, path, re.IGNORECASE) and reading.in_image(path))
    if len(files) > _MAX_FILES:
        return Refused(f"{len(files)} files are copied to /, too many to be searched for absolute paths", _HINT)
    for path in files:
        text = context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"{path} cannot be searched for absolute paths: {text.reason}", _HINT)
        if len(text) > _MAX_CHARACTERS or "\0" in text:
            return Refused(f"{path} is too large to be searched for absolute paths, or is no text", _HINT)
        for match in re.finditer(_ABSOLUTE, text):
            before = text[max(0, match.start() - 60) : match.start()]
            if match[1] in names and re.search(_FROM_HERE, before) is None:
                line = text.count("\n", 0, match.start()) + 1
                return Refused(f"{path}:{line} names {match[0]}, which is copied to /", _HINT)
    return files


__all__ = ["why_not_moved"]
