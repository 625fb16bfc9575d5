"""What each format says: judged by the formats' own schemas, and by doing what a fix or a suggestion says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, strategies as st

from refactor.engine.change import Replacement, replacements
from refactor.engine.record import FindingRecord, Message, Record
from refactor.engine.run import Options, Worker
from refactor.report import FORMATS, render
from tests.conftest import CORPUS
from tests.test_golden import DOCKERFILES, result

SCHEMAS = Path(__file__).parent / "report"
APPS = [CORPUS / "apps" / name / "Dockerfile" for name in ("node-typescript-api", "python-flask", "go-embed")]
FAULTY = Message("a/Dockerfile:3", "unknown instruction: RUNN", "mend the line")


def records(*paths: Path) -> list[Record]:
    worker = Worker(Options(is_isolated=True, fixes=True, unsafe=True))
    return [worker.work(str(path)) for path in paths or APPS]


def report(format_name: str, of: Sequence[Record]) -> str:
    return "".join(render(format_name, of))


def judged(format_name: str, of: Sequence[Record]) -> Any:
    document = json.loads(report(format_name, of))
    schema = json.loads((SCHEMAS / f"{format_name}.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    return document


def replaced(source: bytes, parts: Sequence[tuple[int, int, str]]) -> bytes:
    """Does what the formats define: lines ``first`` to ``last`` without the end of the last give way to the text."""
    lines = source.decode("utf-8", "surrogateescape").split("\n")
    for first, last, text in sorted(parts, reverse=True):
        ending = "\r" if lines[last - 1].endswith("\r") else ""
        lines[first - 1 : last] = [text + ending]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def synthetic(count: int, level: str = "REVIEW") -> Record:
    found = tuple(FindingRecord("chain-runs", at, "join", "less", (), level, f"RUN {at}") for at in range(1, count + 1))
    return Record("a/Dockerfile", found, is_changed=True)


@pytest.mark.parametrize("format_name", ["sarif", "rdjson", "gitlab"])
def test_documents_are_what_their_schemas_say(format_name: str) -> None:
    broken = Record("a/Dockerfile", errors=(FAULTY, Message("package.json", "no JSON", "mend it")))
    unsafe = Record("b/Dockerfile", suggested=synthetic(2, "UNSAFE").applied)
    odd = Record("c/\udcff|<b>@x.dockerfile", synthetic(1).applied)
    for of in ([], [Record("a/Dockerfile")], [broken, unsafe, odd], records()):
        judged(format_name, of)


def test_sarif_has_one_fix_a_file_and_it_is_the_rewrite() -> None:
    made = judged("sarif", records())["runs"][0]
    for path in APPS:
        place = str(path.relative_to(CORPUS.parent))
        results = [
            one
            for one in made["results"]
            if one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == place
        ]
        assert len(results) > 1
        fixes = [fix for one in results for fix in one.get("fixes", ())]
        assert len(fixes) == 1
        change, *others = fixes[0]["artifactChanges"]
        assert change["artifactLocation"]["uri"] == place
        parts = [
            (one["deletedRegion"]["startLine"], one["deletedRegion"]["endLine"], one["insertedContent"]["text"])
            for one in change["replacements"]
        ]
        record = Worker(Options(is_isolated=True, unsafe=True)).work(str(path))
        assert replaced(path.read_bytes(), parts) == record.after
        assert len(others) == len(record.files)


def test_sarif_rules_have_help_and_results_point_at_them() -> None:
    run = judged("sarif", records())["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert all(rule["help"]["text"] and rule["helpUri"].endswith(f"#{rule['id']}") for rule in rules)
    assert all(len(rule["fullDescription"]["text"]) > 40 for rule in rules)
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    marks = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]]
    assert len(set(marks)) == len(marks) > 5


def test_sarif_tells_errors_apart_from_findings() -> None:
    run = judged("sarif", [Record("a/Dockerfile", errors=(FAULTY,))])["runs"][0]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is False
    told = run["invocations"][0]["toolExecutionNotifications"][0]
    assert told["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_every_rdjson_suggestion_applies_and_together_they_are_the_rewrite() -> None:
    document = judged("rdjson", records())
    for path in APPS:
        place = str(path.relative_to(CORPUS.parent))
        here = [one for one in document["diagnostics"] if one["location"]["path"] == place]
        offered = [(one, suggestion) for one in here for suggestion in one.get("suggestions", ())]
        parts = [(s["range"]["start"]["line"], s["range"]["end"]["line"], s["text"]) for _, s in offered]
        source = path.read_bytes()
        after = Worker(Options(is_isolated=True, unsafe=True)).work(str(path)).after
        assert replaced(source, parts) == after
        lines = source.decode().split("\n")
        for first, last, text in parts:
            alone = replaced(source, [(first, last, text)]).decode().split("\n")
            assert alone == [*lines[: first - 1], *text.split("\n"), *lines[last:]] != lines
        # Reviewdog makes a suggestion to click of one whose lines are those of its note.
        assert any(one["location"]["range"] == suggestion["range"] for one, suggestion in offered)


@pytest.mark.parametrize("format_name", ["sarif", "rdjson"])
def test_bytes_that_json_cannot_tell_get_no_fix(format_name: str) -> None:
    whole = synthetic(1)._replace(replacements=(Replacement(1, 1, "RUN caf\udce9"),))
    assert "RUN caf" not in report(format_name, [whole])
    assert "RUN cafe" in report(format_name, [whole._replace(replacements=(Replacement(1, 1, "RUN cafe"),))])


def test_gitlab_fingerprints_are_unique_and_outlive_other_edits(tmp_path: Path) -> None:
    document = judged("gitlab", [*records(), synthetic(3), synthetic(3)])
    marks = [one["fingerprint"] for one in document]
    assert len(set(marks)) == len(marks)
    (tmp_path / ".git").mkdir()
    file = tmp_path / "Dockerfile"
    source = b"FROM debian:12\nRUN apt-get update && apt-get install -y curl\nCMD curl example.org\n"
    marks = []
    for text in (source, b"# one line more\n" + source):
        file.write_bytes(text)
        marks.append({one["check_name"]: one["fingerprint"] for one in judged("gitlab", records(file))})
    assert marks[0] == marks[1] != {}


def test_paths_start_at_the_top_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM debian:12\nRUN apt-get update && apt-get install -y curl\n")
    monkeypatch.chdir(tmp_path / "app")
    record = Worker(Options(is_isolated=True)).work("Dockerfile")
    for format_name in ("sarif", "rdjson", "gitlab", "github"):
        assert "app/Dockerfile" in report(format_name, [record])


_COMMAND = re.compile(
    r"::(?:warning|notice|error) file=(?P<file>[^,:]+),line=[1-9]\d*,title=[^,:]+::(?P<text>[^\r\n]+)"
)


def test_github_annotations_end_at_ten_of_a_kind() -> None:
    of = [synthetic(13), Record("b/Dockerfile", suggested=synthetic(2, "UNSAFE").applied, errors=(FAULTY,))]
    lines = report("github", of).splitlines()
    assert all(_COMMAND.fullmatch(line) for line in lines if line.startswith("::"))
    kinds = [line.split()[0] for line in lines if line.startswith("::")]
    assert (kinds.count("::warning"), kinds.count("::notice"), kinds.count("::error")) == (10, 2, 1)
    assert "3 more" in report("github", of)
    assert [line for line in lines if line.startswith("- a/Dockerfile:1")] == [
        f"- a/Dockerfile:{at}: chain-runs: join" for at in (11, 12, 13)
    ]


def test_a_path_makes_no_workflow_command() -> None:
    evil = "x\n::add-mask::secret\r\n##[set-env name=PATH]/tmp,line=1::%0A"
    lines = report("github", [synthetic(11)._replace(path=evil)]).splitlines()
    assert len([line for line in lines if _COMMAND.fullmatch(line)]) == 10
    assert not [line for line in lines if "##[" in line and not line.startswith("::")]
    assert len(lines) == 12


def test_markdown_is_one_table_a_file_that_text_cannot_leave() -> None:
    odd = FindingRecord("chain-runs", 1, "a | b\n<script> @somebody", "why", ("`x` ``` y",), "SAFE")
    page = report("markdown", [Record("a|b", (odd,), diff="+```\n")])
    rows = [line for line in page.splitlines() if line.startswith("| 1 ")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 5
    assert "<script>" not in page
    assert "@somebody" not in page
    assert "````diff" in page
    assert report("markdown", [Record("a")]) == "dockerfix finds nothing to change.\n"


def test_markdown_stays_below_what_github_takes() -> None:
    many = [synthetic(100)._replace(path=f"{at}/Dockerfile") for at in range(400)]
    page = report("markdown", many)
    assert len(page.encode()) < 1 << 20
    assert "More files" in page
    assert "40000 findings in 400 files" in page


def test_json_lines_are_the_files_of_the_json_document() -> None:
    of = records()
    document = json.loads(report("json", of))
    assert [json.loads(line) for line in report("jsonl", of).splitlines()] == document["files"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_comes_to_an_end_without_findings(format_name: str) -> None:
    report(format_name, [])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@given(data=st.data())
def test_replacements_are_whole_lines_that_meet_nowhere(line_end: bytes, data: st.DataObject) -> None:
    lines = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"\xff"]), max_size=9)
    before, after = (line_end.join(data.draw(lines)) + line_end for _ in range(2))
    parts = list(replacements(before, after))
    assert replaced(before, parts) == after
    assert all(one.first <= one.last for one in parts)
    assert all(one.last < other.first for one, other in pairwise(parts))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_git_apply_takes_every_diff(path: Path, tmp_path: Path) -> None:
    record = result(path)
    if not record.diff:
        return
    copy = tmp_path / str(path).lstrip("/")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(path.read_bytes())
    diff = record.diff.encode("utf-8", "surrogateescape")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=tmp_path, input=diff, check=True)
    assert copy.read_bytes() == record.after
