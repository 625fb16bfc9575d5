"""Which of a stage's instructions the builder keeps, and which the runner."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.keeping import Keep
from refactor.ecosystems.node.layout import below
from refactor.ecosystems.node.programs import MANAGERS
from refactor.ecosystems.node.steps import FETCHES, FILES, QUIET
from refactor.ecosystems.split import Role
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, RunnerPackages, is_set_up, narrow, system_role
from refactor.flow.reading import Refused, Step, join
from refactor.shell import Command
from refactor.syntax import Instruction

_SCRATCH = (
    "/tmp/",
    "/var/tmp/",
    "/root/.npm",
    "/root/.cache",
    "/dev/",
    "/usr/local/share/.cache",
    "/var/cache",
    "/var/lib/apt",
)
_SYSTEM_PATHS = ("/etc", "/usr", "/lib", "/bin", "/opt", "/sbin", "/srv", "/home")
_NOT_ON_ALPINE = frozenset({"useradd", "groupadd", "usermod", "groupmod", "apt-get", "apt", "dpkg", "locale-gen"})


def roles_of(case: Case, kept: Keep, packages: RunnerPackages) -> dict[Instruction, Role] | Refused:
    """The role of every RUN, COPY and ADD; or the first whose purpose is not known."""
    roles: dict[Instruction, Role] = dict(packages.roles)
    _drop_runtime_only(case, roles, packages.dropped)
    for step in case.reading.steps:
        if step.node in roles or step.keyword not in {"RUN", "COPY", "ADD"}:
            continue
        if step.keyword == "RUN":
            role = _run_role(case, step, kept, packages.shared)
            if isinstance(role, Refused):
                return role
        else:
            role = _copy_role(case, step, kept)
        roles[step.node] = role
    roles = narrow(case.reading, roles)
    return _why_not_there(case, roles) or roles


def _why_not_there(case: Case, roles: Mapping[Instruction, Role]) -> Refused | None:
    """A RUN of the runner that the wished image cannot execute."""
    for step in case.reading.runs:
        if Role.RUNNER not in roles.get(step.node, Role.DROPPED):
            continue
        line = case.reading.file.line_of(step.node)
        if case.wish == "distroless":
            return Refused(
                f"the runner needs the RUN on line {line}, and distroless has no shell", 'use runner = "slim"'
            )
        if case.wish == "alpine" and case.image.distro != "alpine":
            names = sorted({(command.name or "").rpartition("/")[2] for command in step.commands} & _NOT_ON_ALPINE)
            if names:
                return Refused(
                    f"Alpine has no {names[0]}, which the runner needs on line {line}", 'use runner = "slim"'
                )
    return None


def _drop_runtime_only(case: Case, roles: dict[Instruction, Role], dropped: Sequence[str]) -> None:
    """A RUN whose packages all are for the program alone is not needed in the builder."""
    waiting: list[Instruction] = []
    for step in case.reading.runs:
        if roles.get(step.node) != Role.BUILDER:
            continue
        names = [
            word.literal
            for call in step.calls
            if call.manager in SYSTEM_MANAGERS and call.action == "install"
            for word in call.packages
        ]
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


def _run_role(case: Case, step: Step, kept: Keep, shared: Mapping[Instruction, tuple[Command, ...]]) -> Role | Refused:
    role = system_role(step)
    if role is not None:
        return Role.BUILDER if role == Role.BOTH and _is_copied_along(case, step, kept) else role
    line = case.reading.file.line_of(step.node)
    script = step.script
    if script is None or script.opaque is not None:
        why = script.opaque if script is not None else "it has a heredoc"
        return Refused(f"what line {line} does is not known: {why}", "write the RUN as a plain list of commands")
    result = Role.DROPPED
    for command in shared.get(step.node, step.commands):
        one = _command_role(case, step, command, kept, line)
        if isinstance(one, Refused):
            return one
        result |= one
    if Role.BOTH in result and is_global_only(case, step):
        # Cleaning the cache belongs to the install that it follows.
        return Role.BOTH if _installs_for_build(case, step) else Role.RUNNER
    if Role.BOTH in result:
        return Refused(
            f"line {line} builds and also prepares what is needed at run time", "put each into a RUN of its own"
        )
    return result if result else Role.BUILDER


def _is_copied_along(case: Case, step: Step, kept: Keep) -> bool:
    """Permissions of the application's own files: the copies into the runner have them already, and a second layer
    with all files in it would double the image."""
    for command in step.commands:
        if command.name not in {"chown", "chmod"} or (command.name == "chown" and not owner_of(case)):
            return False
        operands = [arg for arg in command.args if not arg.startswith("-")][1:]
        if not operands or not all(kept.is_inside(join(step.workdir, path)) for path in operands):
            return False
    return bool(step.commands)


def _command_role(case: Case, step: Step, command: Command, kept: Keep, line: int) -> Role | Refused:
    for own, other, names in case.kind.globals:
        if own is step and other is command:
            return _global_role(case, names)
    call = next((call for call in step.calls if call.command is command), None)
    if call is not None and call.manager == "corepack":
        return Role.BOTH if case.starts_through("yarn") and call.action == "enable" else Role.BUILDER
    if call is not None and call.manager in MANAGERS:
        return Role.BUILDER
    name = (command.name or "").rpartition("/")[2]
    if name == "rm" and not any(arg.startswith(_SYSTEM_PATHS) for arg in command.args):
        return Role.BUILDER
    if name in FETCHES and not _is_fetched_into(step, command, kept):
        return Refused(
            f"what `{name}` on line {line} brings into the image is not known", "copy it from a stage of its own"
        )
    outside = [path for path in _paths(step, command) if not kept.is_inside(path) and not path.startswith(_SCRATCH)]
    if outside and name not in QUIET:
        if is_set_up(command):
            return Role.BOTH
        return Refused(
            f"line {line} writes to {outside[0]}, outside of the application's folder",
            "say by hand what the runner needs of it",
        )
    return Role.BUILDER


def _paths(step: Step, command: Command) -> Iterator[str]:
    """Absolute paths that a command writes to, as far as they are literal."""
    folder = step.folder_of(command) or step.workdir
    name = (command.name or "").rpartition("/")[2]
    for redirect in command.redirects:
        target = re.match(r"\d*(?:>>?|&>)\|?\s*['\"]?([^&'\"\s]+)", redirect)
        if target is not None:
            yield join(folder, target[1])
    operands = [arg for arg in command.args if not arg.startswith("-")]
    if name in {"cp", "mv", "ln", "rsync", "install"}:
        yield from (join(folder, operand) for operand in (operands if name == "mv" else operands[-1:]))
    elif name in {"curl", "wget", "tar", "unzip"}:
        for at, word in enumerate(command.args[:-1]):
            if word in {"-o", "-O", "--output", "-C", "-d", "--directory", "-P"}:
                yield join(folder, command.args[at + 1])
    elif name in FILES:
        yield from (operand for operand in operands if operand.startswith("/"))


def _is_fetched_into(step: Step, command: Command, kept: Keep) -> bool:
    """A download whose target is named and lies in the application's folder, or nowhere that lasts."""
    if command.name == "git":
        return command.args[:1] in (("config",), ("init",), ("submodule",))
    paths = list(_paths(step, command))
    return bool(paths) and all(path.startswith(_SCRATCH) or (kept.whole and kept.is_inside(path)) for path in paths)


def _global_role(case: Case, names: tuple[str, ...]) -> Role:
    """Where packages for the whole image go: to the stages that call their commands."""
    used = {ran.program for ran in case.start.all} | {ran.program.split(" ")[0] for ran in case.start.all}
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


def _installs_for_build(case: Case, step: Step) -> bool:
    return any(Role.BUILDER in _global_role(case, names) for own, _, names in case.kind.globals if own is step)


def is_global_only(case: Case, step: Step) -> bool:
    return all(
        any(command is other for _, other, _ in case.kind.globals)
        or command.name in QUIET
        or any(call.command is command and call.action in {"clean", "config", "set"} for call in step.calls)
        for command in step.commands
    )


def _copy_role(case: Case, step: Step, kept: Keep) -> Role:
    node = step.node
    if node.heredocs or node.destination is None:
        return Role.BOTH
    target = join(step.workdir, case.reading.file.expand(node.destination, node) or node.destination)
    if node.flag("from") is not None:
        return Role.BUILDER if kept.whole and kept.is_inside(target) else Role.BOTH
    copied = [one for one in case.reading.copies if one.node is node]
    return Role.BUILDER if copied and all(kept.covers(one.target) for one in copied) else Role.BOTH


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
