"""What else in the repository counts on the image that is built."""

from __future__ import annotations

from typing import NamedTuple


class Deployment(NamedTuple):
    """How Compose files use the image. Empty when none was found, which is no proof that none exists."""

    targets: tuple[str, ...] = ()
    """Stages that are built by name (``build.target``): renaming them changes what is deployed."""
    users: tuple[str, ...] = ()
    """``user:`` of the services, as written."""
    mounts: tuple[str, ...] = ()
    """Container paths that volumes are mounted on; what the image holds there is hidden."""
    has_own_command: bool = False
    """A service overrides the command or the entrypoint, so that CMD is not what is run."""
    sources: tuple[str, ...] = ()
    """The files that say so, relative to the context."""
