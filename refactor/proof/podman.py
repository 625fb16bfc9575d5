"""Podman, through its client; remote machines and connections hold as the user set them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from refactor.proof.client import ClientEngine
from refactor.proof.command import run
from refactor.proof.engine import BuildRequest, EngineProblem


class PodmanEngine(ClientEngine):
    """A Podman engine. Images are built in Docker's format: OCI's has no HEALTHCHECK, SHELL and ONBUILD."""

    name = "podman"
    log_options: ClassVar[tuple[str, ...]] = ("--log-driver=k8s-file", "--log-opt=max-size=4mb")

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

    def health(self, container: str, state: Mapping[str, Any]) -> str:
        # Podman has systemd run its health checks, which is not everywhere; so the check is run when it is
        # asked about.
        known = state.get("Health") or state.get("Healthcheck") or {}
        if not known.get("Status"):
            return ""
        checked = self.ask("healthcheck", "run", container, timeout=30)
        return "healthy" if checked.is_good else "unhealthy" if checked.status == 1 else ""
