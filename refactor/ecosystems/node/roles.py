"""Programs that a Node stage installs for the whole image, and system packages: which of its stages gets them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.layout import below
from refactor.ecosystems.split import Role
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, SILENT, RunnerPackages
from refactor.flow.reading import Refused, Step, join
from refactor.shell import Command
from refactor.syntax import Instruction


def roles_of(case: Case, roles: dict[Instruction, Role], packages: RunnerPackages) -> dict[Instruction, Role] | Refused:
    """See :meth:`Language.roles`."""
    _drop_runtime_only(case, roles, packages.dropped)
    for step in case.reading.runs:
        role = _tool_role(case, step)
        line = case.reading.file.line_of(step.node)
        if role is None or role == Role.BUILDER:
            continue
        if not _is_tools_only(case, step, packages.shared.get(step.node, step.commands)):
            return Refused(
                f"line {line} builds and also prepares what is needed at run time", "put each into a RUN of its own"
            )
        names = [name for own, _, found in case.kind.globals if own is step for name in found]
        if any(re.match(r"[./~$]|.*\.tgz$", name) for name in names):
            return Refused(f"line {line} installs a program from a file, which the runner would not have")
        roles[step.node] = role
    return roles


def _tool_role(case: Case, step: Step) -> Role | None:
    """Where the programs go that a RUN installs for the whole image; None where it installs none."""
    found = [_global_role(case, names) for own, _, names in case.kind.globals if own is step]
    for call in step.calls:
        if call.manager == "corepack":
            found.append(Role.BOTH if case.starts_through("yarn") and call.action == "enable" else Role.BUILDER)
    if not found:
        return None
    role = Role.DROPPED
    for one in found:
        role |= one
    return role


def _global_role(case: Case, names: Sequence[str]) -> Role:
    """Where packages for the whole image go: to the stages that call their commands."""
    used = {
        word for ran in (case.started.all if case.started else ()) for word in (ran.program, ran.program.split(" ")[0])
    }
    for step in case.reading.steps:
        if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}:
            used |= set(re.findall(r"[\w-]+", step.node.argument))
    for name in names:
        bare = re.sub(r"(?<=.)@[^/]*$", "", name).rpartition("/")[2]
        commands = {bare, bare.removesuffix("-cli")} | ({"pm2-runtime", "pm2-docker"} if bare == "pm2" else set())
        if commands & used and (bare != "npm" or case.starts_through("npm")):
            return Role.BOTH if commands & _called_by_build(case) else Role.RUNNER
    return Role.BUILDER


def _called_by_build(case: Case) -> set[str]:
    """Programs that the RUNs of the stage call, and the managers that install with."""
    called = {built.ran.program for _, _, built in case.kind.builds}
    called |= {word for _, _, built in case.kind.builds for via in built.ran.via for word in via.split()[:1]}
    return called | {project.manager for project in case.projects}


def _is_tools_only(case: Case, step: Step, commands: Sequence[Command]) -> bool:
    own = {id(command) for found, command, _ in case.kind.globals if found is step}
    own |= {id(call.command) for call in step.calls
            if call.manager == "corepack" or call.action in {"clean", "config", "set"}}  # fmt: skip
    return all(id(command) in own or command.name in SILENT | {"cd", "export"} for command in commands)


def _drop_runtime_only(case: Case, roles: dict[Instruction, Role], dropped: Sequence[str]) -> None:
    """A RUN whose packages all are for the program alone is not needed in the builder."""
    waiting: list[Instruction] = []
    for step in case.reading.runs:
        calls = [call for call in step.calls if call.manager in SYSTEM_MANAGERS]
        if roles.get(step.node) != Role.BUILDER or not calls or len(calls) < len(step.calls):
            continue
        names = [word.literal for call in calls if call.action == "install" for word in call.packages]
        if not names:
            waiting.append(step.node)
            continue
        bare = {re.split(r"[=:/]", name)[0] for name in names}
        if not bare & set(dropped) and not _is_called_by_build(case, step, bare):
            for node in (*waiting, step.node):
                roles[node] = Role.DROPPED
        waiting = []
    if waiting and any(roles.get(step.node) == Role.DROPPED for step in case.reading.runs):
        for node in waiting:
            roles[node] = Role.DROPPED


def _is_called_by_build(case: Case, own: Step, packages: set[str]) -> bool:
    if "git" in packages or any(name.startswith("lib") for name in packages):
        return True
    texts = [step.node.argument for step in case.reading.runs if step is not own]
    text = " ".join([*texts, *(built.ran.text for _, _, built in case.kind.builds)])
    return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in packages)


def owner_of(case: Case) -> str:
    """Who the author gave the application to, as ``--chown`` takes it; "" for root."""
    reading = case.reading
    for copied in reversed(reading.copies):
        value = copied.node.flag("chown")
        if value:
            return value
    last_copy = max((reading.position(copied.node) for copied in reading.copies), default=-1)
    for step in reversed(reading.steps):
        if step.keyword != "RUN" or reading.position(step.node) < last_copy:
            continue
        for command in step.commands:
            operands = [arg for arg in command.args if not arg.startswith("-")]
            is_deep = command.name == "chown" and {"-R", "--recursive"} & set(command.args) and len(operands) == 2
            if is_deep and below(reading.final_workdir, join(step.workdir, operands[1])) is not None:
                return operands[0]
    steps = [step for step, _, _ in case.kind.builds] or list(reading.runs)
    user = steps[-1].user if steps else None
    if not user or user.split(":")[0] in {"root", "0"}:
        return ""
    return "node:node" if user == "node" else user


__all__ = ["owner_of", "roles_of"]
