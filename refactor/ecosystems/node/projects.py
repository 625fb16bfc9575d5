"""An installed project: its manager, lockfile, members, scripts, and whether its install can be repeated."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.tables import table
from refactor.ecosystems.node.bun_lock import read_bun_lock
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.lockfiles import NodeLock, lock_matches, read_npm_lock, read_pnpm_lock, read_yarn_lock
from refactor.ecosystems.node.package_json import PackageJson, read_package_json, workspace_members
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, Programs, Ran, folder_of_call
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.images import BaseImage
from refactor.shell import Command, PackageCall
from refactor.syntax import Instruction


class Manager(NamedTuple):
    """What a package manager reads, and how it is told what to install."""

    lockfiles: tuple[str, ...]
    read: Callable[[BuildContext, str], NodeLock | Unknown]
    settings: tuple[str, ...]
    """Files beside package.json that it reads as well."""
    production: str = "--production"
    """The option that leaves development dependencies out."""
    folder: str = ""
    """The option that names the folder to work in."""


MANAGER = {
    "npm": Manager(("npm-shrinkwrap.json", "package-lock.json"), read_npm_lock, (".npmrc",), "--omit=dev", "--prefix"),
    "yarn": Manager(
        ("yarn.lock",), read_yarn_lock, (".npmrc", ".yarnrc", ".yarnrc.yml", ".yarn", ".pnp.cjs"), folder="--cwd"
    ),
    "pnpm": Manager(
        ("pnpm-lock.yaml",),
        read_pnpm_lock,
        (".npmrc", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs"),
        "--prod",
        "--dir",
    ),
    "bun": Manager(("bun.lock", "bun.lockb"), read_bun_lock, (".npmrc", "bunfig.toml")),
}
_PRODUCTION = ("--production", "--prod", "-P", "-p", "--omit=dev", "--only=production", "--only=prod")


class Project(NamedTuple):
    """One dependency installation of a stage, with the project it installs."""

    layout: Layout
    step: Step
    call: PackageCall
    unit: Unit

    @property
    def command(self) -> Command:
        return self.call.command

    @property
    def manager(self) -> str:
        return self.call.manager

    @property
    def folder(self) -> str:
        return self.unit.folder

    @property
    def package(self) -> PackageJson:
        return self.unit.package

    @property
    def context(self) -> BuildContext:
        return self.layout.context

    @property
    def lock_path(self) -> str | None:
        """The manager's own lockfile, None where the build sees none."""
        return lock_path(self.context, self.unit, self.manager)

    @property
    def lock(self) -> NodeLock | None:
        """Any lockfile of the project that can be read, for facts about its packages."""
        return any_lock(self.context, self.unit, self.manager)

    @property
    def members(self) -> tuple[PackageJson, ...] | Refused:
        """The manifests of the workspace's other members."""
        paths = workspace_members(self.context, self.package)
        read = [] if isinstance(paths, Unknown) else [read_package_json(self.context, path) for path in paths]
        unknown = paths if isinstance(paths, Unknown) else next((one for one in read if isinstance(one, Unknown)), None)
        if unknown is not None:
            return Refused(f"the workspace's members are not known: {unknown.reason}")
        return tuple(one for one in read if isinstance(one, PackageJson))

    @property
    def manifests(self) -> tuple[PackageJson, ...]:
        """Its own, and those of the members as far as they are known."""
        others = self.members
        return (self.package, *(others if not isinstance(others, Refused) else ()))

    @property
    def has_dev(self) -> bool:
        """It has development dependencies, or may."""
        return isinstance(self.members, Refused) or any(one.dev_dependencies for one in self.manifests)

    @property
    def npm(self) -> int | None:
        """The major version of npm in the image."""
        return npm_major(self.layout.reading.image)

    @property
    def node_env(self) -> str | None:
        """The value of NODE_ENV when the install runs, None where it is not set."""
        for name, word in self.command.assignments:
            if name == "NODE_ENV":
                return word.literal
        return self.layout.reading.file.environment(self.step.node).get("NODE_ENV")

    @property
    def drops_by_option(self) -> bool:
        """The command itself leaves development dependencies out."""
        call = self.call
        if any(option == "--include" and value == "dev" for option, value in call.options):
            return False
        if any(call.has(flag) for flag in _PRODUCTION) or "dev" in call.values("--omit"):
            return call.option("--production", "--prod") != "false"
        return bool({"production", "prod"} & set(call.values("--only")))

    @property
    def is_production(self) -> bool:
        """The install leaves development dependencies out already."""
        if any(option == "--include" and value == "dev" for option, value in self.call.options):
            return False
        # npm, Yarn 1 and pnpm leave them out where NODE_ENV says production; Yarn 2 and later and Bun do not.
        return self.drops_by_option or (self.node_env == "production" and self.manager != "bun")

    @property
    def is_frozen(self) -> bool:
        """It installs what the lockfile says, or nothing."""
        # `bun install --production` freezes the lockfile that is there, as a try with an old one shows (Bun 1.2).
        implied = ("--production", "-p") if self.manager == "bun" else ()
        flags = ("--frozen-lockfile", "--immutable", "--pure-lockfile", *implied)
        return self.call.action == "ci" or self.call.has(*flags)

    @property
    def is_berry(self) -> bool:
        """Yarn 2 or later installs it."""
        found = re.match(r"yarn@(\d+)", self.package.package_manager or "")
        if self.manager != "yarn" or found is not None:
            return found is not None and self.manager == "yarn" and int(found[1]) > 1
        return self.lock is not None and self.lock.is_berry

    @property
    def runs_scripts(self) -> bool:
        return "--ignore-scripts" not in self.call.flags

    def without_scripts(self) -> Project:
        """The install as it would be with --ignore-scripts."""
        call = self.call
        flags, options = (*call.flags, "--ignore-scripts"), (*call.options, ("--ignore-scripts", None))
        return self._replace(call=call._replace(flags=flags, options=options))

    def scripts(self) -> Iterator[tuple[PackageJson, str, Ran]]:
        """The programs of the scripts that the install runs of its own, each with its manifest and the script."""
        for manifest in self.manifests if self.runs_scripts else ():
            for name, text in manifest.install_scripts.items():
                if name == "prepublish" and (self.manager != "npm" or self.npm is None or self.npm >= 7):
                    continue
                programs = Programs(self.layout, self.step.node)
                via = (f"{name} of {manifest.path}",)
                for ran in programs.of_text(text, self.unit.place(manifest.folder), via):
                    yield manifest, name, ran

    def has(self, path: str) -> bool:
        """The context's ``path`` is beside the project's package.json in the image when the install runs."""
        place = posixpath.join(self.folder, posixpath.relpath(path, self.unit.source or "."))
        return self.layout.source(posixpath.normpath(place), self.step.node) == path


def project_installs(reading: StageReading) -> tuple[Project | tuple[Step, Refused], ...]:
    """The installs of a stage's projects, in order; not of global or single packages."""
    return reading.remember("node installs", lambda: tuple(_project_installs(Layout.of(reading))))


def projects(reading: StageReading) -> tuple[Project, ...]:
    """Those of them whose project is known."""
    return tuple(one for one in project_installs(reading) if isinstance(one, Project))


def _project_installs(layout: Layout) -> Iterator[Project | tuple[Step, Refused]]:
    for step, call in layout.reading.calls:
        if call.manager not in MANAGERS or call.action not in INSTALLING or call.packages:
            continue
        here = step.folder_of(call.command)
        if here is None:
            because = f"the folder that `{call.program} {call.verb}` runs in is not known: it follows a variable"
            yield step, Refused(because)
            continue
        here = folder_of_call(call, here)
        unit = layout.unit(here, step.node)
        # Bun does not look for the project in the folders above.
        is_here = unit is not None and (unit.folder == here or call.manager != "bun")
        if unit is not None and is_here:
            yield Project(layout, step, call, unit)
        else:
            yield step, _why_no_project(layout, call, here, step)


def _why_no_project(layout: Layout, call: PackageCall, folder: str, step: Step) -> Refused:
    context = layout.context
    if context.why_unknown is not None:
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    broken = layout.nearest(folder, step.node)
    if isinstance(broken, Unknown):
        return Refused(f"package.json cannot be read: {broken.reason.removeprefix('package.json: ')}", "repair it")
    is_ignored = context.is_ignored("package.json") is True
    where = "is left out by .dockerignore" if is_ignored else "is not copied there before"
    return Refused(
        f"`{call.program} {call.verb or 'install'}` in {folder} has no package.json that is known: it {where}",
        "copy package.json before that line; where it is copied, name the folder that holds it with --context",
    )


def lock_path(context: BuildContext, unit: Unit, manager: str) -> str | None:
    """The lockfile of a manager beside a manifest, None where the build sees none."""
    paths = (unit.file(name) for name in MANAGER[manager].lockfiles)
    return next((path for path in paths if context.exists(path) is True), None)


def any_lock(context: BuildContext, unit: Unit, manager: str = "npm") -> NodeLock | None:
    """Any lockfile of the project that can be read; the manager's own first."""
    for name in dict.fromkeys((manager, *MANAGER)):
        path = lock_path(context, unit, name)
        lock = MANAGER[name].read(context, path) if path is not None else None
        if isinstance(lock, NodeLock):
            return lock
    return None


def why_plug_and_play(context: BuildContext, unit: Unit) -> Refused | None:
    """Yarn 2 and later keep packages as archives unless told otherwise; then there is no node_modules to copy."""
    lock, path = any_lock(context, unit, "yarn"), unit.file(".yarnrc.yml")
    settings = context.read(path) if lock is not None and lock.is_berry else "nodeLinker: node-modules"
    if isinstance(settings, str) and re.search(r"(?m)^\"?nodeLinker\"?:\s*\"?(?:node-modules|pnpm)\"?\s*$", settings):
        return None
    why = f"{path} does not set nodeLinker, so Yarn keeps packages as archives (Plug'n'Play) and not in node_modules"
    return Refused(why, "set `nodeLinker: node-modules`")


def npm_major(image: BaseImage | None) -> int | None:
    """Major version of the npm that comes with the image's Node (nodejs.org, previous releases); None: not known.

    A tag that moves with the newest release has at least npm 10.
    """
    if image is None or image.family != "node":
        return None
    found = re.match(r"\d+", image.version)
    since = {18: 10, 16: 8, 15: 7, 10: 6, 8: 5}
    return 10 if found is None else next((npm for node, npm in since.items() if int(found[0]) >= node), 3)


def manifest_copy(project: Project) -> tuple[Instruction, str] | None:
    """The COPY that puts package.json where the install runs, if another file can be added to it, and the word for
    package.json in it."""
    reading = project.layout.reading
    for copied in reversed(reading.copies_before(project.step.node)):
        node = copied.node
        if copied.source != project.package.path or copied.target != posixpath.join(project.folder, "package.json"):
            continue
        written = reading.expand(node.destination or "", node)
        step = next(step for step in reading.steps if step.node is node)
        is_plain = node.json is None and node.keyword == "COPY" and not any("<<" in raw for raw in node.sources)
        if not is_plain or written is None or join(step.workdir, written) != project.folder:
            return None
        return next(((node, raw) for raw in node.sources if posixpath.basename(raw) == "package.json"), None)
    return None


def why_not_frozen(project: Project, *, may_copy: bool = False) -> Refused | str:
    """The lockfile that a reproducible install takes, or why it would fail.

    ``may_copy``: it may lie beside a package.json that is copied alone (see :func:`manifest_copy`).
    """
    context, package, manager, path = project.context, project.package, project.manager, project.lock_path
    if path is None:
        return _why_no_lock(project)
    if not project.has(path) and not (may_copy and manifest_copy(project)):
        hint = f"copy {posixpath.basename(path)} together with package.json"
        return Refused(f"{path} is not copied before the install", hint)
    lock, others, again = MANAGER[manager].read(context, path), project.members, f"`{manager} install`"
    if isinstance(lock, Unknown):
        return Refused(
            f"{path} cannot be read: {lock.reason.removeprefix(f'{path}: ')}", f"write it again with {again}"
        )
    if isinstance(others, Refused):
        return others
    fits = lock_matches(package, lock, others)
    if isinstance(fits, Unknown):
        return Refused(f"whether {path} fits {package.path} is not known: {fits.reason}")
    if not fits:
        return Refused(f"{path} does not match {package.path}", f"run {again} and commit the lockfile")
    return (_why_not_npm(project, lock) if manager == "npm" else None) or path


def _why_no_lock(project: Project) -> Refused:
    context, unit, manager = project.context, project.unit, project.manager
    names = MANAGER[manager].lockfiles
    ignored = next((path for path in map(unit.file, names) if context.is_on_disk(path) is True), None)
    if ignored is not None:
        return Refused(f"{ignored} is left out by {context.ignore_file}", f"let {ignored} through there")
    other = next((path for kind in MANAGER if (path := lock_path(context, unit, kind)) is not None), None)
    if other is not None:
        because = f"there is no lockfile of {manager}, only {other}, which {manager} does not read"
        return Refused(because, f"install with the manager that wrote {other}, or commit a lockfile of {manager}")
    because = f"{project.package.path} has no lockfile beside it, so versions are chosen anew at every build"
    return Refused(because, f"commit the {names[0 if manager == 'bun' else -1]} that `{manager} install` writes")


def _why_not_npm(project: Project, lock: NodeLock) -> Refused | None:
    npm, image = project.npm, project.layout.reading.stage.image
    if npm is None:
        because = f"the version of npm in {image} is not known, and older ones have no `npm ci`"
        return Refused(because, "use an official Node image")
    if npm < (7 if lock.version == "3" else 5):
        because = f"npm {npm} of {image} cannot install from {lock.path}, which is of version {lock.version}"
        return Refused(because, "use a newer Node image, or write the lockfile with `npm install --lockfile-version 2`")
    return _why_not_peers(project, lock) if npm >= 7 else None


def _why_not_peers(project: Project, lock: NodeLock) -> Refused | None:
    """npm 7 and later wants peer dependencies in the lockfile; one written with --legacy-peer-deps lacks them."""
    path = project.unit.file(".npmrc")
    settings = project.context.read(path) if project.has(path) else ""
    is_set = isinstance(settings, str) and re.search(r"(?m)^\s*legacy-peer-deps\s*=\s*true\s*$", settings)
    if project.call.has("--legacy-peer-deps") or is_set:
        return None
    packages = table(table(project.context.json(lock.path)).get("packages"))
    for location, value in packages.items():
        entry = table(value)
        if entry.get("peer") is True or "node_modules/" not in location:
            continue
        meta = table(entry.get("peerDependenciesMeta"))
        for name in table(entry.get("peerDependencies")):
            is_optional = table(meta.get(name)).get("optional") is True
            if not is_optional and not _resolves(location, name, packages):
                return Refused(
                    f"{lock.path} lacks {name}, which {location.rpartition('node_modules/')[2]} wants"
                    " as a peer: `npm ci` would refuse it",
                    "run `npm install` without --legacy-peer-deps, or set it in .npmrc",
                )
    return None


def _resolves(location: str, name: str, packages: Mapping[str, object]) -> bool:
    """A package is found from another one's folder, as Node looks for it: there, or above."""
    while location:
        location = location.rpartition("node_modules/")[0]
        if f"{location}node_modules/{name}" in packages:
            return True
    return f"node_modules/{name}" in packages
