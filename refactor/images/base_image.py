"""The catalogue's entry: what is known of one base image."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from collections.abc import Mapping
from typing import NamedTuple

from refactor.images.reference import Reference, parse_reference

# Named tuples are made in a quarter of a dataclass's time, and this room is loaded at every start.
_NONE: Mapping[str, str] = {}
_NOBODY: Mapping[str, tuple[int, int]] = {}


class BaseImage(NamedTuple):
    """Facts about a base image. What is not known is None or empty; nothing here is guessed from a name."""

    reference: str
    """As it was asked for."""
    family: str
    """"node", "python", "golang", "debian", "distroless", "nginx", "scratch", ..."""
    version: str
    """As the tag says it ("20", "3.11", "1.22.3"); the number where the tag is a code name; "" for
    `latest`."""
    variant: str
    """"fat", "slim", "alpine", "distroless", "scm", "curl", "jdk", "jre", "jre-alpine", "fpm", ..."""
    distro: str | None
    """"debian", "ubuntu", "alpine", "fedora", "oracle", ...; None for scratch and busybox."""
    release: str | None
    """Code name ("bookworm", "noble") or Alpine's number ("3.19"). Where the tag does not name it: the
    release such a tag was built on in August 2026 (`is_floating` says whether it can still change), or
    None."""
    libc: str | None
    """"glibc", "musl", or None where there is none (scratch, distroless static) or it is not known."""
    is_floating: bool = False
    """The tag names no release and moves to newer ones."""
    shells: tuple[str, ...] = ()
    package_manager: str | None = None
    """"apt", "apk", "dnf", "microdnf", "yum", or None."""
    users: Mapping[str, tuple[int, int]] = _NOBODY
    """Built-in users that are not root: name to (uid, gid)."""
    default_user: str = "root"
    """As the image's configuration has it: a name or a number."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    workdir: str = "/"
    env: Mapping[str, str] = _NONE
    """Those ENV of the image that matter to a rewrite, with their values; version numbers are left out."""
    preinstalled: frozenset[str] = frozenset()
    """Notable packages and programs, by the names the distribution's package manager uses."""
    sources: tuple[str, ...] = ()
    """Where these facts come from."""

    def __hash__(self) -> int:
        return hash(self.reference)

    @property
    def has_shell(self) -> bool:
        return bool(self.shells)

    @property
    def has_useradd(self) -> bool:
        """Whether a RUN can make a user: the images of Amazon Linux, and the minimal ones of Red Hat and its kin, come
        without shadow-utils (Oracle's slim ones have it)."""
        is_minimal = self.package_manager == "microdnf" and self.distro != "oracle"
        return self.has_shell and self.distro != "amazon" and not is_minimal

    @property
    def parsed(self) -> Reference:
        return parse_reference(self.reference)

    def with_variant(self, variant: str) -> str | None:
        """The image of that variant ("fat", "slim", "alpine", "jre", "distroless") for the same
        version and release.

        None where there is none, and where this one is pinned by digest (the other's digest is not
        known offline), unless the other has a repository of its own. `node:20-bullseye` gives
        `node:20-bullseye-slim`, `python:3.11-buster` gives `python:3.11-slim-buster`,
        `mcr.microsoft.com/dotnet/sdk:8.0.404` gives `mcr.microsoft.com/dotnet/aspnet:8.0`.
        """
        from refactor.images import variants

        return variants.with_variant(self, variant)
