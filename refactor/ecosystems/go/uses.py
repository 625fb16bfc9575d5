"""What a Go program uses when it runs: files that it opens, programs that it starts, time zones, temporary files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.go.commands import programs_made
from refactor.ecosystems.go.source import Call, GoSource
from refactor.ecosystems.go.values import Evaluator
from refactor.ecosystems.kept import is_of_system
from refactor.ecosystems.program import Program
from refactor.flow.effects import SYSTEM
from refactor.flow.reading import is_within, join
from refactor.shell import SYSTEM_MANAGERS

_READS: Mapping[str, tuple[int, ...]] = {
    "os.Open": (0,), "os.ReadFile": (0,), "ioutil.ReadFile": (0,), "os.ReadDir": (0,), "ioutil.ReadDir": (0,),
    "os.DirFS": (0,), "http.Dir": (0,), "http.ServeFile": (2,), "http.ServeFileFS": (), "filepath.Walk": (0,),
    "filepath.WalkDir": (0,), "filepath.Glob": (0,), "tls.LoadX509KeyPair": (0, 1), "http.ListenAndServeTLS": (1, 2),
    "toml.DecodeFile": (0,), "ini.Load": (0,), "plugin.Open": (0,), "godotenv.Load": (0, 1, 2), "godotenv.Read": (0,),
    "godotenv.Overload": (0,), "gob.ReadFile": (0,), "excelize.OpenFile": (0,), "file.Provider": (0,),
    "viper.SetConfigFile": (0,), "viper.AddConfigPath": (0,), "os.OpenFile": (0,), "geoip2.Open": (0,),
    "cleanenv.ReadConfig": (0,), "casbin.NewEnforcer": (0, 1),
}  # fmt: skip
"""Functions that open what an argument names."""

_METHODS: Mapping[str, tuple[int, ...]] = {
    "ParseFiles": (0, 1, 2, 3, 4, 5), "ParseGlob": (0,), "LoadHTMLGlob": (0,), "LoadHTMLFiles": (0, 1, 2, 3, 4, 5),
    "StaticFile": (1,), "SendFile": (0,), "ListenAndServeTLS": (-2, -1), "RunTLS": (-2, -1), "Static": (1,),
    "SetConfigFile": (0,), "AddConfigPath": (0,),
}  # fmt: skip
"""The same for methods, whatever they are called on; negative positions count from the end."""

_DEFAULTS: Mapping[str, tuple[str, str]] = {
    "github.com/joho/godotenv": (r"(?:^|/)\.env", "reads .env"),
    "github.com/spf13/viper": (
        r"\.(?:ya?ml|toml|json|ini|env|properties|hcl)$|(?:^|/)\.env", "looks for configuration files",
    ),
    "github.com/beego/beego": (r"", "reads conf, views and static"),
    "github.com/astaxie/beego": (r"", "reads conf, views and static"),
    "github.com/gogf/gf": (
        r"\.(?:ya?ml|toml|json|ini)$|(?:^|/)(?:template|resource|public|i18n|manifest)/",
        "looks for configuration and templates",
    ),
    "github.com/revel/revel": (r"", "reads its application folder"),
    "github.com/gobuffalo/buffalo": (r"", "reads its application folder"),
    "github.com/jinzhu/configor": (r"\.(?:ya?ml|toml|json)$", "looks for configuration files"),
    "github.com/kataras/iris": (r"\.(?:html|tmpl|ya?ml)$", "looks for views"),
}  # fmt: skip
"""Modules that open files nobody names in the sources: which, and what they do."""

_NO_DATA = re.compile(
    r"(?:^|/)(?:\.git|\.github|\.gitlab|\.circleci|\.idea|\.vscode|\.husky|testdata|vendor|node_modules)/"
    r"|(?:^|/)(?:go\.(?:mod|sum|work|work\.sum)|Makefile|makefile|GNUmakefile|Taskfile\.ya?ml|Jenkinsfile|Procfile|Tiltfile|skaffold\.yaml"
    r"|LICEN[CS]E[^/]*|README[^/]*|CHANGELOG[^/]*|CONTRIBUTING[^/]*|CODEOWNERS|AUTHORS|NOTICE|SECURITY\.md|TODO[^/]*"
    r"|\.golangci\.ya?ml|\.goreleaser\.ya?ml|\.air\.toml|air\.toml|\.travis\.yml|\.gitlab-ci\.yml|\.editorconfig|\.gitignore"
    r"|\.gitattributes|\.gitmodules|\.dockerignore|\.pre-commit-config\.yaml|\.keep|\.gitkeep|\.DS_Store|renovate\.json"
    r"|(?:docker-)?compose[^/]*\.ya?ml|[^/]*[Dd]ockerfile[^/]*|Containerfile|sqlc\.ya?ml|gqlgen\.yml|buf(?:\.\w+)*\.ya?ml)$"
    r"|\.(?:go|c|h|cc|cpp|hpp|s|S|proto|templ|qtpl|test|exe|orig|rej|swp)$",
)
"""Paths that no program opens: sources, version control, project files."""
_PROJECT_TEXT = re.compile(r"^[^/]+\.md$")

_SELF_EXEC = frozenset(
    {"exec.Command", "exec.CommandContext", "exec.LookPath", "syscall.Exec", "os.StartProcess", "syscall.ForkExec"}
)
MAKES_TEMPORARY = re.compile(
    r"\b(?:os\.(?:TempDir|CreateTemp|MkdirTemp)|ioutil\.Temp(?:File|Dir)|\w+\.(?:ParseMultipartForm|FormFile|MultipartForm|MultipartReader))\b"
)


class Uses(NamedTuple):
    """What the image has to hold besides the program."""

    files: Mapping[str, str]
    """Files and folders, absolute, each there in the image of one stage -> why."""
    programs: Mapping[str, str]
    """Programs that it starts by name -> where."""
    why_open_program: str | None
    """It starts a program whose name only the running program knows."""
    zones: str | None
    """Where it asks for a time zone."""
    by_source: str | None
    """Where it looks for files beside its own source (``runtime.Caller``)."""


def uses(started: Program, evaluator: Evaluator, requires: Sequence[str]) -> Uses:
    """Everything, as far as the sources show; ``requires`` are the modules that the program's own one needs."""
    return _Finder(started, evaluator, requires).find()


class _Finder:
    def __init__(self, started: Program, evaluator: Evaluator, requires: Sequence[str]) -> None:
        self.reading = started.reading
        self.context = started.reading.context
        self.evaluator = evaluator
        self.sources = evaluator.program.sources
        self.requires = requires
        self.made = dict(_made(started))
        self.ignored = programs_made(started.reading)
        self.found: dict[str, str] = {}
        self.programs: dict[str, str] = {}
        self.open_program: str | None = None

    def find(self) -> Uses:
        embedded = self._embedded()
        open_read: str | None = None
        zones = by_source = None
        for path, source in self.sources.items():
            spans = []
            for call, index in self._reads(source):
                spans.append(call.arguments[index])
                values = self.evaluator.argument(path, call, index)
                where = f"{path}:{source.line(call.start)}"
                for one in values.known:
                    self._keep(one.text, one.is_whole, f"{where} opens it", is_read=True)
                if values.is_open and open_read is None:
                    open_read = f"{where} ({call.name})"
            for literal in source.literals:
                is_read = any(start <= literal.start < end for start, end in spans)
                where = f"{path}:{source.line(literal.start)}"
                self._keep(literal.value, True, f"{where} names it", is_read=is_read, embedded=embedded)
            self._started(path, source)
            if zones is None and "LoadLocation" in source.code:
                zones = f"{path}:{source.line(source.code.find('LoadLocation'))}"
            beside = source.code.find("runtime.Caller(")
            if by_source is None and beside >= 0 and re.search(r"\b(?:file)?path\.Dir\(", source.code):
                by_source = f"{path}:{source.line(beside)}"
        zone = self.evaluator.program.environment.get("TZ")
        if zones is None and zone and zone not in {"UTC", "GMT"}:
            zones = f"ENV TZ={zone}"
        for word in self.evaluator.program.arguments:
            for piece in {word, word.partition("=")[2]} - {""}:
                self._keep(piece, True, "the start command names it")
        for name, value in self.evaluator.program.environment.items():
            if value and name not in {"PATH", "GOPATH", "HOME", "GOBIN", "GOROOT", "GOCACHE", "GOMODCACHE"}:
                self._keep(value, True, f"ENV {name} names it")
        wide = open_read or by_source
        if wide is not None:
            self._keep_data(re.compile(""), f"{wide} opens a path that is only known when it runs")
        for module, (pattern, what) in _DEFAULTS.items():
            own = module + "/"
            is_needed = not self.requires or any((name + "/").startswith(own) for name in self.requires)
            imported = (path for one in self.sources.values() for _, path in one.imports)
            if is_needed and any((path + "/").startswith(own) for path in imported):
                self._keep_data(re.compile(pattern), f"{module} {what} at its own")
        for made, why in self.made.items() if wide is not None else ():
            if not is_of_system(made):
                self.found.setdefault(made, why)
        return Uses(self.found, self.programs, self.open_program, zones, by_source)

    # Reads

    def _reads(self, source: GoSource) -> Iterator[tuple[Call, int]]:
        names = frozenset(name.rpartition(".")[2] for name in _READS) | frozenset(_METHODS)
        for call in source.calls(names):
            indices = _READS.get(call.name)
            if indices is None:
                if call.name in {"os.Open", "http.Dir"} or call.method not in _METHODS or call.name == call.method:
                    continue
                indices = _METHODS[call.method]
                # Methods of the same name that serve from an embedded file system take it first.
                if call.method in {"Static", "StaticFile"} and len(call.arguments) < 2:
                    continue
            if call.name == "os.OpenFile" and len(call.arguments) > 1:
                flags = source.code[slice(*call.arguments[1])]
                if re.search(r"O_(?:CREATE|WRONLY|TRUNC)", flags):
                    continue
            for index in indices:
                at = index if index >= 0 else len(call.arguments) + index
                if 0 <= at < len(call.arguments):
                    yield call, at

    def _keep(
        self, text: str, is_whole: bool, why: str, *, is_read: bool = False, embedded: frozenset[str] = frozenset()
    ) -> None:
        named = _path_of(text)
        if named is None:
            return
        if not is_whole and not text.endswith("/"):
            named = posixpath.dirname(named)
            if not named.strip("./"):
                return
        place = join(self.reading.final_workdir, named)
        if place in self.ignored:
            return
        made = next((path for path in self.made if is_within(place, path)), None)
        if made is not None:
            self.found.setdefault(made, f"{why}; {self.made[made]}")
            return
        is_top = named in {".", "/"} or place == self.reading.final_workdir or place == "/"
        if is_top and not is_read:
            return
        inside = self.reading.in_context(place)
        if inside is None:
            return
        if any(inside == path or inside.startswith(path + "/") for path in embedded) and not is_read:
            return
        if self.context.is_dir(inside) is True:
            self._keep_folder(inside, place, re.compile(""), why)
        elif not inside.endswith((".go", ".mod", ".sum")) and (is_read or _is_data(inside, re.compile(""))):
            self.found.setdefault(place, why)

    def _keep_data(self, pattern: re.Pattern[str], why: str) -> None:
        """The cautious answer: everything that is copied into the image and is no source."""
        for copied in self.reading.copies:
            if copied.is_folder:
                self._keep_folder(copied.source, copied.target, pattern, why)
            elif _is_data(copied.source, pattern):
                self.found.setdefault(copied.target, why)

    def _keep_folder(self, folder: str, target: str, pattern: re.Pattern[str], why: str) -> None:
        """Files below a folder that may be read, folders without any source as a whole."""
        files = self.context.files(folder, without=("vendor", "node_modules", ".git", "testdata"))
        if isinstance(files, Unknown):
            return
        data = [path for path in files if _is_data(path, pattern)]
        mixed = {parent for path in {*files} - {*data} for parent in _parents(path)}
        for path in data:
            whole = [one for one in _parents(path) if one not in mixed and is_within(f"/{one}", f"/{folder}")]
            place = join(target, min(whole, key=len, default=path)[len(folder) :].lstrip("/") or ".")
            if place not in self.ignored:
                self.found.setdefault(place, why)

    def _embedded(self) -> frozenset[str]:
        """Context paths that ``//go:embed`` puts into the program."""
        found: set[str] = set()
        for path, source in self.sources.items():
            for pattern in source.embeds:
                matches = self.context.glob(posixpath.join(posixpath.dirname(path), pattern))
                found.update(matches if isinstance(matches, tuple) else ())
        return frozenset(found)

    # Programs

    def _started(self, path: str, source: GoSource) -> None:
        for call in source.calls(
            frozenset({"Command", "CommandContext", "LookPath", "Exec", "StartProcess", "ForkExec"})
        ):
            if call.name not in _SELF_EXEC:
                continue
            values = self.evaluator.argument(path, call, 1 if call.method == "CommandContext" else 0)
            where = f"{path}:{source.line(call.start)}"
            for value in values.known:
                if value.is_whole and value.text:
                    self.programs.setdefault(value.text, where)
            if values.is_open or any(not value.is_whole for value in values.known):
                self.open_program = self.open_program or f"{where} ({call.name})"


def _is_data(path: str, pattern: re.Pattern[str]) -> bool:
    return not _NO_DATA.search(path) and pattern.search(path) is not None and not _PROJECT_TEXT.match(path)


def _parents(path: str) -> list[str]:
    """The folders above a context path, without the context itself."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _made(started: Program) -> Iterator[tuple[str, str]]:
    """Paths that commands make in the image of the stage, the go command and package managers aside -> why."""
    reading, flow = started.reading, started.flow
    above = {reading.final_workdir, *(copied.target for copied in reading.copies)}
    for act in flow.acts(reading):
        package = act.call.package if act.call is not None else None
        is_from = act.call is None and act.step.step.node.flag("from") is not None
        is_place = (act.call is None and not is_from) or (package is not None and package.manager in SYSTEM_MANAGERS)
        is_changed = act.effect.reads == act.effect.writes and not is_from
        if is_place or is_changed or act.effect.by == "Go" or "/etc/passwd" in act.effect.writes:
            continue
        for path in act.effect.writes:
            is_apart = isinstance(path, str) and path not in SYSTEM and not any(is_within(one, path) for one in above)
            if isinstance(path, str) and is_apart and flow.makers(reading, path):
                yield path, f"line {act.step.line} makes it"


def _path_of(text: str) -> str | None:
    """The path that a string may name: the folder of a pattern, without ``file://``; None for what is no path."""
    if not text or len(text) > 256 or "\n" in text or "\0" in text:
        return None
    text = re.sub(r"^file:(?://)?", "", text)
    if "://" in text or re.search(r"[<>|\"`;]", text):
        return None
    head = re.split(r"[*?\[{]", text, maxsplit=1)[0]
    if head != text:
        head = posixpath.dirname(head) if not head.endswith("/") else head
    head = head.rstrip("/") if head != "/" else head
    return head or None


__all__ = ["MAKES_TEMPORARY", "Uses", "uses"]
