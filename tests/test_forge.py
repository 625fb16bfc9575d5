"""Branches in real repositories: what is on them, and that nothing else of the repository changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from refactor.engine.files import MAX_BYTES
from refactor.forge.branch import exported
from refactor.forge.repository import Repository
from tests.conftest import CORPUS

ROOT = Path(__file__).parents[1]
NAIVE = b"FROM debian:bookworm-slim\nRUN apt-get update\nRUN apt-get install -y curl\nCMD curl -V\n"


def git(folder: Path, *arguments: str, **more: str) -> str:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_DATE": "2024-02-03T04:05:06+0200",
        "GIT_COMMITTER_DATE": "2024-02-03T04:05:06+0200",
        **more,
    }
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def dockerfix(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull, **more}
    return subprocess.run(
        [sys.executable, "-m", "refactor", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a repository with one commit that holds the given files."""

    def made(name: str = "repository", **files: bytes) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "-q")
        git(folder, "config", "user.name", "Ada")
        git(folder, "config", "user.email", "ada@example.org")
        for path, data in (files or {"Dockerfile": NAIVE}).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "start")
        return folder

    return made


def subjects(folder: Path, branch: str) -> list[str]:
    return git(folder, "log", "--format=%s", f"main..{branch}").splitlines()


def test_a_commit_for_each_codemod_ends_at_what_write_makes(make: Make) -> None:
    folder = make()
    shutil.copytree(CORPUS / "apps" / "node-typescript-api", folder, dirs_exist_ok=True)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "application")
    done = dockerfix(folder, "--branch", "dockerfix/all")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(subjects(folder, "dockerfix/all")) >= 3
    on_branch = git(folder, "show", "dockerfix/all:Dockerfile")
    assert dockerfix(folder, "--write", "Dockerfile").returncode == 0
    assert (folder / "Dockerfile").read_text() == on_branch
    assert (folder / ".dockerignore").read_text() == git(folder, "show", "dockerfix/all:.dockerignore")
    for commit in git(folder, "log", "--format=%H", "main..dockerfix/all").split():
        message = git(folder, "log", "-1", "--format=%B", commit)
        assert "Dockerfix-Codemod: " in message
        assert f"Dockerfix-Tree: {git(folder, 'rev-parse', commit + '^{tree}').strip()}" in message
        touched = [".dockerignore"] if "Codemod: write-dockerignore" in message else ["Dockerfile"]
        assert git(folder, "diff", "--name-only", f"{commit}~", commit).split() == touched


def test_a_dirty_checkout_stays_as_it_is(make: Make) -> None:
    folder = make(Dockerfile=NAIVE, other=b"one\n", third=b"one\n")
    (folder / "Dockerfile").write_bytes(NAIVE + b"# not committed\n")
    (folder / "other").write_bytes(b"two\n")
    git(folder, "add", "other")
    (folder / "other").write_bytes(b"three\n")
    (folder / "new").write_bytes(b"new\n")
    git(folder, "rm", "-q", "--cached", "third")
    index = (folder / ".git" / "index").read_bytes()
    before = git(folder, "status", "--porcelain=v2", "--branch"), git(folder, "diff"), git(folder, "diff", "--cached")
    index = (folder / ".git" / "index").read_bytes()
    assert dockerfix(folder, "--branch", "fix").returncode == 0
    assert (folder / ".git" / "index").read_bytes() == index
    assert before == (
        git(folder, "status", "--porcelain=v2", "--branch"),
        git(folder, "diff"),
        git(folder, "diff", "--cached"),
    )
    assert "not committed" not in git(folder, "show", "fix:Dockerfile")
    assert git(folder, "stash", "list") == ""


def test_line_endings_and_modes_are_those_of_the_commit(make: Make) -> None:
    folder = make()
    (folder / ".gitattributes").write_text("* text=auto eol=crlf\n")
    crlf = folder / "deep" / "Dockerfile"
    crlf.parent.mkdir()
    crlf.write_bytes(NAIVE.replace(b"\n", b"\r\n"))
    git(folder, "config", "core.autocrlf", "false")
    git(folder, "add", "-A")
    (folder / ".gitattributes").unlink()
    git(folder, "add", "-A")
    crlf.chmod(0o755)
    git(folder, "add", "--renormalize", "-A")
    git(folder, "commit", "-q", "-m", "CRLF")
    (folder / ".gitattributes").write_text("* text=auto eol=lf\n")
    assert dockerfix(folder, "--branch", "fix", "deep").returncode == 0
    blob = subprocess.run(["git", "cat-file", "blob", "fix:deep/Dockerfile"], cwd=folder, capture_output=True).stdout
    stored = subprocess.run(["git", "cat-file", "blob", "main:deep/Dockerfile"], cwd=folder, capture_output=True).stdout
    assert stored != blob
    assert blob.count(b"\r\n") == (blob.count(b"\n") if b"\r\n" in stored else 0)
    assert git(folder, "ls-tree", "fix", "deep/").startswith("100755")
    assert git(folder, "ls-tree", "fix", "Dockerfile") == git(folder, "ls-tree", "main", "Dockerfile")


def test_no_hook_and_no_filter_runs(make: Make, tmp_path: Path) -> None:
    folder = make()
    ran = tmp_path / "ran"
    for hook in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "pre-push", "post-checkout"):
        path = folder / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {hook} >>{ran}\n")
        path.chmod(0o755)
    (folder / ".gitattributes").write_text("Dockerfile filter=spy\n")
    for side in ("clean", "smudge"):
        git(folder, "config", f"filter.spy.{side}", f"sh -c 'echo {side} >>{ran}; cat'")
    git(folder, "config", "core.fsmonitor", f"echo monitor >>{ran}; false")
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(folder, "remote", "add", "origin", str(remote))
    ran.unlink(missing_ok=True)
    assert dockerfix(folder, "--branch", "fix", "--push", "origin").returncode == 0
    assert not ran.exists(), ran.read_text()
    assert git(remote, "rev-parse", "fix") == git(folder, "rev-parse", "fix")


def test_the_same_base_gives_the_same_commits(make: Make) -> None:
    one, two = make("one"), make("two")
    for folder in (one, two):
        assert dockerfix(folder, "--branch", "fix", "--sign-off").returncode == 0
    assert git(one, "rev-parse", "fix") == git(two, "rev-parse", "fix")
    assert "Signed-off-by: Ada <ada@example.org>" in git(one, "log", "-1", "--format=%B", "fix")
    assert git(one, "log", "-1", "--format=%ad %cd", "--date=iso", "fix") == (
        "2024-02-03 04:05:06 +0200 2024-02-03 04:05:06 +0200\n"
    )
    # Nothing new: the branch is where it was.
    again = dockerfix(one, "--branch", "fix", "--sign-off")
    assert again.returncode == 0
    assert git(one, "reflog", "fix").count("\n") == git(two, "reflog", "fix").count("\n")


def test_commits_by_folder_and_as_one(make: Make) -> None:
    folder = make(**{"Dockerfile": NAIVE, "api/Dockerfile": NAIVE, "api/Dockerfile.dev": NAIVE})
    assert dockerfix(folder, "--branch", "by-folder", "--per", "folder").returncode == 0
    assert len(subjects(folder, "by-folder")) == 2
    assert dockerfix(folder, "--branch", "at-once", "--per", "all").returncode == 0
    assert len(subjects(folder, "at-once")) == 1
    assert dockerfix(folder, "--branch", "by-codemod").returncode == 0
    trees = {git(folder, "rev-parse", f"{name}^{{tree}}") for name in ("by-folder", "at-once", "by-codemod")}
    assert len(trees) == 1
    assert sorted(git(folder, "diff", "--name-only", "main", "at-once").split()) == [
        "Dockerfile",
        "api/Dockerfile",
        "api/Dockerfile.dev",
    ]


def test_another_base_and_only_some_paths(make: Make) -> None:
    folder = make(**{"Dockerfile": NAIVE, "api/Dockerfile": NAIVE})
    (folder / "Dockerfile").write_bytes(b"FROM scratch\n")
    git(folder, "commit", "-q", "-a", "-m", "later")
    assert dockerfix(folder / "api", "--branch", "fix", "--base", "main~", ".").returncode == 0
    assert git(folder, "diff", "--name-only", "main~", "fix").split() == ["api/Dockerfile"]
    assert git(folder, "merge-base", "main", "fix") == git(folder, "rev-parse", "main~")


def test_our_own_branch_is_renewed_and_a_persons_is_not(make: Make) -> None:
    folder = make()
    assert dockerfix(folder, "--branch", "fix").returncode == 0
    (folder / "Dockerfile").write_bytes(NAIVE.replace(b"curl", b"wget"))
    git(folder, "commit", "-q", "-a", "-m", "wget")
    assert dockerfix(folder, "--branch", "fix").returncode == 0
    assert "wget" in git(folder, "show", "fix:Dockerfile")
    git(folder, "checkout", "-q", "fix")
    (folder / "Dockerfile").write_bytes(b"FROM scratch\n")
    git(folder, "commit", "-q", "-a", "--amend", "--no-edit")
    git(folder, "checkout", "-q", "main")
    theirs = git(folder, "rev-parse", "fix")
    done = dockerfix(folder, "--branch", "fix")
    assert done.returncode == 2
    assert "has a commit that dockerfix did not make" in done.stderr
    assert git(folder, "rev-parse", "fix") == theirs


def test_a_push_never_takes_away_what_a_person_pushed(make: Make, tmp_path: Path) -> None:
    folder, remote, other = make(), tmp_path / "remote.git", tmp_path / "other"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(folder, "remote", "add", "origin", str(remote))
    assert dockerfix(folder, "--branch", "fix", "--push", "origin").returncode == 0
    git(tmp_path, "clone", "-q", "-b", "fix", str(remote), str(other))
    (other / "notes").write_text("mine\n")
    git(other, "add", "-A")
    git(other, "-c", "user.name=Bo", "-c", "user.email=bo@example.org", "commit", "-q", "-m", "mine")
    git(other, "push", "-q", "origin", "fix")
    theirs = git(remote, "rev-parse", "fix")
    (folder / "Dockerfile").write_bytes(NAIVE.replace(b"curl", b"wget"))
    git(folder, "commit", "-q", "-a", "-m", "wget")
    done = dockerfix(folder, "--branch", "fix", "--push", "origin")
    assert done.returncode == 2
    assert "mine, Bo" in done.stderr
    assert git(remote, "rev-parse", "fix") == theirs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--branch", "fix", "--base", "nowhere"), "has no commit 'nowhere'"),
        (("--branch", "-x"), "is no name for a branch"),
        (("--branch", "a..b"), "is no name for a branch"),
        (("--branch", "main"), "is checked out in"),
        (("--branch", "fix", "--base", "--all"), "has no commit '--all'"),
        (("--branch", "fix", "--push", "nowhere"), "has no remote 'nowhere'"),
        (("--branch", "fix", ".."), "is in no git repository"),
        (("--branch", "fix", "Dockerfile", "/"), "is outside of the repository"),
        (("--branch", "fix", "missing"), "does not exist"),
        (("--branch", "fix", "--write"), "--branch needs files, and goes with none of"),
        (("--base", "main"), "go with --branch"),
    ],
)
def test_mistakes_are_said(make: Make, arguments: tuple[str, ...], said: str) -> None:
    done = dockerfix(make(), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_states_of_a_repository(make: Make, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "Dockerfile").write_bytes(NAIVE)
    assert "is in no git repository" in dockerfix(outside, "--branch", "fix").stderr
    git(outside, "init", "-q")
    assert "has no commit yet" in dockerfix(outside, "--branch", "fix").stderr

    folder = make()
    git(tmp_path, "clone", "-q", "--bare", str(folder), "bare.git")
    assert "is a bare repository" in dockerfix(tmp_path / "bare.git", "--branch", "fix").stderr

    git(tmp_path, "clone", "-q", "--depth=1", folder.as_uri(), "shallow")
    assert dockerfix(tmp_path / "shallow", "--branch", "fix").returncode == 0
    assert "the clone is shallow" in dockerfix(tmp_path / "shallow", "--branch", "fix", "--base", "main~3").stderr

    git(folder, "checkout", "-q", "--detach")
    assert dockerfix(folder, "--branch", "from-detached").returncode == 0
    git(folder, "worktree", "add", "-q", "-b", "linked", "../linked")
    assert dockerfix(tmp_path / "linked", "--branch", "from-linked").returncode == 0
    assert git(folder, "rev-parse", "from-linked") == git(folder, "rev-parse", "from-detached")
    assert "is checked out in" in dockerfix(folder, "--branch", "linked").stderr


def test_a_submodule_is_another_repository(make: Make, tmp_path: Path) -> None:
    inner, outer = make("inner"), make("outer")
    git(outer, "submodule", "--quiet", "add", str(inner), "vendor/inner")
    git(outer, "commit", "-q", "-m", "submodule")
    assert dockerfix(outer, "--branch", "fix").returncode == 0
    assert git(outer, "diff", "--name-only", "main", "fix").split() == ["Dockerfile"]
    assert (
        "belongs to the submodule vendor/inner"
        in dockerfix(outer, "--branch", "fix2", "Dockerfile", "vendor/inner/Dockerfile").stderr
    )


def test_without_git_the_message_says_so(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = dockerfix(make(), "--branch", "fix", PATH=str(tmp_path / "bin"))
    assert done.returncode == 2
    assert "git: is not on PATH; install git" in done.stderr


def test_a_clean_repository_gets_no_branch(make: Make) -> None:
    folder = make(Dockerfile=b"FROM scratch\nCOPY a /\n")
    done = dockerfix(folder, "--branch", "fix")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing to change" in done.stderr
    assert git(folder, "branch", "--list", "fix") == ""


def test_what_is_built_from_a_commit_is_whole_and_can_be_started(make: Make, tmp_path: Path) -> None:
    """Read only, a large file needs no content; a build may copy it, and start a script."""
    large = b"x" * (MAX_BYTES + 1)
    folder = make(**{"Dockerfile": NAIVE, "bin/start": b"#!/bin/sh\n", "model.bin": large})
    git(folder, "update-index", "--chmod=+x", "bin/start")
    git(folder, "commit", "-q", "-m", "can be started")
    with Repository(str(folder)) as repository:
        base = repository.commit("HEAD")
        for is_whole, content in ((False, bytes(len(large))), (True, large)):
            with exported(repository, base, is_whole=is_whole) as place:
                assert Path(place, "model.bin").read_bytes() == content
                assert os.access(Path(place, "bin/start"), os.X_OK)
                assert not os.access(Path(place, "Dockerfile"), os.X_OK)
