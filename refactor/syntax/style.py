"""How a file is written, and new text in that style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from refactor.syntax.framing import Head
from refactor.syntax.words import SPACE

CANONICAL_INDENT = "    "


class Style:
    """What most lines do: line ending, indentation of continuations, keyword case ("upper" or "lower")."""

    __slots__ = ("indent", "keyword_case", "newline")

    def __init__(self, newline: str = "\n", indent: str = CANONICAL_INDENT, keyword_case: str = "upper") -> None:
        self.newline = newline
        self.indent = indent
        self.keyword_case = keyword_case

    def __repr__(self) -> str:
        return f"Style({self.newline!r}, {self.indent!r}, {self.keyword_case!r})"


class Written(Protocol):
    """A node, as far as its style goes."""

    text: str
    is_instruction: bool


class FileFormat:
    """What the nodes of one file share: the escape character, and the style, read when first needed."""

    __slots__ = ("_style", "escape", "nodes")

    def __init__(self, escape: str = "\\", nodes: Sequence[Written] = ()) -> None:
        self.escape = escape
        self.nodes = nodes
        self._style: Style | None = None

    @property
    def style(self) -> Style:
        if self._style is None:
            self._style = _read_style(self.nodes, self.escape)
        return self._style


def _read_style(nodes: Sequence[Written], escape: str) -> Style:
    lines = crlf = lower = upper = 0
    indents: dict[str, int] = {}
    for node in nodes:
        text = node.text
        lines += text.count("\n")
        crlf += text.count("\r\n")
        if not node.is_instruction:
            continue
        first = text.lstrip(SPACE)[:1]
        lower += first.islower()
        upper += first.isupper()
        if escape in text and "\n" in text:
            for indent in continuation_indents(text, escape):
                indents[indent] = indents.get(indent, 0) + 1
    indent = max(indents, key=lambda key: indents[key]) if indents else CANONICAL_INDENT
    return Style("\r\n" if crlf * 2 > lines else "\n", indent, "lower" if lower > upper else "upper")


def continuation_indents(text: str, escape: str) -> list[str]:
    """The blanks that the continuation lines of an instruction begin with, those without any left out."""
    head = Head(text, escape)
    pieces = (head.piece(index) for index in range(1, len(head.raw_starts)))
    found = (piece[: len(piece) - len(piece.lstrip(" \t"))] for piece in pieces if piece.strip(SPACE))
    return [indent for indent in found if indent]


def adapt(text: str, escape: str, style: Style, indent: str) -> str:
    """Canonical text (``\\``, LF, four blanks) with the continuations of a file; other characters stay."""
    if "\n" not in text:
        return text
    lines = text.split("\n")
    out = []
    for number, line in enumerate(lines):
        if number and line.startswith(CANONICAL_INDENT):
            line = indent + line[len(CANONICAL_INDENT) :]
        if number < len(lines) - 1 and escape != "\\" and line.endswith("\\"):
            line = line[:-1] + escape
        out.append(line)
    return style.newline.join(out)
