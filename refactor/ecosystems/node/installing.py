"""Dependency installations: what they read of the build context (manifests, lockfiles, settings, what their own scripts
open) and write, and how they become reproducible and free of development dependencies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.answers import Install, Rewrite, installs_by_command
from refactor.ecosystems.node.builds import kind_of
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.layout import below
from refactor.ecosystems.node.needs import Started, program, started, why_dev_needed
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.programs import MANAGERS, Ran, node_entry, owner
from refactor.ecosystems.node.projects import MANAGER, Project, manifest_copy, project_installs, why_not_frozen
from refactor.ecosystems.node.sources import facts, opens_files, script_files, why_reads
from refactor.flow.closure import named, why_not_seen
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command, PackageCall
from refactor.syntax import Instruction

_HOOKS = names("hooks")
_READS_NOTHING = _HOOKS - {"git"} | names("read-nothing")
_TOLERANT = _HOOKS | {"svelte-kit", "nuxt", "nuxi"}
"""Programs that may fail at install without harm where the script says so (``|| true``)."""
_APART = "run it in a RUN of its own after the sources are copied, and install with --ignore-scripts"


def reads(project: Project) -> dict[str, str] | Refused:
    """Context paths of all that the install reads, with what is to be said of some; refused where that is not known."""
    found: dict[str, str] = {}
    for one in _read(project):
        if isinstance(one, Refused):
            return one
        found[one[0]] = found.get(one[0]) or one[1]
    reading = project.layout.reading
    there = {path: why for path, why in found.items() if reading.in_image(path, project.step.node)}
    if project.context.exists("package.json") is True and not there:
        return Refused("nothing of what the install reads is known to be copied before it")
    return there


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
    schema = unit.file("prisma/schema.prisma")
    if project.runs_scripts and "@prisma/client" in package.wanted and context.exists(schema) is True:
        # @prisma/client's own postinstall generates the client where it finds a schema (until Prisma 7).
        told = f"@prisma/client generates its client from {posixpath.dirname(schema)}/ at the install"
        yield schema, told


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


# The installs of a stage


_GLOBAL = ("/usr/local/lib/node_modules", "/usr/local/bin")
_INSTALLS = frozenset({"install", "ci", "add", "upgrade", "prune", "rebuild", "deploy"})
_LOOKS = frozenset({"-v", "--version", "-V"})


def installs(reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.installs`."""
    found: list[Install | tuple[Step, Refused]] = []
    for project in project_installs(reading):
        if not isinstance(project, Project):
            found.append(project)
            continue
        step, answer = project.step, reads(project)
        if isinstance(answer, Refused):
            found.append((step, answer))
        else:
            told = tuple(dict.fromkeys(filter(None, answer.values())))
            found.append(Install(step, _with_preparation(project), project.folder, tuple(answer), told))
    found += _global_installs(reading)
    return sorted(found, key=lambda one: reading.position(one[0].node))


def _global_installs(reading: StageReading) -> Iterator[Install]:
    """Programs that are installed by name for the whole image: nothing of the context is read for them."""
    for step, call in reading.calls:
        plain = all(word.value and not word.value.startswith((".", "/", "file:")) for word in call.packages)
        if call.manager in MANAGERS and call.action == "global-install" and call.packages and plain:
            names = ", ".join(word.literal for word in call.packages)
            yield Install(step, (call.command,), _GLOBAL[0], (), (f"{names}: installed by name, for the whole image",))


def _with_preparation(project: Project) -> tuple[Command, ...]:
    """The install with the settings of its manager right before it (``npm config set``)."""
    commands = [project.command]
    calls = {id(call.command): call for call in project.step.calls}
    for command in reversed(project.step.commands):
        call = calls.get(id(command))
        if command.span[0] >= project.command.span[0]:
            continue
        if call is None or call.manager != project.manager or call.verb not in {"config", "config set", "set"}:
            break
        commands.insert(0, command)
    return tuple(commands)


# What commands read and write


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Ecosystem.effect`."""
    if call.command.args and set(call.command.args) <= _LOOKS:
        return Effect()
    package = call.package
    if package is None:
        return _of_build(call)
    if package.manager == "corepack" or package.action == "global-install":
        return Effect(writes=_GLOBAL, needs=("network",))
    if package.action in {"config", "clean", "set-version", "", "get"}:
        return Effect(writes=call.paths("~/.npmrc") if package.action == "config" else ())
    return _of_install(call, package) if package.action in _INSTALLS else _of_build(call)


def _of_install(call: Invocation, package: PackageCall) -> Effect:
    """Reads the manifests; all that it puts anywhere goes below node_modules."""
    folder = call.path(package.option("--prefix", "-C", "--dir", "--cwd") or ".")
    writes = (posixpath.join(folder, "node_modules") if isinstance(folder, str) else folder,)
    install = installs_by_command(call.reading, installs).get(id(call.command))
    if install is None:
        return Effect((folder,), writes, needs=() if package.action in {"prune", "rebuild"} else ("network",))
    places = (call.reading.in_image(path, call.step.node)[-1:] for path in install.manifests)
    return Effect(tuple(path for one in places for path in one), writes, needs=("network",))


def _of_build(call: Invocation) -> Effect:
    """A program or a script of package.json: what its programs come down to."""
    writes: list[str | Unknown] = []
    for one in (built for _, command, built in kind_of(call.reading).builds if command is call.command):
        unknown = Unknown(one.why_unknown or f"where {one.ran.shown} writes is not known")
        writes += [unknown] if one.outputs is None else one.outputs
    return Effect(call.paths("."), tuple(writes))


# Reproducible, and without development dependencies


def production_install(reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    final = StageReading.of(reading.file, reading.file.stages[-1], reading.context)
    found: list[Rewrite | tuple[Step, Refused]] = []
    for project in project_installs(reading):
        if not isinstance(project, Project):
            found.append(project)
        elif not project.command.is_conditional and not (project.is_frozen and project.is_production):
            found += _one(project, final) if reading.context.why_unknown is None else ()
    return found


def _one(project: Project, final: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    evidence: list[str] = []
    copy: tuple[Instruction, str, str] | None = None
    frozen, path, is_frozen = project.is_frozen, project.package.path, project.is_frozen
    answer = None if is_frozen else why_not_frozen(project, may_copy=True)
    if isinstance(answer, Refused):
        yield project.step, answer
    elif answer is not None:
        found, frozen = manifest_copy(project), True
        if project.has(answer) or found is None:
            evidence.append(f"{answer} matches {path} and is copied before the install")
        else:
            node, word = found
            copy = node, word, word.removesuffix("package.json") + posixpath.basename(answer)
            line = project.layout.reading.file.line_of(node)
            evidence.append(f"{answer} matches {path}, which line {line} copies")
    drop, more = False, ""
    # Bun installs the same whatever NODE_ENV says.
    is_told = project.manager != "bun" and project.node_env == "production"
    if is_told and not project.drops_by_option and not project.is_berry and frozen and not is_frozen:
        drop = True
        evidence.append("NODE_ENV is production here, so the install leaves development dependencies out as before")
    elif not is_told and not project.drops_by_option:
        why = _why_keep_dev(project, final)
        if why is None:
            drop = frozen or project.has_dev
            evidence.append(_production_evidence(final))
            if drop and lifecycle_needs_dev(project) is not None:
                more = " --ignore-scripts"
                hooks = f"{', '.join(project.package.install_scripts)} of {path} sets up hooks of a clone"
                evidence.append(f"{hooks}, and no dependency has an install script")
        elif why.because:
            yield project.step, why
    script = project.step.script
    written = script.text[slice(*project.command.span)] if script is not None else ""
    text = _text(project, written, frozen, drop) + more
    if script is not None and text != written:
        yield Rewrite(project.step, project.command, text, tuple(evidence), copy)


def _production_evidence(final: StageReading) -> str:
    start, files = started(final), program(final)
    if start is None or not start.runs or isinstance(files, Refused):
        return "nothing in the stage needs development dependencies"
    return f"{start.runs[-1].shown} needs no development dependency; read: {named(files)}"


_NO_NEWS = Refused("")


def _why_keep_dev(project: Project, final: StageReading) -> Refused | None:
    """Why the development dependencies stay, without words where that is no news; None where they can go."""
    reading = project.layout.reading
    is_final = reading.stage is final.stage
    # What builds needs compilers; what is left over is pruned by the split. Asked first, as it is cheap.
    runs = any(call.manager in MANAGERS and call.action in {"run", "exec"} for _, call in reading.calls)
    if project.is_berry or (runs and not is_final):
        return _NO_NEWS
    built, start = kind_of(reading).compiles, started(final)
    if not is_final and (built is not None or start is None or not _is_used(project, start)):
        return _NO_NEWS
    if built is not None:
        because = f"{built.ran.shown} builds in this stage, with development dependencies"
        return Refused(because, "build in a stage of its own, and copy the result from there")
    reason = lifecycle_needs_dev(project)
    if reason is not None and not only_hooks(project):
        return Refused(reason, "guard that script, so that it does nothing without development dependencies")
    other = why_scripts_needed(project, production=True) if reason is not None else None
    if other is not None:
        return Refused(f"{reason}, and --ignore-scripts would leave out more: {other}", "guard that script")
    if start is None:
        because = "it is not known what the container runs: there is no CMD or ENTRYPOINT"
        return Refused(because, "add a CMD") if project.has_dev else _NO_NEWS
    return why_program_needs_dev(project, final)


def why_program_needs_dev(project: Project, final: StageReading) -> Refused | None:
    """Why what the final stage starts may need development dependencies of a project; None where it does not."""
    start = started(final)
    unit = start.unit if start is not None else None
    if start is None or unit is None:
        return Refused("the package.json of what is started is not known", "copy it beside the program")
    if below(unit.folder, project.folder) is None:
        # Another project is installed here, such as a front end beside the server.
        because = f"{project.package.path} is not the project that is started"
        return Refused(because, "leave development dependencies out by hand")
    seen = why_not_seen(final) or program(final)
    if isinstance(seen, Refused):
        return seen
    reason = why_dev_needed(start, unit, project.package, project.lock)
    return None if reason is None else Refused(reason, "move what is needed at run time to dependencies")


def _is_used(project: Project, start: Started) -> bool:
    """The final stage takes installed packages from that of the project, or is built from it."""
    stage, layout, packages = project.layout.reading.stage, start.layout, f"{project.folder}/node_modules"
    one: StageReading | None = layout.reading
    while one is not None and one.stage is not stage:
        one = None if one.parent is None else layout.flow.readings[one.parent.index]
    return one is not None or any(
        below(packages, source) is not None or source.endswith("/node_modules")
        for _, source in layout.taken_from(stage)
    )


def _text(project: Project, written: str, frozen: bool, drop: bool) -> str:
    """The command with the wanted options."""
    call, start, freezes = project.call, project.command.span[0], frozen and not project.is_frozen
    name, verb = project.command.words[0].span[1] - start, call.verb_word.span
    old = project.npm is not None and project.npm < 7
    if project.manager == "npm":
        if frozen and call.action == "install":
            written = written[: verb[0] - start] + "ci" + written[verb[1] - start :]
            written = re.sub(r"\s+(?:--no-save|--save|-S|--package-lock(?:=\S+)?|--prefer-dedupe)(?=\s|$)", "", written)
        return written + (" --only=production" if old else " --omit=dev") * drop
    if call.verb == "" and (frozen or drop) and not project.is_frozen:
        written = written[:name] + " install" + written[name:]
    written += (" --immutable" if project.is_berry else " --frozen-lockfile") * freezes
    return written + f" {MANAGER[project.manager].production}" * drop
