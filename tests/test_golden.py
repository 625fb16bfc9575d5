"""What dockerfix makes of every Dockerfile in corpus/: a behaviour change shows up as a readable diff in review.

``pytest tests/test_golden.py --accept`` renews the goldens, and only if the gates pass.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from refactor import parse
from refactor.engine.record import Record
from refactor.engine.run import Options, Worker
from tests.conftest import CORPUS

GOLDEN = CORPUS / "golden"
DOCKERFILES = sorted(
    path
    for folder in ("apps", "dockerfiles")
    for path in (CORPUS / folder).rglob("*")
    if path.is_file() and "node_modules" not in path.parts and path.name.lower().endswith("dockerfile")
)


def name_of(path: Path) -> str:
    relative = path.relative_to(CORPUS)
    return str(relative.parent if relative.name == "Dockerfile" else relative)


def result(path: Path) -> Record:
    options = Options(is_isolated=True, diff=True, context=str(path.parent))
    return Worker(options).work(str(path))


def told(record: Record, path: Path) -> str:
    """Refusals and errors as comment lines, then the diff with the path as the build context sees it."""
    lines = [f"# error: {error.what}" for error in record.errors]
    lines += [f"# refused: {refusal.codemods}: {refusal.because}" for refusal in record.refused]
    lines += [f"# {finding.codemod} [{finding.safety}] {finding.message}" for finding in record.applied]
    diff = record.diff.replace(f"{path.parent}/".lstrip("/"), "")
    return "".join(f"{line}\n" for line in lines) + diff


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    record = result(path)
    assert not any("bug of dockerfix" in error.advice for error in record.errors), record.errors
    golden = GOLDEN / f"{name_of(path)}.diff"
    now = told(record, path).encode("utf-8", "surrogateescape")
    if request.config.getoption("--accept"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(now)
    assert golden.exists(), f"no golden for {name_of(path)}: look at what --accept writes, then commit it"
    assert now.decode("utf-8", "backslashreplace") == golden.read_bytes().decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_second_run_is_silent(path: Path) -> None:
    record = result(path)
    assert record.is_changed == bool(record.diff)
    if not record.is_changed:
        return
    assert record.after is not None
    options = Options(is_isolated=True, diff=True, context=str(path.parent))
    again = Worker(options).work_on_text(record.after, str(path))
    assert again.diff == ""
    assert not again.errors
    assert bytes(parse(record.after)) == record.after


def test_no_golden_is_left_over() -> None:
    names = {f"{name_of(path)}.diff" for path in DOCKERFILES}
    assert {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.diff")} <= names


def test_good_files_are_left_alone() -> None:
    good = [path for path in DOCKERFILES if "/good" in name_of(path)]
    assert len(good) >= 3
    assert [name_of(path) for path in good if result(path).is_changed] == []
