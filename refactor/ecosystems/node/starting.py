"""What a container starts instead: the program behind a package manager, or what a build makes of one that is compiled,
or watched, at every start."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import BuiltStart, DirectStart
from refactor.ecosystems.node.builds import build_of, kind_of
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.needs import (
    FRONT_ENDS,
    STATIC_SERVERS,
    Started,
    program,
    source_files,
    started,
    why_dev_server,
)
from refactor.ecosystems.node.outputs import compiler_option
from refactor.ecosystems.node.programs import MANAGERS, Programs, Ran, node_entry, owner
from refactor.ecosystems.node.projects import Project, projects, why_plug_and_play
from refactor.ecosystems.node.sources import resolve_path
from refactor.flow.closure import named
from refactor.flow.reading import Refused, StageReading, Start, join
from refactor.flow.roots import INITS, peeled
from refactor.shell import PackageCall, ShellScript, package_call, read
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
_STARTS_BUILT = ("start:prod", "start:production", "production", "prod", "serve:prod", "start:built", "start:dist")
_BUILDS = ("build", "build:prod", "compile", "build:ts", "tsc")
_READS_SOURCES = (
    r"(?m)^(?!\s*(?:import|export|//|\*)\b)(?:(?!\bfrom\b|\bimport\(|\brequire\()[^\n])*?"
    r"([\"'`])((?:[^\"'`\n]*/)?src/[^\"'`\n]*|[^\"'`\n]*\*\.ts)\1"
)
"""A text in quotes that names sources, on a line that imports nothing."""
_BESIDE = r"\b__dirname\b|\b__filename\b|\bimport\.meta\.(?:url|dirname|filename)\b"
_PUBLIC = r"\bprocess\.env\.(NEXT_PUBLIC_\w+|NUXT_PUBLIC_\w+)"


# By itself


def direct_start(reading: StageReading) -> DirectStart | Refused | None:
    """See :meth:`Ecosystem.direct_start`."""
    start = reading.start
    node = None if start is None else _calling(reading, start)
    if start is None or node is None:
        return None
    import shlex

    words = node.json if node.json is not None else start.argv
    call, shown = package_call(read(shlex.join(words)).commands[0]), " ".join(words)
    if call is None or call.manager not in _RUNNERS or call.action != "run" or call.script is None:
        return None
    if reading.context.why_unknown is not None:
        return Refused(f"what `{shown}` starts is not known: {reading.context.why_unknown}", "name it with --context")
    unit = Layout.of(reading).unit(reading.final_workdir)
    if unit is None:
        return Refused(f"what `{shown}` starts is not known: no package.json is known at {reading.final_workdir}")
    refused = _why_not_replaced(reading, start, node) or _why_options(reading, call, unit)
    found, files = refused or _only_command(reading, unit, call.script), program(reading)
    if not isinstance(found, Refused) and not isinstance(files, Refused):
        found = _why_entry_unseen(reading, unit, found, files) or _why_needs_manager(reading, unit, files) or found
    if isinstance(found, Refused):
        return Refused(f"`{shown}` stays: {found.because}", found.hint)
    if isinstance(files, Refused):
        return Refused(f"whether the program needs what `{shown}` sets is not known: {files.because}", files.hint)
    text = unit.package.scripts.get(call.script)
    told = f"`{call.script}` of {unit.package.path} is `{text}`" if text else f"`{shown}` starts server.js by default"
    note = _note_on_signals(reading, start, files) if found[0] == "node" else f"npm finds {found[0]} the same way"
    asked = f"no source of the program asks for what {call.manager} sets; read: {named(files)}"
    return DirectStart(node, found, (f"{told}, with nothing before or after it", asked, note))


def _plain(script: ShellScript) -> tuple[str, ...] | None:
    """The words of a script that is one plain command, with nothing that only a shell does."""
    only = script.top[0].command if script.opaque is None and len(script.top) == 1 and not script.trailing else None
    if only is None or only.redirects or only.assignments or only.wrappers:
        return None
    return None if any(word.value is None for word in only.words) else tuple(word.literal for word in only.words)


def _calling(reading: StageReading, start: Start) -> Instruction | None:
    """The instruction of this stage that has the words of a package manager."""
    if start.is_shell and (start.script is None or _plain(start.script) is None):
        return None
    for node in reversed(start.nodes):
        words = start.argv if node.json is None else node.json
        if reading.step(node) is not None and words and words[0] in _RUNNERS:
            return node
    return None


def _why_not_replaced(reading: StageReading, start: Start, node: Instruction) -> Refused | None:
    """ENTRYPOINT and CMD are put together, and others may count on the words."""
    if node.keyword == "ENTRYPOINT" and len(start.nodes) > 1:
        return Refused("CMD gives it further words", "write both as one CMD")
    if node.keyword == "ENTRYPOINT":
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
    context, environment = reading.context, reading.file.environment(reading.steps[-1].node)
    if call.operands:
        return Refused(f"it hands `{call.operands[0].text}` to the script", "write the argument into the script")
    option = next((name for name, _ in call.options if name not in _QUIET), None)
    if option is not None:
        return Refused(f"{option} may change how the script runs", "leave it out where it does not matter")
    if unit.folder != reading.final_workdir:
        where = f"the script runs in {unit.folder}, where {unit.package.path} is"
        return Refused(f"{where}, and the container starts in {reading.final_workdir}", "set WORKDIR to that folder")
    settings = context.read(unit.file(".npmrc"))
    found = None if isinstance(settings, Unknown) else re.search(_CHANGES_SCRIPTS, settings)
    what = next((f"ENV {name}" for name in environment if name.lower().startswith("npm_config_")
                 and not re.fullmatch(_HARMLESS_SETTINGS, name)), None)  # fmt: skip
    what = what or (f"{found[0].strip()} in {unit.file('.npmrc')}" if found is not None else None)
    if what is not None:
        return Refused(f"{what} may change how scripts run", "set it only for the install")
    return why_plug_and_play(context, unit) if call.manager == "yarn" else None


def _only_command(reading: StageReading, unit: Unit, name: str) -> tuple[str, ...] | Refused:
    """The words of the one command that a script of package.json consists of."""
    layout, scripts = Layout.of(reading), unit.package.scripts
    text = scripts.get(name)
    if text is None:
        return ("node", "server.js") if name == "start" else Refused(f"{unit.package.path} has no script {name}")
    other = next((other for other in (f"pre{name}", f"post{name}") if other in scripts), None)
    if other is not None:
        return Refused(f"`{other}` of {unit.package.path} runs too", "run that when the image is built")
    script = read(text)
    words = _plain(script)
    if words is None:
        is_one = script.opaque is None and len(script.top) == 1 and not script.trailing
        why = "uses what only a shell does" if is_one else "is more than one command"
        return Refused(f"`{name}` (`{text}`) {why}", "put one plain command there, and what it needs into ENV or a RUN")
    ran = next(Programs(layout).of_words(words, unit.folder), Ran("?", (), unit.folder, ()))
    reason = why_dev_server(ran)
    if reason is not None:
        return Refused(f"it starts {reason}", "start what a build makes, or the program itself")
    if words[0] == "node":
        return words
    brought = owner(words[0], unit.package)
    # The packages are installed in the folder of the project itself, so that their programs are linked there.
    is_installed = any(one.folder == unit.folder for one in projects(reading))
    is_installed = is_installed or layout.is_from_stage(join(unit.folder, "node_modules/.bin"))
    if brought is None or words[0] in STATIC_SERVERS or not is_installed:
        where = f"in node_modules/.bin ({brought} brings it)" if brought else "on the PATH that it sets"
        hint = "start the program by its name in CMD where no package brings it"
        return Refused(f"`{words[0]}` of the script is found {where}", hint)
    return (f"node_modules/.bin/{words[0]}", *words[1:])


def _why_entry_unseen(
    reading: StageReading, unit: Unit, words: tuple[str, ...], files: tuple[str, ...]
) -> Refused | None:
    """The started file is neither among the sources that were read, nor made by a build of these."""
    layout, entry, start = Layout.of(reading), node_entry(words[1:]), started(reading)
    if words[0] != "node" or start is None:
        return None
    if entry is None:
        return Refused(f"which file `{' '.join(words)}` runs is not known", "name the file in the script")
    place = join(unit.folder, entry)
    if start.source(place) in files or layout.is_from_stage(place):
        return None
    outputs = (path for _, _, one in kind_of(reading).builds for path in one.outputs or ())
    if any(below(place, path) is not None for path in outputs):
        return None
    return Refused(f"{entry}, which the script starts, was not found in the build context", "check the path")


def _why_needs_manager(reading: StageReading, unit: Unit, files: tuple[str, ...]) -> Refused | None:
    """A source that reads what the package manager sets, or starts programs that it puts on PATH."""
    for path in files:
        text = reading.context.text(path)
        found = re.search(_OF_NPM, text)
        if found is not None:
            return Refused(f"{path} reads {found[0]}, which the package manager sets", "read package.json there")
        for spawned in re.finditer(_SPAWNS, text) if "child_process" in text else ():
            if spawned[2] is None or owner(spawned[2], unit.package) is not None or spawned[2] in MANAGERS:
                name = spawned[2] or "programs by computed names"
                return Refused(f"{path} starts {name}, which may lie in node_modules/.bin", "name it with its path")
    return None


def _note_on_signals(reading: StageReading, start: Start, files: tuple[str, ...]) -> str:
    """The kernel drops SIGTERM for process 1 where that has no handler for it."""
    path = next((path for path in files if "SIGTERM" in reading.context.text(path)), None)
    if path is not None:
        return f"{path} handles SIGTERM, which the package manager does not pass on in time"
    init = next((word for word in start.argv if word.rpartition("/")[2] in INITS), None)
    if init is not None:
        return f"{init} passes SIGTERM on, and ends with the program"
    return (
        "no source of the program handles SIGTERM: as process 1 it then ends only when it is killed, ten seconds after"
        " `docker stop`; handle it there, or start the container with --init"
    )


# Built once


class _Case(NamedTuple):
    reading: StageReading
    cmd: Instruction
    start: Started
    ran: Ran
    unit: Unit
    project: Project
    shown: str
    """What is started today, and what is bad about that, for messages."""

    def why(self, because: str, hint: str = "") -> Refused:
        return Refused(f"{self.shown}, and {because}", hint)


class _Target(NamedTuple):
    words: tuple[str, ...]
    place: str
    """Absolute path of what is started: a file, or the folder of a framework's build."""
    told: str


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start, cmd = started(reading), reading.last("CMD")
    if start is None or cmd is None or len(start.runs) != 1 or reading.last("ENTRYPOINT") is not None:
        return None
    ran, unit = start.runs[0], start.unit
    reason = why_dev_server(ran)
    if unit is None or reason is None or ran.program in FRONT_ENDS:
        return None
    project = next((one for one in projects(reading) if one.folder == unit.folder), None)
    if project is None:
        return None
    does = "compiles at every start" if "compiles" in reason or ran.program == "nest" else f"is {reason}"
    case, scripts = _Case(reading, cmd, start, ran, unit, project, f"{ran.shown} {does}"), unit.package.scripts
    targets = list(_targets(case))
    if not targets:
        name = next((name for name in _STARTS_BUILT if name in scripts), None)
        because = f"`{name}` (`{scripts[name]}`) is not one start of node" if name is not None else ""
        return case.why(because, "start there with node what the build makes") if because else None
    refused = _why_development(case)
    if refused is not None:
        return refused
    # What is watched today may be what the script starts without watching.
    main = unit.package.main if not ran.args else None
    places = [place for _, place in start.entries()] + ([join(unit.folder, main)] if main else [])
    same = [one for one in targets if one.place in places and start.layout.source(one.place) is not None]
    if same:
        return BuiltStart(cmd, "", same[0].words, (case.shown, f"{same[0].told}: the same file, without that"))
    return _built(case, targets)


def _why_development(case: _Case) -> Refused | None:
    """Others show that the image is used for development, or start it in another way."""
    reading, unit = case.reading, case.unit
    deployment = reading.context.deployment
    if reading.final_workdir != unit.folder:
        return case.why(f"{unit.package.path} is not in the folder that the container starts in")
    for mount in deployment.mounts:
        if below(mount, unit.folder) is not None and "node_modules" not in mount:
            where = deployment.named_by("mounts")
            return case.why(
                f"{where} mounts {mount} over the sources: the image is meant for development",
                "build another stage for production, which starts what is built",
            )
    if deployment.has_own_command:
        where = deployment.named_by("has_own_command")
        return case.why(f"{where} starts the image with a command of its own", "change both by hand")
    return None


def _targets(case: _Case) -> Iterator[_Target]:
    """What scripts of the project start for production, the first one meant most."""
    scripts, folder = case.unit.package.scripts, case.unit.folder
    programs = Programs(case.start.layout)
    for name in (*_STARTS_BUILT, "start"):
        text = scripts.get(name)
        runs = () if text is None else tuple(programs.of_text(text, folder))
        if text is None or len(runs) != 1 or why_dev_server(runs[0]) is not None:
            continue
        ran, told, words = runs[0], f"`{name}` is `{text}`", (case.project.manager, "run", name)
        is_alone = not {f"pre{name}", f"post{name}"} & scripts.keys()
        entry = node_entry(ran.args) if ran.program == "node" else None
        if entry is not None:
            is_plain = is_alone and text.split() == ["node", entry]
            yield _Target(("node", entry) if is_plain else words, join(folder, entry), told)
        elif ran.program in {"next", "nuxt", "nuxi"} and _ports(ran) == _ports(case.ran):
            yield _Target(words, join(folder, ".next" if ran.program == "next" else ".output"), told)
    if not any(name in scripts for name in _STARTS_BUILT):
        yield from _compiled(case)


def _ports(ran: Ran) -> tuple[str, ...]:
    return tuple(re.findall(r"(?:-p|--port|-H|--hostname|--host)[ =]\S+", ran.text))


def _compiled(case: _Case) -> Iterator[_Target]:
    """What tsc makes of the source that is started, where its settings say so and nothing else is needed."""
    context, unit, entry = case.reading.context, case.unit, case.ran.verb
    config = unit.file("tsconfig.json")
    root, out, module, paths = (
        compiler_option(context, config, name) for name in ("rootDir", "outDir", "module", "paths")
    )
    is_common = str(module or "").lower() in {"commonjs", "node"} and paths is None
    if not (isinstance(root, str) and isinstance(out, str) and entry and is_common):
        return
    found, files = resolve_path(context, unit.file(entry)), source_files(case.start.layout, unit)
    is_inside = below(join("/", entry), join("/", root)) is not None
    if not is_inside or found is None or not found.endswith(".ts") or isinstance(files, Unknown):
        return
    texts = [context.read(path) for path in files]
    if any(isinstance(text, Unknown) or re.search(_BESIDE, text) for text in texts):
        return
    made = posixpath.relpath(found, unit.file(root)).removesuffix(".ts") + ".js"
    place = posixpath.normpath(posixpath.join(out, made))
    yield _Target(("node", place), join(unit.folder, place), f"{config} puts what is compiled of {entry} there")


def _built(case: _Case, targets: list[_Target]) -> BuiltStart | Refused | None:
    """The build that makes one of the targets."""
    scripts, folder, layout = case.unit.package.scripts, case.unit.folder, case.start.layout
    name = next((name for name in _BUILDS if name in scripts), None)
    if name is None:
        return None
    run = f"{case.project.manager} run {name}"
    if case.project.is_production:
        return case.why(f"the install leaves out what `{run}` needs")
    built = [build_of(layout, ran) for ran in Programs(layout).of_text(run, folder)]
    outputs = [path for one in built if one is not None for path in one.outputs or ()]
    pairs = ((one, path) for one in targets for path in outputs if below(one.place, path) is not None)
    target, output = next(pairs, (None, ""))
    if target is None:
        first = posixpath.relpath(targets[0].place, folder)
        return case.why(f"`{name}` (`{scripts[name]}`) is not known to make {first}, which {targets[0].told}")
    reason = _why_not_built(case)
    if reason is not None:
        return case.why(reason.because, reason.hint)
    is_built = any(output in (one.outputs or ()) for _, _, one in kind_of(case.reading).builds)
    told = f"{case.shown}; `{name}` of {case.unit.package.path} is `{scripts[name]}`, which writes {output}"
    return BuiltStart(case.cmd, "" if is_built else run, target.words, (told, target.told))


def _why_not_built(case: _Case) -> Refused | None:
    """A source that opens other sources when it runs, or that gets values which only a running container has."""
    context, environment = case.reading.context, case.reading.file.environment(case.cmd)
    files, node_env = source_files(case.start.layout, case.unit), environment.get("NODE_ENV", "production")
    if isinstance(files, Unknown):
        return Refused(f"the sources are not known: {files.reason}")
    if case.ran.program in {"next", "nuxt", "nuxi"} and node_env != "production":
        return Refused(f"NODE_ENV is {node_env}, with which {case.ran.program} builds something else")
    settings = [context.read(case.unit.file(name)) for name in (".env", ".env.production", ".env.local")]
    written = "\n".join(text for text in settings if isinstance(text, str))
    known = {*environment, *re.findall(r"(?m)^\s*(\w+)=", written)}
    for path in files:
        text = context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"{path} cannot be read: {text.reason}")
        opened = next((one[2] for one in re.finditer(_READS_SOURCES, text) if ".js" not in one[2]), None)
        if opened is not None:
            because = f"{path} names {opened}, which it may read when it runs"
            return Refused(because, "name what is built there")
        public = next((name for name in re.findall(_PUBLIC, text) if name not in known), None)
        if public is not None:
            because = f"{path} reads {public}, which a build writes into its result, and nothing sets it there"
            return Refused(because, "set it with ARG or ENV before the build")
    return None
