"""A program that is compiled at every start, though the project knows how to build it and start what was built."""

from __future__ import annotations

from refactor.ecosystems.ecosystem import BuiltStart
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.installing import is_production, node_env
from refactor.ecosystems.node.layout import below
from refactor.ecosystems.node.needs import WATCHERS, start_unit, started
from refactor.ecosystems.node.programs import Programs, Ran, node_entry
from refactor.ecosystems.node.projects import Project, project_installs
from refactor.ecosystems.node.steps import kind_of
from refactor.flow.reading import Refused, StageReading, join

_STARTS_BUILT = ("start:prod", "start:production")
_WATCHES = {"--watch", "-w", "--watchAssets", "--debug", "-d"}


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start, cmd = started(reading), reading.last("CMD")
    if start is None or cmd is None or len(start.runs) != 1 or reading.last("ENTRYPOINT") is not None:
        return None
    ran, unit = start.runs[0], start_unit(start)
    if unit is None or not _compiles_once(ran) or reading.context.deployment.has_own_command:
        return None
    scripts = unit.package.scripts
    name = next((name for name in _STARTS_BUILT if name in scripts), None)
    projects = [one for one in project_installs(reading, start.layout) if isinstance(one, Project)]
    project = next((one for one in projects if one.folder == unit.folder), None)
    if name is None or "build" not in scripts or project is None:
        return None
    shown = f"{ran.shown} compiles at every start"
    if reading.final_workdir != unit.folder:
        return Refused(f"{shown}, and {unit.package.path} is not in the folder that the container starts in")
    if is_production(project, node_env(reading, project)):
        return Refused(f"{shown}, and the install leaves out what `{project.manager} run build` needs")
    programs = Programs(start.layout)
    runs = tuple(programs.of_text(scripts[name], unit.folder))
    entry = node_entry(runs[0].args) if len(runs) == 1 and runs[0].program == "node" else None
    if entry is None:
        return Refused(
            f"{shown}, and `{name}` (`{scripts[name]}`) is not one start of node", "start the built file there"
        )
    built = [build_of(start.layout, one) for one in programs.of_text(f"{project.manager} run build", unit.folder)]
    outputs = [path for one in built if one is not None for path in one.outputs or ()]
    output = next((path for path in outputs if below(join(unit.folder, entry), path) is not None), None)
    if output is None:
        return Refused(
            f"{shown}, and `build` (`{scripts['build']}`) is not known to make {entry}, which `{name}` starts"
        )
    plain = scripts[name].split() == ["node", entry] and not {f"pre{name}", f"post{name}"} & scripts.keys()
    is_built = any(output in (one.outputs or ()) for _, _, one in kind_of(reading, start.layout).builds)
    return BuiltStart(
        cmd,
        "" if is_built else f"{project.manager} run build",
        ("node", entry) if plain else (project.manager, "run", name),
        (
            f"{shown}; `build` of {unit.package.path} is `{scripts['build']}`, which writes {output}",
            f"`{name}` is `{scripts[name]}`",
        ),
    )


def _compiles_once(ran: Ran) -> bool:
    """The program is compiled, started, and not watched for changes."""
    if ran.program == "nest":
        return ran.args[:1] in (("start",), ("s",)) and not _WATCHES & set(ran.args)
    return WATCHERS.get(ran.program) == "compiles at start" and not {"watch", *_WATCHES} & set(ran.args)


__all__ = ["built_start"]
