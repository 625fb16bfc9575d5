"""sort-packages"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from refactor import (
    SYSTEM_MANAGERS,
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
    Word,
    body_of,
    leaves,
    package_calls,
    refuse,
    rewrites,
)

_ONE_NAME = r"[\w.+-]+(?:[:=/~][\w.+:~*-]*)?(?:\"[^\"`]*\")?|\"[\w.+-]+[^\"`]*\""
"""A word that is a single name whatever its variables and patterns come to: ``curl=7.*``, ``weechat="$VERSION"``."""


class SortPackages(Codemod):
    """Sort lists of system packages that have a package on each line.

    Why
    ---
    In a sorted list a package is found and seen to be there already, and two changes of it rarely meet on a line.

    What it does
    ------------
    Exchanges the names in an install of apt, apk, dnf, yum, microdnf or zypper whose list has one on each line; line
    ends, blanks and continuations stay where they are.

    When it refuses
    ---------------
    When comments stand between the names: they belong to names. When a name begins with a variable, or the shell may
    make several words of it. Lists with several names on a line are left alone, and so is their order.

    Safety
    ------
    SAFE: these package managers solve for all names at once.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    may_change = frozenset({Aspect.COMMANDS})
    opt_in = True
    examples = (
        rewrites(
            "one on each line",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends \\
                    git \\
                    curl=7.* \\
                    "ca-certificates" \\
                    nodejs="$NODE_VERSION" \\
                    g++ \\
                && rm -rf /var/lib/apt/lists/*
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends \\
                    "ca-certificates" \\
                    curl=7.* \\
                    g++ \\
                    git \\
                    nodejs="$NODE_VERSION" \\
                && rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "the list ends the file, and an option parts it",
            before="""
            FROM alpine:3.20
            RUN apk add --no-cache curl \\
                bash \\
                --virtual .build-deps \\
                make \\
                gcc
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache bash \\
                curl \\
                --virtual .build-deps \\
                gcc \\
                make
            """,
        ),
        leaves(
            "comments between the names",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                    git \\
                    # downloads the data
                    curl
            """,
            because="comments stand between the names",
        ),
        leaves(
            "a variable",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                    git \\
                    $PACKAGES
            """,
            because="what $PACKAGES stands for is not known",
        ),
        leaves(
            "several names on a line",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y git curl \\
                    bash
            """,
        ),
        leaves(
            "sorted already",
            """
            FROM alpine:3.20
            RUN apk add --no-cache \\
                bash \\
                curl
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for node in file.instructions:
            body = body_of(file, node) if node.keyword == "RUN" else ""
            if isinstance(body, str):
                continue
            changes: list[tuple[int, int, str]] = []
            for call in package_calls(body.script):
                if call.manager not in SYSTEM_MANAGERS or call.action != "install":
                    continue
                for group in _lists(body, call):
                    reason = _why_not(body, group)
                    if reason is not None:
                        yield refuse(node, reason, "sort the list by hand")
                    else:
                        changes += _sorted(group)
            if changes:
                yield Finding(
                    node,
                    "sort the list of packages",
                    [Replace(node, [body.splice(changes)])],
                    why="a sorted list shows what is in it, and changes of it rarely meet",
                )


def _between(body: Body, left: Word, right: Word) -> str:
    """What stands between two words in the file, continuations and comments included."""
    start, end = left.span[1], right.span[0]
    return body.script.text[start:end] if body.is_heredoc else body.node.raw(start, end)


def _lists(body: Body, call: PackageCall) -> Iterator[list[Word]]:
    """Names that follow one another, one on a line, without options between them."""
    group: list[Word] = []
    for word in sorted(call.packages, key=lambda word: word.span):
        if group and body.script.text[group[-1].span[1] : word.span[0]].strip(" \t\r\n\\"):
            yield from _if_one_a_line(body, group)
            group = []
        group.append(word)
    yield from _if_one_a_line(body, group)


def _if_one_a_line(body: Body, group: list[Word]) -> Iterator[list[Word]]:
    if len(group) > 1 and all("\n" in _between(body, left, right) for left, right in pairwise(group)):
        yield group


def _why_not(body: Body, group: Sequence[Word]) -> str | None:
    unknown = next((word for word in group if word.value is None and not re.fullmatch(_ONE_NAME, word.text)), None)
    if unknown is not None:
        return f"what {unknown.text} stands for is not known: it may be several names, or an option"
    if any("#" in _between(body, left, right) for left, right in pairwise(group)):
        return "comments stand between the names, and belong to them"
    return None


def _sorted(group: Sequence[Word]) -> Iterator[tuple[int, int, str]]:
    for word, other in zip(group, sorted(group, key=lambda word: word.literal.replace('"', "")), strict=True):
        if word.text != other.text:
            yield (*word.span, other.text)
