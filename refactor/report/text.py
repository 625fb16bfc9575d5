"""The report for people: place, what, why, evidence and safety of each finding; the reason of each refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.engine.record import FindingRecord, Record
from refactor.report.paint import Paint

_COLOURS = {"SAFE": "green", "REVIEW": "yellow", "UNSAFE": "red"}


def render_text(records: Iterable[Record], explain_refusals: bool, paint: Paint) -> Iterator[str]:
    for record in records:
        for finding in sorted(record.applied, key=lambda finding: finding.line):
            yield from _finding(record, finding, paint, "")
        for finding in record.suggested:
            yield from _finding(record, finding, paint, "not applied: ")
        if explain_refusals:
            yield from refusals(record, paint)


def refusals(record: Record, paint: Paint) -> Iterator[str]:
    """The reason of each refusal of a file, and what would change that."""
    for refusal in sorted(record.refused, key=lambda refusal: refusal.line):
        yield f"{record.path}:{refusal.line}: {paint(refusal.codemods, bold=True)} refused: {refusal.because}\n"
        if refusal.hint:
            yield f"    to change that: {refusal.hint}\n"


def _finding(record: Record, finding: FindingRecord, paint: Paint, prefix: str) -> Iterator[str]:
    safety = paint(finding.safety, fg=_COLOURS[finding.safety])
    name = paint(finding.codemod, bold=True)
    yield f"{record.path}:{finding.line}: {name} [{safety}] {prefix}{finding.message}\n"
    if finding.files:
        yield f"    with: {', '.join(finding.files)}\n"
    if finding.why:
        yield f"    why: {finding.why}\n"
    for evidence in finding.evidence:
        yield f"    evidence: {evidence}\n"


def render_concise(records: Iterable[Record], explain_refusals: bool, paint: Paint) -> Iterator[str]:
    for record in records:
        for finding in sorted(record.applied, key=lambda finding: finding.line):
            yield f"{record.path}:{finding.line}: {finding.codemod} [{finding.safety}] {finding.message}\n"
        if explain_refusals:
            for refusal in sorted(record.refused, key=lambda refusal: refusal.line):
                yield f"{record.path}:{refusal.line}: {refusal.codemods} refused: {refusal.because}\n"
