"""Physical lines to logical lines, for the second reader.

dockerfile-parse frames continuations, heredocs and escapes differently from BuildKit, so it is given one
logical line an instruction. This routine is written apart from `refactor.syntax` on purpose: a mistake there
must not be repeated here, or the gates would be blind to it. The rules are those of BuildKit's
`frontend/dockerfile/parser/parser.go`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$", re.DOTALL)
_KEYWORD_END = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]*)$", re.DOTALL)
_ESCAPES = frozenset("\\`")
_DIRECTIVES = frozenset(("syntax", "escape", "check"))
_SPECIAL_PARAMETERS = frozenset("@*#?-$!0")
_TAKES_HEREDOCS = frozenset(("RUN", "COPY", "ADD"))


class LogicalLine(NamedTuple):
    """One instruction: `line` is its 1-based first physical line."""

    line: int
    text: str
    heredocs: tuple[tuple[str, str], ...] = ()
    """Name and raw body of each heredoc, in order."""


class Framed(NamedTuple):
    lines: tuple[LogicalLine, ...]
    escape: str


class Unframeable(ValueError):
    """BuildKit's parser would refuse the file; the message says why."""


def frame(text: str) -> Framed:
    """Frame a decoded Dockerfile. Raises `Unframeable` where BuildKit's parser stops."""
    if text.startswith("\ufeff"):
        text = text[1:]
    physical = text.split("\n")
    if physical and not physical[-1]:
        physical.pop()
    count = len(physical)
    escape = "\\"
    seen: set[str] = set()
    directives_done = False
    framed: list[LogicalLine] = []
    at = 0
    while at < count:
        line = physical[at].rstrip("\r").lstrip()
        at += 1
        start = at
        if not line or line[0] == "#":
            if not directives_done:
                match = _DIRECTIVE.match(line) if line else None
                name = match[1].lower() if match else ""
                if match is None or name not in _DIRECTIVES:
                    directives_done = True
                else:
                    if name in seen:
                        raise Unframeable(f"line {start}: only one {name} parser directive can be used")
                    seen.add(name)
                    if name == "escape":
                        escape = match[2]
                        if escape not in _ESCAPES:
                            raise Unframeable(f"line {start}: invalid escape character {escape!r}")
            continue
        directives_done = True
        if (piece := _continued(line, escape)) is not None:
            pieces = [piece]
            while at < count:
                more = physical[at].rstrip("\r")
                at += 1
                bare = more.lstrip()
                if not bare or bare[0] == "#":
                    continue
                if (piece := _continued(more, escape)) is not None:
                    pieces.append(piece)
                    continue
                pieces.append(more)
                break
            line = "".join(pieces)
        heredocs: tuple[tuple[str, str], ...] = ()
        if "<<" in line and _can_hold_heredoc(line):
            found: list[tuple[str, str]] = []
            for name, strip_tabs in heredocs_of(line):
                body: list[str] = []
                while at < count:
                    candidate = physical[at]
                    at += 1
                    end = candidate.rstrip("\r")
                    if (end.lstrip("\t") if strip_tabs else end) == name:
                        break
                    body.append(candidate + "\n")
                else:
                    raise Unframeable(f"line {start}: unterminated heredoc {name}")
                found.append((name, "".join(body)))
            heredocs = tuple(found)
        line = line.strip()
        if line:
            framed.append(LogicalLine(start, line, heredocs))
    return Framed(tuple(framed), escape)


def _continued(line: str, escape: str) -> str | None:
    """What stands before a continuation at the end of a line, blanks behind it aside; None where there is none."""
    written = line.rstrip(" \t")
    if not written.endswith(escape) or written.endswith(escape * 2):
        return None
    return written[:-1]


def _can_hold_heredoc(line: str) -> bool:
    keyword, _, rest = _split_keyword(line)
    if keyword == "ONBUILD":
        keyword, _, rest = _split_keyword(rest)
    return keyword in _TAKES_HEREDOCS and not (rest.lstrip().startswith("[") and _is_json_list(rest))


def _split_keyword(line: str) -> tuple[str, str, str]:
    parts = _KEYWORD_END.split(line.strip(), maxsplit=1)
    return parts[0].upper(), " ", parts[1] if len(parts) > 1 else ""


def _is_json_list(text: str) -> bool:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def heredocs_of(line: str) -> tuple[tuple[str, bool], ...]:
    """Names and tab stripping of the heredocs a logical line opens, by BuildKit's shell lexer."""
    found: list[tuple[str, bool]] = []
    for word in _lex(line, keep=True) or ():
        match = _HEREDOC.match(word)
        if match is None or not match[2]:
            continue
        names = _lex(match[2], keep=False)
        if names is None:
            raise Unframeable(f"heredoc word {word!r} has an open quote")
        if len(names) == 1:
            found.append((names[0], match[1] == "-"))
    return tuple(found)


def _lex(text: str, keep: bool) -> list[str] | None:
    """Words as `shell/lex.go` splits them: quotes and escapes are kept or taken off, variables stay as
    written.

    None where that lexer reports an error (an open quote, `${` without its end): BuildKit then sees no
    heredoc.
    """
    words: list[str] = []
    word: list[str] = []
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char == "'":
            close = text.find("'", at + 1)
            if close < 0:
                return None
            word.append(text[at : close + 1] if keep else text[at + 1 : close])
            at = close + 1
        elif char == '"':
            close = at + 1
            while close < end and text[close] != '"':
                if text[close] == "$":
                    after = _after_dollar(text, close)
                    if after is None:
                        return None
                    close = after
                else:
                    close += 2 if text[close] == "\\" else 1
            if close >= end:
                return None
            word.append(text[at : close + 1] if keep else re.sub(r'\\(["$\\])', r"\1", text[at + 1 : close]))
            at = close + 1
        elif char == "$":
            after = _after_dollar(text, at)
            if after is None:
                return None
            first, *rest = re.split(r"\s+", text[at:after])
            word.append(first)
            for piece in rest:
                words.append("".join(word))
                word = [piece]
            at = after
        elif char == "\\":
            word.append(text[at : at + 2] if keep else text[at + 1 : at + 2])
            at += 2
        elif char.isspace():
            if word:
                words.append("".join(word))
                word = []
            at += 1
        else:
            word.append(char)
            at += 1
    if word:
        words.append("".join(word))
    return [piece for piece in words if piece]


def _after_dollar(text: str, at: int) -> int | None:
    """The index after the expansion that starts with the `$` at `at`; None where the lexer reports an
    error."""
    end = len(text)
    at += 1
    if at >= end or text[at] != "{":
        return _after_name(text, at)
    at += 1
    if at >= end or text[at] in "{}:":
        return None
    at = _after_name(text, at)
    if at >= end:
        return None
    char = text[at]
    at += 1
    if char == "}":
        return at
    if char == ":":
        return _stop_on(text, at + 1, "}")
    if char in "+-?#%":
        return _stop_on(text, at, "}")
    if char == "/":
        if text.startswith("/", at):
            at += 1
        pattern = _stop_on(text, at, "/")
        return None if pattern is None else _stop_on(text, pattern, "}")
    return None


def _after_name(text: str, at: int) -> int:
    end = len(text)
    if at < end and text[at].isdigit():
        while at < end and text[at].isdigit():
            at += 1
        return at
    if at < end and text[at] in _SPECIAL_PARAMETERS:
        return at + 1
    while at < end and (text[at].isalnum() or text[at] == "_"):
        at += 1
    return at


def _stop_on(text: str, at: int, stop: str) -> int | None:
    end = len(text)
    while at < end:
        char = text[at]
        if char == stop:
            return at + 1
        if char == "'":
            close = text.find("'", at + 1)
            if close < 0:
                return None
            at = close + 1
        elif char == '"':
            close = at + 1
            while close < end and text[close] != '"':
                close += 2 if text[close] == "\\" else 1
            if close >= end:
                return None
            at = close + 1
        elif char == "$":
            after = _after_dollar(text, at)
            if after is None:
                return None
            at = after
        else:
            at += 2 if char == "\\" else 1
    return None
