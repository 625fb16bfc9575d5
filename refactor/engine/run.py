"""One run over many files: each gets its own configuration, context and outcome."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.codemod import Finding, Safety, Settings
from refactor.codemod.codemod import SAFE_ONLY
from refactor.context import BuildContext
from refactor.engine.configuration import Configuration, closest_configuration, load_configuration
from refactor.engine.contexts import ContextFinder
from refactor.engine.discovery import discover_files
from refactor.engine.files import FileProblem, Write, read_source, write_together
from refactor.engine.fix import fix
from refactor.engine.record import Message, Record, fingerprint, record_of
from refactor.engine.selection import choose
from refactor.syntax import parse

if TYPE_CHECKING:
    from refactor.images.online import Index
    from refactor.images.registry import Registry

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
    registry: str | None = None
    """The registry to ask instead of Docker Hub, with ``online``."""
    fixes: bool = False
    """Whether records say which lines to replace."""
    preset: str | None = None
    """One of :data:`~refactor.codemod.codemod.PRESETS`."""


class Worker:
    """Does files one after another, sharing what they have in common (configuration, Compose files)."""

    def __init__(self, options: Options, *, is_helper: bool = False) -> None:
        """``is_helper``: another worker does again what writes more than its Dockerfile."""
        self.options = options
        self._is_helper = is_helper
        self._configurations: dict[str, Configuration] = {}
        self._contexts = ContextFinder()
        self._fixed: Configuration | None = None
        self._top: str | None = None
        if options.is_isolated:
            self._fixed = Configuration()
        elif options.config is not None:
            self._fixed = load_configuration(options.config) or Configuration()
        self._made: dict[str, dict[str, bytes]] = {}
        """What files would hold that were to be written, by folder and absolute path: for the next Dockerfiles."""
        self._asked = () if options.online is None else _ask(options.online, options.registry)
        self._told: set[str] = set()
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
            record = self._with_silence(record)
            if self.options.write and record.is_changed and not (self._is_helper and record.files):
                # The Dockerfile last: the other files do no harm without it.
                own = [Write(path, source, after)] if after != source else []
                write_together([*(Write(*file) for file in record.files), *own])
                record = record._replace(is_written=True)
            return record
        except FileProblem as problem:
            return Record(path, errors=(Message(problem.path, problem.what, problem.advice),))

    def work_on_text(self, source: bytes, name: str | None, *, is_alone: bool = True) -> Record:
        """Fixes a Dockerfile from standard input; ``name`` is the path it would have, which gives it a context.
        ``is_alone``: whoever gets the result can take no other file."""
        try:
            context = None if name else BuildContext.unknown("read from standard input")
            return self._with_silence(self._fix(name or "-", source, context, is_alone)[0])
        except FileProblem as problem:
            return Record(name or "-", errors=(Message(problem.path, problem.what, problem.advice),))

    def _with_silence(self, record: Record) -> Record:
        """Says once of each server that does not answer: what it would have said stays unknown."""
        for asked in self._asked:
            if asked.problem and asked.problem not in self._told:
                self._told.add(asked.problem)
                message = Message(asked.url, asked.problem, "check the network and the address, or leave out --online")
                record = record._replace(errors=(*record.errors, message))
        return record

    def _fix(
        self, path: str, source: bytes, context: BuildContext | None, is_alone: bool = False
    ) -> tuple[Record, bytes]:
        options, configuration = self.options, self.configuration(path)
        root = options.context or configuration.context
        file = parse(source)
        if context is None or root is not None:
            if root is not None and not os.path.isdir(root):
                raise FileProblem(root, "is no folder", "name the build context's folder with --context")
            context = self._contexts.open(path if path != "-" else os.path.join(root or ".", "Dockerfile"), file, root)
            context = self._with_made(context)
        safety, preset = _level(options, configuration)
        change = fix(
            file,
            context,
            options.select if options.select is not None else configuration.select,
            ignore=(*configuration.ignore, *options.ignore, *configuration.ignored_for(path)),
            extend_select=(*configuration.extend_select, *options.extend_select),
            safety=safety,
            settings=Settings(
                options.runner or configuration.runner, configuration.codemods, configuration.builder, preset
            ),
            is_rejected=self._rejection(path) if options.rejected else None,
            is_alone=is_alone,
        )
        wants_after = path == "-" or not options.write
        record = record_of(path, change, context.root, diff=options.diff, after=wants_after, fixes=options.fixes)
        if not (options.write or self._is_helper):
            for written in record.files:
                made = os.path.abspath(written.path)
                self._made.setdefault(os.path.dirname(made), {})[made] = written.after
        return record, change.after

    def _with_made(self, context: BuildContext) -> BuildContext:
        """The context with what earlier Dockerfiles of this run write into it: two of one folder share a file."""
        if context.root is None or context.top is None:
            return context
        above = [context.root]
        while above[-1] != context.top and above[-1] != os.path.dirname(above[-1]):
            above.append(os.path.dirname(above[-1]))
        inside = context.root.rstrip(os.sep) + os.sep
        files = {
            os.path.relpath(path, context.root).replace(os.sep, "/"): data
            for folder, made in self._made.items()
            if folder in above or folder.startswith(inside)
            for path, data in made.items()
        }
        return context.with_files(files) if files else context

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


def _ask(index_url: str, registry_url: str | None) -> "tuple[Index | Registry, ...]":
    from refactor.images import registry
    from refactor.images.online import Index
    from refactor.images.wheels import ask

    index, images = Index(index_url), registry.Registry(registry_url)
    ask(index)
    registry.ask(images)
    return index, images


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
        for path, record in zip(files, pool.imap(_work, files, chunksize=16)):
            # Two Dockerfiles of one folder share its files: those are done here, one after the other.
            yield worker.work(path) if record.files else record


_worker: Worker | None = None


def _start_worker(options: Options) -> None:
    global _worker
    _worker = Worker(options, is_helper=True)


def _work(path: str) -> Record:
    assert _worker is not None
    return _worker.work(path)
