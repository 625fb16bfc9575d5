"""Lockfiles of Node projects: npm's ``package-lock.json`` (versions 1 to 3), Yarn's own text format (v1) and the YAML
of Yarn 2 and later, pnpm's ``pnpm-lock.yaml`` (5, 6 and 9). Bun's is in :mod:`refactor.ecosystems.node.bun_lock`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.tables import number, table, text, texts, words
from refactor.ecosystems.node.package_json import PackageJson, override_name
from refactor.ecosystems.ranges import intervals, meets


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a lockfile."""

    location: str
    """npm: its folder, such as ``node_modules/a/node_modules/b``; others: the key of the lockfile."""
    name: str
    version: str | None
    resolved: str | None = None
    """Where it comes from, None if that is the default registry or is not recorded."""
    is_dev: bool = False
    """Only development dependencies need it; False where the format does not record it (yarn, pnpm 9)."""
    is_optional: bool = False
    is_link: bool = False
    """A member of the workspace or a local folder."""
    has_install_script: bool | None = None
    """None: the format does not record it."""
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()

    @property
    def is_for_linux(self) -> bool:
        """Is installed on Linux at all (``os`` lists names, or ``!`` names that are excluded)."""
        if not self.os or "linux" in self.os:
            return True
        return "!linux" not in self.os and all(name.startswith("!") for name in self.os)


@dataclass(frozen=True, slots=True)
class NodeLock:
    """A lockfile that could be read whole."""

    path: str
    manager: Literal["npm", "yarn", "pnpm", "bun"]
    version: str
    """npm "1" to "3"; yarn "1" for its own format, else the metadata's version; pnpm such as "6.0"; bun "0" or "1"."""
    packages: tuple[LockedPackage, ...] = field(repr=False)
    declared: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Project folder ("" for the root) -> name -> range, as it stood when the lockfile was written.

    {} for npm 1 and yarn 1, which do not record it.
    """
    specs: frozenset[str] = field(default=frozenset(), repr=False)
    """yarn 1: every ``name@range`` that has an entry."""
    missing: tuple[str, ...] = ()
    """npm: what an entry asks for without an entry of its own; optional packages for other platforms are dropped from
    lockfiles written next to an existing node_modules (npm/cli#4828)."""
    overrides: frozenset[str] = frozenset()
    """pnpm: names under ``overrides``."""

    @property
    def is_berry(self) -> bool:
        """Written by Yarn 2 or later."""
        return self.manager == "yarn" and self.version != "1"

    @property
    def records_install_scripts(self) -> bool:
        """Whether the format says which packages run scripts when they are installed."""
        return any(package.has_install_script is not None for package in self.packages) or not self.packages

    def named(self, name: str) -> tuple[LockedPackage, ...]:
        """All versions of a package."""
        return tuple(package for package in self.packages if package.name == name)

    def with_install_scripts(self, *, production: bool = False) -> tuple[LockedPackage, ...]:
        """Packages that are known to run a script when they are installed on Linux."""
        return tuple(
            package
            for package in self.packages
            if package.has_install_script and package.is_for_linux and not (production and package.is_dev)
        )

    def why_not_pure(self, *, production: bool = False) -> str | None:
        """Why what is installed may be bound to one platform or C library; None if it is known not to be."""
        if not self.records_install_scripts:
            return f"{self.path} does not record which packages run install scripts"
        for package in self.with_install_scripts(production=production):
            return f"{package.name} runs an install script"
        for package in self.packages:
            is_bound = package.is_for_linux and (package.os or package.cpu or package.libc)
            if is_bound and not (production and package.is_dev):
                return f"{package.name} is built for one platform"
        for name in self.missing:
            return f"{self.path} lacks {name}, which it refers to"
        return None


@remembered
def read_npm_lock(context: BuildContext, path: str = "package-lock.json") -> NodeLock | Unknown:
    """``package-lock.json`` or ``npm-shrinkwrap.json``, versions 1 to 3; Unknown when it was cut."""
    data = context.json(path)
    if isinstance(data, Unknown):
        return data
    if not isinstance(data, dict):
        return context.report_broken(path, "is not a JSON object")
    root = table(data)
    version = number(root.get("lockfileVersion"))
    if isinstance(root.get("packages"), dict):
        return _npm_lock(path, version or "2", table(root["packages"]))
    if "dependencies" not in root and version not in ("", "1"):
        return context.report_broken(path, "has neither packages nor dependencies")
    return NodeLock(path, "npm", "1", tuple(_npm_packages(root.get("dependencies"), "")), {})


def _platforms(entry: Mapping[str, object]) -> tuple[tuple[str, ...], ...]:
    """The last fields of a package: ``os``, ``cpu`` and ``libc``."""
    return tuple(words(entry.get(name)) for name in ("os", "cpu", "libc"))


def _npm_lock(path: str, version: str, entries: Mapping[str, object]) -> NodeLock:
    packages = []
    declared: dict[str, Mapping[str, str]] = {}
    names = set()
    offered: set[str] = set()
    for location, value in entries.items():
        entry = table(value)
        inside = location.rfind("node_modules/")
        if inside < 0:
            # The root, a member of the workspace or a local folder: what was asked for, not a package.
            optional = texts(entry.get("optionalDependencies"))
            wanted = {**texts(entry.get("devDependencies")), **texts(entry.get("dependencies")), **optional}
            declared[location] = wanted
            if location:
                names.add(text(entry.get("name")) or location.rpartition("/")[2])
            continue
        installed = location[inside + len("node_modules/") :]
        names.add(installed)
        offered.update(texts(entry.get("optionalDependencies")))
        is_dev = entry.get("dev") is True or entry.get("devOptional") is True
        packages.append(
            LockedPackage(
                location,
                text(entry.get("name")) or installed,
                text(entry.get("version")),
                text(entry.get("resolved")),
                is_dev,
                entry.get("optional") is True or entry.get("devOptional") is True,
                entry.get("link") is True,
                entry.get("hasInstallScript") is True,
                *_platforms(entry),
            )
        )
    missing = tuple(sorted(offered - names))
    return NodeLock(path, "npm", version, tuple(packages), declared, missing=missing)


def _npm_packages(value: object, parent: str) -> Iterator[LockedPackage]:
    """Version 1 nests what lies in a package's own ``node_modules``."""
    waiting: list[tuple[str, object]] = [(parent, value)]
    while waiting:
        above, entries = waiting.pop()
        for name, entry in ((name, table(found)) for name, found in table(entries).items()):
            location, version = f"{above}node_modules/{name}", text(entry.get("version")) or ""
            is_link = version.startswith("file:") and not version.endswith((".tgz", ".tar.gz"))
            is_dev, resolved = entry.get("dev") is True, text(entry.get("resolved"))
            yield LockedPackage(location, name, version, resolved, is_dev, is_link=is_link)
            waiting += [(location + "/", entry["dependencies"])] if "dependencies" in entry else []


@remembered
def read_yarn_lock(context: BuildContext, path: str = "yarn.lock") -> NodeLock | Unknown:
    """``yarn.lock`` of any Yarn. One that was cut in the middle is Unknown where that can be told."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    if re.search(r"(?m)^__metadata:", content):
        return _read_berry_lock(context, path, content)
    return _read_yarn_v1(context, path, content)


_WHOLE = r'.*"|  integrity sha(?:1-.{28}|256-.{44}|384-.{64}|512-.{88})'
"""A last line that is known to be all there, where an editor took its newline."""
_YARN_FIELD = r'( {2}| {4})("(?:[^"\\]|\\.)*"|[^\s":]+)(?::| ("(?:[^"\\]|\\.)*"|[^\s"]+))'
"""``version "1.0.0"``, ``dependencies:``"""


def _read_yarn_v1(context: BuildContext, path: str, content: str) -> NodeLock | Unknown:
    """Yarn 1 writes two-space indentation, ``key value`` lines and ``key:`` blocks; there is no end mark."""
    packages: list[LockedPackage] = []
    specs: set[str] = set()
    wanted: set[str] = set()
    if content.strip() and not content.endswith("\n") and not re.fullmatch(_WHOLE, content.rpartition("\n")[2]):
        return context.report_broken(path, "does not end with a newline: it may be cut")
    lines = (line.rstrip() for line in content.removeprefix("\ufeff").splitlines() if not line.startswith("#"))
    entries = re.split(r"\n(?=\S)", "\n".join(filter(None, lines)))
    for first, *entry in (one.splitlines() for one in entries if one):
        fields, block = dict[str, str](), ""
        for line in entry:
            found = re.fullmatch(_YARN_FIELD, line)
            if found is None:
                return context.report_broken(path, f"`{line.strip()[:60]}` is no part of an entry")
            indent, key, value = found.groups()
            block = key if value is None else "" if indent == "  " else block
            if block == "dependencies" and value is not None:
                wanted.add(_unquote(key))
            elif value is not None and not block:
                fields[key] = _unquote(value)
        if not first.endswith(":") or "version" not in fields:
            return context.report_broken(path, f"the entry of {first[:60]} has no version: it was cut")
        keys = [_unquote(key) for key in first[:-1].split(", ")]
        specs.update(keys)
        name, is_link = spec_name(keys[0]), spec_range(keys[0]).startswith("link:")
        packages.append(LockedPackage(keys[0], name, fields["version"], fields.get("resolved"), is_link=is_link))
    lost = sorted(wanted - {package.name for package in packages})
    if lost:
        # Entries are sorted: a file cut between two of them lacks the names at the end.
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    return NodeLock(path, "yarn", "1", tuple(packages), {}, frozenset(specs))


def _read_berry_lock(context: BuildContext, path: str, content: str) -> NodeLock | Unknown:
    data = context.yaml(path)
    if isinstance(data, Unknown):
        return data
    packages = []
    declared: dict[str, Mapping[str, str]] = {}
    wanted: set[str] = set()
    names: set[str] = set()
    for key, value in table(data).items():
        if key == "__metadata":
            continue
        entry = table(value)
        resolution = text(entry.get("resolution"))
        if resolution is None:
            return context.report_broken(path, f"the entry of {key} has no resolution: it was cut")
        name = spec_name(resolution)
        names.update((name, *(spec_name(part.strip()) for part in key.split(","))))
        needs = {dependency: number(spec) for dependency, spec in table(entry.get("dependencies")).items()}
        where = spec_range(resolution)
        if where.startswith("workspace:"):
            folder = where.removeprefix("workspace:")
            declared["" if folder == "." else folder] = {n: s.removeprefix("npm:") for n, s in needs.items()}
        optional = {n for n, meta in table(entry.get("dependenciesMeta")).items() if table(meta).get("optional")}
        wanted.update(n for n in needs if n not in optional)
        locked = number(entry.get("version")) or None
        packages.append(LockedPackage(key, name, locked, is_link=entry.get("linkType") == "soft"))
    lost = sorted(wanted - names)
    if lost:
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    version = number(table(table(data).get("__metadata")).get("version")) or "berry"
    # Version 1 of the metadata never existed in a release; "1" means Yarn's own format here.
    version = "berry" if version == "1" else version
    return NodeLock(path, "yarn", version, tuple(packages), declared)


def spec_name(spec: str) -> str:
    """``@scope/name`` of ``@scope/name@range``."""
    at = spec.find("@", 1)
    return spec if at < 0 else spec[:at]


def spec_range(spec: str) -> str:
    at = spec.find("@", 1)
    return "" if at < 0 else spec[at + 1 :]


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value.strip()
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if "\\" in value else value[1:-1]


@remembered
def read_pnpm_lock(context: BuildContext, path: str = "pnpm-lock.yaml") -> NodeLock | Unknown:
    """``pnpm-lock.yaml``, versions 5 to 9. One that was cut names packages it does not hold: Unknown."""
    data = context.yaml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    version = number(root.get("lockfileVersion")).split("-")[0]
    if not version:
        return context.report_broken(path, "has no lockfileVersion")
    major = int(version.split(".")[0]) if version.split(".")[0].isdigit() else 0
    entries, snapshots = table(root.get("packages")), table(root.get("snapshots"))
    declared, referred = _pnpm_projects(root)
    for value in (snapshots or entries).values():
        referred += ((name, number(spec)) for name, spec in table(table(value).get("dependencies")).items())
    known = {*entries, *snapshots}
    for name, resolved in referred:
        if resolved.startswith(("link:", "file:", "workspace:")) or not resolved:
            continue
        if known.isdisjoint(_pnpm_keys(name, resolved)):
            return context.report_broken(path, f"has no entry for {name} {resolved}: it was cut")
    if major >= 9:
        bare = {key.split("(")[0] for key in snapshots}
        for key in entries:
            if key not in bare:
                return context.report_broken(path, f"has no snapshot of {key}: it was cut")
    packages = []
    for key, value in entries.items():
        entry = table(value)
        if not entry:
            return context.report_broken(path, f"the entry of {key} is empty: it was cut")
        name, found_version = _pnpm_name(key, major)
        packages.append(
            LockedPackage(
                key,
                text(entry.get("name")) or name,
                number(entry.get("version")) or found_version,
                text(table(entry.get("resolution")).get("tarball")),
                entry.get("dev") is True,
                entry.get("optional") is True,
                table(entry.get("resolution")).get("type") == "directory",
                entry.get("requiresBuild") is True if major < 9 else None,
                *_platforms(entry),
            )
        )
    overrides = frozenset(override_name(key) for key in table(root.get("overrides")))
    return NodeLock(path, "pnpm", version, tuple(packages), declared, overrides=overrides)


def _pnpm_projects(root: Mapping[str, object]) -> tuple[dict[str, Mapping[str, str]], list[tuple[str, str]]]:
    """What each project asks for, by its folder; and the packages, with their versions, that this stands for."""
    declared: dict[str, Mapping[str, str]] = {}
    referred: list[tuple[str, str]] = []
    projects = table(root.get("importers")) if "importers" in root else {".": root}
    for folder, value in projects.items():
        project = table(value)
        specifiers = {name: number(spec) for name, spec in table(project.get("specifiers")).items()}
        for section in ("dependencies", "devDependencies", "optionalDependencies"):
            for name, resolved in table(project.get(section)).items():
                found = table(resolved)
                if found:
                    specifiers[name] = number(found.get("specifier"))
                if section != "optionalDependencies":
                    referred.append((name, number(found.get("version")) if found else number(resolved)))
        declared["" if folder == "." else folder] = specifiers
    return declared, referred


def _pnpm_keys(name: str, resolved: str) -> tuple[str, ...]:
    """Under which keys a dependency may be found, in every version of the format."""
    bare, at = f"/{name}/{resolved}", f"{name}@{resolved}"
    return resolved, bare, f"/{at}", at, f"/{resolved}", resolved.split("(")[0]


def _pnpm_name(key: str, major: int) -> tuple[str, str | None]:
    """Name and version: ``/@a/b/1.0.0_peer`` (5), ``/@a/b@1.0.0(peer@1)`` (6), ``@a/b@1.0.0`` (9)."""
    key = key.split("(")[0]
    if major < 6 and key.startswith("/"):
        name, _, version = key[1:].rpartition("/")
        return name, version.split("_")[0] or None
    key = key.removeprefix("/")
    return spec_name(key), spec_range(key) or None


# Whether an install that may not change the lockfile accepts it


def lock_matches(package: PackageJson, lock: NodeLock, members: Iterable[PackageJson] = ()) -> bool | Unknown:
    """Whether an install that may not change the lockfile accepts it for this manifest.

    ``npm ci``, ``yarn install --frozen-lockfile`` (or ``--immutable``), ``pnpm install --frozen-lockfile`` and
    ``bun install --frozen-lockfile`` fail where this is False. ``members`` are the workspace's other manifests.
    """
    manifests = (package, *members)
    if lock.manager == "npm":
        checks = [_npm_matches(manifest, package.folder, lock) for manifest in manifests]
    elif lock.manager in {"pnpm", "bun"} or lock.is_berry:
        checks = [_declared_matches(manifest, package.folder, lock) for manifest in manifests]
    else:
        local = {manifest.name for manifest in manifests}
        checks = [_yarn_matches(manifest, lock, local) for manifest in manifests]
    if any(check is False for check in checks):
        return False
    return next((check for check in checks if isinstance(check, Unknown)), True)


def _relative(manifest: PackageJson, root: str) -> str:
    return manifest.folder.removeprefix(root).strip("/")


def _npm_matches(manifest: PackageJson, root: str, lock: NodeLock) -> bool | Unknown:
    """npm compares each dependency's locked version with the range that is asked for now."""
    if lock.version == "1":
        return Unknown(f"{lock.path} is of version 1, which does not record what was asked for")
    folder = _relative(manifest, root)
    declared = lock.declared.get(folder)
    if declared is None or any(one not in declared for one in manifest.wanted.keys() - manifest.optional_dependencies):
        return False
    installed = {package.location: package.version or "" for package in lock.packages if not package.is_link}
    changed = [one for one, wanted in manifest.wanted.items() if declared.get(one, wanted) != wanted]
    is_known = True
    for name in changed:
        version = installed.get(f"{folder}/node_modules/{name}", installed.get(f"node_modules/{name}", ""))
        allowed = intervals(manifest.wanted[name]) if re.fullmatch(r"\d+\.\d+\.\d+", version) else None
        if allowed is not None and not meets(version, allowed):
            return False
        is_known = is_known and allowed is not None
    return True if is_known else Unknown(f"{lock.path} was written for another range of {', '.join(changed)}")


def _declared_matches(manifest: PackageJson, root: str, lock: NodeLock) -> bool:
    declared = lock.declared.get(_relative(manifest, root))
    overridden = manifest.resolutions | lock.overrides
    wanted = {n: s.removeprefix("npm:") for n, s in manifest.wanted.items() if n not in overridden}
    recorded = {n: s.removeprefix("npm:") for n, s in (declared or {}).items() if n not in overridden}
    return declared is not None and wanted == recorded


def _yarn_matches(manifest: PackageJson, lock: NodeLock, local: set[str | None]) -> bool | Unknown:
    for name, wanted in manifest.wanted.items():
        if f"{name}@{wanted}" in lock.specs or name in local or wanted.startswith("link:"):
            continue
        if name in manifest.resolutions and any(spec_name(spec) == name for spec in lock.specs):
            return Unknown(f"the version of {name} is overridden by resolutions")
        return False
    return True
