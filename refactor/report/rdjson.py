"""Reviewdog's diagnostics with suggestions (https://github.com/reviewdog/reviewdog/tree/master/proto/rdf).

A note with lines to replace spans them, as reviewdog turns only such suggestions into ones that a click applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.change import Replacement
from refactor.engine.record import Record
from refactor.report.notes import ERROR, HOME, Note, details, dumps, notes_of, readable

_SEVERITY = {"warning": "WARNING", "note": "INFO", "error": "ERROR"}


def render(records: Iterable[Record]) -> Iterator[str]:
    yield f'{{"source": {dumps({"name": "dockerfix", "url": HOME})}, "diagnostics": ['
    separator = "\n"
    for record, notes in notes_of(records):
        for note in notes:
            # A click takes the lines of this file alone: none where they need another one.
            is_whole = not any(finding.is_joint for finding in record.applied)
            yield separator + dumps(_diagnostic(note, len(record.replacements) if is_whole else 0))
            separator = ",\n"
    yield "\n]}\n"


def _diagnostic(note: Note, parts: int) -> dict[str, object]:
    offered = [part for part in note.replacements if parts and readable(part.text)]
    text = details(note)
    if offered and parts > 1:
        text += f" The file changes in {parts} places that belong together: take all of them."
    within = [part for part in offered if part.first <= note.line <= part.last]
    place = _lines(within[0]) if within else {"start": {"line": note.line}}
    about: dict[str, object] = {
        "message": text,
        "location": {"path": note.path, "range": place},
        "severity": _SEVERITY[note.level],
    }
    if note.rule != ERROR:
        about["code"] = {"value": note.rule, "url": f"{HOME}#{note.rule}"}
    if offered:
        about["suggestions"] = [{"range": _lines(part), "text": part.text} for part in offered]
    return about


def _lines(part: Replacement) -> dict[str, object]:
    # Positions without columns mean whole lines, the last one included.
    return {"start": {"line": part.first}, "end": {"line": part.last}}
