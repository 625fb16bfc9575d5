"""What a pull request says: the change, why, the evidence, what was left alone, and how to stop it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from refactor.engine.record import FindingRecord, Record
from refactor.forge.marker import Marker

MAX_LENGTH = 65_000
"""Characters; GitHub refuses bodies of more than 65,536."""
MAX_REFUSALS = 20
NOT_BUILT = "The image was **not built**: whoever merges this should build and start it once."
CLOSED = "Nothing is left to do here: dockerfix closed this by itself."
_MEASURED = ("<!-- measured -->", "<!-- /measured -->")
RISKS = {
    "SAFE": "the built image behaves the same, by construction",
    "REVIEW": "the image changes on purpose; the evidence says what it rests on",
    "UNSAFE": "a fact is missing: look closely",
}


def render_body(records: Sequence[Record], marker: Marker, stop_label: str, command: str, measured: str = "") -> str:
    """The body in Markdown. ``records`` hold what the branch applies and what was refused, ``measured`` is the table of
    ``dockerfix verify``, "" where nothing was built; ``command`` reproduces the change in a checkout."""
    tail = "\n".join(_tail(records, stop_label, command, measured))
    head = list(_changes(records))
    room = MAX_LENGTH - len(tail) - len(str(marker)) - 200
    shown: list[str] = []
    for line in head:
        room -= len(line) + 1
        if room < 0:
            shown += ["", f"… and {len(head) - len(shown)} more lines: the commits have them all."]
            break
        shown.append(line)
    return "\n".join([*shown, "", tail, "", str(marker)]) + "\n"


def read_measured(body: str) -> str:
    """The measured table that a body holds, "" where it holds none."""
    _, start, rest = body.replace("\r\n", "\n").partition(f"{_MEASURED[0]}\n")
    text, end, _ = rest.partition(f"\n{_MEASURED[1]}")
    return text if start and end else ""


def closed_body(body: str, marker: Marker) -> str:
    """The body of a pull request that the bot closes itself: one line more, and another marker."""
    start = body.rfind("<!-- dockerfix:")
    return f"{body[:start].rstrip()}\n\n{CLOSED}\n\n{marker}\n"


def _changes(records: Sequence[Record]) -> Iterator[str]:
    findings = [(record.path, finding) for record in records for finding in record.applied]
    yield "| where | what | safety |"
    yield "|---|---|---|"
    for path, finding in findings:
        what = f"{_cell(finding.message)}{''.join(f', with `{_cell(name)}`' for name in finding.files)}"
        yield f"| `{_cell(path)}:{finding.line}` | {what} (`{finding.codemod}`) | {finding.safety} |"
    yield ""
    yield "### Why"
    yield ""
    for codemod, group in _by_codemod(finding for _, finding in findings):
        reasons = " ".join(dict.fromkeys(_sentence(finding.why) for finding in group if finding.why))
        yield f"- `{codemod}`: {reasons}"
    yield ""
    yield "### Evidence"
    yield ""
    for path, finding in findings:
        for fact in finding.evidence:
            yield f"- `{_cell(path)}:{finding.line}` {_cell(fact)}"
    yield "- The result was parsed again by two independent readers, and a second run of dockerfix finds nothing."
    yield "- Nothing but what the refactorings declare differs in the image's configuration."


def _tail(records: Sequence[Record], stop_label: str, command: str, measured: str) -> Iterator[str]:
    if measured:
        yield f"\n{_MEASURED[0]}\n{measured.strip()}\n{_MEASURED[1]}"
    else:
        yield f"- {NOT_BUILT}"
    yield ""
    yield "### Risk, and how to check"
    yield ""
    levels = dict.fromkeys(finding.safety for record in records for finding in record.applied)
    for level in levels:
        yield f"- {level}: {RISKS[level]}."
    yield "- `dockerfix verify` builds and starts both versions and compares them."
    refusals = [(record.path, refusal) for record in records for refusal in record.refused]
    if refusals:
        yield ""
        yield "### Left alone"
        yield ""
        for path, refusal in refusals[:MAX_REFUSALS]:
            yield f"- `{_cell(path)}:{refusal.line}` (`{refusal.codemod}`): {_cell(refusal.because)[:300]}"
        if len(refusals) > MAX_REFUSALS:
            yield f"- … and {len(refusals) - MAX_REFUSALS} more: `dockerfix --explain-refusals`"
    yield ""
    yield "### How to stop it"
    yield ""
    yield (
        "Close this pull request, and these findings are not proposed again. "
        f"The label `{stop_label}` keeps it as it is; a commit of yours on the branch does, too. "
        "`# dockerfix: ignore=ID` above an instruction, or `ignore` in `.dockerfix.toml`, switches a refactoring off."
    )
    yield ""
    yield f"The same on the command line: `{command}`"


def _by_codemod(findings: Iterable[FindingRecord]) -> Iterator[tuple[str, list[FindingRecord]]]:
    groups: dict[str, list[FindingRecord]] = {}
    for finding in findings:
        groups.setdefault(finding.codemod, []).append(finding)
    yield from groups.items()


def _cell(text: str) -> str:
    """Text of a repository in one cell: no line ends, no end of the cell, no mention of a person, no comment."""
    text = text.encode("utf-8", "replace").decode().replace("|", "\\|").replace("<!--", "<! --")
    return " ".join(text.replace("@", "@\u200b").split())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
