"""label-maintainer"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Option,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    Stage,
    leaves,
    refuse,
    rewrites,
)


class LabelMaintainer(Codemod):
    """Say who maintains the image in a label, not in MAINTAINER.

    Why
    ---
    MAINTAINER is deprecated and warned about by every build (`MaintainerDeprecated`). The label
    `org.opencontainers.image.authors` is what Docker's documentation and the OCI image specification name for it, and
    registries and scanners read it.

    What it does
    ------------
    Writes the text of MAINTAINER as that label, letter for letter: `$`, quotes and backslashes mean nothing in
    MAINTAINER, so they are escaped in the label. Quotes around the whole text go, for the label has its own. Of several
    MAINTAINERs the last one holds, and so does the last of their labels. One that names nobody is removed.

    When it refuses
    ---------------
    When the stage, or one that it is built from, has that label with another text: it would be overwritten.

    Safety
    ------
    SAFE: files and containers stay as they are. The image's author field is empty afterwards, and the label is new.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    reach = Phase.STYLE
    words = ("maintainer",)
    may_change = frozenset({Aspect.LABELS})
    hadolint = ("DL4000",)
    checks = ("MaintainerDeprecated",)
    options = {
        "label": Option(
            "org.opencontainers.image.authors",
            "the label that is written",
            ("org.opencontainers.image.authors", "maintainer"),
        )
    }
    examples = (
        rewrites(
            "a name and an address",
            before="""
            FROM debian:bookworm-slim
            MAINTAINER Jane Doe <jane@example.com>
            CMD ["bash"]
            """,
            after="""
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="Jane Doe <jane@example.com>"
            CMD ["bash"]
            """,
        ),
        rewrites(
            "quotes around all of it, and lower case",
            before="""
            from debian:bookworm-slim
            maintainer "Jane Doe"
            """,
            after="""
            from debian:bookworm-slim
            label org.opencontainers.image.authors="Jane Doe"
            """,
        ),
        rewrites(
            "signs that mean something in a label",
            before="""
            FROM debian:bookworm-slim
            MAINTAINER "Jane" Doe, $TEAM, corp\\jane
            """,
            after="""
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="\\"Jane\\" Doe, \\$TEAM, corp\\\\jane"
            """,
        ),
        rewrites(
            "with backtick as the escape character a backslash is a plain letter",
            before="""
            # escape=`
            FROM debian:bookworm-slim
            MAINTAINER corp\\jane, `jane` Doe
            """,
            after="""
            # escape=`
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="corp\\jane, ``jane`` Doe"
            """,
        ),
        rewrites(
            "over two lines, and a second one, which holds",
            before="""
            FROM debian:bookworm-slim
            MAINTAINER Jane Doe \\
                       <jane@example.com>
            MAINTAINER John
            """,
            after="""
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="Jane Doe \\
                       <jane@example.com>"
            LABEL org.opencontainers.image.authors="John"
            """,
        ),
        rewrites(
            "nobody",
            before="""
            FROM debian:bookworm-slim
            MAINTAINER ""
            CMD ["bash"]
            """,
            after="""
            FROM debian:bookworm-slim
            CMD ["bash"]
            """,
        ),
        rewrites(
            "the label is there with the same text",
            before="""
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="Jane Doe"
            MAINTAINER Jane Doe
            """,
            after="""
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="Jane Doe"
            """,
        ),
        rewrites(
            "another label",
            before="""
            FROM debian:bookworm-slim
            MAINTAINER Jane Doe
            """,
            after="""
            FROM debian:bookworm-slim
            LABEL maintainer="Jane Doe"
            """,
            settings={"label": "maintainer"},
        ),
        leaves(
            "the label names others",
            """
            FROM debian:bookworm-slim
            LABEL org.opencontainers.image.authors="The Team"
            MAINTAINER Jane Doe
            """,
            because="sets the label org.opencontainers.image.authors to another text",
        ),
        leaves(
            "the stage that it is built from names others",
            """
            FROM debian:bookworm-slim AS base
            LABEL org.opencontainers.image.authors="The Team"
            FROM base
            MAINTAINER Jane Doe
            """,
            because="sets the label org.opencontainers.image.authors to another text",
        ),
        leaves(
            "a label already",
            """
            FROM debian:bookworm-slim
            LABEL maintainer="Jane Doe"
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        label = str(self.option("label"))
        for stage in file.stages:
            for node in stage.instructions:
                if node.keyword == "MAINTAINER":
                    yield _convert(file, stage, node, label)


def _convert(file: Dockerfile, stage: Stage, node: Instruction, label: str) -> Finding | Refusal:
    start, end = _unquoted(node.argument)
    text = node.argument[start:end]
    if not text.strip():
        return Finding(node, "remove MAINTAINER, it names nobody", [Remove(node)], why="MAINTAINER is deprecated")
    other = _labelled(file, stage, label)
    if other is not None:
        setter, value = other
        if value == text:
            why = "MAINTAINER is deprecated, and the label says the same"
            return Finding(node, f"remove MAINTAINER beside the label {label}", [Remove(node)], why=why)
        return refuse(
            node,
            f"line {file.line_of(setter)} sets the label {label} to another text",
            "write all names into that label and remove MAINTAINER",
        )
    special = {'"', "$", node.escape}
    escaped = [(at, at + 1, node.escape + text[at - start]) for at in range(start, end) if text[at - start] in special]
    size = len(node.argument)
    changes = [(0, start, f'{label}="'), *escaped, (end, size, '"')]
    keyword = "label" if node.keyword_text.islower() else "LABEL"
    return Finding(
        node,
        f"write MAINTAINER as the label {label}",
        [Replace(node, [node.splice(changes).with_keyword(keyword)])],
        why="MAINTAINER is deprecated; registries and scanners read the label",
    )


def _unquoted(text: str) -> tuple[int, int]:
    """The span of what stands in quotes around all of the text; all of it where there are none."""
    quote = text[:1]
    is_quoted = quote in ("'", '"') and len(text) > 1 and text.find(quote, 1) == len(text) - 1
    return (1, len(text) - 1) if is_quoted else (0, len(text))


def _labelled(file: Dockerfile, stage: Stage | None, label: str) -> tuple[Instruction, str | None] | None:
    """The last LABEL of the stage, or of those that it is built from, that sets a label, and its value."""
    while stage is not None:
        for node in reversed(stage.instructions):
            for name, value in node.pairs if node.keyword == "LABEL" else ():
                if name.strip("\"'") == label:
                    return node, file.expand(value, node)
        stage = file.stage_before(stage.index, stage.image)
    return None
