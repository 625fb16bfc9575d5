"""Words of an argument, by the three splitters of BuildKit's ``line_parsers.go``."""

from __future__ import annotations

import re
from collections.abc import Iterator

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""White space of Go's ``unicode.IsSpace``; Python's ``str.isspace`` counts U+001C to U+001F as well."""

BLANKS = re.compile(r"[\t\v\f\r ]+")
"""What cuts words where quotes mean nothing: of white space the ASCII kind only."""


class JsonError(ValueError):
    """A JSON array that holds something else than strings: BuildKit refuses the file."""


def split_blanks(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of the words of COPY, ADD, EXPOSE, VOLUME, FROM: cut at ASCII blanks, quotes mean nothing."""
    spans = []
    position = 0
    for blank in BLANKS.finditer(text):
        spans.append((position, blank.start()))
        position = blank.end()
    if text:
        spans.append((position, len(text)))
    return tuple(spans)


def split_quoted(text: str, escape: str) -> tuple[tuple[str, int, int], ...]:
    """(word, start, end) of ENV, LABEL, ARG: blanks in quotes or escaped do not cut, quotes are kept."""
    if '"' not in text and "'" not in text and escape not in text and text.replace("\t", " ").isprintable():
        return tuple(_split_plain(text))
    words: list[tuple[str, int, int]] = []
    size = len(text)
    position = 0
    while True:
        while position < size and text[position] in SPACE:
            position += 1
        if position >= size:
            return tuple(words)
        start = position
        word: list[str] = []
        quote = ""
        while position < size:
            char = text[position]
            if quote:
                if char == quote:
                    quote = ""
                elif char == escape and quote != "'":
                    if position + 1 == size:
                        position += 1
                        break
                    word.append(char)
                    position += 1
                    char = text[position]
            else:
                if char in SPACE:
                    break
                if char in "'\"":
                    quote = char
                elif char == escape:
                    position += 1
                    if position == size:
                        # A lone escape character at the end is dropped.
                        break
                    word.append(char)
                    char = text[position]
            word.append(char)
            position += 1
        if word:
            words.append(("".join(word), start, position))


def _split_plain(text: str) -> Iterator[tuple[str, int, int]]:
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        yield word, start, end


def _read_plain_json(text: str) -> tuple[str, ...] | None:
    """The strings of an array without escapes, None where that needs a JSON parser."""
    if "\\" in text or not text.isprintable():
        return None
    parts = text.split('"')
    if len(parts) == 1:
        return () if text[-1] == "]" and not text[1:-1].strip(" ") else None
    if parts[0].rstrip(" ") != "[" or parts[-1].lstrip(" ") != "]" or len(parts) % 2 == 0:
        return None
    return tuple(parts[1::2]) if all(part.strip(" ") == "," for part in parts[2:-1:2]) else None


def read_json(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, None where ``text`` is no JSON array (then it is shell form).

    Raises :class:`JsonError` for an array with other things than strings.
    """
    text = text.strip(SPACE)
    if text[:1] != "[":
        return None
    plain = _read_plain_json(text)
    if plain is not None:
        return plain
    import json

    def refuse_constant(name: str) -> object:
        raise ValueError(f"{name} is no JSON")

    # Go reads bytes that are no UTF-8, and halves of surrogate pairs, as U+FFFD.
    readable = re.sub("[\ud800-\udfff]", "\ufffd", text)
    try:
        values = json.loads(readable, parse_constant=refuse_constant, parse_int=float)
    except (ValueError, RecursionError):
        return None
    strings = [re.sub("[\ud800-\udfff]", "\ufffd", value) for value in values if isinstance(value, str)]
    if len(strings) != len(values):
        raise JsonError("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(strings)
