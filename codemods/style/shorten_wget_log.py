"""shorten-wget-log"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    Body,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    body_of,
    leaves,
    refuse,
    rewrites,
)

TELLS = r"-(?:[a-zA-Z]*q|nv|[oab])|--(?:quiet|no-verbose|progress|show-progress|output-file|append-output|background)"
GNU = frozenset(("apt", "yum", "apk"))
"""Managers of the distributions whose package `wget` is GNU Wget; Fedora's is Wget2 since 40, which has other bars."""
BUSYBOX = ("-q", "its bar anew every second")


class ShortenWgetLog(Codemod):
    """Have wget write a line for every 32 megabytes, not for every 50 kilobytes.

    Why
    ---
    Without a terminal GNU Wget prints a row of dots for every 50 KiB. A download of 100 MB is 2,000 lines in the log of
    the build, between which an error is hard to find. BusyBox's draws its bar anew every second.

    What it does
    ------------
    Adds `--progress=dot:giga` to calls of GNU Wget that say nothing about their output, and `-q` to those of the wget
    that Alpine has, which prints its errors all the same.

    When it refuses
    ---------------
    When it is not known which wget it is: each has other options, and GNU's hides errors under `-q`. Calls with `-q`,
    `-nv`, `-o` or a `--progress` of their own are left as they are, and those whose messages go into a file or a pipe.

    Safety
    ------
    SAFE: the same file; only the log is shorter.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    reach = Phase.STYLE
    words = ("wget",)
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE})
    hadolint = ("DL3047",)
    examples = (
        rewrites(
            "a download",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y wget \\
                && wget -O /tmp/tool.tar.gz https://example.org/tool.tar.gz
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y wget \\
                && wget --progress=dot:giga -O /tmp/tool.tar.gz https://example.org/tool.tar.gz
            """,
        ),
        rewrites(
            "GNU Wget on Alpine",
            before="""
            FROM alpine:3.20
            RUN apk add --no-cache wget
            RUN cd /tmp && wget https://example.org/tool.tar.gz
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache wget
            RUN cd /tmp && wget --progress=dot:giga https://example.org/tool.tar.gz
            """,
        ),
        rewrites(
            "BusyBox",
            before="""
            FROM alpine:3.20
            RUN wget https://example.org/tool.tar.gz && wget -O- https://example.org/a.tar | tar x
            """,
            after="""
            FROM alpine:3.20
            RUN wget -q https://example.org/tool.tar.gz && wget -q -O- https://example.org/a.tar | tar x
            """,
        ),
        leaves(
            "a base image that may have brought GNU Wget",
            """
            FROM example/alpine
            RUN apk add --no-cache git
            RUN wget https://example.org/tool.tar.gz
            """,
            because="BusyBox",
        ),
        leaves(
            "it is not known which one",
            """
            FROM example/base
            RUN wget https://example.org/tool.tar.gz
            """,
            because="not known which wget",
        ),
        leaves(
            "it says what it prints",
            """
            FROM debian:bookworm
            RUN wget -qO- https://example.org/a | tar x && wget -nv https://example.org/b
            RUN wget --progress=bar:force https://example.org/a && wget -o log https://example.org/b
            RUN wget https://example.org/c 2> log
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            reason = _why_not_gnu(reading)
            for node in stage.instructions:
                body = body_of(file, node) if node.keyword == "RUN" else ""
                calls = [] if isinstance(body, str) else [each for each in body.script.commands if _is_long(each)]
                if isinstance(body, str) or not calls:
                    continue
                if isinstance(reason, str):
                    yield refuse(node, reason, "install wget in the stage, or give it -q")
                elif (is_gnu := _is_there(reason, reading, body, calls[0])) or reading.image is not None:
                    option, drawn = ("--progress=dot:giga", "20 lines for every megabyte") if is_gnu else BUSYBOX
                    ends = [call.words[0].span[1] for call in calls]
                    yield Finding(
                        node,
                        "have wget write a shorter log",
                        [Replace(node, [body.splice([(end, end, f" {option}") for end in ends])])],
                        why=f"it prints {drawn}",
                    )
                else:
                    yield refuse(
                        node,
                        "wget is BusyBox's as far as the stage says, which has no --progress",
                        "apk add wget before it, or give it -q",
                    )


def _is_long(command: Command) -> bool:
    if (command.name or "").rpartition("/")[2] != "wget" or any(re.match(TELLS, arg) for arg in command.args):
        return False
    return not any(re.match(r"2>|&>", redirect) for redirect in command.redirects) and any(
        "://" in arg or "$" in arg for arg in command.args
    )


def _why_not_gnu(reading: StageReading) -> str | bool:
    """Why it is not known that the stage's wget is GNU's; or whether only an install makes it that (Alpine)."""
    image = reading.image
    if image is not None and image.distro in ("fedora", None):
        return "it is not known which wget is called: Fedora's is another program since release 40"
    managers = {call.manager for _, call in reading.calls} & GNU
    manager = image.package_manager if image is not None else next(iter(sorted(managers)), None)
    if manager not in GNU or len(managers | {manager}) > 1:
        return "it is not known which wget is called: BusyBox has one that knows no --progress"
    return manager == "apk"


def _is_there(is_alpine: bool, reading: StageReading, body: Body, call: Command) -> bool:
    """Whether GNU Wget is installed before the call; on other distributions than Alpine there is no other."""
    if not is_alpine:
        return True
    here = (reading.position(body.node), call.span)
    return any(
        (reading.position(step.node), install.command.span) < here
        for step, install in reading.calls
        if install.action == "install" and any(word.literal.partition("=")[0] == "wget" for word in install.packages)
    )
