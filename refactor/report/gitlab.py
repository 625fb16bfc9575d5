"""GitLab's code quality report (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import Record
from refactor.report.notes import details, dumps, notes_of

_SEVERITY = {"warning": "minor", "note": "info", "error": "major"}


def render(records: Iterable[Record]) -> Iterator[str]:
    yield "["
    separator = "\n"
    for _, notes in notes_of(records):
        for note in notes:
            about = {
                "description": details(note),
                "check_name": note.rule,
                "fingerprint": note.fingerprint,
                "severity": _SEVERITY[note.level],
                "location": {"path": note.path, "lines": {"begin": note.line}},
            }
            yield separator + dumps(about)
            separator = ",\n"
    yield "\n]\n"
