"""``dockerfix config show|schema``: the configuration that holds for a path, and what a configuration may say."""

from __future__ import annotations

import json
import os
import sys

import click

from refactor.cli.output import Output
from refactor.engine.configuration import Configuration, closest_configuration, load_configuration
from refactor.engine.files import FileProblem
from refactor.engine.schema import configuration_schema


@click.group("config", context_settings={"help_option_names": ["-h", "--help"]})
def config_command() -> None:
    """Show what is configured, and what can be."""


@config_command.command("show")
@click.argument("path", default=".", metavar="[PATH]")
@click.option("--config", metavar="FILE", help="Use this configuration file.")
def show_command(path: str, config: str | None) -> None:
    """Print as JSON the configuration that holds for a Dockerfile or folder, and the file it comes from."""
    try:
        folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
        found = closest_configuration(folder, {}) if config is None else load_configuration(config) or Configuration()
        _print(_shown(found, path))
    except FileProblem as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)


@config_command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    try:
        _print(configuration_schema())
    except FileProblem as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)


def _shown(found: Configuration, path: str) -> dict[str, object]:
    about: dict[str, object] = {"file": found.path}
    # As the file spells them; what it does not say is left out.
    about |= {
        key.replace("_", "-"): value
        for key, value in found._asdict().items()
        if key != "path" and value not in (None, (), False) and value != {}
    }
    if found.per_file_ignores:
        about["per-file-ignores"] = dict(found.per_file_ignores)
        about["ignored-here"] = found.ignored_for(path)
    return about


def _print(value: object) -> None:
    with Output() as out:
        out.write(json.dumps(value, indent=2) + "\n")
