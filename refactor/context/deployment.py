"""What else counts on the image: the services of Compose files that build it."""

from __future__ import annotations

from typing import NamedTuple


class Deployment(NamedTuple):
    """What the repository says about how an image is built and run; empty where it says nothing."""

    targets: tuple[str, ...] = ()
    """Stages that services build by name (``build.target``)."""
    users: tuple[str, ...] = ()
    """Users that services run as, in place of the image's own."""
    mounts: tuple[str, ...] = ()
    """Absolute container paths that volumes are mounted on."""
    has_own_command: bool = False
    """A service replaces CMD or ENTRYPOINT."""
    sources: tuple[str, ...] = ()
    """The files that say so, relative to the build context."""
