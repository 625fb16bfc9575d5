"""The parts of one instruction's raw text, computed once for equal texts."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from refactor.syntax.framing import Head, body_end, heredocs_of
from refactor.syntax.heredoc import Heredoc, HeredocStart
from refactor.syntax.split import Split

_CACHED_SIZE = 16_384
"""Longer texts are not kept: a cache of thousands of them would outgrow the memory the tool may use."""


class Dissection:
    """All that the raw text of an instruction says by itself; shared between instructions of equal text."""

    __slots__ = ("escape", "flags", "head", "heredocs", "problem", "split", "text", "unterminated")

    def __init__(self, text: str, escape: str) -> None:
        self.text = text
        self.escape = escape
        self.head = head = Head(text, escape)
        self.split = split = Split(head.logical, escape)
        self.flags = tuple(flag for flag, _, _ in split.flag_spans)
        self.heredocs: tuple[Heredoc, ...] = ()
        self.unterminated: HeredocStart | None = None
        starts = heredocs_of(head.logical, escape) if "<" in head.logical else ()
        if starts:
            self._read_bodies(starts)
        self.problem: str | bool | None = False
        """Why BuildKit refuses the instruction, None where it does not, False as long as nobody asked."""

    def _read_bodies(self, starts: tuple[HeredocStart, ...]) -> None:
        position = self.head.end
        found = []
        for start in starts:
            end, after, is_ended = body_end(self.text, position, start)
            if not is_ended:
                if start.is_spaced:
                    continue
                self.unterminated = self.unterminated or start
            found.append(Heredoc(start.name, start.expand, start.strip_tabs, self.text[position:end]))
            position = after
        self.heredocs = tuple(found)

    @property
    def words(self) -> tuple[tuple[str, int, int], ...]:
        """(word, start, end) in the argument, of the forms that are not JSON."""
        return self.split.words

    def raw_start(self, offset: int) -> int:
        """Offset in the raw text of the logical character ``offset``."""
        head = self.head
        index = bisect_right(head.logical_starts, offset) - 1
        return head.raw_starts[index] + offset - head.logical_starts[index]

    def raw_end(self, offset: int) -> int:
        """Offset in the raw text just after the logical character ``offset - 1``, before a continuation."""
        return self.raw_start(offset - 1) + 1 if offset else self.head.raw_starts[0]


_cached = lru_cache(maxsize=512)(Dissection)


def dissect(text: str, escape: str) -> Dissection:
    """The dissection of an instruction's raw text."""
    return _cached(text, escape) if len(text) <= _CACHED_SIZE else Dissection(text, escape)
