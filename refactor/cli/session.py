"""One call of ``dockerfix`` on files: what goes to standard output, what to standard error, and the exit status."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from refactor.cli.colour import painter
from refactor.cli.output import Output
from refactor.engine.files import FileProblem
from refactor.engine.record import Message, Record
from refactor.engine.run import Options, Worker, expand_paths, work_on_files
from refactor.engine.selection import UnknownCodemod
from refactor.report import render
from refactor.report.text import refusals

PROGRESS_AFTER = 1.0
"""Seconds of work before a terminal is told how far it is."""


def run_fix(
    paths: Sequence[str],
    options: Options,
    stdin_filename: str | None,
    format_name: str,
    output: str | None,
    explain_refusals: bool,
    statistics: bool,
    jobs: int | None,
) -> int:
    """Runs and prints. Returns the exit status: 0 clean or written, 1 changes pending, 2 an error."""
    tally = _Tally()
    errors: list[Message] = []
    try:
        with Output(output) as out:
            if paths == ("-",):
                records: Iterable[Record] = [Worker(options).work_on_text(sys.stdin.buffer.read(), stdin_filename)]
            else:
                files, errors = expand_paths(paths)
                for message in errors:
                    complain(message)
                records = _with_progress(work_on_files(files, options, jobs), len(files))
            _print(tally.follow(records), options, paths == ("-",), format_name, explain_refusals, out)
    except (UnknownCodemod, FileProblem) as error:
        print(f"dockerfix: {error}", file=sys.stderr)
        return 2
    if statistics:
        for codemod, count in sorted(tally.findings.items(), key=lambda item: (-item[1], item[0])):
            print(f"{count:6} {codemod}", file=sys.stderr)
    if format_name == "text" and not options.diff:
        _summarise(tally, options)
    if errors or tally.errors:
        return 2
    return 1 if tally.pending else 0


class _Tally:
    """Counts what passes by, and complains of errors as they come."""

    def __init__(self) -> None:
        self.findings: Counter[str] = Counter()
        self.refusals = self.errors = self.pending = self.written = self.files = 0

    def follow(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self.files += 1
            self.findings.update(finding.codemod for finding in record.applied)
            self.refusals += len(record.refused)
            self.errors += len(record.errors)
            self.written += record.is_written
            self.pending += record.is_changed and not record.is_written
            for message in record.errors:
                complain(message)
            yield record


def _print(
    records: Iterable[Record],
    options: Options,
    is_filter: bool,
    format_name: str,
    explain_refusals: bool,
    out: Output,
) -> None:
    is_stdout = out.path is None
    if options.diff and format_name in {"text", "concise"}:
        for record in records:
            text = record.diff
            if is_stdout:
                text = _coloured_diff(text)
            out.write(text)
            if explain_refusals:
                # The diff stays one that `git apply` takes.
                for line in refusals(record, painter(sys.stderr)):
                    _say(line)
        return
    if is_filter and options.write:
        for record in records:
            out.write(record.after or b"")
        return
    paint = painter(sys.stdout) if is_stdout else painter(None)
    for piece in render(format_name, records, explain_refusals=explain_refusals, paint=paint):
        out.write(piece)


def _coloured_diff(diff: str) -> str:
    paint = painter(sys.stdout)
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = []
    for line in diff.split("\n"):
        header = line.startswith(("--- ", "+++ "))
        lines.append(
            paint(line, bold=True) if header else paint(line, fg=colours[line[0]]) if line[:1] in colours else line
        )
    return "\n".join(lines)


def complain(message: Message) -> None:
    """Says an error on standard error."""
    _say(f"dockerfix: {message}\n")


def _say(text: str) -> None:
    # Bytes of a path that are not UTF-8 must not end the run with an encoding error.
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode())


def _summarise(tally: _Tally, options: Options) -> None:
    if not sys.stderr.isatty() and not tally.findings:
        return
    count = sum(tally.findings.values())
    if tally.written:
        print(f"{_files(tally.written)} rewritten ({_plural(count, 'finding')})", file=sys.stderr)
    elif tally.pending:
        print(
            f"{_files(tally.pending)} would change ({_plural(count, 'finding')}); see --diff, --write", file=sys.stderr
        )


def _files(count: int) -> str:
    return _plural(count, "file")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _with_progress(records: Iterable[Record], total: int) -> Iterator[Record]:
    if not sys.stderr.isatty() or total < 2 or os.environ.get("TERM") == "dumb":
        yield from records
        return
    start, shown = time.monotonic(), 0.0
    for number, record in enumerate(records, 1):
        yield record
        now = time.monotonic()
        if now - start > PROGRESS_AFTER and now - shown > 0.1:
            print(f"\r{number}/{total} files", end="", file=sys.stderr, flush=True)
            shown = now
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
