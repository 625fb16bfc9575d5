"""Taking a Node stage apart: the builder installs and builds, the runner gets what the start command
needs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.manifests import NodeLock
from refactor.ecosystems.ecosystem import Instead, SplitPlan
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.installing import is_production, node_env
from refactor.ecosystems.node.keeping import Keep, Tree, keep
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.native import Native, compiled, libraries
from refactor.ecosystems.node.needs import (
    STATIC_SERVERS,
    Server,
    Started,
    server_sources,
    start_unit,
    started,
    why_dev_needed,
)
from refactor.ecosystems.node.programs import MANAGERS, Programs
from refactor.ecosystems.node.projects import (
    Project,
    any_lock,
    lock_path,
    members,
    npm_major,
    project_installs,
    reads,
    why_not_frozen,
)
from refactor.ecosystems.node.runtime import called_programs, needed_packages
from refactor.ecosystems.node.steps import FETCHES, FILES, QUIET, Kind, kind_of
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.node.writing import written
from refactor.ecosystems.reading import Refused, StageReading, Step, join
from refactor.ecosystems.split import Role, assemble, builder_name, variant_reference
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS
from refactor.ecosystems.system import build_only, is_set_up, narrow, runner_packages, system_role
from refactor.images import lookup
from refactor.shell import Command
from refactor.syntax import Instruction

_SYSTEM_FOLDERS = words(
    """
    bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var
    """
)


def split(reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`."""
    layout = Layout(reading)
    kind = kind_of(reading, layout)
    image = reading.image
    is_node = image is not None and image.family == "node"
    installs = tuple(project_installs(reading, layout))
    if not kind.builds and not installs:
        return None
    if reading.context.why_unknown is not None:
        if not kind.builds and not build_only(reading):
            return None
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    projects = tuple(project for project in installs if isinstance(project, Project))
    start = started(reading)
    natives = _natives(reading, projects) if is_node and image is not None and image.variant == "fat" else ()
    if kind.compiles is None and not build_only(reading) and not natives:
        return _why_nothing(start) or _why_install_builds(layout, projects)
    if not is_node and not projects:
        # Some program of npm's on another image, with no project of the context: not a Node application.
        return None
    if not is_node:
        return Refused(
            f"{reading.stage.image} is not an official Node image, so a small one that runs the same"
            " program is not known",
            "start from node:<version>",
        )
    return _Splitter(reading, layout, kind, installs, start, natives, wish).plan()


def _why_nothing(start: Started | None) -> Refused | None:
    """Nothing is built; said aloud only where a build at every start takes its place."""
    server = start.dev_server if start is not None else None
    if server is None or server[0].program in {"nodemon", "node-dev", "supervisor"} or server[0].program == "node":
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
                if (
                    built is not None
                    and (built.outputs is None or built.outputs)
                    and ran.program not in {"patch-package", "prisma"}
                ):
                    return Refused(
                        f"`{name}` of {project.package.path} builds at the end of the install"
                        f" (`{ran.text[:60]}`), so there is no"
                        " build step to keep in a builder",
                        f"install with --ignore-scripts, copy the sources, and call `{project.manager}"
                        f" run {name}` in a RUN of its own",
                    )
    return None


def _natives(reading: StageReading, projects: Sequence[Project]) -> tuple[Native, ...]:
    found: dict[str, Native] = {}
    for project in projects:
        for native in compiled(
            reading.context, any_lock(reading.context, project.unit), project.package, production=True
        ):
            found.setdefault(native.name, native)
    return tuple(found.values())


class _Splitter:
    def __init__(
        self,
        reading: StageReading,
        layout: Layout,
        kind: Kind,
        installs: Sequence[Project | tuple[Step, Refused]],
        start: Started | None,
        natives: tuple[Native, ...],
        wish: str | None,
    ) -> None:
        self.reading = reading
        self.layout = layout
        self.kind = kind
        self.installs = installs
        self.start = start
        self.natives = natives
        self.wish = wish
        self.evidence: list[str] = []
        self.context = reading.context

    def plan(self) -> SplitPlan | Refused:
        reading, start = self.reading, self.start
        if start is None:
            return Refused("there is no CMD or ENTRYPOINT that says what the container runs", "add a CMD")
        refusal = self._why_not_start(start)
        if refusal is not None:
            return refusal
        unit = start_unit(start)
        if unit is None:
            return Refused(f"no package.json is known for what is started in {reading.final_workdir}")
        for entry in self.installs:
            if not isinstance(entry, Project):
                return entry[1]
        projects = tuple(entry for entry in self.installs if isinstance(entry, Project))
        project = _project_of(projects, unit)
        lock = any_lock(self.context, project.unit) if project is not None else None
        server = server_sources(start, unit)
        if isinstance(server, Unknown):
            return Refused(f"the sources are not known: {server.reason}")
        is_static = all(ran.program in STATIC_SERVERS for ran in start.runs)
        is_bundled = bool(self.kind.builds) and not server.is_interpreted and self._is_bundled(unit)
        root = project.package if project is not None else unit.package
        needs_dev = why_dev_needed(start, unit, root, lock, is_bundled=is_bundled)
        runner = self._runner(lock, project)
        if isinstance(runner, Refused):
            return runner
        tree = Tree(reading, self.layout)
        if tree.why_unknown is not None:
            return Refused(f"the build context is not known: {tree.why_unknown}")
        others = self._members(project, unit)
        if isinstance(others, Refused):
            return others
        kept = keep(
            tree,
            start,
            unit,
            project.unit if project is not None else unit,
            tuple(entry.unit for entry in projects),
            others,
            tuple(built for _, _, built in self.kind.builds),
            server,
            is_static=is_static and not self._serve_is_own(unit, start),
        )
        if isinstance(kept, Refused):
            return kept
        pruning = self._prune(project, lock, needs_dev, kept, runner)
        if isinstance(pruning, Refused):
            return pruning
        refusal = self._why_no_gain(runner, pruning, kept, projects, unit)
        if refusal is not None:
            return refusal
        return self._assemble(runner, kept, pruning, server, unit, project, lock)

    # What is started

    def _why_not_start(self, start: Started) -> Refused | None:
        deployment = self.context.deployment
        if deployment.has_own_command:
            return Refused(
                f"{', '.join(deployment.sources)} starts the image with a command of its own, which may"
                " need what only the builder has",
                "remove `command` there, or split by hand",
            )
        if start.unknown is not None:
            return Refused(
                f"what is started cannot be followed: {start.unknown}", "start the program by its name in CMD"
            )
        found = start.dev_server
        if found is not None:
            ran, reason = found
            if reason.endswith("a development server"):
                return Refused(
                    f"the container is started by {ran.shown}: {reason}; a front end needs another"
                    " server for its build",
                    "see `serve-static-files`; or start the built program with node",
                )
            package = start_unit(start)
            name = package.package.path if package is not None else "package.json"
            return Refused(
                f"the container is started by {ran.shown}: {reason}, so the sources and the tools of"
                f" {name} are needed at run time",
                "start the built program with node",
            )
        for ran in start.runs:
            manager = ran.program.split(" ")[0]
            if manager in MANAGERS and ran.program.endswith((" install", " ci", " add")):
                return Refused(f"{ran.shown} installs packages when the container starts", "install them in a RUN")
            if manager in MANAGERS or ran.program == "node" or ran.program in STATIC_SERVERS:
                continue
            built = build_of(start.layout, ran) if ran.program in _BUILDERS and "start" not in ran.args else None
            if built is not None and built.outputs:
                return Refused(f"{ran.shown} builds when the container starts", "build in a RUN, and only start in CMD")
        return self._why_not_manager(start)

    def _why_not_manager(self, start: Started) -> Refused | None:
        """pnpm is in no Node image: the runner has it where a RUN installs it from npm, not through
        corepack."""
        if not _uses_manager(start, "pnpm"):
            return None
        if any("pnpm" in name for _, _, names in self.kind.globals for name in names):
            return None
        return Refused(
            "the container is started through pnpm, which corepack downloads into the builder only",
            'start the program itself, such as CMD ["node", "dist/main.js"]',
        )

    def _serve_is_own(self, unit: Unit, start: Started) -> bool:
        """The static server is a dependency of the project, and so comes with its node_modules."""
        return any(ran.program in unit.package.wanted for ran in start.runs)

    def _is_bundled(self, unit: Unit) -> bool:
        own = [
            built
            for _, _, built in self.kind.builds
            if built.outputs and below(built.ran.folder, unit.folder) is not None
        ]
        return bool(own) and all(built.is_bundle for built in own)

    # The runner

    def _runner(self, lock: NodeLock | None, project: Project | None) -> str | Refused:
        reading, image, wish = self.reading, self.reading.image, self.wish
        assert image is not None
        if wish == "scratch":
            return Refused(
                "a Node program needs node, which scratch has not",
                'use runner = "slim", "alpine" or "distroless"',
            )
        if wish == "alpine" and image.distro != "alpine":
            if lock is None:
                return Refused(
                    "without a lockfile that can be read it is not known whether packages are bound to"
                    " glibc, which Alpine lacks"
                )
            why = lock.why_not_pure(production=True)
            if why is not None:
                return Refused(f"the packages cannot move to Alpine's C library: {why}", 'use runner = "slim"')
            return variant_reference(reading, "alpine")
        if wish == "distroless":
            return self._distroless()
        if image.variant != "fat":
            return reading.stage.image
        found = variant_reference(reading, "slim")
        if isinstance(found, Refused):
            return found
        needed = libraries(self.natives, image.distro or "debian", image.release)
        if isinstance(needed, str):
            self.evidence.append(
                f"the runner keeps {reading.stage.image}: which libraries of it {needed} is linked with is not known"
            )
            return reading.stage.image
        return found

    def _distroless(self) -> str | Refused:
        reading, start = self.reading, self.start
        assert start is not None
        found = variant_reference(reading, "distroless")
        if isinstance(found, Refused):
            return found
        cmd, entrypoint = reading.last("CMD"), reading.last("ENTRYPOINT")
        if entrypoint is not None or cmd is None or cmd.json is None or cmd.json[:1] != ("node",):
            return Refused(
                "distroless has no shell and no package manager, and the program is not started by node in exec form",
                'write CMD ["node", "file.js"]',
            )
        health = reading.last("HEALTHCHECK")
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
        image = reading.image
        needed = libraries(self.natives, "debian", image.release if image is not None else None)
        if needed:
            name = needed if isinstance(needed, str) else next(iter(needed))
            return Refused(f"{name} is not known to run with the libraries that distroless has", 'use runner = "slim"')
        return found

    # What goes along

    def _members(self, project: Project | None, unit: Unit) -> tuple[Unit, ...] | Refused:
        """The members of the workspace that what is started depends on, itself included; () without a
        workspace."""
        if project is None:
            return ()
        others = members(self.context, project.package)
        if isinstance(others, Unknown):
            return Refused(f"the workspace's members are not known: {others.reason}")
        if not others:
            return ()
        by_name = {member.name: member for member in others if member.name}
        wanted = {unit.package.path: unit.package}
        waiting = [unit.package]
        if unit.package.path == project.package.path:
            # The root itself is started: it may load any of its members.
            waiting += others
            wanted.update({member.path: member for member in others})
        while waiting:
            package = waiting.pop()
            for name in (*package.dependencies, *package.optional_dependencies, *package.peer_dependencies):
                member = by_name.get(name)
                if member is not None and member.path not in wanted:
                    wanted[member.path] = member
                    waiting.append(member)
        found = []
        for package in wanted.values():
            rest = package.folder[len(project.source) :].lstrip("/")
            if rest:
                found.append(Unit(join(project.folder, rest), package))
        return tuple(found)

    def _prune(
        self, project: Project | None, lock: NodeLock | None, needs_dev: str | None, kept: Keep, runner: str
    ) -> _Pruning | Refused:
        if project is None or not kept.needs_packages:
            return _Pruning("", (), False)
        others = members(self.context, project.package)
        manifests = (project.package, *(others if not isinstance(others, Unknown) else ()))
        if is_production(project, node_env(self.reading, project)):
            return _Pruning("", (), True)
        if not any(manifest.dev_dependencies for manifest in manifests):
            self.evidence.append(f"{project.package.path} has no development dependencies to leave out")
            return _Pruning("", (), True)
        if needs_dev is not None:
            self.evidence.append(f"node_modules is kept whole: {needs_dev}")
            return _Pruning("", (), True)
        return self._pruning(project, lock, bool(others), runner)

    def _pruning(self, project: Project, lock: NodeLock | None, has_members: bool, runner: str) -> _Pruning:
        folder, manager = project.folder, project.manager
        generates = (
            any(built.ran.program == "prisma" for _, _, built in self.kind.builds)
            or "@prisma/client" in project.package.wanted
        )
        if manager == "npm":
            major = npm_major(self.reading.image)
            command = "npm prune --production" if major is not None and major < 7 else "npm prune --omit=dev"
            for flag in ("--legacy-peer-deps", "--force"):
                if project.call.has(flag):
                    command += f" {flag}"
            return _Pruning(self._in_folder(command, folder), (), True)
        if manager == "pnpm" and not has_members and not generates:
            return _Pruning(self._in_folder("pnpm prune --prod", folder, at="--dir"), (), True)
        if manager == "yarn" and lock is not None and lock.is_berry:
            return self._berry(project)
        if manager == "yarn" and not generates:
            inside = self._yarn_in_runner(project, lock, has_members, runner)
            if inside is not None:
                return _Pruning("", inside, True)
            command = "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline"
            if lock_path(self.context, project.source, "yarn") is not None:
                return _Pruning(self._in_folder(command, folder, at="--cwd"), (), True)
        what = (
            "a generated Prisma client"
            if generates
            else "a workspace"
            if has_members
            else "a project without a lockfile"
        )
        self.evidence.append(
            f"node_modules is kept whole: {manager} cannot leave development dependencies out of {what} afterwards"
        )
        return _Pruning("", (), True)

    def _berry(self, project: Project) -> _Pruning:
        settings = self.context.read(posixpath.join(project.source, ".yarnrc.yml"))
        text = settings if isinstance(settings, str) else ""
        version = re.match(r"yarn@(\d+)", project.package.package_manager or "")
        has_focus = "plugin-workspace-tools" in text or (version is not None and int(version[1]) >= 4)
        if "nodeLinker: node-modules" not in text.replace('"', "") and "nodeLinker: pnpm" not in text:
            self.evidence.append("packages stay in .yarn, as Yarn's Plug'n'Play keeps them there")
            return _Pruning("", (), True)
        if not has_focus:
            self.evidence.append("node_modules is kept whole: this Yarn has no `workspaces focus`")
            return _Pruning("", (), True)
        return _Pruning(
            self._in_folder("yarn workspaces focus --all --production", project.folder, at="--cwd"), (), True
        )

    def _yarn_in_runner(
        self, project: Project, lock: NodeLock | None, has_members: bool, runner: str
    ) -> tuple[str, ...] | None:
        """Yarn 1 has no prune; a second install beside the builder is cached as long as the manifests
        stay."""
        if lock is None or has_members or lookup(runner) is None:
            return None
        image = lookup(runner)
        if image is None or image.family != "node" or "yarn" not in image.preinstalled or not image.has_shell:
            return None
        if (
            compiled(self.context, lock, project.package, production=False)
            or project.package.install_scripts
            or project.package.local_dependencies
        ):
            return None
        if any(
            "git" in (package.resolved or "").split("://")[0] or ".git#" in (package.resolved or "")
            for package in lock.packages
        ):
            return None
        if (
            project.step.node.flags
            or project.command.is_conditional
            or isinstance(why_not_frozen(self.layout, project), Refused)
        ):
            return None
        found = reads(self.layout, project)
        if isinstance(found, Refused) or any(self.context.is_dir(path) is True for path in found.manifests):
            return None
        if any(posixpath.dirname(path) != project.source for path in found.manifests):
            return None
        if project.folder != self.reading.final_workdir:
            return None
        flags = "".join(
            f" {flag}"
            for flag in project.call.flags
            if flag.startswith(("--network-", "--registry", "--ignore-engines"))
        )
        self.evidence.append(
            "Yarn 1 cannot prune: production dependencies are installed in the runner, beside the builder"
        )
        return (
            f"COPY {' '.join(found.manifests)} ./",
            f"RUN yarn install --frozen-lockfile --production{flags} && yarn cache clean",
        )

    def _in_folder(self, command: str, folder: str, at: str = "--prefix") -> str:
        last = self.reading.steps[-1]
        workdir = last.workdir
        for step in self.reading.steps:
            if step.keyword in {"RUN", "COPY", "ADD"}:
                workdir = step.workdir
        builds = [step for step, _, _ in self.kind.builds]
        if builds:
            workdir = builds[-1].workdir
        if folder == workdir:
            return f"RUN {command}"
        program, _, rest = command.partition(" ")
        return f"RUN {program} {at} {folder} {rest}"

    def _why_no_gain(
        self, runner: str, pruning: _Pruning, kept: Keep, projects: Sequence[Project], unit: Unit
    ) -> Refused | None:
        """Why the image would not get smaller."""
        if runner != self.reading.stage.image or build_only(self.reading) or pruning.command or pruning.install:
            return None
        if not kept.needs_packages or any(
            below(project.folder, unit.folder) for project in projects if project.folder != unit.folder
        ):
            return None
        why = next((line for line in self.evidence if line.startswith("node_modules is kept whole")), "")
        return Refused(
            f"the image would not get smaller: the base is {runner} already, and there is nothing to"
            " leave out" + (f" ({why})" if why else ""),
            "move what only the build needs to devDependencies",
        )

    # Putting it together

    def _assemble(
        self,
        runner: str,
        kept: Keep,
        pruning: _Pruning,
        server: Server,
        unit: Unit,
        project: Project | None,
        lock: NodeLock | None,
    ) -> SplitPlan | Refused:
        reading, start = self.reading, self.start
        assert start is not None
        runner_image = lookup(reading.file.expand(runner, reading.stage.from_) or runner)
        image = reading.image
        assert image is not None
        needed: dict[str, str] = {}
        if runner != reading.stage.image:
            found = libraries(self.natives, image.distro or "debian", image.release)
            needed.update(found if isinstance(found, dict) else {})
            needed.update(needed_packages(lock, project.package if project else unit.package, image))
        packages = runner_packages(
            reading,
            runner_image,
            needed={
                name: why
                for name, why in needed.items()
                if runner_image is None or name not in runner_image.preinstalled
            },
            programs=called_programs(self.context, server.files),
            build_only=self._build_only(),
        )
        if isinstance(packages, Refused):
            return packages
        if packages.install is not None and self.wish == "distroless":
            return Refused(
                f"distroless cannot install {', '.join(packages.packages)}, which the program needs",
                'use runner = "slim"',
            )
        roles: dict[Instruction, Role] = dict(packages.roles)
        self._drop_runtime_only(roles, packages.dropped)
        for step in reading.steps:
            if step.node in roles or step.keyword not in {"RUN", "COPY", "ADD"}:
                continue
            role = self._role(step, kept, packages.shared)
            if isinstance(role, Refused):
                return role
            roles[step.node] = role
        roles = narrow(reading, roles)
        artefacts = self._artefacts(kept, pruning)
        if isinstance(artefacts, Refused):
            return artefacts
        head = [packages.install] if packages.install is not None else []
        is_static = not kept.needs_packages and all(ran.program in STATIC_SERVERS for ran in start.runs)
        environment = None if is_static else self._environment(server)
        if environment is not None:
            head.insert(0, environment)
        workdir = reading.final_workdir
        is_absolute = any(below(path, workdir) is None for path in kept.paths)
        tail = [pruning.command] if pruning.command else []
        if kept.removals:
            removal = "rm -rf " + " ".join(kept.removals)
            tail = [f"{tail[0]} \\\n    && {removal}"] if tail else [f"RUN {removal}"]
        plan = assemble(
            reading,
            roles,
            runner_image=runner,
            artefacts=artefacts,
            builder_tail=tail,
            runner_head=head,
            is_artefact_absolute=is_absolute,
            evidence=(*self._story(), *kept.evidence, *self.evidence, *packages.evidence),
        )
        if isinstance(plan, SplitPlan) and self.wish == "distroless":
            return self._without_node(plan)
        return plan

    def _without_node(self, plan: SplitPlan) -> SplitPlan:
        """Distroless starts node by its ENTRYPOINT: CMD has the arguments only."""
        import json

        cmd = self.reading.last("CMD")
        assert cmd is not None
        assert cmd.json is not None
        text = f"CMD {json.dumps(list(cmd.json[1:]))}"
        runner = tuple(Instead(cmd, text) if entry is cmd else entry for entry in plan.runner)
        return plan._replace(runner=runner)

    def _build_only(self) -> dict[str, str]:
        """System packages that only node-gyp uses."""
        start = self.start
        called = set() if start is None else {ran.program for ran in start.all}
        if {"python3", "python"} & called:
            return {}
        return dict.fromkeys(
            (
                "python3",
                "python",
                "python2",
                "python-is-python3",
                "python3-minimal",
                "py3-setuptools",
                "python3-distutils",
                "python3-setuptools",
            ),
            "node-gyp compiles with it",
        )

    def _drop_runtime_only(self, roles: dict[Instruction, Role], dropped: Sequence[str]) -> None:
        """A RUN whose packages all are for the program alone is not needed in the builder."""
        waiting: list[Instruction] = []
        for step in self.reading.runs:
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
            if bare & set(dropped) or self._is_called_by_build(step, bare):
                waiting = []
                continue
            for node in (*waiting, step.node):
                roles[node] = Role.DROPPED
            waiting = []
        if waiting and any(roles.get(step.node) == Role.DROPPED for step in self.reading.runs):
            for node in waiting:
                roles[node] = Role.DROPPED

    def _is_called_by_build(self, own: Step, packages: set[str]) -> bool:
        if "git" in packages or any(name.startswith("lib") for name in packages):
            return True
        words = " ".join(step.node.argument for step in self.reading.runs if step is not own)
        words += " ".join(text for built in self.kind.builds for text in (built[2].ran.text,))
        return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words) for name in packages)

    def _role(self, step: Step, kept: Keep, shared: Mapping[Instruction, tuple[Command, ...]]) -> Role | Refused:
        if step.keyword in {"COPY", "ADD"}:
            return self._copy_role(step, kept)
        role = system_role(step)
        if role is not None:
            return self._set_up_role(step, role, kept)
        line = self.reading.file.line_of(step.node)
        script = step.script
        if script is None or script.opaque is not None:
            why = script.opaque if script is not None else "it has a heredoc"
            return Refused(f"what line {line} does is not known: {why}", "write the RUN as a plain list of commands")
        result = Role.DROPPED
        for command in shared.get(step.node, step.commands):
            one = self._command_role(step, command, kept, line)
            if isinstance(one, Refused):
                return one
            result |= one
        if Role.RUNNER in result and Role.BUILDER in result and self._is_global_only(step):
            # Cleaning the cache belongs to the install that it follows.
            return result if result & Role.RUNNER and self._installs_for_build(step) else Role.RUNNER
        if Role.RUNNER in result and Role.BUILDER in result:
            return Refused(
                f"line {line} builds and also prepares what is needed at run time",
                "put each into a RUN of its own",
            )
        return result if result else Role.BUILDER

    def _installs_for_build(self, step: Step) -> bool:
        return any(Role.BUILDER in self._global_role(names) for own, _, names in self.kind.globals if own is step)

    def _is_global_only(self, step: Step) -> bool:
        return all(
            any(command is other for _, other, _ in self.kind.globals)
            or command.name in QUIET
            or any(call.command is command and call.action in {"clean", "config", "set"} for call in step.calls)
            for command in step.commands
        )

    def _set_up_role(self, step: Step, role: Role, kept: Keep) -> Role:
        """``chown -R`` of the application: the copies into the runner have that owner already, and a
        second layer with
        all files in it would double the image."""
        if (
            role == Role.BOTH
            and self._owner()
            and step.commands
            and all(
                command.name == "chown"
                and len(command.args) > 1
                and all(
                    kept.is_inside(join(step.workdir, path))
                    for path in command.args[1:]
                    if not path.startswith("-") and ":" not in path
                )
                for command in step.commands
            )
        ):
            return Role.BUILDER
        return role

    def _command_role(self, step: Step, command: Command, kept: Keep, line: int) -> Role | Refused:
        for own, other, names in self.kind.globals:
            if own is step and other is command:
                return self._global_role(names)
        call = next((call for call in step.calls if call.command is command), None)
        if call is not None and call.manager == "corepack":
            return (
                Role.BOTH
                if self.start is not None and _uses_manager(self.start, "yarn") and call.action == "enable"
                else Role.BUILDER
            )
        if call is not None and call.manager in MANAGERS:
            return Role.BUILDER
        name = (command.name or "").rpartition("/")[2]
        if name == "rm" and not any(arg.startswith(("/etc", "/usr", "/lib", "/bin", "/opt")) for arg in command.args):
            return Role.BUILDER
        outside = [path for path in self._paths(step, command) if not kept.is_inside(path) and not _is_scratch(path)]
        if name in FETCHES and not _fetches_into(self, step, command, kept):
            return Refused(
                f"what `{name}` on line {line} brings into the image is not known",
                "copy it from a stage of its own",
            )
        if outside and name not in QUIET:
            if is_set_up(command):
                return Role.BOTH
            return Refused(
                f"line {line} writes to {outside[0]}, outside of the application's folder",
                "say by hand what the runner needs of it",
            )
        return Role.BUILDER

    def _paths(self, step: Step, command: Command) -> Iterator[str]:
        """Absolute paths that a command is given, as far as they are literal."""
        folder = step.folder_of(command) or step.workdir
        name = (command.name or "").rpartition("/")[2]
        for redirect in command.redirects:
            target = re.match(r"\d*(?:>>?|&>)\|?\s*['\"]?([^&'\"\s]+)", redirect)
            if target is not None:
                yield join(folder, target[1])
        operands = [arg for arg in command.args if not arg.startswith("-")]
        if name in {"cp", "mv", "ln", "rsync", "install"}:
            if operands:
                yield join(folder, operands[-1])
            if name == "mv":
                for operand in operands[:-1]:
                    yield join(folder, operand)
        elif name in {"curl", "wget", "tar", "unzip"}:
            for at, word in enumerate(command.args[:-1]):
                if word in {"-o", "-O", "--output", "-C", "-d", "--directory", "-P"}:
                    yield join(folder, command.args[at + 1])
        elif name in FILES:
            for operand in operands:
                if operand.startswith("/"):
                    yield operand

    def _global_role(self, names: tuple[str, ...]) -> Role:
        """Where packages for the whole image go: to the stages that call their commands."""
        start = self.start
        used = (
            set()
            if start is None
            else {ran.program for ran in start.all} | {ran.program.split(" ")[0] for ran in start.all}
        )
        text = " ".join(
            step.node.argument for step in self.reading.steps if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}
        )
        used |= set(re.findall(r"[\w-]+", text))
        for name in names:
            bare = re.sub(r"(?<=.)@[^/]*$", "", name).rpartition("/")[2]
            aliases = {bare, bare.removesuffix("-cli")} | ({"pm2-runtime", "pm2-docker"} if bare == "pm2" else set())
            if aliases & used and not (bare == "npm" and start is not None and not _uses_manager(start, "npm")):
                return Role.BOTH if aliases & self._called_by_build() else Role.RUNNER
        return Role.BUILDER

    def _called_by_build(self) -> set[str]:
        """Programs that the RUNs of the stage call, and the managers that install with."""
        called = {built.ran.program for _, _, built in self.kind.builds}
        called |= {word for _, _, built in self.kind.builds for via in built.ran.via for word in via.split()[:1]}
        return called | {entry.manager for entry in self.installs if isinstance(entry, Project)}

    def _copy_role(self, step: Step, kept: Keep) -> Role | Refused:
        node = step.node
        if node.heredocs:
            return Role.BOTH
        origin = node.flag("from")
        if node.destination is None:
            return Role.BUILDER
        target = join(step.workdir, self.reading.file.expand(node.destination, node) or node.destination)
        copied = [one for one in self.reading.copies if one.node is node]
        if origin is None and copied and all(kept.covers(one.target) for one in copied):
            return Role.BUILDER
        if origin is not None and kept.is_inside(target) and kept.whole:
            return Role.BUILDER
        return Role.BOTH

    def _artefacts(self, kept: Keep, pruning: _Pruning) -> tuple[str, ...] | Refused:
        reading, name = self.reading, builder_name(self.reading)
        workdir = reading.final_workdir
        if any(below(path, workdir) is None for path in kept.paths):
            # Seen from any WORKDIR, these paths are the same.
            workdir = "/"
        owner = self._owner()
        texts: list[str] = list(pruning.install)
        files: list[str] = []
        skip = {"package.json"} if pruning.install else set()
        groups: list[tuple[str, list[str]]] = []
        for path in kept.paths:
            if pruning.install and (
                path.endswith("/node_modules")
                or (posixpath.basename(path) in skip and posixpath.dirname(path) == reading.final_workdir)
            ):
                continue
            if _has_space(path):
                return Refused(f"the name of {path} has characters that COPY treats specially")
            first = path.strip("/").split("/")[0]
            if posixpath.dirname(path) == "/" and first in _SYSTEM_FOLDERS:
                return Refused(
                    f"the application lives in / and brings a folder {path}, which is the system's",
                    "set a WORKDIR such as /app",
                )
            if path in kept.files:
                folder = posixpath.dirname(path)
                if groups and groups[-1][0] == folder:
                    groups[-1][1].append(path)
                else:
                    groups.append((folder, [path]))
            else:
                groups.append(("", [path]))
        del files
        for folder, paths in groups:
            if folder:
                target = _relative(folder, workdir, is_folder=True)
            else:
                target = _relative(paths[0], workdir, is_folder=False)
            texts.append(f"COPY --from={name} {owner}{' '.join(paths)} {target}")
        return tuple(texts)

    def _owner(self) -> str:
        """--chown for the copies where the author gave the application to a user."""
        reading = self.reading
        for copied in reversed(reading.copies):
            value = copied.node.flag("chown")
            if value:
                return f"--chown={value} "
        for step in reversed(reading.steps):
            for command in step.commands if step.keyword == "RUN" else ():
                operands = [arg for arg in command.args if not arg.startswith("-")]
                is_whole = command.name == "chown" and {"-R", "--recursive"} & set(command.args) and len(operands) == 2
                after_copies = all(
                    reading.position(copied.node) < reading.position(step.node) for copied in reading.copies
                )
                if (
                    is_whole
                    and after_copies
                    and below(reading.final_workdir, join(step.workdir, operands[1])) is not None
                ):
                    return f"--chown={operands[0]} "
        builds = [step for step, _, _ in self.kind.builds] or list(reading.runs)
        user = builds[-1].user if builds else None
        if user and user.split(":")[0] not in {"root", "0"}:
            return f"--chown={user if ':' in user or user != 'node' else 'node:node'} "
        return ""

    def _environment(self, server: Server) -> str | None:
        """NODE_ENV=production where the author's own sources do not look at it."""
        for step in self.reading.steps:
            if step.keyword in {"ENV", "ARG"} and any(name == "NODE_ENV" for name, _ in step.node.pairs):
                return None
        from refactor.ecosystems.node.sources import facts

        start = self.start
        if start is not None and any("NODE_ENV" in text for text in self._start_texts(start)):
            return None
        for path in server.files:
            line = facts(self.context, path).node_env
            if line is not None:
                self.evidence.append(f"NODE_ENV is left as it was: {path}:{line} decides by it")
                return None
        unit = start_unit(start) if start is not None else None
        wanted = unit.package.wanted if unit is not None else {}
        for name in (
            "config",
            "node-config",
            "sequelize-cli",
            "@feathersjs/configuration",
            "convict",
            "dotenv-flow",
            "nconf",
        ):
            if name in wanted:
                self.evidence.append(f"NODE_ENV is left as it was: {name} chooses settings by it")
                return None
        self.evidence.append("no source reads NODE_ENV: production makes express and its like faster")
        return "ENV NODE_ENV=production"

    def _start_texts(self, start: Started) -> Iterator[str]:
        for ran in start.runs:
            unit = start.layout.unit(ran.folder)
            if unit is not None:
                yield from unit.package.scripts.values() if ran.via else ()

    def _story(self) -> Iterator[str]:
        for _, _, built in self.kind.builds:
            if built.outputs:
                yield f"{built.ran.shown} writes {', '.join(built.outputs)}"
        for native in self.natives:
            yield native.why


class _Pruning(NamedTuple):
    command: str
    """Canonical RUN at the end of the builder, "" for none."""
    install: tuple[str, ...]
    """Instructions that install production dependencies in the runner instead."""
    is_needed: bool


_BUILDERS = words(
    """
    tsc nest next vite react-scripts ng webpack esbuild tsup babel swc rollup nuxt nuxi parcel
    vue-cli-service astro remix gatsby
    """
)


def _uses_manager(start: Started, manager: str) -> bool:
    texts = (
        [node.argument for node in start.layout.reading.start.nodes] if start.layout.reading.start is not None else []
    )
    return any(re.search(rf"(?<![\w/.-]){manager}(?![\w.-])", text) for text in texts) or any(
        word.split(" ")[0] == manager for ran in start.runs for word in ran.via
    )


def _project_of(projects: Sequence[Project], unit: Unit) -> Project | None:
    """The install that brings the packages of what is started: that of the nearest folder around it."""
    found = [project for project in projects if below(unit.folder, project.folder) is not None]
    return max(found, key=lambda project: len(project.folder)) if found else None


def _is_scratch(path: str) -> bool:
    return path.startswith(
        (
            "/tmp/",
            "/var/tmp/",
            "/root/.npm",
            "/root/.cache",
            "/dev/",
            "/usr/local/share/.cache",
            "/var/cache",
            "/var/lib/apt",
        )
    )


def _fetches_into(splitter: _Splitter, step: Step, command: Command, kept: Keep) -> bool:
    """A download whose target is named and lies in the application's folder, or nowhere that lasts."""
    paths = list(splitter._paths(step, command))
    if (command.name or "") == "git":
        return command.args[:1] in (("config",), ("init",), ("submodule",))
    return bool(paths) and all(kept.is_inside(path) or _is_scratch(path) for path in paths) and kept.whole


def _has_space(path: str) -> bool:
    return re.search(r"[\s\"'$\[\]*?\\]", path) is not None


def _relative(path: str, workdir: str, *, is_folder: bool) -> str:
    """How a COPY in ``workdir`` names an absolute target."""
    rest = below(path, workdir)
    if rest is None or workdir == "/":
        return path.rstrip("/") + "/" if is_folder else path
    if is_folder:
        return f"./{rest}/" if rest else "./"
    return f"./{rest}" if rest else "./"


__all__ = ["split"]
