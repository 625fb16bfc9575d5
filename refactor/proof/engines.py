"""The search for a container engine that answers."""

from __future__ import annotations

import os

from refactor.proof.buildah import BuildahEngine
from refactor.proof.docker import DockerEngine
from refactor.proof.engine import NAMES, Engine, EngineProblem
from refactor.proof.podman import PodmanEngine


def find_engine(name: str | None = None, builder: str | None = None) -> Engine:
    """The engine of that name (or of DOCKERFIX_ENGINE), or the first of docker, podman and buildah that answers.

    Raises :class:`EngineProblem` where none does.
    """
    name = name or os.environ.get("DOCKERFIX_ENGINE") or None
    if name is not None and name not in NAMES:
        raise EngineProblem(f"there is no engine {name!r}; it is one of {', '.join(NAMES)}")
    reasons = []
    for wanted in (name,) if name else NAMES:
        try:
            if wanted == "docker":
                return DockerEngine.connect(builder)
            if wanted == "podman":
                return PodmanEngine.connect()
            if wanted == "buildah":
                return BuildahEngine.connect()
        except EngineProblem as problem:
            reasons.append(f"{wanted}: {problem}")
    raise EngineProblem(
        "no container engine answers; start docker, podman or buildah, or point DOCKER_HOST at one ("
        + "; ".join(reasons)
        + ")"
    )
