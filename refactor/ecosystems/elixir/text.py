"""Elixir read as text: comments taken out, brackets matched, keyword lists taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEREDOC = r'"""(?s:.*?)"""'
STRING = r'"(?:[^"\\\n]|\\.)*"'
_TOKEN = rf"{_HEREDOC}|\?\\?[\"'#]|{STRING}|'(?:[^'\\\n]|\\.)*'|~[a-zA-Z](?:/(?:[^/\\\n]|\\.)*/|\|[^|\n]*\|)"
_OPENS, _CLOSES = "([{", ")]}"


def without_comments(text: str) -> str:
    """The same text with blanks in place of comments; strings and lines stay where they are. Documentation goes too."""
    text = re.sub(rf"@(?:module|type)?doc\s+(?:~[sS])?{_HEREDOC}", _blank, text)
    return re.sub(rf"{_TOKEN}|#[^\n]*", lambda found: _blank(found) if found[0][0] == "#" else found[0], text)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def bracketed(code: str, start: int) -> str | None:
    """What stands between the bracket at ``start`` and the one that closes it; None where none does."""
    depth = 0
    for piece in re.finditer(rf"{_TOKEN}|[(\[{{)\]}}]", code[start:]):
        if piece[0] in _OPENS:
            depth += 1
        elif piece[0] in _CLOSES:
            depth -= 1
            if depth == 0:
                return code[start + 1 : start + piece.start()]
    return None


def parts(body: str) -> Iterator[str]:
    """The parts of a list between its commas."""
    depth, begin = 0, 0
    for piece in re.finditer(rf"{_TOKEN}|[(\[{{)\]}},]", body):
        sign = piece[0]
        if sign in _OPENS:
            depth += 1
        elif sign in _CLOSES:
            depth -= 1
        elif sign == "," and depth == 0:
            if body[begin : piece.start()].strip():
                yield body[begin : piece.start()].strip()
            begin = piece.end()
    if body[begin:].strip():
        yield body[begin:].strip()


def keywords(body: str) -> dict[str, str] | None:
    """``app: :shop, deps: deps()`` by its keys; None where it is more than that."""
    found: dict[str, str] = {}
    for part in parts(body):
        pair = re.fullmatch(r'(?s)(?:(\w+[?!]?)|"([^"#]+)"):\s+(.*)', part)
        if pair is None:
            return None
        # Of two with one name Elixir takes the first.
        found.setdefault(pair[1] or pair[2], pair[3].strip())
    return found


def string(value: str) -> str | None:
    """A plain string's content."""
    found = re.fullmatch(r'"([^"\\#]*)"', value.strip())
    return None if found is None else found[1]


def atom(value: str) -> str | None:
    found = re.fullmatch(r":(\w+)", value.strip())
    return None if found is None else found[1]


def listed(value: str) -> str | None:
    """The inside of a value that is one list, and nothing but that."""
    text = value.strip()
    inside = bracketed(text, 0) if text.startswith("[") else None
    return inside if inside is not None and len(inside) + 2 == len(text) else None


__all__ = ["STRING", "atom", "bracketed", "keywords", "listed", "parts", "string", "without_comments"]
