"""A Dockerfile as a lossless tree: ``bytes(parse(source)) == source`` for any bytes."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from refactor.once import cached_property
from refactor.syntax.directives import Directives
from refactor.syntax.dissection import dissect
from refactor.syntax.edits import Edit, EditConflict, common_ends, edited, printed
from refactor.syntax.environment import Environments, Variables
from refactor.syntax.expansion import is_literal
from refactor.syntax.framing import frame
from refactor.syntax.nodes import Instruction, Node, Trivia
from refactor.syntax.problems import Problem, problems_of
from refactor.syntax.stage import Stage
from refactor.syntax.style import FileFormat, Style, adapt

_T = TypeVar("_T")
_BUILDKIT_FLAGS = {
    "RUN": frozenset({"mount", "network", "security", "device"}),
    "COPY": frozenset({"link", "chmod", "parents", "exclude"}),
    "ADD": frozenset({"link", "chmod", "checksum", "keep-git-dir", "unpack", "exclude"}),
}


class Dockerfile:
    """A whole file. Made by :func:`parse`; edits give a new one."""

    def __init__(self, nodes: Sequence[Node], format: FileFormat, directives: Directives) -> None:
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self._format = format
        self._directives = directives
        self._origins: Sequence[int] | None = None
        self._facts: dict[str, object] = {}

    def __bytes__(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    @cached_property
    def text(self) -> str:
        """The whole file; bytes that are no UTF-8 are surrogates in it."""
        return "".join([node.text for node in self.nodes])

    # What is in it

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Instruction))

    @property
    def escape(self) -> str:
        """The escape character, backslash or backtick."""
        return self._format.escape

    @property
    def directives(self) -> Mapping[str, str]:
        """Values of the parser directives by name: syntax, escape, check."""
        return self._directives.values

    @property
    def style(self) -> Style:
        return self._format.style

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Where BuildKit would refuse the file, in order of lines; empty for a file that it takes."""
        return problems_of(self.nodes, self.line_of, self._directives.problems)

    @cached_property
    def uses_buildkit(self) -> bool:
        """The file needs BuildKit already: a ``# syntax=`` line, a heredoc, a flag that others lack."""
        return "syntax" in self.directives or any(
            _needs_buildkit(wrapped) for node in self.instructions for wrapped in (node, node.onbuild) if wrapped
        )

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        nodes = self.nodes
        froms = [i for i, node in enumerate(nodes) if isinstance(node, Instruction) and node.keyword == "FROM"]
        starts = [self._first_comment_above(index) for index in froms]
        ends = [*starts[1:], len(nodes)]
        stages = []
        for number, (index, start, end) in enumerate(zip(froms, starts, ends)):
            from_ = nodes[index]
            assert isinstance(from_, Instruction)
            stages.append(Stage(number, from_, nodes[start:end], number == len(froms) - 1))
        return tuple(stages)

    def stage(self, reference: str) -> Stage | None:
        """The stage that ``COPY --from=reference`` means: by index, or the last of that name in any case."""
        if re.fullmatch(r"[+-]?[0-9]+", reference):
            # Longer numbers are no index of any file; int() of a huge one would be refused by Python.
            index = int(reference) if len(reference) < 10 else -1
            return self.stages[index] if 0 <= index < len(self.stages) else None
        return self.stage_before(len(self.stages), reference)

    def stage_before(self, index: int, name: str) -> Stage | None:
        """The last stage called ``name`` among the first ``index`` ones: what ``FROM name`` means there."""
        named = self._stages_by_name.get(name.lower(), [])
        found = bisect_left(named, index, key=lambda stage: stage.index)
        return named[found - 1] if found else None

    @cached_property
    def shipped(self) -> frozenset[int]:
        """Indices of the last stage and of those that it is built from: what is in their layers is shipped."""
        found: set[int] = set()
        stage = self.stages[-1] if self.stages else None
        while stage is not None:
            found.add(stage.index)
            stage = self.stage_before(stage.index, stage.image)
        return frozenset(found)

    def stage_of(self, node: Node) -> Stage | None:
        """The stage that a node is of, None for the preamble before the first FROM."""
        return self._stage_by_node.get(node)

    def line_of(self, node: Node) -> int:
        """First physical line of a node of this file, from 1. Raises KeyError for other nodes.

        Where the file is the result of edits that were followed (:meth:`follow`), the line of the original.
        """
        line = self._lines[node]
        return line if self._origins is None else self._origins[line - 1]

    def end_line_of(self, node: Node) -> int:
        """Last physical line of a node of this file, heredoc bodies included."""
        lines = node.text.count("\n")
        return self._lines[node] + lines - (1 if lines and node.text.endswith("\n") else 0)

    def comments_above(self, node: Node) -> tuple[Trivia, ...]:
        """The comment lines directly above a node, from top to bottom; a blank line ends them."""
        index = self._indices[node]
        return tuple(line for line in self.nodes[self._first_comment_above(index) : index] if isinstance(line, Trivia))

    def remember(self, name: str, make: Callable[[], _T]) -> _T:
        """Finds a fact about the file out once; ``name`` is that of the fact."""
        if name not in self._facts:
            self._facts[name] = make()
        return self._facts[name]  # type: ignore[return-value]

    # Variables

    def environment(self, at: Instruction) -> Mapping[str, str | None]:
        """The variables in scope just before ``at``; None for a value that only the build knows.

        ENV and ARG of the stage and of the stages it is built from; for FROM and the preamble the global
        ARGs, and BuildKit's platform variables. Variables of an image from outside the file are not in it.
        """
        return Variables(self._environments.before(at))

    def expand(self, text: str, at: Instruction) -> str | None:
        """``text`` with variables expanded, quotes and escapes removed, as BuildKit does at ``at``.

        None where it needs a value that may come from outside the file (the base image's ENV, an ARG without
        default), or where BuildKit refuses the word. The default of an ARG counts as its value.
        """
        if is_literal(text, self.escape):
            return text
        return self._environments.expand(text, at)

    # New ones

    def new(self, text: str) -> Instruction:
        """An instruction in this file's style from canonical text: LF, upper case, ``\\`` and four blanks.

        Heredoc bodies keep LF: a carriage return would become part of the script. Raises ValueError where
        the text is not one instruction, or is another one with this file's escape character.
        """
        canonical = dissect(text, "\\")
        head = canonical.head
        alone = parse(text.encode("utf-8", "surrogateescape"))
        if len(alone.nodes) != 1 or len(alone.instructions) != 1 or head.is_open:
            raise ValueError(f"not one instruction: {text!r}")
        style = self.style
        end = canonical.raw_start(canonical.split.keyword_start) + len(canonical.split.keyword_text)
        first, rest, bodies = text[:end], text[end : head.end], text[head.end :]
        if style.keyword_case == "lower":
            first = first.lower()
            if canonical.split.keyword == "FROM":
                rest = re.sub(r"\sAS(?=\s+\S+\s*$)", lambda found: found[0].lower(), rest)
            elif canonical.split.keyword == "ONBUILD":
                rest = re.sub(r"^\s*\S+", lambda found: found[0].lower(), rest)
        rest = adapt(rest, self.escape, style, style.indent)
        made = Instruction(first + rest + bodies, self._format)
        # Keywords inside the argument may have changed their case, continuations their blanks.
        written, meant = made.argument.lower().split(), canonical.split.argument.lower().split()
        if written != meant or made.dissection.head.is_open:
            raise ValueError(f"the escape character of the file changes the meaning of {text!r}")
        return made

    def comment(self, text: str) -> Trivia:
        """A comment line; "# " is put in front where it is missing. Raises ValueError for several lines."""
        if "\n" in text.rstrip("\r\n"):
            raise ValueError(f"not one line: {text!r}")
        line = text if text.startswith("#") else f"# {text}"
        return Trivia(line.rstrip("\r\n") + self._format.newline, "comment")

    def blank(self) -> Trivia:
        """An empty line."""
        return Trivia(self._format.newline, "blank")

    def apply(self, edits: Sequence[Edit]) -> Dockerfile:
        """The file with all edits applied, parsed again from its text. Raises :class:`EditConflict`.

        A missing newline at the file's end stays missing, whatever stands there; all lines before end.
        """
        text = self.text
        nodes = edited(self.nodes, edits)
        ends = text.endswith("\n") or not text.strip("\ufeff")
        after = _parse_text(printed(nodes, self._format.newline, ends))
        if after.escape != self.escape:
            raise EditConflict("the edit makes a comment an escape directive, or a directive a comment")
        return after

    def follow(self, before: Dockerfile, places: Sequence[int]) -> None:
        """Lets :meth:`line_of` give lines of the file that ``before`` began as: people know no other.

        Kept and moved lines are followed; a new one stands for the first of ``places`` (original lines that the edits
        were made for, in order) behind what precedes it.
        """
        old, new = before.text.split("\n"), self.text.split("\n")
        origin = before._origins or range(1, len(old) + 1)
        head, tail = common_ends(old, new)
        # A command that was given a successor gains a continuation, no more.
        kept = {old[index].rstrip(" \\`"): origin[index] for index in range(len(old) - tail - 1, head - 1, -1)}
        last = origin[head - 1] if head else 0
        middle = []
        for line in new[head : len(new) - tail]:
            known = kept.get(line.rstrip(" \\`"))
            if known is None:
                middle.append(places[min(bisect_left(places, last), len(places) - 1)])
            else:
                middle.append(known)
                last = known
        self._origins = [*origin[:head], *middle, *origin[len(old) - tail :]]

    # Lookups by node

    @cached_property
    def _indices(self) -> dict[Node, int]:
        return {node: index for index, node in enumerate(self.nodes)}

    @cached_property
    def _lines(self) -> dict[Node, int]:
        lines = {}
        line = 1
        for node in self.nodes:
            lines[node] = line
            line += node.text.count("\n")
        return lines

    @cached_property
    def _stage_by_node(self) -> dict[Node, Stage]:
        return {node: stage for stage in self.stages for node in stage.nodes}

    @cached_property
    def _stages_by_name(self) -> dict[str, list[Stage]]:
        found: dict[str, list[Stage]] = {}
        for stage in self.stages:
            if stage.name:
                found.setdefault(stage.name.lower(), []).append(stage)
        return found

    @cached_property
    def _environments(self) -> Environments:
        return Environments(self.instructions, self.stages, self.escape)

    def _first_comment_above(self, index: int) -> int:
        while index:
            above = self.nodes[index - 1]
            if not isinstance(above, Trivia) or above.kind != "comment":
                break
            index -= 1
        return index


def _needs_buildkit(node: Instruction) -> bool:
    if node.heredocs:
        return True
    flags = node.flags
    return bool(flags) and any(flag.name in _BUILDKIT_FLAGS.get(node.keyword, ()) for flag in flags)


def parse(source: bytes) -> Dockerfile:
    """Reads a Dockerfile. Never raises: what BuildKit would refuse is in ``problems``, all bytes stay."""
    return _parse_text(source.decode("utf-8", "surrogateescape"))


def _parse_text(text: str) -> Dockerfile:
    start = 1 if text.startswith("\ufeff") else 0
    directives = Directives(text, start)
    framed = frame(text, directives.end, directives.escape)
    format = FileFormat(directives.escape, text, [raw for kind, raw in framed if kind == "instruction"])
    nodes: list[Node] = [Trivia("\ufeff", "bom")] if start else []
    nodes += [Trivia(line, "directive") for line in directives.lines]
    for kind, raw in framed:
        nodes.append(Instruction(raw, format) if kind == "instruction" else Trivia(raw, kind))
    return Dockerfile(nodes, format, directives)
