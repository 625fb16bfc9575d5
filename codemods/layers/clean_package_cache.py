"""clean-package-cache"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    PackageCall,
    Phase,
    Refusal,
    Replace,
    Safety,
    ShellScript,
    Stage,
    leaves,
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
CACHES = {
    "apt": ("/var/lib/apt", "/var/cache/apt"),
    "apk": ("/var/cache/apk", "/etc/apk/cache"),
    "dnf": ("/var/cache/dnf", "/var/cache/libdnf5"),
    "yum": ("/var/cache/yum", "/var/cache/dnf"),
    "microdnf": ("/var/cache/yum", "/var/cache/dnf"),
    "zypper": ("/var/cache/zypp",),
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
    and `yarn cache clean` (yarn 1).

    When it refuses
    ---------------
    When a later install relies on the package lists, or the script ends so that nothing can be put behind it. Caches
    that are a mount, are switched off by a variable, or are removed already are left as they are.

    Safety
    ------
    SAFE: caches are no part of what a program runs on.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE})
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
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        shipped = _shipped(file)
        for stage in file.stages:
            nodes = [node for node in stage.instructions if node.keyword == "RUN"]
            scripts = [script_of(file, node) for node in nodes]
            needed = _lists_needed_after(scripts)
            for node, script, is_needed in zip(nodes, scripts, needed):
                if isinstance(script, str):
                    continue
                result = self._clean(file, context, node, script, stage.index in shipped, stage, is_needed)
                if result is not None:
                    yield result

    def _clean(
        self,
        file: Dockerfile,
        context: BuildContext,
        node: Instruction,
        script: ShellScript,
        is_shipped: bool,
        stage: Stage,
        is_needed: bool,
    ) -> Finding | Refusal | None:
        calls = package_calls(script)
        changes: list[tuple[int, int, str]] = []
        behind: list[str] = []
        names: list[str] = []
        for manager in dict.fromkeys(call.manager for call in calls):
            own = [call for call in calls if call.manager == manager]
            if manager not in CACHES or _is_cleaned(node, script, manager, own):
                continue
            if manager == "apt":
                # Without an update of its own the RUN adds no lists, and removing those of a layer below frees nothing.
                if not {"update"} <= {call.action for call in own} or not {"install", "upgrade"} & {
                    c.action for c in own
                }:
                    continue
                if is_needed or _children_need_lists(file, stage):
                    return refuse(
                        node, "a later RUN relies on the package lists of this one", "run apt-get update there"
                    )
                behind.append(f"{_sudo(own)}{LISTS}")
            elif manager == "apk":
                if any(call.action == "update" for call in own):
                    behind.append(f"{_sudo(own)}rm -rf /var/cache/apk/*")
                else:
                    changes += [_behind_action(call, "--no-cache") for call in own if call.action == "install"]
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
                    return refuse(node, reason)
                behind = []
        size = len(node.argument)
        if behind:
            changes.append((size, size, "".join(f" \\\n    && {command}" for command in behind)))
        return Finding(
            node,
            f"leave the cache of {' and '.join(names)} out of the layer",
            [Replace(node, [node.splice(changes)])],
            why="a cache is of no use in an image, and a later RUN cannot take it out again",
        )


def _shipped(file: Dockerfile) -> set[int]:
    """The last stage and those that it is built from: what is in their layers is shipped."""
    found: set[int] = set()
    stage = file.stages[-1] if file.stages else None
    while stage is not None and stage.index not in found:
        found.add(stage.index)
        parent = file.stage(stage.image)
        stage = parent if parent is not None and parent.name and parent.index < stage.index else None
    return found


def _is_cleaned(node: Instruction, script: ShellScript, manager: str, own: Sequence[PackageCall]) -> bool:
    places = CACHES[manager]
    if any(place in mount for mount in node.flag_values("mount") for place in places):
        return True
    for command in script.commands:
        if command.name in {"rm", "find"} and any(arg.startswith(places) or arg in places for arg in command.args):
            return True
        if command.name == "rm" and any(
            arg.rstrip("/*") in {"/root/.cache", "/var/cache", "/var/lib/apt"} for arg in command.args
        ):
            return True
    if manager == "apt":
        return False
    last = max(
        (c.command.span for c in own if c.action in {"install", "upgrade", "update", "ci", "add"}), default=(0, 0)
    )
    if any(call.action == "clean" and call.command.span > last for call in own):
        return True
    return manager == "apk" and all(call.has("--no-cache") for call in own if call.action == "install")


def _lists_needed_after(scripts: Sequence[ShellScript | str]) -> list[bool]:
    """For each RUN, and before them all as the last entry, whether an install follows before the next update."""
    needed = [False]
    for script in reversed(scripts):
        needed.append(needed[-1] if isinstance(script, str) else _is_needed_before(script, needed[-1]))
    before = needed.pop()
    return [*reversed(needed), before]


def _is_needed_before(script: ShellScript, is_needed_after: bool) -> bool:
    for call in package_calls(script):
        if call.manager == "apt" and call.action == "update" and not call.command.is_conditional:
            return False
        if call.manager == "apt" and call.action in {"install", "upgrade"}:
            return True
    return is_needed_after


def _children_need_lists(file: Dockerfile, stage: Stage) -> bool:
    for child in file.stages[stage.index + 1 :]:
        parent = file.stage(child.image)
        if parent is stage:
            runs = [script_of(file, node) for node in child.instructions if node.keyword == "RUN"]
            if _lists_needed_after(runs)[-1] or _children_need_lists(file, child):
                return True
    return False


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
    if script.trailing:
        return f"the script ends in a {'comment' if script.trailing == 'comment' else f'`{script.trailing}`'}"
    if script.has_heredoc:
        return "the script has a here-document"
    last = script.top[-1] if script.top else None
    if last is None or (last.command is not None and last.command.name in {"exit", "exec", "return"}):
        return "the script ends its shell itself"
    if any(item.command is not None and "exec" in item.command.wrappers for item in script.top):
        return "the script ends its shell itself"
    return None
