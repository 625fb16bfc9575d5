"""Dependency installations: what they read, and how they become reproducible and free of development dependencies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Install, Rewrite
from refactor.ecosystems.node.builds import kind_of
from refactor.ecosystems.node.layout import Layout, below
from refactor.ecosystems.node.manifests import reads
from refactor.ecosystems.node.needs import Started, started, why_dev_needed
from refactor.ecosystems.node.program import program
from refactor.ecosystems.node.programs import MANAGERS
from refactor.ecosystems.node.projects import (
    Project,
    any_lock,
    is_at,
    lock_path,
    manifest_copy,
    members,
    npm_major,
    project_installs,
    why_not_frozen,
)
from refactor.ecosystems.node.scripts import lifecycle_needs_dev, only_hooks, why_scripts_needed
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command
from refactor.syntax import Instruction

_PRODUCTION = ("--production", "--prod", "-P", "-p", "--omit=dev", "--only=production", "--only=prod")


def installs(reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.installs`."""
    layout = Layout.of(reading)
    found: list[Install | tuple[Step, Refused]] = []
    for project in project_installs(reading):
        if not isinstance(project, Project):
            found.append(project)
            continue
        answer = reads(layout, project)
        if isinstance(answer, Refused):
            found.append((project.step, answer))
            continue
        found.append(
            Install(project.step, _with_preparation(project), project.folder, answer.manifests, answer.evidence)
        )
    found += _global_installs(reading)
    return sorted(found, key=lambda one: reading.position(one[0].node))


_GLOBAL = "/usr/local/lib/node_modules"


def _global_installs(reading: StageReading) -> Iterator[Install]:
    """Programs that are installed by name for the whole image: nothing of the context is read for them."""
    for step, call in reading.calls:
        plain = all(word.value and not word.value.startswith((".", "/", "file:")) for word in call.packages)
        if call.manager in MANAGERS and call.action == "global-install" and call.packages and plain:
            names = ", ".join(word.literal for word in call.packages)
            yield Install(step, (call.command,), _GLOBAL, (), (f"{names}: installed by name, for the whole image",))


def _with_preparation(project: Project) -> tuple[Command, ...]:
    """The install with the commands right before it that set it up (``cd app``, ``npm config set``)."""
    commands = [project.command]
    for command in reversed(project.step.commands):
        if command.span[0] >= project.command.span[0]:
            continue
        call = next((call for call in project.step.calls if call.command is command), None)
        is_setting = (
            call is not None and call.manager == project.manager and call.verb in {"config", "config set", "set"}
        )
        if not is_setting:
            break
        commands.insert(0, command)
    return tuple(commands)


def is_production(project: Project, node_env: str | None) -> bool:
    """The install leaves development dependencies out already."""
    call = project.call
    if any(option == "--include" and value == "dev" for option, value in call.options):
        return False
    if any(call.has(flag) for flag in _PRODUCTION) or "dev" in call.values("--omit"):
        return call.option("--production", "--prod") != "false"
    if {"production", "prod"} & set(call.values("--only")):
        return True
    # npm, Yarn 1 and pnpm leave them out where NODE_ENV says production; Yarn 2 and later and Bun do not.
    return node_env == "production" and project.manager != "bun"


def node_env(reading: StageReading, project: Project) -> str | None:
    """The value of NODE_ENV when the install runs, None where it is not set."""
    for name, word in project.command.assignments:
        if name == "NODE_ENV":
            return word.literal
    return reading.file.environment(project.step.node).get("NODE_ENV")


def production_install(reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    layout = Layout.of(reading)
    stages = reading.file.stages
    final = StageReading.of(reading.file, stages[-1], reading.context)
    found: list[Rewrite | tuple[Step, Refused]] = []
    for project in project_installs(reading):
        if not isinstance(project, Project):
            found.append(project)
            continue
        if project.command.is_conditional:
            continue
        if _is_frozen(project) and is_production(project, node_env(reading, project)):
            continue
        found += _one(layout, project, final)
    return found


def _one(layout: Layout, project: Project, final: StageReading) -> list[Rewrite | tuple[Step, Refused]]:
    reading = layout.reading
    if reading.context.why_unknown is not None:
        return []
    # Bun installs the same whatever NODE_ENV says.
    env = None if project.manager == "bun" else node_env(reading, project)
    has_flag = is_production(project, None)
    evidence: list[str] = []
    refused: list[Rewrite | tuple[Step, Refused]] = []
    frozen: bool | None = None
    copy: tuple[Instruction, str, str] | None = None
    if _is_frozen(project):
        frozen = True
    else:
        answer = why_not_frozen(layout, project, may_copy=True)
        found = manifest_copy(layout, project)
        if isinstance(answer, Refused):
            refused.append((project.step, answer))
        elif is_at(layout, answer, project) or found is None:
            frozen = True
            evidence.append(f"{answer} matches {project.package.path} and is copied before the install")
        else:
            frozen = True
            node, word = found
            copy = node, word, word.removesuffix("package.json") + posixpath.basename(answer)
            evidence.append(f"{answer} matches {project.package.path}, which line {reading.file.line_of(node)} copies")
    drop, more = False, ""
    if not has_flag and env != "production":
        why = _why_keep_dev(layout, project, final)
        if why is None:
            drop = bool(frozen) or _has_dev(layout, project)
            evidence.append(_production_evidence(final))
            if drop and lifecycle_needs_dev(layout, project) is not None:
                more = " --ignore-scripts"
                scripts = ", ".join(project.package.install_scripts)
                evidence.append(
                    f"{scripts} of {project.package.path} sets up hooks of a clone, and no dependency has an"
                    " install script"
                )
        elif why.because:
            refused.append((project.step, why))
    elif env == "production" and not has_flag and not _is_berry(layout, project) and frozen and not _is_frozen(project):
        drop = True
        evidence.append("NODE_ENV is production here, so the install leaves development dependencies out as before")
    text = _text(layout, project, bool(frozen), drop, more)
    if text is None or text == _written(project):
        return refused
    return [*refused, Rewrite(project.step, project.command, text, tuple(evidence), copy)]


def _production_evidence(final: StageReading) -> str:
    start, files = started(final), program(final)
    if start is None or not start.runs or isinstance(files, Refused):
        return "nothing in the stage needs development dependencies"
    return f"{start.runs[-1].shown} needs no development dependency; read: {named(files)}"


def _written(project: Project) -> str:
    return project.step.script.text[slice(*project.command.span)] if project.step.script is not None else ""


def _has_dev(layout: Layout, project: Project) -> bool:
    if project.package.dev_dependencies:
        return True
    others = members(layout.context, project.package)
    return isinstance(others, Unknown) or any(member.dev_dependencies for member in others)


def _is_frozen(project: Project) -> bool:
    call = project.call
    # `bun install --production` freezes the lockfile that is there, as a try with an old one shows (Bun 1.2).
    implied = ("--production", "-p") if project.manager == "bun" else ()
    return call.action == "ci" or call.has("--frozen-lockfile", "--immutable", "--pure-lockfile", *implied)


def _is_berry(layout: Layout, project: Project) -> bool:
    if project.manager != "yarn":
        return False
    manager = project.package.package_manager or ""
    found = re.match(r"yarn@(\d+)", manager)
    if found is not None:
        return int(found[1]) > 1
    lock = any_lock(layout.context, project.unit, project.manager)
    return lock is not None and lock.is_berry


_NO_NEWS = Refused("")


def _why_keep_dev(layout: Layout, project: Project, final: StageReading) -> Refused | None:
    """Why the development dependencies stay, without words where that is no news; None where they can go."""
    reading = layout.reading
    if _is_berry(layout, project):
        return _NO_NEWS
    is_final = reading.stage is final.stage
    if not is_final and any(call.manager in MANAGERS and call.action in {"run", "exec"} for _, call in reading.calls):
        # What builds needs compilers; what is left over is pruned by the split. Asked first, as it is cheap.
        return _NO_NEWS
    built = kind_of(reading, layout).compiles
    if built is not None and not is_final:
        return _NO_NEWS
    if built is not None:
        return Refused(
            f"{built.ran.shown} builds in this stage, with development dependencies",
            "build in a stage of its own, and copy the result from there",
        )
    start = started(final)
    if not is_final and (start is None or not _is_used(reading, project, start)):
        return _NO_NEWS
    reason = lifecycle_needs_dev(layout, project)
    if reason is not None and not only_hooks(layout, project):
        return Refused(reason, "guard that script, so that it does nothing without development dependencies")
    other = why_scripts_needed(layout, project, production=True) if reason is not None else None
    if other is not None:
        return Refused(f"{reason}, and --ignore-scripts would leave out more: {other}", "guard that script")
    if start is None:
        because = "it is not known what the container runs: there is no CMD or ENTRYPOINT"
        return Refused(because, "add a CMD") if _has_dev(layout, project) else _NO_NEWS
    return why_program_needs_dev(layout, project, final)


def why_program_needs_dev(layout: Layout, project: Project, final: StageReading) -> Refused | None:
    """Why what the final stage starts may need development dependencies of a project; None where it does not."""
    start = started(final)
    unit = start.unit if start is not None else None
    if start is None or unit is None:
        return Refused("the package.json of what is started is not known", "copy it beside the program")
    if below(unit.folder, project.folder) is None:
        # Another project is installed here, such as a front end beside the server.
        return Refused(
            f"{project.package.path} is not the project that is started", "leave development dependencies out by hand"
        )
    seen = why_not_seen(final) or program(final)
    if isinstance(seen, Refused):
        return seen
    reason = why_dev_needed(start, unit, project.package, any_lock(layout.context, project.unit, project.manager))
    return None if reason is None else Refused(reason, "move what is needed at run time to dependencies")


def _is_used(reading: StageReading, project: Project, start: Started) -> bool:
    """The final stage takes installed packages from this one."""
    for moved in start.layout.moved:
        if moved.stage.stage is not reading.stage:
            continue
        if below(project.folder + "/node_modules", moved.source) is not None or moved.source.endswith("/node_modules"):
            return True
    parent = start.layout.parent
    while parent is not None:
        if parent.reading.stage is reading.stage:
            return True
        parent = parent.parent
    return False


def _text(layout: Layout, project: Project, frozen: bool, drop: bool, more: str) -> str | None:
    """The command with the wanted options; None where nothing is to be changed."""
    command, call = project.command, project.call
    script = project.step.script
    if script is None:
        return None
    written = script.text[slice(*command.span)]
    if project.manager == "npm":
        changed = written
        if frozen and call.action == "install":
            verb = _verb_span(project)
            changed = written[: verb[0]] + "ci" + written[verb[1] :]
            changed = re.sub(r"\s+(?:--no-save|--save|-S|--package-lock(?:=\S+)?|--prefer-dedupe)(?=\s|$)", "", changed)
        if drop:
            major = npm_major(layout.reading.image)
            changed += " --only=production" if major is not None and major < 7 else " --omit=dev"
    else:
        changed = written
        bare = call.verb == ""
        if bare and (frozen or drop) and not _is_frozen(project):
            at = _program_end(project)
            changed = written[:at] + " install" + written[at:]
        if frozen and not _is_frozen(project):
            changed += " --immutable" if _is_berry(layout, project) else " --frozen-lockfile"
        if drop:
            changed += " --prod" if project.manager == "pnpm" else " --production"
    changed += more
    return changed if changed != written else None


def _program_end(project: Project) -> int:
    return project.command.words[0].span[1] - project.command.span[0]


def _verb_span(project: Project) -> tuple[int, int]:
    start = project.command.span[0]
    for word in project.command.words[1:]:
        if word.literal == project.call.verb:
            return word.span[0] - start, word.span[1] - start
    end = _program_end(project)
    return end, end


__all__ = ["installs", "is_production", "lock_path", "node_env", "production_install", "why_program_needs_dev"]
