"""What a builder does again after an edit of one source file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from refactor.context import BuildContext
from refactor.proof.engine import Built
from refactor.proof.probe import Outcome
from refactor.proof.progress import reinstalled
from refactor.syntax import parse

SLOWER = 1.2
"""Rebuilds whose time is below this ratio to the one before differ by noise."""
SLOWER_SECONDS = 1.0
_ANSWERED = frozenset({"exit", "healthy", "http", "probe", "tcp"})


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Builds after edits of one source file; the steps are those of the first."""

    seconds: float
    """The median."""
    ran: int
    cached: int
    installs: tuple[str, ...]
    """The steps that installed dependencies once more."""
    answered: float | None = None
    """Seconds from the edit until the started program answered or ended: build and start, the median; None where that
    was not measured, or nothing of the kind happened."""


def rebuild_of(built: Sequence[Built], started: Sequence[Outcome]) -> Rebuild:
    """Medians over the builds after each edit, and over what came of starting their images (() where none was)."""
    first = built[0].steps
    cached = sum(step.is_cached for step in first)
    installs = tuple(step.text for step in reinstalled(first))
    is_answered = bool(started) and all(outcome.kind in _ANSWERED for outcome in started)
    return Rebuild(
        median(one.seconds for one in built),
        len(first) - cached,
        cached,
        installs,
        median(one.seconds + outcome.seconds for one, outcome in zip(built, started)) if is_answered else None,
    )


def is_slower(was: float, now: float) -> bool:
    """Whether a time in seconds became longer by more than noise."""
    return now > was * SLOWER and now > was + SLOWER_SECONDS


def slower(was: Rebuild, now: Rebuild, path: str) -> list[str]:
    """Warnings of a rebuild that became worse. Which steps are run again is certain, their time is not."""
    notes = []
    if len(now.installs) > len(was.installs):
        notes.append(
            f"warning: an edit of {path} installs again in {len(now.installs)} steps, before in {len(was.installs)}"
        )
    elif now.ran > was.ran:
        notes.append(f"warning: an edit of {path} runs {now.ran} steps again, before {was.ran}")
    if is_slower(was.seconds, now.seconds):
        notes.append(
            f"warning: the rebuild after an edit of {path} took {now.seconds:.1f} s, before {was.seconds:.1f} s"
        )
    return notes


def copied(source: bytes, context: BuildContext) -> list[str] | None:
    """The context's paths that a Dockerfile copies; None where that is everything, or not known."""
    found: list[str] = []
    for node in parse(source).instructions:
        if node.keyword not in {"COPY", "ADD"} or node.flag("from") is not None:
            continue
        for pattern in node.sources:
            if "$" in pattern:
                return None
            matched = context.glob(pattern)
            if isinstance(matched, tuple):
                found += ["" if path == "." else path.strip("/") for path in matched]
    return found
