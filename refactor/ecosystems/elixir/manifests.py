"""mix.exs, mix.lock and config/*.exs, as far as they are plain text.

mix.exs is a program: what it says in literals is known, all else is not. Sources: hexdocs.pm/mix (Mix.Project,
mix deps, mix release), Mix.SCM's format of mix.lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.elixir.text import atom, keywords, listed, parts, string, without_comments
from refactor.ecosystems.ranges import intervals, padded

_READS = r"\b(File\.\w+[!?]?|Code\.(?:require|eval|load|compile)\w*[!?]?|Path\.wildcard|System\.(?:cmd|shell)|:os\.cmd)"
_OWN_CONFIG = r"import_config\s*\(?\s*"


class Dep(NamedTuple):
    """A dependency of mix.exs."""

    name: str
    requirement: str
    """"" where none is given."""
    path: str | None
    """The folder of a dependency by path, from that of mix.exs."""
    is_hex: bool
    is_own: bool
    """``in_umbrella: true``"""


class Project(NamedTuple):
    """A mix.exs."""

    path: str
    """Its context path."""
    app: str
    """"" for the root of an umbrella."""
    releases: Mapping[str, Mapping[str, str] | None]
    """Name -> its options as written; None where these are not known."""
    deps: tuple[Dep, ...]
    aliases: Mapping[str, tuple[str, ...] | None]
    """Name -> its tasks; None where one is no text."""
    settings: Mapping[str, str]
    """Everything of ``def project``, as written."""
    reads: tuple[str, ...]
    """Context paths of the files that it reads by name."""
    text: str

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    @property
    def apps_path(self) -> str | None:
        return string(self.settings.get("apps_path", ""))


def read_project(context: BuildContext, path: str) -> Project | Unknown:
    """The mix.exs at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    code = without_comments(text)
    body = re.search(r"\bdef\s+project\s*(?:\(\s*\))?\s+do\b(.*?)\n\s*end\b", code, re.DOTALL)
    inside = None if body is None else listed(body[1])
    found = None if inside is None else keywords(inside)
    if found is None:
        return Unknown(f"`def project` of {path} is more than a list")
    deps = _deps(code, found.get("deps", "[]"))
    if deps is None:
        return Unknown(f"the dependencies of {path} are no plain list")
    reads = _reads(context, path, code)
    if isinstance(reads, Unknown):
        return reads
    releases = _pairs(code, found.get("releases", "[]"))
    if releases is None:
        return Unknown(f"the releases of {path} are no plain list")
    aliases = _pairs(code, found.get("aliases", "[]"))
    return Project(
        path,
        atom(found.get("app", "")) or "",
        {name: None if (options := listed(value)) is None else keywords(options) for name, value in releases.items()},
        deps,
        {name: _tasks(value) for name, value in aliases.items()} if aliases is not None else {"*": None},
        found,
        reads,
        code,
    )


def _value(code: str, value: str) -> str:
    """What a function without arguments, or an attribute, of the module stands for."""
    named = re.fullmatch(r"(?:(@)(\w+)|(\w+)(?:\(\s*\))?)", value.strip())
    if named is None:
        return value
    if named[1]:
        found = re.search(rf"(?m)^\s*@{named[2]}\s+(.+?)\s*$", code)
    else:
        found = re.search(rf"(?s)\bdefp?\s+{named[3]}\s*(?:\(\s*\))?\s*(?:do\b(.*?)\n\s*end\b|,\s*do:(.*?)\n)", code)
    return value if found is None else next(group for group in found.groups() if group is not None).strip()


def _pairs(code: str, value: str) -> dict[str, str] | None:
    inside = listed(_value(code, value))
    return None if inside is None else keywords(inside)


def _deps(code: str, value: str) -> tuple[Dep, ...] | None:
    inside = listed(_value(code, value))
    found: list[Dep] = []
    for part in parts(inside) if inside is not None else ():
        words = list(parts(part[1:-1])) if part.startswith("{") and part.endswith("}") else []
        name = atom(words[0]) if words else None
        if name is None:
            return None
        requirement = string(words[1]) if len(words) > 1 else None
        options = keywords(
            ", ".join(words[1 if requirement is None else 2 :]).strip().removeprefix("[").removesuffix("]")
        )
        if options is None:
            return None
        path = options.get("path")
        if path is not None and string(path) is None:
            return None
        is_own = options.get("in_umbrella") == "true"
        is_hex = path is None and not is_own and not {"git", "github"} & options.keys()
        found.append(Dep(name, requirement or "", None if path is None else string(path), is_hex, is_own))
    return None if inside is None else tuple(found)


def _tasks(value: str) -> tuple[str, ...] | None:
    inside = listed(value)
    words = [string(part) for part in ([value] if inside is None else parts(inside))]
    return tuple(word for word in words if word is not None) if None not in words else None


def _reads(context: BuildContext, path: str, code: str) -> tuple[str, ...] | Unknown:
    found: dict[str, None] = {}
    for call in re.finditer(rf"{_READS}([\s(]*\"([^\"#\n]+)\"\s*\))?", code):
        if not re.fullmatch(r"File\.read!?", call[1]) or call[3] is None:
            return Unknown(f"{path} calls {call[1]}, and what that reads is not known")
        found[posixpath.normpath(posixpath.join(posixpath.dirname(path), call[3]))] = None
    missing = next((name for name in found if context.exists(name) is not True), None)
    return Unknown(f"{path} reads {missing}, which is not in the build context") if missing else tuple(found)


# mix.lock


class Locked(NamedTuple):
    """A package of mix.lock."""

    version: str
    """"" for one of a repository."""
    managers: frozenset[str]
    """What builds it: ``mix``, ``rebar3``, ``make``."""
    needs: tuple[str, ...]
    optional: frozenset[str]


def read_lock(context: BuildContext, path: str) -> Mapping[str, Locked] | Unknown:
    """The mix.lock at a context path: name -> package."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    found: dict[str, Locked] = {}
    for line in text.splitlines():
        entry = re.match(r'\s*"?([\w.]+)"?:\s*\{:(hex|git),\s*(?::\w+,\s*"([^"]+)")?', line)
        if entry is None:
            continue
        managers = re.search(r"\[((?::\w+(?:,\s*)?)+)\]", line)
        needs = re.findall(r"\{:(\w+),\s*(?:\"[^\"]*\"|nil),\s*\[([^\]]*)\]", line)
        found[entry[1]] = Locked(
            entry[3] or "",
            frozenset(re.findall(r":(\w+)", managers[1])) if managers else frozenset(),
            tuple(name for name, options in needs if "optional: true" not in options),
            frozenset(name for name, options in needs if "optional: true" in options),
        )
    return found


def why_lock_moves(project: Project, lock: Mapping[str, Locked]) -> str | None:
    """Why `mix deps.get` may write another mix.lock than it finds; None where it has all that is asked for."""
    for dep in project.deps:
        if dep.path is not None or dep.is_own:
            continue
        locked = lock.get(dep.name)
        if locked is None:
            return f"{project.path} asks for {dep.name}, which mix.lock does not have"
        if dep.is_hex and dep.requirement and not _meets(locked.version, dep.requirement):
            return f"mix.lock has {dep.name} {locked.version or 'from elsewhere'}, not known to be {dep.requirement}"
    own = {dep.name for dep in project.deps}
    for name, locked in lock.items():
        missing = next((need for need in locked.needs if need not in lock and need not in own), None)
        if missing is not None:
            return f"mix.lock has {name}, but not {missing}, which that needs"
    return None


def _meets(version: str, requirement: str) -> bool:
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    plain = re.sub(r"-[\w.]+", "", requirement.replace(" and ", " ").replace(" or ", " || "))
    allowed = intervals(re.sub(r"(~>|>=|<=|==|!=|[<>])\s+", r"\1", plain))
    if numbers is None or allowed is None:
        return False
    own = padded(tuple(map(int, numbers[0].split("."))))
    return any(low <= own and (high is None or own < high) for low, high in allowed)


# config/*.exs


def config_files(context: BuildContext, project: Project, env: str) -> tuple[str, ...] | Unknown:
    """Context paths of what `mix` reads as configuration when it compiles: config.exs and what that imports."""
    named = project.settings.get("config_path")
    first = string(named) if named is not None else "config/config.exs"
    if first is None:
        return Unknown(f"{project.path} names its configuration by {named}")
    found: dict[str, str] = {}
    waiting = [posixpath.normpath(posixpath.join(project.folder, first))]
    while waiting:
        path = waiting.pop(0)
        if path in found or context.exists(path) is not True:
            continue
        text = context.read(path)
        if isinstance(text, Unknown):
            return text
        found[path] = code = without_comments(text)
        other = re.search(_READS, code)
        if other is not None:
            return Unknown(f"{path} calls {other[1]}, and what that reads is not known")
        more = _imported(context, path, code, env)
        if isinstance(more, Unknown):
            return more
        waiting += more
    return tuple(found)


def _imported(context: BuildContext, path: str, code: str, env: str) -> list[str] | Unknown:
    found: list[str] = []
    for call in re.finditer(rf"\b{_OWN_CONFIG}([^\n]*)", code):
        named = re.match(r'"([^"]*)"', re.sub(r"#\{\s*(?:config_env\(\)|Mix\.env(?:\(\))?)\s*\}", env, call[1]))
        if named is None or "#{" in named[1]:
            return Unknown(f"{path} imports a configuration by a name that is not known: {call[1].strip()[:40]}")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), named[1]))
        matches = context.glob(target) if "*" in target else (target,)
        if isinstance(matches, Unknown):
            return matches
        found += matches
    return found


__all__ = ["Dep", "Locked", "Project", "config_files", "read_lock", "read_project", "why_lock_moves"]
