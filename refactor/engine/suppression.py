"""Comments with which an author switches codemods off.

``# dockerfix: ignore=chain-runs # reason`` above an instruction or between its lines, ``# dockerfix: ignore`` for all
codemods there, ``# dockerfix: ignore-file`` anywhere for the whole file (``ignore-file=chain-runs`` for some);
``# hadolint ignore=`` and ``# hadolint global ignore=`` with hadolint's codes (its ``Hadolint.Pragma``); BuildKit's
``# check=skip=`` directive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor.codemod import Codemod, Finding, Refusal
from refactor.engine.selection import UnknownCodemod, ids_of
from refactor.syntax import Dockerfile, InsertAfter, InsertBefore, Instruction, Node, Trivia

# Compiled (and kept by re) only for files that have such a comment: every start-up would pay for it.
_OURS = r"(?i)#\s*dockerfix:\s*(?P<word>[a-z_-]+)\s*(?P<rest>[^#]*)"
_HADOLINT = r"(?i)#\s*hadolint\s+(?P<all>global\s+)?ignore\s*=\s*(?P<codes>[a-z]+\d+(?:\s*,\s*[a-z]+\d+)*)"
_FORM = "`# dockerfix: ignore=ID, ID # why` (ignore-file for the whole file)"
_WORDS = {"ignore": False, "ignore-file": True}
"""What is said after ``dockerfix:``, and whether it is said of the whole file."""


class Off:
    """What one comment switches off: for the whole file or an instruction; ids of codemods (None: all of them), codes
    of hadolint's."""

    __slots__ = ("codes", "ids", "is_whole", "line")

    def __init__(self, line: int, is_whole: bool, ids: frozenset[str] | None, codes: frozenset[str]) -> None:
        self.line = line
        self.is_whole = is_whole
        self.ids = ids
        self.codes = codes

    def concerns(self, codemod: type[Codemod]) -> bool:
        return self.ids is None or codemod.id in self.ids or not self.codes.isdisjoint(codemod.hadolint)


class Suppressions:
    """What is switched off in one file. ``known`` are the codemods that comments may name."""

    __slots__ = ("_checks", "_known", "_whole", "is_all", "is_any", "problems")

    def __init__(self, file: Dockerfile, known: Sequence[type[Codemod]]) -> None:
        self._known = known
        self.problems: list[tuple[int, str, str]] = []
        """Comments that cannot be followed: (line, what is wrong, what to do)."""
        self.is_any = _may_say(file.text)
        self._whole: list[Off] = []
        for node in file.nodes if self.is_any else ():
            for line, text in _comments(node, file):
                self._whole += [off for off in self._read(text, line, self.problems) if off.is_whole]
        self.is_all = any(off.ids is None for off in self._whole)
        """The whole file is to be left alone."""
        self._checks: set[str] = set()
        for part in file.directives.get("check", "").split(";"):
            name, _, value = part.partition("=")
            if name.strip().lower() == "skip":
                self._checks.update(_split(value.lower()))

    def heard(self, codemods: Sequence[type[Codemod]]) -> Sequence[type[Codemod]]:
        """Those that are not off in the whole file."""
        if not self._whole and not self._checks:
            return codemods
        return [codemod for codemod in codemods if not self._silences(codemod)]

    def _silences(self, codemod: type[Codemod]) -> bool:
        return any(off.concerns(codemod) for off in self._whole) or bool(
            codemod.checks and ("all" in self._checks or any(check.lower() in self._checks for check in codemod.checks))
        )

    def line_against(self, codemod: type[Codemod], result: Finding | Refusal, file: Dockerfile) -> int | None:
        """The line of the comment, at an instruction that the result concerns, which switches it off there."""
        for node in _touched(result) if self.is_any else ():
            for line, text in _said_at(node, file):
                if any(not off.is_whole and off.concerns(codemod) for off in self._read(text, line, [])):
                    return line
        return None

    def _read(self, text: str, line: int, problems: list[tuple[int, str, str]]) -> Iterator[Off]:
        """What a comment switches off, in our words and in hadolint's; adds to ``problems`` what it cannot follow."""
        for said in re.finditer(_OURS, text):
            off = self._ours(said, line)
            if isinstance(off, Off):
                yield off
            elif off is not None:
                problems.append((line, *off))
        for said in re.finditer(_HADOLINT, text):
            yield Off(line, bool(said["all"]), frozenset(), frozenset(_split(said["codes"].upper())))

    def _ours(self, said: re.Match[str], line: int) -> Off | tuple[str, str] | None:
        """What it switches off; what is wrong with it and what to do; None for what is no comment to us."""
        word, rest, whole = said["word"].lower(), said["rest"].strip(), said[0].strip()
        is_whole = _WORDS.get(word)
        if is_whole is None and said.string[: said.start()].strip():
            return None
        if is_whole is None or (rest and not rest.startswith("=")):
            return f"{whole!r} is no comment that dockerfix knows", f"write {_FORM}"
        names = _split(rest[1:].lower())
        if rest and not names:
            return f"{whole!r} names no codemod", "name it, or leave out the `=` to switch off all"
        try:
            return Off(line, is_whole, frozenset(ids_of(names, self._known)) if names else None, frozenset())
        except UnknownCodemod as error:
            what, _, hint = str(error).partition("; ")
            return f"{what} in a comment", f"{hint} Write {_FORM}"


def _may_say(text: str) -> bool:
    return "#" in text and ("dockerfix" in text or "hadolint" in text)


def _split(text: str) -> set[str]:
    return {word.strip() for word in text.split(",") if word.strip()}


def _comments(node: Node, file: Dockerfile) -> Iterator[tuple[int, str]]:
    """A comment line itself, or those between the lines of an instruction, each with its number."""
    if not _may_say(node.text):
        return
    line = file.line_of(node)
    if isinstance(node, Trivia):
        if node.kind == "comment":
            yield line, node.text
    elif node.has_inner_comment:
        lines = node.text[: node.dissection.head.end].split("\n")
        yield from ((line + at, text) for at, text in enumerate(lines) if text.lstrip().startswith("#"))


def _said_at(node: Instruction, file: Dockerfile) -> Iterator[tuple[int, str]]:
    for comment in file.comments_above(node):
        yield from _comments(comment, file)
    yield from _comments(node, file)


def _touched(result: Finding | Refusal) -> Iterator[Instruction]:
    if isinstance(result.node, Instruction):
        yield result.node
    for edit in result.edits if isinstance(result, Finding) else ():
        # Inserting beside a node leaves it as it is; its comments are about itself.
        if not isinstance(edit, InsertBefore | InsertAfter) and isinstance(edit.node, Instruction):
            yield edit.node
