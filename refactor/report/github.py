"""Annotations of a GitHub Actions step, as workflow commands.

GitHub shows ten of each level for a step; the others are plain lines of its log.
(https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from refactor.engine.record import Record
from refactor.report.notes import ERROR, Note, details, notes_of

LIMIT = 10
_COMMAND = {"warning": "warning", "note": "notice", "error": "error"}


def render(records: Iterable[Record]) -> Iterator[str]:
    shown: Counter[str] = Counter()
    more: list[Note] = []
    for _, notes in notes_of(records):
        for note in notes:
            shown[note.level] += 1
            if shown[note.level] > LIMIT:
                more.append(note)
            else:
                yield _annotation(note)
    if more:
        yield f"{len(more)} more without an annotation, as GitHub shows {LIMIT} of a kind for a step:\n"
    for note in more:
        yield _plain(f"- {note.path}:{note.line}: {note.rule}: {note.message}") + "\n"


def _annotation(note: Note) -> str:
    title = "dockerfix" if note.rule == ERROR else f"dockerfix {note.rule}"
    if note.finding is not None:
        title += f" [{note.finding.safety}]"
    place = f"file={_property(note.path)},line={note.line},title={_property(title)}"
    return f"::{_COMMAND[note.level]} {place}::{_data(details(note))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    # A path must not become a command: neither after a line end nor in the runner's old form, ##[...] anywhere.
    return _data(text).replace("##[", "## [")
