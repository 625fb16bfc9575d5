"""What is started, and whether that needs development dependencies."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.ecosystems.node.bun import starts_itself
from refactor.ecosystems.node.layout import SKIPPED, Layout, Unit
from refactor.ecosystems.node.programs import MANAGERS, RUNTIMES, Programs, Ran, node_entry, owner
from refactor.ecosystems.node.sources import (
    COMPILED,
    SUFFIXES,
    graph,
    is_test,
    is_tool_config,
    packages_of,
    resolve_path,
)
from refactor.ecosystems.node.tables import grouped, words
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import health_roots
from refactor.once import cached_property

WATCHERS = dict.fromkeys(words("nodemon node-dev supervisor"), "restarts on changes") | dict.fromkeys(
    words(
        """
        ts-node-dev tsnd ts-node tsx tsm esno vite-node swc-node babel-node babel-watch sucrase-node
        esbuild-runner esr ts-node-esm ts-node-script ts-node-transpile-only
        """
    ),
    "compiles at start",
)
"""Programs that run sources as they are, or again at every change."""
_SERVERS = grouped(
    """
    vite: build optimize
    next: start build export telemetry lint
    ng: build lint test version
    react-scripts: build test eject
    react-app-rewired craco ember: build test
    vue-cli-service: build lint test:unit
    nuxt: start build generate prepare
    nuxi: start build generate prepare preview
    gatsby: build clean
    astro: build check sync
    remix: build vite:build
    parcel snowpack umi quasar storybook ionic rsbuild rspack farm: build
    nest: build generate
    webpack webpack-dev-server poi start-storybook react-native:
    expo: export build install
    docusaurus: build clear
    svelte-kit: build sync package
    """
)
"""Front-end tools -> subcommands with which they are not a development server."""
STATIC_SERVERS = frozenset(
    {"serve", "http-server", "live-server", "local-web-server", "ws", "static-server", "superstatic", "sirv"}
)


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
        loaded = [
            name
            for name in ran.preloaded
            if name
            in {"ts-node", "tsx", "@swc-node", "@babel/register", "@swc-node/register", "esbuild-register", "sucrase"}
        ]
        if loaded:
            return f"{loaded[0]}, which compiles at start"
        return None
    allowed = _SERVERS.get(ran.program)
    if allowed is None:
        return None
    verb = ran.args[0] if ran.args and not ran.args[0].startswith("-") else ""
    if set(allowed) & set(ran.args):
        return None
    if ran.program == "webpack" and verb not in {"serve", "s", "server"} and not {"--watch", "-w"} & set(ran.args):
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

    def entries(self) -> tuple[tuple[Ran, str], ...]:
        """The files that ``node`` (or pm2, or a program of the kind) runs, as absolute image paths."""
        found = []
        for ran in self.all:
            if ran.program in RUNTIMES:
                entry = node_entry(ran.args)
                if entry is not None:
                    found.append((ran, join(ran.folder, entry)))
            elif (place := starts_itself(self.layout, ran)) is not None:
                found.append((ran, place))
            elif ran.program in {"pm2", "pm2-runtime", "pm2-docker", "forever", *WATCHERS}:
                for word in ran.args:
                    if word.endswith((".js", ".mjs", ".cjs", ".ts", ".json")) and not word.startswith("-"):
                        found.append((ran, join(ran.folder, word)))
                        found += [(ran, place) for place in self._managed(join(ran.folder, word))]
                        break
        return tuple(found)

    def _managed(self, place: str) -> tuple[str, ...]:
        """The programs that pm2 starts by a settings file: ``script: 'dist/main.js'``."""
        path = self.layout.source(place)
        text = self.layout.context.read(path) if path else None
        if not isinstance(text, str):
            return ()
        scripts = re.findall(r"[\"']?script[\"']?\s*:\s*[\"'`]([^\"'`$\n]+)[\"'`]", text)
        return tuple(join(posixpath.dirname(place), script) for script in scripts if script.endswith("js"))

    @cached_property
    def unit(self) -> Unit | None:
        """The project that is started: the one around the entry file, else around the working directory."""
        layout, places = self.layout, self.entries()
        folders = [posixpath.dirname(place) for ran, place in places if ran in self.runs]
        for folder in (*folders, *(ran.folder for ran in self.runs)):
            found = layout.unit(folder)
            if found is not None:
                return found
        built = (layout.built_unit(place) for _, place in places)
        return next((found for found in built if found is not None), None) or layout.unit(layout.reading.final_workdir)

    @cached_property
    def server(self) -> Server | Refused:
        """The sources behind the start command: those reached from the entry file, or all of the project's."""
        layout, entries = self.layout, []
        for _, place in self.entries():
            names = (place + ending for ending in ("", ".js", ".mjs", ".cjs", ".json", ".ts"))
            source = next((source for name in names if (source := layout.source(name)) is not None), None)
            found = resolve_path(layout.context, source) if source is not None else None
            if found is not None:
                entries.append(found)
        reached = graph(layout.context, entries)
        if entries and reached.dynamic is None:
            return Server(tuple(path for path in reached.files if path.endswith(SUFFIXES)), True, None)
        every = () if self.unit is None else source_files(layout, self.unit)
        if isinstance(every, Unknown):
            return Refused(f"the sources are not known: {every.reason}")
        if not entries:
            return Server(every, False, None)
        return Server(tuple(dict.fromkeys((*reached.files, *every))), True, reached.dynamic)


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


def source_files(layout: Layout, unit: Unit, *, all_kinds: bool = True) -> tuple[str, ...] | Unknown:
    """The program files of a project in the context: no tests, no settings of tools, no other projects below it."""
    context = layout.context
    files = context.files(unit.source, without=(*SKIPPED, "coverage", ".next", ".nuxt", ".svelte-kit"))
    if isinstance(files, Unknown):
        return files
    tools = _tool_files(layout, unit)
    below = [path.rpartition("/")[0] for path in files if path.endswith("/package.json") and path != unit.package.path]
    result = []
    for path in files:
        if not path.endswith(SUFFIXES if all_kinds else COMPILED):
            continue
        own = path[len(unit.source) :].lstrip("/")
        if (
            is_test(own)
            or is_tool_config(own)
            or own in tools
            or any(path.startswith(folder + "/") for folder in below)
        ):
            continue
        result.append(path)
    return tuple(result)


def _tool_files(layout: Layout, unit: Unit) -> frozenset[str]:
    """Files that scripts of package.json run as programs of their own (``node tools/build.js``), and
    the start does not."""
    start = layout.reading.start
    begun = "" if start is None else " ".join(start.argv)
    found = set()
    for name, text in unit.package.scripts.items():
        if name in {"start", "start:prod", "serve", "prod", "production"} or name in begun.split():
            continue
        for match in re.finditer(
            r"\b(?:node|tsx|ts-node|babel-node|esno)\s+(?:-\S+\s+)*(?:\./)?([\w./-]+\.[mc]?[jt]s)\b", text
        ):
            if match[1] not in begun and match[1] != unit.package.main:
                found.add(posixpath.normpath(match[1]))
    for name in ("start", "start:prod"):
        for match in re.finditer(r"[\w./-]+\.[mc]?[jt]s\b", unit.package.scripts.get(name, "")):
            found.discard(posixpath.normpath(match[0]))
    return frozenset(found)


def why_dev_needed(
    start: Started, unit: Unit, root: PackageJson, lock: NodeLock | None, *, is_bundled: bool = False
) -> str | None:
    """Why what is started needs development dependencies, as a sentence; None where nothing shows that it does.

    ``unit`` is the project that is started, ``root`` the manifest that was installed (another one in a workspace).
    """
    unknown = start.unknown
    if unknown is not None:
        return f"what is started cannot be followed: {unknown}"
    for ran in start.all:
        reason = _program_needs(start, ran, unit, root) or _why_types_needed(ran, unit.package, root)
        if reason is not None:
            return reason
    if is_bundled or all(ran.program in STATIC_SERVERS for ran in start.runs):
        return None
    server = start.server
    if isinstance(server, Refused):
        return server.because
    for name, place in packages_of(start.layout.context, server.files).items():
        reason = why_package_is_dev(start.layout, name, place, unit, root, lock)
        if reason is not None:
            return reason
    return None


def _why_types_needed(ran: Ran, *packages: PackageJson) -> str | None:
    """ts-node checks types at each start unless told not to; tsx, swc and esbuild never do."""
    modules = ran.preloaded
    is_checking = ran.program in {"ts-node", "ts-node-dev", "ts-node-esm", "ts-node-script"} or any(
        module in {"ts-node/register", "ts-node/esm", "ts-node"} for module in modules
    )
    if not is_checking or {"-T", "--transpile-only", "--transpileOnly", "--swc"} & set(ran.args):
        return None
    for package in packages:
        types = next((name for name in package.dev_dependencies if name.startswith("@types/")), None)
        if types is not None:
            return f"{ran.shown} checks types when it starts, with {types}, a development dependency"
    return None


def _program_needs(start: Started, ran: Ran, unit: Unit, root: PackageJson) -> str | None:
    manager = ran.program.split(" ")[0]
    if manager in MANAGERS and " " in ran.program:
        if ran.program.endswith((" install", " ci")):
            return f"{ran.shown} installs packages when the container starts"
        return None
    if ran.program in RUNTIMES:
        for module in ran.preloaded:
            if _is_dev(module, unit.package, root):
                return f"{ran.shown} loads {module}, a development dependency"
        return None
    here = start.layout.unit(ran.folder)
    package = here.package if here is not None else unit.package
    name = owner(ran.program, package) or owner(ran.program, root)
    if name is None:
        return None
    if _is_dev(name, package, root):
        return f"{ran.shown} runs {ran.program}, a development dependency"
    reads_settings = ran.program == "next" and "start" in ran.args
    if (
        reads_settings
        and start.layout.context.exists(posixpath.join(package.folder, "next.config.ts")) is True
        and _is_dev("typescript", package, root)
    ):
        # Next reads a TypeScript configuration through the typescript package, and installs that where
        # it is missing.
        return "`next start` reads next.config.ts through typescript, a development dependency"
    return None


def _is_dev(name: str, package: PackageJson, root: PackageJson) -> bool:
    if package.is_production(name) or root.is_production(name) or name in package.peer_dependencies:
        return False
    return name in package.dev_dependencies or name in root.dev_dependencies


def why_package_is_dev(
    layout: Layout, name: str, place: str, unit: Unit, root: PackageJson, lock: NodeLock | None
) -> str | None:
    """Why an imported package may be missing without development dependencies."""
    package = unit.package
    if package.is_production(name) or root.is_production(name) or name in package.peer_dependencies:
        return None
    if name in (package.name, root.name):
        return None
    locked = [] if lock is None else [found for found in lock.named(name) if found.location.count("node_modules/") <= 1]
    if lock is not None and lock.manager == "npm":
        if any(not found.is_dev or found.is_link for found in locked):
            return None
        if locked:
            return f"{place} imports {name}, which is installed as a development dependency only"
    if name in package.dev_dependencies or name in root.dev_dependencies:
        return f"{place} imports {name}, a development dependency"
    if lock is not None and not lock.named(name):
        # No install brings it: an alias of the build, or types without a package.
        return None
    if _is_alias(layout, name, unit) or _types_of(name) in {**package.wanted, **root.wanted}:
        return None
    if lock is not None and lock.manager != "npm":
        return None
    return f"{place} imports {name}, which {package.path} does not name: it may come with a development dependency"


def _types_of(name: str) -> str:
    return "@types/" + (name[1:].replace("/", "__") if name.startswith("@") else name)


def _is_alias(layout: Layout, name: str, unit: Unit) -> bool:
    """A path of the project itself, by ``baseUrl`` or ``paths`` of its tsconfig."""
    context = layout.context
    first = name.split("/")[0]
    if context.exists(posixpath.join(unit.source, first)) is True:
        return True
    for config in ("tsconfig.json", "tsconfig.base.json", "jsconfig.json", "tsconfig.app.json"):
        path = posixpath.join(unit.source, config)
        if context.exists(path) is not True:
            continue
        text = context.read(path)
        if not isinstance(text, Unknown) and re.search(rf'"{re.escape(name)}(?:/[^"]*)?"\s*:\s*\[', text):
            return True
        if not isinstance(text, Unknown) and re.search(rf'"{re.escape(first)}/[^"]*"\s*:\s*\[', text):
            return True
    return False


FRONT_ENDS = words(
    """
    vite react-scripts react-app-rewired craco vue-cli-service ng gatsby parcel webpack webpack-dev-server
    docusaurus storybook start-storybook snowpack ionic ember
    """
)


def served(ran: Ran) -> str:
    """The folder that a server of files serves."""
    valued = {"-l", "-p", "--listen", "--port", "-c", "--config", "-a", "--address", "-d", "--host", "-T"}
    behind = zip(("", *ran.args), ran.args, strict=False)
    operands = (word for before, word in behind if not word.startswith("-") and before not in valued)
    return join(ran.folder, next(operands, "."))


def is_front_end(start: Started) -> bool:
    """Everything that is started serves sources that run in a browser."""
    return bool(start.runs) and all(ran.program in FRONT_ENDS | STATIC_SERVERS for ran in start.runs)


__all__ = [
    "STATIC_SERVERS", "WATCHERS", "Server", "Started", "is_front_end", "served", "source_files", "start_of",
    "started", "why_dev_needed", "why_dev_server", "why_package_is_dev",
]  # fmt: skip
