"""How development dependencies are left out of what a builder hands on, and what of that a source edit repeats."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.ecosystems.answers import Behind, Pruned
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.installing import reads, why_program_needs_dev
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.layout import Layout, below
from refactor.ecosystems.node.native import judge
from refactor.ecosystems.node.needs import program, started
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, Programs, Ran, folder_of_call
from refactor.ecosystems.node.projects import MANAGER, Project, projects, why_not_frozen
from refactor.ecosystems.node.splitting import Case
from refactor.ecosystems.system import build_only
from refactor.flow.closure import named
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.images import lookup


class Pruning(NamedTuple):
    """What takes development dependencies away, or installs without them."""

    command: str = ""
    """Shell text for the end of the builder, "" for none."""
    project: Project | None = None
    """Whose folder it works in."""
    installs: tuple[str, ...] = ()
    """Instructions that install production dependencies in the runner instead."""

    def written(self, workdir: str) -> str:
        """The command as it reads in that working folder."""
        if self.project is None or self.project.folder == workdir:
            return self.command
        name, _, rest = self.command.partition(" ")
        return f"{name} {MANAGER[self.project.manager].folder} {self.project.folder} {rest}"


WHOLE = Pruning()
"""node_modules goes along as it is."""


def prune(case: Case, project: Project, needs_dev: str | None, runner: str, *, is_whole: bool) -> Pruning:
    """How the packages of the started project become production dependencies; says why where they stay whole.

    ``is_whole``: the application's folder is copied with the packages in it.
    """
    if any(other.is_production for other in case.projects if other.folder == project.folder):
        return WHOLE
    if any(call.action == "prune" for _, call in case.reading.calls):
        return WHOLE
    if not any(manifest.dev_dependencies for manifest in project.manifests):
        case.say.append(f"{project.package.path} has no development dependencies to leave out")
        return WHOLE
    if needs_dev is None and any(call.has("--no-save") and call.packages for _, call in case.reading.calls):
        needs_dev = "packages are installed with --no-save, which pruning would remove"
    found = needs_dev or _by_manager(case, project, None if is_whole else runner)
    if isinstance(found, Pruning):
        return found
    case.say.append(f"node_modules is kept whole: {found}")
    return WHOLE


def _by_manager(case: Case, project: Project, runner: str | None) -> Pruning | str:
    """How its manager leaves them out afterwards; or why it cannot."""
    manager, has_lock = project.manager, project.lock_path is not None
    generates = "@prisma/client" in project.package.wanted or any(
        built.ran.program == "prisma" for _, _, built in case.kind.builds
    )
    if manager == "yarn" and project.lock is not None and project.lock.is_berry:
        settings = case.context.read(project.unit.file(".yarnrc.yml"))
        version = re.match(r"yarn@(\d+)", project.package.package_manager or "")
        has_focus = isinstance(settings, str) and "plugin-workspace-tools" in settings
        if has_focus or (version is not None and int(version[1]) >= 4):
            return Pruning("yarn workspaces focus --all --production", project)
        return "this Yarn has no `workspaces focus`"
    if manager == "npm" or (manager == "pnpm" and not generates and not project.members):
        return _by_command(project)
    inside = _in_runner(case, project, runner) if has_lock and not generates and manager != "pnpm" else None
    if inside is not None:
        name = {"yarn": "Yarn 1", "bun": "Bun"}[manager]
        case.say.append(f"{name} cannot prune: production dependencies are installed in the runner, beside the builder")
        return Pruning(installs=inside)
    if manager == "yarn" and has_lock and not generates:
        return _by_command(project)
    what = "a workspace" if project.members else "an install without a lockfile"
    what = "a generated Prisma client" if generates else what
    return f"{manager} cannot leave development dependencies out of {what} afterwards"


def _by_command(project: Project) -> Pruning:
    """What npm, pnpm or Yarn 1 take development dependencies away with, once they are installed."""
    if project.manager == "npm":
        old = project.npm is not None and project.npm < 7
        flags = [flag for flag in ("--legacy-peer-deps", "--force") if project.call.has(flag)]
        return Pruning(" ".join(("npm prune", "--production" if old else "--omit=dev", *flags)), project)
    if project.manager == "pnpm":
        return Pruning("pnpm prune --prod", project)
    # Yarn's own replacement for `yarn prune`; built files of kept packages stay.
    return Pruning("yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline", project)


def _in_runner(case: Case, project: Project, runner: str | None) -> tuple[str, ...] | None:
    """A second install beside the builder: it is cached as long as the manifests stay. None where it may differ."""
    image, manager, lock, call = lookup(runner or ""), project.manager, project.lock, project.call
    if lock is None or project.members or image is None or not image.has_shell or manager not in image.preinstalled:
        return None
    judged = judge(case.context, lock, project.package, production=False)
    # Bun's images have the same packages, so that what installs in one does in the other.
    is_same = manager == "bun" and not build_only(case.reading)
    is_free = is_same or not (judged.compiled or judged.unknown)
    is_alone = not project.package.install_scripts and not project.package.local_dependencies
    is_plain = not project.step.node.flags and not project.command.is_conditional
    uses_git = any(re.search(r"\Agit|\.git#", one.resolved or "") for one in lock.packages)
    found = reads(project) if is_free and is_alone and is_plain and not uses_git else Refused("")
    if isinstance(found, Refused) or isinstance(why_not_frozen(project), Refused):
        return None
    beside = [posixpath.dirname(path) == project.unit.source for path in found]
    if not all(beside) or any(case.context.is_dir(path) is True for path in found):
        return None
    if project.folder != case.reading.final_workdir:
        return None
    flags = [flag for flag in call.flags if flag.startswith(("--network-", "--registry=", "--ignore-engines"))]
    timeout = f"--network-timeout {call.option('--network-timeout')}"
    flags = [timeout if flag == "--network-timeout" else flag for flag in flags]
    install = " ".join((f"RUN {manager} install --frozen-lockfile --production", *flags))
    return f"COPY {' '.join(found)} ./", install + (" && yarn cache clean" if manager == "yarn" else "")


# A stage whose packages another one copies


def handed_on(reading: StageReading) -> Sequence[Behind | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.handed_on`: the final stage copies node_modules as the build needed them."""
    final = StageReading.of(reading.file, reading.file.stages[-1], reading.context)
    if reading.stage is final.stage or reading.context.why_unknown is not None:
        return ()
    actions = {call.action for _, call in reading.calls}
    if not {"run", "exec"} & actions or "prune" in actions:
        return ()
    if not any(origin.stage is reading.stage for _, origin in final.copies_of_stages):
        return ()
    return tuple(_handed_on(reading, final))


def _handed_on(reading: StageReading, final: StageReading) -> Iterator[Behind | tuple[Step, Refused]]:
    start, own = started(final), projects(reading)
    reduced = {one.folder for one in own if one.is_production}
    for project in own if start is not None else ():
        packages = f"{project.folder}/node_modules"
        copies = Layout.of(final).taken_from(reading.stage)
        taken = next((node for node, source in copies if source == packages), None)
        if start is None or taken is None or project.folder in reduced or not project.package.dev_dependencies:
            continue
        last = [step for step in reading.steps if step.keyword in {"RUN", "COPY", "ADD"}][-1]
        why = _why_others(reading, final) or why_program_needs_dev(project, final)
        command = why or _why_other_user(reading, project.step, last) or _command(project)
        if isinstance(command, Refused):
            yield project.step, command
            continue
        files = program(final)
        read = "" if isinstance(files, Refused) else f"; read: {named(files)}"
        told = f"line {final.file.line_of(taken)} copies {packages}, development dependencies included"
        yield Behind(last, f"RUN {command}", (told, f"{start.runs[-1].shown} needs none of them{read}"))


def _why_others(reading: StageReading, final: StageReading) -> Refused | None:
    """Who else has the packages of the stage."""
    file, context = reading.file, reading.context
    if reading.stage.name and reading.stage.name in context.deployment.targets:
        return Refused(f"{context.deployment.named_by('target')} builds the stage {reading.stage.name} by name")
    for stage in file.stages:
        other = StageReading.of(file, stage, context)
        takes = other.parent is reading.stage or any(one.stage is reading.stage for _, one in other.copies_of_stages)
        if takes and stage.index not in {reading.stage.index, final.stage.index}:
            name = stage.name or f"on line {file.line_of(stage.from_)}"
            return Refused(f"the stage {name} has its packages from this one, and may need all of them")
    return None


def _why_other_user(reading: StageReading, install: Step, last: Step) -> Refused | None:
    """Packages belong to the one who installs them."""
    before, after = ((step.user or "root").partition(":")[0] for step in (install, last))
    if before == after:
        return None
    line = reading.file.line_of
    because = f"line {line(last.node)} builds as {after}, and line {line(install.node)} installs as {before}"
    return Refused(because, "install and build as the same user")


def _command(project: Project) -> str | Refused:
    """What takes development dependencies away."""
    manager, lock = project.manager, project.lock
    if project.members:
        return Refused("the project is a workspace, of which packages cannot be taken away afterwards")
    if lock is None:
        return Refused(f"no lockfile of {manager} says which packages remain", "add the lockfile")
    if manager != "npm" and "@prisma/client" in project.package.wanted:
        because = f"{manager} would take the generated Prisma client away, too"
        return Refused(because, "generate it in a stage of its own")
    if manager == "bun" or (manager == "yarn" and (lock.is_berry or project.is_berry)):
        return Refused(f"{manager} takes no packages away afterwards")
    return _by_command(project).written(project.layout.reading.final_workdir)


# A stage that prunes behind its build


def pruned(reading: StageReading) -> Pruned | tuple[Step, Refused] | None:
    """See :meth:`Ecosystem.pruned`: what a source edit repeats without need."""
    found = _reduction(reading) if any(call.manager in MANAGERS for _, call in reading.calls) else None
    if found is None:
        return None
    project, reduction = found
    step, layout = reduction.step, project.layout
    first, last = reading.position(project.step.node), reading.position(step.node)
    sources = next((copied.node for copied in reading.copies if first < reading.position(copied.node) < last), None)
    if sources is None:
        return None
    if reading.context.why_unknown is not None:
        return step, Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    others, answer = project.members, reads(reduction.without_scripts())
    if isinstance(others, Refused):
        return step, others
    if isinstance(answer, Refused):
        return step, answer
    folders = tuple(
        join(home, "node_modules") for home in (project.folder, *(project.unit.place(one.folder) for one in others))
    )
    path = next((path for folder in folders if (path := layout.source(folder, step.node)) is not None), None)
    if path is not None:
        return step, Refused(f"{path} of the build context is copied over what was installed", "ignore it")
    path = next((path for path in answer if not reading.in_image(path, sources)), None)
    if path is not None:
        return step, Refused(f"{path} decides on the packages, and is copied after the install", "copy it before")
    reason = _why_not_manifests_alone(project, reduction, folders, reading.position(sources))
    if reason is not None:
        return step, reason
    told = f"`{reduction.call.program} {reduction.call.verb}` reads only {', '.join(answer)}"
    return Pruned(sources, step, reduction.command, folders, (told,))


def _reduction(reading: StageReading) -> tuple[Project, Project] | None:
    """An install with development dependencies, and the last call after it that takes those away again."""
    layout = Layout.of(reading)
    for step, call in reversed(reading.calls):
        # Bun has no `prune`, and its install takes nothing away.
        is_own = call.manager in MANAGERS - {"bun"} and call.action in {"prune", *INSTALLING} and not call.packages
        here = step.folder_of(call.command) if is_own else None
        unit = None if here is None else layout.unit(folder_of_call(call, here), step.node)
        if unit is None:
            continue
        reduction = Project(layout, step, call, unit)
        if call.action != "prune" and not reduction.is_production:
            continue
        before = [one for one in projects(reading) if one.folder == unit.folder and one.command is not call.command
                  and reading.position(one.step.node) < reading.position(step.node)]  # fmt: skip
        if before and not before[-1].is_production:
            return before[-1], reduction
    return None


def _why_not_manifests_alone(
    project: Project, reduction: Project, folders: tuple[str, ...], since: int
) -> Refused | None:
    """Why the packages that are left depend on more than the manifests."""
    layout, package = project.layout, reduction.package
    if reduction.call.action != "prune" and reduction.runs_scripts and package.install_scripts:
        name = next(iter(package.install_scripts))
        return Refused(f"`{name}` of {package.path} runs at the second install, and may read the sources")
    manifests = {join(project.folder, name) for name in ("package.json", *MANAGER[project.manager].lockfiles)}
    for step in layout.reading.steps[since:]:
        for ran in _programs(layout, step, reduction):
            reason = _why_changed(layout, ran, folders, manifests)
            if reason is not None:
                return Refused(f"{ran.shown} {reason}, so the packages depend on what is built", "prune by hand")
            is_behind = layout.reading.position(step.node) > layout.reading.position(reduction.step.node)
            if is_behind and build_of(layout, ran):
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
    if ran.manager:
        return None if ran.program.partition(" ")[2] in names("quiet-calls") else "may change packages"
    if ran.program in names("into-packages"):
        return "writes into node_modules"
    for word in ran.operands if ran.program in names("changes-by-folder") else ():
        path = join(ran.folder, word.split("*")[0])
        if any(below(one, path) is not None for one in folders):
            return f"works on {path}"
    built = build_of(layout, ran)
    outputs = () if built is None else built.outputs
    if built is not None and outputs is None:
        return f"may write into node_modules ({built.why_unknown})"
    if ran.program == "prisma" and not outputs:
        return "generates a client into node_modules"
    changed = (
        path for path in outputs or () if path in manifests or any(below(path, one) is not None for one in folders)
    )
    written = next(changed, None)
    return None if written is None else f"writes {written}"
