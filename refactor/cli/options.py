"""The options that ``dockerfix`` and ``dockerfix verify`` share: which codemods run, and what they are told."""

from __future__ import annotations

from functools import reduce
from typing import Any

import click

from refactor.codemod.codemod import RUNNERS


def _ids(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for text in value for word in text.split(",") if word.strip())


_OPTIONS = (
    click.option("--select", multiple=True, callback=_ids, metavar="IDS", help="Run only these codemods (or phases)."),
    click.option("--ignore", multiple=True, callback=_ids, metavar="IDS", help="Leave these codemods out."),
    click.option(
        "--extend-select", multiple=True, callback=_ids, metavar="IDS", help="Run these as well (opt-in ones)."
    ),
    click.option("--safe", is_flag=True, help="Only rewrites after which the image behaves the same by construction."),
    click.option("--unsafe", is_flag=True, help="Also rewrites for which a fact is missing."),
    click.option(
        "--runner", type=click.Choice(RUNNERS), help="Runner image that a split should use where facts allow."
    ),
    click.option(
        "--context", metavar="DIR", help="The build context; default: the Dockerfile's folder, or what Compose says."
    ),
    click.option(
        "--online",
        is_flag=False,
        flag_value="https://pypi.org",
        metavar="[URL]",
        help="Ask a package index (default: https://pypi.org) which Python packages come as wheels.",
    ),
    click.option("--config", metavar="FILE", help="Use this configuration file."),
    click.option("--isolated", is_flag=True, help="Read no configuration file."),
)


def rewriting(command: Any) -> Any:
    """Adds the shared options to a command, in their order."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)
