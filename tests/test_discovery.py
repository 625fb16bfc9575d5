"""Files with unusual names are found where Compose, Bake or a devcontainer says that they are Dockerfiles."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from refactor import parse
from refactor.engine.contexts import ContextFinder
from refactor.engine.discovery import discover_files, repository_of

NAMING = {
    "compose.yaml": "services:\n  api:\n    build: {context: ./api, dockerfile: build/image}\n  web:\n    build: web\n",
    "docker-bake.hcl": 'target "jobs" {\n  context = "jobs"\n  dockerfile = "image.bake"\n}\n',
    "tools/docker-bake.json": '{"target": {"lint": {"dockerfile": "lint.img"}}}',
    ".devcontainer/devcontainer.json": '{\n// "dockerFile": "no"\n\t"build": {"dockerfile": "../dev.image"}}',
    ".devcontainer/old/devcontainer.json": '{"dockerFile": "base.image"}',
}
FOUND = [
    ".devcontainer/old/base.image",
    "api/build/image",
    "dev.image",
    "jobs/image.bake",
    "tools/lint.img",
    "web/Dockerfile",
]


def filled(folder: Path) -> None:
    for name in [*NAMING, *FOUND, "no", "other.image"]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NAMING.get(name, "FROM debian:12\n"))


@pytest.mark.parametrize("has_git", [True, False])
@pytest.mark.parametrize("given", [".", "./app", "app"])
def test_named_files_are_found(given: str, has_git: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "app" if given.endswith("app") else tmp_path
    filled(folder)
    if has_git:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    found = discover_files(given)
    assert sorted(str(Path(path).relative_to(given)) for path in found) == FOUND


def test_what_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("FROM debian:12\n")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian:12\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    services = "".join(
        f"  s{at}:\n    build: {{context: ., dockerfile: {name!r}}}\n"
        for at, name in enumerate(["../secret", str(tmp_path / "secret"), "link", "missing", "$FILE", "."])
    )
    (folder / "compose.yaml").write_text(f"services:\n{services}")
    assert discover_files(str(folder)) == [str(folder / "Dockerfile")]


def test_broken_files_that_name_nothing_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\n")
    for name in NAMING:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'services: [\xff "dockerFile": "target "x" {')
    assert discover_files(str(tmp_path)) == [str(tmp_path / "Dockerfile")]


def test_a_dockerfile_in_a_very_deep_folder_has_a_context(tmp_path: Path) -> None:
    # The folders need not be there to be climbed, and pathlib could not make them.
    folder = str(tmp_path / "/".join(["d"] * 1200))
    known: dict[str, str | None] = {}
    assert repository_of(folder, known) is None
    (tmp_path / "other" / ".git").mkdir(parents=True)
    assert repository_of(str(tmp_path / "other" / "x"), known) == str(tmp_path / "other")
    assert ContextFinder().open(folder + "/Dockerfile", parse(b"FROM scratch\n")).root == folder
