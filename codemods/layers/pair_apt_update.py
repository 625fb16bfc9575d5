"""pair-apt-update"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
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
    that stand next to each other are joined by `chain-runs`.)

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
            if has_own:
                if update in lonely and update not in needed:
                    edits += _without(file, update, node)
                update = node
            elif update is not None and any(
                text is None or lives_on_lists(text) for _, _, text in called_scripts(reading, node, script)
            ):
                needed.add(update)
            if len(script.commands) == len(calls) == len(updates) > 0:
                lonely.add(node)
        if paired or edits:
            yield Finding(
                paired[0][0] if paired else edits[0].node,
                "update the package lists in the RUN that installs",
                [*(Replace(old, [new]) for old, new in paired), *edits],
                why="lists from a cached layer name versions that the mirrors no longer have",
            )


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
