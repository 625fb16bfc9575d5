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
from refactor.ecosystems.node.known import grouped
from refactor.ecosystems.node.layout import Unit, below
from refactor.ecosystems.node.needs import Started, served, source_files, started
from refactor.ecosystems.node.outputs import (
    angular_build,
    config_text,
    configs,
    literal_of,
    next_output,
    option_value,
)
from refactor.ecosystems.node.programs import Programs, Ran
from refactor.ecosystems.node.projects import projects
from refactor.ecosystems.node.sources import found_in, without_comments
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.syntax import Instruction


class _Server(NamedTuple):
    """How a tool serves a front end."""

    port: int
    """Its default."""
    options: tuple[str, ...] = ("--port",)
    """Options that name the port."""
    verbs: tuple[str, ...] = ()
    """With which it is a development server; () for a server of files."""
    settings: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    """Folders of its output in which names have a hash of the content, so that they never change."""
    is_single_page: bool = True


_TOOLS = {
    "react-scripts": _Server(3000, (), ("start",), (), ("static",)),
    "vite": _Server(5173, ("--port",), ("", "dev", "serve", "preview"), configs("vite"), ("assets",)),
    "vue-cli-service": _Server(8080, ("--port",), ("serve",), configs("vue"), ("js", "css")),
    "ng": _Server(4200, ("--port",), ("serve", "s", "dev")),
    "astro": _Server(4321, ("--port",), ("dev", "preview", "start"), configs("astro"), ("_astro",), False),
    "next": _Server(3000, ("-p", "--port"), ("dev",), configs("next"), ("_next/static",), False),
    "serve": _Server(3000, ("-l", "--listen", "-p", "--port"), is_single_page=False),
    "http-server": _Server(8080, ("-p", "--port"), is_single_page=False),
}
_BEHIND = r"\bproxy\b|configureServer|configurePreviewServer|setupMiddlewares|onBeforeSetupMiddleware|\bbefore\s*[:(]"
"""Settings that make a development server more than a server of files."""
_PROXIES = ("src/setupProxy.js", "src/setupProxy.ts", "proxy.conf.json", "src/proxy.conf.json", "proxy.conf.js")
"""Files in which Create React App and Angular say what they pass on to an API."""
_ENVIRONMENT = r"\b(?:REACT_APP|VITE|VUE_APP|PUBLIC|NG_APP)_\w+"
_ASKS = r"\bNODE_ENV\b|\bimport\.meta\.env\.(?:DEV|PROD|MODE)\b"


def static_site(reading: StageReading) -> StaticSite | Refused | None:
    """See :meth:`Ecosystem.static_site`."""
    start, cmd = started(reading), reading.last("CMD")
    if start is None or not start.runs or cmd is None:
        return None
    ran = start.runs[-1]
    server = _TOOLS.get(ran.program)
    verb = ran.args[0] if ran.args and not ran.args[0].startswith("-") else ""
    if server is None or (server.verbs and verb not in server.verbs):
        return None
    if ran.program == "next" and next_output(reading.context, start.layout.source(ran.folder) or "") != "export":
        # A server that renders pages, and a program like any other.
        return None
    unit = start.unit or start.layout.unit(ran.folder)
    if reading.last("ENTRYPOINT") is not None:
        return Refused(f"{ran.shown} serves files only, but an ENTRYPOINT does something before it")
    if unit is None:
        return Refused(f"{ran.shown} starts a front end whose package.json is not known")
    site = _Site(reading, start, cmd, ran, verb, server, unit)
    more = why_more_than_files(reading, ran.shown, unit.folder) or site.why_behind() or site.why_environment()
    return more or site.found()


class _Site(NamedTuple):
    reading: StageReading
    start: Started
    cmd: Instruction
    ran: Ran
    verb: str
    server: _Server
    unit: Unit

    @property
    def is_development(self) -> bool:
        return bool(self.server.verbs)

    def why_behind(self) -> Refused | None:
        """The server does more than serve files, or renders pages itself."""
        context, unit, program = self.reading.context, self.unit, self.ran.program
        why = self._why_rules() if not self.is_development else None
        if self.is_development:
            wanted = [" ".join(name) for one, name in grouped("pages-on-server").items()
                      if one in unit.package.wanted and one != program]  # fmt: skip
            proxy = [path for path in map(unit.file, _PROXIES) if context.exists(path) is True]
            proxy += ["--proxy-config"] if "--proxy-config" in " ".join(self.ran.args) else []
            proxy += [f'{unit.package.path} has "proxy"'] if unit.package.data.get("proxy") is not None else []
            why = f"renders pages on the server, or may: {unit.package.path} has {wanted[0]}" if wanted else None
            why = why or (f"is a proxy for an API: {proxy[-1]}" if proxy else self._why_settings())
        return None if why is None else Refused(f"{self.ran.shown} {why}")

    def _why_rules(self) -> str | None:
        path = self.unit.file("serve.json")
        has_rules = self.reading.context.exists(path) is True or "--proxy" in " ".join(self.ran.args)
        told = f"has rules of its own ({path}, or --proxy), which nginx would not follow"
        return told if has_rules or "-P" in self.ran.args else None

    def _why_settings(self) -> str | None:
        settings, program, package = self._settings(), self.ran.program, self.unit.package
        found = re.search(_BEHIND, without_comments(settings))
        if found is not None:
            return f"has `{found[0]}` in its settings: it does more than serve files"
        if program == "next" and re.search(r"\brewrites\b|\bredirects\b|\bheaders\s*\(|basePath", settings):
            return "has rewrites, redirects, headers or a basePath, which nginx would not follow"
        if re.search(r"\boutput\s*:\s*[\"'](?:server|hybrid)", settings):
            return "renders pages on the server: its settings have another `output` than static"
        for key in ("base", "publicPath", "baseHref", "site") if program != "astro" else ("base",):
            value = literal_of(settings, key) if settings else None
            if value is not None and value not in ("", "/", "./"):
                return f"serves below another address than /: {key} of its settings"
        path = re.sub(r"^\w+://[^/]*", "", text(package.data.get("homepage")) or "")
        is_below = program == "react-scripts" and path not in ("", "/", ".")
        return f'serves below {path}: "homepage" of {package.path}' if is_below else None

    def _settings(self) -> str:
        if self.ran.program == "ng":
            data = self.reading.context.read(self.unit.file("angular.json"))
            # A development server's own options only: a build has outputs and a budget of its own.
            return "" if isinstance(data, Unknown) else re.sub(r'"proxyConfig"', "proxy", data)
        return config_text(self.reading.context, self.unit.source, self.server.settings) or ""

    def why_environment(self) -> Refused | None:
        """What the server is told when the container starts, a build does not know."""
        context = self.reading.context
        for source in context.deployment.sources if self.is_development else ():
            stored = context.stored(source)
            found = re.search(_ENVIRONMENT, stored.decode("utf-8", "replace")) if isinstance(stored, bytes) else None
            if found is not None:
                return Refused(f"{source} gives {found[0]} to the server when it starts; a build would not see it")
        names = (".env.development", ".env.development.local") if self.is_development and self.verb != "preview" else ()
        path = next((path for path in map(self.unit.file, names) if context.exists(path) is True), None)
        because = f"{path} has settings for {self.ran.shown} that a build does not read"
        return None if path is None else Refused(because, "put them into .env")

    def found(self) -> StaticSite | Refused:
        port, built = self._port(), self._built()
        if isinstance(port, Refused):
            return port
        if isinstance(built, Refused):
            return built
        made, command, told, builder = built
        folder = self._browser_folder(made) if self.ran.program == "ng" else made
        if folder is None:
            return Refused(f"which project of angular.json {self.ran.shown} serves is not known", "set defaultProject")
        is_single_page = self.server.is_single_page or bool({"-s", "--single"} & {*self.ran.args})
        evidence = (f"{self.ran.shown} serves {folder} on port {port}, and nothing else", told)
        return StaticSite(
            self.cmd, command, folder, port, is_single_page, self._hashed(builder), evidence, self._doubt()
        )

    def _doubt(self) -> str:
        """A source that does something else in development than in a build."""
        files = source_files(self.start.layout, self.unit) if self.is_development and self.verb != "preview" else ()
        known = () if isinstance(files, Unknown) else files
        own = [path for path in known if not re.search(r"(?i)service-?worker", posixpath.basename(path))]
        found = found_in(self.reading.context, own, _ASKS)
        if found is None:
            return ""
        path = found[0].rpartition(":")[0]
        return f"{path} has {found[1]}: it may do something else in a build than in development"

    def _port(self) -> int | Refused:
        shown, ran, steps = self.ran.shown, self.ran, self.reading.steps
        given = option_value(ran.args, *self.server.options)
        given = given or next((word[2:] for word in ran.args if re.fullmatch(r"-[lp]\d+", word)), None)
        # `PORT=4000 react-scripts start`
        scripts = [
            script for name, script in self.unit.package.scripts.items() if ran.via and name in ran.via[0].split()
        ]
        given = given or next((found[1] for one in scripts if (found := re.search(r"\bPORT=(\d+)\b", one))), None)
        given = given or self.reading.environment.get("PORT")
        if given is not None:
            number = re.search(r"(\d+)$", given)
            return int(number[1]) if number else Refused(f"the port that {shown} listens on is not known: {given}")
        settings = re.search(r"\bport[\"']?\s*:\s*([^,}\s]+)", without_comments(self._settings()))
        if settings is not None and self.is_development:
            return int(settings[1]) if settings[1].isdigit() else Refused(f"the port of {shown} is computed")
        if ran.program == "vite" and self.verb == "preview":
            return 4173
        exposed = {word.partition("/")[0] for one in steps if one.keyword == "EXPOSE" for word in one.node.words}
        if ran.program == "serve" and str(self.server.port) not in exposed:
            # 5000 before version 14, 3000 since.
            return Refused(f"{shown} names no port, and its versions differ in the one they take", "add -l PORT")
        return self.server.port

    def _hashed(self, builder: str) -> tuple[str, ...]:
        """Not where the project names its files itself, or puts others into the same folder."""
        tool, context = _TOOLS.get(builder, _Server(0)), self.reading.context
        settings = config_text(context, self.unit.source, tool.settings) or ""
        if re.search(r"FileNames|assetsDir|filenameHashing|\bfilename\b", settings):
            return ()
        return tuple(one for one in tool.hashed if context.exists(self.unit.file(f"public/{one}")) is False)

    def _built(self) -> tuple[str, str, str, str] | Refused:
        """The folder that is served, what builds it ("" where a RUN does), the evidence and the tool."""
        unit, layout = self.unit, self.start.layout
        project = next((one for one in projects(self.reading) if one.folder == unit.folder), None)
        if project is None:
            return Refused(f"no RUN installs the packages of {unit.package.path}")
        if project.lock_path is None:
            return Refused(
                f"{unit.package.path} has no lockfile that {project.manager} reads: another build may make other files",
                f"commit the lockfile of {project.manager}",
            )
        wanted = served(self.ran) if not self.is_development else None
        for step, _, built in kind_of(self.reading).builds:
            folder = self._makes(built, wanted)
            if folder is not None:
                told = f"`{built.ran.text}` in a RUN makes {folder}"
                return self._late_environment(step) or (folder, "", told, built.ran.program)
        if project.is_production:
            return Refused(f"the install leaves out what the build of {unit.package.path} needs")
        script, run = unit.package.scripts.get("build"), f"{project.manager} run build"
        if script is None:
            return Refused(f"{unit.package.path} has no script `build`", "add one that makes the files to serve")
        for one in (build_of(layout, ran) for ran in Programs(layout).of_text(run, unit.folder)):
            folder = None if one is None else self._makes(one, wanted)
            if one is not None and one.outputs is None:
                return Refused(f"what `{run}` makes is not known: {one.why_unknown}")
            if one is not None and folder is not None:
                prefix = "" if self.reading.final_workdir == unit.folder else f"cd {unit.folder} && "
                told = f"`{script}` (`build` of {unit.package.path}) makes {folder}"
                return folder, f"{prefix}{run}", told, one.ran.program
        return Refused(f"`{run}` is not known to make what {self.ran.shown} serves")

    def _makes(self, built: Built, wanted: str | None) -> str | None:
        """What is served, if a build makes it: the folder that is named, else what the same tool makes."""
        outputs = built.outputs or ()
        if wanted is None:
            return outputs[-1] if outputs and built.ran.program == self.ran.program else None
        return wanted if any(below(wanted, output) is not None for output in outputs) else None

    def _late_environment(self, build: Step) -> Refused | None:
        """A variable that is set behind the RUN that builds: only the development server saw it."""
        for step in self.reading.steps[self.reading.position(build.node) :] if self.is_development else ():
            if step.keyword == "ENV" and re.search(_ENVIRONMENT, step.node.text):
                return Refused(f"`{step.node.text.strip()}` stands behind the RUN that builds", "move it above")
        return None

    def _browser_folder(self, folder: str) -> str | None:
        """Angular's builder `application` puts the files for browsers into a folder of their own; None where it is not
        known which project is built."""
        words = (*self.ran.args[1:], *self.unit.package.scripts.get("build", "").split())
        build = angular_build(self.reading.context, self.unit.source, words)
        if isinstance(build, Unknown):
            return None
        if not (text(table(build).get("builder")) or "").endswith(":application"):
            return folder
        browser = text(table(table(table(build).get("options")).get("outputPath")).get("browser"))
        return join(folder, "browser" if browser is None else browser)
