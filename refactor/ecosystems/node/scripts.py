"""Scripts of the project that its install runs: what they need, and what becomes of them when it runs none."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from refactor.context import Unknown
from refactor.context.node_manifests import PackageJson
from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.manifests import reads, without_scripts
from refactor.ecosystems.node.programs import Programs, Ran, node_entry, owner
from refactor.ecosystems.node.projects import (
    Project,
    lock_path,
    members,
    npm_major,
    project_installs,
    read_lock,
)
from refactor.ecosystems.node.sources import facts, script_files
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Refused, StageReading, Step

_HOOKS = words("husky husky-run simple-git-hooks lefthook pinst is-ci skip-ci git true echo exit : test [ only-allow")
"""Programs that set up hooks of a developer's clone, and what guards them; an image has no use for them."""


def own_scripts(reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.own_scripts`."""
    layout = Layout.of(reading)
    found: list[Rewrite | tuple[Step, Refused]] = []
    for project in project_installs(reading):
        if not isinstance(project, Project) or not project.package.install_scripts:
            continue
        if not any(copied.is_folder for copied in reading.copies_before(project.step.node)):
            # The manifests come first, and the scripts do not get the sources anyway.
            continue
        is_held_up = isinstance(reads(layout, project), Refused)
        if not is_held_up or isinstance(reads(layout, without_scripts(project)), Refused):
            # The scripts are not what needs the sources, or not they alone.
            continue
        scripts = " and ".join(f"`{name}`" for name in project.package.install_scripts)
        reason = why_scripts_needed(layout, project) or _why_not_later(project)
        if reason is not None:
            because = f"{scripts} of {project.package.path} cannot run apart from the install: {reason}"
            found.append((project.step, Refused(because)))
            continue
        written = " ".join(word.text for word in project.command.words)
        calls = " && ".join(f"{project.manager} run {name}" for name in _called(project.package))
        folder = project.call.option("--prefix", "--cwd", "-C", "--dir")
        if folder is not None:
            found.append((project.step, Refused(f"the install names its folder, {folder}", "use WORKDIR instead")))
            continue
        found.append(
            Rewrite(
                project.step,
                project.command,
                f"{written} --ignore-scripts && {calls}",
                (
                    f"{scripts} of {project.package.path} may read the sources; the install itself does not",
                    f"{lock_path(layout.context, project.source, project.manager)} names no dependency with an install"
                    " script",
                ),
            )
        )
    return found


def _called(package: PackageJson) -> tuple[str, ...]:
    """The scripts to run by name: `npm run x` runs `prex` and `postx` too."""
    first = ("install",) if "install" in package.scripts else ("postinstall",)
    return tuple(name for name in (*first, "prepare") if name in package.scripts)


def _why_not_later(project: Project) -> str | None:
    for name in ("preinstall", "prepublish"):
        if name in project.package.scripts:
            return f"`{name}` runs before the packages are there, or at other times too"
    if not _called(project.package):
        return "they come around a script that is not there"
    return None


def why_scripts_needed(layout: Layout, project: Project, *, production: bool = False) -> str | None:
    """Why an install with --ignore-scripts would lack more than the project's own scripts; None where it is known
    not to."""
    context, package = layout.context, project.package
    path = lock_path(context, project.source, project.manager)
    if project.manager not in {"npm", "pnpm"} or path is None:
        return (
            f"which dependencies have install scripts is known from a lockfile of npm or pnpm; {package.path} has none"
        )
    lock = read_lock(context, path, project.manager)
    if isinstance(lock, Unknown):
        return f"{path} cannot be read: {lock.reason}"
    if not lock.records_install_scripts or lock.version == "1":
        return f"{path} does not record which packages run install scripts"
    npm = npm_major(layout.reading.image)
    if project.manager == "npm" and (npm is None or npm < 7):
        return "npm before 7 runs other scripts"
    for locked in lock.packages:
        if production and locked.is_dev:
            continue
        if locked.has_install_script and locked.is_for_linux and not locked.is_link and locked.location:
            return f"{locked.name} has an install script of its own"
        if (locked.resolved or "").startswith("git"):
            return f"{locked.name} comes from a repository, and is built at the install"
    others = members(context, package)
    if isinstance(others, Unknown):
        return f"the workspace's members are not known: {others.reason}"
    for other in others:
        if other.install_scripts:
            return f"{other.path} has install scripts too"
    if package.local_dependencies:
        return f"{next(iter(package.local_dependencies))} is a local package"
    if context.exists(posixpath.join(project.source, "binding.gyp")) is True:
        return "binding.gyp is compiled at the install"
    return None


def only_hooks(layout: Layout, project: Project) -> bool:
    """The install scripts set up hooks of a clone, and nothing else."""
    return all(
        ran.program in _HOOKS
        for text in project.package.install_scripts.values()
        for ran in Programs(layout, project.step.node).of_text(text, project.folder)
    )


def lifecycle_needs_dev(layout: Layout, project: Project) -> str | None:
    """The install script that calls a development dependency, so that an install without those fails."""
    if "--ignore-scripts" in project.call.flags:
        return None
    others = members(layout.context, project.package)
    manifests = (project.package, *(others if not isinstance(others, Unknown) else ()))
    for manifest in manifests:
        for name, text in manifest.install_scripts.items():
            if name == "prepublish":
                continue
            folder = posixpath.join(project.folder, manifest.folder[len(project.source) :].lstrip("/"))
            for ran in Programs(layout, project.step.node).of_text(text, folder):
                package = owner(ran.program, manifest) or owner(ran.program, project.package)
                is_dev = package is not None and not (
                    manifest.is_production(package) or project.package.is_production(package)
                )
                if is_dev and not ran.is_tolerated:
                    return f"`{name}` of {manifest.path} runs {ran.program}, a development dependency"
                if ran.program == "node" and not ran.is_tolerated:
                    problem = _script_imports_dev(layout, project, manifest, ran)
                    if problem is not None:
                        return f"`{name}` of {manifest.path} {problem}"
                if ran.program == "?" and not ran.is_tolerated:
                    return f"`{name}` of {manifest.path} cannot be read: {ran.args[0]}"
    return None


def _script_imports_dev(layout: Layout, project: Project, manifest: PackageJson, ran: Ran) -> str | None:
    entry = node_entry(ran.args)
    path = layout.source(posixpath.normpath(posixpath.join(ran.folder, entry)), project.step.node) if entry else None
    for file in (script_files(layout.context, path) or ()) if path else ():
        for name in facts(layout.context, file).packages:
            if name in manifest.dev_dependencies and not manifest.is_production(name):
                return f"runs {file}, which imports {name}, a development dependency"
    return None


__all__ = ["lifecycle_needs_dev", "only_hooks", "own_scripts", "why_scripts_needed"]
