"""pair-apt-update"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor import (
    Aspect,
    Body,
    BuildContext,
    Codemod,
    Dockerfile,
    Edit,
    Finding,
    InsertBefore,
    Instruction,
    MoveBefore,
    PackageCall,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    ShellScript,
    Stage,
    StageReading,
    body_of,
    called_scripts,
    leaves,
    lives_on_lists,
    package_calls,
    refuse,
    rewrites,
    script_of,
)

BEGINS_A_LIST = r"(?:^|&&|;|[({]|\b(?:then|else|do))$"


class PairAptUpdate(Codemod):
    """Run apt-get update in the RUN that installs.

    Why
    ---
    A layer is cached by its text. `apt-get update` in an earlier layer is served from the cache long after the mirrors
    have moved on; the install then asks for versions that are gone, or gets old ones.

    What it does
    ------------
    Puts `apt-get update &&` in front of an install that relies on the lists of an earlier RUN, and removes a RUN that
    does nothing but update where the next install has an update of its own; its comment goes to that install. (Two RUNs
    that stand next to each other are joined by `chain-runs`.) An update at the end of a RUN goes, too, where the
    next install has its own, or nothing below installs and the image is no base for others.

    When it refuses
    ---------------
    When the install stands beside `||` or in a pipe, is what an `if` asks, or the script cannot be analysed. A RUN that
    only updates stays where a script that is called later may live on its lists.

    Safety
    ------
    SAFE: the same packages are asked for, from lists that are as fresh as the layer.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    reach = Phase.CACHE
    words = ("apt",)
    may_change = frozenset({Aspect.LAYERS, Aspect.COMMANDS, Aspect.CACHE})
    examples = (
        rewrites(
            "another instruction stands between",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update
            ENV LANG=C.UTF-8
            RUN apt-get install -y curl
            """,
            after="""
            FROM debian:bookworm-slim
            ENV LANG=C.UTF-8
            RUN apt-get update \\
                && apt-get install -y curl
            """,
        ),
        rewrites(
            "a second install relies on the first one's lists",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            COPY setup.sh /
            RUN apt-get install -y git
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            COPY setup.sh /
            RUN apt-get update \\
                && apt-get install -y git
            """,
        ),
        rewrites(
            "the install has an update of its own",
            before="""
            FROM debian:bookworm-slim

            # Where packages come from
            RUN apt-get update

            # What the health check calls
            RUN apt-get update && apt-get install -y curl
            """,
            after="""
            FROM debian:bookworm-slim

            # Where packages come from
            # What the health check calls
            RUN apt-get update && apt-get install -y curl
            """,
        ),
        rewrites(
            "a comment behind it",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update          # where packages come from
            RUN apt-get install -y curl # for the health check
            """,
            after="""
            FROM debian:bookworm-slim
            # where packages come from
            RUN apt-get update \\
                && apt-get install -y curl # for the health check
            """,
        ),
        rewrites(
            "lines under set -e",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            COPY setup.sh /
            RUN set -ex; \\
                apt-get install -y git; \\
                git --version
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            COPY setup.sh /
            RUN set -ex; \\
                apt-get update; \\
                apt-get install -y git; \\
                git --version
            """,
        ),
        rewrites(
            "nothing reads the lists",
            before="""
            FROM ubuntu:24.04
            RUN apt-get update
            RUN add-apt-repository -y ppa:example/tool && apt-get update
            RUN apt-get update && apt-get install -y tool
            CMD ["tool"]
            FROM python:3.14
            RUN apt-get update
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            after="""
            FROM ubuntu:24.04
            RUN add-apt-repository -y ppa:example/tool
            RUN apt-get update && apt-get install -y tool
            CMD ["tool"]
            FROM python:3.14
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
        ),
        rewrites(
            "the next RUN removes the lists",
            before="""
            FROM ubuntu:24.04
            RUN add-apt-repository -y ppa:example/tool && apt-get update
            RUN rm -rf /var/lib/apt/lists/* && ./setup.sh
            """,
            after="""
            FROM ubuntu:24.04
            RUN add-apt-repository -y ppa:example/tool
            RUN rm -rf /var/lib/apt/lists/* && ./setup.sh
            """,
        ),
        leaves(
            "a script in front of the next update",
            """
            FROM ubuntu:24.04
            RUN apt-get update
            COPY setup.sh /
            RUN /setup.sh && apt-get update && apt-get install -y git
            """,
        ),
        leaves(
            "a script behind the update in the same RUN",
            """
            FROM ubuntu:24.04
            COPY setup.sh /
            RUN apt-get update && bash /setup.sh
            CMD ["tool"]
            """,
        ),
        leaves(
            "other images, or commands that are not read, may install from the lists",
            """
            FROM ubuntu:24.04
            RUN apt-get update
            COPY packages.txt ./
            RUN xargs apt-get install -y < packages.txt
            CMD ["tool"]
            FROM ubuntu:24.04 AS base
            RUN apt-get update
            CMD ["tool"]
            FROM base
            RUN apt-get update
            CMD ["/bin/bash"]
            """,
        ),
        leaves(
            "the install updates by itself",
            """
            FROM debian:trixie-slim
            RUN apt-get update && apt-get install -y curl
            COPY setup.sh /
            RUN apt-get install --update -y git
            """,
        ),
        leaves(
            "a script may live on the lists",
            """
            FROM debian:bookworm-slim
            RUN apt-get update
            COPY setup.sh /
            RUN /setup.sh
            RUN apt-get update && apt-get install -y curl
            """,
        ),
        leaves(
            "paired already",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            """,
        ),
        rewrites(
            "the install is conditional",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            ARG DEBUG
            RUN if [ -n "$DEBUG" ]; then apt-get install -y gdb; fi
            RUN test -z "$DEBUG" || (apt-get install -f -y && rm -f /tmp/a.deb)
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            ARG DEBUG
            RUN if [ -n "$DEBUG" ]; then apt-get update && apt-get install -y gdb; fi
            RUN test -z "$DEBUG" || (apt-get update && apt-get install -f -y && rm -f /tmp/a.deb)
            """,
        ),
        leaves(
            "another command stands in for the install",
            """
            FROM debian:bookworm-slim
            RUN apt-get update
            ARG DEBUG
            RUN test -z "$DEBUG" || apt-get install -y gdb
            """,
            because="stands beside `||`",
        ),
        leaves(
            "the install is asked",
            """
            FROM debian:bookworm-slim
            RUN apt-get update
            ENV LANG=C.UTF-8
            RUN if apt-get install -y gdb; then echo there; fi
            """,
            because="what a condition asks",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            yield from self._in_stage(file, context, stage)

    def _in_stage(self, file: Dockerfile, context: BuildContext, stage: Stage) -> Iterator[Finding | Refusal]:
        update: Instruction | None = None
        lonely: set[Instruction] = set()
        idle: dict[Instruction, Instruction] = {}
        needed: set[Instruction] = set()
        paired: list[tuple[Instruction, Instruction]] = []
        edits: list[Edit] = []
        reading = StageReading.of(file, stage, context)
        for node in stage.instructions:
            if node.keyword != "RUN":
                continue
            script = script_of(file, node)
            if isinstance(script, str):
                if update is not None and any("apt" in text for text in _texts(node)):
                    # Such a RUN may install from the lists as well, so the update before it stays.
                    needed.add(update)
                continue
            calls = [call for call in package_calls(script) if call.manager == "apt"]
            install = next((call for call in calls if call.action in {"install", "upgrade"}), None)
            if install is not None and install.has("--update", "-U"):
                install = None
            updates = [call for call in calls if call.action == "update"]
            has_own = bool(updates) and (install is None or updates[0].command.span < install.command.span)
            if install is not None and not has_own and update is not None:
                reason = _why_not_inserted(script, install)
                if reason is not None:
                    needed.add(update)
                    yield refuse(node, reason, "write `apt-get update &&` in front of that install")
                else:
                    paired.append((node, _paired(node, script, install)))
                    has_own = True
            ends = _ends(script, updates)
            if update is not None and update not in needed and _may_need(reading, node, script, calls, ends):
                needed.add(update)
            if has_own or ends is not None:
                if update in lonely and update not in needed:
                    edits += _without(file, update, node)
                elif update in idle and update not in needed:
                    edits.append(Replace(update, [idle[update]]))
                update = node if has_own else None
                body = body_of(file, node)
                is_last = bool(updates) and updates[-1].command is script.top[-1].command
                if is_last and isinstance(body, Body) and all(old is not node for old, _ in paired):
                    changes = body.removal([updates[-1].command])
                    if changes is not None:
                        idle[node] = body.splice(changes)
            if len(script.commands) == len(calls) == len(updates) > 0:
                lonely.add(node)
        if update is not None and update not in needed and _is_last_to_install(file, stage):
            if update in lonely and not file.comments_above(update):
                edits.append(Remove(update))
            elif update in idle:
                edits.append(Replace(update, [idle[update]]))
        if paired or edits:
            yield Finding(
                paired[0][0] if paired else edits[0].node,
                "update the package lists in the RUN that installs",
                [*(Replace(old, [new]) for old, new in paired), *edits],
                why="lists from a cached layer name versions that the mirrors no longer have",
            )


def _ends(script: ShellScript, updates: Sequence[PackageCall]) -> int | None:
    """Where in a script the lists of earlier RUNs are replaced or removed."""
    removals = [
        command
        for command in script.commands
        if command.name == "rm" and any(arg.startswith("/var/lib/apt/lists") for arg in command.args)
    ]
    found = [command for command in (*(call.command for call in updates), *removals) if not command.is_conditional]
    return min((command.span[0] for command in found), default=None)


def _may_need(
    reading: StageReading, node: Instruction, script: ShellScript, calls: Sequence[PackageCall], ends: int | None
) -> bool:
    """Whether the lists of earlier RUNs may be read before they end, by what is no call of apt itself."""
    if not calls and _may_install(script.text[:ends]):
        return True
    return any(
        (ends is None or command.span[0] < ends) and (text is None or lives_on_lists(text))
        for command, _, text in called_scripts(reading, node, script)
    )


def _may_install(text: str) -> bool:
    """Whether a script names apt where no call of it was read (`xargs apt-get install`)."""
    return re.search(r"(?<![\w/.-])(?:apt|apt-get|aptitude|gdebi)(?![\w/.-])", text) is not None


def _is_last_to_install(file: Dockerfile, stage: Stage) -> bool:
    """Whether nobody installs from the lists that the stage leaves: it is not shipped, or starts a program and no
    shell, and no stage and no trigger builds on it."""
    starts = [node for node in stage.instructions if node.keyword in ("CMD", "ENTRYPOINT")]
    is_shell = any(re.search(r"^\W*(?:/\w+)*/?(?:ba|da|a|z)?sh\W*$", node.argument) for node in starts)
    is_parent = stage in file.remember(
        "stages built on", lambda: {file.stage_before(each.index, each.image) for each in file.stages}
    )
    is_tool = not starts or is_shell or any(node.keyword == "ONBUILD" for node in stage.instructions)
    return not is_parent and (stage.index not in file.shipped or not is_tool)


def _texts(node: Instruction) -> tuple[str, ...]:
    return (node.argument, *(heredoc.body for heredoc in node.heredocs))


def _without(file: Dockerfile, update: Instruction, successor: Instruction) -> list[Edit]:
    """The edits that remove a lone update, with its comments given to the RUN that updates instead of it."""
    comments = file.comments_above(update)
    script = script_of(file, update)
    note = ""
    if not isinstance(script, str) and script.trailing == "comment":
        note = script.text[script.top[-1].span[1] :].strip(" ;")
    if any(mark in comment.text for comment in comments for mark in ("hadolint", "check=")):
        return []
    anchor = next(iter(file.comments_above(successor)), successor)
    edits: list[Edit] = [Remove(update), *(MoveBefore(comment, anchor) for comment in comments)]
    return [*edits, InsertBefore(anchor, [file.comment(note)])] if note else edits


def _why_not_inserted(script: ShellScript, install: PackageCall) -> str | None:
    start, end = install.command.span
    before, after = script.text[:start].rstrip(), script.text[end:].lstrip()
    if install.command.in_pipeline or (before.endswith(("||", "!", "&")) and not before.endswith("&&")):
        return "the install stands beside `||`, `&`, `!` or in a pipe"
    if after.startswith(("||", "|")) or (after.startswith("&") and not after.startswith("&&")):
        return "the install stands beside `||`, `&`, `!` or in a pipe"
    if re.search(BEGINS_A_LIST, before) is None:
        return "the install is what a condition asks"
    return None


def _paired(node: Instruction, script: ShellScript, install: PackageCall) -> Instruction:
    start = install.command.span[0]
    words = [
        *install.command.wrappers,
        install.program if install.program in {"apt", "apt-get"} else "apt-get",
        "update",
    ]
    if install.command.depth:
        seam = " && "
    else:
        seam = "; \\\n    " if script.joint == ";" else " \\\n    && "
    return node.splice([(start, start, " ".join(words) + seam)])
