"""Manifests of Elixir projects: mix.exs, mix.lock and config/*.exs, as far as they are literals.

mix.exs is a program: what it says in text, atoms, lists and tuples is known, and nothing else. Sources: hexdocs.pm/mix
(Mix.Project, mix deps, mix release), Mix.SCM's format of mix.lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.literals import STRING, blanked, parts
from refactor.context.tables import items, table
from refactor.ecosystems.ranges import intervals, meets

_HEREDOC = r'"""(?s:.*?)"""'
_TOKEN = rf"{_HEREDOC}|\?\\?[\"'#]|{STRING}|'(?:[^'\\\n]|\\.)*'|~[a-zA-Z](?:/(?:[^/\\\n]|\\.)*/|\|[^|\n]*\|)"
_READS = r"\b(File\.\w+[!?]?|Code\.(?:require|eval|load|compile)\w*[!?]?|Path\.wildcard|System\.(?:cmd|shell)|:os\.cmd)"
_DEPTH = 8


def without_comments(text: str) -> str:
    """The same text with blanks in place of comments and documentation; strings and lines stay where they are."""
    text = blanked(text, rf"@(?:module|type)?doc\s+(?:~[sS])?{_HEREDOC}", r"(?!)")
    return blanked(text, r"#[^\n]*", _TOKEN)


# Literals


class Atom(str):
    """``:shop``, and ``true``, which is one."""

    __slots__ = ()


def term(written: str, code: str = "", depth: int = 0) -> object:
    """What a literal stands for: text, an :class:`Atom`, a list, a tuple, or a mapping for a list of keywords, which
    comes last where it is the end of another list or tuple; Unknown, with the text, for all else. An attribute, or a
    function without arguments, is what ``code`` says that it is."""
    text = written.strip()
    plain = re.fullmatch(r'"([^"\\#]*)"|:(\w+)|(true|false|nil)', text)
    if plain is not None:
        return plain[1] if plain[1] is not None else Atom(plain[2] or plain[3])
    meant = _meaning(text, code) if depth < _DEPTH else None
    if meant is not None:
        return term(meant, code, depth + 1)
    inside = _inside(text) if depth < _DEPTH else None
    if inside is None:
        return Unknown(text)
    found: list[object] = []
    keywords: dict[str, object] = {}
    for part in parts(f"{inside})", 0, len(inside) + 1, _TOKEN):
        pair = re.fullmatch(r'(?s)\s*(?:(\w+[?!]?)|"([^"#]+)"):\s+(.*)', part)
        if pair is None:
            found.append(term(part, code, depth + 1))
        else:
            # Of two with one name Elixir takes the first.
            keywords.setdefault(pair[1] or pair[2], term(pair[3], code, depth + 1))
    if keywords and not found and text[0] == "[":
        return keywords
    found += [keywords] if keywords else []
    return found if text[0] == "[" else tuple(found)


def _meaning(text: str, code: str) -> str | None:
    """What the module says that a function without arguments, or an attribute of it, is."""
    named = re.fullmatch(r"@(\w+)|(\w+)(?:\(\s*\))?", text)
    if named is None:
        return None
    if named[1]:
        found = re.search(rf"(?m)^\s*@{named[1]}\s+(.+?)\s*$", code)
    else:
        body = r"\s*(?:\(\s*\))?\s*(?:do\b(.*?)\n\s*end\b|,\s*do:(.*?)\n)"
        found = re.search(rf"(?s)\bdefp?\s+{named[2]}{body}", code)
    return None if found is None else next(group for group in found.groups() if group is not None)


def _inside(text: str) -> str | None:
    """What is in a pair of brackets or braces; None where the text is more than that."""
    depth = 0
    for piece in re.finditer(rf"{_TOKEN}|[(\[{{)\]}}]", text):
        depth += (piece[0] in "([{") - (piece[0] in ")]}")
        if depth == 0:
            return text[1:-1] if text[0] in "[{" and piece.end() == len(text) else None
    return None


# Projects


class Dep(NamedTuple):
    """A dependency of a project."""

    name: str
    requirement: str
    path: str | None
    """The folder of a dependency by path, from that of mix.exs."""
    kind: str
    """"hex", "git", "path", "own" (of the umbrella)."""


class Project(NamedTuple):
    """A mix.exs."""

    path: str
    releases: Mapping[str, object]
    """Name -> the mapping of its options; anything else where these are not known."""
    deps: tuple[Dep, ...]
    aliases: Mapping[str, tuple[str, ...] | None]
    """Name -> its tasks; None where one is no text, and under ``*`` where none is known."""
    settings: Mapping[str, object]
    """Everything of ``def project``."""
    reads: tuple[str, ...]
    """Context paths of the files that it reads by name."""
    text: str

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    @property
    def app(self) -> str:
        """ "" for the root of an umbrella."""
        found = self.settings.get("app")
        return found if isinstance(found, Atom) else ""

    def inside(self, path: str) -> str:
        """The context path of what lies at a path from its folder."""
        return posixpath.normpath(posixpath.join(self.folder, path))

    def string(self, name: str, default: str) -> str | Unknown:
        """A setting that is a plain string."""
        found = self.settings.get(name, default)
        return found if isinstance(found, str) else Unknown(f"{self.path} names {name} by more than text")


@remembered
def read_project(context: BuildContext, path: str) -> Project | Unknown:
    """The mix.exs at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    code = without_comments(text)
    body = re.search(r"\bdef\s+project\s*(?:\(\s*\))?\s+do\b(.*?)\n\s*end\b", code, re.DOTALL)
    found = None if body is None else term(body[1], code)
    if not isinstance(found, dict):
        return Unknown(f"`def project` of {path} is more than a list")
    deps, releases, aliases = _deps(found.get("deps", [])), found.get("releases"), found.get("aliases")
    if deps is None or isinstance(releases, Unknown):
        return Unknown(f"the {'dependencies' if deps is None else 'releases'} of {path} are no plain list")
    reads = _reads(context, path, code)
    if isinstance(reads, Unknown):
        return reads
    tasks = {name: _tasks(value) for name, value in table(aliases).items()}
    known = {"*": None} if isinstance(aliases, Unknown) else tasks
    return Project(path, table(releases), deps, known, found, reads, code)


def _deps(value: object) -> tuple[Dep, ...] | None:
    found: list[Dep] = []
    for item in items(value):
        name, *rest = item if isinstance(item, tuple) and item else ("",)
        requirement = rest[0] if rest and isinstance(rest[0], str) else ""
        options = table(rest[-1]) if rest else {}
        path = options.get("path")
        is_more = len(rest) != bool(requirement) + bool(options)
        if not isinstance(name, Atom) or is_more or not isinstance(path, str | None):
            return None
        kind = "own" if options.get("in_umbrella") == "true" else "path" if path is not None else (
            "git" if {"git", "github"} & options.keys() else "hex"
        )  # fmt: skip
        found.append(Dep(name, requirement, path, kind))
    return tuple(found) if isinstance(value, list) else None


def _tasks(value: object) -> tuple[str, ...] | None:
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else [None]
    found = tuple(word for word in words if isinstance(word, str))
    return found if len(found) == len(words) else None


def _reads(context: BuildContext, path: str, code: str) -> tuple[str, ...] | Unknown:
    found: dict[str, None] = {}
    for call in re.finditer(rf"{_READS}(?:[\s(]*\"([^\"#\n]+)\"\s*\))?", code):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), call[2] or ""))
        if not re.fullmatch(r"File\.read!?", call[1]) or call[2] is None or context.exists(name) is not True:
            return Unknown(f"{path} calls {call[1]}, and what that reads is not known")
        found[name] = None
    return tuple(found)


def projects(context: BuildContext, project: Project) -> tuple[Project, ...] | Unknown:
    """A project, those of its umbrella, and its dependencies by path."""
    found: dict[str, Project] = {}
    waiting: list[Project | Unknown] = [project]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Unknown):
            return one
        apps = one.string("apps_path", "")
        if isinstance(apps, Unknown):
            return apps
        if one.path not in found:
            found[one.path] = one
            inside = context.glob(one.inside(f"{apps}/*/mix.exs")) if apps else ()
            paths = [one.inside(f"{dep.path}/mix.exs") for dep in one.deps if dep.path is not None]
            paths += () if isinstance(inside, Unknown) else inside
            waiting += [read_project(context, path) for path in paths]
    return tuple(found.values())


def manifests(context: BuildContext, project: Project) -> tuple[str, ...] | Unknown:
    """Context paths of what `mix deps.get` reads: mix.exs and mix.lock, and every other mix.exs of the project."""
    lock, whole = project.string("lockfile", "mix.lock"), projects(context, project)
    if isinstance(lock, Unknown):
        return lock
    if isinstance(whole, Unknown):
        return whole
    first, *others = (path for one in whole for path in (one.path, *one.reads))
    return (first, project.inside(lock), *others)


def compiled(context: BuildContext, project: Project, env: str) -> tuple[str, ...] | Unknown:
    """Context paths of what `mix deps.compile` reads besides: the configuration, and the sources of dependencies by
    path."""
    files, whole = config_files(context, project, env), projects(context, project)
    if isinstance(files, Unknown):
        return files
    if isinstance(whole, Unknown):
        return whole
    return (*files, *(one.inside(dep.path) for one in whole for dep in one.deps if dep.path))


# Lockfiles


class Locked(NamedTuple):
    """A package of mix.lock."""

    version: str
    """"" for one of a repository."""
    may_compile: bool
    """rebar3 or make builds it, perhaps to machine code."""


@remembered
def read_lock(context: BuildContext, path: str) -> Mapping[str, Locked] | Unknown:
    """The mix.lock at a context path: name -> package."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    found: dict[str, Locked] = {}
    for line in text.splitlines():
        entry = re.match(r'\s*(?:%\{)?\s*"?([\w.]+)"?:\s*\{:(hex|git),\s*(?::\w+,\s*"([^"]+)")?', line)
        if entry is not None:
            by = re.search(r"\[((?::\w+(?:,\s*)?)+)\]", line)
            found[entry[1]] = Locked(entry[3] or "", "{:elixir_make" in line or (by is not None and by[1] != ":mix"))
    return found


def why_lock_moves(context: BuildContext, project: Project) -> str | None:
    """Why `mix deps.get` may write another mix.lock than it finds; None where that has all that is asked for, or where
    there is none."""
    lock, whole = read_lock(context, project.inside("mix.lock")), projects(context, project)
    if isinstance(lock, Unknown) or isinstance(whole, Unknown):
        return None
    for path, dep in ((one.path, dep) for one in whole for dep in one.deps):
        if dep.kind in {"hex", "git"} and dep.name not in lock:
            return f"{path} asks for {dep.name}, which mix.lock does not have"
        if dep.kind == "hex" and dep.requirement:
            numbers = re.match(r"\d+(?:\.\d+)*", lock[dep.name].version)
            allowed = intervals(re.sub(r"-[\w.]+", "", dep.requirement))
            if numbers is None or not meets(numbers[0], allowed or ()):
                return f"mix.lock has {dep.name} {lock[dep.name].version}, not known to be {dep.requirement}"
    return None


def config_files(context: BuildContext, project: Project, env: str) -> tuple[str, ...] | Unknown:
    """Context paths of what `mix` reads as configuration when it compiles: config.exs and what that imports."""
    first = project.string("config_path", "config/config.exs")
    if isinstance(first, Unknown):
        return first
    found: dict[str, None] = {}
    waiting = [project.inside(first)]
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
    "Atom", "Dep", "Locked", "Project", "compiled", "config_files", "manifests", "projects", "read_lock",
    "read_project", "term", "why_lock_moves", "without_comments",
]  # fmt: skip
