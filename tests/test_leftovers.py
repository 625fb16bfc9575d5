"""What `.dockerignore` may leave out: every Dockerfile of the folder, and every file that is copied, is asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from refactor import BuildContext, fix
from refactor.cli.main import main
from refactor.engine.run import Options, Worker, expand_paths, work_on_files
from refactor.forge.branch import plan_commits, rewrite_commit
from refactor.forge.repository import Repository
from refactor.proof.rewrite import rewriter_for

NODE = {"package.json": '{"dependencies": {"express": "4"}}', "server.js": "require('express')()\n"}
GIT = {".git/HEAD": "ref: refs/heads/main\n", ".git/objects/x": "y" * 1000}
PLAIN = 'FROM alpine\nWORKDIR /app\nCOPY . .\nCMD ["./run"]\n'
INSTALLED = 'FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD ["node", "server.js"]\n'


def lines(source: str, files: dict[str, str]) -> list[str]:
    """The lines that are added to the ignore file."""
    change = fix(source.encode(), BuildContext.of(files), select=["write-dockerignore"])
    assert change.failure is None
    return [line for file in change.files for line in file.after[len(file.before or b"") :].decode().split()]


@pytest.mark.parametrize(
    ("source", "files", "wanted"),
    [
        (PLAIN, GIT, [".git"]),
        ("FROM alpine\nCOPY run /run\n", GIT, []),
        ("FROM alpine\nCOPY src /src\n", {**GIT, "src/a": ""}, []),
        (PLAIN, {**GIT, ".dockerignore": "**/.git\n"}, []),
        (PLAIN, {**GIT, ".dockerignore": "*\n!.git\n!run\n"}, []),
        (PLAIN, {**GIT, "Makefile": "version:\n\tgit describe --tags\n"}, []),
        (PLAIN, {**GIT, "README.md": "run git log\n"}, [".git"]),
        (PLAIN.replace("CMD", "RUN git rev-parse HEAD > /rev\nCMD"), GIT, []),
        (PLAIN.replace("CMD", "RUN git clone https://x/y\nCMD"), GIT, [".git"]),
        (PLAIN.replace("CMD", "RUN --mount=type=bind,source=.git,target=/g cat /g/HEAD\nCMD"), GIT, []),
        (PLAIN.replace("CMD", "COPY .g* /g/\nCMD"), GIT, []),
        (PLAIN.replace("CMD", "COPY $WHAT /g/\nCMD"), GIT, []),
        (PLAIN, {**GIT, "docs/Dockerfile": "FROM a\nCOPY .git /g\n"}, []),
        (PLAIN, {**GIT, "docs/Dockerfile": "FROM a\nCOPY . /g\n", "docs/a": ""}, [".git"]),
        (INSTALLED, {**NODE, "package.json": '{"devDependencies": {"husky": "8"}}', **GIT}, ["node_modules"]),
        (INSTALLED, {**NODE, "node_modules/a/b.js": ""}, ["node_modules"]),
        (INSTALLED, {"package.json": "{}"}, []),
        (INSTALLED.replace("npm ci", "cd web && npm ci"), {**NODE, "node_modules/a/b.js": ""}, []),
        (INSTALLED.replace("npm ci", "npm install -g express"), {**NODE, "node_modules/a/b.js": ""}, []),
        (INSTALLED, {"web/package.json": NODE["package.json"], "web/node_modules/a": ""}, []),
        (INSTALLED, {**NODE, "Dockerfile": INSTALLED, "web.Dockerfile": PLAIN, "node_modules/a": ""}, []),
        (INSTALLED.replace("COPY . .", "COPY . .\nCOPY node_modules node_modules"), {**NODE, "node_modules/a": ""}, []),
        (PLAIN, {"venv/pyvenv.cfg": "", "app.py": "", ".DS_Store": ""}, ["**/__pycache__", ".DS_Store", "venv"]),
        (PLAIN.replace("./run", "venv/bin/python"), {"venv/pyvenv.cfg": "", "app.py": ""}, []),
        (PLAIN, {".DS_Store": "", ".vscode/a": ""}, []),
        (PLAIN, {"target/CACHEDIR.TAG": "", "Cargo.toml": ""}, ["target"]),
        (PLAIN.replace("./run", "target/release/x"), {"target/CACHEDIR.TAG": "", "Cargo.toml": ""}, []),
        (PLAIN, {".env": "KEY=x", "main.c": "int main(){}"}, [".env"]),
        (PLAIN, {".env": "KEY=x", "main.js": "process.env.KEY"}, [".env"]),
        (PLAIN, {".env": "KEY=x", "main.js": "require('dotenv')"}, []),
        (PLAIN, {".env": "KEY=x", "main.sh": ". ./.env"}, []),
        (PLAIN, {".env": "KEY=x", "compose.yaml": "services: {a: {env_file: .env}}"}, [".env"]),
    ],
)
def test_only_what_nothing_names_or_reads_is_left_out(source: str, files: dict[str, str], wanted: list[str]) -> None:
    assert lines(source, {"run": "#!/bin/sh\n", **files}) == wanted


def test_a_context_that_was_not_seen_is_silent() -> None:
    change = fix(PLAIN.encode(), None, select=["write-dockerignore"])
    assert not change.applied
    assert not change.refused


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repo"
    (top / "web").mkdir(parents=True)
    for name, text in {**NODE, "Dockerfile": INSTALLED, "dev.Dockerfile": INSTALLED}.items():
        (top / "web" / name).write_text(text)
    subprocess.run(
        "git init -q -b main && git add . && git -c user.name=a -c user.email=a@b commit -qm x",
        cwd=top,
        shell=True,
        check=True,
    )
    return top


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--isolated", "--select", "write-dockerignore"])
    return int(stopped.value.code or 0), capsys.readouterr().out


def test_two_dockerfiles_of_one_folder_make_the_file_once(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    status, diff = run("--diff", capsys=capsys)
    assert status == 1
    assert diff.count("+++ b/web/.dockerignore") == 1
    subprocess.run(["git", "apply", "--check", "-"], input=diff.encode(), check=True)
    status, _ = run("--write", capsys=capsys)
    assert status == 0
    assert (repository / "web" / ".dockerignore").read_text() == "node_modules\n"
    assert (repository / "web" / "Dockerfile").read_text() == INSTALLED
    assert run("--check", capsys=capsys)[0] == 0


@pytest.mark.parametrize("write", [False, True])
def test_several_processes_find_what_one_does(repository: Path, write: bool) -> None:
    files = expand_paths([str(repository)])[0]
    options = Options(select=("write-dockerignore",), is_isolated=True, write=write, diff=True)
    records = list(work_on_files(files, options, jobs=2))
    assert [len(record.files) for record in records] == [1, 0]
    assert (repository / "web" / ".dockerignore").exists() == write


def test_reports_name_the_file(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    report = json.loads(run("--format", "json", capsys=capsys)[1])
    assert report["files"][0]["files"] == [{"path": "web/.dockerignore", "created": True}]
    sarif = json.loads(run("--format", "sarif", capsys=capsys)[1])
    [change] = sarif["runs"][0]["results"][0]["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "web/.dockerignore"
    assert change["replacements"][0]["insertedContent"]["text"] == "node_modules\n"
    for format_name in ("text", "github", "gitlab", "rdjson"):
        assert ".dockerignore" in run("--format", format_name, capsys=capsys)[1]


def test_standard_input_gets_a_suggestion(repository: Path) -> None:
    worker = Worker(Options(select=("write-dockerignore",), is_isolated=True))
    record = worker.work_on_text(INSTALLED.encode(), str(repository / "web" / "Dockerfile"))
    assert not record.is_changed
    assert [finding.files for finding in record.suggested] == [(".dockerignore",)]


def test_a_proof_builds_with_the_file(repository: Path) -> None:
    path = str(repository / "web" / "Dockerfile")
    rewrite = rewriter_for(path, INSTALLED.encode(), Options(select=("write-dockerignore",), is_isolated=True))()
    assert rewrite.after == INSTALLED.encode()
    assert rewrite.files == {".dockerignore": b"node_modules\n"}
    assert [edit.path for edit in rewrite.edits] == [str(repository / "web" / ".dockerignore")]


def test_a_branch_has_the_file_in_its_commit(repository: Path) -> None:
    with Repository(str(repository)) as opened:
        base = opened.commit("HEAD")
        rewrites = rewrite_commit(opened, base, [""], Options(select=("write-dockerignore",), is_isolated=True))
        [plan] = plan_commits(rewrites.steps, "codemod")
        assert plan.files["web/.dockerignore"] == b"node_modules\n"
        [commit] = opened.build(base, [plan])
        assert [item.a_path for item in base.diff(commit)] == ["web/.dockerignore"]


JS = {"package.json": '{"scripts": {"build": "tsc -p ."}}', "tsconfig.json": '{"compilerOptions": {"outDir": "dist"}}'}
SITE = 'FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm install && npm run build\nCMD ["node", "dist/a.js"]\n'
NET = {"Web/Web.csproj": "<Project/>", "Web/obj/a.json": "", "Web/bin/a.dll": ""}
PUBLISH = 'FROM mcr.microsoft.com/dotnet/sdk:8.0\nWORKDIR /s\nCOPY . .\nRUN dotnet publish Web -o /app\nCMD ["x"]\n'
CARGO = (
    "FROM rust:1.80 AS b\nWORKDIR /s\nCOPY . .\nRUN cargo build --release\n"
    "FROM debian:12\nCOPY --from=b /s/target/release/a /\n"
)


@pytest.mark.parametrize(
    ("source", "files", "wanted"),
    [
        (SITE, {**JS, "a.ts": "", "dist/a.js": "", ".gitignore": "dist\n"}, ["dist"]),
        (SITE, {**JS, "a.ts": "", "dist/a.js": "", ".gitignore": "*.log\n"}, []),
        (SITE, {**JS, "a.ts": "", "dist/a.js": "", ".gitignore": "dist/*\n!dist/keep\n"}, []),
        (SITE, {**JS, "a.ts": "", "dist/a.js": ""}, []),
        (SITE, {**JS, "a.ts": "", "build/a.js": "", ".gitignore": "build\n"}, []),
        (SITE.replace("&& npm run build", ""), {**JS, "dist/a.js": "", ".gitignore": "dist\n"}, []),
        (SITE.replace("RUN", "RUN cp dist/a.js /a\nRUN"), {**JS, "dist/a.js": "", ".gitignore": "dist\n"}, []),
        (SITE.replace("RUN", "RUN ./prepare\nRUN"), {**JS, "dist/a.js": "", ".gitignore": "dist\n"}, []),
        (SITE.replace("RUN", "COPY dist dist\nRUN"), {**JS, "dist/a.js": "", ".gitignore": "dist\n"}, []),
        (SITE, {**JS, "dist/a.js": "", ".gitignore": "dist\n", "web.Dockerfile": PLAIN, "Dockerfile": SITE}, []),
        (PUBLISH, {**NET, ".gitignore": "[Bb]in/\n[Oo]bj/\n"}, ["Web/bin", "Web/obj"]),
        (PUBLISH, {**NET, "Web/.gitignore": "obj/\n"}, ["Web/obj"]),
        (CARGO, {"Cargo.toml": "", "src/main.rs": "", "target/a": "", ".gitignore": "/target\n"}, ["target"]),
        (CARGO, {"Cargo.toml": "", "src/main.rs": "", "target/a": "", ".gitignore": "/a/target\n"}, []),
    ],
)  # fmt: skip
def test_products_of_the_host_that_the_image_makes_itself(
    source: str, files: dict[str, str], wanted: list[str]
) -> None:
    assert lines(source, files) == wanted
