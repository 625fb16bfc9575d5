"""Where people work: the hooks of pre-commit, the action, and the workflows of the documentation."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from refactor.cli import SUBCOMMANDS
from refactor.cli.bot import bot_command
from refactor.cli.campaign import campaign_command
from refactor.cli.command import fix_command
from refactor.cli.config import config_command
from refactor.cli.rules import explain_command, rules_command
from refactor.cli.size import size_command
from refactor.cli.verify import verify_command
from refactor.cli.workflow import workflow_command
from refactor.context import BuildContext
from refactor.engine.discovery import is_dockerfile_name
from tests.conftest import ROOT
from tests.test_config_command import run as run_dockerfix
from tests.test_rooms import ROOMS

PAGES = [ROOT / "refactor" / "report" / "README.md", ROOT / "refactor" / "forge" / "README.md"]
BLOCKS = [
    (f"{page.parent.name}-{at}", text)
    for page in PAGES
    for at, text in enumerate(re.findall(r"(?s)```yaml\n(.*?)```", page.read_text()))
]
WORKFLOWS = {name: text for name, text in BLOCKS if "\njobs:\n" in text}
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
COMMANDS: dict[str, click.Command] = {
    "bot": bot_command,
    "campaign": campaign_command,
    "config": config_command,
    "explain": explain_command,
    "rules": rules_command,
    "size": size_command,
    "verify": verify_command,
    "workflow": workflow_command,
}
VULNERABLE = "FROM debian:12\nRUN apt-get update && apt-get install -y curl\nCMD curl example.org\n"


def test_hooks_take_the_files_that_a_search_finds() -> None:
    names = """Dockerfile dockerfile Containerfile Dockerfile.dev Dockerfile-dev api.dockerfile api.Containerfile
        Dockerfile.dockerignore Dockerfile.j2 Dockerfile.md Dockerfile.tmpl Dockerfile.in Dockerfile.orig Dockerfile.sh
        Dockerfile.py Dockerfile~ mydockerfile dockerfile_lint.go README.md docker-compose.yml""".split()
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["dockerfix", "dockerfix-check"]
    for hook in hooks:
        assert hook["require_serial"] is True
        for name in names:
            # Pre-commit searches in the path.
            path = f"some/folder/{name}"
            is_taken = bool(re.search(hook["files"], path)) and not re.search(hook["exclude"], path)
            assert is_taken == is_dockerfile_name(name), name


def words_of_pages() -> list[list[str]]:
    found = []
    for _, text in BLOCKS:
        for line in re.findall(r"(?m)(?:^|[ -])(?:pipx run )?(dockerfix (?:-|bot|config|verify).*)$", text):
            found.append(shlex.split(line.partition("||")[0])[1:])
    return found


def understand(words: list[str]) -> None:
    """Raises what click does where dockerfix cannot be called with these words."""
    if words and words[0] in SUBCOMMANDS:
        if words[0] in COMMANDS:
            COMMANDS[words[0]].make_context("dockerfix", words[1:])
    else:
        fix_command.make_context("dockerfix", list(words))


def lines_of_shell() -> list[str]:
    """The commands of the pages for people, one a line, without their comments."""
    rooms = ("cli", "ecosystems", "forge", "proof")
    pages = ["README.md", "codemods/README.md", *(f"refactor/{room}/README.md" for room in rooms)]
    blocks = [block for page in pages for block in re.findall(r"(?s)```sh\n(.*?)```", (ROOT / page).read_text())]
    lines = [re.sub(r"(?:^|\s+)#.*", "", line) for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line))


@pytest.mark.parametrize("line", lines_of_shell())
def test_commands_for_people_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The list of repositories that README's example names.
    (tmp_path / "F").touch()
    monkeypatch.chdir(tmp_path)
    parsed = subprocess.run(["bash", "-n"], input=line, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    for called in re.findall(r"(?:^|&& |\| |uvx |docker run .* )dockerfix( [^|&>]*|$)", line):
        understand(shlex.split(called))
    for module in re.findall(r"python -m ([\w.]+)", line):
        assert importlib.util.find_spec(module), module
    for path in re.findall(r"(?<![\w./])((?:tests|corpus|\.ci)/[\w./-]+)", line):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("words", words_of_pages(), ids=" ".join)
def test_commands_of_the_pages_are_understood(words: list[str]) -> None:
    understand(words)


def test_pages_have_their_commands_and_workflows() -> None:
    assert len(words_of_pages()) >= 5
    assert len(WORKFLOWS) >= 5


def test_workflows_pass_actionlint(tmp_path: Path) -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not installed (pip install '.[workflows]', or its own packages)")
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "action.yml", tmp_path)
    for name, text in WORKFLOWS.items():
        # The action beside the workflow, so that its inputs are checked too.
        (folder / f"{name}.yml").write_text(re.sub(r"OWNER/dockerfix@\S+", "./", text))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run([actionlint], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def script_of(name: str) -> dict[str, Any]:
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("name") == name]
    return dict(step)


def test_no_expression_stands_in_a_script_of_the_action() -> None:
    steps = [step for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(steps) == 2
    assert not [step for step in steps if "${{" in step["run"]]
    assert {word for step in steps for word in re.findall(r"inputs\.([\w-]+)", json.dumps(step))} == set(
        ACTION["inputs"]
    )


def act(folder: Path, mode: str, args: str = "", stub: str = "") -> tuple[int, str, dict[str, str], str]:
    """Runs the action's step as a runner would: status, log, outputs and summary."""
    bin_folder = folder / "temp" / "dockerfix" / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    program = bin_folder / "dockerfix"
    program.write_text(stub or f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m refactor "$@"\n')
    program.chmod(0o755)
    work = folder / "work"
    (work / ".git").mkdir(parents=True, exist_ok=True)
    if not (work / "Dockerfile").exists():
        (work / "Dockerfile").write_text(VULNERABLE)
    output, summary = folder / "output", folder / "summary"
    for path in (output, summary):
        path.write_text("")
    environment = {
        **os.environ,
        "MODE": mode,
        "ARGS": args,
        "RUNNER_TEMP": str(folder / "temp"),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "o/n",
    }
    script = folder / "script.sh"
    script.write_text(script_of("Run dockerfix")["run"])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, done.stdout + done.stderr, outputs, summary.read_text()


def test_action_reports(tmp_path: Path) -> None:
    status, log, outputs, summary = act(tmp_path, "report", "--isolated")
    assert (status, outputs) == (1, {"changed": "true"})
    assert "::warning file=Dockerfile,line=2" in log
    assert "| 2 |" in summary
    assert (tmp_path / "work" / "Dockerfile").read_text() == VULNERABLE


def test_action_fixes_and_then_finds_nothing(tmp_path: Path) -> None:
    status, _, outputs, summary = act(tmp_path, "fix", "--safe")
    assert (status, outputs) == (0, {"changed": "true"})
    assert "| 2 |" in summary
    assert (tmp_path / "work" / "Dockerfile").read_text() != VULNERABLE
    for mode in ("fix", "report"):
        assert act(tmp_path, mode, "--safe")[:3:2] == (0, {"changed": "false"})


def test_action_says_errors_and_executes_no_argument(tmp_path: Path) -> None:
    assert act(tmp_path, "report", "--no-such-option $(touch out) ; touch out")[0] == 2
    assert not (tmp_path / "work" / "out").exists()
    status, log, outputs, _ = act(tmp_path, "mend")
    assert (status, outputs) == (2, {})
    assert "::error::" in log


def test_action_gives_the_addresses_of_pull_requests(tmp_path: Path) -> None:
    rows = [{"url": "https://x/1", "steps": ["push"]}, {"url": "", "steps": []}, {"url": "https://x/2", "steps": []}]
    lines = "\n".join(map(json.dumps, rows))
    stub = f"#!/bin/sh\necho \"$*\" >&2\ncat <<'END'\n{lines}\nEND\n"
    status, log, outputs, _ = act(tmp_path, "pull-request", stub=stub)
    assert (status, outputs) == (0, {"changed": "true", "pr-url": "https://x/1 https://x/2"})
    assert "bot run --repo https://github.com/o/n --format json" in log


def test_the_help_names_every_subcommand() -> None:
    shown = run_dockerfix("--help").stdout
    assert all(f"dockerfix {name}" in shown for name in ("rules", "explain", "verify", "bot", "config"))


def test_dockerfix_finds_nothing_in_its_own_dockerfile() -> None:
    done = run_dockerfix("--check", "--isolated", "--format", "json", "--context", ".", ".ci/Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = json.loads(done.stdout)["files"]
    assert told["path"] == ".ci/Dockerfile"
    assert not told["findings"] + told["suggestions"] + told["errors"]


def test_the_own_image_is_sent_what_it_copies_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    files = BuildContext.open(ROOT).files()
    assert isinstance(files, tuple)
    assert {name.partition("/")[0] for name in files} == {source for sources in copies for source in sources}
    assert not [name for name in files if "__pycache__" in name]


def test_the_page_for_authors_has_the_table_of_rooms() -> None:
    page = (ROOT / "codemods" / "README.md").read_text()
    rows = re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| (.*) \|$", page)
    assert {room: set(re.findall(r"`([\w.]+)`", allowed)) for room, allowed in rows} == ROOMS
