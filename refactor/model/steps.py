"""A RUN body as the steps of its `&&` list, for the second reader.

Written apart from `refactor.shell` (which codemods edit with), so that a misreading there does not pass the gates. It
splits only what it is sure of: a body with any other connector at its top level is one step.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .words import squeeze

_PLAIN = re.compile(r"[^;|(){}#'\"\\$`\n!<>&\[\]]*(?:&&[^;|(){}#'\"\\$`\n!<>&\[\]]*)*\Z")
_TOKEN = re.compile(
    r"[ \t]+|\r?\n|&&|\|\||\|&|;;&?|;&|;|&>>?|[<>]+&?|&|\||[()]|'[^']*'|\\(?:.|\n)|[^\s;|&()<>'\"\\$`#]+|.",
    re.DOTALL,
)
_OPENS = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "select": "done",
    "case": "esac",
    "{": "}",
}
_CONTINUES = frozenset(("then", "do", "else", "elif", "!", "time"))


@lru_cache(maxsize=2048)
def steps_of(body: str) -> tuple[str, ...]:
    """The steps, each with single blanks: `a  && b` gives ("a", "b"), `a; b` gives ("a; b",), `{ a; b; } && c` gives
    ("a; b", "c")."""
    if _PLAIN.match(body):
        return tuple(" ".join(part.split()) for part in body.split("&&"))
    pieces = _split(body)
    if pieces is None:
        return (squeeze(body),)
    steps: list[str] = []
    for piece in pieces:
        inner = _inside_braces(piece)
        if inner is None:
            steps.append(squeeze(piece))
        else:
            steps.extend(steps_of(inner))
    return tuple(steps)


def _inside_braces(piece: str) -> str | None:
    text = piece.strip()
    if not (text.startswith("{ ") and text.endswith("}")):
        return None
    inner = text[2:-1].rstrip()
    if not inner.endswith(";"):
        return None
    # One group and nothing else: what is inside balances on its own.
    return inner[:-1] if _balanced(text[2:-1]) else None


def _balanced(text: str) -> bool:
    return _scan(text) is not None


def _split(body: str) -> list[str] | None:
    """Pieces between top-level `&&`; None where another connector stands at the top level, or the text is not closed."""
    cuts = _scan(body)
    if cuts is None:
        return None
    connectors = [(start, end, mark) for start, end, mark in cuts]
    # One `;` after the last step changes nothing.
    while connectors and connectors[-1][2] == ";" and not body[connectors[-1][1] :].strip():
        body = body[: connectors.pop()[0]]
    if any(mark != "&&" for _, _, mark in connectors):
        return None
    pieces: list[str] = []
    last = 0
    for start, end, _ in connectors:
        pieces.append(body[last:start])
        last = end
    pieces.append(body[last:])
    return None if any(not piece.strip() for piece in pieces) else pieces


def _scan(text: str) -> list[tuple[int, int, str]] | None:
    """Connectors of the top level as (start, end, mark), or None where the text does not close."""
    cuts: list[tuple[int, int, str]] = []
    stack: list[str] = []
    at, end = 0, len(text)
    at_command = True
    at_word = True
    while at < end:
        match = _TOKEN.match(text, at)
        assert match is not None
        token = match[0]
        start, at = at, match.end()
        if token[0] in " \t":
            at_word = True
            continue
        if token in ("&&", "||", ";", "&", "\n", "\r\n", "|", "|&", ";;", ";&", ";;&"):
            if not stack and token not in ("|", "|&"):
                cuts.append((start, at, token.strip() or "\n"))
            at_command = at_word = True
            continue
        if token == "#" and at_word:
            newline = text.find("\n", at)
            if newline < 0:
                # A comment runs to the end of the line: what follows it is not run.
                cuts.append((start, end, "#"))
                return cuts if not stack else None
            at = newline
            continue
        if token == "(":
            stack.append(")")
            at_command = at_word = True
            continue
        if token == ")":
            if stack and stack[-1] == ")":
                stack.pop()
            elif not (stack and stack[-1] == "esac"):
                return None
            # `name() {` and `pattern)` are followed by a command.
            at_command = at_word = True
            continue
        if token == '"':
            after = _after_quote(text, at)
            if after is None:
                return None
            at = after
        elif token == "`":
            close = re.compile(r"(?:[^\\`]|\\.)*`", re.DOTALL).match(text, at)
            if close is None:
                return None
            at = close.end()
        elif token == "'":
            return None
        elif token == "$":
            after = _after_dollar(text, at)
            if after is None:
                return None
            at = after
        elif at_command and at_word:
            if token == "[[":
                close_at = text.find(" ]]", at)
                if close_at < 0:
                    return None
                at = close_at + 3
            elif token in _OPENS and _is_whole_word(text, at):
                stack.append(_OPENS[token])
                at_word = False
                at_command = token in ("if", "while", "until", "{")
                continue
            elif stack and token == stack[-1] and _is_whole_word(text, at):
                stack.pop()
                at_command = at_word = False
                continue
            elif token in _CONTINUES and _is_whole_word(text, at):
                continue
        at_command = at_word = False
    return None if stack else cuts


def _is_whole_word(text: str, at: int) -> bool:
    return at >= len(text) or text[at] in " \t\r\n;&|()"


def _after_quote(text: str, at: int) -> int | None:
    end = len(text)
    while at < end:
        char = text[at]
        if char == '"':
            return at + 1
        if char == "\\":
            at += 2
        elif char == "$":
            after = _after_dollar(text, at + 1)
            if after is None:
                return None
            at = after
        elif char == "`":
            close = text.find("`", at + 1)
            if close < 0:
                return None
            at = close + 1
        else:
            at += 1
    return None


def _after_dollar(text: str, at: int) -> int | None:
    if text.startswith("(", at):
        return _after_bracket(text, at + 1, ")")
    if text.startswith("{", at):
        return _after_bracket(text, at + 1, "}")
    return at


def _after_bracket(text: str, at: int, close: str) -> int | None:
    end = len(text)
    depth = 0
    while at < end:
        char = text[at]
        if char == close:
            if not depth:
                return at + 1
            depth -= 1
            at += 1
        elif char == "(" and close == ")":
            depth += 1
            at += 1
        elif char == "\\":
            at += 2
        elif char == "'" and close == ")":
            quote = text.find("'", at + 1)
            if quote < 0:
                return None
            at = quote + 1
        elif char == '"':
            after = _after_quote(text, at + 1)
            if after is None:
                return None
            at = after
        elif char == "$":
            after = _after_dollar(text, at + 1)
            if after is None:
                return None
            at = after
        else:
            at += 1
    return None
