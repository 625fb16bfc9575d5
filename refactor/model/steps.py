"""A RUN body as the steps of its `&&` list, for the second reader.

Written apart from `refactor.shell` (which codemods edit with), so that a misreading there does not pass the
gates. It splits only what it is sure of: a body with any other connector at its top level is one step.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from refactor.model.words import squeeze

_PLAIN = re.compile(r"[^;|(){}#'\"\\$`\n!<>&\[]*(?:&&[^;|(){}#'\"\\$`\n!<>&\[]*)*\Z")
_QUOTED = re.compile(
    r"""\\.|'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*"|\$\{[^{}'"$]*\}|\$[\w@*?#]|[0-9]?[<>]+&[0-9-]?|&>>?|[<>]|(?<!\s)\#"""
)
_SIMPLE = re.compile(r"[^;|(){}#'\"\\$`\n!&]*(?:&&[^;|(){}#'\"\\$`\n!&]*)*\Z")
_TOKEN = re.compile(
    r"[ \t]+|\r?\n|&&|\|\||\|&|;;&?|;&|;|&>>?|[<>]+&?|&|\||[()]|'[^']*'|\\(?:.|\n)|[^\s;|&()<>'\"\\$`#]+|.",
    re.DOTALL,
)
_WORDS = re.compile(r"(?:[ \t]+|[^\s;|&()<>'\"\\$`#]+)+")
"""Of these only the first word of a command can open or close anything."""
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


_CHANGES_STATE = re.compile(
    r"(?:cd|pushd|popd|export|set|unset|umask|ulimit|source|\.|trap|alias|shopt|exec|readonly|declare|typeset|eval)"
    r"(?=\s|\Z)|[A-Za-z_]\w*=(?:[^\s'\"]|'[^']*'|\"[^\"]*\")*\Z|[A-Za-z_]\w*\s*\(\)"
)
_CHANGES_INSIDE = re.compile(
    r"(?:^|[;&|({]\s*|(?:then|do|else)\s+)"
    r"(?:(?:cd|pushd|popd|export|set|unset|umask|source|\.|trap|alias|shopt|exec|eval)(?=\s)|[A-Za-z_]\w*=\S*\s*[;&])"
)


_REMEMBERED = 50
"""Steps that a step remembers as its shell's state: a bound for bodies of 100,000 assignments."""


class Step(NamedTuple):
    text: str
    """With single blanks."""
    folders: tuple[str, ...] = ()
    """Targets of the `cd`s before it in the same shell, as written."""
    state: tuple[str, ...] = ()
    """Other steps before it that change the shell it runs in: variables, `set`, `umask`, functions, ..."""


@lru_cache(maxsize=256)
def steps_of(body: str) -> tuple[Step, ...]:
    """The steps: `a  && b` gives a and b, `a; b` gives one, `{ a; b; } && c` gives `a; b` and c, `(cd x
    && a) && b` gives `cd x`, a (in x) and b (not in x)."""
    steps: list[Step] = []
    _collect(body, (), (), steps)
    return tuple(steps)


def enters_folder(text: str) -> bool:
    """Whether a step is a `cd` to a folder that is written out: what follows in its shell is compared with it."""
    words = text.split(" ") if text.startswith("cd ") else ()
    return len(words) == 2 and not re.search(r"[;&|$`~]|^-", words[1])


def _collect(
    body: str, folders: tuple[str, ...], state: tuple[str, ...], steps: list[Step]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Append the steps of a list; returns the shell's state after it."""
    pieces: list[str] | tuple[str, ...] | None
    if _PLAIN.match(body):
        pieces = body.split("&&")
    else:
        pieces = _split_simple(body)
        if pieces is None:
            pieces = _split(body)
        if pieces is None:
            pieces = (body,)
    for piece in pieces:
        inner, is_subshell = _inside_group(piece) if piece.lstrip()[:1] in ("{", "(") else (None, False)
        if inner is not None and inner != body:
            after = _collect(inner, folders, state, steps)
            if not is_subshell:
                folders, state = after
            continue
        text, folder, changes_state = _text_and_effect(piece)
        steps.append(Step(text, folders, state))
        if folder is not None:
            folders = (*folders, folder)[-_REMEMBERED:]
        elif changes_state:
            state = (*state, text)[-_REMEMBERED:]
    return folders, state


@lru_cache(maxsize=256)
def _text_and_effect(piece: str) -> tuple[str, str | None, bool]:
    """A step with single blanks, the folder it enters, and whether it changes the state of its shell otherwise."""
    # Blanks at the end stay where quotes inside of `$( )` look like open ones.
    text = squeeze(piece.strip())
    if _CHANGES_STATE.match(text):
        return (text, text.split(" ")[1], False) if enters_folder(text) else (text, None, True)
    return text, None, not text.startswith("(") and _CHANGES_INSIDE.search(text) is not None


def _split_simple(body: str) -> tuple[str, ...] | None:
    """The pieces where, outside quotes, there is nothing but words, redirections and `&&`; None for any
    other body."""
    if "$(" in body or "`" in body or "[[" in body or body[:1] == "#":
        return None
    bare = _QUOTED.sub(lambda match: "_" * len(match[0]), body)
    if not _SIMPLE.match(bare):
        return None
    pieces: list[str] = []
    last = 0
    while True:
        cut = bare.find("&&", last)
        piece = body[last:cut] if cut >= 0 else body[last:]
        if not piece.strip():
            return None
        pieces.append(piece)
        if cut < 0:
            return tuple(pieces)
        last = cut + 2


def _inside_group(piece: str) -> tuple[str | None, bool]:
    """What stands inside `{ ...; }` or `( ... )`, if the piece is one such group, and whether it is a
    subshell: the same steps, but a subshell keeps `cd` and variables to itself."""
    text = piece.strip()
    if text.startswith("(") and text.endswith(")") and not text.startswith("(("):
        return (text[1:-1], True) if _balanced(text[1:-1]) else (None, True)
    if not (text.startswith("{ ") and text.endswith("}")):
        return None, False
    inner = text[2:-1].rstrip()
    if not inner.endswith(";"):
        return None, False
    # One group and nothing else: what is inside balances on its own.
    return (inner[:-1], False) if _balanced(inner) else (None, False)


def _balanced(text: str) -> bool:
    return _scan(text) is not None


def _split(body: str) -> list[str] | None:
    """Pieces between top-level `&&`; None where another connector stands at the top level, or the text is
    not closed."""
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
        if not at_command and (words := _WORDS.match(text, at)):
            at = words.end()
            at_word = text[at - 1] in " \t"
            continue
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
