"""A rewrite as commits: one for each codemod, for each folder, or one for all."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from refactor.engine.record import FindingRecord, Message, Record
from refactor.engine.run import Options, Worker, expand_paths
from refactor.forge.repository import CommitPlan, Repository

if TYPE_CHECKING:
    import git

PER = ("codemod", "folder", "all")
SUBJECT_LENGTH = 72
"""Characters of a commit's first line; more is cut by `git log --oneline` and by the forges."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one codemod adds to one file: the file after it, on top of the codemods before."""

    path: str
    codemod: str
    after: bytes
    findings: tuple[FindingRecord, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What it adds to other files."""

    @property
    def written(self) -> dict[str, bytes]:
        """All files as they are after it."""
        return {**self.files, self.path: self.after}


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What dockerfix makes of a commit's Dockerfiles; paths are from the repository's top."""

    steps: tuple[Step, ...]
    records: tuple[Record, ...]
    errors: tuple[Message, ...]


@contextmanager
def exported(repository: Repository, base: git.Commit, is_whole: bool = False) -> Iterator[str]:
    """A folder with the files of a commit, which looks like the top of a repository, for as long as it is needed.

    ``is_whole`` where something is built from it, and not only read (:meth:`Repository.export`).
    """
    with tempfile.TemporaryDirectory(prefix="dockerfix-") as folder:
        repository.export(base, folder, is_whole)
        # Tells where the search for Compose files ends; git itself forbids a tracked file of that name.
        os.mkdir(os.path.join(folder, ".git"))
        yield folder


def rewrite_commit(repository: Repository, base: git.Commit, paths: Sequence[str], options: Options) -> Rewrites:
    """Rewrites the Dockerfiles of a commit that lie at or below ``paths`` (from the repository's top)."""
    with exported(repository, base) as folder:
        files, errors = expand_paths([os.path.join(folder, path) for path in paths])
        if options.context is not None:
            options = options._replace(context=os.path.join(folder, repository.path_inside(options.context)))
        workers = _Workers(options._replace(write=False, diff=True), folder)
        steps: list[Step] = []
        records = []
        for file in files:
            record = workers.of(None).work(file)
            steps += _steps(workers, file, folder, record)
            records.append(_moved(record, folder))
        return Rewrites(tuple(steps), tuple(records), tuple(_told(error, folder) for error in errors))


class _Workers:
    """Workers for the same files with fewer codemods."""

    def __init__(self, options: Options, folder: str) -> None:
        self._options, self._folder = options, folder
        self._made: dict[tuple[str, ...] | None, Worker] = {}

    def of(self, only: tuple[str, ...] | None) -> Worker:
        worker = self._made.get(only)
        if worker is None:
            options = self._options if only is None else self._options._replace(select=only, extend_select=())
            worker = self._made[only] = Worker(options)
            worker.stay_below(self._folder)
        return worker


def _steps(workers: _Workers, file: str, folder: str, record: Record) -> Iterator[Step]:
    """The codemods of one file in the order of their first finding, each with what the file is once it is there too."""
    if not record.is_changed or record.after is None:
        return
    ids = tuple(dict.fromkeys(finding.codemod for finding in record.applied))
    with open(file, "rb") as source:
        before = source.read()
    written: dict[str, bytes] = {}
    path = os.path.relpath(file, folder)
    for count, id_ in enumerate(ids, 1):
        reached = record if count == len(ids) else workers.of(ids[:count]).work(file)
        after = reached.after
        files = {os.path.relpath(edit.path, folder): edit.after for edit in reached.files}
        new = {name: data for name, data in files.items() if written.get(name) != data}
        # A codemod whose finding is another one's consequence has nothing to show by itself.
        if after is not None and (after != before or new):
            yield Step(path, id_, after, tuple(finding for finding in record.applied if finding.codemod == id_), new)
            before = after
            written |= new


def _moved(record: Record, folder: str) -> Record:
    diff = record.diff.replace(folder.lstrip("/") + "/", "")
    errors = tuple(_told(error, folder) for error in record.errors)
    files = tuple(edit._replace(path=os.path.relpath(edit.path, folder)) for edit in record.files)
    return record._replace(path=os.path.relpath(record.path, folder), diff=diff, errors=errors, files=files)


def _told(message: Message, folder: str) -> Message:
    return message._replace(path=os.path.relpath(message.path, folder))


def plan_commits(steps: Sequence[Step], per: str) -> tuple[CommitPlan, ...]:
    """The commits that bring ``steps`` onto their base, by one of :data:`PER`."""
    groups: dict[str, list[Step]] = defaultdict(list)
    order = {id_: number for number, id_ in enumerate(dict.fromkeys(step.codemod for step in steps))}
    for step in steps:
        key = {"codemod": step.codemod, "folder": os.path.dirname(step.path), "all": ""}[per]
        groups[key].append(step)
    if per == "codemod":
        return _by_codemod(groups, order)
    return tuple(_plan(group) for group in groups.values())


def _by_codemod(groups: dict[str, list[Step]], order: dict[str, int]) -> tuple[CommitPlan, ...]:
    # A file may meet two codemods in another order than the first file did; its steps are whole files, so that each
    # commit takes the latest one that the file has reached by then, and never goes back.
    reached: dict[str, int] = {}
    plans = []
    sequence: dict[str, list[Step]] = defaultdict(list)
    for step in (step for group in groups.values() for step in group):
        sequence[step.path].append(step)
    for id_ in sorted(groups, key=order.__getitem__):
        files: dict[str, bytes] = {}
        for step in groups[id_]:
            position = sequence[step.path].index(step)
            if position >= reached.get(step.path, 0):
                files |= step.written
                reached[step.path] = position + 1
        if files:
            plans.append(_plan(groups[id_], files))
    return tuple(plans)


def _plan(group: Sequence[Step], files: dict[str, bytes] | None = None) -> CommitPlan:
    findings = [(step.path, finding) for step in group for finding in step.findings]
    ids = tuple(dict.fromkeys(step.codemod for step in group))
    return CommitPlan(
        _subject(findings, ids),
        _body(findings),
        files or {path: data for step in group for path, data in step.written.items()},
        ids,
    )


def _subject(findings: Sequence[tuple[str, FindingRecord]], ids: Sequence[str]) -> str:
    paths = tuple(dict.fromkeys(path for path, _ in findings))
    where = paths[0] if len(paths) == 1 else f"{len(paths)} Dockerfiles"
    messages = tuple(dict.fromkeys(finding.message for _, finding in findings))
    what = messages[0] if len(messages) == 1 else ids[0] if len(ids) == 1 else f"apply {len(ids)} refactorings"
    if len(where) + len(what) + 2 > SUBJECT_LENGTH:
        where = "Dockerfile" if len(paths) == 1 else "Dockerfiles"
    subject = f"{where}: {what}"
    return subject if len(subject) <= SUBJECT_LENGTH else subject[: SUBJECT_LENGTH - 1].rpartition(" ")[0] + "…"


def _body(findings: Sequence[tuple[str, FindingRecord]]) -> str:
    reasons = dict.fromkeys(f"{finding.why[:1].upper()}{finding.why[1:]}." for _, finding in findings if finding.why)
    lines = [*reasons, ""]
    for path, finding in findings:
        lines.append(f"- {path}:{finding.line}: {finding.message} [{finding.codemod}, {finding.safety}]")
        lines += [f"  - {fact}" for fact in finding.evidence]
    return "\n".join(lines)
