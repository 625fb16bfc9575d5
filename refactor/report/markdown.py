"""A summary in Markdown: for the page of a CI job (``$GITHUB_STEP_SUMMARY``), a comment or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from refactor.engine.record import Record
from refactor.report.notes import Note, notes_of

MAX_LENGTH = 900_000
"""Characters; GitHub refuses a summary of more than 1 MiB."""
_MARKS = {"warning": "", "note": " (not applied: a fact is missing)", "error": ""}


def render_markdown(records: Iterable[Record], explain_refusals: bool) -> Iterator[str]:
    room = MAX_LENGTH
    count = files = 0
    for record, notes in notes_of(records):
        files += bool(notes)
        count += len(notes)
        text = "".join(_file(record, notes, explain_refusals))
        room -= len(text.encode("utf-8", "replace"))
        if room > 0:
            yield text
    if room <= 0:
        yield "More files have findings than this page has room for: `dockerfix` lists them all.\n\n"
    if count:
        yield f"{count} finding{'s' * (count > 1)} in {files} file{'s' * (files > 1)}; `dockerfix --diff` shows them"
        yield ", `dockerfix --write` applies them.\n"
    else:
        yield "dockerfix finds nothing to change.\n"


def _file(record: Record, notes: tuple[Note, ...], explain_refusals: bool) -> Iterator[str]:
    refused = record.refused if explain_refusals else ()
    if not notes and not refused:
        return
    yield f"### {cell(record.path)}\n\n"
    if notes:
        yield "| line | what | why | safety |\n|---:|---|---|---|\n"
    for note in notes:
        why, safety = (note.finding.why, note.finding.safety) if note.finding is not None else ("", "error")
        what = f"{cell(note.message)}{_MARKS[note.level]} (`{note.rule}`)"
        yield f"| {note.line} | {what} | {cell(why)} | {safety} |\n"
    facts = [(note.line, fact) for note in notes if note.finding is not None for fact in note.finding.evidence]
    yield from _folded("Evidence", [f"- line {line}: {cell(fact)}\n" for line, fact in facts])
    yield from _folded(
        "Left alone", [f"- line {one.line}: {cell(one.because)} (`{one.codemods}`)\n" for one in refused]
    )
    if record.diff:
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", record.diff))])
        yield from _folded("Diff", [f"{fence}diff\n", record.diff.rstrip("\n"), f"\n{fence}\n"])
    yield "\n"


def _folded(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"\n<details><summary>{title}</summary>\n\n"
        yield from lines
        yield "\n</details>\n"


def cell(text: str) -> str:
    """Text of a repository as one line in a table: it ends no cell, mentions nobody and is no HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("@", "@\u200b")
    return " ".join(text.split())
