"""Which RUN bodies can be joined with `&&`: what one leaves behind in its shell, the next must not see."""

from __future__ import annotations

import re

from refactor.shell.script import Command, ShellScript

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

_ASSIGNING_EXPANSION = re.compile(r"\$\{[A-Za-z_]\w*:?=")
_ARITHMETIC = re.compile(r"\$\(\(((?:(?!\)\)).)*)\)\)", re.DOTALL)
_ASSIGNING_ARITHMETIC = re.compile(r"(?<![=!<>])=(?!=)|<<=|>>=|\+\+|--")
_LAST_ARGUMENT = re.compile(r"\$(?:_(?!\w)|\{_\})")

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


def why_not_chainable(script: ShellScript) -> str | None:
    """See `ShellScript.why_not_chainable`."""
    if script.opaque is not None:
        return f"the shell script cannot be analysed: {script.opaque}"
    if not script.top:
        return "there is no command"
    if script.has_heredoc:
        return "a here-document cannot be joined with other commands"
    for item in script.top[1:]:
        if item.connector_before != "&&":
            return _CONNECTORS[item.connector_before]
    if script.trailing:
        return _TRAILING[script.trailing]
    if script.leaks:
        return script.leaks[0]
    for command in script.commands:
        reason = _why_leaky(command)
        if reason is not None:
            return reason
    return _why_text_leaks(script.text)


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
    assigning = _ASSIGNING_EXPANSION.search(text)
    if assigning is not None:
        return f"`{assigning[0]}...}}` sets a variable for the next command"
    for arithmetic in _ARITHMETIC.finditer(text):
        if _ASSIGNING_ARITHMETIC.search(arithmetic[1]):
            return f"`{arithmetic[0]}` may set a variable for the next command"
    if _LAST_ARGUMENT.search(text):
        return "`$_` depends on the command before it"
    return None
