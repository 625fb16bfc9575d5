"""One run over many files: each gets its own configuration, context and outcome."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.codemod import Finding, Safety, Settings
from refactor.codemod.codemod import SAFE_ONLY
from refactor.context import BuildContext
from refactor.engine.configuration import Configuration, closest_configuration, load_configuration
from refactor.engine.contexts import ContextFinder
from refactor.engine.discovery import discover_files
from refactor.engine.files import FileProblem, read_source, replace_atomically
from refactor.engine.fix import fix
from refactor.engine.record import Message, Record, fingerprint, record_of
from refactor.engine.selection import choose
from refactor.syntax import parse

if TYPE_CHECKING:
    from refactor.ecosystems.python.online import Index

FILES_A_PROCESS = 100
"""Fewer files than this for each process do not pay for starting it (some 60 ms)."""


class Options(NamedTuple):
    """What the command line asks for; None and empty leave it to the configuration."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    safe: bool = False
    unsafe: bool = False
    runner: str | None = None
    context: str | None = None
    config: str | None = None
    is_isolated: bool = False
    write: bool = False
    diff: bool = False
    rejected: frozenset[str] = frozenset()
    """Fingerprints of findings that people do not want."""
    online: str | None = None
    """The package index to ask for what the tables lack; None: stay offline."""
    fixes: bool = False
    """Whether records say which lines to replace."""
    preset: str | None = None
    """One of :data:`~refactor.codemod.codemod.PRESETS`."""


class Worker:
    """Does files one after another, sharing what they have in common (configuration, Compose files)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._configurations: dict[str, Configuration] = {}
        self._contexts = ContextFinder()
        self._fixed: Configuration | None = None
        self._top: str | None = None
        if options.is_isolated:
            self._fixed = Configuration()
        elif options.config is not None:
            self._fixed = load_configuration(options.config) or Configuration()
        self._is_index_told = False
        self._index = None if options.online is None else _ask(options.online)
        # A misspelt id is the command line's mistake and not each file's: say it once, before any file.
        choose(options.select, options.ignore, options.extend_select)

    def stay_below(self, folder: str) -> None:
        """Takes ``folder`` for a repository's top: no configuration from above, fingerprints with paths from it."""
        self._top = folder
        self._configurations[os.path.dirname(os.path.abspath(folder))] = Configuration()

    def configuration(self, path: str) -> Configuration:
        """The configuration that holds for a file. Raises :class:`FileProblem` for a broken one."""
        return self._fixed or closest_configuration(os.path.dirname(path) or ".", self._configurations)

    def work(self, path: str) -> Record:
        """Reads, fixes and, where asked for, writes one file. Never raises for anything in the repository."""
        try:
            source = read_source(path)
            record, after = self._fix(path, source, None)
            record = self._with_index(record)
            if self.options.write and record.is_changed:
                replace_atomically(path, source, after)
                record = record._replace(is_written=True)
            return record
        except FileProblem as problem:
            return Record(path, errors=(Message(problem.path, problem.what, problem.advice),))

    def work_on_text(self, source: bytes, name: str | None) -> Record:
        """Fixes a Dockerfile from standard input; ``name`` is the path it would have, which gives it a context."""
        try:
            context = None if name else BuildContext.unknown("read from standard input")
            return self._with_index(self._fix(name or "-", source, context)[0])
        except FileProblem as problem:
            return Record(name or "-", errors=(Message(problem.path, problem.what, problem.advice),))

    def _with_index(self, record: Record) -> Record:
        """Says once that the package index does not answer: what it would have said stays unknown."""
        index = self._index
        if index is None or not index.problem or self._is_index_told:
            return record
        self._is_index_told = True
        message = Message(index.url, index.problem, "check the network and the address, or leave out --online")
        return record._replace(errors=(*record.errors, message))

    def _fix(self, path: str, source: bytes, context: BuildContext | None) -> tuple[Record, bytes]:
        options, configuration = self.options, self.configuration(path)
        root = options.context or configuration.context
        if context is None or root is not None:
            if root is not None and not os.path.isdir(root):
                raise FileProblem(root, "is no folder", "name the build context's folder with --context")
            context = self._contexts.open(
                path if path != "-" else os.path.join(root or ".", "Dockerfile"), parse(source), root
            )
        safety, preset = _level(options, configuration)
        change = fix(
            source,
            context,
            options.select if options.select is not None else configuration.select,
            ignore=(*configuration.ignore, *options.ignore, *configuration.ignored_for(path)),
            extend_select=(*configuration.extend_select, *options.extend_select),
            safety=safety,
            settings=Settings(
                options.runner or configuration.runner, configuration.codemods, configuration.builder, preset
            ),
            is_rejected=self._rejection(path) if options.rejected else None,
        )
        wants_after = path == "-" or not options.write
        return record_of(path, change, diff=options.diff, after=wants_after, fixes=options.fixes), change.after

    def _rejection(self, path: str) -> Callable[[Finding], bool]:
        place = path if self._top is None else os.path.relpath(path, self._top)
        return lambda finding: fingerprint(place, finding) in self.options.rejected


def _level(options: Options, configuration: Configuration) -> tuple[Safety, str | None]:
    """The least safe level to apply, and the preset: what the command line says goes before the configuration."""
    preset = options.preset or configuration.preset
    if options.safe:
        return Safety.SAFE, preset
    if options.unsafe:
        # A configured preset `safe` is what the flag overrides.
        return Safety.UNSAFE, options.preset or (preset if preset != SAFE_ONLY else None)
    if configuration.safe:
        return Safety.SAFE, preset
    return Safety.UNSAFE if configuration.unsafe else Safety.REVIEW, preset


def _ask(url: str) -> Index:
    from refactor.ecosystems.python.online import Index
    from refactor.ecosystems.python.wheels import ask

    index = Index(url)
    ask(index)
    return index


def expand_paths(paths: Sequence[str]) -> tuple[list[str], list[Message]]:
    """The files to do, in order and each once, and what could not be looked at. A file that is named is always done."""
    files: dict[str, None] = {}
    errors = []
    for path in paths:
        try:
            for found in discover_files(path) if os.path.isdir(path) else [path]:
                files[found] = None
        except FileProblem as problem:
            errors.append(Message(problem.path, problem.what, problem.advice))
    return list(files), errors


def work_on_files(files: Sequence[str], options: Options, jobs: int | None = None) -> Iterator[Record]:
    """The records of many files, in their order, by ``jobs`` processes (None: as many as pay)."""
    if jobs is None:
        jobs = min(os.cpu_count() or 1, len(files) // FILES_A_PROCESS)
    jobs = min(jobs, len(files))
    worker = Worker(options)
    if jobs <= 1:
        for path in files:
            yield worker.work(path)
        return
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(jobs, _start_worker, (options,)) as pool:
        yield from pool.imap(_work, files, chunksize=16)


_worker: Worker | None = None


def _start_worker(options: Options) -> None:
    global _worker
    _worker = Worker(options)


def _work(path: str) -> Record:
    assert _worker is not None
    return _worker.work(path)
