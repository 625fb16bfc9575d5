"""What is said where nothing is done: no codemod that concerns a stage is silent, and what it says is true."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from refactor import parse, why_windows
from refactor.codemod.codemod import discover
from refactor.engine.run import Options, Worker


def refusals(folder: Path, dockerfile: str, files: dict[str, str]) -> dict[str, str]:
    """What a whole run refuses in a folder, by codemod: the reason and the hint."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "Dockerfile").write_text(dockerfile)
    record = Worker(Options(is_isolated=True)).work(str(folder / "Dockerfile"))
    assert not record.errors
    return {
        codemod: f"{refusal.because} ({refusal.hint})"
        for refusal in record.refused
        for codemod in (refusal.codemod, *refusal.others)
    }


WINDOWS = {
    "the base of Windows itself": "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dir",
    "its smallest one": "FROM mcr.microsoft.com/windows/nanoserver:1809\nCMD hello",
    "a tag of an official image": "FROM golang:1.22-windowsservercore\nRUN go build",
    "a stage built from such a one": "FROM mcr.microsoft.com/windows:ltsc2019 AS base\nFROM base\nCMD app",
    "PowerShell": "FROM someone/steamcmd-wincore\nCMD powershell.exe c:\\app\\serverstart.ps1",
    "cmd": "FROM someone/tools\nRUN cmd /c dir",
    "a condition of cmd": "FROM someone/tools\nRUN if not exist logs mkdir logs",
    "a drive": "FROM someone/tools\nCOPY app C:/app",
    "a program": "FROM someone/tools\nENTRYPOINT server.exe",
    "backslashes, where they do not escape": "# escape=`\nFROM someone/tools\nCOPY bin \\app\\bin\nCMD start",
    "a shell that no other system has": 'FROM python:3.12\nSHELL ["powershell", "-Command"]\nRUN dir',
    "a working directory on a drive, in an image of many systems": "FROM python:3.12\nWORKDIR C:/app\nCMD python a.py",
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_windows_stage_is_known(name: str, tmp_path: Path) -> None:
    file = parse(WINDOWS[name].encode())
    assert why_windows(file, file.stages[-1]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian:bookworm\nRUN sed -i 's:/a:/b:' /etc/x && cut -d: -f1 /etc/passwd\nCMD sh",
        "FROM someone/tools\nRUN apt-get install -y powershell\nCMD pwsh",
        "FROM dockcross/windows-static-x64\nRUN make && cp app.exe /out/",
        "FROM someone/wine\nRUN apt-get update\nENTRYPOINT game.exe",
        "FROM someone/mono\nCMD mono server.exe",
        "FROM someone/tools\nLABEL text='if it does not exist'\nCMD start",
    ],
)
def test_no_other_stage_is_taken_for_one(text: str) -> None:
    file = parse(text.encode())
    assert why_windows(file, file.stages[-1]) is None


def test_a_windows_stage_is_left_alone_and_said_once(tmp_path: Path) -> None:
    dockerfile = (
        "# escape=`\nFROM someone/node-wincore\nWORKDIR C:/app\nCOPY . .\nRUN npm install\nRUN pip install flask\n"
        "RUN apt-get update\nCMD node server.js\n"
    )
    (tmp_path / "Dockerfile").write_text(dockerfile)
    (tmp_path / "package.json").write_text('{"dependencies": {"express": "1"}}')
    record = Worker(Options(is_isolated=True)).work(str(tmp_path / "Dockerfile"))
    assert not record.is_changed
    said = [refusal for refusal in record.refused if "Windows" in refusal.because]
    assert len(said) == 1
    assert "line 3 is written for Windows (`C:/app`)" in said[0].because


ARGUMENTS = {
    "compose.yaml": "services:\n  web:\n    build: .\n    command: [--verbose]\n",
    "deploy/web.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
        "    - {name: web, image: example/web, args: [--verbose]}\n"
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_for_an_entrypoint_are_not_let_in(name: str, tmp_path: Path) -> None:
    dockerfile = "FROM debian:bookworm-slim\nCOPY --from=ghcr.io/example/server:1 /s /s\nENTRYPOINT /s --port 80\n"
    said = refusals(tmp_path, dockerfile, {name: ARGUMENTS[name], ".git/HEAD": "ref: refs/heads/main\n"})
    assert f"{name} gives arguments that the shell ignores" in said["use-exec-form"]


def test_an_entrypoint_of_compose_takes_its_own_arguments(tmp_path: Path) -> None:
    dockerfile = "FROM debian:bookworm-slim\nCOPY --from=ghcr.io/example/server:1 /s /s\nENTRYPOINT /s --port 80\n"
    compose = "services:\n  web:\n    build: .\n    entrypoint: [/s]\n    command: [--verbose]\n"
    assert "use-exec-form" not in refusals(tmp_path, dockerfile, {"compose.yaml": compose})


FOREIGN = {
    "C or C++": 'FROM debian:bookworm\nCOPY . .\nRUN meson setup build\nCMD ["a"]\n',
}


@pytest.mark.parametrize("language", FOREIGN)
def test_a_language_that_is_not_known_yet_is_said(language: str, tmp_path: Path) -> None:
    said = refusals(tmp_path, FOREIGN[language], {"src/main.x": ""})
    reason = f"how {language} programs are built, and what they need at run time, is not known to dockerfix yet"
    assert reason in said["split-build-stage"]
    assert "by hand: " in said["split-build-stage"]
    assert reason in said["copy-manifests-first"]


def test_the_reason_of_a_language_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM perl:5.40\nCOPY . .\nRUN cpanm --installdeps .\nCMD perl a.pl\n")
    record = Worker(Options(is_isolated=True)).work(str(tmp_path / "Dockerfile"))
    [refusal] = [refusal for refusal in record.refused if "Perl" in refusal.because]
    assert {refusal.codemod, *refusal.others} >= {"split-build-stage", "copy-manifests-first", "use-slim-base"}


def test_what_only_configures_is_no_matter_of_languages(tmp_path: Path) -> None:
    said = refusals(tmp_path, "FROM nginx:1.27\nCOPY . /usr/share/nginx/html\nRUN nginx -t\n", {"index.html": ""})
    assert not {"split-build-stage", "copy-manifests-first", "use-slim-base"} & said.keys()


ROOT = Path(__file__).parents[1]
CODEMODS = frozenset(cls.id for cls in discover())
SHAPE = re.compile(r"`([a-z]+(?:-[a-z]+)+)`")
NO_CODEMOD = frozenset({"apt-get", "docker-php-ext-install", "per-file-ignores"})
"""Other things that look like one in a message or a docstring."""


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a source file: messages and documentation; a formatted one without its values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("room", ["refactor", "codemods"])
def test_each_codemod_that_is_named_exists(room: str) -> None:
    verbs = {name.partition("-")[0] for name in CODEMODS} | {"serve", "see"}
    wrong = []
    for path in sorted((ROOT / room).rglob("*.py")):
        for line, text in literals(path):
            for name in SHAPE.findall(text):
                # A verb in front makes it a codemod's name; what else is in backticks is a command, a flag, a package.
                is_meant = name.partition("-")[0] in verbs or re.search(rf"(?:see|codemod) `{name}`", text)
                if is_meant and name not in CODEMODS | NO_CODEMOD:
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong


def test_making_users_is_no_build(tmp_path: Path) -> None:
    lock = {"express": {"version": "4.21.0"}, "jest": {"version": "29.0.0", "dev": True}}
    wanted = {"dependencies": {"express": "^4.0.0"}, "devDependencies": {"jest": "^29.0.0"}}
    packages = {"": wanted, **{f"node_modules/{name}": entry for name, entry in lock.items()}}
    dockerfile = (
        "FROM node:20-slim AS base\nFROM base\nRUN groupadd -g 1337 www && useradd -u 1337 -g www www\nWORKDIR /app\n"
        'COPY package.json package-lock.json ./\nRUN npm install\nCOPY server.js ./\nCMD ["node", "server.js"]\n'
    )
    files = {
        "package.json": json.dumps(wanted),
        "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages}),
        "server.js": "require('express')\n",
    }
    said = refusals(tmp_path, dockerfile, files)
    assert "install-production-dependencies" not in said
    record = Worker(Options(is_isolated=True)).work(str(tmp_path / "Dockerfile"))
    assert any("npm ci --omit=dev" in finding.message for finding in record.applied)


def test_a_list_of_packages_in_a_message_is_short(tmp_path: Path) -> None:
    packages = "gcc g++ make cmake libpq-dev libssl-dev"
    dockerfile = f"FROM someone/python\nRUN apt-get update && apt-get install -y {packages}\nRUN pip install flask\n"
    said = refusals(tmp_path, dockerfile + 'CMD ["python", "app.py"]\n', {"app.py": ""})
    assert "gcc, g++, make, cmake and 2 more are only needed to build" in said["split-build-stage"]
