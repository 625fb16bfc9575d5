"""``dockerfix`` itself, as click reads it: every option, its help and its errors."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from refactor.cli import SUBCOMMANDS
from refactor.cli.options import rewriting, why_not_together
from refactor.engine.configuration import PER
from refactor.report import FORMATS, WITH_DIFF, WITH_FIXES

_EPILOG = """\b
Commands:
  dockerfix rules            list the codemods
  dockerfix explain ID       what a codemod does, why, and when it refuses
  dockerfix flow [PATH]      what each step reads and writes, and what an edit builds again
  dockerfix verify [PATHS]   build and start both versions and compare them
  dockerfix bot plan|run     open and keep pull requests on a forge
  dockerfix campaign run     the same over many repositories
  dockerfix size IMAGE       how large an image is, against a budget and the last time
  dockerfix workflow         a GitHub Actions workflow that builds and publishes the image
  dockerfix lsp              a language server for editors
  dockerfix config show|schema   the configuration that holds for a path; its JSON Schema

\b
Exit status:
  0  nothing to change, or everything written
  1  changes are pending
  2  a file or the call has an error (the other files are still done)
"""


def _complete_path(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Paths, and before the first of them the names of subcommands."""
    files = CompletionItem(incomplete, type="file")
    is_first = not context.params.get("paths")
    return [*(CompletionItem(name) for name in SUBCOMMANDS if is_first and name.startswith(incomplete)), files]


@click.command("dockerfix", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, metavar="[PATHS|-]", shell_complete=_complete_path)
@click.option("--diff", is_flag=True, help="Print the unified diff; `git apply` takes it.")
@click.option("--write", is_flag=True, help="Rewrite the files in place, atomically.")
@click.option("--check", is_flag=True, help="Report and exit with 1 if something would change (the default), for CI.")
@click.option("--verify", is_flag=True, help="With --write: write only what proves in a container engine.")
@click.option("--branch", metavar="NAME", help="Commit the rewrite on a branch; the work tree is not touched.")
@click.option("--base", metavar="REF", help="With --branch: the commit to start from; default: HEAD.")
@click.option("--per", type=click.Choice(PER), help="With --branch: a commit for each of these; default: codemod.")
@click.option("--sign-off", is_flag=True, help="With --branch: add Signed-off-by to each commit.")
@click.option("--push", metavar="REMOTE", help="With --branch: push it, if nobody else moved it there.")
@rewriting
@click.option("--stdin-filename", metavar="PATH", help="The path that a Dockerfile from standard input would have.")
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="text", help="Form of the report.")
@click.option("--output", metavar="FILE", help="Write the report or diff to a file.")
@click.option("--explain-refusals", is_flag=True, help="Say also what was left alone, and what would change that.")
@click.option("--statistics", is_flag=True, help="Count findings by codemod at the end.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; default: as many as pay.")
@click.version_option(package_name="dockerfix", prog_name="dockerfix")
def fix_command(
    paths: tuple[str, ...],
    diff: bool,
    write: bool,
    check: bool,
    verify: bool,
    branch: str | None,
    base: str | None,
    per: str | None,
    sign_off: bool,
    push: str | None,
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
    stdin_filename: str | None,
    format_name: str,
    output: str | None,
    explain_refusals: bool,
    statistics: bool,
    jobs: int | None,
) -> NoReturn:
    """Rewrites Dockerfiles into the ones an expert would have written.

    PATHS are Dockerfiles or folders (searched recursively; default: this one); `-` reads standard input.
    """
    if write and (diff or check):
        _stop(f"--write and {'--diff' if diff else '--check'} exclude each other")
    clash = why_not_together(safe, unsafe, preset)
    if clash is not None:
        _stop(clash)
    if isolated and config:
        _stop("--isolated and --config exclude each other")
    if stdin_filename is not None and paths != ("-",):
        _stop("--stdin-filename goes with `-` as the only path")
    if "-" in paths and len(paths) > 1:
        _stop("`-` (standard input) must be the only path")
    if verify and not write:
        _stop("--verify goes with --write; `dockerfix verify` proves without writing")
    if verify and ("-" in paths or format_name not in ("text", "json")):
        _stop("--verify needs files, and reports as text or json")
    if branch is None and (base or per or sign_off or push):
        _stop("--base, --per, --sign-off and --push go with --branch")
    if branch is not None and (write or diff or check or "-" in paths or format_name != "text" or output):
        _stop("--branch needs files, and goes with none of --write, --diff, --check, --format and --output")
    if diff and format_name not in {"text", "concise", *WITH_DIFF}:
        _stop(f"--diff goes with the formats text, concise, {', '.join(sorted(WITH_DIFF))}")
    from refactor.engine.run import Options

    fixes = format_name in WITH_FIXES
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
        write,
        diff,
        fixes=fixes,
        online=online,
        preset=preset,
        registry=registry,
    )
    if branch is not None:
        from refactor.cli.branch import Wish, run_branch

        sys.exit(run_branch(paths or (".",), options, Wish(branch, base or "HEAD", per or "codemod", sign_off, push)))
    if verify:
        from refactor.cli.verify import run_write

        sys.exit(run_write(paths or (".",), options, format_name, output))
    from refactor.cli.session import run_fix

    sys.exit(run_fix(paths or (".",), options, stdin_filename, format_name, output, explain_refusals, statistics, jobs))


def _stop(message: str) -> NoReturn:
    click.echo(f"dockerfix: {message} (see dockerfix --help)", err=True)
    sys.exit(2)
