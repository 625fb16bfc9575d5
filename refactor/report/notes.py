"""What code hosts and review tools are told: one note for each finding and each error, with paths as they know them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from refactor.engine.change import Replacement
from refactor.engine.discovery import repository_of
from refactor.engine.record import FindingRecord, Message, Record, fingerprint

HOME = "https://pypi.org/project/dockerfix/"
"""Where the documentation of a rule can be asked for, as formats want an address."""
ERROR = "error"
"""Rule of what is no finding: a file that cannot be read, or is no valid Dockerfile."""


class Note(NamedTuple):
    """One thing to show at one line."""

    path: str
    """From the top of the repository, with slashes."""
    line: int
    level: str
    """"warning": a finding; "note": one that is not applied without ``--unsafe``; "error"."""
    rule: str
    message: str
    fingerprint: str
    """Unique in a run, and the same in the next one while lines around it change."""
    finding: FindingRecord | None = None
    replacements: tuple[Replacement, ...] = ()
    """The lines to replace for it. Findings of a file are applied together: each part of the whole belongs to the
    finding whose line lies in it, or stands before it."""


def notes_of(records: Iterable[Record]) -> Iterator[tuple[Record, tuple[Note, ...]]]:
    """The notes of each record, from the top of the file to its end."""
    tops: dict[str, str] = {}
    seen: dict[str, int] = {}
    for record in records:
        path = _inside(record.path, tops)
        applied = sorted(record.applied, key=lambda finding: finding.line)
        shares = _shares(record, applied)
        found = [_note(path, "warning", finding, share) for finding, share in zip(applied, shares)]
        found += [_note(path, "note", finding, ()) for finding in record.suggested]
        found += [_error(record, path, error) for error in record.errors]
        yield record, tuple(_unique(note, seen) for note in sorted(found, key=lambda note: note.line))


def details(note: Note) -> str:
    """Message, reason and evidence as sentences."""
    parts = [note.message]
    if note.finding is not None:
        parts += [note.finding.why, *note.finding.evidence]
        if note.finding.files:
            parts.append(f"It writes {', '.join(note.finding.files)}, too")
        if note.level == "note" and note.finding.safety == "UNSAFE":
            parts.append("Not applied without --unsafe, as a fact is missing")
    return " ".join(_sentence(part) for part in parts if part)


def readable(text: str) -> bool:
    """Whether all bytes were UTF-8: others cannot be told in JSON."""
    return not re.search("[\ud800-\udfff]", text)


def dumps(value: object) -> str:
    """JSON in one line. Bytes of paths and texts that are not UTF-8 become U+FFFD."""
    import json

    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def place_of(path: str) -> str:
    """A file of a record from the top of its repository, with slashes."""
    return _inside(path, {})


def _sentence(text: str) -> str:
    # The name of a file or a command stays as it is written.
    word = text.partition(" ")[0].rstrip(",:;")
    return f"{text[:1].upper() if word.isalpha() else text[:1]}{text[1:].rstrip('.')}."


def _inside(path: str, tops: dict[str, str]) -> str:
    if path == "-":
        return path
    absolute = os.path.abspath(path)
    folder = os.path.dirname(absolute)
    if folder not in tops:
        tops[folder] = repository_of(folder) or os.getcwd()
    inside = os.path.relpath(absolute, tops[folder]).replace(os.sep, "/")
    return path.replace(os.sep, "/") if inside.startswith("../") else inside


def _shares(record: Record, findings: list[FindingRecord]) -> list[tuple[Replacement, ...]]:
    shares: list[list[Replacement]] = [[] for _ in findings]
    for part in record.replacements if findings else ():
        within = [at for at, finding in enumerate(findings) if part.first <= finding.line <= part.last]
        before = [at for at, finding in enumerate(findings) if finding.line < part.first]
        shares[within[0] if within else before[-1] if before else 0].append(part)
    return [tuple(share) for share in shares]


def _note(path: str, level: str, finding: FindingRecord, share: tuple[Replacement, ...]) -> Note:
    mark = fingerprint(path, finding)
    return Note(path, finding.line, level, finding.codemod, finding.message, mark, finding, share)


def _error(record: Record, path: str, error: Message) -> Note:
    place, line = re.sub(r":\d+$", "", error.path), re.search(r":(\d+)$", error.path)
    if place == record.path and line is not None:
        number = int(line[1])
    else:
        # A manifest that does not parse: said at the Dockerfile that it is unknown for.
        number, place = 1, error.path
    text = f"{error.what}; {error.advice}" if place == record.path else str(error)
    mark = fingerprint(path, FindingRecord(ERROR, number, text, "", (), "", text))
    return Note(path, number, "error", ERROR, text, mark)


def _unique(note: Note, seen: dict[str, int]) -> Note:
    count = seen[note.fingerprint] = seen.get(note.fingerprint, 0) + 1
    if count == 1:
        return note
    # Two passes over a file may find the same at the same text.
    from hashlib import sha256

    return note._replace(fingerprint=sha256(f"{note.fingerprint} {count}".encode()).hexdigest()[:32])
