"""The nodes of a Dockerfile: instructions and what stands between them. They never change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from refactor.syntax.dissection import Dissection, dissect
from refactor.syntax.flags import Flag, flag_text
from refactor.syntax.heredoc import Heredoc, heredoc_start
from refactor.syntax.style import (
    CANONICAL_INDENT,
    CANONICAL_SEAM,
    FileFormat,
    Seam,
    adapt,
    continuation_indents,
    most_used,
    seams,
)
from refactor.syntax.words import BLANKS, SPACE

_COPIES = frozenset({"ADD", "COPY"})
_PAIRS = frozenset({"ARG", "ENV", "LABEL"})
REPEATABLE_FLAGS = frozenset({"mount", "exclude", "device"})
"""Flags that may be given several times (``AddStrings`` in BuildKit's ``instructions/parse.go``)."""


class Trivia:
    """One physical line that is no instruction, with its ending; or the byte-order mark.

    ``kind`` is "comment", "blank", "directive" or "bom". Compared by identity, as all nodes are.
    """

    __slots__ = ("kind", "text")

    def __init__(self, text: str, kind: str) -> None:
        self.text = text
        self.kind = kind

    def __repr__(self) -> str:
        return f"Trivia({self.text!r}, {self.kind!r})"


class Instruction:
    """One instruction: ``text`` is its raw physical text with line ending and heredoc bodies.

    All else is read from that text. Compared by identity.
    """

    __slots__ = ("_format", "_words", "argument", "dissection", "heredocs", "keyword", "text")

    def __init__(self, text: str, format: FileFormat) -> None:
        self.text = text
        self._format = format
        dissection = dissect(text, format.escape)
        self.dissection: Dissection = dissection
        """The parts of the raw text and the map from logical to raw offsets."""
        self.keyword: str = dissection.split.keyword
        """In upper case; "" for a line of nothing but continuations."""
        self.argument: str = dissection.split.argument
        """What follows the flags on the logical line (continuations joined, comments dropped), stripped."""
        self.heredocs: tuple[Heredoc, ...] = dissection.heredocs
        self._words: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Instruction({self.text!r})"

    # What is written

    @property
    def keyword_text(self) -> str:
        """As written."""
        return self.dissection.split.keyword_text

    @property
    def flags(self) -> tuple[Flag, ...]:
        return self.dissection.flags

    @property
    def json(self) -> tuple[str, ...] | None:
        """The strings of the exec form (for HEALTHCHECK of what follows CMD), None for the shell form."""
        return self.dissection.split.json

    @property
    def has_inner_comment(self) -> bool:
        """A comment line stands between the physical lines."""
        return self.dissection.head.has_comment

    @property
    def is_continued(self) -> bool:
        """The instruction has a continuation; heredoc bodies are none."""
        return self.dissection.head.is_continued

    @property
    def newline(self) -> str:
        """Line ending of the first line, that of the file where it has none."""
        end = self.text.find("\n")
        if end < 0:
            return self._format.newline
        return "\r\n" if self.text[:end].endswith("\r") else "\n"

    @property
    def escape(self) -> str:
        """The escape character of the file."""
        return self._format.escape

    # What it means

    def flag(self, name: str) -> str | None:
        """Value of the last flag ``--name``; "" for one without value, None where there is none."""
        found = None
        for flag in self.dissection.flags:
            if flag.name == name:
                found = flag.value or ""
        return found

    def flag_values(self, name: str) -> tuple[str, ...]:
        """Values of all flags ``--name`` in order; "" for one without value."""
        return tuple(flag.value or "" for flag in self.dissection.flags if flag.name == name)

    @property
    def words(self) -> tuple[str, ...]:
        """The argument as BuildKit cuts it: JSON strings; at blanks (COPY, ADD, EXPOSE, VOLUME, FROM); at
        blanks outside quotes, which are kept (ENV, LABEL, ARG); type and command (HEALTHCHECK); else one
        word at most.
        """
        found = self._words
        if found is None:
            json = self.json
            words = self.dissection.words
            if json is None:
                found = tuple([word for word, _, _ in words])
            else:
                found = (words[0][0], *json) if self.keyword == "HEALTHCHECK" else json
            self._words = found
        return found

    @property
    def word_spans(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each word in ``argument``; empty for the exec form."""
        return () if self.json is not None else tuple((start, end) for _, start, end in self.dissection.words)

    @property
    def is_legacy_pair(self) -> bool:
        """``ENV name value`` or ``LABEL name value``, without equals sign."""
        words = self.dissection.words if self.keyword in ("ENV", "LABEL") else ()
        return bool(words) and "=" not in words[0][0]

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(name, raw value) of ENV, LABEL and ARG, quotes as written; a bare ``ARG name`` has ""."""
        if self.keyword not in _PAIRS:
            return ()
        if self.is_legacy_pair:
            parts = BLANKS.split(self.argument, 1)
            return ((parts[0], parts[1]),) if len(parts) == 2 else ()
        found = []
        for word in self.words:
            name, equals, value = word.partition("=")
            if equals or self.keyword == "ARG":
                found.append((name, value))
        return tuple(found)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of COPY or ADD that are paths or URLs; heredocs are left out."""
        words = self.words
        if self.keyword not in _COPIES or len(words) < 2:
            return ()
        return tuple(word for word in words[:-1] if "<<" not in word or heredoc_start(word) is None)

    @property
    def destination(self) -> str | None:
        """Destination of COPY or ADD."""
        words = self.words
        return words[-1] if self.keyword in _COPIES and len(words) > 1 else None

    @property
    def onbuild(self) -> Instruction | None:
        """The instruction that an ONBUILD wraps; it is no node of the file."""
        dissection = self.dissection
        if dissection.split.keyword != "ONBUILD" or not dissection.split.argument:
            return None
        return Instruction(self.text[dissection.raw_start(dissection.split.argument_start) :], self._format)

    # New ones

    def splice(self, changes: Sequence[tuple[int, int, str]], as_written: bool = False) -> Instruction:
        """Replaces spans of ``argument``, (start, end, new text) each; all other bytes stay, wherever they
        are.

        A span over a continuation replaces the physical text in between. An insertion (start == end) goes
        behind the character before it, so in front of a continuation. New text may hold canonical
        continuations (``\\``, LF, four blanks); they take this instruction's indentation, unless they come from
        the file (``as_written``). Raises ValueError for spans that overlap or leave the argument.
        """
        dissection = self.dissection
        argument, base = dissection.split.argument, dissection.split.argument_start
        size = len(argument)
        raw: list[tuple[int, int, str]] = []
        expected: list[str] = []
        reached = 0
        for start, end, new in sorted(changes, key=lambda change: (change[0], change[1])):
            if not reached <= start <= end <= size:
                raise ValueError(f"span {start}:{end} overlaps another or leaves the argument (0:{size})")
            new = new if as_written else self._adapted(new)
            expected += [argument[reached:start], self._joined(new)]
            reached = end
            if not size:
                at = dissection.raw_end(base)
                gap = "" if self.text[at - 1 : at] in (" ", "\t") else " "
                raw.append((at, at, gap + new))
            elif start == end:
                at = dissection.raw_end(base + start) if start else dissection.raw_start(base)
                raw.append((at, at, new))
            else:
                raw.append((dissection.raw_start(base + start), dissection.raw_end(base + end), new))
            if end == size and "\n" in new:
                first, last, new = raw[-1]
                raw[-1] = (first, self._line_end(last), new)
        return self._checked(self._with_raw(raw), "".join(expected) + argument[reached:])

    def splice_body(self, changes: Sequence[tuple[int, int, str]]) -> Instruction:
        """As :meth:`splice`, for spans of the body of the first heredoc; new text goes in as it is."""
        start = self.dissection.head.end
        return self._with_raw([(start + begin, start + end, new) for begin, end, new in sorted(changes)])

    def raw(self, start: int, end: int) -> str:
        """A span of ``argument`` as it stands in the file: continuations and comments inside it included."""
        dissection = self.dissection
        base = dissection.split.argument_start
        begin = dissection.raw_end(base + start) if start else dissection.raw_start(base)
        is_rest = end >= len(dissection.split.argument)
        return self.text[begin : dissection.raw_end(base + end) if is_rest else dissection.raw_start(base + end)]

    @property
    def raw_argument(self) -> str:
        """The argument as it stands in the file: continuations and comments inside it included."""
        dissection = self.dissection
        start = dissection.split.argument_start
        size = len(dissection.split.argument)
        return self.text[dissection.raw_start(start) : dissection.raw_end(start + size)] if size else ""

    def chained(self, bodies: Sequence[str], comments: Sequence[Sequence[str]] = ()) -> Instruction:
        """Adds shell commands as they stand in a file (:attr:`raw_argument` of other RUNs), each
        behind ``&&`` on a line of its own, joined as this instruction's lines are, or those of the bodies or the file.

        ``comments`` are the comment lines above each of them (``# why``), or none at all. BuildKit leaves comment lines
        between continued lines out, whatever the escape character is.
        """
        dissection = self.dissection
        split, style = dissection.split, self._format.style
        seam = self._seam(bodies)
        broken, newline, rest = seam.between(self.escape, style.newline).partition(style.newline)
        end = dissection.raw_end(split.argument_start + len(split.argument))
        added = []
        for body, lines in zip(bodies, comments or [()] * len(bodies), strict=True):
            said = "".join(f"{seam.indent}{line}{newline}" for line in lines)
            added.append(f"{broken}{newline}{said}{rest}{body}")
        return self._with_raw([(end, self._line_end(end), "".join(added))])

    def _line_end(self, at: int) -> int:
        """Behind the blanks at ``at`` where those end the line: a new line does not take them over."""
        end = at
        while self.text[end : end + 1] in {" ", "\t"}:
            end += 1
        return end if self.text[end:].lstrip("\r")[:1] in ("", "\n") else at

    def _seam(self, bodies: Sequence[str] = ()) -> Seam:
        for text in (self.text, *bodies):
            found = most_used(seams(text, self.escape))
            if found is not None:
                return found
        format = self._format
        if self.is_continued:
            own = continuation_indents(self.text, self.escape)
            return Seam(format.seam.is_trailing if format.seam else False, own[0] if own else format.style.indent)
        return format.seam or Seam(False, format.style.indent)

    def with_argument(self, argument: str) -> Instruction:
        """Keeps keyword, flags, line ending and heredoc bodies, replaces the rest; comments inside it go."""
        return self.splice([(0, len(self.argument), argument)])

    def with_keyword(self, keyword: str) -> Instruction:
        """The same under another keyword, written as it is given."""
        split = self.dissection.split
        start, end = split.keyword_start, split.keyword_start + len(split.keyword_text)
        return self._with_raw([(self.dissection.raw_start(start), self.dissection.raw_end(end), keyword)])

    def wrapping(self, trigger: Instruction) -> Instruction:
        """This ONBUILD with another instruction in it, made from its own (:attr:`onbuild`)."""
        dissection = self.dissection
        return self._with_raw([(dissection.raw_start(dissection.split.argument_start), len(self.text), trigger.text)])

    def with_flag(self, name: str, value: str | None) -> Instruction:
        """Sets ``--name=value`` (``--name`` for None): in place of the flag of that name, else behind the
        other flags.

        Of flags that may be given several times (``mount``, ``exclude``, ``device``) another one is added,
        unless that very one is there.
        """
        dissection = self.dissection
        text = flag_text(name, value, self.escape)
        same = [span for span in dissection.split.flag_spans if span[0].name == name]
        if any(flag.value == value for flag, _, _ in same):
            return self
        if same and name not in REPEATABLE_FLAGS:
            _, start, end = same[-1]
            made = self._with_raw([(dissection.raw_start(start), dissection.raw_end(end), text)])
            return self._checked(made, self.argument)
        if dissection.split.flag_spans:
            at = dissection.raw_end(dissection.split.flag_spans[-1][2])
        else:
            at = dissection.raw_end(dissection.split.keyword_start + len(dissection.split.keyword_text))
        return self._checked(self._with_raw([(at, at, f" {text}")]), self.argument)

    def with_flag_values(self, name: str, values: Sequence[str]) -> Instruction:
        """The flags ``--name`` with other values, one for each of them, each where it stands."""
        dissection = self.dissection
        same = [span for span in dissection.split.flag_spans if span[0].name == name]
        raw = [
            (dissection.raw_start(start), dissection.raw_end(end), flag_text(name, value, self.escape))
            for (flag, start, end), value in zip(same, values, strict=True)
            if flag.value != value
        ]
        return self._checked(self._with_raw(raw), self.argument)

    def without_flag(self, name: str) -> Instruction:
        """Drops all flags ``--name``; a comment line behind one stays."""
        dissection = self.dissection
        raw = []
        for flag, start, end in dissection.split.flag_spans:
            if flag.name != name:
                continue
            logical = dissection.head.logical
            following = end
            while following < len(logical) and logical[following] in SPACE:
                following += 1
            raw_start, raw_end = dissection.raw_start(start), dissection.raw_end(end)
            if following < len(logical):
                beyond = dissection.raw_start(following)
                if "#" not in self.text[raw_end:beyond]:
                    raw_end = beyond
            raw.append((raw_start, raw_end, ""))
        return self._checked(self._with_raw(raw), self.argument)

    def closed(self) -> str:
        """The text with a line ending, fit to stand before other nodes: a continuation that hit the end of
        the file goes, for it would swallow the next instruction.
        """
        dissection = self.dissection
        text = self.text
        if dissection.head.is_open:
            end = dissection.raw_end(len(dissection.head.logical.rstrip(SPACE)))
            line_end = text.find("\n", end) + 1 or len(text)
            comments = [line for line in re.findall(r".+\n?", text[line_end:]) if line.lstrip(SPACE)[:1] == "#"]
            text = text[:end] + self.newline + "".join(comments)
        return text if text.endswith("\n") else text + self.newline

    def _checked(self, made: Instruction, argument: str) -> Instruction:
        """``made``, if it has the argument that it should have; else the same without the old line breaks.

        A change of one physical line can touch others: what is left may begin with ``#`` and be a comment,
        or the last line may be blank, so that the continuation before it goes on into the next instruction.
        """
        argument = argument.strip(SPACE)
        if made._holds(argument, self):
            return made
        flags = "".join(f" {flag.text}" for flag in made.flags)
        lines, bodies = self.text[: self.dissection.head.end], self.text[self.dissection.head.end :]
        ending = self.newline if lines.endswith("\n") else ""
        flat = f"{self.keyword_text}{flags} {argument}".rstrip(SPACE) + ending + bodies
        made = Instruction(flat, self._format)
        if not made._holds(argument, self):
            raise ValueError(f"{argument!r} cannot be the argument of one {self.keyword}")
        return made

    def _holds(self, argument: str, old: Instruction) -> bool:
        new, was = self.dissection, old.dissection
        return (
            new.split.argument == argument
            and self.text[new.head.end :] == old.text[was.head.end :]
            and [heredoc.name for heredoc in new.heredocs] == [heredoc.name for heredoc in was.heredocs]
            and (was.head.is_open or not new.head.is_open)
        )

    def _joined(self, text: str) -> str:
        """Adapted text as part of a logical line."""
        return re.sub(re.escape(self.escape) + r"[ \t]*\r?\n", "", text) if "\n" in text else text

    def _adapted(self, text: str) -> str:
        if "\n" not in text:
            return text
        style = self._format.style
        if CANONICAL_SEAM in text or "; \\\n" in text:
            seam = self._seam()
            if seam.is_trailing:
                text = text.replace(CANONICAL_SEAM, f" && \\\n{CANONICAL_INDENT}")
            return adapt(text, self.escape, style, seam.indent)
        own = continuation_indents(self.text, self.escape) if self.is_continued else []
        return adapt(text, self.escape, style, own[0] if own else style.indent)

    def _with_raw(self, changes: list[tuple[int, int, str]]) -> Instruction:
        parts: list[str] = []
        position = 0
        for start, end, new in changes:
            parts += [self.text[position:start], new]
            position = end
        text = "".join(parts) + self.text[position:]
        return self if text == self.text else Instruction(text, self._format)


Node = Instruction | Trivia
