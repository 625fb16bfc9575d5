"""Words, pairs and values of an instruction's argument, for the second reader.

Rules of BuildKit's `parser/line_parsers.go` (splitting) and `shell/lex.go` (quotes, escapes, variables).
"""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import normpath

_WORD = {
    mark: re.compile(
        rf"""(?:[^\s'"{re.escape(mark)}]+|{re.escape(mark)}(?:.|\Z)|'[^']*(?:'|\Z)"""
        rf"""|"(?:[^"{re.escape(mark)}]+|{re.escape(mark)}(?:.|\Z))*(?:"|\Z))+""",
        re.DOTALL,
    )
    for mark in "\\`"
}
_PIECE = {mark: re.compile(rf"""[^'"${re.escape(mark)}]+""") for mark in "\\`"}
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)
_WITH_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*)(:?[-+])([^{}$'\"\\]*)\}", re.ASCII)


def split_words(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Words as written, quotes kept: BuildKit's `parseWords`."""
    if not ('"' in text or "'" in text or escape in text):
        return tuple(text.split())
    return tuple(_WORD[escape].findall(text))


@lru_cache(maxsize=1024)
def pairs_of(text: str, escape: str = "\\") -> tuple[tuple[str, str], ...]:
    """Key and raw value of each pair of an ENV or LABEL; the old form `ENV key the rest` too."""
    words = split_words(text, escape)
    if not words:
        return ()
    if "=" not in words[0]:
        return ((words[0], text.strip()[len(words[0]) :].strip()),)
    return tuple((key, value) for key, _, value in (word.partition("=") for word in words))


@lru_cache(maxsize=2048)
def value_of(raw: str, escape: str = "\\") -> str:
    """The value without its quotes. A `$` that is no variable comes back as `\\$`, `$x` as `${x}`: two
    spellings of one value are equal, and a quoted dollar never equals a variable."""
    if not ('"' in raw or "'" in raw or escape in raw or "$" in raw):
        return raw
    out: list[str] = []
    quote = ""
    piece = _PIECE[escape]
    at, end = 0, len(raw)
    while at < end:
        match = piece.match(raw, at)
        if match:
            out.append(match[0])
            at = match.end()
            continue
        char = raw[at]
        at += 1
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                out.append("\\$" if char == "$" else char)
        elif char == escape:
            after = raw[at : at + 1]
            if not quote or after in ('"', "$", escape):
                out.append("\\$" if after == "$" else after)
                at += 1
            else:
                out.append(char)
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "$" and (match := _VARIABLE.match(raw, at - 1)):
            out.append(f"${{{match[1] or match[2]}}}")
            at = match.end()
        else:
            out.append(char)
    return "".join(out)


def expand(value: str, known: dict[str, str]) -> str:
    """Put known values in place of variables; unknown ones stay as `${name}`."""
    if "$" not in value:
        return value

    def with_default(match: re.Match[str]) -> str:
        name, operator, word = match[1], match[2], match[3]
        if name not in known:
            return match[0]
        held = known[name]
        if operator[-1] == "-":
            return held if held or operator == "-" else word
        return word if held or operator == "+" else ""

    def plain(match: re.Match[str]) -> str:
        if match.start() and value[match.start() - 1] == "\\":
            return match[0]
        name = match[1] or match[2]
        return known.get(name, f"${{{name}}}")

    if "-" in value or "+" in value:
        value = _WITH_DEFAULT.sub(with_default, value)
    return _VARIABLE.sub(plain, value)


@lru_cache(maxsize=1024)
def json_list(text: str) -> tuple[str, ...] | None:
    """The strings of an exec-form argument, or None where the argument is shell form."""
    if not text.startswith("["):
        return None
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def squeeze(text: str) -> str:
    """Blanks outside quotes as one space each."""
    if not ('"' in text or "'" in text or "\\" in text):
        return " ".join(text.split())
    return " ".join(split_words(text))


@lru_cache(maxsize=2048)
def normal_path(path: str) -> str:
    """Without `.`, `..` and doubled slashes; POSIX gives two leading slashes a meaning that Docker does not."""
    path = normpath(path)
    return path[1:] if path.startswith("//") else path
