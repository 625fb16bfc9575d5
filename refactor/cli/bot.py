"""``dockerfix bot plan|run``: pull requests for one repository or many, from their own state alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TextIO

import click

from refactor.cli.session import complain
from refactor.engine.files import FileProblem
from refactor.engine.run import Options
from refactor.forge.bot import Bot, Item
from refactor.forge.protocol import Forge, ForgeProblem
from refactor.forge.repository import Repository
from refactor.forge.workplace import ACTIONS_ACCOUNT, cloned, find_token, open_forge, read_address, settings_at


@click.command("dockerfix bot", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("action", type=click.Choice(["plan", "run"]))
@click.option("--repo", "names", multiple=True, metavar="OWNER/NAME", help="A repository on a forge; may be repeated.")
@click.option("--repos", "listed", type=click.File(), metavar="FILE", help="A file with a repository a line.")
@click.option("--path", "folder", metavar="DIR", help="A clone on this machine, and the forge of its remote.")
@click.option("--remote", default="origin", show_default=True, help="With --path: the remote that is the forge's.")
@click.option(
    "--forge", "kind", type=click.Choice(["github", "gitlab", "gitea"]), help="Where the host's name does not tell."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing; the same as `plan`.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", help="Form of the plan.")
def bot_command(
    action: str,
    names: tuple[str, ...],
    listed: TextIO | None,
    folder: str | None,
    remote: str,
    kind: str | None,
    dry_run: bool,
    format_name: str,
) -> NoReturn:
    """Opens and keeps pull requests: one for each codemod that finds something.

    `plan` says what would be done, `run` does it. The token comes from the environment (DOCKERFIX_TOKEN; GH_TOKEN,
    GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN). The repository's own configuration decides the rest in its table [bot].
    """
    wanted = [*names, *_lines(listed)]
    if bool(wanted) == (folder is not None):
        click.echo("dockerfix: name repositories with --repo or --repos, or a clone with --path", err=True)
        sys.exit(2)
    is_dry = dry_run or action == "plan"
    status = 0
    for name in wanted or [""]:
        try:
            with _opened(name, folder, remote, kind) as (repository, forge):
                status = max(status, _keep(repository, forge, remote, is_dry, format_name, name or str(folder)))
        except (ForgeProblem, FileProblem) as problem:
            click.echo(f"dockerfix: {problem}", err=True)
            status = 2
    sys.exit(status)


def _lines(file: TextIO | None) -> Iterator[str]:
    for line in file or ():
        name = line.partition("#")[0].strip()
        if name:
            yield name


@contextmanager
def _opened(name: str, folder: str | None, remote: str, kind: str | None) -> Iterator[tuple[Repository, Forge]]:
    if folder is None:
        forge = _forge(name, kind)
        with cloned(forge.repository(), forge.credentials()) as repository:
            yield repository, forge
        return
    with Repository(folder) as repository:
        yield repository, _forge(repository.remote_url(remote), kind)


def _forge(name: str, kind: str | None) -> Forge:
    address = read_address(name, kind)
    token, variable = find_token(address.kind)
    if variable == "GITHUB_TOKEN" and os.environ.get("GITHUB_ACTIONS") == "true":
        click.echo(
            "dockerfix: pull requests opened with the token of GitHub Actions start no workflows; "
            "use an App's or a person's token as DOCKERFIX_TOKEN where their checks must run",
            err=True,
        )
    return open_forge(address, token)


def _keep(repository: Repository, forge: Forge, remote: str, is_dry: bool, format_name: str, name: str) -> int:
    about = forge.repository()
    head = repository.remote_head(remote, about.default_branch)
    if head is None:
        raise ForgeProblem(f"{about.name} has no commit on {about.default_branch}", "commit something first")
    settings, _ = settings_at(repository, repository.fetch(remote, head))
    if settings.account is None and os.environ.get("GITHUB_ACTIONS") == "true":
        settings = settings._replace(account=ACTIONS_ACCOUNT)
    bot = Bot(repository, forge, settings, Options(), remote=remote)
    items = bot.plan()
    if not is_dry:
        bot.run(items)
    for error in bot.errors:
        complain(error)
    _print(about.name, items, is_dry, format_name)
    return 2 if bot.errors else 0


def _print(name: str, items: Sequence[Item], is_dry: bool, format_name: str) -> None:
    if format_name == "json":
        rows = [
            {
                "repository": name,
                "branch": item.branch,
                "state": item.state,
                "why": item.why,
                "url": item.url,
                "steps": [step.name for step in item.steps],
                "done": not is_dry,
            }
            for item in items
        ]
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not items:
        click.echo(f"{name}: nothing to propose")
    for item in items:
        steps = "; ".join(step.name for step in item.steps)
        click.echo(f"{name}: {item.branch}: {item.state}: {item.why}")
        if steps:
            click.echo(f"    {'would ' if is_dry else 'did '}{steps}")
        if item.url:
            click.echo(f"    {item.url}")
