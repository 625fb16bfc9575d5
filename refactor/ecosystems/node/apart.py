"""What a source edit repeats in a Node stage without need: pruning behind the build."""

from __future__ import annotations

from collections.abc import Iterator

from refactor.context import Unknown
from refactor.ecosystems.answers import Pruned
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.installing import is_production, node_env
from refactor.ecosystems.node.layout import Layout, below
from refactor.ecosystems.node.manifests import reads, without_scripts
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, Programs, Ran, folder_of_call
from refactor.ecosystems.node.projects import LOCKFILES, Project, members, projects
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Refused, StageReading, Step, join

_QUIET_CALLS = words("cache clean config set audit ls list run exec start test version --version why outdated")
"""What package managers do without a change of installed packages."""
_CHANGES = words("chown chmod mv cp ln rm find sed")
"""Programs that may change installed packages by their folder's name."""
_INTO_PACKAGES = words("patch-package zenstack ts-patch electron-rebuild node-gyp node-pre-gyp prebuild-install")
"""Programs that write into node_modules, or into a package that is installed (their documentation)."""


def pruned(reading: StageReading) -> Pruned | tuple[Step, Refused] | None:
    """See :meth:`Ecosystem.pruned`."""
    if not any(call.manager in MANAGERS for _, call in reading.calls):
        return None
    layout = Layout.of(reading)
    found = _reduction(reading, layout)
    if found is None:
        return None
    project, reduction = found
    step = reduction.step
    first, last = reading.position(project.step.node), reading.position(step.node)
    sources = next((copied.node for copied in reading.copies if first < reading.position(copied.node) < last), None)
    if sources is None:
        return None
    if reading.context.why_unknown is not None:
        return step, Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    others = members(reading.context, project.package)
    if isinstance(others, Unknown):
        return step, Refused(f"the workspace's members are not known: {others.reason}")
    homes = [project.folder, *(join(project.folder, one.folder[len(project.source) :].lstrip("/")) for one in others)]
    for home in homes:
        path = layout.source(join(home, "node_modules"), step.node)
        if path is not None:
            return step, Refused(f"{path} of the build context is copied over what was installed", "ignore it")
    answer = reads(layout, without_scripts(reduction))
    if isinstance(answer, Refused):
        return step, answer
    for path in answer.manifests:
        if not reading.in_image(path, sources):
            return step, Refused(f"{path} decides on the packages, and is copied after the install", "copy it before")
    folders = tuple(join(home, "node_modules") for home in homes)
    reason = _why_not_manifests_alone(layout, project, reduction, folders, reading.position(sources))
    if reason is not None:
        return step, reason
    return Pruned(
        sources,
        step,
        reduction.command,
        folders,
        (f"`{reduction.call.program} {reduction.call.verb}` reads only {', '.join(answer.manifests)}",),
    )


def _reduction(reading: StageReading, layout: Layout) -> tuple[Project, Project] | None:
    """An install with development dependencies, and the last call after it that takes those away again."""
    installs = projects(reading)
    for step, call in reversed(reading.calls):
        if call.manager not in MANAGERS or call.action not in {"prune", *INSTALLING} or call.packages:
            continue
        if call.manager == "bun":
            # It has no `prune`, and its install takes nothing away.
            continue
        here = step.folder_of(call.command)
        unit = None if here is None else layout.unit(folder_of_call(call, here), step.node)
        if unit is None:
            continue
        reduction = Project(step, call.command, call, unit, call.manager)
        if call.action != "prune" and not is_production(reduction, node_env(reading, reduction)):
            continue
        whole = [one for one in installs if one.folder == unit.folder and one.call.command is not call.command]
        whole = [one for one in whole if reading.position(one.step.node) < reading.position(step.node)]
        if whole and not is_production(whole[-1], node_env(reading, whole[-1])):
            return whole[-1], reduction
    return None


def _why_not_manifests_alone(
    layout: Layout, project: Project, reduction: Project, folders: tuple[str, ...], since: int
) -> Refused | None:
    """Why the packages that are left depend on more than the manifests."""
    reading = layout.reading
    if reduction.call.action != "prune" and "--ignore-scripts" not in reduction.call.flags:
        for name in reduction.package.install_scripts:
            return Refused(f"`{name}` of {reduction.package.path} runs at the second install, and may read the sources")
    manifests = {join(project.folder, name) for name in ("package.json", *LOCKFILES.get(project.manager, ()))}
    for step in reading.steps[since:]:
        for ran in _programs(layout, step, reduction):
            reason = _why_changed(layout, ran, folders, manifests)
            if reason is not None:
                return Refused(f"{ran.shown} {reason}, so the packages depend on what is built", "prune by hand")
            if reading.position(step.node) > reading.position(reduction.step.node) and build_of(layout, ran):
                return Refused(f"{ran.shown} runs after the packages were pruned")
    return None


def _programs(layout: Layout, step: Step, reduction: Project) -> Iterator[Ran]:
    if step.keyword == "RUN" and (step.script is None or step.script.opaque is not None):
        yield Ran("?", (step.node.argument[:40],), step.workdir, ())
        return
    for command, ran in Programs(layout, step.node).of_step(step):
        if command is not reduction.command:
            yield ran


def _why_changed(layout: Layout, ran: Ran, folders: tuple[str, ...], manifests: set[str]) -> str | None:
    """What a program may do to installed packages or to the manifests; None where it is known to do nothing."""
    manager, _, verb = ran.program.partition(" ")
    if manager in MANAGERS and verb and ran.program != "bun build":
        return None if verb in _QUIET_CALLS else "may change packages"
    if ran.program in _INTO_PACKAGES:
        return "writes into node_modules"
    if ran.program in _CHANGES:
        for word in ran.args:
            path = join(ran.folder, word.split("*")[0])
            if not word.startswith("-") and any(below(one, path) is not None for one in folders):
                return f"works on {path}"
    built = build_of(layout, ran)
    if built is None:
        return None
    if built.outputs is None:
        return f"may write into node_modules ({built.why_unknown})"
    if ran.program == "prisma" and not built.outputs:
        return "generates a client into node_modules"
    for path in built.outputs:
        if path in manifests or any(below(path, one) is not None for one in folders):
            return f"writes {path}"
    return None


__all__ = ["pruned"]
