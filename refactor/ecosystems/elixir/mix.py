"""Manifests of Elixir projects: mix.exs, mix.lock and config/*.exs, as far as they are literals.

mix.exs is a program: what it says in text, atoms, lists and tuples is known, and nothing else. Sources: hexdocs.pm/mix
(Mix.Project, mix deps, mix release), Mix.SCM's format of mix.lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.literals import QUOTED, blanked, literal
from refactor.context.tables import items, table
from refactor.ecosystems.ranges import intervals, meets

_HEREDOC = r'"""(?s:.*?)"""'
_TOKEN = rf"{_HEREDOC}|\?\\?[\"'#]|{QUOTED}|~[a-zA-Z](?:/(?:[^/\\\n]|\\.)*/|\|[^|\n]*\|)"
_READS = r"\b(File\.\w+[!?]?|Code\.(?:require|eval|load|compile)\w*[!?]?|Path\.wildcard|System\.(?:cmd|shell)|:os\.cmd)"
_PLAIN = ("releases", "apps_path", "build_path", "config_path", "lockfile")
"""Settings without which nothing of a project is known."""


def without_comments(text: str) -> str:
    """The same text with blanks in place of comments and documentation; strings and lines stay where they are."""
    return blanked(text, rf"@(?:module|type)?doc\s+(?:~[sS])?{_HEREDOC}|#[^\n]*", _TOKEN)


def _meaning(code: str, text: str) -> str | None:
    """What the module says that a function without arguments, or an attribute of it, is."""
    named = re.fullmatch(r"(@?)(\w+)(?:\(\s*\))?", text)
    if named is None:
        return None
    function = rf"(?s)\bdefp?\s+{named[2]}\s*(?:\(\s*\))?\s*(?:do\b(.*?)\n\s*end\b|,\s*do:(.*?)\n)"
    found = re.search(rf"(?m)^\s*@{named[2]}\s+(.+?)\s*$" if named[1] else function, code)
    return None if found is None else next(group for group in found.groups() if group is not None)


# Projects


class Project(NamedTuple):
    """A mix.exs."""

    path: str
    settings: Mapping[str, object]
    """Everything of ``def project``."""
    asked: Mapping[str, str]
    """What comes from Hex or a repository -> the versions of it that will do."""
    beside: tuple[str, ...]
    """The folders of dependencies by path, from its own."""
    reads: tuple[str | Unknown, ...]
    """Context paths of the files that it reads by name."""
    text: str

    @property
    def releases(self) -> Mapping[str, object]:
        """Name -> the mapping of its options, or an empty list; anything else where these are not known. Without any
        mix makes the one of the application, which the root of an umbrella is not."""
        return table(self.settings.get("releases")) or {self.setting("app", ""): []}

    @property
    def release(self) -> str:
        """The one that is made where none is named; "" where nothing says which."""
        return self.setting("default_release", next(iter(self.releases)) if len(self.releases) == 1 else "")

    @property
    def lock(self) -> str:
        """The context path of its mix.lock."""
        return self.inside(self.setting("lockfile", "mix.lock"))

    def inside(self, path: str) -> str:
        """The context path of what lies at a path from its folder."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), path))

    def setting(self, name: str, default: str) -> str:
        found = self.settings.get(name, default)
        return found if isinstance(found, str) else ""


@remembered
def read_project(context: BuildContext, path: str) -> Project | Unknown:
    """The mix.exs at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    code = without_comments(text)
    found = literal("project", _TOKEN, partial(_meaning, code))
    if not isinstance(found, dict):
        return Unknown(f"`def project` of {path} is more than a list")
    deps = _deps(found.get("deps"))
    unknown = next((name for name in _PLAIN if isinstance(found.get(name), Unknown)), "" if deps else "deps")
    if deps is None or unknown:
        return Unknown(f"{path} names {unknown} by more than text")
    reads = tuple(_read(context, path, code, posixpath.dirname(path)))
    return Project(path, found, *deps, reads, code)


def _deps(value: object) -> tuple[dict[str, str], tuple[str, ...]] | None:
    asked: dict[str, str] = {}
    beside: list[str] = []
    for item in [value] if isinstance(value, Unknown) else items(value):
        name, *rest = item if isinstance(item, tuple) and item else (None,)
        versions = rest[0] if rest and isinstance(rest[0], str) else ""
        options = table(rest[-1]) if rest else {}
        path = options.get("path", "")
        is_more = len(rest) != bool(versions) + bool(options)
        if not isinstance(name, str) or is_more or not isinstance(path, str):
            return None
        if path:
            beside.append(path)
        elif "in_umbrella" not in options:
            asked[name] = versions if {"git", "github"}.isdisjoint(options) else ""
    return asked, tuple(beside)


def _read(context: BuildContext, path: str, code: str, folder: str) -> Iterator[str | Unknown]:
    """Context paths of the files that a script reads by name, from a folder; Unknown for all else that it reads."""
    for call in re.finditer(rf"{_READS}(?:[\s(]*\"([^\"#\n]+)\"\s*\))?", code):
        name = posixpath.normpath(posixpath.join(folder, call[2] or "."))
        is_known = re.fullmatch(r"File\.read!?", call[1]) and call[2] and context.exists(name) is True
        yield name if is_known else Unknown(f"{path} calls {call[1]}, and what that reads is not known")


def projects(context: BuildContext, project: Project) -> Iterator[Project]:
    """A project, those of its umbrella, and its dependencies by path; of one that is not known, why."""
    paths = [project.path]
    for path in paths:
        read = read_project(context, path)
        one = Project(path, {}, {}, (), (read,), "") if isinstance(read, Unknown) else read
        yield one
        apps = one.setting("apps_path", "")
        inside = context.glob(one.inside(f"{apps}/*/mix.exs")) if apps else ()
        more = [one.inside(f"{folder}/mix.exs") for folder in one.beside]
        more += () if isinstance(inside, Unknown) else inside
        paths += [path for path in dict.fromkeys(more) if path not in paths]


def manifests(context: BuildContext, project: Project) -> tuple[str | Unknown, ...]:
    """Context paths of what `mix deps.get` reads: mix.exs and mix.lock, every other mix.exs of the project, and what
    these read by name."""
    first, *others = (path for one in projects(context, project) for path in (one.path, *one.reads))
    return (first, project.lock, *others)


def compiled(context: BuildContext, project: Project, env: str) -> tuple[str | Unknown, ...]:
    """Context paths of what `mix deps.compile` reads besides: the configuration, and the sources of dependencies by
    path."""
    by_path = (one.inside(folder) for one in projects(context, project) for folder in one.beside)
    return (*config_files(context, project, env), *by_path)


# Lockfiles


class Locked(NamedTuple):
    """A package of mix.lock."""

    version: str
    """"" for one of a repository."""
    may_compile: bool
    """rebar3 or make builds it, perhaps to machine code."""


@remembered
def read_lock(context: BuildContext, path: str) -> Mapping[str, Locked]:
    """The mix.lock at a context path: name -> package; {} where there is none."""
    found: dict[str, Locked] = {}
    for line in context.text(path).splitlines():
        entry = re.match(r'\s*(?:%\{)?\s*"?([\w.]+)"?:\s*\{:(?:hex|git),\s*(?::\w+,\s*"([^"]+)")?', line)
        if entry is not None:
            by = re.search(r"\[((?::\w+(?:,\s*)?)+)\]", line)
            found[entry[1]] = Locked(entry[2] or "", "{:elixir_make" in line or (by is not None and by[1] != ":mix"))
    return found


def why_lock_moves(context: BuildContext, project: Project) -> str | None:
    """Why `mix deps.get` may write another mix.lock than it finds; None where that has all that is asked for, or where
    there is none."""
    lock = read_lock(context, project.lock)
    asked = ((one.path, *pair) for one in projects(context, project) for pair in one.asked.items())
    for path, name, versions in asked if context.exists(project.lock) is True else ():
        if name not in lock:
            return f"{path} asks for {name}, which mix.lock does not have"
        numbers = re.match(r"\d+(?:\.\d+)*", lock[name].version)
        allowed = intervals(re.sub(r"-[\w.]+", "", versions))
        if versions and (numbers is None or not meets(numbers[0], allowed or ())):
            return f"mix.lock has {name} {lock[name].version}, not known to be {versions}"
    return None


def config_files(context: BuildContext, project: Project, env: str) -> Iterator[str | Unknown]:
    """Context paths of what `mix` reads as configuration when it compiles: config.exs, what that imports, and what
    they read by name."""
    first = project.inside(project.setting("config_path", "config/config.exs"))
    paths = [first] if context.exists(first) is True else []
    for path in paths:
        yield path
        code = without_comments(context.text(path))
        yield from _read(context, path, code, project.inside("."))
        for call in re.finditer(r"\bimport_config\s*\(?\s*([^\n]*)", code):
            named = re.match(r'"([^"#]*)"', re.sub(r"#\{\s*(?:config_env\(\)|Mix\.env(?:\(\))?)\s*\}", env, call[1]))
            if named is None:
                yield Unknown(f"{path} imports a configuration by a name that is not known: {call[1].strip()[:40]}")
                continue
            more = context.glob(posixpath.normpath(posixpath.join(posixpath.dirname(path), named[1])))
            paths += [] if isinstance(more, Unknown) else [one for one in more if one not in paths]
