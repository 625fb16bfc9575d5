"""drop-sudo"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor import (
    SYSTEM_MANAGERS,
    Aspect,
    Body,
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
    StageReading,
    body_of,
    changes_shell,
    leaves,
    refuse,
    rewrites,
)

_ROOT = ("root", "0")
_NAME = r"(?:\S*/)?sudo"
_WITHOUT_MEANING = r"-[nHSkE]+|--non-interactive|--set-home|--preserve-env|--|-u[ \t]*(?:root|0)|--user[= ](?:root|0)"
"""Options that are nothing to root, who is asked for no password and becomes nobody else."""
_ASSIGNMENT = r"[A-Za-z_]\w*=[^\s'\"\\$`]*"
_KEPT = r"DISPLAY|HOSTNAME|COLORTERM|LANG|LANGUAGE|LC_\w+|LINGUAS|TERM|TZ|USER|LOGNAME|SHELL|MAIL"
"""Variables that sudo hands on or that root has the same values of (sudoers(5), env_keep and env_check)."""
_SECURE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sudo looks programs up (``secure_path`` of Debian's sudoers)."""
_FELT_BY_ALL = r"PATH|HOME|TMPDIR|LD_\w+|(?i:\w+_proxy)"
"""Variables that change what the system's own programs do with the same words."""


class DropSudo(Codemod):
    """Leave sudo out where the build is root already.

    Why
    ---
    A RUN of root gains nothing by sudo. It has to be installed, stays in the image as a way to become root, and hides
    the variables of ENV and ARG from the command.

    What it does
    ------------
    Takes `sudo` and its options away in front of commands in RUN where USER says, or the base image is known to say,
    that root runs them. Options that mean nothing to root go with it (`-E`, `-H`, `-n`, `-u root`). A package `sudo`
    that is installed stays: people may call it in the container.

    When it refuses
    ---------------
    When another user runs the command, or the user is not known; when sudo changes to another user or has options that
    do more; in front of a builtin of the shell.

    Safety
    ------
    SAFE where nothing that sudo hides can matter: the system's own tools (package managers, `mkdir`, `chown`, `tee`),
    or no variable is set. REVIEW where a program begins to see variables of ENV and ARG that sudo kept from it, or the
    base image is unknown. UNSAFE where PATH is set: sudo looks programs up in a PATH of its own.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    words = ("sudo",)
    may_change = frozenset({Aspect.COMMANDS})
    hadolint = ("DL3004",)
    examples = (
        rewrites(
            "root runs it already",
            before="""
            FROM ubuntu:24.04
            RUN sudo apt-get update && sudo -E apt-get install -y curl && sudo rm -rf /var/lib/apt/lists/*
            RUN echo 'alias ll="ls -l"' | sudo tee -a /etc/bash.bashrc && (sudo -H -u root mkdir /srv/data)
            """,
            after="""
            FROM ubuntu:24.04
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            RUN echo 'alias ll="ls -l"' | tee -a /etc/bash.bashrc && (mkdir /srv/data)
            """,
        ),
        rewrites(
            "a variable that sudo is given stays, over two lines",
            before="""
            FROM example.com/base
            USER root
            RUN sudo DEBIAN_FRONTEND=noninteractive \\
                apt-get install -y curl
            """,
            after="""
            FROM example.com/base
            USER root
            RUN DEBIAN_FRONTEND=noninteractive \\
                apt-get install -y curl
            """,
        ),
        rewrites(
            "only the commands of root",
            before="""
            FROM ubuntu:24.04
            RUN sudo chown app /srv && sudo -u app git clone https://example.com/app.git /srv
            """,
            after="""
            FROM ubuntu:24.04
            RUN chown app /srv && sudo -u app git clone https://example.com/app.git /srv
            """,
        ),
        rewrites(
            "a program that sees a variable from now on is for review",
            before="""
            FROM ubuntu:24.04
            ENV PREFIX=/opt
            RUN sudo make install
            """,
            after="""
            FROM ubuntu:24.04
            ENV PREFIX=/opt
            RUN make install
            """,
        ),
        rewrites(
            "sudo -E hides no variables",
            before="""
            FROM ubuntu:24.04
            ENV PREFIX=/opt
            RUN sudo -E make install
            """,
            after="""
            FROM ubuntu:24.04
            ENV PREFIX=/opt
            RUN make install
            """,
        ),
        leaves(
            "another user needs it",
            """
            FROM ubuntu:24.04
            USER app
            RUN sudo apt-get update
            """,
            because="lets app run it",
        ),
        leaves(
            "an unknown base image may have a user of its own",
            """
            FROM cimg/base:2024.01
            RUN sudo apt-get update
            """,
            because="which user cimg/base:2024.01 runs commands as is not known",
        ),
        leaves(
            "sudo becomes somebody else",
            """
            FROM ubuntu:24.04
            RUN sudo -u app git pull && sudo -i make
            """,
            because="sudo has options here that do more than to call git",
        ),
        leaves(
            "a builtin, which sudo does not find",
            """
            FROM ubuntu:24.04
            RUN sudo cd /srv || true
            """,
            because="cd is a builtin of the shell",
        ),
        leaves(
            "PATH is set, and sudo has its own",
            """
            FROM ubuntu:24.04
            ENV PATH=/opt/conda/bin:$PATH
            RUN sudo pip install flask
            """,
        ),
        leaves(
            "sudo is installed, not used",
            """
            FROM ubuntu:24.04
            RUN apt-get update && apt-get install -y sudo
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            for node in stage.instructions:
                body = body_of(file, node) if node.keyword == "RUN" and "sudo" in node.text else ""
                if isinstance(body, str):
                    continue
                calls = [command for command in body.script.commands if _calls_sudo(command)]
                if calls:
                    yield from _without(StageReading.of(file, stage, context), body, calls)


def _calls_sudo(command: Command) -> bool:
    first = command.wrappers[0] if command.wrappers else command.name
    return (first or "").rpartition("/")[2] == "sudo"


def _without(reading: StageReading, body: Body, calls: list[Command]) -> Iterator[Finding | Refusal]:
    node = body.node
    reason = _why_not_root(reading, node)
    if reason is not None:
        yield refuse(node, reason, "write USER root above, where root may run it")
        return
    dropped = []
    for command in calls:
        found = _drop(reading, body, command)
        if isinstance(found, str):
            yield refuse(node, found)
        else:
            dropped.append(found)
    # What is applied at once has one level: the surer ones do not wait for the others.
    for level in sorted({each.safety for each in dropped})[:1]:
        own = [each for each in dropped if each.safety is level]
        names = ", ".join(dict.fromkeys(each.name for each in own))
        yield Finding(
            node,
            f"leave sudo out before {names}",
            [Replace(node, [body.splice([each.change for each in own])])],
            why="root runs the command already",
            evidence=list(dict.fromkeys(each.note for each in own if each.note)),
            safety=level,
        )


def _why_not_root(reading: StageReading, node: Instruction) -> str | None:
    step = reading.step(node)
    user = step.user if step is not None else None
    if user is None:
        image = reading.image
        if image is None or "$" in re.sub(r":[^/]*\Z", "", reading.stage.image):
            return f"which user {reading.stage.image} runs commands as is not known"
        return None if image.default_user in ("", *_ROOT) else f"the base image runs it as {image.default_user}"
    name, _, group = user.partition(":")
    if name in _ROOT and group in ("", *_ROOT):
        return None
    setter = next(
        (each.node for each in reversed(reading.steps[: reading.position(node)]) if each.keyword == "USER"), None
    )
    where = "the stage above" if setter is None else f"line {reading.file.line_of(setter)}"
    return f"{where} lets {user} run it"


class _Drop(NamedTuple):
    name: str
    change: tuple[int, int, str]
    safety: Safety
    note: str


def _drop(reading: StageReading, body: Body, command: Command) -> _Drop | str:
    """What goes of one command, and how sure it is that nothing else changes; or why sudo has to stay."""
    start, text = command.span[0], body.script.text
    name = (command.name or command.words[0].text).rpartition("/")[2]
    shape = rf"(?P<before>(?:{_ASSIGNMENT}\s+)*)(?P<sudo>{_NAME}\s+(?:(?:{_WITHOUT_MEANING})\s+)*)"
    found = re.match(shape, text[start : command.words[0].span[0]])
    rest = "" if found is None else text[start + found.end() : command.words[0].span[0]]
    if found is None or name == "sudo" or not re.fullmatch(rf"(?:{_ASSIGNMENT}\s+)*", rest) or command.wrappers[1:]:
        return f"sudo has options here that do more than to call {name}"
    if changes_shell(name):
        return f"{name} is a builtin of the shell, which sudo does not find"
    if command.name is None:
        return f"{command.words[0].text} is not known, and may be a builtin of the shell"
    before = {word.partition("=")[0] for word in found["before"].split()}
    # With -E sudo hands everything on but PATH.
    hidden = "PATH" if re.search(r"\s-\w*E|--preserve-env", found["sudo"]) else ".*"
    safety, note = _judged(reading, body, name, before, hidden)
    return _Drop(name, (start + found.start("sudo"), start + found.end("sudo"), ""), safety, note)


def _judged(reading: StageReading, body: Body, name: str, before: set[str], hidden: str) -> tuple[Safety, str]:
    """``before`` are variables that the shell is given for this command, ``hidden`` those that sudo keeps from it."""
    from refactor import OF_THE_SYSTEM

    image = reading.image
    of_image = image.env.items() if image is not None else ()
    names = {*reading.file.environment(body.node), *before, *(key for key, value in of_image if value != _SECURE_PATH)}
    for command in body.script.commands:
        if command.name == "export":
            names.update(arg.partition("=")[0] for arg in command.args)
    names = {each for each in names if re.fullmatch(hidden, each) and not re.fullmatch(_KEPT, each)}
    # What these do follows from their words, whatever variables are set.
    own = name in SYSTEM_MANAGERS or name == "apt-get" or name in OF_THE_SYSTEM
    felt = sorted(each for each in names if not own or re.fullmatch(_FELT_BY_ALL, each))
    if "PATH" in felt and not own:
        return Safety.UNSAFE, f"PATH is set, and sudo has its own: {name} may be another program without it"
    if felt:
        return Safety.REVIEW, f"{name} is given {', '.join(felt)}, which sudo kept from it"
    if image is None:
        safety = Safety.REVIEW if own else Safety.UNSAFE
        return safety, f"which variables {reading.stage.image} sets is not known; sudo kept them from {name}"
    return Safety.SAFE, ""
