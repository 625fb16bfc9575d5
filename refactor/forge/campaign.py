"""The bot over many repositories, by any ``concurrent.futures.Executor``: processes of this machine, or a cluster.

Nothing is kept of a campaign but what is on the forge: one that is killed is started again and does what is missing,
as each repository's own run is idempotent. The notes that may be kept only save looking at what is done already.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from refactor.engine.files import FileProblem
from refactor.engine.run import Options
from refactor.forge.bot import PREFIX, Bot, Item, Measure
from refactor.forge.marker import read_marker
from refactor.forge.protocol import Forge, ForgeProblem, PullRequest, RemoteRepository
from refactor.forge.repository import Repository
from refactor.forge.workplace import Access, cloned, forge_of, settings_at

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

ACTIONS = ("plan", "run", "status", "close")
BATCH = 8
"""Repositories that a cluster's worker gets at once: its scheduler costs little then."""
SETTLING = 2.0
"""Seconds before a repository in which git failed is looked at once more."""


class Row(NamedTuple):
    """One branch of one repository, in plain values."""

    branch: str
    state: str
    why: str = ""
    url: str = ""
    steps: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What became of one repository."""

    name: str
    rows: tuple[Row, ...] = ()
    errors: tuple[str, ...] = ()
    """Faults of files: the rest of the repository is done."""
    problem: str = ""
    """Why the repository is not done; "" where it is."""

    @property
    def is_done(self) -> bool:
        return not self.problem


class Job(NamedTuple):
    """What is done with each repository. Plain values and functions of modules, so that it can be sent elsewhere; no
    secret is among them, each process has its own environment."""

    action: str
    access: Access = Access()
    measurer: Callable[[Repository], Measure] | None = None
    """Makes what builds and measures branches (``--verify``)."""
    is_dry: bool = False
    """Says what `close` would do; `plan` is the same for `run`."""


def look_after(name: str, job: Job, folder: str | None = None) -> Outcome:
    """Does one repository by its name on a forge, in a clone of its own; ``folder`` is a clone that is there already
    instead. Raises ForgeProblem and FileProblem."""
    with _opened(name, folder, job.access) as (repository, forge, about):
        remote = job.access.remote
        head = repository.remote_head(remote, about.default_branch)
        if head is None:
            raise ForgeProblem(f"{about.name} has no commit on {about.default_branch}", "commit something first")
        settings, _ = settings_at(repository, repository.fetch(remote, head))
        measure = None if job.measurer is None else job.measurer(repository)
        bot = Bot(repository, forge, settings, Options(), remote=remote, about=about, measure=measure)
        items = bot.plan_withdrawal() if job.action == "close" else bot.plan()
        if job.action != "plan" and not job.is_dry:
            bot.run(items)
        return Outcome(about.name, tuple(map(_row, items)), tuple(map(str, bot.errors)))


@contextmanager
def _opened(name: str, folder: str | None, access: Access) -> Iterator[tuple[Repository, Forge, RemoteRepository]]:
    if folder is not None:
        with Repository(folder) as repository:
            forge = forge_of(repository.remote_url(access.remote), access)
            yield repository, forge, forge.repository()
        return
    forge = forge_of(name, access)
    about = forge.repository()
    with cloned(about, forge.credentials()) as repository:
        yield repository, forge, about


def _row(item: Item) -> Row:
    return Row(item.branch, str(item.state), item.why, item.url, tuple(step.name for step in item.steps))


def status_of_repository(name: str, access: Access) -> Outcome:
    """What the bot has proposed in a repository, by the forge's word alone: nothing is cloned."""
    forge = forge_of(name, access)
    about, account = forge.repository(), forge.account()
    pulls = forge.pull_requests_below(PREFIX)
    return Outcome(about.name, tuple(_seen(pull) for pull in pulls if not account or pull.author == account))


def _seen(pull: PullRequest) -> Row:
    marker = read_marker(pull.body, pull.branch)
    if pull.is_open:
        state = "open"
    elif pull.is_merged:
        state = "merged"
    else:
        state = "withdrawn" if marker is not None and marker.is_closed else "rejected"
    return Row(pull.branch, state, pull.title, pull.url)


_one_at_a_time = threading.Lock()


def work(names: Sequence[str], job: Job) -> tuple[Outcome, ...]:
    """Does some repositories one after another; what goes wrong with one is its outcome, and the others are done."""
    outcomes = []
    for name in names:
        # A cluster's worker may have several threads, and the readers of a process are made for one.
        with _one_at_a_time:
            outcomes.append(_attempt(name, job))
    return tuple(outcomes)


def _look_twice(name: str, job: Job) -> Outcome:
    try:
        return look_after(name, job)
    except FileProblem:
        # A run that was killed may have left a push under way, which moved a branch between our reading and writing.
        time.sleep(SETTLING)
        return look_after(name, job)


def _attempt(name: str, job: Job) -> Outcome:
    try:
        if job.action == "status":
            outcome = status_of_repository(name, job.access)
        else:
            outcome = _look_twice(name, job)
    except (ForgeProblem, FileProblem) as problem:
        return Outcome(name, problem=str(problem))
    except Exception as error:
        # One repository must not end a campaign over hundreds.
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = "" if where is None else f" ({os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno})"
        return Outcome(name, problem=f"{type(error).__name__}: {error}{place}; a bug of dockerfix, please report it")
    return outcome._replace(name=name)


def spread(
    names: Sequence[str], job: Job, executor: Executor, *, width: int, batch: int = 1, sleep: float = 0.0
) -> Iterator[Outcome]:
    """The outcomes as they come. At most ``width`` batches are under way at once, and one begins ``sleep`` seconds for
    each of its repositories after the one before: forges ask for no more than one write a second from one account.

    Raises what the executor does when its processes are gone (``BrokenExecutor``).
    """
    pending: set[Future[tuple[Outcome, ...]]] = set()
    due = time.monotonic()
    for start in range(0, len(names), batch):
        group = tuple(names[start : start + batch])
        while len(pending) >= width:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from future.result()
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic()) + sleep * len(group)
        pending.add(executor.submit(work, group, job))
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            yield from future.result()


def local_executor(jobs: int) -> ProcessPoolExecutor:
    """Processes of this machine, which end with the one that started them, however that ends."""
    import multiprocessing

    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    """Without it the processes of a campaign that was killed wait for work forever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


class Notes:
    """A file with the outcomes of a run that is not through: a line of JSON each. A cache: without it everything is
    looked at again, to the same end. Raises :class:`FileProblem`."""

    def __init__(self, path: str, action: str) -> None:
        self._path, self._action = path, action
        self.done = {outcome.name: outcome for outcome in self._read()}
        try:
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise FileProblem(path, f"cannot be written: {error.strerror}", "name another file with --state") from None
        # The last line may have been cut off when the run was killed.
        self._file.write("\n")

    def _read(self) -> Iterator[Outcome]:
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileProblem(self._path, f"cannot be read: {error.strerror}", "name another file") from None
        for line in lines:
            try:
                data = json.loads(line)
                if data["action"] == self._action:
                    rows = tuple(Row(row[0], row[1], row[2], row[3], tuple(row[4])) for row in data["rows"])
                    yield Outcome(data["name"], rows, tuple(data["errors"]))
            except (ValueError, KeyError, TypeError, IndexError):
                continue

    def add(self, outcome: Outcome) -> None:
        """Notes a repository that is done; one with a problem is tried again."""
        if outcome.is_done:
            data = {"action": self._action, "name": outcome.name, "rows": outcome.rows, "errors": outcome.errors}
            self._file.write(json.dumps(data) + "\n")
            self._file.flush()

    def close(self, is_through: bool) -> None:
        """Ends the notes; a run that is through leaves none behind, so that the next one looks at everything."""
        self._file.close()
        if is_through:
            os.remove(self._path)
