"""Podman, through its client; remote machines and connections hold as the user set them up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from refactor.proof.client import ClientEngine, instruction
from refactor.proof.command import run
from refactor.proof.engine import BuildRequest, EngineProblem, Layer

FAILURES = 5
"""Checks in a row that must fail before a container is unhealthy."""


class PodmanEngine(ClientEngine):
    """A Podman engine. Images are built in Docker's format: OCI's has no HEALTHCHECK, SHELL and ONBUILD."""

    name = "podman"
    log_options: ClassVar[tuple[str, ...]] = ("--log-driver=k8s-file", "--log-opt=max-size=4mb")

    is_cache_ambiguous = True

    def __init__(self, program: Sequence[str], version: str) -> None:
        super().__init__(program, version)
        self._failures: dict[str, int] = {}

    @classmethod
    def connect(cls) -> PodmanEngine:
        """The engine that the client reaches. Raises :class:`EngineProblem` where there is none."""
        finished = run(["podman", "info", "--format={{.Version.Version}}"], timeout=30)
        if not finished.is_good:
            raise EngineProblem(finished.complaint.split("\n")[0][:200])
        return cls(("podman",), finished.text.strip())

    def build_command(self, request: BuildRequest) -> list[str]:
        command = ["podman", "build", "--format=docker", "--layers", "--force-rm"]
        if request.ignore_file is not None:
            command.append(f"--ignorefile={request.ignore_file}")
        return command

    def _config(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        # OCI's configuration has no place for the health check; SHELL and ONBUILD are not shown at all.
        return {
            **(described.get("Config") or {}),
            "Healthcheck": described.get("Healthcheck") or described.get("HealthCheck"),
        }

    def remove_container(self, container: str) -> None:
        self.ask("rm", "--force", "--time=0", "--volumes", container)

    def _layers(self, image: str, described: Mapping[str, Any]) -> tuple[Layer, ...]:
        count = len((described.get("RootFS") or {}).get("Layers") or ())
        try:
            # Its templates print sizes for people, whatever --human says.
            history = json.loads(self.ask("history", "--no-trunc", "--format=json", image).text)
            entries = [(int(entry["size"]), str(entry.get("CreatedBy") or "")) for entry in reversed(history)]
        except (ValueError, KeyError, TypeError):
            return (Layer(0, ""),) * count
        layers = tuple(Layer(size, instruction(made_by)) for size, made_by in entries if size > 0)
        return layers + (Layer(0, ""),) * (count - len(layers))

    def health(self, container: str, state: Mapping[str, Any]) -> str:
        # Podman has systemd run its health checks, which is not everywhere; so each look at the container runs the
        # check: 0 passes, 1 fails, everything else means that there is none.
        checked = self.ask("healthcheck", "run", container, timeout=30) if state.get("Running") else None
        if checked is None or checked.status not in (0, 1):
            return ""
        if checked.is_good:
            self._failures.pop(container, None)
            return "healthy"
        self._failures[container] = self._failures.get(container, 0) + 1
        return "unhealthy" if self._failures[container] >= FAILURES else "starting"
