"""Docker, through its client: DOCKER_HOST, contexts and buildx builders hold as everywhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import ClassVar

from refactor.proof.client import ClientEngine, parse_time
from refactor.proof.command import run
from refactor.proof.engine import BuildRequest, EngineProblem
from refactor.proof.progress import Step


class DockerEngine(ClientEngine):
    """A Docker engine. Builds by buildx where it is there (BuildKit), else by the classic builder."""

    name = "docker"
    # One file only, so that a container that floods its log costs 4 MB and no more.
    log_options: ClassVar[tuple[str, ...]] = (
        "--log-driver=json-file",
        "--log-opt=max-size=4m",
        "--log-opt=max-file=1",
    )

    def __init__(self, version: str, has_buildx: bool, builder: str | None) -> None:
        super().__init__(("docker",), version)
        self.has_buildx = has_buildx
        self.builder = builder

    @classmethod
    def connect(cls, builder: str | None = None) -> DockerEngine:
        """The engine that the client reaches. Raises :class:`EngineProblem` where there is no client or no
        engine."""
        finished = run(["docker", "version", "--format={{.Server.Version}}"], timeout=20)
        version = finished.text.strip()
        if not finished.is_good or not version:
            raise EngineProblem(_first_line(finished.complaint))
        has_buildx = run(["docker", "buildx", "version"], timeout=20).is_good
        if builder is not None and not has_buildx:
            raise EngineProblem("--builder needs docker's buildx, which is not installed")
        return cls(version, has_buildx, builder)

    def build_command(self, request: BuildRequest) -> list[str]:
        if not self.has_buildx:
            return ["docker", "build", "--force-rm"]
        command = [
            "docker",
            "buildx",
            "build",
            *self._builder(),
            "--load",
            "--progress=plain",
        ]
        if request.cache_name:
            # Of the Dockerfile frontend: cache mounts of another name space are empty. It leaves no trace in
            # the image.
            command.append(f"--build-arg=BUILDKIT_CACHE_MOUNT_NS={request.cache_name}")
        return command

    def _builder(self) -> list[str]:
        return [f"--builder={self.builder}"] if self.builder else []

    def build_environment(self) -> dict[str, str]:
        # An image with an attestation is an index to some engines, and no two of them are the same.
        return {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"} if self.has_buildx else {"DOCKER_BUILDKIT": "0"}

    def check(self, request: BuildRequest) -> frozenset[str] | None:
        if not self.has_buildx:
            return None
        command = [
            "buildx",
            "build",
            *self._builder(),
            "--call=check,format=json",
            f"--file={request.dockerfile}",
        ]
        if request.target:
            command.append(f"--target={request.target}")
        finished = self.ask(*command, "--", request.context, timeout=120)
        try:
            found = json.loads(finished.text)
            return frozenset(
                f"{warning['ruleName']}: {warning.get('detail') or warning.get('description') or ''}".rstrip(": ")
                for warning in found.get("warnings") or ()
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            # Before buildx 0.15 there are no checks, and an invalid Dockerfile is the build's to report.
            return None

    def health_options(self) -> list[str]:
        # The image's own interval is often 30 s. Failures within the start period do not count as unhealthy
        # yet.
        return ["--health-interval=1s", "--health-retries=5", "--health-start-period=5s"]

    def remove_cache(self, steps: Sequence[Step], since: float) -> None:
        if not self.has_buildx:
            return
        texts = {step.text for step in steps}
        commands = {_squeezed(re.sub(r"^RUN (?:--\S+ )*", "", text)) for text in texts if text.startswith("RUN ")}
        made: list[str] = []
        finished = self.ask("buildx", "du", *self._builder(), "--format=json")
        for line in finished.text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                # Before buildx 0.24 this is a table: the engine's own limits empty the cache in time.
                return
            if not isinstance(record, dict) or parse_time(str(record.get("CreatedAt"))) < int(since):
                continue
            description = str(record.get("Description"))
            made_here = re.sub(r"^\[[^\]]*\] ", "", description) in texts
            exec_of = _squeezed(description.partition(" from exec ")[2].removeprefix("/bin/sh -c "))
            if made_here or (exec_of and any(exec_of.endswith(command) for command in commands if command)):
                made.append(str(record.get("ID")))
        if made:
            alternatives = "|".join(re.escape(id) for id in made)
            self.ask(
                "buildx",
                "prune",
                *self._builder(),
                "--force",
                "--all",
                f"--filter=id~={alternatives}",
                timeout=300,
            )


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0][:200]
