"""A logical line cut into keyword, flags and argument."""

from __future__ import annotations

from refactor.syntax.flags import ASCII_SPACE, Flag, read_flags
from refactor.syntax.words import BLANKS, SPACE, JsonError, read_json, split_blanks, split_quoted

_JSON_FORMS = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_CUT_AT_BLANKS = frozenset({"ADD", "COPY", "EXPOSE", "FROM", "VOLUME"})
_CUT_OUTSIDE_QUOTES = frozenset({"ARG", "ENV", "LABEL"})
_UNREAD = object()


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
