"""SARIF 2.1.0 for code scanning and editors (https://docs.oasis-open.org/sarif/sarif/v2.1.0/).

Findings of a file are applied together, so a file has one fix, and its first result holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from refactor.codemod import Codemod, FileEdit
from refactor.codemod.codemod import discover
from refactor.engine.change import Replacement, replacements
from refactor.engine.record import Record
from refactor.report.notes import ERROR, HOME, Note, details, dumps, notes_of, place_of, readable
from refactor.report.rules import explain, section, summary

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(records: Iterable[Record]) -> Iterator[str]:
    classes = discover()
    order = {cls.id: at for at, cls in enumerate(classes)}
    yield f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [{{\n'
    yield f'"tool": {{"driver": {dumps(_driver(classes))}}},\n"columnKind": "utf16CodeUnits",\n"results": ['
    separator = "\n"
    errors: list[Note] = []
    for record, notes in notes_of(records):
        fixes = _fixes(record, notes)
        for note in notes:
            if note.rule == ERROR:
                errors.append(note)
                continue
            yield separator + dumps(_result(note, order[note.rule], fixes))
            separator = ",\n"
            fixes = []
    told = {
        "executionSuccessful": not errors,
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": note.message}, "locations": [_location(note)]} for note in errors
        ],
    }
    yield f'\n],\n"invocations": [{dumps(told)}]\n}}]}}\n'


def _driver(classes: Iterable[type[Codemod]]) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "name": "dockerfix",
        "version": version("dockerfix"),
        "semanticVersion": version("dockerfix"),
        "informationUri": HOME,
        "rules": [
            {
                "id": cls.id,
                "name": cls.__name__,
                "shortDescription": {"text": f"{summary(cls)}."},
                "fullDescription": {"text": section(cls, "Why") or f"{summary(cls)}."},
                "help": {"text": explain(cls), "markdown": explain(cls)},
                "helpUri": f"{HOME}#{cls.id}",
                "defaultConfiguration": {"level": "warning"},
                "properties": {"tags": ["dockerfile", cls.phase.name.lower()], "safety": str(cls.safety)},
            }
            for cls in classes
        ],
    }


def _result(note: Note, rule: int, fixes: list[dict[str, Any]]) -> dict[str, Any]:
    assert note.finding is not None
    found = {
        "ruleId": note.rule,
        "ruleIndex": rule,
        "level": note.level,
        "message": {"text": details(note)},
        "locations": [_location(note)],
        # The first is the one that GitHub keeps an alert by.
        "partialFingerprints": {"primaryLocationLineHash": note.fingerprint, "dockerfixFinding/v1": note.fingerprint},
        "properties": {"safety": note.finding.safety},
    }
    if fixes and note.level == "warning":
        found["fixes"] = fixes
    return found


def _location(note: Note) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(note.path), "region": {"startLine": note.line}}}


def _artifact(path: str) -> dict[str, str]:
    import os
    from urllib.parse import quote

    return {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}


def _fixes(record: Record, notes: tuple[Note, ...]) -> list[dict[str, Any]]:
    changes = [(notes[0].path, _replaced(record.replacements))] if notes and record.replacements else []
    changes += [(place_of(file.path), _replacements(file)) for file in record.files]
    texts = [part["insertedContent"]["text"] for _, parts in changes for part in parts]
    if not notes or not changes or not all(map(readable, texts)):
        return []
    return [
        {
            "description": {"text": "All that dockerfix changes for this file."},
            "artifactChanges": [
                {"artifactLocation": _artifact(path), "replacements": parts} for path, parts in changes
            ],
        }
    ]


def _replacements(file: FileEdit) -> list[dict[str, Any]]:
    if file.before is not None:
        return _replaced(replacements(file.before, file.after))
    text = file.after.decode("utf-8", "surrogateescape")
    return [{"deletedRegion": {"charOffset": 0, "charLength": 0}, "insertedContent": {"text": text}}]


def _replaced(parts: Iterable[Replacement]) -> list[dict[str, Any]]:
    return [
        # Without columns a region reaches to the end of its last line, and not over the line's end.
        {"deletedRegion": {"startLine": part.first, "endLine": part.last}, "insertedContent": {"text": part.text}}
        for part in parts
    ]
