"""The report for programs that read line by line: a JSON object a file, as in ``files`` of the JSON report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import Record
from refactor.report.json import entry


def render(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield entry(record) + "\n"
