"""What a run makes of one Dockerfile: before and after of every file touched, what was applied, and the diff."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.syntax.edits import common_ends

if TYPE_CHECKING:
    from difflib import SequenceMatcher

    from refactor.codemod import FileEdit, Finding, Refusal
    from refactor.context import BuildContext
    from refactor.syntax import Problem

CONTEXT_LINES = 3
_MANY_LINES = 2000


class Change:
    """The result for one Dockerfile.

    ``after`` equals ``before`` where nothing applies, where the file is not a valid Dockerfile (``problems``) and where
    a gate stopped the rewrite (``failure``, always a bug of ours).
    """

    __slots__ = tuple("after applied before broken failure files misread problems refused suggested".split())

    def __init__(
        self,
        before: bytes,
        after: bytes,
        *,
        applied: Sequence[Finding] = (),
        refused: Sequence[Refusal] = (),
        suggested: Sequence[Finding] = (),
        problems: Sequence[Problem] = (),
        failure: str | None = None,
        broken: Sequence[tuple[str, str]] = (),
        misread: Sequence[tuple[int, str, str]] = (),
        files: Sequence[FileEdit] = (),
    ) -> None:
        self.before = before
        self.after = after
        self.applied = tuple(applied)
        self.refused = tuple(refused)
        self.suggested = tuple(suggested)
        """Findings that were not applied because they are less safe than what was asked for."""
        self.problems = tuple(problems)
        """Where BuildKit would refuse the file."""
        self.failure = failure
        """Why a gate refused the rewrite, None where it holds."""
        self.broken = tuple(broken)
        """Manifests of the build context that were read and do not parse: (path, reason)."""
        self.misread = tuple(misread)
        """Comments that switch off what is not known, so that nothing was done: (line, what is wrong, what to do)."""
        self.files = tuple(files)
        """The other files that change, with paths relative to the build context: all are written, or none."""

    @property
    def is_changed(self) -> bool:
        return self.after != self.before or bool(self.files)

    def context_after(self, context: BuildContext) -> BuildContext:
        """The build context once the change is written: a second run sees it."""
        return context.with_files({file.path: file.after for file in self.files}) if self.files else context

    def diff(self, path: str = "Dockerfile", folder: str | None = None) -> str:
        """The unified diff that ``git apply`` and ``patch -p1`` take; "" where nothing changed.

        ``folder`` is the build context as ``path`` would name it; None: the Dockerfile's own. Bytes that are not UTF-8
        are surrogate escapes: encode with ``errors="surrogateescape"``.
        """
        folder = posixpath.dirname(path) if folder is None else folder
        moved = [file._replace(path=posixpath.normpath(posixpath.join(folder, file.path))) for file in self.files]
        return diff_of(self.before, self.after, path, moved)


def diff_of(before: bytes, after: bytes, path: str, files: Iterable[FileEdit]) -> str:
    """One diff of a Dockerfile and the files that change with it, whose paths are as ``path`` is."""
    parts = [unified_diff(before, after, path)] if after != before else []
    parts += [unified_diff(file.before, file.after, file.path) for file in files]
    return "".join(line for part in parts for line in part)


def unified_diff(before: bytes | None, after: bytes, path: str) -> Iterator[str]:
    """Unified diff of two versions of one file, split at line feeds only (a lone CR is part of its line); ``before`` is
    None for one that is created.

    Lines alike at both ends are set aside first, so that the cost follows the change and not the file.
    """
    old, new, start, matcher = _compared(before or b"", after)
    # Patch tools refuse absolute paths, and strip exactly one folder.
    path = path.removeprefix("./").lstrip("/")
    yield "--- /dev/null\n" if before is None else f"--- a/{path}\n"
    yield f"+++ b/{path}\n"
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        first, last = group[0], group[-1]
        old_range = _range(start + first[1], start + last[2])
        new_range = _range(start + first[3], start + last[4])
        yield f"@@ -{old_range} +{new_range} @@\n"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                for line in old[i1:i2]:
                    yield _marked(" ", line)
                continue
            for line in old[i1:i2]:
                yield _marked("-", line)
            for line in new[j1:j2]:
                yield _marked("+", line)


class Replacement(NamedTuple):
    """Whole lines of the original file and the text that takes their place.

    Neither side is empty: an insertion repeats the line beside it, and so does a removal.
    """

    first: int
    """1-based, as is ``last``, which is replaced too."""
    last: int
    text: str
    """Without the end of its last line. Bytes that are not UTF-8 are surrogate escapes."""


def replacements(before: bytes, after: bytes) -> Iterator[Replacement]:
    """What turns ``before`` into ``after``, from top to bottom; no two meet on a line, so each applies without the
    others."""
    old, new, start, matcher = _compared(before, after)
    spans: list[tuple[int, int, int, int]] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        if i1 == i2 or j1 == j2:
            if i2 < len(old):
                i2, j2 = i2 + 1, j2 + 1
            elif i1 and j1:
                i1, j1 = i1 - 1, j1 - 1
        if spans and i1 < spans[-1][1]:
            i1, j1 = spans[-1][0], spans[-1][2]
            spans.pop()
        spans.append((i1, i2, j1, j2))
    for i1, i2, j1, j2 in spans:
        text = "".join(new[j1:j2])
        text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
        yield Replacement(start + i1 + 1, start + i2, text)


def _compared(before: bytes, after: bytes) -> tuple[list[str], list[str], int, SequenceMatcher[str]]:
    """The lines of both that matter, how many stand above them, and what compares them."""
    from difflib import SequenceMatcher

    old, new = _lines(before), _lines(after)
    head, tail = common_ends(old, new)
    start = max(0, head - CONTEXT_LINES)
    cut = max(0, tail - CONTEXT_LINES)
    old, new = old[start : len(old) - cut], new[start : len(new) - cut]
    # Without the junk heuristic diffs of ordinary files read better; on huge ones it keeps the cost linear.
    return old, new, start, SequenceMatcher(None, old, new, autojunk=max(len(old), len(new)) > _MANY_LINES)


def _lines(data: bytes) -> list[str]:
    return [line.decode("utf-8", "surrogateescape") for line in data.split(b"\n")[:-1] for line in [line + b"\n"]] + (
        [data.rpartition(b"\n")[2].decode("utf-8", "surrogateescape")] if data and not data.endswith(b"\n") else []
    )


def _marked(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def _range(start: int, stop: int) -> str:
    # The form of POSIX diff -u: an empty range names the line before it, a length of one is left out.
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
