"""Package repositories that a stage adds to those of its base image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.system import (
    install_text,
    is_for_building,
    is_package_step,
    is_system_call,
    manager_of,
    provider,
    wanted_packages,
)
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell.posix import SILENT, Does, tools
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.images import BaseImage

_REPOSITORY = re.compile(
    r"sources\.list|apt-key|add-apt-repository|/etc/apt/(?!apt\.conf\.d/docker-clean)|/etc/yum\.repos\.d|/etc/apk/repositories|/usr/share/keyrings"
    r"|nodesource|deb\.[\w.-]+/setup|config-manager"
)
_DOWNLOADERS = tools(Does.DOWNLOADS, Does.REPOSITORIES) | {"tee", "dpkg", "rpm"}
_WITH_REPOSITORIES = frozenset({"rm", "bash", "sh", "sed", "cat", "mkdir", "chmod", "install", "lsb_release", "."})


def repository_steps(reading: StageReading) -> tuple[Step, ...]:
    """RUNs that add a package repository or its key."""
    found: list[Step] = []
    for step in reading.runs:
        text = step.node.argument
        if _REPOSITORY.search(text) is None:
            continue
        names = {(command.name or "").rpartition("/")[2] for command in step.commands}
        if not names & (_DOWNLOADERS | {"echo", "printf", "sed", "bash", "sh"}) and ">" not in text:
            continue
        # A mirror put into sources.list by sed changes where packages come from, not which there are.
        moved = {"sed", "cp", "cat", "mv", "rm"} | SILENT
        is_mirror = re.search(r"\bdeb(?:-src)?\s", text) is None and all(
            command.name in moved or is_system_call(step, command) for command in step.commands
        )
        if not is_mirror:
            found.append(step)
    return tuple(found)


def adds_repositories(reading: StageReading) -> bool:
    """A RUN adds a package repository to those of the base image."""
    return bool(repository_steps(reading))


def _why_not_apart(reading: StageReading, steps: Sequence[Step]) -> Refused | None:
    for step in steps:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if is_system_call(step, command) or name in _DOWNLOADERS | SILENT | _WITH_REPOSITORIES:
                continue
            line = reading.file.line_of(step.node)
            return Refused(
                f"line {line} sets up a package repository and also calls {name or command.words[:1]}",
                "move the repository and its packages into a RUN of their own",
            )
    return None


def repositories(
    reading: StageReading, runner: BaseImage | None, builder: str | None
) -> tuple[frozenset[Instruction], tuple[str, ...]] | Refused:
    """RUNs with a repository of their own that both stages have to run, and what the runner copies in their
    place.
    """
    steps = repository_steps(reading)
    if not steps:
        return frozenset(), ()
    reason = _why_not_apart(reading, steps)
    if reason is not None:
        return reason
    has = runner.preinstalled if runner is not None else frozenset[str]()
    if builder is not None and manager_of(reading) == "apt" and _is_same_release(reading, runner):
        # The same release on both sides: its lists of repositories and their keys are of use there as they
        # are. Most repositories speak TLS.
        text = "\n".join(step.node.argument for step in steps)
        certificates = install_text(reading, ("ca-certificates",), False)
        copies = [] if "ca-certificates" in has or isinstance(certificates, Refused) else [certificates]
        copies.append(f"COPY --from={builder} /etc/apt /etc/apt")
        if "/usr/share/keyrings" in text or re.search(r"\|\s*(?:sudo\s+(?:-E\s+)?)?(?:ba)?sh\b", text):
            copies.append(f"COPY --from={builder} /usr/share/keyrings /usr/share/keyrings")
        return frozenset(), tuple(copies)
    first = reading.position(steps[0].node)
    found = [
        step
        for step in reading.runs
        if step in steps or (reading.position(step.node) > first and is_package_step(step))
    ]
    wanted = [one for one in wanted_packages(reading) if one.step in found]
    if wanted and all(is_for_building(reading, one.name) for one in wanted):
        return frozenset(), ()
    brought = {one.name for one in wanted}
    for step in found:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if name not in _DOWNLOADERS - {"tee", "dpkg", "rpm"}:
                continue
            if provider(reading, name) not in has | brought and name not in has | brought:
                line = reading.file.line_of(step.node)
                return Refused(
                    f"line {line} sets up a package repository with {name}, which the runner's image does not have",
                    f"install {name} in the same RUN, or split by hand",
                )
    return frozenset(step.node for step in found), ()


def _is_same_release(reading: StageReading, runner: BaseImage | None) -> bool:
    image = reading.image
    return runner is None or (image is not None and (image.distro, image.release) == (runner.distro, runner.release))


__all__ = ["adds_repositories", "repositories", "repository_steps"]
