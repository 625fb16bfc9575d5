"""What every container that only serves files has in common, whatever built them."""

from __future__ import annotations

from refactor.flow.reading import Refused, StageReading, is_within, join

_CARRIED = frozenset({"FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "USER", "EXPOSE", "LABEL", "CMD", "SHELL"})


def why_more_than_files(
    reading: StageReading, shown: str, home: str, *, may_carry: frozenset[str] = frozenset(), whole: bool = True
) -> Refused | None:
    """Why the stage's container does more than serve the files that a build makes of ``home``, or is for development.

    ``whole``: only a mount over the folder itself counts, not one inside of it.
    """
    deployment = reading.context.deployment
    if deployment.has_own_command:
        where = deployment.named_by("command") or ", ".join(deployment.sources)
        return Refused(f"{where} starts the container with a command of its own")
    for step in reading.steps:
        if step.keyword not in _CARRIED | may_carry:
            return Refused(f"{shown} serves files only, but what becomes of {step.keyword} without it is not known")
    places = [join(mount, ".") for mount in deployment.mounts]
    inside = [place for place in places if place == home or (not whole and is_within(place, home))]
    if inside:
        where = deployment.named_by("mounts")
        return Refused(f"{where} mounts the sources over {inside[0]}, which is a setup for development")
    return None


__all__ = ["why_more_than_files"]
