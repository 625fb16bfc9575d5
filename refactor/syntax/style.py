"""How a file is written, and new text in that style."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from refactor.syntax.framing import Head
from refactor.syntax.words import SPACE

CANONICAL_INDENT = "    "
CANONICAL_SEAM = " \\\n    && "


class Seam(NamedTuple):
    """How the commands of a RUN stand on lines of their own: `&&` (or `;`) before the line break, or behind it."""

    is_trailing: bool
    indent: str

    def between(self, escape: str, newline: str) -> str:
        """What stands between two commands."""
        return f" && {escape}{newline}{self.indent}" if self.is_trailing else f" {escape}{newline}{self.indent}&& "


class Style:
    """What most lines do: line ending, indentation of continuations, keyword case ("upper" or "lower")."""

    __slots__ = ("indent", "keyword_case", "newline")

    def __init__(self, newline: str = "\n", indent: str = CANONICAL_INDENT, keyword_case: str = "upper") -> None:
        self.newline = newline
        self.indent = indent
        self.keyword_case = keyword_case

    def __repr__(self) -> str:
        return f"Style({self.newline!r}, {self.indent!r}, {self.keyword_case!r})"


class FileFormat:
    """What the nodes of one file share: the escape character, and the style, read when first needed."""

    __slots__ = ("_newline", "_seam", "_style", "escape", "instructions", "text")

    def __init__(self, escape: str = "\\", text: str = "", instructions: Sequence[str] = ()) -> None:
        self.escape = escape
        self.text = text
        # Texts, not nodes: those hold the format, and what holds each other waits for the garbage collector.
        self.instructions = instructions
        self._newline = ""
        self._style: Style | None = None
        self._seam: tuple[Seam | None] | None = None

    @property
    def seam(self) -> Seam | None:
        """How most commands of the file are joined; None where no RUN has two lines of them."""
        if self._seam is None:
            texts = (text for text in self.instructions if "\n" in text)
            self._seam = (most_used([seam for text in texts for seam in seams(text, self.escape)]),)
        return self._seam[0]

    @property
    def newline(self) -> str:
        """What most lines end with."""
        if not self._newline:
            self._newline = "\r\n" if self.text.count("\r\n") * 2 > self.text.count("\n") else "\n"
        return self._newline

    @property
    def style(self) -> Style:
        if self._style is None:
            self._style = _read_style(self.instructions, self.escape, self.newline)
        return self._style


def _read_style(instructions: Sequence[str], escape: str, newline: str) -> Style:
    lower = upper = 0
    indents: dict[str, int] = {}
    for text in instructions:
        first = text.lstrip(SPACE)[:1]
        lower += first.islower()
        upper += first.isupper()
        if escape in text and "\n" in text:
            for indent in continuation_indents(text, escape):
                indents[indent] = indents.get(indent, 0) + 1
    indent = max(indents, key=lambda key: indents[key]) if indents else CANONICAL_INDENT
    return Style(newline, indent, "lower" if lower > upper else "upper")


def continuation_indents(text: str, escape: str) -> list[str]:
    """The blanks that the continuation lines of an instruction begin with, those without any left out."""
    head = Head(text, escape)
    pieces = (head.piece(index) for index in range(1, len(head.raw_starts)))
    found = (piece[: len(piece) - len(piece.lstrip(" \t"))] for piece in pieces if piece.strip(SPACE))
    return [indent for indent in found if indent]


def seams(text: str, escape: str) -> list[Seam]:
    """The places where a line of commands follows another one, in order."""
    if escape not in text or ("&&" not in text and ";" not in text):
        return []
    head = Head(text, escape)
    found = []
    above = head.piece(0).rstrip(SPACE)
    for index in range(1, len(head.raw_starts)):
        piece = head.piece(index)
        bare = piece.lstrip(" \t")
        indent = piece[: len(piece) - len(bare)]
        if bare.startswith("&&"):
            found.append(Seam(False, indent))
        elif bare.strip(SPACE) and above.endswith(("&&", ";")):
            found.append(Seam(True, indent))
        above = piece.rstrip(SPACE) or above
    return found


def most_used(found: Sequence[Seam]) -> Seam | None:
    """The most frequent way, with the smallest indentation of those that go that way: commands may be nested."""
    if not found:
        return None
    is_trailing = Counter(seam.is_trailing for seam in found).most_common(1)[0][0]
    return min((seam for seam in found if seam.is_trailing == is_trailing), key=lambda seam: len(seam.indent))


def adapt(text: str, escape: str, style: Style, indent: str) -> str:
    """Canonical text (``\\``, LF, four blanks) with the continuations of a file; other characters stay."""
    if "\n" not in text:
        return text
    lines = text.split("\n")
    unit = "\t" if "\t" in indent else "  " if indent == "  " else CANONICAL_INDENT
    out = []
    for number, line in enumerate(lines):
        if number and line.startswith(CANONICAL_INDENT):
            body = line.lstrip(" ")
            deeper, odd = divmod(len(line) - len(body) - len(CANONICAL_INDENT), len(CANONICAL_INDENT))
            line = indent + unit * deeper + " " * odd + body
        if number < len(lines) - 1 and escape != "\\" and line.endswith("\\"):
            line = line[:-1] + escape
        out.append(line)
    return style.newline.join(out)
