"""The author's USER, as the runner of a stage that is taken apart has to write it."""

from __future__ import annotations

from typing import NamedTuple

from refactor.ecosystems.bare import NONROOT
from refactor.ecosystems.program import Runner
from refactor.ecosystems.split import Role
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup
from refactor.syntax import Instruction


class UserLine(NamedTuple):
    lines: dict[Instruction, str]
    """The last USER with its text in the runner, where that is another one."""
    evidence: tuple[str, ...] = ()


def user_line(
    reading: StageReading, roles: dict[Instruction, Role], runner: Runner, last_build: int
) -> UserLine | Refused:
    """The last USER, where its name is one of the builder's image. Users that were set for the build alone become the
    builder's in ``roles``."""
    image, base = lookup(runner.image), reading.image
    node = _last_of_runner(reading, roles, runner, last_build)
    if node is None:
        return UserLine({})
    name, line = node.argument.partition(":")[0], reading.file.line_of(node)
    known = image.users if image is not None else {}
    if name.isdigit() or name == "root" or "$" in name or name in known:
        return UserLine({})
    if not runner.has_shell:
        made = f"the user {name} of line {line} is made by a RUN, which {runner.image} cannot do"
        return UserLine({node: f"USER {NONROOT}"}, (f"{made}: {NONROOT} takes its place",))
    if reading.why_no_new_user is not None:
        return UserLine({})
    if base is None or name not in base.users:
        because = f"the user {name} of line {line} is none that {runner.image} has"
        return Refused(because, "make it in a RUN, with fixed numbers")
    uid, gid = base.users[name]
    why = f"{name} is a user of {base.reference} alone: the runner has it by its numbers"
    return UserLine({node: f"USER {uid}:{gid}"}, (why,))


def _last_of_runner(
    reading: StageReading, roles: dict[Instruction, Role], runner: Runner, last_build: int
) -> Instruction | None:
    image = lookup(runner.image)
    users = [step for step in reading.steps if step.keyword == "USER"]
    runs = [step for step in reading.runs if Role.RUNNER in roles.get(step.node, Role.BUILDER)]
    for step in users:
        position, is_last = reading.position(step.node), step is users[-1]
        is_root = step.node.argument.partition(":")[0] in {"root", "0"}
        if position > last_build or any(reading.position(run.node) > position for run in runs):
            continue
        if not is_last or (is_root and image is not None and image.default_user in {"root", "0", ""}):
            roles[step.node] = Role.BUILDER
    return None if not users or roles.get(users[-1].node) == Role.BUILDER else users[-1].node


__all__ = ["UserLine", "user_line"]
