"""Which stages are for Windows: their shell is cmd, their paths have drives, and no codemod knows their commands."""

from __future__ import annotations

import re

from refactor.images.catalogue import lookup
from refactor.syntax import Dockerfile, Instruction, Stage

_NOT_KNOWN = "Windows' commands, paths and users are not known to dockerfix"
# Microsoft's own repositories, and the words that the tags of all others have (library/golang, dotnet/sdk, ...).
_IMAGE = (
    r"^mcr\.microsoft\.com/(?:windows|dotnet/framework)\b|^microsoft/(?:windows|iis|dotnet-framework)"
    r"|servercore|nanoserver|windows[-_:](?:ltsc)?\d{4}\b"
)
_WORDS = ("microsoft", "windows", "servercore", "nanoserver")
"""One of them is in whatever `_IMAGE` finds."""
_SHELLS = frozenset({"cmd", "powershell"})
"""Programs by which a command begins on Windows alone; PowerShell is `pwsh` elsewhere."""
_DRIVE = r"^[\"']?[A-Za-z]:(?:[\\/]|$)"
_TEXT = (
    r"(?i)(?:^|[\s\"'=;(\[,])[c-h]:\\+\w[^\s\"',]*|\bif\s+not\s+exist\b|\b(?:cmd|powershell)\.exe\b"
    r"|\bcmd[\"',\s]+/[sc]\b"
)
_SIGNS = ("\\", "exist", "cmd", "powershell")
"""One of them is in whatever `_TEXT` finds; it is compiled only then."""
_PROGRAM = r"(?i)[^\s\"']+\.(?:exe|ps1|bat|cmd|msi)$"
_BACKSLASHES = r"(?:^|[\s\"'])(?:\.{0,2}\\+)?[\w.-]+(?:\\+[\w.-]+)+"
_POSIX = r"\b(?:apt|apt-get|apk|yum|dnf|microdnf|zypper|chmod|chown|wine\d*|mono)\b|/bin/|/usr/|/etc/|\bsh -c\b"


def why_windows(file: Dockerfile, stage: Stage) -> str | None:
    """What shows that a stage is one for Windows, in words; None where nothing does.

    An image that is named as one, a stage built from such a stage, or instructions that no other system has. Text alone
    decides only about a base that is not in the catalogue: what looks like a drive in a Debian image is an argument.
    """
    return file.remember("Windows stages", lambda: _all(file)).get(stage.index)


def _all(file: Dockerfile) -> dict[int, str]:
    found: dict[int, str] = {}
    roots: dict[int, Stage] = {}
    """The stage whose FROM names the image that a stage is built on."""
    for stage in file.stages:
        parent = file.stage_before(stage.index, stage.image)
        roots[stage.index] = stage if parent is None else roots[parent.index]
        if parent is not None and parent.index in found:
            found[stage.index] = found[parent.index]
            continue
        is_known = _is_known(file, roots[stage.index])
        what = None if is_known or parent is not None else _image(file, stage)
        what = what or _text(file, stage, is_known)
        if what is not None:
            found[stage.index] = f"{what}: {_NOT_KNOWN}"
    return found


def _image(file: Dockerfile, stage: Stage) -> str | None:
    reference = file.expand(stage.image, stage.from_) or stage.image
    name = reference.lower()
    is_found = any(word in name for word in _WORDS) and re.search(_IMAGE, name) is not None
    return f"{stage.image} is a Windows image" if is_found else None


def _is_known(file: Dockerfile, stage: Stage) -> bool:
    reference = file.expand(stage.image, stage.from_)
    return reference is not None and lookup(reference) is not None


def _text(file: Dockerfile, stage: Stage, is_known: bool) -> str | None:
    nodes = [
        node
        for node in stage.instructions
        if node is not stage.from_ and (not is_known or node.keyword in {"SHELL", "WORKDIR"})
    ]
    maybe: tuple[Instruction, str] | None = None
    for node in nodes:
        sign = _certain(node) or (None if is_known else _likely(node))
        if sign is not None:
            return _said(file, node, sign)
        if maybe is None and not is_known:
            sign = _possible(node)
            maybe = None if sign is None else (node, sign)
    # A program's name may end in .exe elsewhere as well: Mono, Wine, what is built for others.
    if maybe is not None and not any(re.search(_POSIX, node.argument) for node in nodes):
        return _said(file, *maybe)
    return None


def _said(file: Dockerfile, node: Instruction, sign: str) -> str:
    return f"line {file.line_of(node)} is written for Windows (`{sign}`)"


def _certain(node: Instruction) -> str | None:
    """A shell or a folder that no other system has."""
    if node.keyword == "SHELL":
        words = node.json or ()
        name = re.split(r"[\\/]", words[0].lower())[-1].removesuffix(".exe") if words else ""
        return words[0] if name in _SHELLS else None
    if node.keyword == "WORKDIR" and re.match(_DRIVE, node.argument):
        return node.argument
    return None


def _likely(node: Instruction) -> str | None:
    if node.keyword in {"RUN", "CMD", "ENTRYPOINT"}:
        first = _first_word(node)
        return first if first.lower().removesuffix(".exe") in _SHELLS else _found(_TEXT, node)
    if node.keyword in {"COPY", "ADD"} and node.destination is not None and re.match(_DRIVE, node.destination):
        return node.destination
    return _found(_TEXT, node) if node.keyword in {"ENV", "VOLUME", "HEALTHCHECK"} else None


def _possible(node: Instruction) -> str | None:
    if node.keyword in {"RUN", "CMD", "ENTRYPOINT"}:
        first = _first_word(node)
        if re.fullmatch(_PROGRAM, first):
            return first
    if node.escape == "`" and node.keyword not in {"LABEL", "MAINTAINER"}:
        return _found(_BACKSLASHES, node)
    return None


def _first_word(node: Instruction) -> str:
    words = node.json if node.json is not None else node.argument.split(None, 1)[:1]
    return words[0] if words else ""


def _found(pattern: str, node: Instruction) -> str | None:
    text = node.argument.lower()
    found = re.search(pattern, node.argument) if any(sign in text for sign in _SIGNS) else None
    return None if found is None else found[0].strip("\"' =;([,")
