"""keyword-case"""

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
    leaves,
    rewrites,
)


class KeywordCase(Codemod):
    """Write all instructions of a file in one case.

    Why
    ---
    `from`, `RUN` and `Copy` in one file are hard to scan, and every build warns about them
    (`ConsistentInstructionCasing`, `FromAsCasing`).

    What it does
    ------------
    Takes the case that most instructions of the file have, capitals where there is a draw, for all of them, for the
    `AS` of FROM, and for what ONBUILD holds.

    When it refuses
    ---------------
    It leaves a file alone that is written in small letters throughout: that is a style, too. The CMD of HEALTHCHECK
    stays as it is written.

    Safety
    ------
    SAFE: the case of a keyword means nothing.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    may_change = frozenset({Aspect.STAGES})
    checks = ("ConsistentInstructionCasing", "FromAsCasing")
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
        as_ = cased("AS")
        for node in file.instructions:
            keyword = cased(node.keyword_text)
            made = _in_case(node, keyword, as_)
            trigger = made.onbuild
            if trigger is not None and trigger.keyword_text != cased(trigger.keyword_text):
                made = made.wrapping(trigger.with_keyword(cased(trigger.keyword_text)))
            if made is not node:
                yield Finding(
                    node,
                    f"write {as_ if node.keyword == 'FROM' and node.keyword_text == keyword else keyword}"
                    " as the other keywords are written",
                    [Replace(node, [made])],
                    why="builds warn about instructions in several cases",
                    may_change=() if trigger is None else (Aspect.ONBUILD,),
                )


def _in_case(node: Instruction, keyword: str, as_: str) -> Instruction:
    words = node.words if node.keyword == "FROM" else ()
    if len(words) == 3 and words[1].upper() == "AS" and words[1] != as_:
        node = node.splice([(*node.word_spans[1], as_)])
    return node.with_keyword(keyword) if node.keyword_text != keyword else node
