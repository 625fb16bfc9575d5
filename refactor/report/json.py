"""The report for programs: one JSON document, ``{"version": 1, "files": [...]}``, a file a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import Record


def render(records: Iterable[Record]) -> Iterator[str]:
    yield '{"version": 1, "files": ['
    separator = "\n"
    for record in records:
        yield separator + entry(record)
        separator = ",\n"
    yield "\n]}\n"


def entry(record: Record) -> str:
    """What became of one file as a JSON object in one line."""
    import json

    about = {
        "path": record.path,
        "changed": record.is_changed,
        "written": record.is_written,
        "findings": [finding._asdict() for finding in record.applied],
        "suggestions": [finding._asdict() for finding in record.suggested],
        "refusals": [refusal._asdict() for refusal in record.refused],
        "errors": [error._asdict() for error in record.errors],
        "files": [{"path": file.path, "created": file.before is None} for file in record.files],
    }
    if record.diff:
        about["diff"] = record.diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return json.dumps(about, ensure_ascii=True)
