"""An installed project: its manager, lockfile, members, and what its install reads and runs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.bun_lock import read_bun_lock
from refactor.context.node_manifests import (
    NodeLock,
    PackageJson,
    lock_matches,
    read_npm_lock,
    read_package_json,
    read_pnpm_lock,
    read_yarn_lock,
    workspace_members,
)
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, folder_of_call
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.images import BaseImage
from refactor.shell import Command, PackageCall
from refactor.syntax import Instruction

LOCKFILES: dict[str, tuple[str, ...]] = {
    "npm": ("npm-shrinkwrap.json", "package-lock.json"),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
    "bun": ("bun.lock", "bun.lockb"),
}


class Project(NamedTuple):
    """One dependency installation of a stage, with the project it installs."""

    step: Step
    command: Command
    call: PackageCall
    unit: Unit
    manager: str

    @property
    def folder(self) -> str:
        return self.unit.folder

    @property
    def package(self) -> PackageJson:
        return self.unit.package

    @property
    def source(self) -> str:
        return self.unit.source


def project_installs(reading: StageReading) -> tuple[Project | tuple[Step, Refused], ...]:
    """The installs of a stage's projects, in order; not of global or single packages."""
    return reading.remember("node installs", lambda: tuple(_project_installs(reading, Layout.of(reading))))


def projects(reading: StageReading) -> tuple[Project, ...]:
    """Those of them whose project is known."""
    return tuple(one for one in project_installs(reading) if isinstance(one, Project))


def _project_installs(reading: StageReading, layout: Layout) -> Iterator[Project | tuple[Step, Refused]]:
    for step, call in reading.calls:
        if call.manager not in MANAGERS or call.action not in INSTALLING or call.packages:
            continue
        here = step.folder_of(call.command)
        if here is None:
            yield (
                step,
                Refused(f"the folder that `{call.program} {call.verb}` runs in is not known: it follows a variable"),
            )
            continue
        here = folder_of_call(call, here)
        unit = layout.unit(here, step.node)
        if unit is None:
            yield step, why_no_project(layout, call, here, step)
            continue
        # Only npm looks for the project in the folders above.
        if unit.folder != here and call.manager == "bun":
            yield step, why_no_project(layout, call, here, step)
            continue
        yield Project(step, call.command, call, unit, call.manager)


def why_no_project(layout: Layout, call: PackageCall, folder: str, step: Step) -> Refused:
    context = layout.context
    if context.why_unknown is not None:
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    broken = layout.broken_unit(folder, step.node)
    if broken is not None:
        return Refused(f"package.json cannot be read: {broken.reason.removeprefix('package.json: ')}", "repair it")
    where = (
        "is left out by .dockerignore" if context.is_ignored("package.json") is True else "is not copied there before"
    )
    return Refused(
        f"`{call.program} {call.verb or 'install'}` in {folder} has no package.json that is known: it {where}",
        "copy package.json before that line; where it is copied, name the folder that holds it with --context",
    )


def lock_path(context: BuildContext, source: str, manager: str) -> str | None:
    """The lockfile of the manager beside a manifest, None where the build sees none."""
    for name in LOCKFILES.get(manager, ()):
        path = posixpath.join(source, name)
        if context.exists(path) is True:
            return path
    return None


def read_lock(context: BuildContext, path: str, manager: str) -> NodeLock | Unknown:
    if manager == "npm":
        return read_npm_lock(context, path)
    if manager == "yarn":
        return read_yarn_lock(context, path)
    if manager == "pnpm":
        return read_pnpm_lock(context, path)
    return read_bun_lock(context, path)


def any_lock(context: BuildContext, unit: Unit, manager: str = "npm") -> NodeLock | None:
    """Any lockfile of the project that can be read, for facts about its packages; the manager's own first."""
    for name in dict.fromkeys((manager, "npm", "yarn", "pnpm", "bun")):
        path = lock_path(context, unit.source, name)
        lock = read_lock(context, path, name) if path is not None else None
        if lock is not None and not isinstance(lock, Unknown):
            return lock
    return None


def members(context: BuildContext, package: PackageJson) -> tuple[PackageJson, ...] | Unknown:
    """The manifests of the workspace's other members."""
    paths = workspace_members(context, package)
    if isinstance(paths, Unknown):
        return paths
    found = []
    for path in paths:
        member = read_package_json(context, path)
        if isinstance(member, Unknown):
            return member
        found.append(member)
    return tuple(found)


def npm_major(image: BaseImage | None) -> int | None:
    """Major version of the npm that comes with the image's Node (nodejs.org, previous releases); None: not known.

    A tag that moves with the newest release has at least npm 10.
    """
    if image is None or image.family != "node":
        return None
    found = re.match(r"\d+", image.version)
    if found is None:
        return 10
    major = int(found[0])
    if major >= 15:
        return 7 if major == 15 else 8 if major < 18 else 10
    return 6 if major >= 10 else 5 if major >= 8 else 3


def manifest_copy(layout: Layout, project: Project) -> tuple[Instruction, str] | None:
    """The COPY that puts package.json where the install runs, if another file can be added to it, and the word for
    package.json in it."""
    reading = layout.reading
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


def why_not_frozen(layout: Layout, project: Project, *, may_copy: bool = False) -> Refused | str:
    """The lockfile that a reproducible install takes, or why it would fail.

    ``may_copy``: it may lie beside a package.json that is copied alone (see :func:`manifest_copy`).
    """
    context, package, manager = layout.context, project.package, project.manager
    path = lock_path(context, project.source, manager)
    if path is None:
        ignored = [
            posixpath.join(project.source, name)
            for name in LOCKFILES.get(manager, ())
            if context.is_on_disk(posixpath.join(project.source, name)) is True
        ]
        if ignored:
            return Refused(f"{ignored[0]} is left out by {context.ignore_file}", f"let {ignored[0]} through there")
        other = [
            posixpath.join(project.source, name)
            for kind, names in LOCKFILES.items()
            if kind != manager
            for name in names
            if context.exists(posixpath.join(project.source, name)) is True
        ]
        if other:
            return Refused(
                f"there is no lockfile of {manager}, only {other[0]}, which {manager} does not read",
                f"install with the manager that wrote {other[0]}, or commit a lockfile of {manager}",
            )
        return Refused(
            f"{project.package.path} has no lockfile beside it, so versions are chosen anew at every build",
            f"commit the {LOCKFILES[manager][0 if manager == 'bun' else -1]} that `{manager} install` writes",
        )
    if not is_at(layout, path, project) and not (may_copy and manifest_copy(layout, project)):
        return Refused(
            f"{path} is not copied before the install", f"copy {posixpath.basename(path)} together with package.json"
        )
    lock = read_lock(context, path, manager)
    if isinstance(lock, Unknown):
        return Refused(
            f"{path} cannot be read: {lock.reason.removeprefix(f'{path}: ')}",
            f"write it again with `{manager} install`",
        )
    others = members(context, package)
    if isinstance(others, Unknown):
        return Refused(f"the workspace's members are not known: {others.reason}")
    fits = lock_matches(package, lock, others)
    if isinstance(fits, Unknown):
        return Refused(f"whether {path} fits {package.path} is not known: {fits.reason}")
    if not fits:
        return Refused(f"{path} does not match {package.path}", f"run `{manager} install` and commit the lockfile")
    return _why_not_npm(layout, project, lock) or path


def _why_not_npm(layout: Layout, project: Project, lock: NodeLock) -> Refused | None:
    if lock.manager != "npm":
        return None
    npm = npm_major(layout.reading.image)
    if npm is None:
        return Refused(
            f"the version of npm in {layout.reading.stage.image} is not known, and older ones have no `npm ci`",
            "use an official Node image",
        )
    if npm < 5:
        return Refused(f"npm {npm} of {layout.reading.stage.image} has no `npm ci`", "use a newer Node")
    if lock.version == "3" and npm < 7:
        return Refused(
            f"{lock.path} is of version 3, which npm {npm} of {layout.reading.stage.image} cannot install from",
            "use a newer Node image, or write the lockfile with `npm install --lockfile-version 2`",
        )
    if lock.version == "1" and npm >= 7:
        return Refused(
            f"{lock.path} is of version 1, which lacks the peer dependencies that npm {npm} adds: `npm"
            " ci` may refuse it",
            "run `npm install` with the Node of the image and commit the lockfile",
        )
    return _why_not_peers(layout, project, lock) if npm >= 7 else None


def _why_not_peers(layout: Layout, project: Project, lock: NodeLock) -> Refused | None:
    """npm 7 and later wants peer dependencies in the lockfile; one written with --legacy-peer-deps lacks them."""
    if project.call.has("--legacy-peer-deps") or _setting(layout, project, "legacy-peer-deps") == "true":
        return None
    data = layout.context.json(lock.path)
    packages = data.get("packages") if isinstance(data, dict) else None
    if not isinstance(packages, dict):
        return None
    for location, entry in packages.items():
        if not isinstance(entry, dict) or not isinstance(location, str) or entry.get("peer") is True:
            continue
        peers, meta = entry.get("peerDependencies"), entry.get("peerDependenciesMeta")
        if not isinstance(peers, dict) or "node_modules/" not in location:
            continue
        for name in peers:
            about = meta.get(name) if isinstance(meta, dict) else None
            if isinstance(about, dict) and about.get("optional") is True:
                continue
            if not _resolves(location, str(name), packages):
                return Refused(
                    f"{lock.path} lacks {name}, which {location.rpartition('node_modules/')[2]} wants"
                    " as a peer:"
                    " `npm ci` would refuse it",
                    "run `npm install` without --legacy-peer-deps, or set it in .npmrc",
                )
    return None


def _resolves(location: str, name: str, packages: dict[object, object]) -> bool:
    here = location
    while True:
        here = here.rpartition("node_modules/")[0]
        if f"{here}node_modules/{name}" in packages:
            return True
        if not here:
            return False
        here = here.rstrip("/")
        if "node_modules/" not in here:
            # A member's own folder; the root's node_modules comes next.
            return f"node_modules/{name}" in packages


def _setting(layout: Layout, project: Project, name: str) -> str | None:
    text = layout.context.read(posixpath.join(project.source, ".npmrc"))
    if isinstance(text, Unknown) or not is_at(layout, posixpath.join(project.source, ".npmrc"), project):
        return None
    found = re.search(rf"(?m)^\s*{re.escape(name)}\s*=\s*(\S+)", text)
    return found[1] if found else None


def is_at(layout: Layout, path: str, project: Project) -> bool:
    """The context's ``path`` is beside the project's package.json in the image when the install runs."""
    place = posixpath.join(project.folder, posixpath.relpath(path, project.source or "."))
    return layout.source(posixpath.normpath(place), project.step.node) == path


__all__ = [
    "LOCKFILES", "Project", "any_lock", "is_at", "lock_path", "manifest_copy", "members", "npm_major",
    "project_installs", "projects", "read_lock", "why_not_frozen",
]  # fmt: skip
