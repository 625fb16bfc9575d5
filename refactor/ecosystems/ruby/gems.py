"""The gems of a project by its Gemfile and Gemfile.lock.

Source: Bundler's lockfile format (bundler/lockfile_parser.rb).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.literals import literal
from refactor.context.tables import closed, table, words


class Gem(NamedTuple):
    """A gem of a lockfile."""

    platforms: frozenset[str]
    """"" for the gem that is compiled where that is needed, ``x86_64-linux`` for one with compiled files."""
    needs: tuple[str, ...]

    def is_compiled_for(self, libc: str | None) -> bool:
        """The lockfile has it with compiled files for Linux."""
        names = {"musl": ("linux-musl",), "glibc": ("linux", "linux-gnu")}.get(libc or "glibc", ())
        return any(platform.endswith(tuple(f"-{name}" for name in names)) for platform in self.platforms)


class Lock(NamedTuple):
    """A Gemfile.lock."""

    path: str
    gems: Mapping[str, Gem]
    platforms: tuple[str, ...]
    direct: tuple[str, ...]
    git: tuple[str, ...]
    """Addresses of repositories that gems come from."""
    folders: tuple[str, ...]
    """Folders that gems come from, from the Gemfile's."""

    @property
    def is_for_linux(self) -> bool:
        return any(name == "ruby" or "linux" in name for name in self.platforms) or not self.platforms

    def closure(self, without: Collection[str]) -> frozenset[str]:
        """Gems that are installed where those that the Gemfile names in ``without`` are left out."""
        direct = (name for name in self.direct if name not in without)
        return closed(direct, {name: gem.needs for name, gem in self.gems.items()})


def read_lock(context: BuildContext, path: str) -> Lock | Unknown:
    """The lockfile at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    section, current = "", ""
    lists: dict[str, list[str]] = {}
    gems: dict[str, tuple[set[str], list[str]]] = {}
    remotes: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.match(r"[A-Z]", line):
            section = line.strip()
        elif section in {"GEM", "GIT", "PATH", "PLUGIN SOURCE"}:
            remote = re.match(r"  remote: (.+)", line)
            spec = re.match(r"    ([^ ]+) \((\d[^-)]*)(?:-([^)]+))?\)", line)
            need = re.match(r"      ([^ !]+)", line)
            if remote is not None:
                remotes.setdefault(section, []).append(remote[1])
            elif spec is not None:
                current = spec[1]
                gems.setdefault(current, (set(), []))[0].add(spec[3] or "")
            elif need is not None and current:
                gems[current][1].append(need[1])
        elif line.strip():
            lists.setdefault(section, []).append(re.split(r"[ !(]", line.strip())[0])
    return Lock(
        path,
        {name: Gem(frozenset(kinds), tuple(needs)) for name, (kinds, needs) in gems.items()},
        tuple(lists.get("PLATFORMS", ())),
        tuple(lists.get("DEPENDENCIES", ())),
        tuple(remotes.get("GIT", ())),
        tuple(remotes.get("PATH", ())),
    )


_READS = r"\b(eval_gemfile|(?:File|IO)\.read|require_relative|(?:file:|:file\s*=>))\s*\(?\s*(.*)"


class Gemfile(NamedTuple):
    """What a Gemfile says, as far as it is text."""

    groups: Mapping[str, frozenset[str]]
    """Gem -> its groups; ``default`` without one."""
    optional: frozenset[str]
    """Groups that are only installed where they are asked for (``BUNDLE_WITH``)."""
    reads: tuple[str, ...]
    """Context paths of other files that it reads: ``.ruby-version``, gemspecs and what these read."""
    unknown: str
    """What it reads that is not known; "" where all is."""

    def out(self, without: Collection[str], chosen: Collection[str]) -> frozenset[str]:
        """Gems that are left out with these groups left out, and these optional ones asked for."""
        away = {*without, *(self.optional - set(chosen))}
        return frozenset(name for name, groups in self.groups.items() if groups <= away)


def read_gemfile(context: BuildContext, path: str) -> Gemfile | Unknown:
    """The Gemfile at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    groups: dict[str, set[str]] = {}
    optional: set[str] = set()
    blocks: list[set[str]] = []
    for line in (re.sub(r"(?:^|\s)#.*", "", raw).strip() for raw in text.splitlines()):
        gem = re.match(r"gem\b\s*\(?\s*[\"']([^\"']+)[\"']", line)
        if gem is not None:
            given = literal(f"[{line[gem.end() :].strip(' ,').removesuffix(')' * ('(' in gem[0]))}]")
            options = table(given[-1] if isinstance(given, list) and given else given)
            names = {*words(options.get("group")), *words(options.get("groups"))}
            groups.setdefault(gem[1], set()).update(names.union(*blocks) or {"default"})
        if re.match(r"(?:if|unless|case|begin)\b", line) or re.search(r"\bdo\b(?:\s*\|[^|]*\|)?$", line):
            head = line.partition("optional")[0] if line.startswith("group") else ""
            named = set(re.findall(r"[:\"'](\w+)", head))
            optional |= named if re.search(r"optional(?::|\s*=>)\s*true", line) else set()
            blocks.append(named)
        elif line == "end" and blocks:
            blocks.pop()
    reads, unknown = _reads(context, posixpath.dirname(path), text)
    return Gemfile({name: frozenset(one) for name, one in groups.items()}, frozenset(optional), reads, unknown)


def _reads(context: BuildContext, folder: str, text: str) -> tuple[tuple[str, ...], str]:
    found: dict[str, None] = {}
    unknown = ""
    code = re.sub(r"(?m)(?:^|\s)#.*$", "", text)
    for call in re.finditer(_READS, code):
        named = re.match(r"(?:File\.(?:join|expand_path)\()?(?:__dir__,\s*)?[\"']([^\"'#]+)[\"']", call[2])
        if named is None:
            unknown = unknown or f"it reads a file by {call[0].strip()[:60]}"
            continue
        name = named[1] + (".rb" if call[1] == "require_relative" and not named[1].endswith(".rb") else "")
        found[posixpath.normpath(posixpath.join(folder, name))] = None
    if re.search(r"(?m)\bDir(?:\.glob|\[)", code):
        unknown = unknown or "it lists folders"
    if re.search(r"(?m)^\s*gemspec\b", code):
        specs = context.glob(posixpath.join(folder, "*.gemspec"))
        if isinstance(specs, Unknown) or not specs:
            unknown = unknown or "it names a gemspec, which is not there"
        for spec in () if isinstance(specs, Unknown) else specs:
            # The file of the version, which it requires.
            names = re.findall(r"\brequire(?:_relative)?\s*\(?\s*[\"']([\w./-]+)[\"']", context.text(spec))
            paths = (posixpath.join(folder, kind, f"{name}.rb") for name in names for kind in ("", "lib"))
            found.update(dict.fromkeys((spec, *map(posixpath.normpath, paths))))
    return context.there(found), unknown
