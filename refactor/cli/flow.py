"""``dockerfix flow``: what each step of a Dockerfile reads and writes, who needs it, and what an edit builds again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from refactor.cli.output import Output
from refactor.ecosystems import flow_of
from refactor.engine.contexts import ContextFinder
from refactor.engine.discovery import discover_files
from refactor.engine.files import FileProblem, read_source
from refactor.flow.drawing import as_dot, as_text, as_values
from refactor.syntax import parse

if TYPE_CHECKING:
    from refactor.flow.graph import Flow, FlowStep


@click.command("flow", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", default=".", metavar="[PATH]")
@click.option("--edit", metavar="FILE", help="Name the steps that a build runs again after an edit of FILE.")
@click.option("--format", "form", type=click.Choice(("text", "json", "dot", "svg")), default="text", help="Form of it.")
@click.option("--context", metavar="DIR", help="The folder that is built from.")
@click.option("--output", metavar="FILE", help="Write it to a file.")
def flow_command(path: str, edit: str | None, form: str, context: str | None, output: str | None) -> None:
    """Show what each step of a Dockerfile reads and writes, and who needs it.

    PATH is a Dockerfile, or a folder with one. FILE is a path as the build context sees it, or as you see it.
    """
    try:
        flow, root = _flow(path, context)
        again = None if edit is None else _reached(flow, edit, root)
        with Output(output) as out:
            out.write(_shown(flow, again, form, edit))
    except FileProblem as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)


def _flow(path: str, context: str | None) -> tuple[Flow, str | None]:
    """The graph, and the folder of its build context."""
    if os.path.isdir(path):
        found = discover_files(path)
        own = [one for one in found if os.path.dirname(os.path.abspath(one)) == os.path.abspath(path)]
        if len(own or found) > 1:
            raise FileProblem(path, f"has {len(own or found)} Dockerfiles in it", "name one of them")
        path = (own or found)[0]
    file = parse(read_source(path))
    if file.problems:
        first = file.problems[0]
        raise FileProblem(path, f"is no valid Dockerfile: line {first.line}: {first.reason}", "mend it first")
    opened = ContextFinder().open(path, file, context)
    return flow_of(file, opened), opened.root


def _reached(flow: Flow, edit: str, root: str | None) -> tuple[FlowStep, ...]:
    inside = os.path.normpath(edit).replace(os.sep, "/")
    if root is not None and flow.context.exists(inside) is not True and os.path.lexists(edit):
        inside = os.path.relpath(os.path.realpath(edit), os.path.realpath(root)).replace(os.sep, "/")
    if inside.startswith(("..", "/")):
        raise FileProblem(edit, "is not in the build context", "name the folder that is built from with --context")
    if flow.context.is_ignored(inside) is not True and flow.context.exists(inside) is not True:
        raise FileProblem(edit, "is not in the build context", "name a file as the build context sees it")
    return flow.reached(inside)


def _shown(flow: Flow, again: tuple[FlowStep, ...] | None, form: str, edit: str | None) -> str | bytes:
    if form == "json":
        import json

        return json.dumps(as_values(flow, again), indent=2, ensure_ascii=False) + "\n"
    if form in {"dot", "svg"}:
        text = as_dot(flow, again)
        return text if form == "dot" else _svg(text)
    if again is None:
        return as_text(flow)
    if not again:
        return f"an edit of {edit} builds nothing again\n"
    lines = [f"an edit of {edit} builds {len(again)} step{'s' if len(again) > 1 else ''} again:"]
    return "\n".join([*lines, *(f"{step.line:>5}  {step.text}" for step in again)]) + "\n"


def _svg(text: str) -> bytes:
    """The picture as Graphviz lays it out."""
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise FileProblem("dot", "is not installed", "install Graphviz, or use --format dot and draw it elsewhere")
    try:
        done = subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        raise FileProblem("dot", "draws for more than two minutes", "use --format dot and draw it elsewhere") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise FileProblem("dot", f"cannot draw it: {said}", "use --format dot and draw it elsewhere")
    return done.stdout
