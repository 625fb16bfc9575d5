"""Reports: the records of a run as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import Record
from refactor.report.paint import Paint, plain

FORMATS = ("text", "concise", "json")


def render(
    format_name: str, records: Iterable[Record], *, explain_refusals: bool = False, paint: Paint = plain
) -> Iterator[str]:
    """The report in one of :data:`FORMATS`, piece by piece as the records come."""
    if format_name == "json":
        from refactor.report.json import render_json

        return render_json(records)
    if format_name == "concise":
        from refactor.report.text import render_concise

        return render_concise(records, explain_refusals, paint)
    from refactor.report.text import render_text

    return render_text(records, explain_refusals, paint)
