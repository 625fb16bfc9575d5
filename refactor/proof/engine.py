"""What a container engine must be able to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO, Protocol

from refactor.proof.progress import Step

LABEL = "dockerfix.proof"
"""On every container and image that is made here; its value is the run's number."""

REPOSITORY = "dockerfix-proof"
"""The name of every image that is made here."""

NAMES = ("docker", "podman", "buildah")


class EngineProblem(Exception):
    """The engine does not answer, or no longer, or refused what was asked; the text says so."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build. Secrets and build arguments are handed on as they were given, and never kept."""

    dockerfile: str
    context: str
    image: str
    run: str
    """The number of this run, for the label."""
    is_cold: bool
    """Take nothing from the cache, but fill it."""
    cache_name: str = ""
    """A name space for ``RUN --mount=type=cache`` folders, so that these are empty in a cold build."""
    ignore_file: str | None = None
    network: str | None = None
    target: str | None = None
    platform: str | None = None
    build_args: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    timeout: float = 1800.0


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a build: ``problem`` is None where there is an image."""

    problem: str | None
    log: str
    """The end of the build's log."""
    steps: tuple[Step, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Configuration:
    """How an image wants to be run, in the engine-independent form; empty and missing are the same."""

    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    exposed: frozenset[str] = frozenset()
    """Port and protocol: ``8080/tcp``."""
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    stop_signal: str = ""
    healthcheck: tuple[str, ...] = ()
    """The check's command as recorded: ``("CMD", "curl", ...)``; empty where there is none."""
    healthcheck_times: tuple[str, ...] = ()
    user: str = ""
    """"" for root, however it was written."""
    shell: tuple[str, ...] = ()
    onbuild: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    bytes: int
    made_by: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the engine describes it. Sizes in bytes, uncompressed where the engine keeps it so."""

    id: str
    size: int
    layers: tuple[Layer, ...]
    """Those with content, the base's first; without sizes (0) where the engine does not tell them."""
    configuration: Configuration


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One container; limits in bytes and processes."""

    image: str
    name: str
    run: str
    network: str = "none"
    hostname: str | None = "localhost"
    memory: int = 1 << 30
    pids: int = 512
    is_read_only: bool = False
    env: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    published: tuple[int, ...] = ()
    """Container ports to reach from the client's loopback address."""
    has_healthcheck: bool = False
    """Have the image's health check run every second."""
    entrypoint: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Where a container is in its life."""

    is_running: bool
    exit_code: int
    pid: int
    """Process id on the engine's machine; 0 where there is none."""
    is_out_of_memory: bool
    health: str
    """``healthy``, ``unhealthy``, ``starting``, or "" where nothing is checked."""
    problem: str = ""
    """Why the engine could not start its process."""


class Engine(Protocol):
    """A container engine, driven through its command-line client, so that remote ones work as the user set
    them up."""

    name: str
    version: str
    is_cache_ambiguous: bool
    """Two builds with a beginning in common may take each other's layers for it, and so miss what follows: podman and
    buildah look for the parent first, and any that fits will do."""
    runs_health_checks: bool

    def build(self, request: BuildRequest) -> Built:
        """Builds an image. Only a dead engine raises (:class:`EngineProblem`); a failed build is a result."""

    def check(self, request: BuildRequest) -> frozenset[str] | None:
        """The warnings of the builder's own checks on a Dockerfile; None where it has no checks."""

    def inspect(self, image: str) -> Image:
        """Describes an image."""

    def start(self, request: RunRequest) -> str:
        """Starts a container in the background and returns its id."""

    def state(self, container: str) -> State: ...

    def port(self, container: str, port: int) -> int | None:
        """Where on this machine's loopback address a published port is reached."""

    def output(self, container: str, limit: int) -> bytes:
        """The last ``limit`` bytes that a container printed, both streams."""

    def call(self, request: RunRequest, beside: str | None, timeout: float, input: bytes = b"") -> tuple[int, bytes]:
        """Runs a container to its end, in the network of the container ``beside`` where one is named.

        Returns its exit status and what it printed to the standard output, bounded.
        """

    def files(self, image: str, run: str) -> AbstractContextManager[IO[bytes]]:
        """The whole file system of an image as a tar stream."""

    def remove_container(self, container: str) -> None: ...

    def remove_image(self, image: str) -> None: ...

    def remove_cache(self, steps: Sequence[Step], since: float) -> None:
        """Removes what builds since ``since`` (seconds of the epoch) left of ``steps`` in the build cache."""

    def leftovers(self, run: str | None) -> Iterator[tuple[str, str]]:
        """(kind, id) of each container and image of a run, or of all runs, that is still there."""
