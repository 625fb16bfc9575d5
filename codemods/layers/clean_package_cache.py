"""clean-package-cache"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from refactor import (
    CACHES,
    Aspect,
    BuildContext,
    Codemod,
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
    Stage,
    StageReading,
    called_scripts,
    leaves,
    lives_on_lists,
    only_cleans,
    package_calls,
    refuse,
    rewrites,
    script_of,
)

CLEANINGS = {
    "dnf": "dnf clean all",
    "yum": "yum clean all",
    "microdnf": "microdnf clean all",
    "zypper": "zypper clean --all",
}
PLACES = {
    **CACHES,
    "pip": ("/root/.cache", "~/.cache", "$HOME/.cache"),
    "npm": ("/root/.npm", "~/.npm", "$HOME/.npm"),
    "yarn": ("/usr/local/share/.cache", "/root/.cache", "~/.cache"),
}
LISTS = "rm -rf /var/lib/apt/lists/*"


class CleanPackageCache(Codemod):
    """Leave package caches out of the layer that makes them.

    Why
    ---
    Package lists and downloaded archives are of no use in an image, and make it tens of megabytes larger. Removed in a
    later RUN they are shipped all the same.

    What it does
    ------------
    In the RUN that installs: `rm -rf /var/lib/apt/lists/*` behind apt-get, `apk add --no-cache`, `dnf clean all` (yum,
    microdnf, zypper alike), `pip install --no-cache-dir`; in the stage that is shipped also `npm cache clean --force`
    and `yarn cache clean` (yarn 1). A later RUN that does nothing but clean the package lists once more goes.

    When it refuses
    ---------------
    When a later install relies on the package lists, or a script that is called later may (the build context does not
    hold it); when the RUN is a heredoc or in exec form, or ends so that nothing can be put behind it. Caches that are a
    mount, are switched off by a variable, or are removed already are left as they are.

    Safety
    ------
    SAFE: caches are no part of what a program runs on.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE, Aspect.LAYERS})
    hadolint = ("DL3009", "DL3019", "DL3032", "DL3036", "DL3040", "DL3042", "DL3060")
    examples = (
        rewrites(
            "apt lists",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                curl \\
                git
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y \\
                curl \\
                git \\
                && rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "apk, pip and npm",
            before="""
            FROM node:20-alpine
            RUN apk add python3
            RUN pip install requests
            RUN npm ci
            """,
            after="""
            FROM node:20-alpine
            RUN apk add --no-cache python3
            RUN pip install --no-cache-dir requests
            RUN npm ci \\
                && npm cache clean --force
            """,
        ),
        rewrites(
            "dnf",
            before="""
            FROM fedora:40
            RUN dnf install -y nginx
            """,
            after="""
            FROM fedora:40
            RUN dnf install -y nginx \\
                && dnf clean all
            """,
        ),
        leaves(
            "removed already",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            """,
        ),
        leaves(
            "the cache is a mount",
            """
            # syntax=docker/dockerfile:1
            FROM python:3.11-slim
            RUN --mount=type=cache,target=/root/.cache/pip pip install requests
            """,
        ),
        leaves(
            "pip is told by a variable",
            """
            FROM python:3.11-slim
            ENV PIP_NO_CACHE_DIR=1
            RUN pip install requests
            """,
        ),
        leaves(
            "a later install needs the lists",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            ARG DEBUG
            RUN if [ -n "$DEBUG" ]; then apt-get install -y gdb; fi
            """,
            because="relies on the package lists",
        ),
        leaves(
            "a script that is not there may need the lists",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y sudo
            COPY setup.sh /
            RUN /setup.sh
            """,
            because="runs /setup.sh, which is not in the build context",
        ),
        leaves(
            "the script needs the lists",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y sudo
            COPY setup.sh /
            RUN sh /setup.sh
            """,
            files={"setup.sh": "apt-get install -y git\n"},
            because="relies on the package lists",
        ),
        rewrites(
            "the script brings its own lists",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y sudo
            COPY setup.sh /
            RUN sh /setup.sh
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y sudo \\
                && rm -rf /var/lib/apt/lists/*
            COPY setup.sh /
            RUN sh /setup.sh
            """,
            files={"setup.sh": "apt-get update\napt-get install -y git\n"},
        ),
        rewrites(
            "lines under set -e",
            before="""
            FROM debian:bookworm-slim
            RUN set -eux; \\
              apt-get update; \\
              apt-get install -y curl
            """,
            after="""
            FROM debian:bookworm-slim
            RUN set -eux; \\
              apt-get update; \\
              apt-get install -y curl; \\
              rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "a semicolon at the end, a comment at the end",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && \\
              apt-get install -y curl;
            RUN apt-get update && apt-get install -y git # for the version
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && \\
              apt-get install -y curl && \\
              rm -rf /var/lib/apt/lists/*
            RUN apt-get update && apt-get install -y git && \\
              rm -rf /var/lib/apt/lists/* # for the version
            """,
        ),
        rewrites(
            "the flag stands at one of the calls",
            before="""
            FROM alpine:3.20
            RUN apk add --no-cache curl && apk add git
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache curl && apk add --no-cache git
            """,
        ),
        leaves(
            "dist-clean takes the lists too",
            """
            FROM debian:trixie-slim
            RUN set -eux; apt-get update; apt-get install -y curl; apt-get dist-clean
            """,
        ),
        rewrites(
            "cleaned before the last update, and once more in a RUN of its own",
            before="""
            FROM debian:bookworm-slim
            RUN rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y curl
            ENV LANG=C.UTF-8

            RUN apt-get clean && rm -rf /var/lib/apt/lists/*

            CMD ["curl", "--version"]
            """,
            after="""
            FROM debian:bookworm-slim
            RUN rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y curl \\
                && rm -rf /var/lib/apt/lists/*
            ENV LANG=C.UTF-8

            CMD ["curl", "--version"]
            """,
        ),
        leaves(
            "a heredoc",
            """
            FROM debian:bookworm-slim
            RUN <<EOF
            apt-get update
            apt-get install -y curl
            EOF
            """,
            because="its body is a heredoc",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            runs = [(node, script_of(file, node)) for node in stage.instructions if node.keyword == "RUN"]
            needed = _lists_needed_after(reading, runs)
            results = []
            for (node, script), reason in zip(runs, needed):
                if isinstance(script, str):
                    result: Finding | Refusal | None = _unreadable(node, script)
                else:
                    result = self._clean(file, context, node, script, stage, reason)
                if result is not None:
                    results.append(result)
            yield from results or _late_cleanings(file, runs)

    def _clean(
        self,
        file: Dockerfile,
        context: BuildContext,
        node: Instruction,
        script: ShellScript,
        stage: Stage,
        why_needed: str | None,
    ) -> Finding | Refusal | None:
        is_shipped = stage.index in file.shipped
        calls = package_calls(script)
        changes: list[tuple[int, int, str]] = []
        behind: list[str] = []
        names: list[str] = []
        for manager in dict.fromkeys(call.manager for call in calls):
            own = [call for call in calls if call.manager == manager]
            if manager not in PLACES or _is_cleaned(node, script, manager, own):
                continue
            if manager == "apt":
                # Without an update of its own the RUN adds no lists, and removing those of a layer below frees nothing.
                if not {"update"} <= {call.action for call in own} or not {"install", "upgrade"} & {
                    c.action for c in own
                }:
                    continue
                reason = why_needed or _why_children_need_lists(file, context).get(stage.index)
                if reason is not None:
                    return refuse(node, reason, "run apt-get update there")
                behind.append(f"{_sudo(own)}{LISTS}")
            elif manager == "apk":
                if any(call.action == "update" for call in own):
                    behind.append(f"{_sudo(own)}rm -rf /var/cache/apk/*")
                else:
                    changes += [
                        _behind_action(call, "--no-cache")
                        for call in own
                        if call.action == "install" and not call.has("--no-cache")
                    ]
            elif manager in CLEANINGS and any(call.action in {"install", "upgrade", "update"} for call in own):
                behind.append(_sudo(own) + CLEANINGS[manager])
            elif manager == "pip":
                if not _is_switched_off(file, node, "PIP_NO_CACHE_DIR"):
                    changes += [
                        _behind_action(call, "--no-cache-dir")
                        for call in own
                        if call.action == "install" and not call.has("--no-cache-dir", "--cache-dir")
                    ]
            elif manager == "npm" and is_shipped:
                if any(call.action in {"install", "ci", "global-install"} and not call.has("--cache") for call in own):
                    behind.append("npm cache clean --force")
            elif manager == "yarn" and is_shipped and _is_yarn_1(context):
                if any(call.action in {"install", "add", "global-install"} for call in own):
                    behind.append("yarn cache clean")
            else:
                continue
            names.append(manager)
        if not changes and not behind:
            return None
        if behind:
            reason = _why_not_behind(script)
            if reason is not None:
                if not changes:
                    return refuse(node, reason, f"put `{' && '.join(behind)}` before that")
                behind = []
        if behind:
            changes.append(_behind(node, script, behind))
        return Finding(
            node,
            f"leave the cache of {' and '.join(names)} out of the layer",
            [Replace(node, [node.splice(changes)])],
            why="a cache is of no use in an image, and a later RUN cannot take it out again",
        )


def _behind(node: Instruction, script: ShellScript, commands: Sequence[str]) -> tuple[int, int, str]:
    """The change that puts commands behind the last one, in front of a comment, in the place of a last `;`."""
    seam = "; \\\n    " if script.joint == ";" else " \\\n    && "
    start = script.top[-1].span[1]
    end = len(node.argument) if script.trailing == ";" else start
    return start, end, "".join(seam + command for command in commands)


def _unreadable(node: Instruction, reason: str) -> Refusal | None:
    """The answer for a RUN that installs from lists of its own, but is no script that can be added to."""
    body = " ".join([*(node.json or ()), node.argument, *(heredoc.body for heredoc in node.heredocs)])
    is_open = re.search(r"\bapt(?:-get)?\b.*\binstall\b", body, re.DOTALL) and "/var/lib/apt" not in body
    return refuse(node, reason, f"add `{LISTS}` behind the install") if is_open else None


def _late_cleanings(file: Dockerfile, runs: Sequence[tuple[Instruction, ShellScript | str]]) -> Iterator[Finding]:
    """RUNs that clean what the RUNs before them have cleaned themselves by now."""
    is_filled = False
    for node, script in runs:
        if isinstance(script, str) or any((command.name or "").endswith(".sh") for command in script.commands):
            return
        if any(call.manager == "apt" and call.action == "update" for call in package_calls(script)):
            is_filled = True
        elif is_filled and only_cleans(script, "apt") and not node.flags and not file.comments_above(node):
            yield Finding(
                node,
                "leave out a cleaning that comes too late",
                [Remove(node)],
                why="a layer keeps what a later one removes, and each RUN cleans up behind itself",
            )


def _is_cleaned(node: Instruction, script: ShellScript, manager: str, own: Sequence[PackageCall]) -> bool:
    places = PLACES[manager]
    if any(place in mount for mount in node.flag_values("mount") for place in places):
        return True
    # Lists come with the update, all other caches with the installs.
    fills = {"update"} if manager == "apt" else {"install", "upgrade", "update", "ci", "add"}
    last = max((call.command.span for call in own if call.action in fills), default=(0, 0))
    for command in script.commands:
        if command.span < last or command.name not in {"rm", "find"}:
            continue
        if any(arg.startswith(places) or arg in places for arg in command.args):
            return True
        if command.name == "rm" and any(
            arg.rstrip("/*") in {"/root/.cache", "/var/cache", "/var/lib/apt"} for arg in command.args
        ):
            return True
    cleanings = [call for call in own if call.action == "clean" and call.command.span > last]
    if manager == "apt":
        # `apt-get clean` leaves the lists, `distclean` takes them too (apt-get(8)).
        return any(call.verb in {"distclean", "dist-clean"} for call in cleanings)
    if cleanings:
        return True
    return manager == "apk" and all(call.has("--no-cache") for call in own if call.action == "install")


def _lists_needed_after(
    reading: StageReading, runs: Sequence[tuple[Instruction, ShellScript | str]]
) -> list[str | None]:
    """For each RUN, and before them all as the last entry, why a later one needs the lists that are there, if so."""
    needed: list[str | None] = [None]
    for node, script in reversed(runs):
        needed.append(needed[-1] if isinstance(script, str) else _why_needed(reading, node, script, needed[-1]))
    before = needed.pop()
    return [*reversed(needed), before]


def _why_needed(reading: StageReading, node: Instruction, script: ShellScript, after: str | None) -> str | None:
    """Why the RUN, or else what comes after it, needs package lists; None where it makes its own."""
    uses: list[tuple[tuple[int, int], str | None]] = []
    line = reading.file.line_of(node)
    for call in package_calls(script):
        if call.manager == "apt" and call.action == "update" and not call.command.is_conditional:
            uses.append((call.command.span, None))
        elif call.manager == "apt" and call.action in {"install", "upgrade"}:
            uses.append((call.command.span, f"the RUN on line {line} relies on the package lists of this one"))
    for command, path, text in called_scripts(reading, node, script):
        if text is None:
            reason = f"line {line} runs {path}, which is not in the build context and may rely on the package lists"
            uses.append((command.span, reason))
        elif lives_on_lists(text):
            uses.append((command.span, f"{path}, run on line {line}, relies on the package lists of this one"))
    return min(uses)[1] if uses else after


@lru_cache(maxsize=1)
def _why_children_need_lists(file: Dockerfile, context: BuildContext) -> Mapping[int, str]:
    """Why a stage that is built from another one needs its package lists, by the index of that other stage."""
    found: dict[int, str] = {}
    for child in reversed(file.stages):
        parent = file.stage_before(child.index, child.image)
        if parent is not None:
            runs = [(node, script_of(file, node)) for node in child.instructions if node.keyword == "RUN"]
            reading = StageReading.of(file, child, context)
            reason = _lists_needed_after(reading, runs)[-1] or found.get(child.index)
            if reason is not None:
                found[parent.index] = reason
    return found


def _sudo(own: Sequence[PackageCall]) -> str:
    return "sudo " if any("sudo" in call.command.wrappers for call in own) else ""


def _behind_action(call: PackageCall, flag: str) -> tuple[int, int, str]:
    """Right behind the word that says what to do: `pip install` takes options there whatever follows."""
    names = {"add", "install"}
    word = next((word for word in call.command.words[1:] if word.value in names), call.command.words[0])
    return word.span[1], word.span[1], f" {flag}"


def _is_switched_off(file: Dockerfile, node: Instruction, variable: str) -> bool:
    value = file.environment(node).get(variable, "")
    return value is None or value.strip("'\"").lower() not in {"", "0", "off", "false", "no"}


def _is_yarn_1(context: BuildContext) -> bool:
    lock = context.read("yarn.lock")
    return isinstance(lock, str) and "# yarn lockfile v1" in lock[:500]


def _why_not_behind(script: ShellScript) -> str | None:
    if script.trailing == "&":
        return "the script ends in a `&`"
    if script.has_heredoc:
        return "the script has a here-document"
    last = script.top[-1] if script.top else None
    if last is None or (last.command is not None and last.command.name in {"exit", "exec", "return"}):
        return "the script ends its shell itself"
    if any(item.command is not None and "exec" in item.command.wrappers for item in script.top):
        return "the script ends its shell itself"
    return None
