"""Whether a Node stage is taken apart, what keeps it from that, and what is Node's own in how it is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.ecosystems.node.builds import FETCHES, build_of
from refactor.ecosystems.node.case import Case, case_of
from refactor.ecosystems.node.needs import Started
from refactor.ecosystems.node.programs import MANAGERS, Programs
from refactor.ecosystems.node.projects import Project
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.slicing import split as slices
from refactor.ecosystems.system import build_only
from refactor.flow.reading import Refused, StageReading, is_within

if TYPE_CHECKING:
    from refactor.ecosystems.program import Sliced
    from refactor.flow.graph import Act

_BUILDERS = words(
    """
    tsc nest next vite react-scripts ng webpack esbuild tsup babel swc rollup nuxt nuxi parcel
    vue-cli-service astro remix gatsby
    """
)
_OF_OTHERS = words("pip pip3 gem cargo go composer")
"""Programs that install what the runner would not have, wherever they put it."""


def split(language: Sliced, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`."""
    calls = [call for _, call in reading.calls if call.manager in MANAGERS]
    if not calls:
        return None
    reading = StageReading.of(reading.file, reading.stage, reading.context)
    image, context = reading.image, reading.context
    is_node = image is not None and image.family in {"node", "bun"}
    is_building = any(call.action in {"run", "exec", "build", "workspace"} for call in calls)
    if context.why_unknown is not None:
        if not is_building and not build_only(reading):
            return None
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    case = case_of(reading)
    if case.installs and not case.projects:
        # The project is not in the context: nothing of what a build makes can be known.
        return next(entry[1] for entry in case.installs if not isinstance(entry, Project)) if is_building else None
    if not case.installs and not (is_building and is_node):
        # Some program of npm's, with no project of the context: no Node application.
        return None
    if case.kind.compiles is None and not case.installs:
        return None
    if case.kind.compiles is None and not build_only(reading) and not case.natives:
        return _why_nothing(case.started) or _why_install_builds(case)
    if not is_node:
        return Refused(
            f"{reading.stage.image} is no official image of Node or Bun, so a small one that runs the same"
            " program is not known",
            "start from node:<version>",
        )
    if case.started is None:
        return Refused("there is no CMD or ENTRYPOINT that says what the container runs", "add a CMD")
    refusal = _why_not_start(case)
    if refusal is not None:
        return refusal
    for entry in case.installs:
        if not isinstance(entry, Project):
            return entry[1]
    plan = slices(language, reading, wish)
    return _without_node(case, plan) if isinstance(plan, SplitPlan) and wish == "distroless" else plan


def _why_nothing(start: Started | None) -> Refused | None:
    """Nothing is built; said aloud only where a build at every start takes its place."""
    server = start.dev_server if start is not None else None
    if server is None or server[0].program in {"nodemon", "node-dev", "supervisor", "node"}:
        return None
    ran, reason = server
    return Refused(
        f"the container is started by {ran.shown}: {reason}; there is no build step whose result could be shipped",
        "build in a RUN and start the result with node",
    )


def _why_install_builds(case: Case) -> Refused | None:
    """An install script of the project that is its build: said aloud, as the sources are in the way of
    a cached install."""
    for project in case.projects:
        if "--ignore-scripts" in project.call.flags:
            continue
        for name, text in project.package.install_scripts.items():
            for ran in Programs(case.layout, project.step.node).of_text(text, project.folder):
                built = build_of(case.layout, ran)
                makes = built is not None and (built.outputs is None or bool(built.outputs))
                if makes and ran.program not in {"patch-package", "prisma"}:
                    return Refused(
                        f"`{name}` of {project.package.path} builds at the end of the install"
                        f" (`{ran.text[:60]}`), so there is no build step to keep in a builder",
                        f"install with --ignore-scripts, copy the sources, and call `{project.manager}"
                        f" run {name}` in a RUN of its own",
                    )
    return None


def _why_not_start(case: Case) -> Refused | None:
    """Why what is started needs what only the builder would have."""
    start = case.start
    if start.unknown is not None:
        return Refused(f"what is started cannot be followed: {start.unknown}", "start the program by its name in CMD")
    found = start.dev_server
    if found is not None:
        ran, reason = found
        if reason.endswith("a development server"):
            return Refused(
                f"the container is started by {ran.shown}: {reason}; a front end needs another server for its build",
                "build it in a RUN, and serve the result with nginx; or start the built program with node",
            )
        unit = case.unit
        name = unit.package.path if unit is not None else "package.json"
        return Refused(
            f"the container is started by {ran.shown}: {reason}, so the sources and the tools of"
            f" {name} are needed at run time",
            "start the built program with node",
        )
    for ran in start.runs:
        if ran.program.split(" ")[0] in MANAGERS and ran.program.endswith((" install", " ci", " add")):
            return Refused(f"{ran.shown} installs packages when the container starts", "install them in a RUN")
        if ran.program in _BUILDERS and "start" not in ran.args:
            built = build_of(start.layout, ran)
            if built is not None and built.outputs:
                return Refused(f"{ran.shown} builds when the container starts", "build in a RUN, and only start in CMD")
    comes_from_npm = any("pnpm" in name for _, _, names in case.kind.globals for name in names)
    if case.starts_through("pnpm") and not comes_from_npm:
        return Refused(
            "the container is started through pnpm, which corepack downloads into the builder only",
            'start the program itself, such as CMD ["node", "dist/main.js"]',
        )
    return None


def _without_node(case: Case, plan: SplitPlan) -> SplitPlan:
    """Distroless starts node by its ENTRYPOINT: CMD has the arguments only."""
    cmd = case.reading.last("CMD")
    arguments = cmd.json[1:] if cmd is not None and cmd.json is not None else ()
    text = f"CMD {json.dumps(list(arguments))}"
    return plan._replace(
        runner=tuple(Instead(cmd, text) if cmd is not None and entry is cmd else entry for entry in plan.runner)
    )


# What the common splitter asks of Node alone


def stays_inside(act: Act) -> bool:
    """See :meth:`Language.stays_inside`: the folder of a build that makes who knows what is copied as a whole."""
    name = "" if act.call is None else act.call.name
    return bool(name) and name not in FETCHES and act.step.step.script is not None


def why_not_followed(case: Case, acts: tuple[Act, ...], chosen: tuple[str, ...], *, is_whole: bool) -> Refused | None:
    """A RUN that cannot be read, or that brings files into the application of which nothing is known."""
    for step in case.reading.runs:
        script, line = step.script, case.reading.file.line_of(step.node)
        if script is None or script.opaque is not None:
            why = script.opaque if script is not None else "it has a heredoc"
            return Refused(f"what line {line} does is not known: {why}", "write the RUN as a plain list of commands")
    for act in acts:
        name = "" if act.call is None else act.call.name
        if name not in FETCHES or act.effect.by == "Node":
            continue
        places = [path for path in act.effect.writes if isinstance(path, str)]
        is_inside = not is_whole and any(is_within(path, one) for path in places for one in chosen)
        words = act.call.operands[:1] if act.call is not None else ()
        is_told = name == "git" and set(words) <= {"config", "init", "submodule"}
        if not is_told and (name in _OF_OTHERS or not places or is_inside):
            return Refused(
                f"what `{name}` on line {act.step.line} brings into the image is not known",
                "copy it from a stage of its own",
            )
    return None


__all__ = ["split", "stays_inside", "why_not_followed"]
