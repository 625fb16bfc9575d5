"""The options that ``dockerfix`` and ``dockerfix verify`` share: which codemods run, and what they are told."""

from __future__ import annotations

from functools import reduce
from typing import Any

import click

from refactor.codemod.codemod import PRESETS, RUNNERS, SAFE_ONLY


def _ids(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for text in value for word in text.split(",") if word.strip())


_OPTIONS = (
    click.option("--select", multiple=True, callback=_ids, metavar="IDS", help="Run only these codemods (or phases)."),
    click.option("--ignore", multiple=True, callback=_ids, metavar="IDS", help="Leave these codemods out."),
    click.option(
        "--extend-select", multiple=True, callback=_ids, metavar="IDS", help="Run these as well (opt-in ones)."
    ),
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        help="safe: as --safe. modern: also the opt-in ones that want a current builder or runtime.",
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
        help="Ask a package index (default: https://pypi.org) which Python packages come as wheels, and the images'"
        " registries which tags there are.",
    ),
    click.option("--registry", metavar="URL", help="With --online: the registry to ask instead of Docker Hub."),
    click.option("--config", metavar="FILE", help="Use this configuration file."),
    click.option("--isolated", is_flag=True, help="Read no configuration file."),
)


def why_not_together(safe: bool, unsafe: bool, preset: str | None) -> str | None:
    """Which two of these contradict each other, in words; None where they go together."""
    if unsafe and (safe or preset == SAFE_ONLY):
        return f"{'--safe' if safe else '--preset safe'} and --unsafe exclude each other"
    return None


def rewriting(command: Any) -> Any:
    """Adds the shared options to a command, in their order."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)
