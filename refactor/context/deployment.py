"""Who starts, asks, mounts and targets the image, as far as the repository says so."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from typing import Literal, NamedTuple, TypeAlias

Words: TypeAlias = tuple[str, ...] | str
"""A command: its words, or the text that a shell gets."""

Kind: TypeAlias = Literal["compose", "kubernetes", "helm", "procfile", "ci"]


class Mount(NamedTuple):
    """A folder or file of a container that does not come from the image."""

    target: str
    """Absolute path in the container."""
    source: str = ""
    """Host path (``/...``, ``./...``), name of a volume, or "" where none is written."""
    read_only: bool = False


class Call(NamedTuple):
    """A program that others run inside the container."""

    words: Words
    by: str
    """Who runs it, for messages: ``healthcheck of web in compose.yaml``."""


class Service(NamedTuple):
    """One use of the image. Fields are empty where the file does not say."""

    source: str
    """The file that says so, relative to the build context."""
    kind: Kind
    name: str = ""
    """Compose service, Kubernetes container, process type; "" for CI."""
    command: Words | None = None
    """Takes the place of CMD: Compose ``command``, Kubernetes ``args``, a Procfile's line, what follows the image's
    name in ``docker run``."""
    entrypoint: Words | None = None
    """Takes the place of ENTRYPOINT: Compose ``entrypoint``, Kubernetes ``command``."""
    calls: tuple[Call, ...] = ()
    """Health checks, probes, hooks, ``docker exec``."""
    mounts: tuple[Mount, ...] = ()
    user: str | None = None
    ports: tuple[int, ...] = ()
    """Ports of the container."""
    target: str | None = None
    """The stage that is built."""

    @property
    def arguments(self) -> Words | None:
        """What is handed to the ENTRYPOINT that the image has (a Procfile's line is not)."""
        return self.command if self.entrypoint is None and self.kind != "procfile" else None

    @property
    def has_own_command(self) -> bool:
        """It starts the container with a command or an entrypoint of its own."""
        return self.command is not None or self.entrypoint is not None


class Deployment(NamedTuple):
    """All uses of the image that were found. Empty is no proof that there are none."""

    services: tuple[Service, ...] = ()
    other_builder: str = ""
    """What says that images are built without BuildKit (``.gitlab-ci.yml has kaniko``); "" where nothing does."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Stages that are built by name: renaming them changes what is deployed."""
        return tuple(sorted({service.target for service in self.services if service.target}))

    @property
    def users(self) -> tuple[str, ...]:
        """The users that the image is run as, as written."""
        return tuple(sorted({service.user for service in self.services if service.user}))

    @property
    def mounts(self) -> tuple[str, ...]:
        """Container paths that volumes are mounted on; what the image holds there is hidden."""
        return tuple(sorted({mount.target for service in self.services for mount in service.mounts}))

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every program that others run inside the container."""
        return tuple(call for service in self.services for call in service.calls)

    @property
    def has_own_command(self) -> bool:
        """A service overrides the command or the entrypoint, so that CMD is not what is run."""
        return any(service.has_own_command for service in self.services)

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that say all this, relative to the context."""
        return tuple(sorted({service.source for service in self.services}))

    def named_by(self, fact: str) -> str:
        """The files that give a fact, for messages: ``deployment.named_by("user")`` -> ``compose.yaml``."""
        return ", ".join(sorted({service.source for service in self.services if getattr(service, fact)}))
