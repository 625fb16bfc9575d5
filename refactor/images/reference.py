"""Image references as text: registry, repository, tag and digest."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from functools import lru_cache
from typing import NamedTuple

_DOCKER_HUB = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"))
_ARCHITECTURES = frozenset(
    ("amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "i386", "mips64le", "ppc64le", "riscv64", "s390x")
)
"""Namespaces on Docker Hub that hold the same official images, one architecture each."""


class Reference(NamedTuple):
    """`[registry/]repository[:tag][@digest]`, taken apart as the distribution library does."""

    registry: str
    """Host as written, or "docker.io" where none is."""
    repository: str
    """Path in the registry; official images of Docker Hub as "library/node"."""
    name: str
    """Short name: "node" for an official image or a mirror of one, else as in `docker images`."""
    tag: str | None
    digest: str | None
    prefix: str
    """What was written before the tag."""

    def with_tag(self, tag: str) -> str:
        """The same repository, written the same way, with another tag and no digest."""
        return f"{self.prefix}:{tag}"


@lru_cache(maxsize=1024)
def parse_reference(text: str) -> Reference:
    """Take a reference apart. Never raises: text that is no reference gives parts that no catalogue knows."""
    rest, at, digest = text.strip().partition("@")
    slash = rest.rfind("/")
    colon = rest.rfind(":")
    if colon > slash:
        prefix, tag = rest[:colon], rest[colon + 1 :]
    else:
        prefix, tag = rest, ""
    first, has_path, path = prefix.partition("/")
    if has_path and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, path
    else:
        registry, repository = "docker.io", prefix
    if registry in _DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    name = _short_name(registry, repository)
    return Reference(registry, repository, name, tag or None, digest if at else None, prefix)


def _short_name(registry: str, repository: str) -> str:
    folder, _, last = repository.rpartition("/")
    on_hub = registry in _DOCKER_HUB
    # `library` is Docker Hub's namespace of official images; mirrors and pull-through caches keep it in the
    # path (public.ecr.aws/docker/library/node, mirror.gcr.io/library/node,
    # harbor.example.com/hub/library/node).
    if folder == "library" or folder.endswith("/library") or (on_hub and folder in _ARCHITECTURES):
        return last
    return repository if on_hub else f"{registry}/{repository}"
