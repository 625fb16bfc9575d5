"""Comments with which an author switches codemods off.

``# dockerfix: ignore=chain-runs # reason`` above an instruction, ``# dockerfix: ignore`` for all codemods there,
``# dockerfix: ignore-file`` anywhere for the whole file (``ignore-file=chain-runs`` for some); ``# hadolint ignore=``
and ``# hadolint global ignore=`` with hadolint's codes; BuildKit's ``# check=skip=`` directive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from refactor.codemod import Codemod, Finding
from refactor.syntax import Dockerfile, InsertAfter, InsertBefore, Instruction, Trivia

# Compiled (and kept by re) only for files that have such a comment: every start-up would pay for it.
_OURS = r"(?i)#\s*dockerfix:\s*ignore(?P<file>-file)?\s*(?:=\s*(?P<ids>[a-z0-9, -]+?))?\s*(?:#.*)?$"
_HADOLINT = r"(?i)#\s*hadolint\s+(?P<all>global\s+)?ignore\s*=\s*(?P<codes>[A-Z0-9, ]+)"


class Suppressions:
    """What is switched off in one file."""

    __slots__ = ("_checks", "_codes", "_ids", "is_all", "is_any")

    def __init__(self, file: Dockerfile) -> None:
        self.is_all = False
        """The whole file is to be left alone."""
        self._ids: set[str] = set()
        self._codes: set[str] = set()
        self._checks: set[str] = set()
        self.is_any = False
        for node in file.nodes:
            if (
                isinstance(node, Trivia)
                and node.kind == "comment"
                and ("dockerfix" in node.text or "hadolint" in node.text)
            ):
                self.is_any = True
                ours = re.search(_OURS, node.text)
                if ours and ours["file"]:
                    if ours["ids"]:
                        self._ids.update(_split(ours["ids"]))
                    else:
                        self.is_all = True
                hadolint = re.search(_HADOLINT, node.text)
                if hadolint and hadolint["all"]:
                    self._codes.update(_split(hadolint["codes"]))
        for part in file.directives.get("check", "").split(";"):
            name, _, value = part.partition("=")
            if name.strip().lower() == "skip":
                self._checks.update(_split(value.lower()))

    def silences(self, codemod: type[Codemod]) -> bool:
        """Whether the codemod is off in the whole file."""
        return (
            self.is_all
            or codemod.id in self._ids
            or bool(codemod.hadolint and not self._codes.isdisjoint(codemod.hadolint))
            or bool(
                codemod.checks and ("all" in self._checks or any(c.lower() in self._checks for c in codemod.checks))
            )
        )

    def silences_finding(self, codemod: type[Codemod], finding: Finding, file: Dockerfile) -> bool:
        """Whether a comment above an instruction that the finding touches switches it off."""
        return self.is_any and any(self._is_off(codemod, node, file) for node in _touched(finding))

    def _is_off(self, codemod: type[Codemod], node: Instruction, file: Dockerfile) -> bool:
        for comment in file.comments_above(node):
            ours = re.search(_OURS, comment.text)
            if ours and not ours["file"] and (not ours["ids"] or codemod.id in _split(ours["ids"])):
                return True
            hadolint = re.search(_HADOLINT, comment.text)
            if hadolint and not hadolint["all"] and not set(codemod.hadolint).isdisjoint(_split(hadolint["codes"])):
                return True
        return False


def _split(text: str) -> set[str]:
    return {word.strip() for word in text.split(",") if word.strip()}


def _touched(finding: Finding) -> Iterable[Instruction]:
    if isinstance(finding.node, Instruction):
        yield finding.node
    for edit in finding.edits:
        # Inserting beside a node leaves it as it is; its comments are about itself.
        if not isinstance(edit, InsertBefore | InsertAfter) and isinstance(edit.node, Instruction):
            yield edit.node
