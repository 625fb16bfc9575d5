"""Heredocs, as BuildKit finds them: by its shell lexer over the whole logical line, not by a pattern."""

from __future__ import annotations

import re

from refactor.syntax.expansion import ExpansionError, split_words
from refactor.syntax.words import SPACE


class Heredoc:
    """One heredoc of a RUN, COPY or ADD.

    ``body`` is the raw text of the lines before the terminator, ``expand`` whether BuildKit expands
    variables in it (the delimiter is not quoted), ``strip_tabs`` whether leading tabs are dropped
    (``<<-``).
    """

    __slots__ = ("body", "expand", "name", "strip_tabs")

    def __init__(self, name: str, expand: bool, strip_tabs: bool, body: str) -> None:
        self.name = name
        self.expand = expand
        self.strip_tabs = strip_tabs
        self.body = body

    def __repr__(self) -> str:
        return f"Heredoc({self.name!r}, expand={self.expand}, strip_tabs={self.strip_tabs})"


class HeredocStart:
    """The word that begins a heredoc; ``is_spaced`` where blanks stand between ``<<`` and the name."""

    __slots__ = ("expand", "is_spaced", "name", "strip_tabs")

    def __init__(self, name: str, expand: bool, strip_tabs: bool, is_spaced: bool) -> None:
        self.name = name
        self.expand = expand
        self.strip_tabs = strip_tabs
        self.is_spaced = is_spaced


def heredoc_start(word: str) -> HeredocStart | None:
    """The heredoc that one word (quotes kept) begins, None where it begins none.

    The lexer of heredocs escapes with a backslash whatever the file's escape character is.
    """
    match = re.fullmatch(r"(\d*)<<(-?)([\t\n\f\r ]*)([^<]*)", word)
    if match is None or not match[4]:
        return None
    try:
        words = split_words(match[4])
        raw = split_words(match[4], raw_quotes=True)
    except ExpansionError:
        return None
    if len(words) != 1 or len(raw) != 1:
        return None
    name = words[0]
    quotes = name.count("'") + name.count('"')
    expand = quotes == raw[0].count("'") + raw[0].count('"')
    return HeredocStart(name, expand, match[2] == "-", bool(match[3]))


def heredoc_starts(line: str) -> tuple[HeredocStart, ...]:
    """All heredocs that a logical line begins, in order; none where the line cannot be split into words."""
    # A word that begins a heredoc begins with digits and "<<", so most shell text need not be split.
    if not re.search(rf"(?:^|[{SPACE}])[0-9\\]*<<-?[^<]", line):
        return ()
    try:
        words = split_words(line, raw_quotes=True, raw_escapes=True)
    except ExpansionError:
        return ()
    return tuple(start for word in words if "<<" in word and (start := heredoc_start(word)) is not None)
