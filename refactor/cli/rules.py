"""``dockerfix rules`` and ``dockerfix explain ID``: the codemods' own documentation."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from refactor.cli.colour import painter
from refactor.cli.output import Output
from refactor.codemod.codemod import discover
from refactor.engine.files import FileProblem
from refactor.engine.selection import UnknownCodemod, choose
from refactor.report.rules import explain, opt_in, summary


@click.command("rules", context_settings={"help_option_names": ["-h", "--help"]})
def rules_command() -> None:
    """List the codemods: id, safety level and what each does."""
    paint = painter(sys.stdout)
    classes = discover()
    width = max((len(cls.id) for cls in classes), default=0)
    _print(
        f"{paint(cls.id.ljust(width), bold=True)}  {cls.safety!s:6}  {summary(cls)}"
        + (f" ({opt_in(cls)})" if cls.opt_in else "")
        for cls in classes
    )


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("codemod", metavar="ID")
def explain_command(codemod: str) -> None:
    """Print what a codemod does, why, when it refuses, and an example."""
    try:
        classes = choose([codemod])
    except UnknownCodemod as error:
        click.echo(f"dockerfix: {error}", err=True)
        sys.exit(2)
    _print(explain(cls) for cls in classes)


def _print(texts: Iterable[str]) -> None:
    try:
        with Output() as out:
            for text in texts:
                out.write(f"{text}\n")
    except FileProblem as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)
