"""join-installs"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from refactor import (
    SYSTEM_MANAGERS,
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    PackageCall,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    ShellScript,
    is_cleaning,
    kept_apart,
    leaves,
    package_call,
    package_calls,
    read,
    refuse,
    rewrites,
    script_of,
    why_not_one_list,
)

MAX_ON_A_LINE = 4
"""Packages that a list may have on one line; longer ones get a line for each."""


class JoinInstalls(Codemod):
    """Install system packages that are asked for one after the other in one call.

    Why
    ---
    Each call reads the package lists and resolves dependencies anew, and what it installs is spread over the file. One
    list is read at a glance, and a package more is a line more in its diff.

    What it does
    ------------
    Makes one call with one list, in the order of the file, of calls of apt, apk, dnf or yum that follow one another in
    a RUN with the same flags; longer lists get a line for each package. Two neighbouring RUNs that each update, install
    and clean up become one that does so once.

    When it refuses
    ---------------
    When flags, variables, redirections or programs differ, with `--virtual`, when a package may bring the repository of
    the next one (`epel-release`), when the list is in a variable, or has comments; when anything else stands between;
    when a comment above asks for separate commands.

    Safety
    ------
    REVIEW: the resolver sees all packages at once and may choose other versions of what they depend on.
    """

    phase = Phase.LAYERS
    safety = Safety.REVIEW
    words = ("apt", "apk", "dnf", "yum", "zypper")
    may_change = frozenset({Aspect.COMMANDS, Aspect.LAYERS, Aspect.CACHE})
    hadolint = ("DL3059",)
    examples = (
        rewrites(
            "two calls in one RUN",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && apt-get install -y curl=7.88.* \\
                && apt-get install -y git ca-certificates \\
                && rm -rf /var/lib/apt/lists/*
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && apt-get install -y curl=7.88.* git ca-certificates \\
                && rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "a long list",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && \\
              apt-get install -yq curl git less && \\
              apt-get install -y make patch curl && \\
              rm -rf /var/lib/apt/lists/*
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && \\
              apt-get install -yq \\
                curl \\
                git \\
                less \\
                make \\
                patch && \\
              rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "a list that has a line for each package",
            before="""
            FROM fedora:40
            RUN dnf install -y \\
                    gcc \\
                    make \\
                && dnf install -y git \\
                && dnf clean all
            """,
            after="""
            FROM fedora:40
            RUN dnf install -y \\
                    gcc \\
                    make \\
                    git \\
                && dnf clean all
            """,
        ),
        rewrites(
            "a list that begins on a line of its own",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                    curl \\
                && apt-get install -y git less \\
                && rm -rf /var/lib/apt/lists/*
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                    curl \\
                    git \\
                    less \\
                && rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "neighbours that each clean up",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*

            RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*

            CMD ["bash"]
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl git && rm -rf /var/lib/apt/lists/*

            CMD ["bash"]
            """,
        ),
        rewrites(
            "neighbours of apk",
            before="""
            FROM alpine:3.20
            RUN apk add --no-cache curl
            RUN apk add --no-cache git
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache curl git
            """,
        ),
        leaves(
            "only one of them leaves recommended packages out",
            """
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && apt-get install -y --no-install-recommends curl \\
                && apt-get install -y git
            """,
            because="their flags differ",
        ),
        leaves(
            "another release",
            """
            FROM debian:bookworm
            RUN apt-get update \\
                && apt-get install -y curl \\
                && apt-get install -y -t bookworm-backports git
            """,
            because="their flags differ",
        ),
        leaves(
            "a repository comes with the first",
            """
            FROM rockylinux:9
            RUN dnf install -y epel-release \\
                && dnf install -y htop \\
                && dnf clean all
            """,
            because="bring the repository",
        ),
        leaves(
            "what is deleted again has its own name",
            """
            FROM alpine:3.20
            RUN apk add --no-cache --virtual .build gcc \\
                && apk add --no-cache curl
            """,
            because="`--virtual`",
        ),
        leaves(
            "an answer is set between",
            """
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && apt-get install -y debconf-utils \\
                && echo "tzdata tzdata/Areas select Europe" | debconf-set-selections \\
                && apt-get install -y tzdata
            """,
        ),
        leaves(
            "a source is added between",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            RUN curl -o /etc/apt/sources.list.d/a.list https://example.org/a.list
            RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*
            """,
        ),
        leaves(
            "one of them asks nothing",
            """
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && DEBIAN_FRONTEND=noninteractive apt-get install -y tzdata \\
                && apt-get install -y curl
            """,
            because="variables, redirections or the user differ",
        ),
        leaves(
            "the author wants them apart",
            """
            FROM debian:bookworm-slim
            # in separate commands, to avoid time outs
            RUN apt-get install -y libgtk-3-0
            RUN apt-get install -y xvfb
            """,
            because="the comment above it asks for separate commands",
        ),
        leaves(
            "pip resolves each list for itself",
            """
            FROM python:3.12-slim
            RUN pip install --no-cache-dir flask && pip install --no-cache-dir gunicorn
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            row: _Row | None = None
            for node in stage.instructions:
                if row is not None and row.takes(file, node):
                    continue
                if row is not None:
                    yield from row.finding()
                row = None
                script = script_of(file, node) if node.keyword == "RUN" else ""
                if not isinstance(script, str) and any(call.action == "install" for call in package_calls(script)):
                    joined, reason = _with_one_list(node, script)
                    row = _Row(node, joined, kept_apart(file, stage))
                    if reason is not None:
                        yield refuse(node, reason)
            if row is not None:
                yield from row.finding()


class _Row:
    """RUNs that follow one another and do nothing but update, install with the same flags, and clean up."""

    def __init__(self, node: Instruction, joined: Instruction, apart: Collection[Instruction]) -> None:
        self.nodes = [node]
        self.apart = apart
        """RUNs that the author wants to stay commands of their own."""
        self.is_asked = False
        """One of those would belong to the row."""
        self.joined = joined
        """The first one, its own calls made one."""
        self.script = read(joined.argument)
        self.plain = _plain(self.script)
        self.packages: list[str] = []
        """Those of the others."""
        self.cleanings = () if self.plain is None else self.plain.cleanings

    def takes(self, file: Dockerfile, node: Instruction) -> bool:
        """Whether the next instruction belongs to the row; then it is added."""
        first, above = self.plain, self.nodes[-1]
        if first is None or [flag.text for flag in above.flags] != [flag.text for flag in node.flags]:
            return False
        if node.keyword != "RUN" or file.comments_above(node) or node.has_inner_comment:
            return False
        script = script_of(file, node)
        if isinstance(script, str):
            return False
        second = _plain(read(_with_one_list(node, script)[0].argument))
        if second is None or why_not_one_list(first.install, second.install) is not None:
            return False
        if first.has_update != second.has_update or not _is_one_piece(self.script, first.install):
            return False
        if node in self.apart:
            self.is_asked = True
            return False
        if not set(second.cleanings) <= set(self.cleanings):
            if not set(self.cleanings) <= set(second.cleanings):
                return False
            self.cleanings = second.cleanings
        self.packages += [word.text for word in second.install.packages]
        self.nodes.append(node)
        return True

    def finding(self) -> Iterator[Finding | Refusal]:
        first, new = self.plain, self.joined
        if self.is_asked:
            yield refuse(self.nodes[0], "the comment above it asks for separate commands")
        if first is not None and self.cleanings != first.cleanings:
            cleaning = "".join(f" \\\n    && {text}" for text in self.cleanings)
            new = new.splice([(first.install.command.span[1], self.script.top[-1].span[1], cleaning)])
        if first is not None and len(self.nodes) > 1:
            new = _with_packages(new, first.install, self.packages)
        if new is not self.nodes[0]:
            yield Finding(
                self.nodes[0],
                "install the packages in one call",
                [Replace(self.nodes[0], [new]), *(Remove(node) for node in self.nodes[1:])],
                why="the lists are read and dependencies resolved once, and all packages stand in one place",
            )


def _install(command: Command | None) -> PackageCall | None:
    call = _call(command)
    return call if call is not None and call.action == "install" and call.packages else None


def _with_one_list(node: Instruction, script: ShellScript) -> tuple[Instruction, str | None]:
    """The RUN with calls that can be one as one, and why two that follow one another cannot."""
    reason = None
    at = 0
    while at + 1 < len(script.top):
        first = _install(script.top[at].command)
        why_not = None if first is None else _why_not_joined(node, script, first, at)
        if first is None or why_not is not None:
            reason = reason or why_not or None
            at += 1
            continue
        end = at + 1
        while end + 1 < len(script.top) and _why_not_joined(node, script, first, end) is None:
            end += 1
        calls = [call for item in script.top[at + 1 : end + 1] if (call := _install(item.command)) is not None]
        node = node.splice([(script.top[at].span[1], script.top[end].span[1], "")])
        node = _with_packages(node, first, [word.text for call in calls for word in call.packages])
        script = read(node.argument)
    return node, reason


def _why_not_joined(node: Instruction, script: ShellScript, first: PackageCall, index: int) -> str | None:
    """Why the item behind the one at ``index`` does not go into the list of ``first``; "" where there is nothing to
    say of it."""
    item, following = script.top[index], script.top[index + 1]
    second = _install(following.command)
    if second is None or second.manager != first.manager or first.manager not in SYSTEM_MANAGERS:
        return ""
    if following.connector_before != "&&" and not (following.connector_before != "||" and script.joint == ";"):
        return ""
    if second.command.is_conditional or first.command.is_conditional:
        return ""
    reason = why_not_one_list(first, second)
    if reason is None and "#" in node.raw(item.span[0], following.span[1]):
        reason = "there are comments in the list"
    if reason is None and not _is_one_piece(script, first):
        reason = "options stand between the packages"
    return None if reason is None else f"two calls of {first.program} cannot be one: {reason}"


def _is_one_piece(script: ShellScript, call: PackageCall) -> bool:
    return all(not script.text[one.span[1] : two.span[0]].strip() for one, two in zip(call.packages, call.packages[1:]))


def _with_packages(node: Instruction, call: PackageCall, more: Sequence[str]) -> Instruction:
    """The RUN with more packages in the list of one of its calls, as the list is written, or as long ones are."""
    own = [word.text for word in call.packages]
    words = list(dict.fromkeys([*own, *more]))
    head, tail = call.packages[0].span[0], call.packages[-1].span[1]
    if "\n" in node.raw(head, tail):
        gaps = [node.raw(one.span[1], two.span[0]) for one, two in zip(call.packages, call.packages[1:])]
        gap = next(gap for gap in reversed(gaps) if "\n" in gap)
        new = words[len(set(own)) :]
        more = gap + (gap if all("\n" in gap for gap in gaps) else " ").join(new) if new else ""
        return node.splice([(tail, tail, more)], as_written=True)
    written = call.command.words
    gap = node.raw(written[written.index(call.packages[0]) - 1].span[1], head)
    if "\n" in gap and "#" not in gap:
        return node.splice([(head, tail, gap.join(words))], as_written=True)
    if len(words) <= MAX_ON_A_LINE:
        return node.splice([(head, tail, " ".join(words))])
    return node.splice([(head, tail, "\\\n        " + " \\\n        ".join(words))])


class _Plain(NamedTuple):
    """A script that only updates, installs in one call, and cleans up."""

    has_update: bool
    install: PackageCall
    cleanings: tuple[str, ...]


def _plain(script: ShellScript) -> _Plain | None:
    if script.opaque is not None or not script.is_and_list:
        return None
    items = list(script.top)
    has_update = False
    while items and (call := _call(items[0].command)) is not None and call.action == "update":
        has_update = True
        items.pop(0)
    install = _install(items[0].command) if items else None
    if install is None:
        return None
    commands = [item.command for item in items[1:]]
    if not all(command is not None and is_cleaning(command, install.manager) for command in commands):
        return None
    return _Plain(has_update, install, tuple(script.text[slice(*item.span)] for item in items[1:]))


def _call(command: Command | None) -> PackageCall | None:
    return None if command is None else package_call(command)
