"""mix.exs, mix.lock and config/*.exs, as far as they are plain text: mix.exs is a program, and what it says in literals
is known. Sources: hexdocs.pm/mix (Mix.Project, mix deps, mix release), Mix.SCM's format of mix.lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.calls import blanked, parts
from refactor.ecosystems.ranges import intervals, padded

STRING = r'"(?:[^"\\\n]|\\.)*"'
_HEREDOC = r'"""(?s:.*?)"""'
_TOKEN = rf"{_HEREDOC}|\?\\?[\"'#]|{STRING}|'(?:[^'\\\n]|\\.)*'|~[a-zA-Z](?:/(?:[^/\\\n]|\\.)*/|\|[^|\n]*\|)"
_READS = r"\b(File\.\w+[!?]?|Code\.(?:require|eval|load|compile)\w*[!?]?|Path\.wildcard|System\.(?:cmd|shell)|:os\.cmd)"


class Dep(NamedTuple):
    name: str
    requirement: str
    path: str | None
    """The folder of a dependency by path, from that of mix.exs."""
    kind: str
    """"hex", "git", "path", "own" (of the umbrella)."""


class Project(NamedTuple):
    """A mix.exs."""

    path: str
    app: str
    """"" for the root of an umbrella."""
    releases: Mapping[str, Mapping[str, str] | None]
    """Name -> its options as written; None where these are not known."""
    deps: tuple[Dep, ...]
    aliases: Mapping[str, tuple[str, ...] | None]
    """Name -> its tasks; None where one is no text, and under ``*`` where none is known."""
    settings: Mapping[str, str]
    """Everything of ``def project``, as written."""
    reads: tuple[str, ...]
    """Context paths of the files that it reads by name."""
    text: str

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    def string(self, name: str, default: str) -> str | Unknown:
        """A setting that is a plain string."""
        found = string(self.settings.get(name, f'"{default}"'))
        return Unknown(f"{self.path} names {name} by {self.settings[name]}") if found is None else found


def without_comments(text: str) -> str:
    """The same text with blanks in place of comments and documentation; strings and lines stay where they are."""
    text = blanked(text, rf"@(?:module|type)?doc\s+(?:~[sS])?{_HEREDOC}", r"(?!)")
    return blanked(text, r"#[^\n]*", _TOKEN)


def _parts(body: str) -> Iterator[str]:
    """The parts of a list between its commas."""
    return map(str.strip, parts(f"{body})", 0, len(body) + 1, _TOKEN))


def _keywords(body: str) -> dict[str, str] | None:
    """``app: :shop, deps: deps()`` by its keys; None where it is more than that."""
    found: dict[str, str] = {}
    for part in _parts(body):
        pair = re.fullmatch(r'(?s)(?:(\w+[?!]?)|"([^"#]+)"):\s+(.*)', part)
        if pair is None:
            return None
        # Of two with one name Elixir takes the first.
        found.setdefault(pair[1] or pair[2], pair[3].strip())
    return found


def string(value: str) -> str | None:
    found = re.fullmatch(r'"([^"\\#]*)"', value.strip())
    return None if found is None else found[1]


def atom(value: str) -> str | None:
    found = re.fullmatch(r":(\w+)", value.strip())
    return None if found is None else found[1]


def _listed(value: str) -> str | None:
    """The inside of a value that is one list, and nothing but that."""
    text, depth = value.strip(), 0
    for piece in re.finditer(rf"{_TOKEN}|[(\[{{)\]}}]", text):
        depth += (piece[0] in "([{") - (piece[0] in ")]}")
        if depth == 0:
            return text[1:-1] if text[0] == "[" and piece.end() == len(text) else None
    return None


def read_project(context: BuildContext, path: str) -> Project | Unknown:
    """The mix.exs at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    code = without_comments(text)
    body = re.search(r"\bdef\s+project\s*(?:\(\s*\))?\s+do\b(.*?)\n\s*end\b", code, re.DOTALL)
    inside = None if body is None else _listed(body[1])
    found = None if inside is None else _keywords(inside)
    if found is None:
        return Unknown(f"`def project` of {path} is more than a list")
    deps, releases, aliases = _deps(code, found), _pairs(code, found, "releases"), _pairs(code, found, "aliases")
    if deps is None or releases is None:
        return Unknown(f"the {'dependencies' if deps is None else 'releases'} of {path} are no plain list")
    reads = _reads(context, path, code)
    if isinstance(reads, Unknown):
        return reads
    options = {name: None if (one := _listed(value)) is None else _keywords(one) for name, value in releases.items()}
    tasks = {"*": None} if aliases is None else {name: _tasks(value) for name, value in aliases.items()}
    return Project(path, atom(found.get("app", "")) or "", options, deps, tasks, found, reads, code)


def _value(code: str, value: str) -> str:
    """What a function without arguments, or an attribute, of the module stands for."""
    named = re.fullmatch(r"(?:(@)(\w+)|(\w+)(?:\(\s*\))?)", value.strip())
    if named is None:
        return value
    pattern = rf"(?m)^\s*@{named[2]}\s+(.+?)\s*$" if named[1] else (
        rf"(?s)\bdefp?\s+{named[3]}\s*(?:\(\s*\))?\s*(?:do\b(.*?)\n\s*end\b|,\s*do:(.*?)\n)"
    )  # fmt: skip
    found = re.search(pattern, code)
    return value if found is None else next(group for group in found.groups() if group is not None)


def _pairs(code: str, found: Mapping[str, str], name: str) -> dict[str, str] | None:
    inside = _listed(_value(code, found.get(name, "[]")))
    return None if inside is None else _keywords(inside)


def _deps(code: str, found: Mapping[str, str]) -> tuple[Dep, ...] | None:
    inside = _listed(_value(code, found.get("deps", "[]")))
    deps: list[Dep] = []
    for part in _parts(inside or ""):
        first, *rest = _parts(part[1:-1]) if part.startswith("{") and part.endswith("}") else [""]
        name, requirement = atom(first), string(rest[0]) if rest else None
        options = _keywords(", ".join(rest if requirement is None else rest[1:]).removeprefix("[").removesuffix("]"))
        path = None if options is None or "path" not in options else string(options["path"])
        if name is None or options is None or ("path" in options and path is None):
            return None
        kind = "own" if options.get("in_umbrella") == "true" else "path" if path is not None else (
            "git" if {"git", "github"} & options.keys() else "hex"
        )  # fmt: skip
        deps.append(Dep(name, requirement or "", path, kind))
    return None if inside is None else tuple(deps)


def _tasks(value: str) -> tuple[str, ...] | None:
    inside = _listed(value)
    words = [string(part) for part in ([value] if inside is None else _parts(inside))]
    return None if None in words else tuple(word for word in words if word is not None)


def _reads(context: BuildContext, path: str, code: str) -> tuple[str, ...] | Unknown:
    found: dict[str, None] = {}
    for call in re.finditer(rf"{_READS}(?:[\s(]*\"([^\"#\n]+)\"\s*\))?", code):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), call[2] or ""))
        if not re.fullmatch(r"File\.read!?", call[1]) or call[2] is None or context.exists(name) is not True:
            return Unknown(f"{path} calls {call[1]}, and what that reads is not known")
        found[name] = None
    return tuple(found)


def projects(context: BuildContext, project: Project) -> Iterator[Project | Unknown]:
    """A project, those of its umbrella, and its dependencies by path."""
    seen: set[str] = set()
    waiting: list[Project | Unknown] = [project]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Unknown) or one.path not in seen:
            yield one
        if isinstance(one, Unknown) or one.path in seen:
            continue
        seen.add(one.path)
        paths = [posixpath.join(one.folder, dep.path, "mix.exs") for dep in one.deps if dep.path is not None]
        apps = one.string("apps_path", "")
        found = context.glob(posixpath.join(one.folder, apps, "*/mix.exs")) if apps and isinstance(apps, str) else ()
        paths += () if isinstance(found, Unknown) else found
        waiting += [read_project(context, posixpath.normpath(path)) for path in paths]


class Locked(NamedTuple):
    """A package of mix.lock."""

    version: str
    """"" for one of a repository."""
    may_compile: bool
    """rebar3 or make builds it, perhaps to machine code."""


def read_lock(context: BuildContext, path: str) -> Mapping[str, Locked] | Unknown:
    """The mix.lock at a context path: name -> package."""
    text = context.read(path)
    found: dict[str, Locked] = {}
    for line in text.splitlines() if isinstance(text, str) else ():
        entry = re.match(r'\s*(?:%\{)?\s*"?([\w.]+)"?:\s*\{:(hex|git),\s*(?::\w+,\s*"([^"]+)")?', line)
        if entry is not None:
            by = re.search(r"\[((?::\w+(?:,\s*)?)+)\]", line)
            found[entry[1]] = Locked(entry[3] or "", "{:elixir_make" in line or (by is not None and by[1] != ":mix"))
    return found if isinstance(text, str) else text


def why_lock_moves(project: Project, lock: Mapping[str, Locked]) -> str | None:
    """Why `mix deps.get` may write another mix.lock than it finds; None where it has all that is asked for."""
    for dep in project.deps:
        if dep.kind in {"hex", "git"} and dep.name not in lock:
            return f"{project.path} asks for {dep.name}, which mix.lock does not have"
        if dep.kind == "hex" and dep.requirement and not _meets(lock[dep.name].version, dep.requirement):
            return f"mix.lock has {dep.name} {lock[dep.name].version}, not known to be {dep.requirement}"
    return None


def _meets(version: str, requirement: str) -> bool:
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    plain = re.sub(r"-[\w.]+", "", requirement.replace(" and ", " ").replace(" or ", " || "))
    allowed = intervals(re.sub(r"(~>|>=|<=|==|!=|[<>])\s+", r"\1", plain))
    own = padded(tuple(map(int, numbers[0].split(".")))) if numbers else None
    return own is not None and any(low <= own and (high is None or own < high) for low, high in allowed or ())


def config_files(context: BuildContext, project: Project, env: str) -> tuple[str, ...] | Unknown:
    """Context paths of what `mix` reads as configuration when it compiles: config.exs and what that imports."""
    first = project.string("config_path", "config/config.exs")
    if isinstance(first, Unknown):
        return first
    found: dict[str, None] = {}
    waiting = [posixpath.normpath(posixpath.join(project.folder, first))]
    while waiting:
        path = waiting.pop(0)
        text = context.read(path) if path not in found and context.exists(path) is True else None
        if not isinstance(text, str):
            continue
        found[path], code = None, without_comments(text)
        other = re.search(_READS, code)
        if other is not None:
            return Unknown(f"{path} calls {other[1]}, and what that reads is not known")
        for call in re.finditer(r"\bimport_config\s*\(?\s*([^\n]*)", code):
            named = re.match(r'"([^"]*)"', re.sub(r"#\{\s*(?:config_env\(\)|Mix\.env(?:\(\))?)\s*\}", env, call[1]))
            if named is None or "#{" in named[1]:
                return Unknown(f"{path} imports a configuration by a name that is not known: {call[1].strip()[:40]}")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), named[1]))
            more = context.glob(target) if "*" in target else (target,)
            waiting += () if isinstance(more, Unknown) else more
    return tuple(found)


__all__ = [
    "STRING", "Locked", "Project", "atom", "config_files", "projects", "read_lock", "read_project", "string",
    "why_lock_moves", "without_comments",
]  # fmt: skip
