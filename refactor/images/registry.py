"""``--online``: whether a registry has a tag, and which digest it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from refactor.images.reference import parse_reference

if TYPE_CHECKING:
    from refactor.images.distribution import Distribution

_HOSTS = frozenset(
    "gcr.io ghcr.io mcr.microsoft.com mirror.gcr.io public.ecr.aws quay.io registry.access.redhat.com".split()
)
"""Registries that a Dockerfile may name: any other host in a file that others wrote is not asked for anything."""

_asker: Callable[[str], str | None] | None = None


def ask(asker: Callable[[str], str | None] | None) -> None:
    """From now on this process asks ``asker`` for digests; None ends that."""
    global _asker
    _asker = asker


def ask_registry(reference: str) -> str | None:
    """The digest that a tag stands for; "" where there is no such tag, None where no registry was asked or answered."""
    return None if _asker is None else _asker(reference)


class Registry:
    """What ``--online`` asks for: each reference once, for as long as the process lives."""

    MOST = 200
    """References of one process; what comes after stays unknown."""

    def __init__(self, docker_hub: str | None = None) -> None:
        from refactor.images.distribution import DOCKER_HUB

        self.url = docker_hub or DOCKER_HUB
        """Where images of Docker Hub are asked for: there, or at a mirror of it."""
        self.problem = ""
        """Why a registry was asked no more, in words; "" while all answer."""
        self._digests: dict[str, str | None] = {}
        self._registries: dict[str, Distribution | None] = {}

    def __call__(self, reference: str) -> str | None:
        if reference not in self._digests and len(self._digests) < self.MOST:
            self._digests[reference] = self._digest(reference)
        return self._digests.get(reference)

    def _digest(self, reference: str) -> str | None:
        from refactor.images.distribution import DOCKER_HUB, Distribution, RegistryProblem, registry_of

        image = parse_reference(reference)
        base = registry_of(image)
        if base == DOCKER_HUB:
            base = self.url
        elif image.registry not in _HOSTS:
            return None
        if base not in self._registries:
            self._registries[base] = Distribution(base)
        registry = self._registries[base]
        if registry is None:
            return None
        try:
            return registry.digest(image.repository, image.tag or "latest")
        except RegistryProblem as problem:
            # Others of this registry would wait for nothing, too.
            self._registries[base] = None
            self.problem = problem.what
            return None
