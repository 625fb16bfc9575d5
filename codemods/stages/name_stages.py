"""name-stages"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    Stage,
    leaves,
    rewrites,
    stage_references,
    with_stage_reference,
)


class NameStages(Codemod):
    """Call stages by a name where they are called by their number.

    Why
    ---
    `COPY --from=0` copies from whatever stage comes first: a stage added above changes its meaning silently.

    What it does
    ------------
    Gives a stage that is called by number the name `builder` (`builder-2` and so on for further ones), and uses names
    in `COPY --from`, `ADD --from` and `RUN --mount=from=`. A stage that has a name keeps it.

    When it refuses
    ---------------
    It leaves numbers alone that no stage has.

    Safety
    ------
    SAFE: BuildKit finds a stage by name as it does by number.
    """

    phase = Phase.STAGES
    safety = Safety.SAFE
    words = ("from=",)
    may_change = frozenset({Aspect.STAGES, Aspect.COPIES, Aspect.MOUNTS})
    hadolint = ("DL3022",)
    examples = (
        rewrites(
            "a stage called by number",
            before="""
            FROM golang:1.22
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=0 /app /app
            """,
            after="""
            FROM golang:1.22 AS builder
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=builder /app /app
            """,
        ),
        rewrites(
            "it has a name already",
            before="""
            FROM golang:1.22 AS compile
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=0 --chown=1000 /app /app
            """,
            after="""
            FROM golang:1.22 AS compile
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=compile --chown=1000 /app /app
            """,
        ),
        leaves(
            "names are used",
            """
            FROM golang:1.22 AS builder
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=builder /app /app
            """,
        ),
        leaves(
            "the copy is from an image",
            """
            FROM alpine:3.20
            COPY --from=busybox:1.36 /bin/busybox /bin/busybox
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        users = [(stage, node) for stage in file.stages for node in stage.instructions if _calls_by_number(node)]
        if not users:
            return
        taken = {(stage.name or "").lower() for stage in file.stages}
        taken.update(stage.image.lower() for stage in file.stages)
        names: dict[int, str] = {}
        edits: dict[Instruction, Instruction] = {}
        for stage, node in users:
            renewed = node
            for reference in stage_references(node):
                source = _by_number(file, reference, stage)
                if source is None:
                    continue
                if source.index not in names:
                    names[source.index] = source.name or _free(taken)
                    if source.name is None:
                        argument = source.from_.argument
                        edits[source.from_] = source.from_.splice(
                            [(len(argument), len(argument), f" AS {names[source.index]}")]
                        )
                renewed = with_stage_reference(renewed, reference, names[source.index])
            if renewed is not node:
                edits[node] = renewed
        if edits:
            first = next(iter(edits))
            called = ", ".join(dict.fromkeys(names.values()))
            yield Finding(
                first,
                f"call {called} by name, not by number",
                [Replace(old, [new]) for old, new in edits.items()],
                why="a stage added above would change what a number means",
            )


def _calls_by_number(node: Instruction) -> bool:
    return any(reference.isascii() and reference.isdigit() for reference in stage_references(node))


def _by_number(file: Dockerfile, reference: str, user: Stage) -> Stage | None:
    if not (reference.isascii() and reference.isdigit()):
        return None
    found = file.stage(reference)
    # A stage may be named "0": then that is its name, and nothing is by number.
    return None if found is None or found.index >= user.index or found.name == reference else found


def _free(taken: set[str]) -> str:
    name, number = "builder", 1
    while name in taken:
        number += 1
        name = f"builder-{number}"
    taken.add(name)
    return name
