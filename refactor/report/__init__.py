"""Reports: the records of a run for people, for programs and for the places where people work (README.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from refactor.engine.record import Record
from refactor.report.paint import Paint, plain

FORMATS = ("text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "rdjson", "markdown")
WITH_FIXES = frozenset({"sarif", "rdjson"})
"""Formats that say which lines to replace: they want ``Options.fixes``."""
WITH_DIFF = frozenset({"json", "jsonl", "markdown"})
"""Formats that hold the diffs of ``Options.diff``; with text and concise a diff is all that is printed."""


def render(
    format_name: str, records: Iterable[Record], *, explain_refusals: bool = False, paint: Paint = plain
) -> Iterator[str]:
    """The report in one of :data:`FORMATS`, piece by piece as the records come."""
    if format_name == "text":
        from refactor.report.text import render_text

        return render_text(records, explain_refusals, paint)
    if format_name == "concise":
        from refactor.report.text import render_concise

        return render_concise(records, explain_refusals, paint)
    if format_name == "markdown":
        from refactor.report.markdown import render_markdown

        return render_markdown(records, explain_refusals)
    module = import_module(f"refactor.report.{format_name}")
    pieces: Iterator[str] = module.render(records)
    return pieces
