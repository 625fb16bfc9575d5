"""What a Go program uses when it runs: files that it opens, programs that it starts, time zones, temporary files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.go.commands import programs_made
from refactor.ecosystems.go.source import Expression, GoSource
from refactor.ecosystems.go.values import Evaluator
from refactor.ecosystems.kept import is_of_system
from refactor.ecosystems.program import Program
from refactor.flow.effects import SYSTEM
from refactor.flow.reading import is_within, join, upwards
from refactor.shell import SYSTEM_MANAGERS

_READS: Mapping[str, tuple[int, ...]] = {
    "os.Open": (0,), "os.ReadFile": (0,), "ioutil.ReadFile": (0,), "os.ReadDir": (0,), "ioutil.ReadDir": (0,),
    "os.DirFS": (0,), "http.Dir": (0,), "http.ServeFile": (2,), "filepath.Walk": (0,),
    "filepath.WalkDir": (0,), "filepath.Glob": (0,), "tls.LoadX509KeyPair": (0, 1), "http.ListenAndServeTLS": (1, 2),
    "toml.DecodeFile": (0,), "ini.Load": (0,), "plugin.Open": (0,), "godotenv.Load": (0, 1, 2), "godotenv.Read": (0,),
    "godotenv.Overload": (0,), "gob.ReadFile": (0,), "excelize.OpenFile": (0,), "file.Provider": (0,),
    "os.OpenFile": (0,), "geoip2.Open": (0,),
    "cleanenv.ReadConfig": (0,), "casbin.NewEnforcer": (0, 1),
    ".ParseFiles": (0, 1, 2, 3, 4, 5), ".ParseGlob": (0,),
    ".LoadHTMLGlob": (0,), ".LoadHTMLFiles": (0, 1, 2, 3, 4, 5), ".StaticFile": (1,), ".SendFile": (0,),
    ".ListenAndServeTLS": (-2, -1), ".RunTLS": (-2, -1), ".Static": (1,), ".SetConfigFile": (0,),
    ".AddConfigPath": (0,),
}  # fmt: skip
"""Functions and methods that open what an argument names; negative positions count from the end."""

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

_NO_DATA = (
    r"(?:^|/)(?:\.git|\.github|\.gitlab|\.circleci|\.idea|\.vscode|\.husky|testdata|vendor|node_modules)/"
    r"|(?:^|/)(?:go\.(?:mod|sum|work|work\.sum)|Makefile|makefile|GNUmakefile|Taskfile\.ya?ml|Jenkinsfile|Procfile|Tiltfile|skaffold\.yaml"
    r"|LICEN[CS]E[^/]*|README[^/]*|CHANGELOG[^/]*|CONTRIBUTING[^/]*|CODEOWNERS|AUTHORS|NOTICE|SECURITY\.md|TODO[^/]*"
    r"|\.golangci\.ya?ml|\.goreleaser\.ya?ml|\.air\.toml|air\.toml|\.travis\.yml|\.gitlab-ci\.yml|\.editorconfig|\.gitignore"
    r"|\.gitattributes|\.gitmodules|\.dockerignore|\.pre-commit-config\.yaml|\.keep|\.gitkeep|\.DS_Store|renovate\.json"
    r"|(?:docker-)?compose[^/]*\.ya?ml|[^/]*[Dd]ockerfile[^/]*|Containerfile|sqlc\.ya?ml|gqlgen\.yml|buf(?:\.\w+)*\.ya?ml)$"
    r"|\.(?:go|c|h|cc|cpp|hpp|s|S|proto|templ|qtpl|test|exe|orig|rej|swp)$|^[^/]+\.md$"
)
"""Paths that no program opens: sources, version control, project files."""
_STARTS: Mapping[str, int] = {
    "exec.Command": 0, "exec.CommandContext": 1, "exec.LookPath": 0, "syscall.Exec": 0, "os.StartProcess": 0,
    "syscall.ForkExec": 0,
}  # fmt: skip
"""Functions that start, or look for, the program that an argument names."""


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


def first_call(sources: Mapping[str, GoSource], *names: str) -> str | None:
    """Where one of these functions, or methods (``.FormFile``), is called first."""
    table = dict.fromkeys(names, True)
    places = (f"{path}:{call.line}" for path, source in sources.items() for call in source.calls if call.of(table))
    return next(places, None)


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
        self.open_read: str | None = None

    def find(self) -> Uses:
        embedded = self._embedded()
        for path, source in self.sources.items():
            for call in source.calls:
                self._call(path, call)
            for literal in source.strings:
                self._keep(literal.text, f"{path}:{literal.line} names it", without=embedded)
        environment = self.evaluator.program.environment
        zone = environment.get("TZ") or "UTC"
        zones = first_call(self.sources, ".LoadLocation") or (f"ENV TZ={zone}" if zone not in {"UTC", "GMT"} else None)
        for word in self.evaluator.program.arguments:
            self._keep(word, "the start command names it")
            self._keep(word.partition("=")[2], "the start command names it")
        for name, value in environment.items():
            if not re.match(r"(?:PATH|HOME|GO(?:PATH|BIN|ROOT|CACHE|MODCACHE))\Z", name):
                self._keep(value or "", f"ENV {name} names it")
        files = ({path: source} for path, source in self.sources.items())
        beside = (first_call(file, "runtime.Caller") for file in files if first_call(file, "filepath.Dir", "path.Dir"))
        by_source = next(filter(None, beside), None)
        wide = self.open_read or by_source
        if wide is not None:
            self._keep_data("", f"{wide} opens a path that is only known when it runs")
            for made, why in self.made.items():
                if not is_of_system(made):
                    self.found.setdefault(made, why)
        imported = [path for one in self.sources.values() for _, path in one.imports]
        for module, (pattern, what) in _DEFAULTS.items():
            if all(any(f"{name}/".startswith(f"{module}/") for name in names) for names in
                   (imported, self.requires or imported)):  # fmt: skip
                self._keep_data(pattern, f"{module} {what} at its own")
        return Uses(self.found, self.programs, self.open_program, zones, by_source)

    def _call(self, path: str, call: Expression) -> None:
        """What one call opens or starts."""
        where = f"{path}:{call.line}"
        for index in _read(call):
            values = self.evaluator.argument(path, call, index)
            for one in values.known:
                self._keep(one.text, f"{where} opens it", is_whole=one.is_whole, is_read=True)
            if values.is_open:
                self.open_read = self.open_read or f"{where} ({call.text})"
        if call.text in _STARTS:
            values = self.evaluator.argument(path, call, _STARTS[call.text])
            self.programs.update(
                {one.text: where for one in values.known if one.text and one.text not in self.programs}
            )
            if values.is_open or any(not one.is_whole for one in values.known):
                self.open_program = self.open_program or f"{where} ({call.text})"

    def _keep(
        self,
        text: str,
        why: str,
        *,
        is_whole: bool = True,
        is_read: bool = False,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """What a text names, as far as it is there; ``without`` are context paths that are in the program itself."""
        named = _path_of(text)
        if named is not None and not is_whole and not text.endswith("/"):
            named = posixpath.dirname(named)
        if named is None or not (named.strip("./") or is_whole):
            return
        place = join(self.reading.final_workdir, named)
        made = next((path for path in self.made if is_within(place, path)), None)
        inside = self.reading.in_context(place)
        if place in self.ignored:
            return
        if made is not None:
            self.found.setdefault(made, f"{why}; {self.made[made]}")
            return
        if inside is None or any(is_within(f"/{inside}", f"/{path}") for path in without):
            return
        if place in {self.reading.final_workdir, "/"} and not is_read:
            return
        if self.context.is_dir(inside) is True:
            self._keep_folder(inside, place, "", why)
        elif not inside.endswith((".go", ".mod", ".sum")) and (is_read or _is_data(inside, "")):
            self.found.setdefault(place, why)

    def _keep_data(self, pattern: str, why: str) -> None:
        """The cautious answer: everything that is copied into the image and is no source."""
        for copied in self.reading.copies:
            if copied.is_folder:
                self._keep_folder(copied.source, copied.target, pattern, why)
            elif _is_data(copied.source, pattern):
                self.found.setdefault(copied.target, why)

    def _keep_folder(self, folder: str, target: str, pattern: str, why: str) -> None:
        """Files below a folder that may be read, folders without any source as a whole."""
        files = self.context.files(folder, without=("vendor", "node_modules", ".git", "testdata"))
        if isinstance(files, Unknown):
            return
        data = [path for path in files if _is_data(path, pattern)]
        mixed = {parent for path in {*files} - {*data} for parent in upwards(posixpath.dirname(path))}
        for path in data:
            above = (one for one in upwards(posixpath.dirname(path)) if one and one not in mixed)
            whole = [one for one in above if is_within(f"/{one}", f"/{folder}")]
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


def _read(call: Expression) -> Sequence[int]:
    """The arguments of a call that name what it opens."""
    count = len(call.parts)
    if call.text == "os.OpenFile" and count > 1 and re.search(r"O_(?:CREATE|WRONLY|TRUNC)", call.parts[1].text):
        return ()
    # Methods of the same name that serve from an embedded file system take it first.
    indices = () if call.method in {"Static", "StaticFile"} and count < 2 else call.of(_READS) or ()
    return [index % count for index in indices if -count <= index < count]


def _is_data(path: str, pattern: str) -> bool:
    return not re.search(_NO_DATA, path) and re.search(pattern, path) is not None


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


__all__ = ["Uses", "first_call", "uses"]
