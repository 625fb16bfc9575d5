"""A RUN body as commands and connectors, and whether it can be joined with another by `&&`: what one leaves behind in
its shell, the next must not see. Plain values: no parser is imported here."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import re
from typing import NamedTuple

from refactor.shell.command import Command, Span

# Utilities that change the shell itself (POSIX.1 XCU 2.14 special built-ins and 1.6 built-ins; the bash
# manual, "Shell Builtin Commands"), with what each would do to the command joined behind it.
_DIRECTORY = "would leak its working directory into the next command"
_VARIABLE = "would leak its variable into the next command"
_OPTIONS = "would change shell options for the next command"
_ENDS = "would end the shell before the next command"
_FUNCTIONS = "may change the shell in any way, seen by the next command"
_LEAKS = {
    **dict.fromkeys(("cd", "chdir", "pushd", "popd", "dirs"), _DIRECTORY),
    **dict.fromkeys(("export", "declare", "typeset", "readonly", "local", "unset", "unsetenv"), _VARIABLE),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts", "let"), _VARIABLE),
    **dict.fromkeys(("set", "shopt", "setopt", "enable"), _OPTIONS),
    **dict.fromkeys(("exit", "return", "exec", "logout", "suspend"), _ENDS),
    **dict.fromkeys(("break", "continue"), "would act on the commands it is joined to"),
    **dict.fromkeys((".", "source", "eval"), _FUNCTIONS),
    **dict.fromkeys(("alias", "unalias", "hash"), "would change what command names mean for the next command"),
    **dict.fromkeys(("trap",), "would stay set for the next command"),
    **dict.fromkeys(("umask", "ulimit"), "would stay in force for the next command"),
    **dict.fromkeys(("shift",), "would change the positional parameters for the next command"),
    **dict.fromkeys(("coproc",), "would leave a process beside the next command"),
    **dict.fromkeys(("wait", "jobs", "fg", "bg", "disown"), "depends on processes started before it"),
}
_IN_LOOPS = frozenset(("break", "continue"))
# `A=1 cmd` outlives the command where that is a special built-in (POSIX.1 XCU 2.14).
_SPECIAL_BUILTINS = frozenset((":", "times"))

SHELL_BUILTINS = frozenset(
    """source . cd export set unset ulimit umask trap eval exit return read alias unalias type command builtin wait jobs
    bg fg times shift hash getopts : let local declare typeset readonly pushd popd shopt history help if then else for
    while until case do done fi function time { } ! [[""".split()
)
"""Words that a shell takes for itself: no program of that name is started."""

_ASSIGNING_EXPANSION = r"\$\{[A-Za-z_]\w*:?="
_ARITHMETIC = r"(?s)\$\(\(((?:(?!\)\)).)*)\)\)"
_ASSIGNING_ARITHMETIC = r"(?<![=!<>])=(?!=)|<<=|>>=|\+\+|--"
_LAST_ARGUMENT = r"\$(?:_(?!\w)|\{_\})"

# A name with a slash is never a built-in; in quotes it stays one word.
_QUOTED_PATH = r"""\"(?:[\w./:-]|\$\w+|\$\{\w+\})*/(?:[\w./:-]|\$\w+|\$\{\w+\})*\""""

_CONNECTORS = {
    "||": "`||` would regroup with the command it is joined to",
    ";": "`;` would run what follows it although the command it is joined to failed",
    "&": "`&` would put the command it is joined to into the background",
    "\n": "a line break would run what follows it although the command it is joined to failed",
}
_TRAILING = {
    ";": "its last `;` cannot stand before `&&`",
    "&": "its last `&` puts the command into the background",
    "comment": "its comment would swallow the command joined behind it",
}


class Item(NamedTuple):
    """One member of the top-level list."""

    span: Span
    connector_before: str
    """"" for the first, else "&&", "||", ";", "\\n" or "&"."""
    command: Command | None
    """None when the item is compound, a pipeline or a negation."""
    kind: str
    """"command", "pipeline", "negation", "subshell", "group", "if", "for", "while", "case", "function"."""


class ShellScript(NamedTuple):
    """A RUN body, taken apart; or opaque, with the reason."""

    text: str
    opaque: str | None
    commands: tuple[Command, ...]
    """Every simple command in textual order at any depth, but not those inside `$( )` and backquotes."""
    top: tuple[Item, ...]
    trailing: str
    """What ends the script: "", ";", "&" or "comment"."""
    has_heredoc: bool = False
    leaks: tuple[str, ...] = ()
    """Constructs other than commands that would change the shell for what is joined behind them, worded."""

    @property
    def is_and_list(self) -> bool:
        """Every top-level connector is `&&` and nothing trails."""
        return (
            self.opaque is None
            and bool(self.top)
            and not self.trailing
            and all(item.connector_before == "&&" for item in self.top[1:])
        )

    @property
    def joint(self) -> str:
        """What a further command is joined with so that it runs only where what stands before it went well: ";" in a
        list of lines under ``set -e``, else "&&".
        """
        is_flat = all(item.connector_before in (";", "\n") for item in self.top[1:])
        return ";" if self.is_strict and is_flat and len(self.top) > 1 else "&&"

    @property
    def is_strict(self) -> bool:
        """It begins with ``set -e``."""
        first = self.top[0].command if self.top else None
        if first is None or first.name != "set":
            return False
        return any(re.fullmatch(r"-[a-df-zA-Z]*e[a-zA-Z]*|errexit", arg) for arg in first.args)

    def is_fatal(self, command: Command) -> bool:
        """Whether the script fails wherever ``command`` is run and fails; False where that is not certain.

        Under ``set -e`` a command in front of ``&&`` may fail (POSIX.1 XCU 2.14, set).
        """
        at = next((index for index, item in enumerate(self.top) if item.command is command), None)
        if at is None or self.trailing == "&":
            return False
        behind = [item.connector_before for item in self.top[at + 1 :]]
        return all(connector == "&&" for connector in behind) or (self.is_strict and behind[0] in (";", "\n"))

    def why_not_chainable(self) -> str | None:
        """The construct that keeps this script from being joined to another RUN with `&&`; None if it can be.

        Chainable means: `a && b` in one shell runs the same commands as two RUNs, with the same failure
        points, working directory, environment and shell state, whichever of the two this script is.
        """
        if self.opaque is not None:
            return f"the shell script cannot be analysed: {self.opaque}"
        if not self.top:
            return "there is no command"
        if self.has_heredoc:
            return "a here-document cannot be joined with other commands"
        for item in self.top[1:]:
            if item.connector_before != "&&":
                return _CONNECTORS[item.connector_before]
        if self.trailing:
            return _TRAILING[self.trailing]
        if self.leaks:
            return self.leaks[0]
        for command in self.commands:
            reason = _why_leaky(command)
            if reason is not None:
                return reason
        return _why_text_leaks(self.text)


def changes_shell(name: str) -> bool:
    """Whether this is a builtin that changes the shell itself (``cd``, ``export``): no program can do what it does."""
    return name in _LEAKS


def _why_leaky(command: Command) -> str | None:
    if any(redirect.startswith("&>") for redirect in command.redirects):
        return "`&>` puts the command into the background in a POSIX shell"
    if command.in_subshell or command.in_pipeline:
        return None
    if not command.words:
        if command.assignments:
            return f"`{command.assignments[0][0]}=` {_VARIABLE}"
        return None
    for wrapper in command.wrappers:
        if wrapper == "exec":
            return f"`exec` {_ENDS}"
        if wrapper.rpartition("/")[2] not in ("command", "builtin", "time"):
            return None
    name = command.name
    if name is None:
        if re.fullmatch(_QUOTED_PATH, command.words[0].text):
            return None
        return f"`{command.words[0].text}` is not literal and could be anything, `cd` and `exit` too"
    if command.assignments and name in _SPECIAL_BUILTINS:
        return f"`{command.assignments[0][0]}=` before `{name}` {_VARIABLE}"
    if name == "printf" and command.args[:1] == ("-v",):
        return f"`printf -v` {_VARIABLE}"
    if name in _IN_LOOPS and command.depth > 0:
        return None
    reason = _LEAKS.get(name)
    return None if reason is None else f"`{name}` {reason}"


def _why_text_leaks(text: str) -> str | None:
    if "$" not in text:
        return None
    assigning = re.search(_ASSIGNING_EXPANSION, text)
    if assigning is not None:
        return f"`{assigning[0]}...}}` sets a variable for the next command"
    for arithmetic in re.finditer(_ARITHMETIC, text):
        if re.search(_ASSIGNING_ARITHMETIC, arithmetic[1]):
            return f"`{arithmetic[0]}` may set a variable for the next command"
    if re.search(_LAST_ARGUMENT, text):
        return "`$_` depends on the command before it"
    return None
