"""dockerfile-parse as an independent reader, kept inside the domain where it is right.

It gets an in-memory file and one logical line an instruction, and is only ever read: its setters write to
disk at once, and without a file object it opens ./Dockerfile. Its exceptions end here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from refactor.model.framing import Framed, Unframeable, frame

if TYPE_CHECKING:
    from collections.abc import Callable

_END = "\x00"
"""Closes each logical line: dockerfile-parse drops an instruction without argument, and takes a last
backslash off."""

_FLAG = re.compile(r"--[^\t\v\f\r ]*")
_BLANK = "\t\v\f\r "


@dataclass(frozen=True, slots=True)
class Statement:
    """One instruction as the second reader sees it."""

    keyword: str
    flags: tuple[str, ...]
    argument: str
    line: int = field(compare=False)
    end_line: int = field(compare=False)
    heredocs: tuple[tuple[str, str], ...]
    """Name and raw body of each."""

    @property
    def value(self) -> str:
        """Flags and argument, one blank between them."""
        return " ".join((*self.flags, self.argument)) if self.flags else self.argument


@dataclass(frozen=True, slots=True)
class Reading:
    statements: tuple[Statement, ...]
    escape: str


@lru_cache(maxsize=64)
def read(source: bytes) -> Reading | str:
    """Read a Dockerfile, or say in one sentence why it is outside this reader's domain."""
    text = source.decode("utf-8", "surrogateescape")
    if _END in text:
        return "the file holds a NUL byte"
    try:
        framed = frame(text)
    except Unframeable as error:
        return str(error)
    try:
        structure = _structure(framed)
    except Exception as error:
        return f"dockerfile-parse stopped: {type(error).__name__}: {error}"
    if len(structure) != len(framed.lines):
        return f"dockerfile-parse saw {len(structure)} of {len(framed.lines)} instructions"
    statements: list[Statement] = []
    for entry, logical in zip(structure, framed.lines):
        keyword: str = entry["instruction"]
        if logical.text[: len(keyword)].upper() != keyword:
            return f"line {logical.line}: dockerfile-parse reads the keyword as {keyword!r}"
        following = logical.text[len(keyword) : len(keyword) + 1]
        if following and following not in _BLANK:
            return f"line {logical.line}: an unusual blank follows the keyword {keyword}"
        value: str = entry["value"]
        flags, argument = split_flags(value[:-1].strip(), framed.escape)
        statements.append(Statement(keyword, flags, argument, logical.line, logical.end_line, logical.heredocs))
    return Reading(tuple(statements), framed.escape)


def instructions(source: bytes) -> tuple[tuple[str, str], ...] | None:
    """Upper-case keyword and value of each instruction, or None outside this reader's domain.

    The value is the logical line after the keyword, stripped: flags first with one blank between them,
    continuations joined as BuildKit joins them (nothing in between, comments and blank lines dropped).
    Heredoc bodies are not in it.
    """
    reading = read(source)
    if isinstance(reading, str):
        return None
    return tuple((statement.keyword, statement.value) for statement in reading.statements)


def why_not_readable(source: bytes) -> str | None:
    """Why `instructions` has no answer for this file, or None when it has."""
    reading = read(source)
    return reading if isinstance(reading, str) else None


def split_flags(value: str, escape: str = "\\") -> tuple[tuple[str, ...], str]:
    """Leading `--name[=value]` words and the rest, by BuildKit's `extractBuilderFlags` (quotes and
    escapes count)."""
    flags: list[str] = []
    at, end = 0, len(value)
    while value.startswith("--", at):
        start = at
        match = _FLAG.match(value, at)
        assert match is not None
        if not any(mark in match[0] for mark in ("'", '"', escape)):
            at = match.end()
        else:
            quote = ""
            while at < end:
                char = value[at]
                if quote:
                    if char == quote:
                        quote = ""
                    elif char == escape and quote == '"':
                        at += 1
                elif char in _BLANK:
                    break
                elif char in "'\"":
                    quote = char
                elif char == escape:
                    at += 1
                at += 1
            at = min(at, end)
        if value[start:at] == "--":
            # `--` ends the flags and belongs to neither side.
            return tuple(flags), value[at:].strip()
        flags.append(value[start:at])
        while at < end and value[at] in _BLANK:
            at += 1
    return tuple(flags), value[at:]


def _structure(framed: Framed) -> list[dict[str, Any]]:
    lines = [f"{logical.text} {_END}\n" for logical in framed.lines]
    return _reader()(lines)


@lru_cache(maxsize=1)
def _reader() -> Callable[[list[str]], list[dict[str, Any]]]:
    from io import BytesIO

    from dockerfile_parse import DockerfileParser

    class InMemory(DockerfileParser):  # type: ignore[misc]
        """Reads lines it was given; there is no file to write to."""

        given: list[str]

        @property
        def lines(self) -> list[str]:
            return self.given

        @lines.setter
        def lines(self, lines: list[str]) -> None:
            raise PermissionError("this reader does not write")

    parser = InMemory(fileobj=BytesIO(), env_replace=False)

    def structure(lines: list[str]) -> list[dict[str, Any]]:
        parser.given = lines
        result: list[dict[str, Any]] = parser.structure
        return result

    return structure
