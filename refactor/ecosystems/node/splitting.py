"""Taking a Node stage apart: the builder installs and builds, the runner gets what the start command
needs."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context import Unknown
from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.ecosystems.deployed import why_other_start
from refactor.ecosystems.node import bun_split
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.keeping import Keep, Tree, keep
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.native import Native, compiled, judge, libraries
from refactor.ecosystems.node.needs import (
    STATIC_SERVERS,
    Server,
    Started,
    server_sources,
    start_unit,
    started,
    why_dev_needed,
)
from refactor.ecosystems.node.program import program
from refactor.ecosystems.node.programs import MANAGERS, Programs
from refactor.ecosystems.node.projects import Project, any_lock, members, project_installs
from refactor.ecosystems.node.pruning import WHOLE, Pruning, prune, why_plug_and_play
from refactor.ecosystems.node.roles import is_global_only, owner_of, roles_of
from refactor.ecosystems.node.runtime import called_programs, needed_packages
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.node.steps import brings_code, kind_of
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.node.writing import written
from refactor.ecosystems.split import Role, assemble, builder_name, variant_reference
from refactor.ecosystems.system import RunnerPackages, build_only, programs_started, runner_packages
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.images import lookup
from refactor.syntax import Instruction

_SYSTEM_FOLDERS = words(
    """
    bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var
    """
)
_BUILDERS = words(
    """
    tsc nest next vite react-scripts ng webpack esbuild tsup babel swc rollup nuxt nuxi parcel
    vue-cli-service astro remix gatsby
    """
)
_CHOOSE_BY_NODE_ENV = (
    "config",
    "node-config",
    "sequelize-cli",
    "@feathersjs/configuration",
    "convict",
    "dotenv-flow",
    "nconf",
)
_PYTHON_FOR_GYP = (
    "python3",
    "python",
    "python2",
    "python-is-python3",
    "python3-minimal",
    "python3-distutils",
    "python3-setuptools",
    "py3-setuptools",
)


def split(reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`."""
    calls = [call for _, call in reading.calls if call.manager in MANAGERS]
    if not calls:
        return None
    layout = Layout(reading)
    image, context = reading.image, reading.context
    is_node = image is not None and image.family in {"node", "bun"}
    is_building = any(call.action in {"run", "exec", "build", "workspace"} for call in calls)
    if context.why_unknown is not None:
        if not is_building and not build_only(reading):
            return None
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    installs = tuple(project_installs(reading, layout))
    projects = tuple(project for project in installs if isinstance(project, Project))
    if installs and not projects:
        # The project is not in the context: nothing of what a build makes can be known.
        return next(entry[1] for entry in installs if not isinstance(entry, Project)) if is_building else None
    if not installs and not (is_building and is_node):
        # Some program of npm's, with no project of the context: no Node application.
        return None
    kind = kind_of(reading, layout)
    if kind.compiles is None and not installs:
        return None
    start = started(reading)
    natives = (
        _natives(reading, projects) if image is not None and (image.family, image.variant) == ("node", "fat") else ()
    )
    if kind.compiles is None and not build_only(reading) and not natives:
        return _why_nothing(start) or _why_install_builds(layout, projects)
    if not is_node or image is None:
        return Refused(
            f"{reading.stage.image} is no official image of Node or Bun, so a small one that runs the same"
            " program is not known",
            "start from node:<version>",
        )
    if start is None:
        return Refused("there is no CMD or ENTRYPOINT that says what the container runs", "add a CMD")
    case = Case(reading, layout, image, kind, projects, start, natives, wish, [])
    refusal = _why_not_start(case)
    if refusal is not None:
        return refusal
    for entry in installs:
        if not isinstance(entry, Project):
            return entry[1]
    return _plan(case)


def _natives(reading: StageReading, projects: Sequence[Project]) -> tuple[Native, ...]:
    found: dict[str, Native] = {}
    for project in projects:
        lock = any_lock(reading.context, project.unit, project.manager)
        for native in compiled(reading.context, lock, project.package, production=True):
            found.setdefault(native.name, native)
    return tuple(found.values())


# Why not


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


def _why_install_builds(layout: Layout, projects: Sequence[Project]) -> Refused | None:
    """An install script of the project that is its build: said aloud, as the sources are in the way of
    a cached install."""
    for project in projects:
        if "--ignore-scripts" in project.call.flags:
            continue
        for name, text in project.package.install_scripts.items():
            for ran in Programs(layout, project.step.node).of_text(text, project.folder):
                built = build_of(layout, ran)
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
    refusal = why_other_start(case.reading)
    if refusal is not None:
        return refusal
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
        unit = start_unit(start)
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


def _why_no_gain(case: Case, runner: str, pruning: Pruning, kept: Keep, unit: Unit) -> Refused | None:
    """Why the image would not get smaller."""
    if runner != case.reading.stage.image or build_only(case.reading) or pruning.command or pruning.install:
        return None
    others = [project for project in case.projects if project.folder != unit.folder]
    if not kept.needs_packages or any(below(project.folder, unit.folder) for project in others):
        return None
    why = next((line for line in case.say if line.startswith("node_modules is kept whole")), "")
    return Refused(
        f"the image would not get smaller: the base is {runner} already, and there is nothing to"
        " leave out" + (f" ({why})" if why else ""),
        "move what only the build needs to devDependencies",
    )


# The plan


def _plan(case: Case) -> SplitPlan | Refused:
    unit = start_unit(case.start)
    if unit is None:
        return Refused(f"no package.json is known for what is started in {case.reading.final_workdir}")
    project = _project_of(case.projects, unit)
    lock = any_lock(case.context, project.unit, project.manager) if project is not None else None
    server = server_sources(case.start, unit)
    if isinstance(server, Unknown):
        return Refused(f"the sources are not known: {server.reason}")
    seen = why_not_seen(case.reading) or program(case.reading)
    if isinstance(seen, Refused):
        return seen
    root = project.package if project is not None else unit.package
    is_bundled = _is_bundled(case, unit, server)
    needs_dev = why_dev_needed(case.start, unit, root, lock, is_bundled=is_bundled)
    is_bun = case.image.family == "bun"
    refusal = bun_split.why_not_read(case, server) if is_bun else None
    runner = refusal or (bun_split.runner(case, server) if is_bun else _runner_image(case, lock))
    if isinstance(runner, Refused):
        return runner
    tree = Tree(case.reading, case.layout)
    if tree.why_unknown is not None:
        return Refused(f"the build context is not known: {tree.why_unknown}")
    needed = _members(case, project, unit)
    if isinstance(needed, Refused):
        return needed
    kept = keep(
        tree,
        case.start,
        unit,
        project.unit if project is not None else unit,
        tuple(entry.unit for entry in case.projects),
        needed,
        case.kind,
        server,
        is_static=all(
            ran.program in STATIC_SERVERS and ran.program not in unit.package.wanted for ran in case.start.runs
        ),
        has_packages=(bool(needed) or needs_dev is not None or _has_packages(root))
        and not (is_bundled and not needed and bun_split.has_packages_inside(case, root, lock, server)),
    )
    if isinstance(kept, Refused):
        return kept
    pruning = WHOLE
    if project is not None and kept.needs_packages:
        refusal = why_plug_and_play(case, project, lock)
        if refusal is not None:
            return refusal
        pruning = prune(case, project, lock, needs_dev, runner, is_whole=kept.whole)
    return _why_no_gain(case, runner, pruning, kept, unit) or _assembled(
        case, runner, kept, pruning, server, needed_packages(lock, root, case.image)
    )


def _project_of(projects: Sequence[Project], unit: Unit) -> Project | None:
    """The install that brings the packages of what is started: that of the nearest folder around it."""
    found = [project for project in projects if below(unit.folder, project.folder) is not None]
    return max(found, key=lambda project: len(project.folder)) if found else None


def _has_packages(package: PackageJson) -> bool:
    """An install without development dependencies makes a node_modules."""
    return bool(package.dependencies or package.optional_dependencies or package.peer_dependencies)


def _is_bundled(case: Case, unit: Unit, server: Server) -> bool:
    """What is started has the packages that its sources import inside."""
    if server.is_interpreted:
        return False
    builds = [built for _, _, built in case.kind.builds if built.outputs and brings_code(built)]
    own = [built for built in builds if below(built.ran.folder, unit.folder) is not None]
    return bool(own) and all(built.is_bundle for built in own)


def _members(case: Case, project: Project | None, unit: Unit) -> tuple[Unit, ...] | Refused:
    """The members of the workspace that what is started depends on, itself included; () without a workspace."""
    others = members(case.context, project.package) if project is not None else ()
    if isinstance(others, Unknown):
        return Refused(f"the workspace's members are not known: {others.reason}")
    if not others or project is None:
        return ()
    by_name = {member.name: member for member in others if member.name}
    wanted = {unit.package.path: unit.package}
    if unit.package.path == project.package.path:
        # The root itself is started: it may load any of its members.
        wanted.update({member.path: member for member in others})
    waiting = list(wanted.values())
    while waiting:
        package = waiting.pop()
        for name in (*package.dependencies, *package.optional_dependencies, *package.peer_dependencies):
            member = by_name.get(name)
            if member is not None and member.path not in wanted:
                wanted[member.path] = member
                waiting.append(member)
    folders = [(package.folder[len(project.source) :].lstrip("/"), package) for package in wanted.values()]
    return tuple(Unit(join(project.folder, rest), package) for rest, package in folders if rest)


# The runner's image


def _runner_image(case: Case, lock: NodeLock | None) -> str | Refused:
    image, wish = case.image, case.wish
    if wish == "scratch":
        return Refused(
            "a Node program needs node, which scratch has not", 'use runner = "slim", "alpine" or "distroless"'
        )
    if wish == "alpine" and image.distro != "alpine":
        return _alpine(case, lock)
    if wish == "distroless":
        return _distroless(case)
    if image.variant != "fat":
        return case.reading.stage.image
    found = variant_reference(case.reading, "slim")
    if isinstance(found, Refused):
        return found
    needed = libraries(case.natives, image.distro or "debian", image.release)
    if isinstance(needed, str):
        case.say.append(
            f"the runner keeps {case.reading.stage.image}: which libraries of it {needed} is linked with is not known"
        )
        return case.reading.stage.image
    for project in case.projects if image.variant == "fat" else ():
        own = any_lock(case.context, project.unit, project.manager)
        judged = judge(case.context, own, project.package, production=True)
        if judged.unknown:
            case.say.append(
                f"{judged.why_unknown}: what is compiled is compiled on {case.reading.stage.image} and copied, with the"
                " libraries that are known to be needed"
            )
    return found


def _alpine(case: Case, lock: NodeLock | None) -> str | Refused:
    if lock is None:
        return Refused(
            "without a lockfile that can be read it is not known whether packages are bound to glibc,"
            " which Alpine lacks"
        )
    why = lock.why_not_pure(production=True)
    if why is not None:
        return Refused(f"the packages cannot move to Alpine's C library: {why}", 'use runner = "slim"')
    if "bash" in programs_started(case.reading):
        return Refused("what is started is run by bash, which Alpine has not", 'use runner = "slim"')
    return variant_reference(case.reading, "alpine")


def _distroless(case: Case) -> str | Refused:
    reading = case.reading
    found = variant_reference(reading, "distroless")
    if isinstance(found, Refused):
        return found
    cmd, health = reading.last("CMD"), reading.last("HEALTHCHECK")
    if reading.last("ENTRYPOINT") is not None or cmd is None or cmd.json is None or cmd.json[:1] != ("node",):
        return Refused(
            "distroless has no shell and no package manager, and the program is not started by node in exec form",
            'write CMD ["node", "file.js"]',
        )
    if health is not None and health.argument.upper() != "NONE" and health.json is None:
        return Refused("distroless has no shell, which the HEALTHCHECK needs", "write the HEALTHCHECK in exec form")
    answer = written(reading)
    places = answer.paths if not isinstance(answer, Refused) else ("a place that is not known",)
    lasting = [path for path in places if path != "/tmp" and not path.startswith("/tmp/")]
    if lasting:
        return Refused(
            f"the program writes to {lasting[0]}, which distroless has no shell to give to its user",
            'write below /tmp, or use runner = "slim"',
        )
    needed = libraries(case.natives, "debian", case.image.release)
    if needed:
        name = needed if isinstance(needed, str) else next(iter(needed))
        return Refused(f"{name} is not known to run with the libraries that distroless has", 'use runner = "slim"')
    return found


# Putting it together


def _assembled(
    case: Case, runner: str, kept: Keep, pruning: Pruning, server: Server, needed: Mapping[str, str]
) -> SplitPlan | Refused:
    reading = case.reading
    packages = _packages(case, runner, server, needed)
    if isinstance(packages, Refused):
        return packages
    roles = roles_of(case, kept, packages)
    if isinstance(roles, Refused):
        return roles
    artefacts = _artefacts(case, kept, pruning)
    if isinstance(artefacts, Refused):
        return artefacts
    image = lookup(reading.file.expand(runner, reading.stage.from_) or runner)
    is_inherited = not any(step.keyword == "WORKDIR" for step in reading.steps)
    # The image of Bun has a working directory of its own.
    home = (
        f"WORKDIR {reading.final_workdir}"
        if is_inherited and image and image.workdir != reading.final_workdir
        else None
    )
    head = [text for text in (_environment(case, kept, server), packages.install, home) if text is not None]
    plan = assemble(
        reading,
        roles,
        runner_image=runner,
        artefacts=artefacts,
        builder_tail=_tail(case, roles, kept, pruning),
        runner_head=head,
        is_artefact_absolute=_is_elsewhere(case, kept),
        reads_no_artefact={step.node for step in reading.steps if _is_tool(case, step)},
        evidence=(*_story(case), *kept.evidence, *case.say, *packages.evidence),
    )
    if isinstance(plan, SplitPlan) and case.wish == "distroless":
        return _without_node(case, plan)
    return plan._replace(sets_workdir=bool(home)) if isinstance(plan, SplitPlan) else plan


def _packages(case: Case, runner: str, server: Server, needed: Mapping[str, str]) -> RunnerPackages | Refused:
    reading = case.reading
    image = lookup(reading.file.expand(runner, reading.stage.from_) or runner)
    wanted: dict[str, str] = {}
    if runner != reading.stage.image:
        found = libraries(case.natives, case.image.distro or "debian", case.image.release)
        wanted.update(found if isinstance(found, dict) else {})
        wanted.update(needed)
        wanted.update(bun_split.libraries(case, runner))
    has = image.preinstalled if image is not None else frozenset[str]()
    calls_python = any(ran.program in {"python", "python3"} for ran in case.start.all)
    packages = runner_packages(
        reading,
        image,
        needed={name: why for name, why in wanted.items() if name not in has},
        programs=called_programs(case.context, server.files),
        build_only={} if calls_python else dict.fromkeys(_PYTHON_FOR_GYP, "node-gyp compiles with it"),
    )
    if isinstance(packages, Refused) or packages.install is None:
        return packages
    if case.wish == "distroless" or (case.wish == "alpine" and case.image.distro != "alpine"):
        names = ", ".join(packages.packages)
        why = "cannot install" if case.wish == "distroless" else "may have other names for"
        return Refused(f"{case.wish} {why} {names}, which the program needs", 'use runner = "slim"')
    return packages


def _tail(case: Case, roles: Mapping[Instruction, Role], kept: Keep, pruning: Pruning) -> list[str]:
    """What the builder does last: leave development dependencies and caches out."""
    workdir = case.reading.final_workdir
    for step in case.reading.steps:
        if Role.BUILDER in roles.get(step.node, Role.DROPPED):
            workdir = step.workdir
    commands = [pruning.written(workdir)] if pruning.command else []
    if kept.removals:
        paths = [below(path, workdir) or path for path in kept.removals]
        commands.append("rm -rf " + " ".join(paths))
    return ["RUN " + " \\\n    && ".join(commands)] if commands else []


def _without_node(case: Case, plan: SplitPlan) -> SplitPlan:
    """Distroless starts node by its ENTRYPOINT: CMD has the arguments only."""
    cmd = case.reading.last("CMD")
    arguments = cmd.json[1:] if cmd is not None and cmd.json is not None else ()
    text = f"CMD {json.dumps(list(arguments))}"
    return plan._replace(
        runner=tuple(Instead(cmd, text) if cmd is not None and entry is cmd else entry for entry in plan.runner)
    )


def _is_tool(case: Case, step: Step) -> bool:
    """A RUN that installs programs for the whole image by their names, from the registry."""
    names = [name for own, _, found in case.kind.globals if own is step for name in found]
    return bool(names) and is_global_only(case, step) and not any(re.match(r"[./~$]|.*\.tgz$", name) for name in names)


def _is_elsewhere(case: Case, kept: Keep) -> bool:
    """Something of the application lies outside of the folder that the program starts in."""
    return any(below(path, case.reading.final_workdir) is None for path in kept.paths)


def _artefacts(case: Case, kept: Keep, pruning: Pruning) -> tuple[str, ...] | Refused:
    """COPY instructions for what is kept: the same absolute paths as before, what changes least first."""
    name, home = builder_name(case.reading), case.reading.final_workdir
    # Seen from any WORKDIR, absolute paths are the same.
    workdir = "/" if _is_elsewhere(case, kept) else home
    owner = owner_of(case)
    chown = f"--chown={owner} " if owner else ""
    installed = {join(home, "node_modules"), join(home, "package.json")} if pruning.install else set()
    groups: list[tuple[str, list[str]]] = []
    for path in kept.paths:
        if path in installed:
            continue
        if re.search(r"[\s\"'$\[\]*?\\]", path) is not None:
            return Refused(f"the name of {path} has characters that COPY treats specially")
        if posixpath.dirname(path) == "/" and path[1:] in _SYSTEM_FOLDERS:
            return Refused(
                f"the application lives in / and brings a folder {path}, which is the system's",
                "set a WORKDIR such as /app",
            )
        folder = posixpath.dirname(path) if path in kept.files else ""
        if folder and groups and groups[-1][0] == folder:
            groups[-1][1].append(path)
        else:
            groups.append((folder, [path]))
    copies = [
        f"COPY --from={name} {chown}{' '.join(paths)} {_relative(folder or paths[0], workdir, is_folder=bool(folder))}"
        for folder, paths in groups
    ]
    return (*pruning.install, *copies)


def _relative(path: str, workdir: str, *, is_folder: bool) -> str:
    """How a COPY in ``workdir`` names an absolute target."""
    rest = below(path, workdir)
    if rest is None or workdir == "/":
        return path.rstrip("/") + "/" if is_folder else path
    if is_folder:
        return f"./{rest}/" if rest else "./"
    return f"./{rest}" if rest else "./"


def _environment(case: Case, kept: Keep, server: Server) -> str | None:
    """NODE_ENV=production where the author's own sources do not look at it."""
    if not kept.needs_packages and all(ran.program in STATIC_SERVERS for ran in case.start.runs):
        return None
    for step in case.reading.steps:
        if step.keyword in {"ENV", "ARG"} and any(name == "NODE_ENV" for name, _ in step.node.pairs):
            return None
    for ran in case.start.runs:
        unit = case.layout.unit(ran.folder)
        if unit is not None and ran.via and any("NODE_ENV" in text for text in unit.package.scripts.values()):
            return None
    for path in server.files:
        line = facts(case.context, path).node_env
        if line is not None:
            case.say.append(f"NODE_ENV is left as it was: {path}:{line} decides by it")
            return None
    unit = start_unit(case.start)
    for name in _CHOOSE_BY_NODE_ENV:
        if unit is not None and name in unit.package.wanted:
            case.say.append(f"NODE_ENV is left as it was: {name} chooses settings by it")
            return None
    if server.files:
        case.say.append(f"{named(server.files)}: none reads NODE_ENV; production makes express and its like faster")
    return "ENV NODE_ENV=production"


def _story(case: Case) -> Iterator[str]:
    for _, _, built in case.kind.builds:
        if built.outputs:
            yield f"{built.ran.shown} writes {', '.join(built.outputs)}"
    for native in case.natives:
        yield native.why


__all__ = ["split"]
