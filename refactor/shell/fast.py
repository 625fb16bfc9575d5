"""The reader for plain scripts: words, quotes, simple `$x`, redirections, `&&`, `||`, `;` and `|`.

Most RUN bodies are no more than that, and tree-sitter costs more to import than a whole file to rewrite.
What is not certainly plain is left to tree-sitter (None); tests hold both to the same result.
"""

from __future__ import annotations

import re

from refactor.shell.command import Command, Span, conditional_flags, make_command
from refactor.shell.script import Item, ShellScript

# No group is repeated possessively (`(?:a|b)*+`): Python 3.11.2, which Debian 12 has, matches such a one wrongly.
_TOKEN = re.compile(
    r"""[ \t]*(?:
        (?P<word>(?![#]|[0-9]+[<>])(?:
            [^\s\\'"$`&|;<>()\x00-\x1f\x7f]++
          | \\[\x20-\x7e]
          | '[^'\x00-\x08\x0a-\x1f\x7f]*+'
          | "(?:[^"\\$`\x00-\x08\x0a-\x1f\x7f]|\\[\x20-\x7e]|\$[\w@*\#?!-]|\$\{\w+\})*"
          | \$(?:[\w@*\#?!-]|\{[a-zA-Z_]\w*(?::?[-+?][\w./:=,%+@^-]*)?\})
        )+)
      | (?P<operator>&&|\|\||;(?!;)|\|(?!&))
      | (?P<redirect>[0-9]?(?:>[>|&]?|&>>?|<&?)(?![<>&(|]))[ \t]*
    )""",
    re.VERBOSE | re.ASCII,
)
# What the grammar takes for the name of a command without fail.
_NAME = re.compile(r"[\w./\"'$~:\\][^#{}\[\]*?!=@]*").fullmatch
_ASSIGNMENT = r"[a-zA-Z_][a-zA-Z0-9_]*(\+?=|\[)"

# Reserved words, where a command name is expected, begin or end what is not a simple command.
_RESERVED = frozenset(
    (
        *(
            "!",
            "{",
            "}",
            "[[",
            "]]",
            "if",
            "then",
            "elif",
            "else",
            "fi",
            "for",
            "while",
            "until",
            "do",
            "done",
        ),
        *("case", "esac", "in", "function", "select", "coproc"),
    )
)


# Commands with a grammar of their own.
_STRICT = frozenset(("[", "export", "declare", "typeset", "local", "readonly", "unset", "unsetenv"))
_TEST_UNARY = re.compile(r"-[a-hkprstuwxzLOGSN]").fullmatch
_TEST_BINARY = frozenset(("=", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"))
_TEST_WORD = re.compile(r"""[\w./:"'$][^=\[\]\\#]*""").fullmatch


def _is_plain(text: str, words: list[Span], redirects: list[Span], needs_name: bool) -> bool:
    """Whether a finished command is one that tree-sitter is certain to take apart alike."""
    if not words:
        return not needs_name
    first = text[slice(*words[0])]
    if first in _STRICT:
        inner = [text[start:end] for start, end in words[1:]]
        if first == "[":
            end = words[-1][0]
            if not inner or inner.pop() != "]" or any(start < end for start, _ in redirects):
                return False
            inner = inner[1:] if inner[:1] == ["!"] else inner
            plain = [word for word in inner if _TEST_WORD(word)]
            return (len(inner) == 2 and len(plain) == 1 and _TEST_UNARY(inner[0]) is not None) or (
                len(inner) == 3 and len(plain) == 2 and inner[1] in _TEST_BINARY
            )
        return not any("#" in word or "[" in word or "==" in word or word == "-" for word in inner)
    return not (first == "time" and len(words) > 1 and text[slice(*words[1])] in _RESERVED)


def _is_certain(text: str, start: int, end: int, words: list[Span]) -> bool:
    """Whether a word that begins with a bracket, a brace or `=` is no trouble for the grammar."""
    word = text[start:end]
    if word == "[":
        return not words
    if word == "]":
        return bool(words) and text[slice(*words[0])] == "["
    return word in ("{}", "=", "==") and bool(words) and (word == "{}" or text[slice(*words[0])] == "[")


def read_fast(text: str) -> ShellScript | None:
    """The script, or None if it takes a real parser."""
    groups: list[tuple[str, list[tuple[list[Span], list[Span], list[Span], Span]]]] = []
    pipeline: list[tuple[list[Span], list[Span], list[Span], Span]] = []
    words: list[Span] = []
    assignments: list[Span] = []
    redirects: list[Span] = []
    start = end = -1
    target_of = -1
    connector = ""
    trailing = ""
    at, length = 0, len(text.rstrip(" \t"))
    if text[:length].endswith("\\"):
        return None
    match = _TOKEN.match
    while at < length:
        token = match(text, at)
        if token is None:
            return None
        kind = token.lastgroup
        begin, stop = token.span(kind or 0)
        at = stop
        if kind == "word":
            if stop < length and text[stop] in "<>" and text[begin:stop].isdigit():
                return None
            if start < 0:
                start = begin
            end = stop
            if text[begin] in "[]{=" and not _is_certain(text, begin, stop, words):
                return None
            if target_of >= 0:
                redirects.append((target_of, stop))
                target_of = -1
            elif not words:
                raw = text[begin:stop]
                if ("=" in raw or "[" in raw) and (named := re.match(_ASSIGNMENT, raw)):
                    if named[1] == "[" or raw.startswith("=", named.end()):
                        return None
                    assignments.append((begin, stop))
                elif raw in _RESERVED or not (_NAME(raw) or raw == "["):
                    return None
                else:
                    words.append((begin, stop))
            else:
                words.append((begin, stop))
        elif target_of >= 0:
            return None
        elif kind == "redirect":
            if not words or text.startswith("&-", stop - 1) or text[begin - 2 : begin] == "- ":
                return None
            target_of = begin
        else:
            operator = text[begin:stop]
            if start < 0 or not _is_plain(text, words, redirects, bool(pipeline or operator == "|")):
                return None
            pipeline.append((words, assignments, redirects, (start, end)))
            words, assignments, redirects, start = [], [], [], -1
            if operator == "|":
                continue
            groups.append((connector, pipeline))
            pipeline = []
            connector = operator
    if target_of >= 0:
        return None
    if start >= 0:
        if not _is_plain(text, words, redirects, bool(pipeline)):
            return None
        pipeline.append((words, assignments, redirects, (start, end)))
        groups.append((connector, pipeline))
    elif pipeline or connector in ("&&", "||"):
        return None
    else:
        trailing = connector
    flags = conditional_flags([group[0] for group in groups])
    commands: list[Command] = []
    top: list[Item] = []
    for (before, members), conditional in zip(groups, flags):
        piped = len(members) > 1
        made = [make_command(text, a, b, c, span, int(piped), piped, False, conditional) for a, b, c, span in members]
        commands.extend(made)
        span = (members[0][3][0], members[-1][3][1])
        top.append(Item(span, before, None if piped else made[0], "pipeline" if piped else "command"))
    return ShellScript(text, None, tuple(commands), tuple(top), trailing)
