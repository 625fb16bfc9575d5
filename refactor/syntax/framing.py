"""Physical lines to instructions: continuations, comments in them, heredocs (BuildKit's ``parser.go``)."""

from __future__ import annotations

import re
from functools import lru_cache

from refactor.syntax.heredoc import HeredocStart, heredoc_starts
from refactor.syntax.split import Split
from refactor.syntax.words import SPACE

_HOLDS_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})


class Head:
    """The lines of one instruction without heredoc bodies, joined as BuildKit does: nothing in between."""

    __slots__ = ("end", "has_comment", "is_continued", "is_open", "logical", "logical_starts", "raw_starts")

    def __init__(self, text: str, escape: str) -> None:
        size = len(text)
        end = text.find("\n") + 1 or size
        line = text[:end].rstrip("\r\n")
        first = line.lstrip(SPACE)
        self.raw_starts = [len(line) - len(first)]
        self.logical_starts = [0]
        self.has_comment = False
        self.is_open = False
        """The file ended where a continuation line was expected."""
        body = first.rstrip(" \t")
        self.is_continued = body[-1:] == escape and body[-2:-1] != escape
        if not self.is_continued:
            self.logical = first
            self.end = end
            """Offset in the raw text just after the last line of the head."""
            return
        pieces = [body[:-1]]
        length = len(body) - 1
        while True:
            if end >= size:
                self.is_open = True
                break
            start, end = end, text.find("\n", end) + 1 or size
            line = text[start:end].rstrip("\r\n")
            first = line.lstrip(SPACE)
            if not first:
                continue
            if first[0] == "#":
                self.has_comment = True
                continue
            body = line.rstrip(" \t")
            goes_on = body[-1:] == escape and body[-2:-1] != escape
            piece = body[:-1] if goes_on else line
            if piece:
                pieces.append(piece)
                self.raw_starts.append(start)
                self.logical_starts.append(length)
                length += len(piece)
            if not goes_on:
                break
        self.logical = "".join(pieces)
        self.end = end

    def piece(self, index: int) -> str:
        """The text that physical line ``index`` (of those with content) adds to the logical line."""
        starts = self.logical_starts
        return self.logical[starts[index] : starts[index + 1] if index + 1 < len(starts) else None]


def _head_end(text: str, end: int, escape: str) -> int:
    """End of the head whose first line, known to continue, ends at ``end``."""
    size = len(text)
    while end < size:
        start, end = end, text.find("\n", end) + 1 or size
        line = text[start:end]
        first = line.lstrip(SPACE)
        if not first or first[0] == "#":
            continue
        body = line.rstrip("\r\n").rstrip(" \t")
        if body[-1:] != escape or body[-2:-1] == escape:
            break
    return end


def frame(text: str, position: int, escape: str) -> list[tuple[str, str]]:
    """Cuts ``text`` from ``position`` on into pairs of "instruction", "comment" or "blank" and raw text.

    One pass over the text; the pieces put together are the text again, whatever is in it.
    """
    nodes: list[tuple[str, str]] = []
    add = nodes.append
    size = len(text)
    bodies: _Bodies | None = None
    while position < size:
        end = text.find("\n", position) + 1 or size
        line = text[position:end]
        first = line.lstrip(SPACE)
        if not first:
            add(("blank", line))
        elif first[0] == "#":
            add(("comment", line))
        else:
            body = line.rstrip("\r\n").rstrip(" \t")
            if body[-1:] == escape and body[-2:-1] != escape:
                end = _head_end(text, end, escape)
                line = text[position:end]
            if "<" in line:
                starts = heredocs_of(Head(line, escape).logical, escape)
                if starts:
                    bodies = bodies or _Bodies(text)
                    for start in starts:
                        end = bodies.end_of(start, end)
                    line = text[position:end]
            add(("instruction", line))
        position = end
    return nodes


def heredocs_of(logical: str, escape: str) -> tuple[HeredocStart, ...]:
    """The heredocs that a logical line begins: RUN, COPY, ADD and ONBUILD of these, not in JSON form."""
    if "<<" not in logical:
        return ()
    split = Split(logical, escape)
    if split.keyword == "ONBUILD":
        split = Split(split.argument, escape)
    if split.keyword not in _HOLDS_HEREDOCS or split.json is not None:
        return ()
    return _starts(logical)


# Framing asks first, the dissection of the same instruction soon after.
_starts = lru_cache(maxsize=64)(heredoc_starts)


class _Bodies:
    """Where heredoc bodies end in one file; a missing terminator is noticed without reading on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last: dict[str, int] | None = None

    def end_of(self, start: HeredocStart, position: int) -> int:
        if start.is_spaced and not self._may_end(start.name, position):
            return position
        return body_end(self.text, position, start)[1]

    def _may_end(self, name: str, position: int) -> bool:
        if self.last is None:
            self.last = {}
            offset = 0
            for line in self.text.split("\n"):
                bare = line.rstrip("\r\n")
                self.last[bare] = self.last[bare.lstrip("\t")] = offset
                offset += len(line) + 1
        return self.last.get(name, -1) >= position


def body_end(text: str, position: int, start: HeredocStart) -> tuple[int, int, bool]:
    """(end of the body, end of the terminator's line, whether there is one) of a heredoc from ``position``.

    Without a terminator BuildKit refuses the file, having read it to its end. ``<< EOF`` with a blank is a
    heredoc since Dockerfile syntax 1.16 only; before, such a word was the shell's business and nothing
    followed, so there it is none if nothing ends it.
    """
    tabs = "\t*" if start.strip_tabs else ""
    # "^" and "$" of re.M also hold in the middle of nothing else than lines, as BuildKit splits at LF alone.
    found = re.compile(rf"^{tabs}{re.escape(start.name)}\r*$\n?", re.M).search(text, position)
    if found is not None and found.start() >= position:
        return found.start(), found.end(), True
    return (position, position, False) if start.is_spaced else (len(text), len(text), False)
