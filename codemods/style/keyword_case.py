"""keyword-case"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    leaves,
    refuse,
    rewrites,
    stage_references,
    with_stage_reference,
)


class KeywordCase(Codemod):
    """Write all instructions of a file in one case, and names of stages in small letters.

    Why
    ---
    `from`, `RUN` and `Copy` in one file are hard to scan, and every build warns about them
    (`ConsistentInstructionCasing`, `FromAsCasing`), and about names of stages that are not in small letters
    (`StageNameCasing`).

    What it does
    ------------
    Takes the case that most instructions of the file have, capitals where there is a draw, for all of them, for the
    `AS` of FROM, and for what ONBUILD holds. Names of stages are written in small letters, where they are given and
    where they are used: FROM, `COPY --from`, `RUN --mount=from=`.

    When it refuses
    ---------------
    It leaves a file alone that is written in small letters throughout: that is a style, too. The CMD of HEALTHCHECK
    stays as it is written, and so does the name of a stage that a Compose file or a pipeline asks for.

    Safety
    ------
    SAFE: the case of a keyword means nothing, and stages are found by their names in any case.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    reach = Phase.STYLE
    may_change = frozenset({Aspect.STAGES, Aspect.MOUNTS})
    checks = ("ConsistentInstructionCasing", "FromAsCasing", "StageNameCasing")
    examples = (
        rewrites(
            "most are in capitals",
            before="""
            FROM golang:1.22 as build
            run go build -o /app .
            From alpine:3.20
            COPY --from=build /app /app
            ONBUILD run echo done
            Cmd ["/app"]
            """,
            after="""
            FROM golang:1.22 AS build
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=build /app /app
            ONBUILD RUN echo done
            CMD ["/app"]
            """,
        ),
        rewrites(
            "most are in small letters",
            before="""
            from alpine:3.20 AS base
            workdir /app
            COPY . .
            """,
            after="""
            from alpine:3.20 as base
            workdir /app
            copy . .
            """,
        ),
        rewrites(
            "the name of a stage and all that use it",
            before="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm-slim AS Base
            FROM base AS Build
            RUN --mount=type=bind,from=BASE,target=/base \\
                --network=none \\
                # what was made before
                make
            FROM scratch
            COPY --from=Build /app /app
            """,
            after="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm-slim AS base
            FROM base AS build
            RUN --mount=type=bind,from=base,target=/base \\
                --network=none \\
                # what was made before
                make
            FROM scratch
            COPY --from=build /app /app
            """,
        ),
        leaves(
            "Compose asks for the stage by its name",
            """
            FROM debian:bookworm-slim AS Dev
            """,
            files={"compose.yaml": "services:\n  app:\n    build:\n      context: .\n      target: Dev\n"},
            because="asks for the stage Dev",
        ),
        leaves(
            "small letters throughout",
            """
            from alpine:3.20 as base
            run echo DONE
            """,
        ),
        leaves(
            "the CMD of a probe",
            """
            FROM alpine:3.20 AS base
            HEALTHCHECK cmd true
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        written = [node.keyword_text for node in file.instructions]
        is_lower = sum(map(str.islower, written)) > sum(map(str.isupper, written))
        cased = str.lower if is_lower else str.upper
        names = []
        for stage in file.stages:
            if stage.name and stage.name != stage.name.lower():
                if stage.name in context.deployment.targets:
                    asks = context.deployment.named_by("target")
                    yield refuse(stage.from_, f"{asks} asks for the stage {stage.name}", "rename it there, too")
                else:
                    names.append(stage.name.lower())
        for node in file.instructions:
            made = _with_names(_in_case(node, cased), names)
            if made is not node:
                yield Finding(
                    node,
                    _what(node, made),
                    [Replace(node, [made])],
                    why="builds warn about keywords in several cases and about names of stages in capitals",
                    may_change=() if node.onbuild is None else (Aspect.ONBUILD,),
                )


def _what(node: Instruction, made: Instruction) -> str:
    if node.keyword_text != made.keyword_text:
        return f"write {made.keyword_text} as the other keywords are written"
    if node.keyword == "FROM" and node.words[1:2] != made.words[1:2]:
        return f"write {made.words[1]} as the other keywords are written"
    if node.keyword == "ONBUILD":
        return "write what ONBUILD holds as the other keywords are written"
    return "write the stage's name in small letters"


def _in_case(node: Instruction, cased: Callable[[str], str]) -> Instruction:
    if node.keyword == "FROM":
        words, as_ = node.words, cased("AS")
        if len(words) == 3 and words[1].upper() == "AS" and words[1] != as_:
            node = node.splice([(*node.word_spans[1], as_)])
    elif node.keyword == "ONBUILD":
        trigger = node.onbuild
        if trigger is not None and trigger.keyword_text != cased(trigger.keyword_text):
            node = node.wrapping(trigger.with_keyword(cased(trigger.keyword_text)))
    keyword = cased(node.keyword_text)
    return node.with_keyword(keyword) if node.keyword_text != keyword else node


def _with_names(node: Instruction, names: list[str]) -> Instruction:
    """``node`` with the names of these stages, whatever case they are written in, in small letters."""
    if not names:
        return node
    if node.keyword == "FROM":
        spans = zip(node.words, node.word_spans, strict=True)
        own = [(start, end, word.lower()) for word, (start, end) in spans if _is_to_lower(word, names)]
        return node.splice(own) if own else node
    for reference in stage_references(node):
        if _is_to_lower(reference, names):
            node = with_stage_reference(node, reference, reference.lower())
    return node


def _is_to_lower(word: str, names: list[str]) -> bool:
    return word != word.lower() and word.lower() in names
