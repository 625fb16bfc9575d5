"""``dockerfix verify``: both versions of each Dockerfile are built and started, and the rewrite is judged
by that."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from refactor.cli.options import rewriting, why_not_together
from refactor.cli.output import Output
from refactor.proof.engine import NAMES

if TYPE_CHECKING:
    from refactor.engine.run import Options
    from refactor.proof.engine import Engine
    from refactor.proof.prove import ProofOptions
    from refactor.proof.verify import Verified

_FORMATS = ("text", "json", "markdown", "html", "svg")
_OF_ALL_FILES = ("json", "html", "svg")

_EPILOG = """\b
Exit status:
  0  every rewrite is proved, or there was nothing to rewrite
  1  a rewrite failed its proof
  2  it could not be judged: no engine, the Dockerfile does not build as it is, a wrong call
"""


class _Bytes(click.ParamType):  # type: ignore[type-arg]
    """A size as docker takes it: ``512m``, ``2g``, or bytes."""

    name = "SIZE"

    def convert(self, value: object, _: click.Parameter | None, __: click.Context | None) -> int:
        text = str(value).strip().lower().removesuffix("b")
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:], 1)
        digits = text[:-1] if factor > 1 else text
        if not digits.isdigit() or int(digits) == 0:
            self.fail(f"{value!r} is no size; give bytes, or a number with k, m or g")
        return int(digits) * factor


@click.command("verify", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, metavar="[PATHS]")
@click.option("--bisect", "is_bisecting", is_flag=True, help="Where a proof fails, find the codemod that broke it.")
@click.option("--engine", type=click.Choice(NAMES), help="Default: the first that answers. [env: DOCKERFIX_ENGINE]")
@click.option("--builder", metavar="NAME", help="A buildx builder, so a remote BuildKit too.")
@click.option("--build-network", metavar="MODE", help="Network of RUN steps. [env: DOCKERFIX_BUILD_NETWORK]")
@click.option("--build-arg", "build_args", multiple=True, metavar="KEY[=VALUE]", help="Passed to the build.")
@click.option("--secret", "secrets", multiple=True, metavar="SPEC", help="Passed to the build, as docker takes it.")
@click.option("--ssh", multiple=True, metavar="SPEC", help="Passed to the build, as docker takes it.")
@click.option("--target", metavar="STAGE", help="The stage to build.")
@click.option("--platform", metavar="PLATFORM", help="The platform to build for.")
@click.option(
    "--build-timeout", type=click.FloatRange(min=1), default=1800.0, metavar="SECONDS", help="For each build."
)
@click.option("--port", type=click.IntRange(1, 65535), help="The port to ask; default: EXPOSE, or what is listened on.")
@click.option("--path", "url_path", default="/", metavar="PATH", help="What to ask for over HTTP. [default: /]")
@click.option(
    "--probe",
    metavar="CMD",
    help="Shell command that must succeed, run beside each container in its network.",
)
@click.option("--start-timeout", type=click.FloatRange(min=1), default=30.0, metavar="SECONDS", help="Time to answer.")
@click.option("--network", default="none", metavar="NAME", help="Network of the started containers. [default: none]")
@click.option("--memory", type=_Bytes(), default="1g", help="Memory limit of a container. [default: 1g]")
@click.option("--pids-limit", type=click.IntRange(min=1), default=512, help="Process limit of a container.")
@click.option("--read-only", is_flag=True, help="Start with a read-only root file system, as it is deployed.")
@click.option("--env", "-e", "env", multiple=True, metavar="KEY[=VALUE]", help="Environment of the containers.")
@click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Environment of the containers.")
@click.option("--edit", metavar="FILE", help="The source file to edit before the rebuild, relative to the context.")
@click.option("--no-rebuild", is_flag=True, help="Measure no rebuild after a source edit.")
@rewriting
@click.option("--format", "format_name", type=click.Choice(_FORMATS), default="text", help="Form of the report.")
@click.option("--output", metavar="FILE", help="Write the report to a file.")
@click.option("--clean", is_flag=True, help="Only remove what earlier runs, killed before their end, left behind.")
def verify_command(
    paths: tuple[str, ...],
    is_bisecting: bool,
    engine: str | None,
    builder: str | None,
    build_network: str | None,
    build_args: tuple[str, ...],
    secrets: tuple[str, ...],
    ssh: tuple[str, ...],
    target: str | None,
    platform: str | None,
    build_timeout: float,
    port: int | None,
    url_path: str,
    probe: str | None,
    start_timeout: float,
    network: str,
    memory: int,
    pids_limit: int,
    read_only: bool,
    env: tuple[str, ...],
    env_files: tuple[str, ...],
    edit: str | None,
    no_rebuild: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    preset: str | None,
    safe: bool,
    unsafe: bool,
    runner: str | None,
    context: str | None,
    online: str | None,
    registry: str | None,
    config: str | None,
    isolated: bool,
    format_name: str,
    output: str | None,
    clean: bool,
) -> NoReturn:
    """Builds and starts each Dockerfile as it is and as dockerfix would rewrite it, and compares the two.

    Nothing is written but the report. Containers have no network unless --network gives them one; what was
    made is removed at the end, after Ctrl-C too.
    """
    clash = why_not_together(safe, unsafe, preset)
    if clash is not None:
        _stop(clash)
    if "-" in paths:
        _stop("a Dockerfile from standard input has no build context to build with; name a file")
    if not url_path.startswith("/") or any(sign in url_path for sign in " \r\n"):
        _stop("--path must begin with / and have no blanks")
    for path in env_files:
        if not os.path.isfile(path):
            _stop(f"--env-file {path} is no file")
    from refactor.engine.run import Options
    from refactor.proof import ProbeOptions, ProofOptions

    options = Options(
        select or None,
        ignore,
        extend_select,
        safe,
        unsafe,
        runner,
        context,
        config,
        isolated,
        online=online,
        preset=preset,
        registry=registry,
    )
    proof_options = ProofOptions(
        engine=engine,
        builder=builder,
        build_network=build_network,
        build_args=build_args,
        secrets=secrets,
        ssh=ssh,
        target=target,
        platform=platform,
        build_timeout=build_timeout,
        probe=ProbeOptions(
            port=port,
            path=url_path,
            command=probe,
            network=network,
            memory=memory,
            pids=pids_limit,
            is_read_only=read_only,
            env=env,
            env_files=tuple(os.path.abspath(path) for path in env_files),
            timeout=start_timeout,
        ),
        edit=edit,
        has_rebuild=not no_rebuild,
    )
    if clean:
        sys.exit(_clean(proof_options))
    sys.exit(run_verify(paths or (".",), options, proof_options, format_name, output, is_bisecting=is_bisecting))


def _stop(message: str) -> NoReturn:
    click.echo(f"dockerfix: {message} (see dockerfix verify --help)", err=True)
    sys.exit(2)


def _complain(text: str) -> None:
    print(f"dockerfix: {text}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)


def _clean(options: ProofOptions) -> int:
    from refactor.proof.engine import EngineProblem
    from refactor.proof.engines import find_engine
    from refactor.proof.prove import clean_up

    try:
        for what in clean_up(find_engine(options.engine, options.builder)):
            print(f"removed {what}", file=sys.stderr)
    except EngineProblem as problem:
        _complain(str(problem))
        return 2
    return 0


def run_write(paths: tuple[str, ...], options: Options, format_name: str, output: str | None) -> int:
    """Writes of each rewrite what proves: the whole, or without the codemods that broke it.

    Returns the exit status: 0 where everything that was to be written was, 1 where something failed its
    proof, 2 for what could not be judged.
    """
    from refactor.engine.files import FileProblem, Write, write_together
    from refactor.proof.prove import ProofOptions

    failed = False

    def write(verified: Verified) -> None:
        nonlocal failed
        if verified.after is None or verified.proof is None:
            return
        try:
            edits = [Write(*edit) for edit in verified.edits]
            source = verified.proof.before.source
            own = [Write(verified.path, source, verified.after)] if verified.after != source else []
            write_together([*edits, *own])
        except FileProblem as problem:
            failed = True
            _complain(str(problem))
            return
        what = "rewritten" if verified.proof.is_proved else f"rewritten by {', '.join(verified.kept)} only"
        print(f"{verified.path}: {what}", file=sys.stderr)

    proof_options = ProofOptions()
    status = run_verify(paths, options, proof_options, format_name, output, is_bisecting=True, write=write)
    return 2 if failed else status


def run_verify(
    paths: tuple[str, ...],
    options: Options,
    proof_options: ProofOptions,
    format_name: str,
    output: str | None,
    *,
    is_bisecting: bool,
    write: Callable[[Verified], None] | None = None,
) -> int:
    """Verifies files one after another and prints each report as it comes. Returns the exit status.

    ``write`` gets each result before it is printed.
    """
    from refactor.engine.files import FileProblem
    from refactor.engine.run import Worker, expand_paths
    from refactor.engine.selection import UnknownCodemod
    from refactor.proof.engine import EngineProblem
    from refactor.proof.engines import find_engine
    from refactor.proof.render import as_json, render_markdown, render_text
    from refactor.proof.verify import verify_file

    try:
        Worker(options)
        engine = find_engine(proof_options.engine, proof_options.builder)
        out = Output(output)
    except (UnknownCodemod, FileProblem, EngineProblem) as error:
        _complain(str(error))
        return 2
    files, errors = expand_paths(paths)
    for message in errors:
        _complain(str(message))
    status = 2 if errors else 0
    results = []
    try:
        with out:
            for path in files:
                say = _narrator(path)
                verified = verify_file(path, options, proof_options, engine, is_bisecting=is_bisecting, say=say)
                if write is not None:
                    write(verified)
                status = max(status, verified.status)
                if format_name in _OF_ALL_FILES:
                    results.append(as_json(verified))
                else:
                    out.write(render_markdown(verified) + "\n" if format_name == "markdown" else render_text(verified))
                    out.flush()
            if format_name in _OF_ALL_FILES:
                out.write(_render({"engine": _engine(engine), "files": results}, format_name))
    except FileProblem as problem:
        _complain(str(problem))
        return 2
    except KeyboardInterrupt as error:
        _complain("stopped; what was made is removed")
        name = str(error)
        return 128 + (getattr(signal, name, signal.SIGINT) if name.startswith("SIG") else signal.SIGINT)
    return status


def _render(document: dict[str, Any], format_name: str) -> str:
    if format_name == "html":
        from refactor.proof.html import render_html

        return render_html(document)
    if format_name == "svg":
        from refactor.proof.chart import render_svg

        return render_svg(document)
    return json.dumps(document, indent=2) + "\n"


def _engine(engine: Engine) -> dict[str, str]:
    return {"name": engine.name, "version": engine.version}


def _narrator(path: str) -> Callable[[str], None]:
    """Says on a terminal what is being done, as that takes minutes; elsewhere only what went wrong."""
    if not sys.stderr.isatty():
        return lambda text: _complain(f"{path}: {text}") if text.startswith("could not") else None
    return lambda text: print(f"{path}: {text}", file=sys.stderr, flush=True)
