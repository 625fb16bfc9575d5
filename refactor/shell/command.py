"""The words and commands of a RUN body. Plain values: no parser is imported here.

They are named tuples, not dataclasses: as immutable, made in half the time, and their classes cost a quarter
at import, which every run of the tool pays. For the same reason regular expressions that most runs do not
need are compiled where they are used (`re` keeps them).
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

Span = tuple[int, int]
"""Start and end offset into the script's text, in characters, end exclusive."""


class Word(NamedTuple):
    """One word of a command as it is written, quotes included."""

    text: str
    value: str | None
    """What the command receives, or None if that depends on an expansion, a file name pattern, or `~`."""
    span: Span

    @property
    def literal(self) -> str:
        """The value where it is known, else the text as written."""
        return self.text if self.value is None else self.value


class Command(NamedTuple):
    """One simple command: assignments, wrappers (`sudo`, `env`, ...), words and redirections."""

    name: str | None
    """Value of the first word after the wrappers (`/usr/bin/apt-get` stays as it is); None if it is not
    literal, or there is none (`A=1`, `> file`)."""
    words: tuple[Word, ...]
    """From the real command on, wrappers left out."""
    assignments: tuple[tuple[str, Word], ...]
    """`A=1 cmd`, also those that `env` and `sudo` take. The word is the value only."""
    redirects: tuple[str, ...]
    wrappers: tuple[str, ...]
    span: Span
    """With assignments, wrappers and redirections."""
    depth: int
    """0 if the command is an item of the top-level list itself."""
    in_pipeline: bool
    in_subshell: bool
    """Inside `( )` or put into the background: what it changes in the shell ends with it."""
    is_conditional: bool
    """May be left out although nothing failed: body of if/for/while/case/function, or beside a `||`."""
    args: tuple[str, ...] = ()
    """Values of `words[1:]`; the raw text of those that are not literal."""


_SPECIAL = re.compile(r"""[\\'"$`*?\[{~]""")
_DOUBLE_ESCAPE = r"""\\([$`"\\\n])"""


@cache
def _piece() -> re.Pattern[str]:
    """A part of a word whose meaning is certain. Compiled only when a word needs it."""
    return re.compile(
        r"""(?P<plain>[^\\'"$`*?\[{~]+)
          | \\(?P<escaped>[\s\S])
          | '(?P<single>[^']*)'
          | "(?P<double>(?:[^"\\$`]|\\[\s\S]|\$(?![\w{(@*\#?$!'-]))*)"
          | (?P<dollar>\$(?![\w{(@*\#?$!'"-]))
          | (?P<bracket>\[(?![^]]*\]))
          | (?P<brace>\{(?![^}]*(?:,|\.\.)))
          | (?P<tilde>(?<![=:])(?<!^)~)
        """,
        re.VERBOSE,
    )


def _unescape(match: re.Match[str]) -> str:
    char = match[1]
    return "" if char == "\n" else char


def literal(text: str) -> str | None:
    """What the word `text` stands for in any POSIX shell; None if that depends on anything but the text.

    Quote removal of POSIX.1 XCU 2.6.7. Brace expansion and `$'...'` are unknown: bash has them, dash not.
    """
    first = _SPECIAL.search(text)
    if first is None:
        return text
    if first[0] in "*?`":
        return None
    quote = text[0]
    if quote in "'\"" and len(text) > 1 and text.find(quote, 1) == len(text) - 1:
        inner = text[1:-1]
        if quote == "'" or not ("\\" in inner or "$" in inner or "`" in inner):
            return inner
    value: list[str] = []
    at = 0
    match = _piece().match
    while at < len(text):
        piece = match(text, at)
        if piece is None:
            return None
        kind, found = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "escaped":
            if found != "\n":
                value.append(found)
        elif kind == "double" and "\\" in found:
            value.append(re.sub(_DOUBLE_ESCAPE, _unescape, found))
        else:
            value.append(found)
        at = piece.end()
    return "".join(value)


# Programs that run the rest of their words as a command. Options: those without a value, those with one.
# Any other option (`sudo -i`, `command -v`) means that the wrapper itself is the command.
_WRAPPERS: dict[str, tuple[str, str, int]] = {
    # name: (options without a value, options with a value, operands before the command)
    "sudo": (
        "-E -H -n -S -k -P -A --preserve-env --set-home --non-interactive",
        "-u -g -C -h -p -r -t -D --user --group",
        0,
    ),
    "doas": ("-n", "-u -C", 0),
    "env": ("-i - --ignore-environment -v --debug", "-u -C --unset --chdir", 0),
    "nice": ("", "-n --adjustment", 0),
    "ionice": ("-t --ignore", "-c -n --class --classdata", 0),
    "time": ("-p -v -a -q --portability --verbose", "-f -o --format --output", 0),
    "timeout": ("--preserve-status --foreground -v --verbose", "-k -s --kill-after --signal", 1),
    "nohup": ("", "", 0),
    "setsid": ("-w --wait -c -f", "", 0),
    "stdbuf": ("", "-i -o -e --input --output --error", 0),
    "exec": ("-c -l", "-a", 0),
    "command": ("-p", "", 0),
    "builtin": ("", "", 0),
    "eatmydata": ("", "", 0),
    "chronic": ("-e -v", "", 0),
    "gosu": ("", "", 1),
    "su-exec": ("", "", 1),
}
_TAKES_ASSIGNMENTS = frozenset(("sudo", "doas", "env"))
_ASSIGNMENT = r"([A-Za-z_][A-Za-z0-9_]*)\+?="


def _peel(words: list[Word], assignments: list[tuple[str, Word]]) -> tuple[list[str], list[Word]]:
    """Take `sudo -u x`, `env A=1`, `nice -n 5` and the like off; `words` are left alone when unsure."""
    wrappers: list[str] = []
    while words:
        name = words[0].value
        table = _WRAPPERS.get(name.rpartition("/")[2]) if name else None
        if name is None or table is None:
            break
        plain, valued, operands = table[0].split(), table[1].split(), table[2]
        found: list[tuple[str, Word]] = []
        at = 1
        while at < len(words):
            value = words[at].value
            if value is None:
                break
            if value == "--":
                at += 1
                break
            if value in plain:
                at += 1
            elif value in valued:
                at += 2
            elif value.startswith("-") and _is_attached(value, plain, valued):
                at += 1
            else:
                break
        while (
            at < len(words)
            and name.rpartition("/")[2] in _TAKES_ASSIGNMENTS
            and (set_ := re.match(_ASSIGNMENT, words[at].text))
        ):
            found.append((set_[1], _value_word(words[at], set_.end())))
            at += 1
        at += operands
        if at >= len(words) or (words[at].value or "").startswith("-"):
            break
        wrappers.append(name)
        assignments.extend(found)
        words = words[at:]
    return wrappers, words


def unwrapped(words: Sequence[str]) -> tuple[str, ...]:
    """An argument vector without the wrappers that run the rest of it."""
    return tuple(word.literal for word in _peel([Word(text, text, (0, 0)) for text in words], [])[1])


def _is_attached(option: str, plain: list[str], valued: list[str]) -> bool:
    """`-uroot`, `--user=root`, `-n5`, `-En`."""
    if option.startswith("--"):
        name, equals, _ = option.partition("=")
        return bool(equals) and (name in valued or name in plain)
    if option[:2] in valued:
        return True
    return len(option) > 2 and all(f"-{letter}" in plain for letter in option[1:])


def _value_word(word: Word, offset: int) -> Word:
    text = word.text[offset:]
    return Word(text, literal(text), (word.span[0] + offset, word.span[1]))


def make_command(
    text: str,
    words: list[Span],
    assignments: list[Span],
    redirects: list[Span],
    span: Span,
    depth: int,
    in_pipeline: bool,
    in_subshell: bool,
    is_conditional: bool,
) -> Command:
    """A command from the spans that a reader found. Both readers come through here."""
    made: list[Word] = []
    for start, end in words:
        raw = text[start:end]
        made.append(Word(raw, literal(raw), (start, end)))
    given: list[tuple[str, Word]] = []
    for start, end in assignments:
        name, _, value = text[start:end].partition("=")
        offset = start + len(name) + 1
        given.append((name.removesuffix("+"), Word(value, literal(value), (offset, end))))
    wrappers: list[str] = []
    if made and (first := made[0].value) is not None and first.rpartition("/")[2] in _WRAPPERS:
        wrappers, made = _peel(made, given)
    return Command(
        name=made[0].value if made else None,
        words=tuple(made),
        assignments=tuple(given),
        redirects=tuple([text[start:end] for start, end in redirects]),
        wrappers=tuple(wrappers),
        span=span,
        depth=depth,
        in_pipeline=in_pipeline,
        in_subshell=in_subshell,
        is_conditional=is_conditional,
        args=tuple([word.literal for word in made[1:]]),
    )


def conditional_flags(connectors: list[str]) -> list[bool]:
    """For each member of a list: may it be left out although the list succeeds?

    `||` regroups all that stands before it: in `a && b || c` neither b nor c is certain to run.
    """
    flags = [False] * len(connectors)
    later_or = False
    for at in range(len(connectors) - 1, -1, -1):
        connector = connectors[at]
        if connector == "||":
            flags[at] = later_or = True
        elif connector == "&&":
            flags[at] = later_or
        else:
            later_or = False
    return flags
