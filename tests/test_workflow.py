"""``dockerfix workflow``: what GitHub would be told to do, and that nothing which is there is overwritten."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from refactor.context.pipelines import builds_of_yaml
from refactor.forge.actions import ACTIONS, REGISTRIES, SCANNERS, Wish, workflow
from tests.test_config_command import run

DOCKERFILE = """FROM node:22 AS builder
RUN --mount=type=secret,id=npm_token npm ci
FROM builder AS test
RUN npm test
FROM node:22-slim AS runner
COPY --from=builder /app /app
"""
WISHES = [
    Wish(registry, image, dockerfile, context, "main", platforms, target, scan, secrets)
    for registry, (scan, target), platforms, (image, dockerfile, context, secrets) in itertools.product(
        REGISTRIES,
        [(None, None), *((scan, "test") for scan in SCANNERS)],
        [(), ("linux/amd64", "linux/arm64")],
        [(None, "Dockerfile", ".", ()), ("team/shop", "a b/#1.dockerfile", "a b", ("npm.token", "1st"))],
    )
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def written(folder: Path, *words: str, name: str = "image.yml") -> dict[str, Any]:
    done = run("workflow", "--write", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    data = yaml.safe_load((folder / ".github" / "workflows" / name).read_text())
    assert isinstance(data, dict)
    return data


def steps(data: dict[str, Any], job: str, action: str) -> list[dict[str, Any]]:
    return [step for step in data["jobs"][job]["steps"] if step["uses"].startswith(action)]


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not installed (pip install '.[workflows]', or its own packages)")
    place = tmp_path / ".github" / "workflows"
    place.mkdir(parents=True)
    for number, wish in enumerate(WISHES):
        (place / f"{number}.yml").write_text(workflow(wish))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run([actionlint], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: "-".join(map(str, wish)))
def test_what_runs_for_a_pull_request_reads_and_pushes_nothing(wish: Wish) -> None:
    data = yaml.safe_load(workflow(wish))
    assert data["permissions"] == data["jobs"]["check"]["permissions"] == {"contents": "read"}
    assert set(data["on"]) == {"push", "pull_request"}
    for step in steps(data, "check", "docker/build-push-action"):
        assert "push" not in step["with"]
    push = data["jobs"]["push"]
    assert (push["if"], push["needs"]) == ("github.event_name != 'pull_request'", "check")
    assert [step["with"]["push"] for step in steps(data, "push", "docker/build-push-action")] == [True]
    used = {step["uses"] for job in data["jobs"].values() for step in job["steps"]}
    assert used <= {f"{action}@{version.partition(' ')[0]}" for action, version in ACTIONS.items()}
    # The cache of the check is what the push is built from.
    saved = [step for step in steps(data, "check", "docker/build-push-action") if "cache-to" in step["with"]]
    assert len(saved) == 1
    assert saved[0]["with"].get("platforms") == (",".join(wish.platforms) or None) or len(wish.platforms) < 2


def test_githubs_registry_needs_no_stored_secret(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    data = written(folder, "--registry", "ghcr")
    assert data["jobs"]["push"]["permissions"] == {"contents": "read", "packages": "write"}
    assert "secrets." not in (folder / ".github/workflows/image.yml").read_text()
    (login,) = steps(data, "push", "docker/login-action")
    assert login["with"]["password"] == "${{ github.token }}"
    (meta,) = steps(data, "push", "docker/metadata-action")
    assert meta["with"]["images"] == "ghcr.io/${{ github.repository }}"
    assert "type=sha,format=long" in meta["with"]["tags"]
    (check,) = steps(data, "check", "docker/build-push-action")
    assert check["with"] == {
        "context": ".",
        "file": "Dockerfile",
        "cache-from": "type=gha",
        "cache-to": "type=gha,mode=max,ignore-error=true",
    }


def test_ecr_takes_on_a_role_and_docker_hub_needs_a_token_and_says_so(folder: Path) -> None:
    data = written(folder, "--registry", "ecr", "--image", "team/shop")
    assert data["jobs"]["push"]["permissions"] == {"contents": "read", "id-token": "write"}
    (role,) = steps(data, "push", "aws-actions/configure-aws-credentials")
    assert set(role["with"]) == {"role-to-assume", "aws-region"}
    (meta,) = steps(data, "push", "docker/metadata-action")
    assert meta["with"]["images"] == "${{ steps.registry.outputs.registry }}/team/shop"
    done = run("workflow", "--registry", "dockerhub", "--write", "--file", "hub.yml", cwd=folder)
    assert "DOCKERHUB_TOKEN" in done.stderr
    assert "DOCKERHUB_TOKEN" in (folder / ".github/workflows/hub.yml").read_text().partition("\njobs:")[0]


def test_tests_come_first_and_the_scan_stops_the_push(folder: Path) -> None:
    words = ["--registry", "ghcr", "--test-target", "test", "--scan", "trivy", "--platforms", "linux/amd64,linux/arm64"]
    data = written(folder, *words)
    names = [step["name"] for step in data["jobs"]["check"]["steps"]]
    assert (
        names.index("Run the tests") < names.index("Build") < names.index("Build what is scanned") < names.index("Scan")
    )
    assert [step["with"].get("target") for step in steps(data, "check", "docker/build-push")] == ["test", None, None]
    (scan,) = steps(data, "check", "aquasecurity/trivy-action@ed142fd0673e97e23eac54620cfb913e5ce36c25")
    assert (scan["with"]["severity"], scan["with"]["exit-code"]) == ("HIGH,CRITICAL", "1")
    # Where it can be loaded into the engine, it is built once.
    native = yaml.safe_load(workflow(Wish("ghcr", scan="trivy")))
    assert [step["name"] for step in steps(native, "check", "docker/build-push")] == ["Build what is scanned"]
    assert not steps(native, "check", "docker/setup-qemu-action")
    assert steps(data, "push", "docker/setup-qemu-action")


def test_scout_is_asked_only_where_its_account_is_known() -> None:
    data = yaml.safe_load(workflow(Wish("ghcr", scan="scout")))
    (login,), (scan,) = steps(data, "check", "docker/login-action"), steps(data, "check", "docker/scout-action")
    assert "head.repo.full_name == github.repository" in login["if"]
    assert login["if"] == scan["if"]
    assert scan["with"]["exit-code"] is True


def test_secrets_that_the_dockerfile_mounts_are_passed(folder: Path) -> None:
    data = written(folder, "--registry", "ghcr")
    for job in ("check", "push"):
        (build,) = steps(data, job, "docker/build-push-action")
        assert build["with"]["secrets"] == "npm_token=${{ secrets.NPM_TOKEN }}\n"


def test_our_own_reader_of_workflows_knows_it(folder: Path) -> None:
    written(folder, "--registry", "ghcr", "--test-target", "test")
    found = list(builds_of_yaml((folder / ".github/workflows/image.yml").read_text()))
    assert {(build.file, build.target) for build in found} == {("Dockerfile", "test"), ("Dockerfile", None)}


def test_one_that_is_there_is_left_alone(folder: Path) -> None:
    place = folder / ".github" / "workflows"
    place.mkdir(parents=True)
    (place / "image.yml").write_text("name: mine\n")
    for how in ("--write", "--diff"):
        done = run("workflow", "--registry", "ghcr", how, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert "image.yml: is there already; it is left alone" in done.stderr
    assert (place / "image.yml").read_text() == "name: mine\n"


def test_nothing_is_written_through_a_link_out_of_the_repository(folder: Path, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (folder / ".github").symlink_to(outside)
    done = run("workflow", "--registry", "ghcr", "--write", cwd=folder)
    assert done.returncode == 2
    assert "leads out of the repository" in done.stderr
    assert not list(outside.iterdir())


def test_the_diff_is_one_that_git_applies(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    done = run("workflow", "--registry", "ghcr", cwd=folder)
    assert done.returncode == 1
    assert not (folder / ".github").exists()
    subprocess.run(["git", "apply"], input=done.stdout, text=True, cwd=folder, check=True)
    applied = (folder / ".github/workflows/image.yml").read_text()
    (folder / ".github/workflows/image.yml").unlink()
    written(folder, "--registry", "ghcr")
    assert (folder / ".github/workflows/image.yml").read_text() == applied


def test_paths_are_those_of_the_repository_and_the_branch_its_own(folder: Path) -> None:
    (folder / "services" / "api").mkdir(parents=True)
    (folder / "services" / "api" / "Dockerfile.prod").write_text("FROM scratch\nCOPY services/api /\n")
    head = folder / ".git" / "refs" / "remotes" / "origin" / "HEAD"
    head.parent.mkdir(parents=True)
    head.write_text("ref: refs/remotes/origin/trunk\n")
    command = ["Dockerfile.prod", "--registry", "ghcr", "--write"]
    assert run("workflow", *command, cwd=folder / "services" / "api").returncode == 0
    data = yaml.safe_load((folder / ".github/workflows/image-services-api-prod.yml").read_text())
    (build,) = steps(data, "push", "docker/build-push-action")
    assert (build["with"]["context"], build["with"]["file"]) == (".", "services/api/Dockerfile.prod")
    assert data["on"]["push"]["branches"] == ["trunk"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            ["--registry", "ghcr", "--test-target", "tests"],
            "has no stage 'tests'; name one of its stages: builder, test",
        ),
        (["--registry", "ghcr", "--platforms", "arm"], "write linux/amd64,linux/arm64"),
        (["--registry", "ghcr", "--image", "ghcr.io/A:1"], "write it in lower case, without registry and tag"),
        (["--registry", "ghcr", "--file", "../x.yml"], "is no name of a file in .github/workflows"),
        (["--registry", "ghcr", "--context", ".."], "is outside of the repository"),
        (["--registry", "ghcr", "Dockerfile.none"], "Dockerfile.none: does not exist; check the path"),
        (["--registry", "ghcr", "--write", "--diff"], "exclude each other"),
        ([], "--registry"),
    ],
)
def test_mistakes_are_told_with_what_to_do(words: list[str], what: str, folder: Path) -> None:
    done = run("workflow", *words, cwd=folder)
    assert done.returncode == 2
    assert what in done.stderr
    assert not (folder / ".github").exists()
