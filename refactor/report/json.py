"""The report for programs: one JSON document, ``{"version": 1, "files": [...]}``, a file a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import Record


def render_json(records: Iterable[Record]) -> Iterator[str]:
    import json

    yield '{"version": 1, "files": ['
    separator = "\n"
    for record in records:
        entry = {
            "path": record.path,
            "changed": record.is_changed,
            "written": record.is_written,
            "findings": [finding._asdict() for finding in record.applied],
            "suggestions": [finding._asdict() for finding in record.suggested],
            "refusals": [refusal._asdict() for refusal in record.refused],
            "errors": [error._asdict() for error in record.errors],
        }
        if record.diff:
            entry["diff"] = record.diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield separator + json.dumps(entry, ensure_ascii=True)
        separator = ",\n"
    yield "\n]}\n"
