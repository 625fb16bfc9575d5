"""``dockerfix size``: how large an image is, against a budget and against the last measurement."""

from __future__ import annotations

import json
import os
import secrets as random
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from refactor.cli.output import Output
from refactor.engine.files import FileProblem, read_source
from refactor.images.distribution import RegistryProblem
from refactor.proof.engine import NAMES, REPOSITORY, BuildRequest, Engine, EngineProblem
from refactor.proof.engines import find_engine
from refactor.proof.render import megabytes
from refactor.proof.signals import catch_signals, uninterrupted
from refactor.proof.size import (
    Entry,
    Growth,
    Measured,
    SizeProblem,
    add_entry,
    as_json,
    bytes_of,
    growth,
    last_entry,
    measure_in_engine,
)

_SHOWN = 10
"""Layers of a report for people, the largest."""
_WIDTH = 80
_EPILOG = """\b
Sizes:
  by an engine (also of a Dockerfile, which is built): uncompressed, as files lie on its disk
  by --online or of an image layout: compressed, as layers are stored and pulled
  MB is a million bytes, as docker prints sizes; MiB is 1048576

\b
Exit status:
  0  measured, and within the budget where there is one
  1  over the budget
  2  it could not be measured, or the call has an error
"""


class _Bytes(click.ParamType):  # type: ignore[type-arg]
    name = "SIZE"

    def convert(self, value: object, _: click.Parameter | None, __: click.Context | None) -> int:
        found = bytes_of(str(value))
        if not found:
            self.fail(f"{value!r} is no size; write 200MB, 190MiB or a number of bytes")
        return found


@click.command("dockerfix size", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("subject", metavar="IMAGE|DOCKERFILE|LAYOUT")
@click.option("--max", "budget", type=_Bytes(), help="Fail with status 1 where the image is larger: 200MB, 190MiB.")
@click.option("--history", metavar="FILE", help="Keep measurements here, a line of JSON each; say what grew.")
@click.option("--online", is_flag=True, help="Ask the image's registry for its manifest; nothing is pulled.")
@click.option("--platform", metavar="PLATFORM", help="Of an image for several; and what a Dockerfile is built for.")
@click.option("--engine", "engine_name", type=click.Choice(NAMES), help="Default: the first that answers.")
@click.option("--context", metavar="DIR", help="A Dockerfile's build context; default: as for dockerfix itself.")
@click.option("--target", metavar="STAGE", help="The stage of a Dockerfile to build.")
@click.option("--build-arg", "build_args", multiple=True, metavar="KEY[=VALUE]", help="Passed to the build.")
@click.option("--secret", "secrets", multiple=True, metavar="SPEC", help="Passed to the build, as docker takes it.")
@click.option("--build-network", metavar="MODE", help="Network of RUN steps. [env: DOCKERFIX_BUILD_NETWORK]")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text", help="Form of the report."
)
@click.option("--output", metavar="FILE", help="Write the report to a file.")
def size_command(
    subject: str,
    budget: int | None,
    history: str | None,
    online: bool,
    platform: str | None,
    engine_name: str | None,
    context: str | None,
    target: str | None,
    build_args: tuple[str, ...],
    secrets: tuple[str, ...],
    build_network: str | None,
    format_name: str,
    output: str | None,
) -> NoReturn:
    """Measures an image: one that an engine has, one in a registry (--online), an image layout on disk (a folder or tar
    file), or what a Dockerfile builds. Says what grew, layer by layer, since the last measurement.
    """
    network = build_network or os.environ.get("DOCKERFIX_BUILD_NETWORK") or None
    request = BuildRequest(
        subject,
        context or "",
        "",
        "",
        False,
        network=network,
        target=target,
        platform=platform,
        build_args=build_args,
        secrets=secrets,
    )
    try:
        measured = _measure(subject, online, platform, engine_name, request)
        before = None
        if history is not None:
            before = last_entry(history, measured)
            if before is None or before.digest != measured.digest:
                add_entry(history, measured, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        with Output(output) as out:
            document = _document(measured, budget, before)
            out.write(json.dumps(document) + "\n" if format_name == "json" else _text(measured, budget, before))
    except (SizeProblem, FileProblem, EngineProblem, RegistryProblem) as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)
    sys.exit(1 if budget is not None and measured.total > budget else 0)


def _measure(subject: str, online: bool, platform: str | None, engine: str | None, request: BuildRequest) -> Measured:
    if online:
        from refactor.proof.manifest import measure_in_registry

        return measure_in_registry(subject, platform)
    if os.path.exists(subject):
        from refactor.proof.manifest import is_layout, measure_layout

        if is_layout(subject):
            return measure_layout(subject, platform)
        path = os.path.join(subject, "Dockerfile") if os.path.isdir(subject) else subject
        if not os.path.isfile(path):
            raise SizeProblem(subject, "is a folder without an image layout or a Dockerfile", "name a file in it")
        return _build(path, find_engine(engine), request)
    try:
        return measure_in_engine(find_engine(engine), subject)
    except EngineProblem as problem:
        advice = f"name a file that is there, pull the image, or ask its registry with --online ({problem})"
        raise SizeProblem(subject, "is no file, and no image that an engine here has", advice) from None


def _build(path: str, engine: Engine, request: BuildRequest) -> Measured:
    """What a Dockerfile builds; the image is removed again, the cache is kept."""
    from dataclasses import replace

    from refactor.engine.contexts import ContextFinder
    from refactor.syntax import parse

    source = parse(read_source(path))
    context = request.context or ContextFinder().open(path, source).root or os.path.dirname(path) or "."
    if not os.path.isdir(context):
        raise FileProblem(context, "is no folder", "name the build context's folder with --context")
    number = random.token_hex(6)
    image = f"{REPOSITORY}:size-{number}"
    restore = catch_signals()
    try:
        click.echo(f"building {path}", err=True)
        built = engine.build(replace(request, dockerfile=path, context=context, image=image, run=number))
        if built.problem is not None:
            raise SizeProblem(path, f"does not build: {built.problem}", "mend it, or pass what the build needs")
        return measure_in_engine(engine, image, path)
    finally:
        with uninterrupted():
            engine.remove_image(image)
        restore()


def _document(measured: Measured, budget: int | None, before: Entry | None) -> dict[str, Any]:
    found = {"version": 1, **as_json(measured), "source": measured.source}
    if budget is not None:
        found |= {"max": budget, "over": max(0, measured.total - budget)}
    if before is not None:
        found["before"] = {"date": before.date, "digest": before.digest, "total": before.total}
        found["grew"] = [one._asdict() for one in growth(before.layers, measured.layers)]
    return found


def _text(measured: Measured, budget: int | None, before: Entry | None) -> str:
    count = len(measured.layers)
    head = f"{measured.name}: {_size(measured.total)} {measured.kind}, {count} layer{'' if count == 1 else 's'}"
    lines = [f"{head}, says {measured.source}"]
    if budget is not None:
        left = budget - measured.total
        lines.append(f"  {_size(abs(left))} {'below' if left >= 0 else 'OVER'} the budget of {_size(budget)}")
    largest = sorted((layer for layer in measured.layers if layer.bytes), key=lambda layer: -layer.bytes)
    lines += [f"  {_size(layer.bytes):>10}  {_shown(layer.made_by)}" for layer in largest[:_SHOWN]]
    if len(largest) > _SHOWN:
        rest = sum(layer.bytes for layer in largest[_SHOWN:])
        lines.append(f"  {_size(rest):>10}  {len(largest) - _SHOWN} smaller layers")
    if before is not None:
        lines += _since(measured, before)
    return "\n".join(lines) + "\n"


def _since(measured: Measured, before: Entry) -> list[str]:
    changed = growth(before.layers, measured.layers)
    lines = [f"since {before.date}: {_signed(measured.total - before.total)}"]
    lines += [f"  {_signed(one.bytes):>10}  {_shown(one.made_by)}" for one in _ends(changed)]
    return lines


def _ends(changed: list[Growth]) -> list[Growth]:
    """What grew and what shrank most."""
    half = _SHOWN // 2
    return changed if len(changed) <= _SHOWN else [*changed[:half], *changed[-half:]]


def _size(size: int) -> str:
    """As docker prints it; what is too small to be told in MB as kB."""
    return megabytes(size) if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{_size(abs(size))}"


def _shown(made_by: str) -> str:
    """On one line; the text comes from an image, so nothing in it may steer a terminal."""
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(made_by.split()))
    return (text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…") or "(a layer that no history names)"
