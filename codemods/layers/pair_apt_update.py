"""pair-apt-update"""

from __future__ import annotations

from collections.abc import Iterator

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
    Remove,
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


class PairAptUpdate(Codemod):
    """Run apt-get update in the RUN that installs.

    Why
    ---
    A layer is cached by its text. `apt-get update` in an earlier layer is served from the cache long after the mirrors
    have moved on; the install then asks for versions that are gone, or gets old ones.

    What it does
    ------------
    Puts `apt-get update &&` in front of an install that relies on the lists of an earlier RUN, and removes a RUN that
    does nothing else. (Two RUNs that stand next to each other are joined by `chain-runs`.)

    When it refuses
    ---------------
    When the install is inside an `if`, a loop or beside a `||`, or the script cannot be analysed.

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
        leaves(
            "paired already",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            """,
        ),
        leaves(
            "the install is conditional",
            """
            FROM debian:bookworm-slim
            RUN apt-get update
            ARG DEBUG
            RUN if [ -n "$DEBUG" ]; then apt-get install -y gdb; fi
            """,
            because="runs only under a condition",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            yield from self._in_stage(file, stage)

    def _in_stage(self, file: Dockerfile, stage: Stage) -> Iterator[Finding | Refusal]:
        update: Instruction | None = None
        lonely: list[Instruction] = []
        needed: set[Instruction] = set()
        paired: list[tuple[Instruction, Instruction]] = []
        for node in stage.instructions:
            if node.keyword != "RUN":
                continue
            script = script_of(file, node)
            if isinstance(script, str):
                if "apt" in node.argument and update is not None:
                    # Such a RUN may install from the lists as well, so the update before it stays.
                    needed.add(update)
                continue
            calls = [call for call in package_calls(script) if call.manager == "apt"]
            install = next((call for call in calls if call.action in {"install", "upgrade"}), None)
            updates = [call for call in calls if call.action == "update"]
            if install is not None and not any(c.command.span < install.command.span for c in updates) and update:
                reason = _why_not_inserted(script, install)
                if reason is not None:
                    needed.add(update)
                    yield refuse(node, reason)
                else:
                    paired.append((node, _paired(node, script, install)))
            if updates:
                update = node
                if len(script.commands) == len(calls) == len(updates) and not file.comments_above(node):
                    lonely.append(node)
        if not paired:
            return
        gone = [node for node in lonely if node not in needed and node.newline]
        yield Finding(
            paired[0][0],
            "update the package lists in the RUN that installs",
            [*(Replace(old, [new]) for old, new in paired), *(Remove(node) for node in gone)],
            why="lists from a cached layer name versions that the mirrors no longer have",
        )


def _why_not_inserted(script: ShellScript, install: PackageCall) -> str | None:
    item = next((i for i, item in enumerate(script.top) if item.command is install.command), None)
    if item is None:
        return "the install runs only under a condition, or beside other commands"
    after = script.top[item + 1].connector_before if item + 1 < len(script.top) else ""
    if script.top[item].connector_before in {"||", "&"} or after in {"||", "&"}:
        return "the install stands beside `||` or `&`"
    return None


def _paired(node: Instruction, script: ShellScript, install: PackageCall) -> Instruction:
    start = install.command.span[0]
    words = [
        *install.command.wrappers,
        install.program if install.program in {"apt", "apt-get"} else "apt-get",
        "update",
    ]
    return node.splice([(start, start, " ".join(words) + " \\\n    && ")])
