"""clean-package-cache"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor import (
    CACHE_PLACES,
    Aspect,
    Body,
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
    StageReading,
    body_of,
    is_cleaned,
    is_cleaning,
    leaves,
    only_cleans,
    package_calls,
    refuse,
    rewrites,
    why_lists_needed,
    why_lists_needed_above,
)

CLEANINGS = {
    "dnf": "dnf clean all",
    "yum": "yum clean all",
    "microdnf": "microdnf clean all",
    "zypper": "zypper clean --all",
}
INDEXLESS = frozenset(("update", "install", "upgrade", "remove", "clean"))
"""What apk does without an index on disk."""
LISTS = "rm -rf /var/lib/apt/lists/*"


class CleanPackageCache(Codemod):
    """Leave package caches out of the layer that makes them.

    Why
    ---
    Package lists and downloaded archives are of no use in an image, and make it tens of megabytes larger. Removed in a
    later RUN they are shipped all the same.

    What it does
    ------------
    In the RUN that installs: `rm -rf /var/lib/apt/lists/*` behind apt-get; `apk add --no-cache`, which needs no `apk
    update` before it and leaves nothing that an `rm` behind it would remove; `dnf clean all` (yum,
    microdnf, zypper alike), `pip install --no-cache-dir`; in the stage that is shipped also `npm cache clean --force`
    and `yarn cache clean` (yarn 1). A later RUN that does nothing but clean the package lists once more goes.

    When it refuses
    ---------------
    When a later install relies on the package lists, or a script that is called later may (the build context does not
    hold it); when the RUN is in exec form, a heredoc without `set -e`, or ends so that nothing can be put behind it.
    Caches that are a mount, are switched off by a variable, or are removed already are left as they are.

    Safety
    ------
    SAFE: caches are no part of what a program runs on.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    reach = Phase.CACHE
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
        rewrites(
            "the lists are needed, pip's cache is not",
            before="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y python3-pip && pip install requests
            RUN apt-get install -y git
            """,
            after="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y python3-pip && pip install --no-cache-dir requests
            RUN apt-get install -y git
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
        rewrites(
            "a later install brings its own lists under its condition",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            ARG DEBUG
            RUN test -z "$DEBUG" || (apt-get update && apt-get install -y gdb)
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl \\
                && rm -rf /var/lib/apt/lists/*
            ARG DEBUG
            RUN test -z "$DEBUG" || (apt-get update && apt-get install -y gdb) \\
                && rm -rf /var/lib/apt/lists/*
            """,
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
        rewrites(
            "an index that nothing needs",
            before="""
            FROM alpine:3.20
            RUN apk update && apk upgrade && apk add curl jq \\
                && rm -rf /var/cache/apk/*
            RUN apk --update add \\
                git && \\
                rm -rf /var/cache/apk/*
            """,
            after="""
            FROM alpine:3.20
            RUN apk upgrade --no-cache && apk add --no-cache curl jq
            RUN apk --no-cache add \\
                git
            """,
        ),
        rewrites(
            "heredocs",
            before="""
            # syntax=docker/dockerfile:1
            FROM alpine:3.20
            RUN <<EOF
            apk update
            apk add git
            EOF
            RUN <<EOF
              set -e
              dnf install -y nginx
              pip install flask
            EOF
            """,
            after="""
            # syntax=docker/dockerfile:1
            FROM alpine:3.20
            RUN <<EOF
            apk add --no-cache git
            EOF
            RUN <<EOF
              set -e
              dnf install -y nginx
              pip install --no-cache-dir flask
              dnf clean all
            EOF
            """,
        ),
        leaves(
            "an apk that has no --no-cache",
            """
            FROM alpine:3.2
            RUN apk update && apk add curl && rm -rf /var/cache/apk/*
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
            runs = [(node, body_of(file, node)) for node in stage.instructions if node.keyword == "RUN"]
            has_lists = any("apt" in node.text for node, _ in runs)
            needed = why_lists_needed(reading, runs) if has_lists else [None] * len(runs)
            results = []
            for (node, body), reason in zip(runs, needed):
                if isinstance(body, str):
                    result: Finding | Refusal | None = _unreadable(node, body)
                else:
                    result = self._clean(reading, body, reason)
                if result is not None:
                    results.append(result)
            yield from results or _late_cleanings(file, runs)

    def _clean(self, reading: StageReading, body: Body, why_needed: str | None) -> Finding | Refusal | None:
        file, context, node, script = reading.file, reading.context, body.node, body.script
        is_shipped = reading.stage.index in file.shipped
        calls = package_calls(script)
        changes: list[tuple[int, int, str]] = []
        behind: list[str] = []
        names: list[str] = []
        refusal: Refusal | None = None
        for manager in dict.fromkeys(call.manager for call in calls):
            own = [call for call in calls if call.manager == manager]
            if manager not in CACHE_PLACES or _is_mounted(node, manager):
                continue
            if manager == "apk":
                found = _without_index(body, own) if _has_no_cache(reading) else []
                changes += found
                has_index = not found and any(call.action == "update" for call in own)
                if has_index and not is_cleaned(script, manager, own):
                    behind.append(f"{_sudo(own)}rm -rf /var/cache/apk/*")
                elif not found:
                    continue
            elif is_cleaned(script, manager, own):
                continue
            elif manager == "apt":
                # Without an update of its own the RUN adds no lists, and removing those of a layer below frees nothing.
                if not {"update"} <= {call.action for call in own} or not {"install", "upgrade"} & {
                    c.action for c in own
                }:
                    continue
                reason = why_needed or why_lists_needed_above(file, context).get(reading.stage.index)
                if reason is not None:
                    refusal = refuse(node, reason, "run apt-get update there")
                    continue
                behind.append(f"{_sudo(own)}{LISTS}")
            elif manager in CLEANINGS and any(call.action in {"install", "upgrade", "update"} for call in own):
                behind.append(_sudo(own) + CLEANINGS[manager])
            elif manager == "pip":
                if not _is_switched_off(file, node, "PIP_NO_CACHE_DIR"):
                    changes += [
                        _behind_verb(call, "--no-cache-dir")
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
            return refusal
        if behind:
            reason = _why_not_behind(body)
            if reason is not None:
                if not changes:
                    return refuse(node, reason, f"put `{' && '.join(behind)}` before that")
                behind = []
        if behind:
            changes.append(_behind(body, behind))
        return Finding(
            node,
            f"leave the cache of {' and '.join(names)} out of the layer",
            [Replace(node, [body.splice(changes)])],
            why="a cache is of no use in an image, and a later RUN cannot take it out again",
        )


def _behind(body: Body, commands: Sequence[str]) -> tuple[int, int, str]:
    """The change that puts commands behind the last one, in front of a comment, in the place of a last `;`."""
    script = body.script
    start = script.top[-1].span[1]
    if body.is_heredoc:
        line = script.text[script.text.rfind("\n", 0, script.top[-1].span[0]) + 1 :]
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        return start, start, "".join((f"\n{indent}" if script.joint == ";" else " && ") + each for each in commands)
    seam = "; \\\n    " if script.joint == ";" else " \\\n    && "
    end = len(script.text) if script.trailing == ";" else start
    return start, end, "".join(seam + command for command in commands)


def _has_no_cache(reading: StageReading) -> bool:
    """Whether apk knows `--no-cache`, as far as the base image's release is known: since Alpine 3.3."""
    image = reading.image
    release = image.release if image is not None and image.distro == "alpine" else None
    return release is None or tuple(int(part) for part in release.split(".") if part.isdigit()) >= (3, 3)


def _without_index(body: Body, own: Sequence[PackageCall]) -> list[tuple[int, int, str]]:
    """The changes that have apk keep no index: `apk add --no-cache`, and no `apk update` before or `rm` behind it.

    `--no-cache` reads the index anew without a file for it (apk(8)), so an update is of no use to it.
    """
    updates = [call for call in own if call.action == "update"]
    fetching = [call for call in own if call.action == "install" and not call.has("--cache-dir")]
    gone: list[tuple[int, int, str]] = []
    if updates:
        first = updates[0].command.span
        if not any(call.command.span > first for call in fetching) or any(call.action not in INDEXLESS for call in own):
            return []
        if (found := body.removal([call.command for call in updates])) is None:
            return []
        gone = found
        fetching += [call for call in own if call.action == "upgrade" and call.command.span > first]
    flags = [_no_cache(call) for call in fetching if not call.has("--no-cache")]
    names = {(command.name or "sh").rpartition("/")[2] for command in body.script.commands}
    others = [call for call in own if call.action not in ("remove", "update", "clean") and call not in fetching]
    if fetching and not any(name.endswith("sh") for name in names) and all(call.has("--no-cache") for call in others):
        cleanings = [command for command in body.script.commands if is_cleaning(command, "apk")]
        both = body.removal([*(call.command for call in updates), *cleanings])
        gone = gone if both is None else both
    return [*gone, *flags]


def _no_cache(call: PackageCall) -> tuple[int, int, str]:
    updating = next((word for word in call.command.words if word.value in {"-U", "--update", "--update-cache"}), None)
    return _behind_verb(call, "--no-cache") if updating is None else (*updating.span, "--no-cache")


def _unreadable(node: Instruction, reason: str) -> Refusal | None:
    """The answer for a RUN that installs from lists of its own, but is no script that can be added to."""
    body = " ".join([*(node.json or ()), node.argument, *(heredoc.body for heredoc in node.heredocs)])
    is_open = re.search(r"\bapt(?:-get)?\b.*\binstall\b", body, re.DOTALL) and "/var/lib/apt" not in body
    return refuse(node, reason, f"add `{LISTS}` behind the install") if is_open else None


def _late_cleanings(file: Dockerfile, runs: Sequence[tuple[Instruction, Body | str]]) -> Iterator[Finding]:
    """RUNs that clean what the RUNs before them have cleaned themselves by now."""
    is_filled = False
    for node, body in runs:
        if isinstance(body, str) or any((command.name or "").endswith(".sh") for command in body.script.commands):
            return
        script = body.script
        if any(call.manager == "apt" and call.action == "update" for call in package_calls(script)):
            is_filled = True
        elif is_filled and only_cleans(script, "apt") and not node.flags and not file.comments_above(node):
            yield Finding(
                node,
                "leave out a cleaning that comes too late",
                [Remove(node)],
                why="a layer keeps what a later one removes, and each RUN cleans up behind itself",
            )


def _is_mounted(node: Instruction, manager: str) -> bool:
    mounts = node.flag_values("mount")
    if any(place in mount for mount in mounts for place in CACHE_PLACES[manager]):
        return True
    # In another home, or where a variable has it.
    cache = r"\.cache|" if manager in {"pip", "yarn"} else ""
    named = rf"target=[^,]*/(?:{cache}[^,]*\b{manager})\b"
    return any("type=cache" in mount and re.search(named, mount) for mount in mounts)


def _sudo(own: Sequence[PackageCall]) -> str:
    return "sudo " if any("sudo" in call.command.wrappers for call in own) else ""


def _behind_verb(call: PackageCall, flag: str) -> tuple[int, int, str]:
    """Right behind the word that says what to do: `pip install` takes options there whatever follows."""
    end = call.verb_word.span[1]
    return end, end, f" {flag}"


def _is_switched_off(file: Dockerfile, node: Instruction, variable: str) -> bool:
    value = file.environment(node).get(variable, "")
    return value is None or value.strip("'\"").lower() not in {"", "0", "off", "false", "no"}


def _is_yarn_1(context: BuildContext) -> bool:
    lock = context.read("yarn.lock")
    return isinstance(lock, str) and "# yarn lockfile v1" in lock[:500]


def _why_not_behind(body: Body) -> str | None:
    script = body.script
    if body.is_heredoc and script.joint == "&&" and not script.is_and_list:
        return "its body is a heredoc that goes on after a command that failed: it has no `set -e`"
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
