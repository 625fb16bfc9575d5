"""The parts of one instruction's raw text, computed once for equal texts."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from refactor.syntax.flags import ASCII_SPACE, Flag, read_flags
from refactor.syntax.framing import Head, body_end, heredocs_of
from refactor.syntax.heredoc import Heredoc, HeredocStart
from refactor.syntax.words import BLANKS, SPACE, JsonError, read_json, split_blanks, split_quoted

_JSON_FORMS = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_CUT_AT_BLANKS = frozenset({"ADD", "COPY", "EXPOSE", "FROM", "VOLUME"})
_CUT_OUTSIDE_QUOTES = frozenset({"ARG", "ENV", "LABEL"})
_UNREAD = object()
_CACHED_SIZE = 16_384
"""Longer texts are not kept: a cache of thousands of them would outgrow the memory the tool may use."""


def _after_first_word(text: str) -> tuple[int, int]:
    """End of the type of a HEALTHCHECK and start of what follows; BuildKit cuts at ASCII white space here."""
    end = next((index for index, char in enumerate(text) if char in ASCII_SPACE), len(text))
    return end, len(text) - len(text[end:].lstrip(ASCII_SPACE))


class Split:
    """A logical line cut into keyword, flags and argument; offsets are those of the line."""

    __slots__ = (
        "_json",
        "_words",
        "argument",
        "argument_start",
        "escape",
        "flag_spans",
        "json_error",
        "keyword",
        "keyword_start",
        "keyword_text",
    )

    def __init__(self, logical: str, escape: str) -> None:
        stripped = logical.strip(SPACE)
        start = len(logical) - len(logical.lstrip(SPACE))
        blanks = BLANKS.search(stripped)
        keyword_end, position = blanks.span() if blanks is not None else (len(stripped), len(stripped))
        self.keyword_start = start
        self.keyword_text = stripped[:keyword_end]
        self.keyword = self.keyword_text.upper()
        self.flag_spans: list[tuple[Flag, int, int]] = []
        if stripped.startswith("-", position):
            self.flag_spans, position = read_flags(stripped, position, escape)
            self.flag_spans = [(flag, a + start, b + start) for flag, a, b in self.flag_spans]
        rest = stripped[position:]
        argument = rest.lstrip(SPACE)
        self.argument_start = start + position + len(rest) - len(argument)
        self.argument = argument
        self.json_error = ""
        self._json: object = _UNREAD
        self._words: tuple[tuple[str, int, int], ...] | None = None
        self.escape = escape

    @property
    def json(self) -> tuple[str, ...] | None:
        if self._json is _UNREAD:
            text: str | None = None
            if self.keyword in _JSON_FORMS:
                text = self.argument
            elif self.keyword == "HEALTHCHECK" and "[" in self.argument:
                text = self.argument[_after_first_word(self.argument)[1] :]
            try:
                self._json = None if text is None else read_json(text)
            except JsonError as error:
                self.json_error = str(error)
                self._json = None
        return self._json  # type: ignore[return-value]

    @property
    def words(self) -> tuple[tuple[str, int, int], ...]:
        """(word, start, end) in the argument, of the forms that are not JSON."""
        if self._words is None:
            argument, keyword = self.argument, self.keyword
            if not argument:
                self._words = ()
            elif keyword in _CUT_AT_BLANKS:
                self._words = tuple((argument[a:b], a, b) for a, b in split_blanks(argument))
            elif keyword in _CUT_OUTSIDE_QUOTES:
                self._words = split_quoted(argument, self.escape)
            elif keyword == "HEALTHCHECK":
                end, start = _after_first_word(argument)
                rest = ((argument[start:], start, len(argument)),) if start < len(argument) else ()
                self._words = ((argument[:end], 0, end), *rest)
            else:
                self._words = ((argument, 0, len(argument)),)
        return self._words


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


_cached = lru_cache(maxsize=4096)(Dissection)


def dissect(text: str, escape: str) -> Dissection:
    """The dissection of an instruction's raw text."""
    return _cached(text, escape) if len(text) <= _CACHED_SIZE else Dissection(text, escape)
