"""``dockerfix campaign``: the bot over an organisation's repositories, on this machine or a Dask cluster."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import click

from refactor.cli.bot import as_json, lines, measurer, reaching
from refactor.engine.files import FileProblem
from refactor.forge.campaign import ACTIONS, BATCH, Job, Notes, Outcome, local_executor, spread
from refactor.forge.workplace import Access, warn_of_actions_token

_EPILOG = """\b
Exit status:
  0  every repository is done
  2  some are not (the others are), or the call has an error
A campaign that ended early is started again: what is done on the forge is not done twice.
"""


@click.command("dockerfix campaign", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("action", type=click.Choice(ACTIONS))
@click.option("--repos", "listed", type=click.File(), metavar="FILE", required=True, help="A repository a line.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Do the first N that are not done yet.")
@click.option(
    "--sleep",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between the starts of two repositories; forges ask for at most one write a second.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Repositories at once.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on this Dask cluster (tcp://host:8786).")
@click.option("--state", "state_file", metavar="FILE", help="Note what is done until the run is through; a cache.")
@reaching
@click.option("--dry-run", is_flag=True, help="With run and close: say what would be done.")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text", help="Form of the report."
)
def campaign_command(
    action: str,
    listed: TextIO,
    limit: int | None,
    sleep: float,
    jobs: int,
    scheduler: str | None,
    state_file: str | None,
    kind: str | None,
    api: str | None,
    is_verifying: bool,
    dry_run: bool,
    format_name: str,
) -> NoReturn:
    """The bot over many repositories.

    `plan` says what would be done, `run` does it, `status` lists what was proposed and what became of it, `close` takes
    back what is open and nobody has touched. Tokens come from the environment of the processes that do the work, with
    --scheduler from that of the cluster's workers.
    """
    action = "plan" if dry_run and action == "run" else action
    api = api or os.environ.get("DOCKERFIX_API_URL")
    job = Job(action, Access(kind, api), measurer() if is_verifying else None, dry_run)
    is_dry = dry_run or action in {"plan", "status"}
    names = list(dict.fromkeys(lines(listed)))
    warn_of_actions_token(os.environ, lambda text: click.echo(f"dockerfix: {text}", err=True))
    try:
        notes = None if state_file is None else Notes(state_file, f"{action} --dry-run" if is_dry else action)
    except FileProblem as problem:
        _stop(str(problem))
    known = {} if notes is None else notes.done
    left = [name for name in names if name not in known]
    chosen = left[:limit]
    outcomes = {name: known[name] for name in names if name in known}
    try:
        with _executor(scheduler, jobs) as (executor, width, batch):
            found = spread(chosen, job, executor, width=width, batch=batch, sleep=sleep)
            for number, outcome in enumerate(found, len(outcomes) + 1):
                outcomes[outcome.name] = outcome
                if notes is not None:
                    notes.add(outcome)
                click.echo(f"[{number}/{len(names)}] {outcome.name}: {_said(outcome)}", err=True)
    except BrokenExecutor:
        _stop("a process that did the work was ended from outside; run it again, and it goes on where it was")
    is_whole = len(outcomes) == len(names) and all(outcome.is_done for outcome in outcomes.values())
    if notes is not None:
        notes.close(is_whole)
    _report([outcomes[name] for name in names if name in outcomes], len(names), is_dry, format_name)
    sys.exit(0 if all(outcome.is_done and not outcome.errors for outcome in outcomes.values()) else 2)


@contextmanager
def _executor(scheduler: str | None, jobs: int) -> Iterator[tuple[Executor, int, int]]:
    """Where the work is done, how many batches are under way at once, and how large they are."""
    if scheduler is None:
        with local_executor(jobs) as executor:
            try:
                yield executor, jobs, 1
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise
        return
    try:
        from distributed import Client
    except ImportError:
        _stop("--scheduler needs Dask: pip install 'dockerfix[campaign]'")
    try:
        client: Any = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        _stop(f"no Dask scheduler answers at {scheduler}: {error}")
    with client:
        # A worker does one repository at a time; one batch more for each waits, so that none stands still.
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        yield client.get_executor(pure=False), 2 * workers, BATCH


def _said(outcome: Outcome) -> str:
    if not outcome.is_done:
        return outcome.problem
    return ", ".join(f"{row.branch} {row.state}" for row in outcome.rows) or "nothing to propose"


def _report(outcomes: Sequence[Outcome], count: int, is_dry: bool, format_name: str) -> None:
    if format_name == "json":
        for outcome in outcomes:
            for line in as_json(outcome, is_dry):
                click.echo(line)
        return
    did = "would do" if is_dry else "did"
    table: list[tuple[str, ...]] = [("repository", "branch", "state", did, "pull request")]
    for outcome in outcomes:
        if not outcome.is_done:
            table.append((outcome.name, "", "failed", outcome.problem, ""))
        for row in outcome.rows:
            table.append((outcome.name, row.branch, row.state, "; ".join(row.steps), row.url))
    widths = [max(len(cells[column]) for cells in table) for column in range(5)]
    for cells in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
    states = Counter(row.state for outcome in outcomes for row in outcome.rows)
    failed = sum(not outcome.is_done for outcome in outcomes)
    parts = [f"{len(outcomes) - failed} of {count} repositories done", *([f"{failed} failed"] if failed else [])]
    parts += [f"{number} {state}" for state, number in sorted(states.items())]
    click.echo(f"\n{'; '.join(parts)}")


def _stop(message: str) -> NoReturn:
    click.echo(f"dockerfix: {message}", err=True)
    sys.exit(2)
