"""dockerfile-parse as an independent reader, kept inside the domain where it is right.

It gets an in-memory file and one logical line an instruction, and is only ever read: its setters write to
disk at once, and without a file object it opens ./Dockerfile. Its exceptions end here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from refactor.model.framing import Unframeable, frame

if TYPE_CHECKING:
    from collections.abc import Callable

_END = "\x00"
"""Closes each logical line: dockerfile-parse drops an instruction without argument, and takes a last
backslash off."""

_FLAG = re.compile(r"--[^\t\v\f\r ]*")
_BLANK = "\t\v\f\r "


class Statement(NamedTuple):
    """One instruction as the second reader sees it."""

    keyword: str
    flags: tuple[str, ...]
    argument: str
    heredocs: tuple[tuple[str, str], ...] = ()
    """Name and raw body of each."""

    @property
    def value(self) -> str:
        """Flags and argument, one blank between them."""
        return " ".join((*self.flags, self.argument)) if self.flags else self.argument


class Reading(NamedTuple):
    statements: tuple[Statement, ...]
    escape: str


@lru_cache(maxsize=4)
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
        _learn([logical.text for logical in framed.lines], framed.escape)
    except Exception as error:
        return f"dockerfile-parse stopped: {type(error).__name__}: {error}"
    statements: list[Statement] = []
    for logical in framed.lines:
        statement = _known[logical.text, framed.escape]
        if isinstance(statement, str):
            return f"line {logical.line}: {statement}"
        statements.append(statement._replace(heredocs=logical.heredocs) if logical.heredocs else statement)
    return Reading(tuple(statements), framed.escape)


_known: dict[tuple[str, str], Statement | str] = {}
"""Logical lines that were read, by text and escape character: none depends on another one, and a rewritten file has
most lines of the original."""


def _learn(lines: list[str], escape: str) -> None:
    if len(_known) > 512:
        _known.clear()
    new = [text for text in dict.fromkeys(lines) if (text, escape) not in _known]
    structure = _reader()([f"{text} {_END}\n" for text in new])
    if len(structure) != len(new):
        raise ValueError(f"it saw {len(structure)} of {len(new)} instructions")
    for text, entry in zip(new, structure):
        _known[text, escape] = _statement(text, escape, entry["instruction"], entry["value"])


def _statement(text: str, escape: str, keyword: str, value: str) -> Statement | str:
    """One logical line, bodies of heredocs aside, or why it is outside this reader's domain."""
    if text[: len(keyword)].upper() != keyword:
        return f"dockerfile-parse reads the keyword as {keyword!r}"
    following = text[len(keyword) : len(keyword) + 1]
    if following and following not in _BLANK:
        return f"an unusual blank follows the keyword {keyword}"
    flags, argument = split_flags(value[:-1].strip(), escape)
    return Statement(keyword, flags, argument)


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
