"""``dockerfix bot plan|run``: pull requests for one repository or a few, from their own state alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

import click

from refactor.engine.files import FileProblem
from refactor.forge.campaign import Job, Outcome, look_after
from refactor.forge.protocol import ForgeProblem
from refactor.forge.workplace import Access, warn_of_actions_token, without_secret

_FORGE = click.option(
    "--forge", "kind", type=click.Choice(["github", "gitlab", "gitea"]), help="Where the host's name does not tell."
)
_API = click.option(
    "--api", metavar="URL", help="Where the forge's API is, if not where its host has it. [env: DOCKERFIX_API_URL]"
)
_VERIFY = click.option(
    "--verify",
    "is_verifying",
    is_flag=True,
    help="Build and start both versions, put the table into the body, and propose nothing that fails.",
)


def reaching(command: Any) -> Any:
    """Adds the options that say how a forge is reached and whether branches are proved."""
    return _FORGE(_API(_VERIFY(command)))


@click.command("dockerfix bot", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("action", type=click.Choice(["plan", "run"]))
@click.option("--repo", "names", multiple=True, metavar="OWNER/NAME", help="A repository on a forge; may be repeated.")
@click.option("--repos", "listed", type=click.File(), metavar="FILE", help="A file with a repository a line.")
@click.option("--path", "folder", metavar="DIR", help="A clone on this machine, and the forge of its remote.")
@click.option("--remote", default="origin", show_default=True, help="With --path: the remote that is the forge's.")
@reaching
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing; the same as `plan`.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", help="Form of the plan.")
def bot_command(
    action: str,
    names: tuple[str, ...],
    listed: TextIO | None,
    folder: str | None,
    remote: str,
    kind: str | None,
    api: str | None,
    is_verifying: bool,
    dry_run: bool,
    format_name: str,
) -> NoReturn:
    """Opens and keeps pull requests: one for each codemod that finds something.

    `plan` says what would be done, `run` does it. The token comes from the environment (DOCKERFIX_TOKEN; GH_TOKEN,
    GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN; for a GitHub App DOCKERFIX_APP_ID and DOCKERFIX_APP_KEY). The
    repository's own configuration decides the rest in its table [bot].
    """
    wanted = [*map(without_secret, names), *lines(listed)]
    if bool(wanted) == (folder is not None):
        click.echo("dockerfix: name repositories with --repo or --repos, or a clone with --path", err=True)
        sys.exit(2)
    job = Job("plan" if dry_run else action, Access(kind, api, remote if folder is not None else "origin"))
    if is_verifying:
        job = job._replace(measurer=measurer())
    warn_of_actions_token(os.environ, lambda text: click.echo(f"dockerfix: {text}", err=True))
    status = 0
    for name in wanted or [""]:
        try:
            outcome = look_after(name, job, folder)
        except (ForgeProblem, FileProblem) as problem:
            click.echo(f"dockerfix: {name}{': ' if name else ''}{problem}", err=True)
            status = 2
            continue
        for error in outcome.errors:
            click.echo(f"dockerfix: {error}", err=True)
            status = 2
        _print(outcome, job.action == "plan", format_name)
    sys.exit(status)


def measurer() -> Any:
    """What proves branches, loaded only where that was asked for."""
    from refactor.cli.measure import measure_with_engine

    return measure_with_engine


def lines(file: TextIO | None) -> Iterator[str]:
    """The repositories that a file names, a line each; ``#`` begins a comment."""
    for line in file or ():
        name = line.partition("#")[0].strip()
        if name:
            yield without_secret(name)


def as_json(outcome: Outcome, is_dry: bool) -> Iterator[str]:
    """One line of JSON for each branch."""
    for row in outcome.rows:
        data = {**row._asdict(), "repository": outcome.name, "steps": list(row.steps), "done": not is_dry}
        yield json.dumps(data)


def _print(outcome: Outcome, is_dry: bool, format_name: str) -> None:
    if format_name == "json":
        for line in as_json(outcome, is_dry):
            click.echo(line)
        return
    if not outcome.rows:
        click.echo(f"{outcome.name}: nothing to propose")
    for row in outcome.rows:
        click.echo(f"{outcome.name}: {row.branch}: {row.state}: {row.why}")
        if row.steps:
            click.echo(f"    {'would ' if is_dry else 'did '}{'; '.join(row.steps)}")
        if row.url:
            click.echo(f"    {row.url}")
