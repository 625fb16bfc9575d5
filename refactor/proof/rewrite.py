"""Where the version after comes from: dockerfix itself, with all codemods or with some of them left out."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from refactor.codemod import Codemod, FileEdit, Safety
from refactor.codemod.codemod import discover
from refactor.context import BuildContext
from refactor.engine.fix import fix
from refactor.engine.record import FindingRecord, record_of
from refactor.engine.run import Options, Worker
from refactor.model.aspects import Aspect
from refactor.model.build_model import BuildModel
from refactor.model.comparison import compare


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A version after, and which codemods made it."""

    after: bytes
    codemods: tuple[str, ...]
    """Ids of those that were applied, each once, in the order of their first finding."""
    may_change: frozenset[Aspect]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Other files of the context that belong to the rewrite, by path in it."""
    edits: tuple[FileEdit, ...] = ()
    """All other files that it writes, to be written with it; as :attr:`Record.files`."""

    @property
    def key(self) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
        """What tells the versions of a build apart."""
        return self.after, tuple(sorted(self.files.items()))

    is_safe: bool = False
    """Whether all that was applied is SAFE, so that no file of the image may differ."""
    errors: tuple[str, ...] = ()
    """Why there is none: the file's own faults, or a gate that stopped it."""
    findings: tuple[FindingRecord, ...] = ()
    """What was applied, with its evidence."""


class Rewriter(Protocol):
    """Makes the version after: by all codemods, or by those of ``only``."""

    def __call__(self, only: Collection[str] | None = None) -> Rewrite: ...


def rewriter_for(path: str, source: bytes, options: Options, top: str | None = None) -> Rewriter:
    """Rewrites as the command line does, with the configuration that holds for ``path``; ``top`` is the folder to take
    for its repository's top (:meth:`Worker.stay_below`).

    Raises :class:`refactor.engine.files.FileProblem` and :class:`refactor.engine.fix.UnknownCodemod`, as that
    does.
    """
    known = {cls.id: cls for cls in discover()}

    def rewrite(only: Collection[str] | None = None) -> Rewrite:
        chosen = options._replace(write=False, diff=False)
        if only is not None:
            left_out = tuple(id for id in known if id not in only)
            chosen = chosen._replace(select=tuple(only) or ("all",), ignore=(*options.ignore, *left_out))
        worker = Worker(chosen)
        if top is not None:
            worker.stay_below(top)
        record = worker.work_on_text(source, path, is_alone=False)
        ids = _once([finding.codemod for finding in record.applied])
        errors = () if record.is_changed else tuple(str(message) for message in record.errors)
        after = record.after if record.after is not None else source
        is_safe = all(finding.safety == str(Safety.SAFE) for finding in record.applied)
        aspects = _aspects([known[id] for id in ids], source, after)
        files = {name: edit.after for edit in record.files if (name := _inside(edit.path, record.root))}
        return Rewrite(after, ids, aspects, files, record.files, is_safe, errors, record.applied)

    return rewrite


def rewriter_with(source: bytes, context: BuildContext, codemods: Sequence[type[Codemod]]) -> Rewriter:
    """Rewrites by these codemods and no others."""

    def rewrite(only: Collection[str] | None = None) -> Rewrite:
        chosen = [cls for cls in codemods if only is None or cls.id in only]
        change = fix(source, context, codemods=chosen)
        ids = _once([finding.codemod for finding in change.applied])
        errors = (change.failure,) if change.failure else tuple(problem.reason for problem in change.problems)
        aspects = _aspects([cls for cls in chosen if cls.id in ids], source, change.after)
        is_safe = all(finding.safety is Safety.SAFE for finding in change.applied)
        findings = record_of("", change, diff=False, after=False).applied
        files = {edit.path: edit.after for edit in change.files if not edit.path.startswith("../")}
        return Rewrite(change.after, ids, aspects, files, change.files, is_safe, errors, findings)

    return rewrite


def _inside(path: str, root: str) -> str:
    """A path from the build context, "" for one outside: no build sees it."""
    found = os.path.relpath(path, root).replace(os.sep, "/")
    return "" if found.startswith("../") else found


def _once(ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _aspects(classes: Sequence[type[Codemod]], before: bytes, after: bytes) -> frozenset[Aspect]:
    """What the codemods declare for every file, and what changed in this one: the gates let nothing pass that was not
    declared for it (a split declares USER only where the runner's base brings a user along)."""
    always = {aspect for cls in classes for aspect in cls.may_change}
    here = {difference.aspect for difference in compare(BuildModel.read(before), BuildModel.read(after))}
    return frozenset(always | here)
