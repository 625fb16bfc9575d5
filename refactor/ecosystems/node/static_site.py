"""Front ends that are started by a development or file server, though what they are is files to be served."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.tables import table, text
from refactor.ecosystems.answers import StaticSite
from refactor.ecosystems.files_served import why_more_than_files
from refactor.ecosystems.node.builds import Built, build_of, kind_of
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.needs import Started, served, source_files, started
from refactor.ecosystems.node.outputs import (
    NEXT_CONFIGS,
    angular_build,
    config_text,
    configs,
    literal_of,
    next_output,
    option_value,
)
from refactor.ecosystems.node.programs import Programs, Ran
from refactor.ecosystems.node.projects import projects
from refactor.ecosystems.node.sources import without_comments
from refactor.flow.reading import Refused, StageReading, Step, join


class _Server(NamedTuple):
    """How a tool serves a front end."""

    port: int
    """Its default."""
    options: tuple[str, ...]
    """Options that name the port."""
    settings: tuple[str, ...] = ()
    is_single_page: bool = True


_DEVELOPMENT = {
    "react-scripts": _Server(3000, ()),
    "vite": _Server(5173, ("--port",), configs("vite")),
    "vue-cli-service": _Server(8080, ("--port",), ("vue.config.js", "vue.config.cjs")),
    "ng": _Server(4200, ("--port",)),
    "astro": _Server(4321, ("--port",), configs("astro"), False),
    "next": _Server(3000, ("-p", "--port"), NEXT_CONFIGS, False),
}
_HASHED = {"react-scripts": ("static",), "vite": ("assets",), "vue-cli-service": ("js", "css")}
_HASHED |= {"astro": ("_astro",), "next": ("_next/static",)}
"""Folders of an output in which names have a hash of the content, so that they never change."""
_DEV_VERBS = {
    "react-scripts": {"start"},
    "vite": {"", "dev", "serve", "preview"},
    "vue-cli-service": {"serve"},
    "ng": {"serve", "s", "dev"},
    "astro": {"dev", "preview", "start"},
    "next": {"dev"},
}
_FILE_SERVERS = {
    "serve": _Server(3000, ("-l", "--listen", "-p", "--port"), (), False),
    "http-server": _Server(8080, ("-p", "--port"), (), False),
}
_SERVED_BY_SERVER = {
    "@sveltejs/kit": "SvelteKit",
    "@remix-run/dev": "Remix",
    "@react-router/dev": "React Router",
    "vike": "Vike",
    "vite-plugin-ssr": "vite-plugin-ssr",
    "@builder.io/qwik-city": "Qwik City",
    "@solidjs/start": "SolidStart",
    "nuxt": "Nuxt",
    "next": "Next",
}
_BEHIND = r"\bproxy\b|configureServer|configurePreviewServer|setupMiddlewares|onBeforeSetupMiddleware|\bbefore\s*[:(]"
"""Settings that make a development server more than a server of files."""
_PROXIES = ("src/setupProxy.js", "src/setupProxy.ts", "proxy.conf.json", "src/proxy.conf.json", "proxy.conf.js")
"""Files in which Create React App and Angular say what they pass on to an API."""
_ENVIRONMENT = r"\b(?:REACT_APP|VITE|VUE_APP|PUBLIC|NG_APP)_\w+"
_ASKS = r"\bNODE_ENV\b|\bimport\.meta\.env\.(?:DEV|PROD|MODE)\b"


def static_site(reading: StageReading) -> StaticSite | Refused | None:
    """See :meth:`Ecosystem.static_site`."""
    start = started(reading)
    if start is None or not start.runs:
        return None
    *before, ran = start.runs
    verb = ran.args[0] if ran.args and not ran.args[0].startswith("-") else ""
    is_development = ran.program in _DEVELOPMENT and verb in _DEV_VERBS[ran.program]
    if not is_development and ran.program not in _FILE_SERVERS:
        return None
    if ran.program == "next" and next_output(reading.context, start.layout.source(ran.folder) or "") != "export":
        # A server that renders pages, and a program like any other.
        return None
    cmd = reading.last("CMD")
    if cmd is None:
        return None
    site = _Site(reading, start, ran, verb, is_development)
    return site.why_not(before) or site.found(tuple(before))


class _Site:
    def __init__(self, reading: StageReading, start: Started, ran: Ran, verb: str, is_development: bool) -> None:
        self.reading, self.context = reading, reading.context
        self.start, self.ran, self.verb = start, ran, verb
        self.is_development = is_development
        self.server = (_DEVELOPMENT if is_development else _FILE_SERVERS)[ran.program]
        self.unit = start.unit or start.layout.unit(ran.folder)

    @property
    def layout(self) -> Layout:
        return self.start.layout

    def why_not(self, before: list[Ran]) -> Refused | None:
        shown = self.ran.shown
        if self.reading.last("ENTRYPOINT") is not None:
            return Refused(f"{shown} serves files only, but an ENTRYPOINT does something before it")
        if self.unit is None:
            return Refused(f"{shown} starts a front end whose package.json is not known")
        more = why_more_than_files(self.reading, shown, self.unit.folder)
        if more is not None:
            return more
        return self._why_behind(self.unit) or self._why_environment(self.unit)

    def _why_behind(self, unit: Unit) -> Refused | None:
        """The server does more than serve files, or renders pages itself."""
        context, shown = self.context, self.ran.shown
        for package, name in _SERVED_BY_SERVER.items():
            if self.is_development and package in unit.package.wanted and package != self.ran.program:
                return Refused(f"{shown} renders pages on the server, or may: {unit.package.path} has {name}")
        if not self.is_development:
            path = posixpath.join(unit.source, "serve.json")
            if context.exists(path) is True or "--proxy" in " ".join(self.ran.args) or "-P" in self.ran.args:
                return Refused(f"{shown} has rules of its own ({path}, or --proxy), which nginx would not follow")
            return None
        if unit.package.data.get("proxy") is not None:
            return Refused(f'{shown} is a proxy for an API: {unit.package.path} has "proxy"')
        for name in _PROXIES:
            path = posixpath.join(unit.source, name)
            if context.exists(path) is True:
                return Refused(f"{shown} is a proxy for an API: {path}")
        if "--proxy-config" in " ".join(self.ran.args):
            return Refused(f"{shown} is a proxy for an API: --proxy-config")
        settings = self._settings(unit)
        found = re.search(_BEHIND, without_comments(settings))
        if found is not None:
            return Refused(f"{shown} has `{found[0]}` in its settings: it does more than serve files")
        if re.search(r"\brewrites\b|\bredirects\b|\bheaders\s*\(|basePath", settings) and self.ran.program == "next":
            return Refused(f"{shown} has rewrites, redirects, headers or a basePath, which nginx would not follow")
        if re.search(r"\boutput\s*:\s*[\"'](?:server|hybrid)", settings):
            return Refused(f"{shown} renders pages on the server: its settings have another `output` than static")
        for key in ("base", "publicPath", "baseHref", "site") if self.ran.program != "astro" else ("base",):
            value = literal_of(settings, key) if settings else None
            if value is not None and value not in ("", "/", "./"):
                return Refused(f"{shown} serves below another address than /: {key} of its settings")
        home = text(unit.package.data.get("homepage")) or ""
        path = re.sub(r"^\w+://[^/]*", "", home)
        if self.ran.program == "react-scripts" and path not in ("", "/", "."):
            return Refused(f'{shown} serves below {path}: "homepage" of {unit.package.path}')
        return None

    def _settings(self, unit: Unit) -> str:
        if self.ran.program == "ng":
            data = self.context.read(posixpath.join(unit.source, "angular.json"))
            # A development server's own options only: a build has outputs and a budget of its own.
            return "" if isinstance(data, Unknown) else re.sub(r'"proxyConfig"', "proxy", data)
        return config_text(self.context, unit.source, self.server.settings) or ""

    def _why_environment(self, unit: Unit) -> Refused | None:
        """What the server is told when the container starts, a build does not know."""
        context, shown = self.context, self.ran.shown
        for source in context.deployment.sources:
            stored = context.stored(source)
            found = re.search(_ENVIRONMENT, stored.decode("utf-8", "replace")) if isinstance(stored, bytes) else None
            if found is not None and self.is_development:
                return Refused(f"{source} gives {found[0]} to the server when it starts; a build would not see it")
        for name in (".env.development", ".env.development.local") if self.is_development else ():
            path = posixpath.join(unit.source, name)
            if context.exists(path) is True and self.verb != "preview":
                return Refused(f"{path} has settings for {shown} that a build does not read", "put them into .env")
        return None

    def found(self, before: tuple[Ran, ...]) -> StaticSite | Refused:
        unit = self.unit
        assert unit is not None
        port = self._port(unit)
        built = self._built(unit, before)
        if isinstance(port, Refused):
            return port
        if isinstance(built, Refused):
            return built
        folder, command, told, builder = built
        is_single_page = self.server.is_single_page or any(flag in self.ran.args for flag in ("-s", "--single"))
        cmd = self.reading.last("CMD")
        assert cmd is not None
        if self.ran.program == "ng":
            folder = self._browser_folder(unit, folder)
        return StaticSite(
            cmd,
            command,
            folder,
            port,
            is_single_page,
            self._hashed(unit, builder),
            (f"{self.ran.shown} serves {folder} on port {port}, and nothing else", told),
            self._doubt(unit),
        )

    def _doubt(self, unit: Unit) -> str:
        """A source that does something else in development than in a build."""
        files = source_files(self.layout, unit) if self.is_development and self.verb != "preview" else ()
        for path in () if isinstance(files, Unknown) else files:
            if re.search(r"(?i)service-?worker", posixpath.basename(path)):
                continue
            data = self.context.read(path)
            found = None if isinstance(data, Unknown) else re.search(_ASKS, without_comments(data))
            if found is not None:
                return f"{path} has {found[0]}: it may do something else in a build than in development"
        return ""

    def _port(self, unit: Unit) -> int | Refused:
        shown = self.ran.shown
        given = option_value(self.ran.args, *self.server.options)
        short = [word[2:] for word in self.ran.args if re.fullmatch(r"-[lp]\d+", word)]
        last = self.reading.steps[-1].node
        environment = self.reading.file.environment(last).get("PORT") if not given and not short else None
        written = given or (short[0] if short else None) or self._port_of_script(unit) or environment
        if written is not None:
            number = re.search(r"(\d+)$", written)
            return int(number[1]) if number else Refused(f"the port that {shown} listens on is not known: {written}")
        settings = re.search(r"\bport[\"']?\s*:\s*([^,}\s]+)", without_comments(self._settings(unit)))
        if settings is not None and self.is_development:
            return int(settings[1]) if settings[1].isdigit() else Refused(f"the port of {shown} is computed")
        if self.ran.program == "vite" and self.verb == "preview":
            return 4173
        if self.ran.program == "serve" and not self._is_exposed(self.server.port):
            # 5000 before version 14, 3000 since.
            return Refused(f"{shown} names no port, and its versions differ in the one they take", "add -l PORT")
        return self.server.port

    def _port_of_script(self, unit: Unit) -> str | None:
        """``PORT=4000 react-scripts start``."""
        for name, script in unit.package.scripts.items():
            found = re.search(r"\bPORT=(\d+)\b", script)
            if found is not None and self.ran.via and name in self.ran.via[0].split():
                return found[1]
        return None

    def _is_exposed(self, port: int) -> bool:
        return any(
            word.partition("/")[0] == str(port)
            for step in self.reading.steps
            if step.keyword == "EXPOSE"
            for word in step.node.words
        )

    def _hashed(self, unit: Unit, builder: str) -> tuple[str, ...]:
        """Not where the project names its files itself, or puts others into the same folder."""
        tool = _DEVELOPMENT.get(builder)
        settings = config_text(self.context, unit.source, tool.settings) if tool is not None else None
        if re.search(r"FileNames|assetsDir|filenameHashing|\bfilename\b", settings or ""):
            return ()
        return tuple(
            folder
            for folder in _HASHED.get(builder, ())
            if self.context.exists(posixpath.join(unit.source, "public", folder)) is False
        )

    def _built(self, unit: Unit, before: tuple[Ran, ...]) -> tuple[str, str, str, str] | Refused:
        """The folder that is served, what builds it ("" where a RUN does), the evidence and the tool."""
        project = next((one for one in projects(self.reading) if one.folder == unit.folder), None)
        if project is None:
            return Refused(f"no RUN installs the packages of {unit.package.path}")
        if project.lock_path is None:
            return Refused(
                f"{unit.package.path} has no lockfile that {project.manager} reads: another build may make other files",
                f"commit the lockfile of {project.manager}",
            )
        wanted = served(self.ran) if not self.is_development else None
        for step, _, built in kind_of(self.reading, self.layout).builds:
            if self._makes(built, wanted):
                folder = wanted or (built.outputs or ())[-1]
                late = self._late_environment(step)
                return late or (folder, "", f"`{built.ran.text}` in a RUN makes {folder}", built.ran.program)
        if project.is_production:
            return Refused(f"the install leaves out what the build of {unit.package.path} needs")
        script = unit.package.scripts.get("build")
        if script is None:
            return Refused(f"{unit.package.path} has no script `build`", "add one that makes the files to serve")
        run = f"{project.manager} run build"
        for one in Programs(self.layout).of_text(run, unit.folder):
            made = build_of(self.layout, one)
            if made is None:
                continue
            if made.outputs is None:
                return Refused(f"what `{run}` makes is not known: {made.why_unknown}")
            if self._makes(made, wanted):
                folder = wanted or made.outputs[-1]
                prefix = "" if self.reading.final_workdir == unit.folder else f"cd {unit.folder} && "
                told = f"`{script}` (`build` of {unit.package.path}) makes {folder}"
                return folder, f"{prefix}{run}", told, made.ran.program
        return Refused(f"`{run}` is not known to make what {self.ran.shown} serves")

    def _makes(self, built: Built, wanted: str | None) -> bool:
        """Whether a build makes what is served: the folder that is named, else what the same tool makes."""
        if not built.outputs:
            return False
        if wanted is None:
            return built.ran.program == self.ran.program
        return any(below(wanted, output) is not None for output in built.outputs)

    def _late_environment(self, build: Step) -> Refused | None:
        """A variable that is set behind the RUN that builds: only the development server saw it."""
        for step in self.reading.steps[self.reading.position(build.node) :] if self.is_development else ():
            if step.keyword == "ENV" and re.search(_ENVIRONMENT, step.node.text):
                return Refused(f"`{step.node.text.strip()}` stands behind the RUN that builds", "move it above")
        return None

    def _browser_folder(self, unit: Unit, folder: str) -> str:
        """Angular's builder `application` puts the files for browsers into a folder of their own."""
        build = table(angular_build(self.context, unit.source))
        if not (text(build.get("builder")) or "").endswith(":application"):
            return folder
        browser = text(table(table(build.get("options")).get("outputPath")).get("browser"))
        return join(folder, "browser" if browser is None else browser)


__all__ = ["static_site"]
