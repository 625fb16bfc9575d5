"""Where the lines go that make a container run as a user.

A RUN that makes folders the user's stands above the copy of the sources, so that an edit does not repeat it.
A COPY onto a folder that is there keeps that folder's owner and mode: BuildKit's fsutil writes those of the copied
folder only where it made the target, but always to the folders below it (``copy.go``, ``overwriteTargetMetadata``).
``--link`` makes the target in a layer of its own, whose folders may win.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple

from refactor.flow.between import brings_sources
from refactor.flow.ownership import Ownership
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.images import BaseImage
from refactor.shell import package_call
from refactor.syntax import Instruction

_UID = 10001
"""Fixed, so that volumes keep their owner from build to build; above the range that distributions hand out."""
_BUILT_IN = {"node": "node", "bun": "bun", "dotnet": "app", "deno": "deno"}
_OF_NO_MEANING = frozenset("ARG CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL MAINTAINER STOPSIGNAL VOLUME".split())
_RUNS_PROGRAMS = r"(?:node|nodejs|python[\d.]*|flask|django-admin)"
"""What runs a file of the sources: it may make folders, but changes no owner."""


def above_sources(reading: StageReading, plan: Ownership, end: Instruction | None) -> Instruction | None:
    """The copy of sources in front of which the plan's RUN means the same as in front of ``end`` (None: at the end of
    the stage); None where it has to stay. The highest one, where sources come in several copies."""
    if plan.deep or any(path != reading.final_workdir for path in plan.flat):
        return None  # files get an owner, which the copy brings
    steps = reading.steps if end is None else reading.steps[: reading.position(end)]
    found = None
    for step in reversed(steps):
        if not _passes(reading, step, plan):
            break
        if brings_sources(reading, step.node):
            found = step.node
    return found


def _passes(reading: StageReading, step: Step, plan: Ownership) -> bool:
    """Whether the RUN may change places with a step in front of it."""
    if step.keyword in _OF_NO_MEANING:
        return True
    if step.keyword == "WORKDIR":
        folder = reading.expand(step.node.argument, step.node)
        return folder is not None and not any(is_within(join(step.workdir, folder), path) for path in plan.flat)
    if step.keyword == "RUN":
        return _is_run_apart(step, plan)
    return step.keyword in {"COPY", "ADD"} and all(
        _keeps_owner(reading, step, path) for path in (*plan.made, *plan.flat)
    )


def _is_run_apart(step: Step, plan: Ownership) -> bool:
    """Neither removes a folder or gives it an owner, nor would end where the folder is there already."""
    script = step.script
    if script is None or script.opaque is not None or not script.commands:
        return False
    calls = [(command, package_call(command)) for command in script.commands]
    if plan.made and any(call is None or call.script is not None for _, call in calls):
        return False
    return all(
        call is not None or re.fullmatch(_RUNS_PROGRAMS, posixpath.basename(command.name or ""))
        for command, call in calls
    )


def _keeps_owner(reading: StageReading, step: Step, path: str) -> bool:
    """Whether a folder that is there has the same owner behind a COPY or ADD."""
    node = step.node
    written = None if node.destination is None else reading.expand(node.destination, node)
    if written is None:
        return False
    target = join(step.workdir, written)
    if not is_within(path, target) and not is_within(target, path):
        return True
    if node.flag("link") is not None or node.flag("parents") is not None or node.heredocs:
        return False
    if not is_within(path, target):
        return True
    if node.flag("from") is not None:
        return path == target
    copied = reading.copied_by(node)
    return (
        len(copied) >= len(node.sources)
        and all(
            # An archive is unpacked by ADD, and what comes from an address is not known.
            one.is_folder or node.keyword == "COPY" or not is_within(path, one.target)
            for one in copied
        )
        and (
            path == target
            or _is_missing(
                reading,
                [posixpath.join(one.source, posixpath.relpath(path, one.target)) for one in copied if one.is_folder],
            )
        )
    )


def _is_missing(reading: StageReading, paths: Sequence[str]) -> bool:
    return all(reading.context.exists(path) is False for path in paths)


def first_volume(reading: StageReading, folders: tuple[str, ...]) -> Instruction | None:
    """The first VOLUME that declares a folder the program writes to."""
    for step in reading.steps:
        if step.keyword == "VOLUME" and any(is_within(folder, path) for path in step.node.words for folder in folders):
            return step.node
    return None


def head_anchor(reading: StageReading) -> Instruction:
    """After which instruction the user is made: early, where source edits do not repeat it."""
    anchor = reading.stage.from_
    for step in reading.steps:
        if step.keyword == "RUN" and step.calls and all(call.manager in {"apt", "apk", "dnf"} for call in step.calls):
            anchor = step.node
        elif step.keyword not in {"ARG", "LABEL", "ENV", "SHELL"}:
            break
        elif anchor is not reading.stage.from_ or step.keyword in {"SHELL"}:
            anchor = step.node
    return anchor


def user_in(image: BaseImage | None) -> tuple[str, str | None, tuple[str, ...]]:
    """The USER argument, the RUN that makes the user (None where the base image has one for programs, or is not in the
    catalogue: numbers need no entry in /etc/passwd), and the names that chown knows it by."""
    if image is None:
        return f"{_UID}:{_UID}", None, ()
    name = _BUILT_IN.get(image.family) or ("nonroot" if image.family == "distroless" else "")
    if name in image.users:
        return "{}:{}".format(*image.users[name]), None, (f"{name}:{name}", name)
    if not image.has_useradd:
        return f"{_UID}:{_UID}", None, ()
    if image.distro == "alpine" or image.family == "busybox":
        creation = f"addgroup -S -g {_UID} app \\\n    && adduser -S -D -H -u {_UID} -G app app"
    else:
        creation = f"groupadd -r -g {_UID} app \\\n    && useradd --no-log-init -r -u {_UID} -g app app"
    return f"{_UID}:{_UID}", creation, ("app:app",)


class Prepared(NamedTuple):
    """How folders of an image without a shell become the user's: a stage that it copies from makes an empty one."""

    builder: StageReading
    name: str
    """What ``COPY --from=`` calls the stage."""
    folders: tuple[str, ...]
    """Absolute paths in the image, the outer ones first."""
    copies: tuple[Instruction, ...]
    """COPYs of single files that get an owner."""


def prepared_elsewhere(reading: StageReading, plan: Ownership) -> Prepared | None:
    """The stage and the folders; None where files would have to change their owner, or no stage can make a folder."""
    files = [path for path in plan.flat if path != reading.final_workdir]
    copies = {target: node for node, target in reading.targets.items()
              if node.keyword == "COPY" and len(node.sources) == 1}  # fmt: skip
    if plan.deep or plan.kept or any(path not in copies for path in files):
        return None
    for step, origin in reversed(reading.copies_of_stages):
        has_shell = any(run.node.json is None for run in origin.runs)
        if has_shell and (origin.final_user or "root").partition(":")[0] in {"root", "0"}:
            folders = tuple(sorted({*plan.made, *plan.flat} - {*files}))
            return Prepared(origin, step.node.flag("from") or "", folders, tuple(copies[path] for path in files))
    return None


def place_of_user(reading: StageReading, fillers: tuple[Instruction, ...]) -> Instruction | Refused | None:
    """The first CMD, ENTRYPOINT or HEALTHCHECK after everything that still has to run as root; the first RUN of the
    program itself where nothing else follows, so that what it makes is the user's."""
    steps = reading.steps
    work = [step for step in steps if step.keyword in {"RUN", "COPY", "ADD", "WORKDIR", "VOLUME"}]
    if fillers:
        first = next(index for index, step in enumerate(work) if step.node in fillers)
        other = next((step for step in work[first:] if step.node not in fillers), None)
        if other is not None:
            line, later = reading.file.line_of(fillers[0]), reading.file.line_of(other.node)
            return Refused(
                f"the RUN on line {line} makes files that the program changes later, and line {later} still needs root",
                f"move the RUN on line {line} behind it",
            )
        return fillers[0]
    following = steps[reading.position(work[-1].node) + 1 :] if work else steps
    return next((step.node for step in following if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}), None)


__all__ = ["Prepared", "above_sources", "first_volume", "head_anchor", "place_of_user", "prepared_elsewhere", "user_in"]
