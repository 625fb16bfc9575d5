"""The entry point: the calls that hooks and people make most are read here, all others by click.

Importing click costs more than parsing and checking a Dockerfile, and pre-commit starts dockerfix at every commit. So a
call of paths and plain switches is taken as it is; help, options with values, mistakes and subcommands go to click
(:mod:`refactor.cli.command`), which knows the same switches. A test keeps the two alike.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

from refactor.cli import SUBCOMMANDS

_COMPLETE = "_DOCKERFIX_COMPLETE"
"""Set by the completion of a shell, which asks through COMP_WORDS and COMP_CWORD."""
SWITCHES = ("--diff", "--write", "--check", "--safe", "--unsafe", "--isolated", "--explain-refusals", "--statistics")


def read_quickly(words: list[str]) -> tuple[tuple[str, ...], frozenset[str], int | None] | None:
    """The paths, switches and processes (``-j4``) of a plain call; None for whatever else needs click's reading."""
    paths = tuple(word for word in words if not word.startswith("-"))
    switches = frozenset(word for word in words if word.startswith("-"))
    numbers = [word for word in switches if word.startswith("-j") and word[2:].isdecimal() and word[2] != "0"]
    switches = switches.difference(numbers) if len(numbers) == 1 else switches
    if not switches.issubset(SWITCHES) or (paths and words[0] in SUBCOMMANDS):
        return None
    if "--write" in switches and not switches.isdisjoint({"--diff", "--check"}):
        return None
    jobs = int(numbers[0][2:]) if numbers else None
    return None if switches >= {"--safe", "--unsafe"} else (paths, switches, jobs)


def start() -> NoReturn:
    """What the command ``dockerfix`` calls: :func:`main`, and the shortest way out of the process.

    A run makes few cycles and the process ends when it is done, so the cyclic collector is asked rarely, and Python's
    own tearing down of every module, an eighth of a run on one file, is left to the operating system.
    """
    gc.set_threshold(100_000, 50, 100)
    # A stream whose descriptor the caller closed (`>&-`) is None.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        main()
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        status = end.code
    try:
        sys.stdout.flush()
    except OSError:
        # Said already: a full disk, or a reader that has what it wanted.
        status = 2
    os._exit(status)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one call and exits. A subcommand's name wins as the first word; ``./rules`` means the path."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        quick = None if _COMPLETE in os.environ else read_quickly(given)
        if quick is not None:
            _run(*quick)
        _run_click(given)
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; a second complaint at shutdown helps nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
    except FileNotFoundError as error:
        # Files of the run have messages of their own. Only getcwd() names none.
        if error.filename is not None:
            raise
        print("dockerfix: the current folder was removed; change to one that is there", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(paths: tuple[str, ...], switches: frozenset[str], jobs: int | None) -> NoReturn:
    from refactor.cli.session import run_fix
    from refactor.engine.run import Options

    options = Options(
        safe="--safe" in switches,
        unsafe="--unsafe" in switches,
        is_isolated="--isolated" in switches,
        write="--write" in switches,
        diff="--diff" in switches,
    )
    explain, count = "--explain-refusals" in switches, "--statistics" in switches
    sys.exit(run_fix(paths or (".",), options, None, "text", None, explain, count, jobs))


def _run_click(given: list[str]) -> NoReturn:
    from click import Command

    command: Command
    name = given.pop(0) if given and given[0] in SUBCOMMANDS else _completed()
    if name == "verify":
        from refactor.cli.verify import verify_command as command
    elif name == "bot":
        from refactor.cli.bot import bot_command as command
    elif name == "config":
        from refactor.cli.config import config_command as command
    elif name == "campaign":
        from refactor.cli.campaign import campaign_command as command
    elif name == "lsp":
        from refactor.cli.lsp import lsp_command as command
    elif name == "size":
        from refactor.cli.size import size_command as command
    elif name == "flow":
        from refactor.cli.flow import flow_command as command
    elif name == "workflow":
        from refactor.cli.workflow import workflow_command as command
    elif name == "rules":
        from refactor.cli.rules import rules_command as command
    elif name == "explain":
        from refactor.cli.rules import explain_command as command
    else:
        from refactor.cli.command import fix_command as command
    command.main(args=given, prog_name=f"dockerfix {name}".rstrip(), standalone_mode=True, complete_var=_COMPLETE)
    sys.exit(0)


def _completed() -> str:
    """The subcommand whose words a shell wants completed, taken out of what it asks; "" for none."""
    kind, words = os.environ.get(_COMPLETE, ""), os.environ.get("COMP_WORDS", "").split()
    if not kind.endswith("_complete") or len(words) < 2 or words[1] not in SUBCOMMANDS:
        return ""
    at = os.environ.get("COMP_CWORD", "")
    # Fish gives the word that is being written, the others its number.
    if kind != "fish_complete":
        if not at.isdigit() or int(at) < 2:
            return ""
        os.environ["COMP_CWORD"] = str(int(at) - 1)
    elif len(words) == 2 and at == words[1]:
        return ""
    os.environ["COMP_WORDS"] = " ".join([words[0], *words[2:]])
    return words[1]
