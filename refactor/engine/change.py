"""What a run makes of one file: before and after, what was applied, what was refused, and the diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from refactor.syntax.edits import common_ends

if TYPE_CHECKING:
    from refactor.codemod import Finding, Refusal
    from refactor.syntax import Problem

CONTEXT_LINES = 3
_MANY_LINES = 2000


class Change:
    """The result for one Dockerfile.

    ``after`` equals ``before`` where nothing applies, where the file is not a valid Dockerfile (``problems``) and where
    a gate stopped the rewrite (``failure``, always a bug of ours).
    """

    __slots__ = ("after", "applied", "before", "broken", "failure", "problems", "refused", "suggested")

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

    @property
    def is_changed(self) -> bool:
        return self.after != self.before

    def diff(self, path: str = "Dockerfile") -> str:
        """The unified diff that ``git apply`` and ``patch -p1`` take; "" where nothing changed.

        Bytes that are not UTF-8 are surrogate escapes: encode with ``errors="surrogateescape"``.
        """
        return "".join(unified_diff(self.before, self.after, path)) if self.is_changed else ""


def unified_diff(before: bytes, after: bytes, path: str) -> Iterator[str]:
    """Unified diff of two versions of one file, split at line feeds only (a lone CR is part of its line).

    Lines alike at both ends are set aside first, so that the cost follows the change and not the file.
    """
    from difflib import SequenceMatcher

    old, new = _lines(before), _lines(after)
    # Patch tools refuse absolute paths, and strip exactly one folder.
    path = path.removeprefix("./").lstrip("/")
    head, tail = common_ends(old, new)
    start = max(0, head - CONTEXT_LINES)
    cut = max(0, tail - CONTEXT_LINES)
    old, new = old[start : len(old) - cut], new[start : len(new) - cut]
    yield f"--- a/{path}\n"
    yield f"+++ b/{path}\n"
    # Without the junk heuristic diffs of ordinary files read better; on huge ones it keeps the cost linear.
    matcher = SequenceMatcher(None, old, new, autojunk=max(len(old), len(new)) > _MANY_LINES)
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
