"""Development dependencies that a builder hands on: the final stage copies node_modules as the build needed them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Behind
from refactor.ecosystems.node.installing import is_production, node_env, why_program_needs_dev
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.needs import started
from refactor.ecosystems.node.program import program
from refactor.ecosystems.node.projects import Project, any_lock, members, projects
from refactor.ecosystems.node.pruning import by_command
from refactor.flow.closure import named
from refactor.flow.reading import Refused, StageReading, Step


def handed_on(reading: StageReading) -> Sequence[Behind | tuple[Step, Refused]]:
    """Commands behind the builds of a stage that take away what only those needed."""
    final = StageReading.of(reading.file, reading.file.stages[-1], reading.context)
    if reading.stage is final.stage or reading.context.why_unknown is not None or not _runs(reading):
        return ()
    if not any(origin.stage is reading.stage for _, origin in final.copies_of_stages):
        return ()
    return tuple(_handed_on(reading, final))


def _runs(reading: StageReading) -> bool:
    """The stage runs scripts of its project, which is what development dependencies are for."""
    return any(call.action in {"run", "exec"} for _, call in reading.calls)


def _handed_on(reading: StageReading, final: StageReading) -> Iterator[Behind | tuple[Step, Refused]]:
    layout, start = Layout.of(reading), started(final)
    if start is None or any(call.action == "prune" for _, call in reading.calls):
        return
    own = projects(reading)
    reduced = {one.folder for one in own if is_production(one, node_env(reading, one))}
    for project in own:
        if project.folder in reduced:
            continue
        packages = f"{project.folder}/node_modules"
        taken = next((moved.node for moved in start.layout.moved
                      if moved.stage.stage is reading.stage and moved.source == packages), None)  # fmt: skip
        if taken is None or not project.package.dev_dependencies:
            continue
        last = [step for step in reading.steps if step.keyword in {"RUN", "COPY", "ADD"}][-1]
        why = _why_others(reading, final) or why_program_needs_dev(layout, project, final)
        command = why or _why_other_user(reading, project.step, last) or _command(layout, project)
        if isinstance(command, Refused):
            yield project.step, command
            continue
        files = program(final)
        evidence = (
            f"line {final.file.line_of(taken)} copies {packages}, development dependencies included",
            f"{start.runs[-1].shown} needs none of them"
            + ("" if isinstance(files, Refused) else f"; read: {named(files)}"),
        )
        yield Behind(last, f"RUN {command}", evidence)


def _why_others(reading: StageReading, final: StageReading) -> Refused | None:
    """Who else has the packages of the stage."""
    file, context = reading.file, reading.context
    if reading.stage.name and reading.stage.name in context.deployment.targets:
        return Refused(f"{context.deployment.named_by('target')} builds the stage {reading.stage.name} by name")
    for stage in file.stages:
        if stage.index in {reading.stage.index, final.stage.index}:
            continue
        other = StageReading.of(file, stage, context)
        if other.parent is reading.stage or any(origin.stage is reading.stage for _, origin in other.copies_of_stages):
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


def _command(layout: Layout, project: Project) -> str | Refused:
    """What takes development dependencies away."""
    others = members(layout.context, project.package)
    if isinstance(others, Unknown) or others:
        return Refused("the project is a workspace, of which packages cannot be taken away afterwards")
    lock = any_lock(layout.context, project.unit, project.manager)
    if lock is None:
        return Refused(f"no lockfile of {project.manager} says which packages remain", "add the lockfile")
    if project.manager != "npm" and "@prisma/client" in project.package.wanted:
        return Refused(
            f"{project.manager} would take the generated Prisma client away, too", "generate it in a stage of its own"
        )
    is_berry = lock.is_berry or re.match(r"yarn@[2-9]", project.package.package_manager or "")
    if project.manager == "bun" or (project.manager == "yarn" and is_berry):
        return Refused(f"{project.manager} takes no packages away afterwards")
    return by_command(project, layout.reading.image).written(layout.reading.final_workdir)


__all__ = ["handed_on"]
