"""``dockerfix config`` and the completion of shells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from refactor.engine.configuration import load_configuration
from refactor.engine.files import FileProblem
from refactor.engine.schema import configuration_schema
from tests.conftest import ROOT


def run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "refactor", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, check=False)


def why_not_valid(text: str) -> str | None:
    try:
        jsonschema.Draft202012Validator(configuration_schema()).validate(tomllib.loads(text))
    except jsonschema.ValidationError as error:
        return error.message
    return None


def test_readme_example_is_valid_by_schema_and_reader(tmp_path: Path) -> None:
    examples = re.findall(r"(?s)```toml\n(.*?)```", (ROOT / "README.md").read_text())
    assert examples
    for text in examples:
        assert why_not_valid(text) is None
        (tmp_path / "dockerfix.toml").write_text(text)
        assert load_configuration(str(tmp_path / "dockerfix.toml")) is not None


@pytest.mark.parametrize(
    "text",
    [
        'selct = ["chain-runs"]',
        'select = "chain-runs"',
        "select = [1]",
        "safe = 1",
        'runner = "fat"',
        'builder = "make"',
        'preset = "newest"',
        "[codemods.chain-runs]\nchain = true",
        "context = 1",
        "per-file-ignores = 1",
        "[codemods.chain-rums]",
        '[codemods.chain-runs]\nchain = "some"',
        "[codemods.chain-runs]\nlinks = 1",
        'bot.per = "file"',
        "bot.max-open = -1",
        "bot.labels = [1]",
        "bot.colour = 1",
    ],
)
def test_schema_and_reader_refuse_the_same(text: str, tmp_path: Path) -> None:
    assert why_not_valid(text) is not None
    (tmp_path / "dockerfix.toml").write_text(text)
    with pytest.raises(FileProblem):
        load_configuration(str(tmp_path / "dockerfix.toml"))


def test_schema_is_a_schema_and_is_printed() -> None:
    printed = json.loads(run("config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == configuration_schema()


def test_show_says_what_holds_for_a_path_and_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "legacy").mkdir()
    text = 'ignore = ["use-slim-base"]\nper-file-ignores = { "legacy/*" = ["chain-runs"] }\n'
    (tmp_path / ".dockerfix.toml").write_text(text)
    shown = json.loads(run("config", "show", "legacy/Dockerfile", cwd=tmp_path).stdout)
    assert shown == {
        "file": str(tmp_path / ".dockerfix.toml"),
        "ignore": ["use-slim-base"],
        "per-file-ignores": {"legacy/*": ["chain-runs"]},
        "ignored-here": ["chain-runs"],
    }
    assert json.loads(run("config", "show", cwd=tmp_path, HOME="/").stdout)["ignored-here"] == []


def test_show_tells_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "dockerfix.toml").write_text("ignored = []")
    done = run("config", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'ignore'?" in done.stderr


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('ignore = ["chain-rums"]', "unknown codemod 'chain-rums' in ignore; did you mean 'chain-runs'?"),
        ('per-file-ignores = { "old/*" = ["layer"] }', "in per-file-ignores.\"old/*\"; did you mean 'layers'?"),
        ("unsafe = true\nsafe = true", "unsafe = true and safe = true exclude each other; leave one of them out"),
        ('unsafe = true\npreset = "safe"', 'unsafe = true and preset = "safe" exclude each other'),
        ('preset = "new"', "preset is 'new'; it must be one of safe, default, modern"),
    ],
)
def test_what_no_schema_can_say_is_told_with_the_file_and_what_to_do(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "dockerfix.toml").write_text(text)
    with pytest.raises(FileProblem) as told:
        load_configuration(str(tmp_path / "dockerfix.toml"))
    assert what in str(told.value)
    assert "dockerfix.toml" in str(told.value)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell: str) -> None:
    done = run(_DOCKERFIX_COMPLETE=f"{shell}_source")
    assert "_DOCKERFIX_COMPLETE" in done.stdout
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False).returncode == 0


def completed(words: str, at: int) -> list[str]:
    done = run(_DOCKERFIX_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at))
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion_knows_options_subcommands_and_theirs() -> None:
    assert "--diff" in completed("dockerfix --d", 1)
    assert "verify" in completed("dockerfix ver", 1)
    assert "verify" not in completed("dockerfix Dockerfile ver", 2)
    assert completed("dockerfix --format sar", 2) == ["sarif"]
    assert "--bisect" in completed("dockerfix verify --b", 2)
    assert "--bisect" not in completed("dockerfix --b", 1)
    assert completed("dockerfix config s", 2) == ["show", "schema"] or completed("dockerfix config s", 2) == [
        "schema",
        "show",
    ]
