"""The gates: what a rewrite must satisfy before anybody sees it. They run in production, at every rewrite.

A gate that fails is a bug of a codemod; the original bytes stay, and the reason is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from refactor.codemod import FileEdit
from refactor.context import BuildContext, Unknown
from refactor.model.aspects import Aspect
from refactor.model.build_model import BuildModel
from refactor.model.comparison import compare
from refactor.model.produced import why_not_carried_out
from refactor.model.reader import read
from refactor.syntax import Dockerfile, parse


def why_not_sound(before: Dockerfile, after: Dockerfile, may_change: Iterable[Aspect]) -> str | None:
    """Why ``after`` must not replace ``before``; None where every gate holds. (Gate 5, the silent second run, is the
    last pass of the loop in :mod:`refactor.engine.fix`.)"""
    printed = bytes(after)
    return (
        _why_not_printed(after, printed)
        or _why_not_read_alike(after, printed)
        or _why_changed(before, after, printed, frozenset(may_change))
    )


def why_not_written(files: Sequence[FileEdit], context: BuildContext, may_change: Iterable[Aspect]) -> str | None:
    """Why other files must not be written: not as they were read, not in the repository, reached by a link, or not
    announced. None where all may be."""
    if files and Aspect.FILES not in may_change:
        return f"the rewrite would change other files: {files[0].path}"
    for file in files:
        stored = context.stored(file.path)
        if isinstance(stored, Unknown):
            return f"{file.path} cannot be written: {stored.reason}"
        if stored != file.before:
            return f"{file.path} is not as it was read" if stored is not None else f"{file.path} does not exist"
    return None


def _why_not_printed(tree: Dockerfile, printed: bytes) -> str | None:
    """Gate 1: the printed result is a valid Dockerfile and parses to the tree that was printed."""
    again = parse(printed)
    if len(again.nodes) != len(tree.nodes) or any(a.text != b.text for a, b in zip(again.nodes, tree.nodes)):
        return "the printed result does not parse to the tree that was printed"
    if tree.problems:
        problem = tree.problems[0]
        return f"the result would not build: line {problem.line}: {problem.reason}"
    return None


def _why_not_read_alike(tree: Dockerfile, printed: bytes) -> str | None:
    """Gate 2: dockerfile-parse, inside its domain, sees the same instructions."""
    reading = read(printed)
    if isinstance(reading, str):
        return None
    nodes, seen = tree.instructions, reading.statements
    ours = [node.keyword for node in nodes]
    theirs = [statement.keyword for statement in seen]
    if ours != theirs:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        return f"an independent reader sees other instructions from number {at + 1} on"
    for number, (node, statement) in enumerate(zip(nodes, seen), 1):
        value = statement.value
        written = " ".join([*(flag.text for flag in node.flags), node.argument]) if node.flags else node.argument
        if written != value and _squeezed(written) != _squeezed(value):
            return f"an independent reader sees another value in instruction {number} ({statement.keyword})"
    return None


def _squeezed(text: str) -> str:
    # Blanks at the seams of a continued line are the one thing on which the two readers differ.
    return "".join(text.split())


def _why_changed(before: Dockerfile, after: Dockerfile, printed: bytes, may_change: frozenset[Aspect]) -> str | None:
    """Gates 3 and 4: nothing changed that no applied codemod declares; what a stage is asked for, it has."""
    was, now = BuildModel.read(bytes(before)), BuildModel.read(printed)
    for difference in compare(was, now):
        if difference.aspect not in may_change:
            return f"the rewrite would change {difference.aspect.name.lower()}: {difference.text}"
    return why_not_carried_out(was, now)
