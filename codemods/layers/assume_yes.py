"""assume-yes"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    Body,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    PackageCall,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    asks,
    body_of,
    leaves,
    package_calls,
    refuse,
    rewrites,
)

SET_ELSEWHERE = r"(?i)assume-yes|\bassumeyes\s*="
ANSWER = r"(?:^|\s)(?:-[A-Za-z]*y[A-Za-z]*|--yes|--assume-?yes|-qq)(?:\s|$)"
OPTIONS = r"(?i:opt|flag|arg|yes|param)"


class AssumeYes(Codemod):
    """Answer the questions of package managers with -y.

    Why
    ---
    Nobody sits at a build: its standard input is empty. `apt-get install` without `-y` goes on as long as it installs
    no more than it was told, and ends with `Abort.` on the day a package gets a further dependency.

    What it does
    ------------
    Adds `-y` behind the verb of apt-get, apt, aptitude, dnf, yum and zypper where they install, upgrade or remove, and
    of `pip uninstall`.

    When it refuses
    ---------------
    When a pipe or a redirection may give the answer, a variable may hold the option, or the call stands beside `||` or
    under a condition, where its failure may be meant. Calls that ask nothing are left as they are: `-qq` implies `-y`,
    `-o APT::Get::Assume-Yes=true` and a configuration file that the Dockerfile writes say the same.

    Safety
    ------
    SAFE: where the question was asked, the build failed. REVIEW where the RUN passed over that failure (`;` behind the
    call): the packages are there now.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    reach = Phase.CACHE
    words = ("apt", "dnf", "yum", "zypper", "pip")
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE})
    hadolint = ("DL3014", "DL3030", "DL3034", "DL3038")
    examples = (
        rewrites(
            "an install",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install --no-install-recommends ssdeep
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends ssdeep
            """,
        ),
        rewrites(
            "other managers",
            before="""
            FROM opensuse/leap:15.6
            RUN zypper install curl && zypper --non-interactive install git
            RUN yum install jq && dnf module enable nodejs:20 && dnf -y update
            RUN pip uninstall wheel
            """,
            after="""
            FROM opensuse/leap:15.6
            RUN zypper install -y curl && zypper --non-interactive install git
            RUN yum install -y jq && dnf module enable -y nodejs:20 && dnf -y update
            RUN pip uninstall -y wheel
            """,
        ),
        rewrites(
            "in a heredoc, with lines that go on after a failure",
            before="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm-slim
            RUN <<EOF
            set -e
            apt-get update
            apt-get -f install
            EOF
            RUN apt-get update; apt-get install git; git --version
            """,
            after="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm-slim
            RUN <<EOF
            set -e
            apt-get update
            apt-get -f install -y
            EOF
            RUN apt-get update; apt-get install -y git; git --version
            """,
        ),
        leaves(
            "answered already",
            """
            FROM debian:bookworm-slim
            ENV OPTIONS=-yq
            RUN apt-get update && apt-get -yqq install curl && apt-get install -qq git
            RUN apt-get -o APT::Get::Assume-Yes=true install curl && apt-get install git --assume-yes
            RUN apt-get install $OPTIONS less
            """,
        ),
        leaves(
            "what asks nothing",
            """
            FROM fedora:40
            RUN dnf makecache && dnf clean all && pip install flask && microdnf install curl
            """,
        ),
        leaves(
            "a file says so",
            """
            FROM debian:bookworm-slim
            RUN echo 'APT::Get::Assume-Yes "true";' > /etc/apt/apt.conf.d/90yes
            RUN apt-get update && apt-get install curl
            """,
        ),
        leaves(
            "a pipe answers",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && yes | apt-get install curl
            """,
            because="may be answered through a pipe",
        ),
        leaves(
            "a failure is tolerated",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && (apt-get install gdb || true)
            """,
            because="its failure may be meant",
        ),
        leaves(
            "a variable may hold the option",
            """
            FROM debian:bookworm-slim
            ARG APT_OPTIONS
            RUN apt-get update && apt-get install $APT_OPTIONS curl
            """,
            because="may hold `-y`",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            for node in stage.instructions:
                body = body_of(file, node) if node.keyword == "RUN" else ""
                if not isinstance(body, str):
                    yield from _answered(reading, body)


def _answered(reading: StageReading, body: Body) -> Iterator[Finding | Refusal]:
    changes: list[tuple[int, int, str]] = []
    is_passed_over = False
    for call in package_calls(body.script):
        if not asks(call) or _holds_answer(reading, body, call):
            continue
        reason = _why_not(reading, body, call)
        if reason is not None:
            yield refuse(body.node, f"{call.program} {call.verb} {reason}", "give it -y where it is to go on")
            continue
        if not changes and _is_set_elsewhere(reading.file):
            return
        is_passed_over = is_passed_over or not body.script.is_fatal(call.command)
        end = call.verb_word.span[1]
        changes.append((end, end, " -y"))
    if changes:
        yield Finding(
            body.node,
            "answer the package manager's question",
            [Replace(body.node, [body.splice(changes)])],
            why="nobody answers it in a build, which fails when a package gets a further dependency",
            safety=Safety.REVIEW if is_passed_over else None,
        )


def _why_not(reading: StageReading, body: Body, call: PackageCall) -> str | None:
    command = call.command
    if command.in_pipeline or any(re.match(r"\d*<", redirect) for redirect in command.redirects):
        return "may be answered through a pipe or a redirection"
    for word in command.words[1:]:
        is_options = word.value is None and re.match(rf"[\"']?\$\{{?\w*(?:{OPTIONS})", word.text)
        if is_options and reading.expand(word.text, body.node) is None:
            return f"may be answered already: {word.text}, whose value is not known, may hold `-y`"
    if not body.script.is_fatal(command) and (command.is_conditional or "||" in body.script.text):
        return "stands beside `||` or under a condition, where its failure may be meant"
    return None


def _holds_answer(reading: StageReading, body: Body, call: PackageCall) -> bool:
    """Whether a variable whose value is known has the option in it."""
    words = (word.text for word in call.command.words[1:] if word.value is None and "$" in word.text)
    return any(re.search(ANSWER, reading.expand(text, body.node) or "") for text in words)


def _is_set_elsewhere(file: Dockerfile) -> bool:
    """Whether a configuration file that the Dockerfile writes gives the answer to all calls."""
    texts = (text for node in file.instructions for text in (node.argument, *(each.body for each in node.heredocs)))
    return any(re.search(r"\.conf|dnfrc|/etc/", text) and re.search(SET_ELSEWHERE, text) for text in texts)
