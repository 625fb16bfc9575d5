"""The program that a package manager is called for, started by itself."""

from __future__ import annotations

import posixpath
import re

from refactor.context import Unknown
from refactor.ecosystems.answers import DirectStart
from refactor.ecosystems.node.builds import kind_of
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.needs import STATIC_SERVERS, program, why_dev_server
from refactor.ecosystems.node.programs import MANAGERS, Programs, Ran, node_entry, owner
from refactor.ecosystems.node.projects import any_lock, projects
from refactor.ecosystems.node.sources import resolve_path
from refactor.flow.closure import named
from refactor.flow.reading import PackageCall, Refused, StageReading, Start, join, package_call
from refactor.flow.roots import INITS, peeled
from refactor.shell import read
from refactor.syntax import Instruction

_RUNNERS = MANAGERS - {"bun"}
"""Those that start a second process; bun runs the program in its own."""
_QUIET = frozenset({"-s", "--silent", "--quiet", "-q", "-d", "--loglevel", "--no-update-notifier"})
"""Options of `npm run` that only concern what npm prints."""
_HARMLESS_SETTINGS = r"(?i)npm_config_(?:loglevel|update_notifier|fund|audit|cache|progress|registry|color)"
_CHANGES_SCRIPTS = r"(?m)^\s*(?:omit|only|also|include|production|dev|node-options|script-shell|if-present)\b"
"""Keys of .npmrc with which npm runs scripts in another environment, or by another shell (npm's `config` page)."""
_OF_NPM = r"\bnpm_(?:package|config|lifecycle|command|execpath|node_execpath)\w*|\bINIT_CWD\b"
_SPAWNS = r"\b(?:exec|execFile|spawn)(?:Sync)?\s*\(\s*(?:([\"'`])([\w@./-]+)|([^)\s]))"
_ON_PATH = "start the program by its name in CMD where no package brings it"


def direct_start(reading: StageReading) -> DirectStart | Refused | None:
    """See :meth:`Ecosystem.direct_start`."""
    start = reading.start
    node = None if start is None else _calling(reading, start)
    if start is None or node is None:
        return None
    import shlex

    words = node.json if node.json is not None else start.argv
    call = package_call(read(shlex.join(words)).commands[0])
    if call is None or call.manager not in _RUNNERS or call.action != "run" or call.script is None:
        return None
    shown = " ".join(words)
    if reading.context.why_unknown is not None:
        return Refused(f"what `{shown}` starts is not known: {reading.context.why_unknown}", "name it with --context")
    layout = Layout.of(reading)
    unit = layout.unit(reading.final_workdir)
    if unit is None:
        return Refused(f"what `{shown}` starts is not known: no package.json is known at {reading.final_workdir}")
    reason = _why_not_replaced(reading, start, node) or _why_options(reading, call, unit)
    if reason is not None:
        return Refused(f"`{shown}` stays: {reason.because}", reason.hint)
    found = _only_command(layout, unit, call.script)
    if isinstance(found, Refused):
        return Refused(f"`{shown}` stays: {found.because}", found.hint)
    files = program(reading)
    if isinstance(files, Refused):
        return Refused(f"whether the program needs what `{shown}` sets is not known: {files.because}", files.hint)
    reason = _why_entry_unseen(layout, unit, found, files) or _why_needs_manager(reading, unit, files)
    if reason is not None:
        return Refused(f"`{shown}` stays: {reason.because}", reason.hint)
    text = unit.package.scripts.get(call.script)
    told = f"`{call.script}` of {unit.package.path} is `{text}`" if text else f"`{shown}` starts server.js by default"
    return DirectStart(
        node,
        found,
        (
            f"{told}, with nothing before or after it",
            f"no source of the program asks for what {call.manager} sets; read: {named(files)}",
            _note_on_signals(reading, start, files) if found[0] == "node" else f"npm finds {found[0]} the same way",
        ),
    )


def _calling(reading: StageReading, start: Start) -> Instruction | None:
    """The instruction of this stage that has the words of a package manager."""
    if start.is_shell:
        script = start.script
        only = script.top[0].command if script is not None and script.opaque is None and len(script.top) == 1 else None
        if only is None or script is None or script.trailing or only.redirects or only.assignments or only.wrappers:
            return None
        if any(word.value is None for word in only.words):
            return None
    for node in reversed(start.nodes):
        words = start.argv if node.json is None else node.json
        if reading.step(node) is not None and words and words[0] in _RUNNERS:
            return node
    return None


def _why_not_replaced(reading: StageReading, start: Start, node: Instruction) -> Refused | None:
    """ENTRYPOINT and CMD are put together, and others may count on the words."""
    if node.keyword == "ENTRYPOINT":
        if len(start.nodes) > 1:
            return Refused("CMD gives it further words", "write both as one CMD")
        if any(service.arguments for service in reading.context.deployment.services):
            where = reading.context.deployment.named_by("arguments")
            return Refused(f"{where} gives it further words", "start the program there as well")
        return None
    before = next((other for other in start.nodes if other.keyword == "ENTRYPOINT"), None)
    if before is not None and peeled(tuple(start.argv)) != (node.json or ()):
        line = reading.file.line_of(before)
        return Refused(f"ENTRYPOINT on line {line} gets these words, and may ask for them", 'end it with `exec "$@"`')
    return None


def _why_options(reading: StageReading, call: PackageCall, unit: Unit) -> Refused | None:
    """What the package manager does for a script besides starting it."""
    if call.operands:
        return Refused(f"it hands `{call.operands[0].text}` to the script", "write the argument into the script")
    for option, _ in call.options:
        if option not in _QUIET:
            return Refused(f"{option} may change how the script runs", "leave it out where it does not matter")
    if unit.folder != reading.final_workdir:
        return Refused(
            f"the script runs in {unit.folder}, where {unit.package.path} is, and the container starts in"
            f" {reading.final_workdir}",
            "set WORKDIR to that folder",
        )
    environment = reading.file.environment(reading.steps[-1].node)
    for name in environment:
        if name.lower().startswith("npm_config_") and not re.fullmatch(_HARMLESS_SETTINGS, name):
            return Refused(f"ENV {name} may change how scripts run", "set it only for the install")
    context = reading.context
    settings = context.read(posixpath.join(unit.source, ".npmrc"))
    found = None if isinstance(settings, Unknown) else re.search(_CHANGES_SCRIPTS, settings)
    if found is not None:
        path = posixpath.join(unit.source, ".npmrc")
        return Refused(f"{path} sets {found[0].strip()}, which changes how scripts run", "set it only for the install")
    if call.manager == "yarn":
        lock = any_lock(context, unit, "yarn")
        rc = context.read(posixpath.join(unit.source, ".yarnrc.yml"))
        plugs = lock is not None and lock.is_berry and not (isinstance(rc, str) and "node-modules" in rc)
        if plugs or context.exists(posixpath.join(unit.source, ".pnp.cjs")) is True:
            return Refused("Yarn tells Node where packages are (Plug'n'Play)", "set nodeLinker: node-modules")
    return None


def _only_command(layout: Layout, unit: Unit, name: str) -> tuple[str, ...] | Refused:
    """The words of the one command that a script of package.json consists of."""
    scripts = unit.package.scripts
    text = scripts.get(name)
    if text is None:
        return ("node", "server.js") if name == "start" else Refused(f"{unit.package.path} has no script {name}")
    for other in (f"pre{name}", f"post{name}"):
        if other in scripts:
            return Refused(f"`{other}` of {unit.package.path} runs too", "run that when the image is built")
    hint = "put one plain command there, and what it needs into ENV or a RUN"
    script = read(text)
    only = script.top[0].command if script.opaque is None and len(script.top) == 1 and not script.trailing else None
    if only is None:
        return Refused(f"`{name}` (`{text}`) is more than one command", hint)
    if only.redirects or only.assignments or only.wrappers or any(word.value is None for word in only.words):
        return Refused(f"`{name}` (`{text}`) uses what only a shell does", hint)
    words = tuple(word.literal for word in only.words)
    ran = next(Programs(layout).of_words(words, unit.folder), Ran("?", (), unit.folder, ()))
    reason = why_dev_server(ran)
    if reason is not None:
        return Refused(f"it starts {reason}", "start what a build makes, or the program itself")
    if words[0] != "node":
        brought = owner(words[0], unit.package)
        if brought is None or words[0] in STATIC_SERVERS or not _is_installed(layout, unit):
            where = f"in node_modules/.bin ({brought} brings it)" if brought else "on the PATH that it sets"
            return Refused(f"`{words[0]}` of the script is found {where}", _ON_PATH)
        return (f"node_modules/.bin/{words[0]}", *words[1:])
    return words


def _is_installed(layout: Layout, unit: Unit) -> bool:
    """The packages are installed in the folder of the project itself, so that their programs are linked there."""
    return any(one.folder == unit.folder for one in projects(layout.reading)) or layout.is_from_stage(
        join(unit.folder, "node_modules/.bin")
    )


def _why_entry_unseen(layout: Layout, unit: Unit, words: tuple[str, ...], files: tuple[str, ...]) -> Refused | None:
    """The started file is neither among the sources that were read, nor made by a build of these."""
    if words[0] != "node":
        return None
    entry = node_entry(words[1:])
    if entry is None:
        return Refused(f"which file `{' '.join(words)}` runs is not known", "name the file in the script")
    place = join(unit.folder, entry)
    source = layout.source(place)
    found = resolve_path(layout.context, source) if source is not None else None
    for ending in () if found is not None else (".js", ".mjs", ".cjs", "/index.js"):
        found = found or layout.source(place + ending)
    if found in files or layout.is_from_stage(place):
        return None
    outputs = (path for _, _, one in kind_of(layout.reading, layout).builds for path in one.outputs or ())
    if any(below(place, path) is not None for path in outputs):
        return None
    return Refused(f"{entry}, which the script starts, was not found in the build context", "check the path")


def _why_needs_manager(reading: StageReading, unit: Unit, files: tuple[str, ...]) -> Refused | None:
    """A source that reads what the package manager sets, or starts programs that it puts on PATH."""
    for path in files:
        text = reading.context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"{path} cannot be read: {text.reason}")
        found = re.search(_OF_NPM, text)
        if found is not None:
            return Refused(f"{path} reads {found[0]}, which the package manager sets", "read package.json there")
        if "child_process" not in text:
            continue
        for spawned in re.finditer(_SPAWNS, text):
            if spawned[2] is None or owner(spawned[2], unit.package) is not None or spawned[2] in MANAGERS:
                name = spawned[2] or "programs by computed names"
                return Refused(f"{path} starts {name}, which may lie in node_modules/.bin", "name it with its path")
    return None


def _note_on_signals(reading: StageReading, start: Start, files: tuple[str, ...]) -> str:
    """The kernel drops SIGTERM for process 1 where that has no handler for it."""
    for path in files:
        text = reading.context.read(path)
        if isinstance(text, str) and "SIGTERM" in text:
            return f"{path} handles SIGTERM, which the package manager does not pass on in time"
    init = next((word for word in start.argv if word.rpartition("/")[2] in INITS), None)
    if init is not None:
        return f"{init} passes SIGTERM on, and ends with the program"
    return (
        "no source of the program handles SIGTERM: as process 1 it then ends only when it is killed, ten seconds after"
        " `docker stop`; handle it there, or start the container with --init"
    )


__all__ = ["direct_start"]
