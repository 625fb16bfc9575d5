"""A workflow of GitHub Actions that builds an image: pull requests build, test and scan it, pushes publish it as well.

Two jobs, so that what runs for a pull request holds no permission but to read: layers go from one to the other through
the cache of Actions (https://docs.docker.com/build/cache/backends/gha/).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

ACTIONS: Mapping[str, str] = {
    "actions/checkout": "v7",  # seen 2026-10-02
    "aws-actions/amazon-ecr-login": "v2",  # 2.1.7, seen 2026-10-02
    "aws-actions/configure-aws-credentials": "v6",  # 6.3.0, seen 2026-10-02
    "docker/build-push-action": "v7",  # 7.2.0, seen 2026-06-05
    "docker/login-action": "v4",  # 4.5.2, seen 2026-10-02
    "docker/metadata-action": "v6",  # 6.2.0, seen 2026-07-21
    "docker/scout-action": "v1",  # 1.21.0, seen 2026-06-22
    "docker/setup-buildx-action": "v4",  # 4.4.1, seen 2026-10-02
    "docker/setup-qemu-action": "v4",  # 4.4.0, seen 2026-10-02
    # By commit: it has no major version, and its tags were moved to malicious commits once (GHSA-69fq-xp46-6x23).
    "aquasecurity/trivy-action": "ed142fd0673e97e23eac54620cfb913e5ce36c25 # v0.36.0, seen 2026-07-02",
}
"""The actions that a workflow may name, each at the version that was current when it was looked at."""
REGISTRIES = ("ghcr", "ecr", "dockerhub")
SCANNERS = ("trivy", "scout")
NATIVE = "linux/amd64"
"""What GitHub's own runners build without emulation."""
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@-]*")
_FORKS_TOO = "github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository"
"""Where secrets are: not in the runs for pull requests from forks."""
_PUSHES = "github.event_name != 'pull_request'"


class Wish(NamedTuple):
    """What the workflow is to do. Paths are relative to the top of the repository."""

    registry: str
    """One of :data:`REGISTRIES`."""
    image: str | None = None
    """The image's name in the registry; None: the repository's own."""
    dockerfile: str = "Dockerfile"
    context: str = "."
    branch: str = "main"
    """Pushes to it publish the image."""
    platforms: tuple[str, ...] = ()
    """Empty: what the runner is."""
    test_target: str | None = None
    """The stage that runs the tests."""
    scan: str | None = None
    """One of :data:`SCANNERS`."""
    secrets: tuple[str, ...] = ()
    """Ids of the secrets that the Dockerfile mounts."""


def workflow(wish: Wish) -> str:
    """The whole file, as YAML."""
    return "\n".join([*_head(wish), *_checking(wish), "", *_pushing(wish)]) + "\n"


def to_set_up(wish: Wish) -> list[str]:
    """What a person has to do in the settings of the repository, one sentence each."""
    told = {
        "ghcr": [],
        "ecr": [
            "set the variables AWS_REGION and AWS_ROLE_ARN: a role with push rights that trusts GitHub's OIDC provider "
            "for this repository (no key is stored)"
        ],
        "dockerhub": [
            "set the variable DOCKERHUB_USERNAME and the secret DOCKERHUB_TOKEN, an access token that may write: "
            "Docker Hub has no login without a stored one"
        ],
    }[wish.registry]
    if wish.scan == "scout" and wish.registry != "dockerhub":
        told.append("set the variable DOCKERHUB_USERNAME and the secret DOCKERHUB_TOKEN: Docker Scout needs an account")
    return told + [f"set the secret {_secret(id_)}, which the Dockerfile mounts as {id_}" for id_ in wish.secrets]


def _head(wish: Wish) -> list[str]:
    return [
        f"# Made by `dockerfix workflow --registry {wish.registry}`; it is yours to change.",
        *(f"# To do in the repository's settings: {todo}." for todo in to_set_up(wish)),
        "name: Image",
        "",
        '"on":',
        "  push:",
        f"    branches: [{_yaml(wish.branch)}]",
        '    tags: ["v*"]',
        "  pull_request:",
        "",
        "permissions:",
        "  contents: read",
        "",
        "concurrency:",
        "  group: ${{ github.workflow }}-${{ github.ref }}",
        "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
        "",
        "jobs:",
    ]


def _checking(wish: Wish) -> list[str]:
    steps = list(_preparing(wish))
    if wish.test_target is not None:
        steps.append(_build("Run the tests", wish, target=wish.test_target, is_native=True))
    is_native = wish.platforms in ((), (NATIVE,))
    if wish.scan is None or not is_native:
        steps.append(_build("Build", wish, saves=True))
    if wish.scan is not None:
        # An engine's store holds images of one platform alone.
        steps.append(_build("Build what is scanned", wish, tags=_SCANNED, is_native=True, saves=is_native))
        steps += _scanning(wish)
    return _job("check", wish, {"contents": "read"}, steps)


_SCANNED = "scanned:${{ github.sha }}"


def _pushing(wish: Wish) -> list[str]:
    permissions = {"contents": "read"}
    permissions |= {"ghcr": {"packages": "write"}, "ecr": {"id-token": "write"}, "dockerhub": {}}[wish.registry]
    name = wish.image or "${{ github.event.repository.name }}"
    images = {
        "ghcr": f"ghcr.io/{wish.image or '${{ github.repository }}'}",
        "ecr": f"${{{{ steps.registry.outputs.registry }}}}/{name}",
        "dockerhub": wish.image if wish.image and "/" in wish.image else f"${{{{ vars.DOCKERHUB_USERNAME }}}}/{name}",
    }[wish.registry]
    # The commit's hash names one image for good; branch and version are names that move.
    tags = ["type=sha,format=long,prefix=", "type=ref,event=branch", "type=semver,pattern={{version}}"]
    meta = _step(
        "Name the image",
        "docker/metadata-action",
        {"images": images, "tags": tags},
        id="meta",
    )
    pushed = _build("Build and push", wish, tags="${{ steps.meta.outputs.tags }}", is_pushed=True)
    return _job("push", wish, permissions, [*_preparing(wish), *_login(wish.registry), meta, pushed])


def _job(name: str, wish: Wish, permissions: Mapping[str, str], steps: Sequence[list[str]]) -> list[str]:
    lines = [f"  {name}:"]
    if name == "push":
        lines += ["    needs: check", f"    if: {_PUSHES}"]
    lines += ["    runs-on: ubuntu-latest", "    permissions:"]
    lines += [f"      {scope}: {level}" for scope, level in permissions.items()]
    lines.append("    steps:")
    return lines + [f"      {line}" for step in steps for line in step]


def _preparing(wish: Wish) -> Iterator[list[str]]:
    yield _step("Check out", "actions/checkout", {"persist-credentials": "false"})
    if any(platform != NATIVE for platform in wish.platforms):
        yield _step("Emulate other platforms", "docker/setup-qemu-action", {})
    yield _step("Set up BuildKit", "docker/setup-buildx-action", {})


def _build(
    name: str,
    wish: Wish,
    *,
    target: str | None = None,
    tags: str = "",
    is_native: bool = False,
    is_pushed: bool = False,
    saves: bool = False,
) -> list[str]:
    given: dict[str, str | list[str]] = {"context": _yaml(wish.context), "file": _yaml(wish.dockerfile)}
    if target is not None:
        given["target"] = _yaml(target)
    if wish.platforms and not is_native:
        given["platforms"] = ",".join(wish.platforms)
    if is_pushed:
        given["push"] = "true"
    elif tags:
        given["load"] = "true"
    if tags:
        given["tags"] = tags
    if is_pushed:
        given["labels"] = "${{ steps.meta.outputs.labels }}"
    if wish.secrets:
        given["secrets"] = [f"{id_}=${{{{ secrets.{_secret(id_)} }}}}" for id_ in wish.secrets]
    given["cache-from"] = "type=gha"
    if saves:
        # All stages, not the last one's layers alone; a full cache is no reason to fail.
        given["cache-to"] = "type=gha,mode=max,ignore-error=true"
    return _step(name, "docker/build-push-action", given)


def _login(registry: str) -> list[list[str]]:
    if registry == "ghcr":
        given = {"registry": "ghcr.io", "username": "${{ github.actor }}", "password": "${{ github.token }}"}
        return [_step("Log in", "docker/login-action", given)]
    if registry == "ecr":
        role = {"role-to-assume": "${{ vars.AWS_ROLE_ARN }}", "aws-region": "${{ vars.AWS_REGION }}"}
        return [
            _step("Take on the role", "aws-actions/configure-aws-credentials", role),
            _step("Log in", "aws-actions/amazon-ecr-login", {}, id="registry"),
        ]
    return [_docker_hub()]


def _docker_hub(condition: str = "") -> list[str]:
    given = {"username": "${{ vars.DOCKERHUB_USERNAME }}", "password": "${{ secrets.DOCKERHUB_TOKEN }}"}
    return _step("Log in to Docker Hub", "docker/login-action", given, condition=condition)


def _scanning(wish: Wish) -> list[list[str]]:
    if wish.scan == "trivy":
        given = {"image-ref": _SCANNED, "severity": "HIGH,CRITICAL", "ignore-unfixed": "true", "exit-code": '"1"'}
        return [_step("Scan", "aquasecurity/trivy-action", given)]
    given = {
        "command": "cves",
        "image": f"local://{_SCANNED}",
        "only-severities": "critical,high",
        "only-fixed": "true",
        "exit-code": "true",
        "write-comment": "false",
    }
    return [_docker_hub(_FORKS_TOO), _step("Scan", "docker/scout-action", given, condition=_FORKS_TOO)]


def _step(
    name: str, action: str, given: Mapping[str, str | list[str]], *, id: str = "", condition: str = ""
) -> list[str]:
    lines = [f"- name: {name}"]
    lines += [f"  id: {id}"] if id else []
    lines += [f"  if: {condition}"] if condition else []
    lines.append(f"  uses: {action}@{ACTIONS[action]}")
    lines += ["  with:"] if given else []
    for key, value in given.items():
        if isinstance(value, list):
            lines += [f"    {key}: |", *(f"      {line}" for line in value)]
        else:
            lines.append(f"    {key}: {value}")
    return lines


def _secret(id_: str) -> str:
    """The name of the repository's secret for a build secret; names of secrets are words in upper case."""
    name = re.sub(r"\W+", "_", id_).upper()
    return f"_{name}" if name[:1].isdigit() else name


def _yaml(text: str) -> str:
    """A text as a YAML scalar, quoted where it is not plain."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
