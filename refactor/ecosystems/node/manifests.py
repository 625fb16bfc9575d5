"""What an installation reads of the build context: manifests, lockfiles, settings, and what its own scripts open; what
those scripts need, and what becomes of them when the install runs none."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.programs import Ran, node_entry, owner
from refactor.ecosystems.node.projects import MANAGER, Project, project_installs
from refactor.ecosystems.node.sources import facts, opens_files, script_files, why_reads
from refactor.flow.reading import Refused, StageReading, Step

_HOOKS = names("hooks")
_READS_NOTHING = _HOOKS - {"git"} | names("read-nothing")
_TOLERANT = _HOOKS | {"svelte-kit", "nuxt", "nuxi"}
"""Programs that may fail at install without harm where the script says so (``|| true``)."""
_APART = "run it in a RUN of its own after the sources are copied, and install with --ignore-scripts"


class Reads(NamedTuple):
    """What an install reads."""

    manifests: tuple[str, ...]
    """Context paths."""
    evidence: tuple[str, ...]


def reads(project: Project) -> Reads | Refused:
    """Context paths of everything that the install reads, or what keeps that from being known."""
    found: dict[str, str] = {}
    for one in _read(project):
        if isinstance(one, Refused):
            return one
        found[one[0]] = found.get(one[0]) or one[1]
    reading = project.layout.reading
    there = tuple(path for path in found if reading.in_image(path, project.step.node))
    if project.context.exists("package.json") is True and not there:
        return Refused("nothing of what the install reads is known to be copied before it")
    return Reads(there, tuple(dict.fromkeys(why for why in found.values() if why)))


def _read(project: Project) -> Iterator[tuple[str, str] | Refused]:
    """Context paths, each with what is to be said of it."""
    context, unit, package, others = project.context, project.unit, project.package, project.members
    if isinstance(others, Refused):
        yield others
        return
    count = f"{package.path} has {len(others)} workspace members, whose manifests the install reads"
    yield package.path, count if others else ""
    manager = MANAGER[project.manager]
    for path in map(unit.file, (*manager.lockfiles, *manager.settings)):
        if context.exists(path) is True and not (path.endswith(".yarn") and not _has_files(context, path)):
            yield path, ""
    yield from ((unit.file(path.removeprefix("./")), "") for path in package.patches)
    patches = unit.file("patches")
    calls_patch = any("patch-package" in script for script in package.install_scripts.values())
    if calls_patch and context.is_dir(patches) is True:
        yield patches, f"patch-package applies {patches}/ at the install"
    yield from ((member.path, "") for member in others)
    for manifest in (package, *others):
        for name, path in manifest.local_dependencies.items():
            target = posixpath.normpath(posixpath.join(manifest.folder, path))
            if context.exists(target) is not True:
                yield Refused(f"{manifest.path} wants {name} from {path}, which is not in the build context")
            elif not any(other.folder == target for other in others):
                yield target, f"{name} is a local package, {target}"
    for manifest, name, ran in project.scripts():
        yield from _of_script(project, manifest, name, ran)
    schema, svelte = unit.file("prisma/schema.prisma"), unit.file("svelte.config.js")
    if project.runs_scripts and "@prisma/client" in package.wanted and context.exists(schema) is True:
        # @prisma/client's own postinstall generates the client where it finds a schema (until Prisma 7).
        told = f"@prisma/client generates its client from {posixpath.dirname(schema)}/ at the install"
        yield schema, told
    if project.runs_scripts and "@sveltejs/kit" in package.wanted and context.exists(svelte) is True:
        # Its postinstall (until 2.16) runs `svelte-kit sync`, which does nothing without svelte.config.js; the
        # build syncs as well, and warns once that tsconfig.json extends a file which it is about to write.
        told = "@sveltejs/kit makes .svelte-kit/ when it builds, not at the install, which has no sources"
        yield package.path, told


def _of_script(project: Project, manifest: PackageJson, name: str, ran: Ran) -> Iterator[tuple[str, str] | Refused]:
    """What a program of an install script reads: it must be known to read no sources."""
    context, told = project.context, f"`{name}` of {manifest.path}"
    if ran.program in _READS_NOTHING or (ran.is_tolerated and ran.program in _TOLERANT):
        return
    schema = posixpath.join(manifest.folder, "prisma/schema.prisma")
    if ran.program == "prisma" and context.exists(schema) is True:
        yield schema, f"`{name}` runs prisma, which reads {schema}"
        return
    entry = node_entry(ran.args) if ran.program == "node" else None
    code = " ".join(ran.args) if {"-e", "--eval"} & {*ran.args} else "import("
    if entry is not None:
        yield from _of_node(project, f"{told} runs {entry}", name, ran, entry)
    elif ran.program == "?":
        yield Refused(f"{told} cannot be read: {ran.args[0]}", _APART)
    elif ran.program != "node" or re.search(r"require\(\s*['\"]\.|import\(", code) or opens_files(code):
        shown = f"{ran.program} {' '.join(ran.args)}".strip()
        yield Refused(f"{told} runs `{shown[:60]}`, which may read the sources", _APART)


def _of_node(project: Project, told: str, name: str, ran: Ran, entry: str) -> Iterator[tuple[str, str] | Refused]:
    files = _files_of(project, ran, entry)
    if files is None:
        yield Refused(f"{told}, which is not in the build context as named", _APART)
        return
    for file in files:
        why = why_reads(project.context, file)
        if why is not None:
            yield Refused(f"{told}, {f'which {why}' if file == files[0] else f'whose {file} {why}'}", _APART)
        yield file, f"`{name}` runs {', '.join(files)}, which opens no other file"


def _files_of(project: Project, ran: Ran, entry: str) -> tuple[str, ...] | None:
    """The sources of what ``node`` runs; None where they are not all in the context."""
    path = project.layout.source(posixpath.normpath(posixpath.join(ran.folder, entry)), project.step.node)
    return script_files(project.context, path) if path else None


def _has_files(context: BuildContext, path: str) -> bool:
    names = context.children(path)
    return isinstance(names, tuple) and any(name != "cache/" or context.children(path + "/cache") for name in names)


# Scripts of the project that its install runs


def own_scripts(reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.own_scripts`."""
    return [answer for project in project_installs(reading)
            if isinstance(project, Project) and (answer := _apart(project)) is not None]  # fmt: skip


def _apart(project: Project) -> Rewrite | tuple[Step, Refused] | None:
    """The install without its own scripts, and those behind it; None where they are not in the way."""
    step, package = project.step, project.package
    # Where manifests alone are copied before, the scripts do not get the sources anyway.
    is_late = any(copied.is_folder for copied in project.layout.reading.copies_before(step.node))
    if not package.install_scripts or not is_late or not isinstance(reads(project), Refused):
        return None
    if isinstance(reads(project.without_scripts()), Refused):
        return None
    scripts = " and ".join(f"`{name}`" for name in package.install_scripts)
    # `npm run x` runs `prex` and `postx` too.
    first = "install" if "install" in package.scripts else "postinstall"
    called = [name for name in (first, "prepare") if name in package.scripts]
    early = next((name for name in package.install_scripts if name in {"preinstall", "prepublish"} or not called), None)
    reason = why_scripts_needed(project)
    if reason is None and early is not None:
        reason = f"`{early}` runs before the packages are there, or at other times too"
    if reason is not None:
        return step, Refused(f"{scripts} of {package.path} cannot run apart from the install: {reason}")
    folder = project.call.option("--prefix", "--cwd", "-C", "--dir")
    if folder is not None:
        return step, Refused(f"the install names its folder, {folder}", "use WORKDIR instead")
    written = " ".join(word.text for word in project.command.words)
    calls = " && ".join(f"{project.manager} run {name}" for name in called)
    evidence = (
        f"{scripts} of {package.path} may read the sources; the install itself does not",
        f"{project.lock_path} names no dependency with an install script",
    )
    return Rewrite(step, project.command, f"{written} --ignore-scripts && {calls}", evidence)


def why_scripts_needed(project: Project, *, production: bool = False) -> str | None:
    """Why an install with --ignore-scripts would lack more than the project's own scripts; None where it is known
    not to."""
    package, path, others = project.package, project.lock_path, project.members
    if project.manager not in {"npm", "pnpm"} or path is None:
        of = "which dependencies have install scripts is known from a lockfile of npm or pnpm"
        return f"{of}; {package.path} has none"
    lock = project.lock
    if lock is None or lock.path != path or not lock.records_install_scripts or lock.version == "1":
        return f"{path} does not record which packages run install scripts, or cannot be read"
    if project.manager == "npm" and (project.npm or 0) < 7:
        return "npm before 7 runs other scripts"
    for locked in lock.packages:
        if production and locked.is_dev:
            continue
        if locked.has_install_script and locked.is_for_linux and not locked.is_link and locked.location:
            return f"{locked.name} has an install script of its own"
        if (locked.resolved or "").startswith("git"):
            return f"{locked.name} comes from a repository, and is built at the install"
    if isinstance(others, Refused):
        return others.because
    other = next((other for other in others if other.install_scripts), None)
    if other is not None:
        return f"{other.path} has install scripts too"
    if package.local_dependencies:
        return f"{next(iter(package.local_dependencies))} is a local package"
    if project.context.exists(project.unit.file("binding.gyp")) is True:
        return "binding.gyp is compiled at the install"
    return None


def only_hooks(project: Project) -> bool:
    """The install scripts set up hooks of a clone, and nothing else."""
    return all(ran.program in _HOOKS for manifest, _, ran in project.scripts() if manifest is project.package)


def lifecycle_needs_dev(project: Project) -> str | None:
    """The install script that calls a development dependency, so that an install without those fails."""
    for manifest, name, ran in project.scripts():
        told = f"`{name}` of {manifest.path}"
        if ran.is_tolerated or name == "prepublish":
            continue
        if ran.program == "?":
            return f"{told} cannot be read: {ran.args[0]}"
        package = owner(ran.program, manifest) or owner(ran.program, project.package)
        if package is not None and not manifest.is_production(package) and not project.package.is_production(package):
            return f"{told} runs {ran.program}, a development dependency"
        entry = node_entry(ran.args) if ran.program == "node" else None
        for file in (_files_of(project, ran, entry) or ()) if entry is not None else ():
            for imported in facts(project.context, file).packages:
                if imported in manifest.dev_dependencies and not manifest.is_production(imported):
                    return f"{told} runs {file}, which imports {imported}, a development dependency"
    return None
