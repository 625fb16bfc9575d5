"""exec-last-command"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    SHELL_BUILTINS,
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    ShellScript,
    StageReading,
    leaves,
    read,
    refuse,
    rewrites,
    shell_at,
    why_not_posix,
)

SHELLS = r"(?:/bin/|/usr/bin/)?(?:sh|bash|ash|dash)"
PLAIN_OPTION = r"-[ceux]*|-o|pipefail"
"""Options that are nothing to a shell that gives its place to a program."""
KEYWORDS_OF_BASH = frozenset({"time", "command", "builtin"})
"""Words in front of a program that only a shell knows: `exec` would look for a program of that name."""
KINDS = {
    "pipeline": "a pipe of several programs",
    "negation": "negated",
    "subshell": "a list in parentheses",
    "group": "a list in braces",
    "function": "a function",
}
ACTIVATES = r"(?:.*/)?bin/activate"
"""The script of a virtual environment: it sets variables, and defines `deactivate`."""


class ExecLastCommand(Codemod):
    """Let the last command of a start script take the shell's place.

    Why
    ---
    `CMD python manage.py migrate && gunicorn shop.wsgi` leaves a shell as process 1 that waits for the server. The
    signal of `docker stop` goes to the shell, which drops it, and the server is killed ten seconds later.

    What it does
    ------------
    Writes `exec` in front of the last command of a CMD or ENTRYPOINT in shell form, or of `["sh", "-c", "..."]`, where
    the shell is needed for what stands before, or for variables. Newer shells do that by themselves in some of these
    cases; dash before 0.5.11 (Debian 10), bash before 5.1 and BusyBox do not.

    When it refuses
    ---------------
    When the last command is a builtin, a loop or a pipe, or runs only where another one fails; when something runs in
    the background, or is to run at the end (`trap`); when it is not known what the shell has defined by then.

    Safety
    ------
    SAFE for a single command: the shell did nothing but wait for it. REVIEW behind other commands: what these leave
    running gets the program as its parent.
    """

    phase = Phase.RUNTIME
    safety = Safety.SAFE
    may_change = frozenset({Aspect.CMD, Aspect.ENTRYPOINT})
    examples = (
        rewrites(
            "a migration comes first",
            before="""
            FROM python:3.12-slim
            CMD python manage.py migrate && \\
                gunicorn --bind 0.0.0.0:8000 shop.wsgi
            """,
            after="""
            FROM python:3.12-slim
            CMD python manage.py migrate && \\
                exec gunicorn --bind 0.0.0.0:8000 shop.wsgi
            """,
        ),
        rewrites(
            "a variable",
            before="""
            FROM node:20-slim
            CMD node server.js --port $PORT
            """,
            after="""
            FROM node:20-slim
            CMD exec node server.js --port $PORT
            """,
        ),
        rewrites(
            "a shell by name",
            before="""
            FROM python:3.12-slim
            CMD ["sh", "-c", "cd /srv; export A=\\"b c\\"; WORKERS=4 uvicorn shop:app >> log"]
            """,
            after="""
            FROM python:3.12-slim
            CMD ["sh", "-c", "cd /srv; export A=\\"b c\\"; WORKERS=4 exec uvicorn shop:app >> log"]
            """,
        ),
        rewrites(
            "a wrapper that starts the rest of its words",
            before="""
            FROM python:3.12-slim
            ENTRYPOINT . /opt/venv/bin/activate && env A=b gunicorn shop:app
            """,
            after="""
            FROM python:3.12-slim
            ENTRYPOINT . /opt/venv/bin/activate && exec env A=b gunicorn shop:app
            """,
        ),
        leaves(
            "one command of plain words needs no shell",
            """
            FROM node:20-slim
            CMD node server.js
            """,
        ),
        leaves(
            "it is there already",
            """
            FROM node:20-slim
            CMD node migrate.js && exec node server.js --port $PORT
            """,
        ),
        leaves(
            "another program in the background",
            """
            FROM debian:bookworm-slim
            CMD redis-server & sleep infinity
            """,
            because="a program runs in the background",
        ),
        leaves(
            "a trap",
            """
            FROM debian:bookworm-slim
            CMD trap 'rm /tmp/lock' EXIT; sleep $TIME
            """,
            because="`trap`",
        ),
        leaves(
            "the last command runs only where one fails",
            """
            FROM debian:bookworm-slim
            CMD sleep $TIME || sleep infinity
            """,
            because="only where the one before it fails",
        ),
        leaves(
            "a pipe",
            """
            FROM debian:bookworm-slim
            CMD cd /srv && ./server | tee log
            """,
            because="the last command is a pipe of several programs",
        ),
        leaves(
            "a loop",
            """
            FROM debian:bookworm-slim
            CMD while true; do sleep 60; done
            """,
            because="the last command is a loop",
        ),
        leaves(
            "a builtin",
            """
            FROM debian:bookworm-slim
            CMD service cron start && wait
            """,
            because="`wait` is a builtin",
        ),
        leaves(
            "what is sourced may define the command",
            """
            FROM debian:bookworm-slim
            CMD . /etc/profile && server
            """,
            because="what /etc/profile defines is not known",
        ),
        leaves(
            "it only keeps the container alive",
            """
            FROM debian:bookworm-slim
            CMD service cron start && tail -f /var/log/cron.log
            """,
            because="`tail` ends by itself, or waits for no signal",
        ),
        leaves(
            "the program is known only at run time",
            """
            FROM debian:bookworm-slim
            CMD $SERVER --port 80
            """,
            because="`$SERVER` may be a builtin",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            last = {node.keyword: node for node in stage.instructions if node.keyword in {"ENTRYPOINT", "CMD"}}
            for node in last.values():
                place = _script_of(node)
                if place is not None:
                    yield from _convert(StageReading.of(file, stage, context), node, *place)


def _script_of(node: Instruction) -> tuple[str, int | None] | None:
    """The text that a shell gets, and its place among the words of a JSON form."""
    if node.heredocs or not node.argument:
        return None
    if node.json is None:
        return (node.argument, None) if not node.argument.startswith("[") else None
    words = node.json
    if len(words) >= 3 and re.fullmatch(SHELLS, words[0]) and re.fullmatch(r"-[eux]*c", words[1]):
        return words[2], 2
    return None


def _convert(reading: StageReading, node: Instruction, text: str, at: int | None) -> Iterator[Finding | Refusal]:
    script = read(text)
    only = script.top[0].command if script.opaque is None and len(script.top) == 1 else None
    if only is not None and at is None and not script.trailing and _is_plain(only):
        # `use-exec-form` does without the shell, or says why not.
        return
    reason = why_not_posix(reading.file, node) if at is None else None
    if reason is not None:
        yield refuse(node, reason)
        return
    if script.opaque is not None:
        yield refuse(node, f"the command cannot be analysed: {script.opaque}")
        return
    last = script.top[-1].command if script.top else None
    if last is not None and last.wrappers[:1] == ("exec",):
        return
    refused = _why_shell_stays(reading, node, at) or _why_not_last(script) or _why_not_program(script, last)
    if refused is not None or last is None:
        yield refuse(node, *(refused or ("there is no command",)))
        return
    start = last.span[0] if last.wrappers else last.words[0].span[0]
    end = start + len(text[start:].split(maxsplit=1)[0])
    changed = node.splice([(start, end, f"exec {text[start:end]}")]) if at is None else _in_json(node, at, text, start)
    several = len(script.top) > 1
    yield Finding(
        node,
        f"let {last.words[0].literal} take the shell's place",
        [Replace(node, [changed])],
        why="the signal of `docker stop` reaches the program, so that it can stop in time",
        evidence=("what the commands before it leave running gets the program as its parent",) if several else (),
        safety=Safety.REVIEW if several else None,
    )


def _in_json(node: Instruction, at: int, text: str, start: int) -> Instruction:
    import json

    words = list(node.json or ())
    words[at] = f"{text[:start]}exec {text[start:]}"
    return node.with_argument(json.dumps(words, ensure_ascii=False))


def _is_plain(command: Command) -> bool:
    """Nothing that a shell does."""
    if command.redirects or command.assignments or command.wrappers or not command.words:
        return False
    return all(word.value is not None for word in command.words)


def _why_shell_stays(reading: StageReading, node: Instruction, at: int | None) -> tuple[str, str] | None:
    """The shell in force does something before it starts, or when it ends."""
    if "BASH_ENV" in reading.file.environment(node):
        return "BASH_ENV is set: what bash reads from that file may be a function or a trap", "add exec by hand"
    shell = shell_at(reading.file, node) if at is None else None
    options = () if shell is None else (shell.json or ("",))[1:]
    option = next((word for word in options if not re.fullmatch(PLAIN_OPTION, word)), None)
    if shell is None or option is None:
        return None
    line = reading.file.line_of(shell)
    return f"SHELL on line {line} has {option}, with which a shell may do more when it ends", "add exec by hand"


def _why_not_last(script: ShellScript) -> tuple[str, str] | None:
    """What happens beside the last command, or behind it."""
    hint = "start one program in a container, or let an init such as tini pass signals on"
    if script.trailing == "&" or any(item.connector_before == "&" for item in script.top):
        return "a program runs in the background, and the shell belongs to it too", hint
    if any(item.connector_before == "||" for item in script.top):
        return "the last command runs only where the one before it fails", "write it as `if`, or into a script"
    if any(item.kind == "function" for item in script.top):
        return "a function of the shell may be what the last command calls", "write it into a script"
    if script.trailing == "comment" or script.has_heredoc:
        return "there is a comment or a here-document", "write it into a script"
    for command in script.commands[:-1]:
        if command.name in {"trap", "alias", "eval"}:
            return f"`{command.name}` sets what the shell does later", "let the program do it"
        if command.name in {".", "source"}:
            path = command.args[0] if command.args else ""
            if not re.fullmatch(ACTIVATES, path):
                return (
                    f"what {path} defines is not known: the last command may be one of its functions",
                    "add exec by hand",
                )
    return None


def _why_not_program(script: ShellScript, last: Command | None) -> tuple[str, str] | None:
    """The last command is no program of its own."""
    from refactor import QUIET

    hint = "end with the program itself"
    if last is None:
        kind = script.top[-1].kind if script.top else ""
        return f"the last command is {KINDS.get(kind, 'a loop or a condition')}", hint
    if not last.words:
        return "the last command only sets a variable", hint
    if last.name is None and "/" not in last.words[0].text:
        return f"`{last.words[0].text}` may be a builtin of the shell, or several words", "name the program"
    if last.name in SHELL_BUILTINS:
        return f"`{last.name}` is a builtin of the shell", hint
    if last.name in QUIET:
        return f"`{last.name}` ends by itself, or waits for no signal", hint
    keyword = next((word for word in last.wrappers if word in KEYWORDS_OF_BASH), None)
    if keyword is not None or (last.wrappers and last.assignments and not _starts_with_wrapper(script, last)):
        return f"`{keyword or last.assignments[0][0]}` in front of the program is done by the shell", hint
    return None


def _starts_with_wrapper(script: ShellScript, last: Command) -> bool:
    return script.text[last.span[0] :].startswith(last.wrappers[0])
