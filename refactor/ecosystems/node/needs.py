"""What is started, the sources of that, and whether it needs development dependencies."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.node.builds import starts_itself
from refactor.ecosystems.node.known import grouped, names
from refactor.ecosystems.node.layout import SKIPPED, Layout, Unit
from refactor.ecosystems.node.lockfiles import NodeLock
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.programs import MANAGERS, RUNTIMES, Programs, Ran, node_entry, owner
from refactor.ecosystems.node.sources import (
    MAX_CHARACTERS,
    SUFFIXES,
    graph,
    is_test,
    is_tool_config,
    packages_of,
    resolve_path,
)
from refactor.flow.places import origins
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import health_roots
from refactor.once import cached_property

WATCHERS = {name: " ".join(does) for name, does in grouped("watchers").items()}
"""Programs that run sources as they are, or again at every change -> what they do."""
_SERVERS = grouped("development-servers")
STATIC_SERVERS = names("file-servers")
FRONT_ENDS = names("front-ends")
_OF_NODE = frozenset({"node", "nodejs", *MANAGERS, *WATCHERS}) | STATIC_SERVERS | FRONT_ENDS
_KEEPERS = names("keepers")
_STARTING = frozenset({"start", "start:prod", "serve", "prod", "production"})
_OTHER_FOLDER = "check the path, or name the folder that is built from with --context"


def why_dev_server(ran: Ran) -> str | None:
    """What makes the program a development server, as a part of a sentence; None for any other program."""
    if ran.program in WATCHERS:
        return f"{ran.program}, which {WATCHERS[ran.program]}"
    if ran.program == "bun":
        watching = next((word for word in ran.args if word in {"--watch", "--hot"}), None)
        return None if watching is None else f"bun {watching}, which loads sources again at every change"
    if ran.program == "node":
        if any(word == "--watch" or word.startswith("--watch-path") for word in ran.args):
            return "node --watch, which restarts on changes"
        loaded = next((name for name in ran.preloaded if name in names("compile-at-start")), None)
        return None if loaded is None else f"{loaded}, which compiles at start"
    verb = ran.args[0] if ran.args and not ran.args[0].startswith("-") else ""
    if ran.program not in _SERVERS or {*_SERVERS[ran.program]} & {*ran.args}:
        return None
    if ran.program == "webpack" and verb not in {"serve", "s", "server"} and not {"--watch", "-w"} & {*ran.args}:
        return None
    if ran.program == "nest" and verb != "start":
        return None
    return f"{ran.program} {verb}".strip() + ", a development server"


class Server(NamedTuple):
    """The sources of what is started."""

    files: tuple[str, ...]
    is_interpreted: bool
    """The started file itself is in the build context; else a build makes it."""
    dynamic: str | None
    """A source that loads modules by computed names."""


class Started:
    """What a container of a stage runs, as far as it is known."""

    def __init__(self, layout: Layout, runs: tuple[Ran, ...], health: tuple[Ran, ...]) -> None:
        self.layout, self.runs, self.health = layout, runs, health

    @property
    def all(self) -> tuple[Ran, ...]:
        return (*self.runs, *self.health)

    @property
    def dev_server(self) -> tuple[Ran, str] | None:
        return next(((ran, reason) for ran in self.runs if (reason := why_dev_server(ran)) is not None), None)

    @property
    def unknown(self) -> str | None:
        """What of the start command cannot be followed."""
        lost = next((ran for ran in self.runs if ran.program == "?"), None)
        return None if lost is None else next(iter(lost.args), "a variable")

    @property
    def is_static(self) -> bool:
        """All of it serves files."""
        return all(ran.program in STATIC_SERVERS for ran in self.runs)

    @property
    def is_front_end(self) -> bool:
        """All of it serves sources that run in a browser."""
        return bool(self.runs) and all(ran.program in FRONT_ENDS | STATIC_SERVERS for ran in self.runs)

    def entries(self) -> tuple[tuple[Ran, str], ...]:
        """The files that ``node`` (or pm2, or a program of the kind) runs, as absolute image paths."""
        found = []
        for ran in self.all:
            if ran.program in RUNTIMES:
                entry = node_entry(ran.args)
                found += [(ran, join(ran.folder, entry))] if entry is not None else []
            elif (place := starts_itself(self.layout, ran)) is not None:
                found.append((ran, place))
            elif ran.program in _KEEPERS or ran.program in WATCHERS:
                words = (word for word in ran.operands if word.endswith((".js", ".mjs", ".cjs", ".ts", ".json")))
                for place in (join(ran.folder, word) for word in [*words][:1]):
                    found += [(ran, place), *((ran, one) for one in self._managed(place))]
        return tuple(found)

    def _managed(self, place: str) -> tuple[str, ...]:
        """The programs that pm2 starts by a settings file: ``script: 'dist/main.js'``."""
        path = self.layout.source(place)
        text = self.layout.context.read(path) if path else None
        rule = r"[\"']?script[\"']?\s*:\s*[\"'`]([^\"'`$\n]+js)[\"'`]"
        scripts = re.findall(rule, text) if isinstance(text, str) else ()
        return tuple(join(posixpath.dirname(place), script) for script in scripts)

    def source(self, place: str) -> str | None:
        """The context path of a started file, that is named with its ending, without it, or by its folder."""
        own = self.layout.source(place)
        found = resolve_path(self.layout.context, own) if own is not None else None
        more = (self.layout.source(place + ending) for ending in (".js", ".mjs", ".cjs", ".json", ".ts", "/index.js"))
        return found or next((path for path in more if path is not None), None)

    @cached_property
    def unit(self) -> Unit | None:
        """The project that is started: the one around the entry file, else around the working directory."""
        layout, places = self.layout, self.entries()
        folders = [posixpath.dirname(place) for ran, place in places if ran in self.runs]
        units = (layout.unit(folder) for folder in (*folders, *(ran.folder for ran in self.runs)))
        built = (layout.built_unit(place) for _, place in places)
        found = next((unit for unit in units if unit is not None), None) or next(filter(None, built), None)
        return found or layout.unit(layout.reading.final_workdir)

    @cached_property
    def server(self) -> Server | Refused:
        """The sources behind the start command: those reached from the entry file, or all of the project's."""
        entries = [path for _, place in self.entries() if (path := self.source(place)) is not None]
        reached = graph(self.layout.context, entries)
        if entries and reached.dynamic is None:
            return Server(tuple(path for path in reached.files if path.endswith(SUFFIXES)), True, None)
        every = () if self.unit is None else source_files(self.layout, self.unit)
        if isinstance(every, Unknown):
            return Refused(f"the sources are not known: {every.reason}")
        return Server(tuple(dict.fromkeys((*reached.files, *every))), bool(entries), reached.dynamic)


def started(reading: StageReading) -> Started | None:
    """What the stage starts; None where only the base image knows."""

    def found() -> Started | None:
        layout, home, start = Layout.of(reading), reading.final_workdir, reading.start
        if start is None:
            return None
        health = (ran for root in health_roots(reading) for ran in Programs(layout).of_words(root.words, root.folder))
        return Started(layout, Programs(layout).of_start(start, home), tuple(health))

    return reading.remember("node start", found)


def start_of(reading: StageReading) -> Started | Refused:
    """What the stage starts, each program of it known by name."""
    start = started(reading)
    if start is None:
        return Refused("it is not known what the container runs: there is no CMD or ENTRYPOINT", "add a CMD")
    if start.unknown is not None:
        return Refused(f"what is started cannot be followed: {start.unknown}", "start the program by its name in CMD")
    return start


def source_files(layout: Layout, unit: Unit) -> tuple[str, ...] | Unknown:
    """The program files of a project in the context: no tests, no settings of tools, no other projects below it."""
    files = layout.context.files(unit.source, without=(*SKIPPED, "coverage", ".next", ".nuxt", ".svelte-kit"))
    if isinstance(files, Unknown):
        return files
    tools, found = _tool_files(layout, unit), []
    others = tuple(path.removesuffix("package.json") for path in files
                   if path.endswith("/package.json") and path != unit.package.path)  # fmt: skip
    for path in files:
        own = path[len(unit.source) :].lstrip("/")
        if path.endswith(SUFFIXES) and not path.startswith(others) and own not in tools:
            found += [] if is_test(own) or is_tool_config(own) else [path]
    return tuple(found)


def _tool_files(layout: Layout, unit: Unit) -> frozenset[str]:
    """Files that scripts of package.json run as programs of their own (``node tools/build.js``), and
    the start does not."""
    start, scripts = layout.reading.start, unit.package.scripts
    begun = "" if start is None else " ".join(start.argv)
    starting = {name for name in scripts if name in _STARTING or name in begun.split()}
    kept = " ".join((begun, unit.package.main or "", *(scripts[name] for name in starting)))
    rule = r"\b(?:node|tsx|ts-node|babel-node|esno)\s+(?:-\S+\s+)*(?:\./)?([\w./-]+\.[mc]?[jt]s)\b"
    named = (found for name, text in scripts.items() if name not in starting for found in re.findall(rule, text))
    return frozenset(posixpath.normpath(path) for path in named if path not in kept)


# The sources, found and read


def program(reading: StageReading) -> tuple[str, ...] | Refused:
    """See :meth:`Ecosystem.program`. Of a front end that is only served: its package.json."""
    start = start_of(reading)
    if isinstance(start, Refused):
        return start
    unit, layout = start.unit, start.layout
    if not any(is_of_node(unit, ran) or starts_itself(layout, ran) is not None for ran in start.runs):
        return ()
    missing = _why_missing(start)
    if missing is not None:
        return missing
    if unit is None:
        entries = [path for _, place in start.entries() if (path := layout.source(place)) is not None]
        files = graph(reading.context, entries).files if entries else ()
    elif start.is_front_end:
        return (unit.package.path,)
    else:
        if isinstance(start.server, Refused):
            return start.server
        files = start.server.files
        if not files and any(ran.program in RUNTIMES or ran.manager for ran in start.runs):
            return Refused(f"no source of the project {unit.package.path} is in the build context", _OTHER_FOLDER)
    for path in files:
        text = reading.context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"a source of the program cannot be read: {text.reason}")
        if len(text) > MAX_CHARACTERS or "\0" in text:
            return Refused(f"{path}, a source of the program, is too large to be searched, or is no text")
    return files


def is_of_node(unit: Unit | None, ran: Ran) -> bool:
    """The program is Node or Bun itself, a tool of Node's, or comes with a dependency of the project."""
    name = ran.program.split(" ")[0]
    return name in _OF_NODE | _KEEPERS or (unit is not None and owner(name, unit.package) is not None)


def _why_missing(start: Started) -> Refused | None:
    """A started file, or a file that it imports, that is not in the context and that no build of the image makes."""
    layout = start.layout
    found = {place: start.source(place) for _, place in start.entries()}
    entries = [path for path in found.values() if path is not None]
    sources = [one for one in graph(layout.context, entries).missing
               if one.endswith((".js", ".mjs", ".cjs", ".ts")) or "." not in one.rpartition("/")[2]]  # fmt: skip
    if (len(entries) == len(found) and not sources) or any(runs_more(one) for one in origins(layout.reading)):
        return None
    lost = next(((ran, place) for ran, place in start.entries() if found[place] is None), None)
    if lost is not None:
        told = f"{lost[1]}, which {lost[0].shown} starts, was not found in the build context"
    else:
        path, _, module = sources[0].partition(": ")
        told = f"{path} imports {module}, which was not found in the build context"
    return Refused(told, _OTHER_FOLDER)


def runs_more(reading: StageReading) -> bool:
    """A RUN of the stage runs more than installations."""
    programs = Programs(Layout.of(reading))
    return any(
        step.script is None or any(not ran.installs for _, ran in programs.of_step(step)) for step in reading.runs
    )


# Whether it needs development dependencies


def why_dev_needed(
    start: Started, unit: Unit, root: PackageJson, lock: NodeLock | None, *, is_bundled: bool = False
) -> str | None:
    """Why what is started needs development dependencies, as a sentence; None where nothing shows that it does.

    ``unit`` is the project that is started, ``root`` the manifest that was installed (another one in a workspace).
    """
    for ran in start.all:
        reason = _program_needs(start, ran, unit, root) or _why_types_needed(ran, unit.package, root)
        if reason is not None:
            return reason
    if is_bundled or start.is_static:
        return None
    server = start.server
    if isinstance(server, Refused):
        return server.because
    packages = packages_of(start.layout.context, server.files).items()
    reasons = (why_package_is_dev(start.layout, name, place, unit, root, lock) for name, place in packages)
    return next((reason for reason in reasons if reason is not None), None)


def _why_types_needed(ran: Ran, *packages: PackageJson) -> str | None:
    """ts-node checks types at each start unless told not to; tsx, swc and esbuild never do."""
    is_checking = ran.program in {"ts-node", "ts-node-dev", "ts-node-esm", "ts-node-script"}
    is_checking = is_checking or "ts-node" in ran.preloaded
    if not is_checking or {"-T", "--transpile-only", "--transpileOnly", "--swc"} & set(ran.args):
        return None
    names = (name for package in packages for name in package.dev_dependencies)
    types = next((name for name in names if name.startswith("@types/")), None)
    told = f"{ran.shown} checks types when it starts, with {types}, a development dependency"
    return None if types is None else told


def _program_needs(start: Started, ran: Ran, unit: Unit, root: PackageJson) -> str | None:
    if ran.manager:
        return f"{ran.shown} installs packages when the container starts" if ran.installs else None
    if ran.program in RUNTIMES:
        module = next((one for one in ran.preloaded if _is_dev(one, unit.package, root)), None)
        return None if module is None else f"{ran.shown} loads {module}, a development dependency"
    here = start.layout.unit(ran.folder) or unit
    name = owner(ran.program, here.package) or owner(ran.program, root)
    if name is not None and _is_dev(name, here.package, root):
        return f"{ran.shown} runs {ran.program}, a development dependency"
    is_typed = start.layout.context.exists(here.file("next.config.ts")) is True
    if name == "next" and "start" in ran.args and is_typed and _is_dev("typescript", here.package, root):
        # Next reads a TypeScript configuration through the typescript package, and installs that where
        # it is missing.
        return "`next start` reads next.config.ts through typescript, a development dependency"
    return None


def _is_kept(name: str, package: PackageJson, root: PackageJson) -> bool:
    return package.is_production(name) or root.is_production(name) or name in package.peer_dependencies


def _is_dev(name: str, package: PackageJson, root: PackageJson) -> bool:
    is_asked = name in package.dev_dependencies or name in root.dev_dependencies
    return is_asked and not _is_kept(name, package, root)


def why_package_is_dev(
    layout: Layout, name: str, place: str, unit: Unit, root: PackageJson, lock: NodeLock | None
) -> str | None:
    """Why an imported package may be missing without development dependencies."""
    package = unit.package
    if _is_kept(name, package, root) or name in (package.name, root.name):
        return None
    if lock is not None and lock.manager == "npm":
        locked = [found for found in lock.named(name) if found.location.count("node_modules/") <= 1]
        if any(not found.is_dev or found.is_link for found in locked):
            return None
        if locked:
            return f"{place} imports {name}, which is installed as a development dependency only"
    if _is_dev(name, package, root):
        return f"{place} imports {name}, a development dependency"
    # No install brings it: an alias of the build, or types without a package.
    types = "@types/" + (name[1:].replace("/", "__") if name.startswith("@") else name)
    is_free = types in {**package.wanted, **root.wanted} or _is_alias(layout, name, unit)
    if is_free or (lock is not None and (lock.manager != "npm" or not lock.named(name))):
        return None
    return f"{place} imports {name}, which {package.path} does not name: it may come with a development dependency"


def _is_alias(layout: Layout, name: str, unit: Unit) -> bool:
    """A path of the project itself, by ``baseUrl`` or ``paths`` of its tsconfig."""
    context, first = layout.context, name.split("/")[0]
    if context.exists(unit.file(first)) is True:
        return True
    rule = rf'"(?:{re.escape(name)}(?:/[^"]*)?|{re.escape(first)}/[^"]*)"\s*:\s*\['
    stems = ("tsconfig", "tsconfig.base", "jsconfig", "tsconfig.app")
    texts = (context.read(unit.file(f"{stem}.json")) for stem in stems)
    return any(isinstance(text, str) and re.search(rule, text) is not None for text in texts)


def served(ran: Ran) -> str:
    """The folder that a server of files serves."""
    valued = {"-l", "-p", "--listen", "--port", "-c", "--config", "-a", "--address", "-d", "--host", "-T"}
    behind = zip(("", *ran.args), ran.args, strict=False)
    operands = (word for before, word in behind if not word.startswith("-") and before not in valued)
    return join(ran.folder, next(operands, "."))
