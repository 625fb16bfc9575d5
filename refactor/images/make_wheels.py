"""Makes wheels.txt, the table of which distributions have wheels for which CPython; a tool for maintainers.

    python -m refactor.images.make_wheels [--lockfiles DIR] [--index URL] [NAME ...] > wheels.txt

Facts come from lockfiles that list files (``*.lock`` of Poetry, uv and PDM below DIR; the more versions, the longer the
ranges) and, for each NAME, from the JSON of a package index. Without arguments nothing is read.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from refactor.images.index import read_project
from refactor.images.wheels import read_name, release_key
from refactor.shell import normalise

_FILE = re.compile(r"[\"'/]([A-Za-z0-9_.]+-\d[^\"'/\s]*\.(?:whl|tar\.gz|zip))[\"'#]")
_IS_DEVELOPMENT = re.compile(r"(?i)dev|test|doc|lint|typ|mypy|check|build|bench|release|tutorial|\*|mini")
"""Extras that nobody asks for in an image."""

_PINNED = {"pydantic": "pydantic-core"}
"""A pure distribution -> the compiled one of which each release wants exactly one version."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--lockfiles", metavar="DIR")
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="of the newest fact")
    parser.add_argument("--index", default="https://pypi.org", metavar="URL")
    options = parser.parse_args()
    files: set[str] = set()
    needs: dict[str, set[str]] = defaultdict(set)
    pairs: set[tuple[str, str, str]] = set()
    for text in _lockfiles(options.lockfiles) if options.lockfiles else ():
        files.update(_FILE.findall(text))
        for name, wanted in _dependencies(text).items():
            needs[name] |= wanted
        pairs.update(_pairs(text))
    for name in options.names:
        project = read_project(name, options.index)
        files.update(project.files)
        needs[name] |= project.needs
    print("\n".join(rows(files, needs, pairs, options.date)))


def _lockfiles(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in sorted(names):
            if name.endswith(".lock"):
                with open(os.path.join(here, name), encoding="utf-8", errors="replace") as file:
                    yield file.read()


def _dependencies(text: str) -> Mapping[str, set[str]]:
    """Name -> names that it needs everywhere; ``name[extra]`` -> those that the extra adds."""
    import tomllib

    try:
        packages = tomllib.loads(text).get("package")
    except tomllib.TOMLDecodeError:
        return {}
    found: dict[str, set[str]] = {}
    for package in packages if isinstance(packages, list) else ():
        name = normalise(str(package.get("name")))
        extras = package.get("extras") or package.get("optional-dependencies")
        if isinstance(extras, list) and extras:
            # PDM has an entry of its own for each choice of extras.
            name = f"{name}[{extras[0]}]" if len(extras) == 1 else f"{name}[*]"
        wanted = found.setdefault(name, set())
        listed: Any = package.get("dependencies")
        if isinstance(listed, dict):
            wanted |= {normalise(key) for key, value in listed.items() if not _is_optional(value)}
        for entry in listed if isinstance(listed, list) else ():
            written = entry.get("name") if isinstance(entry, dict) else re.split(r"[ <>=!~;\[]", entry)[0]
            marker = entry.get("marker", "") if isinstance(entry, dict) else entry.partition(";")[2]
            if not _is_foreign(marker):
                wanted.add(normalise(str(written)))
        for extra, entries in extras.items() if isinstance(extras, dict) else ():
            names = {str(entry["name"]) if isinstance(entry, dict) else str(entry) for entry in entries}
            found[f"{name}[{extra}]"] = {normalise(re.split(r"[ <>=!~;\[(]", one)[0]) for one in names}
    return found


def _is_optional(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_optional(one) for one in value)
    return isinstance(value, dict) and (value.get("optional") is True or _is_foreign(str(value.get("markers", ""))))


def _is_foreign(marker: str) -> bool:
    """For another system or interpreter than CPython on Linux, for a CPython before 3.10, or for an extra."""
    if "extra" in marker or re.search(r"python_(?:full_)?version\s*<=?\s*[\"']3\.\d[.\"']", marker):
        return True
    others = re.search(r"win32|[Ww]indows|cygwin|darwin|Darwin|PyPy", marker)
    return others is not None and re.search(r"!=|\bor\b", marker) is None


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    """Version of a distribution of _PINNED, and of what it pins, in the same lockfile."""
    versions = dict(re.findall(r'(?m)^name = "([^"]+)"\nversion = "([^"]+)"', text))
    for name, pinned in _PINNED.items():
        if name in versions and pinned in versions:
            yield name, versions[name], versions[pinned]


def rows(
    files: Iterable[str], needs: Mapping[str, Iterable[str]], pairs: Iterable[tuple[str, str, str]], date: str
) -> list[str]:
    """The lines of the table; see :mod:`refactor.images.wheels` for what they mean."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in files:
        name, version, tags = read_name(file)
        for key in ("all", *tags) if name else ():
            seen[name][key].add(version)
    _pair(seen, pairs)
    pure = {name for name, keys in seen.items() if set(keys) == {"all", "any"}}
    lines = [f"date {date}"]
    for name in sorted(seen):
        keys = {key: found for key, found in seen[name].items() if found}
        versions = sorted(keys.pop("all"), key=release_key)
        if not keys:
            continue
        compiled = sorted(one for one in _closure(name, needs) if one not in pure and one != name)
        more = f" >{','.join(compiled)}" if compiled else ""
        ranges = (
            "" if name in pure else "".join(f" {key}:{_range(found, versions)}" for key, found in sorted(keys.items()))
        )
        lines.append(f"{name} {versions[-1]}{ranges}{more}")
    for name in sorted(needs):
        base = name.partition("[")[0]
        if "[" in name and base in seen and not _IS_DEVELOPMENT.search(name.partition("[")[2]):
            compiled = sorted(
                {one for part in needs[name] for one in _closure(part, needs) if one not in pure} - {base}
            )
            lines.append(f"{name} -" + (f" >{','.join(compiled)}" if compiled else ""))
    return lines


def _pair(seen: Mapping[str, dict[str, set[str]]], pairs: Iterable[tuple[str, str, str]]) -> None:
    """Give each release that pins another distribution the wheels of that one; older releases keep what is pure."""
    pairs = tuple(pairs)
    for name, core in _PINNED.items():
        paired = {version: other for one, version, other in pairs if one == name}
        if not paired:
            continue
        first = min(map(release_key, paired))
        everywhere = {version for version in seen[name]["any"] if release_key(version) < first}
        for key in set(seen[name]) - {"all"}:
            del seen[name][key]
        seen[name]["any"] = everywhere
        for version, other in paired.items():
            for key in [key for key in seen[core] if key != "all" and other in seen[core][key]]:
                seen[name][key].add(version)


def _range(found: set[str], versions: list[str]) -> str:
    ordered = sorted(found, key=release_key)
    return ordered[0] if ordered[-1] == versions[-1] else f"{ordered[0]}-{ordered[-1]}"


def _closure(name: str, needs: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        here = pending.pop()
        if here not in found:
            found.add(here)
            pending += needs.get(here, ())
    return found


if __name__ == "__main__":
    main()
