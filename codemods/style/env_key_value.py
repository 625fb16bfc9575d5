"""env-key-value"""

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
    is_same_word,
    leaves,
    refuse,
    rewrites,
)


class EnvKeyValue(Codemod):
    """Write ENV and LABEL with an equals sign.

    Why
    ---
    `ENV name value` is a legacy form that every build warns about (`LegacyKeyValueFormat`). It takes the whole rest of
    the line: `ENV A 1 B=2` sets one variable, and a forgotten backslash swallows the lines below.

    What it does
    ------------
    Writes `name=value`, with the value in double quotes where it has blanks. Quotes, escapes, variables and lines stay
    as they are wherever that means the same; what the image gets is the same value.

    When it refuses
    ---------------
    When the quotes of the value do not pair (BuildKit refuses that too), and when there is a comment inside.

    Safety
    ------
    SAFE: both forms are expanded by the same rules, and the two values are compared before anything is written.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    reach = Phase.STYLE
    words = ("env", "label")
    may_change = frozenset({Aspect.ENV, Aspect.LABELS})
    checks = ("LegacyKeyValueFormat",)
    examples = (
        rewrites(
            "one word",
            before="""
            FROM node:20-slim
            ENV NODE_ENV production
            """,
            after="""
            FROM node:20-slim
            ENV NODE_ENV=production
            """,
        ),
        rewrites(
            "several words, and a second name that is none",
            before="""
            FROM debian:bookworm-slim
            ENV JAVA_OPTS   -Xmx512m  -server FOO=bar
            LABEL description Runs $JAVA_OPTS
            """,
            after="""
            FROM debian:bookworm-slim
            ENV JAVA_OPTS="-Xmx512m  -server FOO=bar"
            LABEL description="Runs $JAVA_OPTS"
            """,
        ),
        rewrites(
            "quotes and escapes among blanks",
            before="""
            FROM debian:bookworm-slim
            ENV A say "it's \\$5" '$x "y"' a\\ b \\"
            ENV B "one word"
            ENV C one\\ word
            """,
            after="""
            FROM debian:bookworm-slim
            ENV A="say it's \\$5 \\$x \\"y\\" a b \\""
            ENV B="one word"
            ENV C=one\\ word
            """,
        ),
        rewrites(
            "a value over several lines keeps them, and its blanks",
            before="""
            FROM debian:bookworm-slim
            ENV PATH /opt/bin:\\
            $PATH
            ENV LIST \\
                one \\
                two
            """,
            after="""
            FROM debian:bookworm-slim
            ENV PATH=/opt/bin:\\
            $PATH
            ENV LIST="one \\
                two"
            """,
        ),
        rewrites(
            "a default with blanks",
            before="""
            FROM debian:bookworm-slim
            ENV GREETING ${NAME:-no name}
            ENV OTHER hello ${NAME:-"no name"}
            """,
            after="""
            FROM debian:bookworm-slim
            ENV GREETING="${NAME:-no name}"
            ENV OTHER="hello ${NAME:-no name}"
            """,
        ),
        rewrites(
            "in ONBUILD",
            before="""
            FROM debian:bookworm-slim
            ONBUILD ENV MODE two words
            """,
            after="""
            FROM debian:bookworm-slim
            ONBUILD ENV MODE="two words"
            """,
        ),
        leaves(
            "quotes that do not pair",
            """
            FROM debian:bookworm-slim
            ENV MESSAGE don't panic
            """,
            because="its quotes cannot be read",
        ),
        leaves(
            "a comment inside",
            """
            FROM debian:bookworm-slim
            ENV LIST one \\
                # two is not ready
                three
            """,
            because="there is a comment inside",
        ),
        leaves(
            "equals signs already",
            """
            FROM debian:bookworm-slim
            ENV A=1 B="2 3"
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for node in file.instructions:
            trigger = node.onbuild if node.keyword == "ONBUILD" else None
            pair = trigger or node
            made = _with_equals(pair) if pair.is_legacy_pair else None
            if isinstance(made, str):
                yield refuse(node, made, f"write {node.keyword} with an equals sign by hand")
            elif made is not None:
                name = made.pairs[0][0]
                yield Finding(
                    node,
                    f"write {name}=... instead of {name} ...",
                    [Replace(node, [made if trigger is None else node.wrapping(made)])],
                    why="the form without an equals sign takes the whole rest of the line, and builds warn about it",
                    may_change=() if trigger is None else (Aspect.ONBUILD,),
                )


def _with_equals(node: Instruction) -> Instruction | str | None:
    """The new form, None where there is nothing to do; or why it cannot be written."""
    pairs = node.pairs
    if not pairs:
        return None
    if node.has_inner_comment:
        return "there is a comment inside the value"
    (name, value), size = pairs[0], len(node.argument)
    start = size - len(value)
    equals = (len(name), start, "=")
    ways = [
        [equals],
        [(len(name), start, '="'), (size, size, '"')],
        [(len(name), start, '="'), *_in_double_quotes(value, start, node.escape), (size, size, '"')],
    ]
    for changes in ways:
        made = node.splice(changes)
        found = made.pairs
        if len(found) == 1 and found[0][0] == name and is_same_word(found[0][1], value, node.escape):
            return made
    return f"the value of {name} cannot be put into quotes: its quotes cannot be read"


def _in_double_quotes(value: str, start: int, escape: str) -> Iterator[tuple[int, int, str]]:
    """What changes so that ``value``, which begins at ``start``, means the same between double quotes."""
    special = {'"', "$", escape}
    quote = ""
    at = 0
    while at < len(value):
        char, following = value[at], value[at + 1 : at + 2]
        place = start + at
        if quote == "'":
            if char == quote or char in special:
                yield place, place + 1, "" if char == quote else escape + char
        elif char == escape:
            if not quote and following not in special:
                yield place, place + 1, ""
            at += 1
        elif char == quote or (not quote and char in "'\""):
            yield place, place + 1, ""
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        at += 1
