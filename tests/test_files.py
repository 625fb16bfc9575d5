"""Changes that touch several files: one Change, one diff, written whole or not at all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from refactor import (
    Aspect,
    BuildContext,
    Change,
    Codemod,
    Dockerfile,
    FileEdit,
    Finding,
    InsertAfter,
    Phase,
    Refusal,
    Safety,
    fix,
)
from refactor.context import Unknown
from refactor.engine import files as writing
from refactor.engine.files import FileProblem, Write, write_together

SOURCE = b"FROM nginx\nCOPY . /app\n"


class AddSettings(Codemod):
    """Copies a file of settings that it writes, and notes so in a list."""

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.COPIES, Aspect.LAYERS, Aspect.FILES})
    note = "notes.txt"

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if context.stored("app.conf") is None:
            old = context.stored(self.note)
            held = b"" if old is None or isinstance(old, Unknown) else old
            note = FileEdit(self.note, None if old is None else held, held + b"app.conf\n")
            last = file.instructions[-1]
            yield Finding(
                last,
                "add settings",
                [InsertAfter(last, [file.new("COPY app.conf /etc/app.conf")])],
                files=[FileEdit("app.conf", None, b"a\nb\n"), note],
            )


class SeeSettings(Codemod):
    """Extends the settings that the other one wrote."""

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.FILES})

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        text = context.read("app.conf")
        if not isinstance(text, Unknown) and "c" not in text:
            edit = FileEdit("app.conf", text.encode(), f"{text}c\n".encode())
            yield Finding(file.instructions[0], "add c", [], files=[edit])


class Undeclared(AddSettings):
    """Says nothing of other files."""

    may_change = frozenset({Aspect.COPIES, Aspect.LAYERS})


class Elsewhere(AddSettings):
    """Writes outside of the context."""

    note = "../notes.txt"


def run(folder: Path, *codemods: type[Codemod], is_alone: bool = False) -> Change:
    context = BuildContext.open(str(folder), str(folder / "Dockerfile"))
    return fix((folder / "Dockerfile").read_bytes(), context, codemods=codemods, is_alone=is_alone)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repo"
    made.mkdir()
    (made / "Dockerfile").write_bytes(SOURCE)
    (made / "notes.txt").write_bytes(b"first\n")
    return made


def test_one_change_has_all_files_and_later_codemods_see_them(folder: Path) -> None:
    change = run(folder, AddSettings, SeeSettings)
    assert change.failure is None
    assert [finding.message for finding in change.applied] == ["add settings", "add c"]
    assert {file.path: (file.before, file.after) for file in change.files} == {
        "app.conf": (None, b"a\nb\nc\n"),
        "notes.txt": (b"first\n", b"first\napp.conf\n"),
    }


def test_git_takes_the_diff(folder: Path) -> None:
    change = run(folder, AddSettings, SeeSettings)
    diff = change.diff()
    assert "--- /dev/null\n+++ b/app.conf\n" in diff
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff.encode(), check=True)
    assert (folder / "Dockerfile").read_bytes() == change.after
    for file in change.files:
        assert (folder / file.path).read_bytes() == file.after
    assert not run(folder, AddSettings, SeeSettings).is_changed


def test_diff_names_files_from_where_the_dockerfile_is_named(folder: Path) -> None:
    change = run(folder, AddSettings)
    assert "+++ b/services/web/app.conf\n" in change.diff("services/web/Dockerfile")
    assert "+++ b/app.conf\n" in change.diff("docker/Dockerfile", "")


def test_where_only_the_dockerfile_can_be_written_it_is_a_suggestion(folder: Path) -> None:
    change = run(folder, AddSettings, is_alone=True)
    assert not change.is_changed
    assert [finding.message for finding in change.suggested] == ["add settings"]


def test_what_is_not_declared_is_not_written(folder: Path) -> None:
    change = run(folder, Undeclared)
    assert not change.is_changed
    assert change.failure is not None
    assert "would change other files: app.conf" in change.failure


def test_nothing_outside_of_the_repository_is_written(folder: Path) -> None:
    change = run(folder, Elsewhere)
    assert not change.is_changed
    assert change.failure is not None
    assert "outside of the repository" in change.failure


def test_a_file_above_the_context_but_in_the_repository_is(folder: Path) -> None:
    context = BuildContext.open(str(folder), str(folder / "Dockerfile"))
    context.top = str(folder.parent)
    change = fix(SOURCE, context, codemods=[Elsewhere])
    assert change.failure is None
    assert "+++ b/notes.txt\n" in change.diff("repo/Dockerfile")


@pytest.mark.parametrize("name", ["app.conf", "notes.txt"])
def test_no_link_is_followed(folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    outside.write_bytes(b"precious\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    change = run(folder, AddSettings)
    assert not change.is_changed
    assert outside.read_bytes() == b"precious\n"


def test_stored_follows_no_link_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "sub").symlink_to(tmp_path / "real")
    context = BuildContext.open(str(tmp_path / "repo"))
    assert isinstance(context.stored("sub/new"), Unknown)
    assert context.stored("new") is None


def writes(folder: Path) -> list[Write]:
    return [
        Write(str(folder / "app.conf"), None, b"new\n"),
        Write(str(folder / "notes.txt"), b"first\n", b"second\n"),
        Write(str(folder / "Dockerfile"), SOURCE, b"FROM scratch\n"),
    ]


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_are_written(folder: Path) -> None:
    os.chmod(folder / "notes.txt", 0o640)
    write_together(writes(folder))
    assert state(folder) == {"app.conf": b"new\n", "notes.txt": b"second\n", "Dockerfile": b"FROM scratch\n"}
    assert (folder / "notes.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_rename_that_fails_takes_back_those_before(
    folder: Path, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, put, count = state(folder), writing._put, 0

    def fail(write: Write, target: str, temporary: str) -> None:
        nonlocal count
        count += 1
        if count == broken:
            raise FileProblem(write.path, "cannot be written", "the disk is gone")
        put(write, target, temporary)

    monkeypatch.setattr(writing, "_put", fail)
    with pytest.raises(FileProblem, match="the disk is gone"):
        write_together(writes(folder))
    assert state(folder) == before


@pytest.mark.parametrize("name", ["app.conf", "notes.txt", "Dockerfile"])
def test_nothing_is_written_where_one_file_changed_meanwhile(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"by somebody else\n")
    before = state(folder)
    with pytest.raises(FileProblem, match="while dockerfix was at work"):
        write_together(writes(folder))
    assert state(folder) == before
