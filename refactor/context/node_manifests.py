"""Manifests and lockfiles of Node projects.

Formats: npm's ``package.json`` and ``package-lock.json`` (docs.npmjs.com, versions 1 to 3), Yarn's own text
format (v1) and the YAML of Yarn 2 and later, pnpm's ``pnpm-lock.yaml`` (5, 6 and 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from refactor.context.build_context import BuildContext, remembered
from refactor.context.dockerignore import clean
from refactor.context.facts import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.context.ranges import intervals, meets
from refactor.context.tables import number, table, text, texts, words

INSTALL_SCRIPTS = (
    "preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
)  # fmt: skip
"""Scripts of the project that ``npm ci`` and ``npm install`` run (docs.npmjs.com, scripts, life cycle)."""

_LOCAL = ("file:", "link:", "portal:", "./", "../", "~/", "/")


@dataclass(frozen=True, slots=True)
class PackageJson:
    """A ``package.json``. What has the wrong type is left out."""

    path: str
    name: str | None
    is_module: bool
    """``"type": "module"``: .js files are ES modules."""
    main: str | None
    scripts: Mapping[str, str]
    dependencies: Mapping[str, str]
    """name -> range; without those that are optional too, as npm reads it."""
    dev_dependencies: Mapping[str, str]
    optional_dependencies: Mapping[str, str]
    peer_dependencies: Mapping[str, str]
    package_manager: str | None
    """As written, such as ``pnpm@8.6.0+sha256.abc``."""
    workspaces: tuple[str, ...]
    """Patterns of the members' folders, relative to this file."""
    patches: tuple[str, ...]
    """Files under ``pnpm.patchedDependencies``, read at install."""
    resolutions: frozenset[str]
    """Packages whose ranges are overridden (``resolutions``, ``overrides``, ``pnpm.overrides``)."""
    data: Mapping[str, object] = field(repr=False, compare=False)
    """The whole document."""

    @property
    def folder(self) -> str:
        """Its folder, "" for the root of the context."""
        return self.path.rpartition("/")[0]

    @property
    def install_scripts(self) -> Mapping[str, str]:
        """The project's own scripts that an install runs; they may read sources."""
        return {name: self.scripts[name] for name in INSTALL_SCRIPTS if name in self.scripts}

    @property
    def wanted(self) -> Mapping[str, str]:
        """Everything an install of this project asks for: dependencies, optional and development ones."""
        return {**self.dev_dependencies, **self.optional_dependencies, **self.dependencies}

    @property
    def local_dependencies(self) -> Mapping[str, str]:
        """name -> path, for dependencies that are folders or archives (``file:``, ``link:``)."""
        found = {}
        for name, wanted in self.wanted.items():
            if wanted.startswith(_LOCAL):
                found[name] = re.sub(r"^(?:file|link|portal):(?://)?", "", wanted)
        return found

    def is_production(self, name: str) -> bool:
        """Whether an install without development dependencies has this package."""
        return name in self.dependencies or name in self.optional_dependencies


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
    def is_for_platform(self) -> bool:
        """Holds compiled code for some platforms only."""
        return bool(self.os or self.cpu or self.libc)

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
    """yarn: every ``name@range`` that has an entry."""
    missing: tuple[str, ...] = ()
    """What an entry asks for without an entry of its own. npm drops optional packages for other platforms
    from lockfiles written next to an existing node_modules (npm/cli#4828); they are here too."""
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

    def for_platforms(self, *, production: bool = False) -> tuple[LockedPackage, ...]:
        """Packages for Linux, but for some processors or C libraries only."""
        return tuple(
            package
            for package in self.packages
            if package.is_for_platform and package.is_for_linux and not (production and package.is_dev)
        )

    def why_not_pure(self, *, production: bool = False) -> str | None:
        """Why what is installed may be bound to one platform or C library; None if it is known not to be."""
        if not self.records_install_scripts:
            return f"{self.path} does not record which packages run install scripts"
        for package in self.with_install_scripts(production=production):
            return f"{package.name} runs an install script"
        for package in self.for_platforms(production=production):
            return f"{package.name} is built for one platform"
        for name in self.missing:
            return f"{self.path} lacks {name}, which it refers to"
        return None


@remembered
def read_package_json(context: BuildContext, path: str = "package.json") -> PackageJson | Unknown:
    """The manifest of a project, or why it cannot be known."""
    data = context.json(path)
    if isinstance(data, Unknown):
        return data
    if not isinstance(data, dict):
        return context.report_broken(path, "is not a JSON object")
    root = table(data)
    optional = texts(root.get("optionalDependencies"))
    workspaces = root.get("workspaces")
    pnpm = table(root.get("pnpm"))
    resolutions = {
        _override_name(key)
        for section in (root.get("resolutions"), root.get("overrides"), pnpm.get("overrides"))
        for key in table(section)
    }
    return PackageJson(
        path=path,
        name=text(root.get("name")),
        is_module=root.get("type") == "module",
        main=text(root.get("main")),
        scripts=texts(root.get("scripts")),
        dependencies={k: v for k, v in texts(root.get("dependencies")).items() if k not in optional},
        dev_dependencies=texts(root.get("devDependencies")),
        optional_dependencies=optional,
        peer_dependencies=texts(root.get("peerDependencies")),
        package_manager=text(root.get("packageManager")),
        workspaces=words(table(workspaces).get("packages") if isinstance(workspaces, dict) else workspaces),
        patches=tuple(texts(pnpm.get("patchedDependencies")).values()),
        resolutions=frozenset(resolutions),
        data=root,
    )


def _override_name(key: str) -> str:
    """The package of an override key: ``foo``, ``foo@^1``, ``a>foo@2``, ``**/foo``."""
    key = re.split(r"[>]", key)[-1].strip()
    scoped = re.search(r"(@[^/@]+/[^/@]+)(?:@[^/]*)?$", key)
    return scoped.group(1) if scoped else key.rpartition("/")[2].split("@")[0]


def workspace_patterns(context: BuildContext, package: PackageJson) -> tuple[str, ...] | Unknown:
    """Patterns of the members' folders, from ``pnpm-workspace.yaml`` beside it or from ``workspaces``."""
    path = _beside(package.path, "pnpm-workspace.yaml")
    there = context.exists(path)
    if isinstance(there, Unknown):
        return there
    if not there:
        return package.workspaces
    data = context.yaml(path)
    return data if isinstance(data, Unknown) else words(table(data).get("packages"))


def workspace_members(context: BuildContext, package: PackageJson) -> tuple[str, ...] | Unknown:
    """Paths of the members' ``package.json`` in the context, sorted, without the root's own."""
    patterns = workspace_patterns(context, package)
    if isinstance(patterns, Unknown) or not patterns:
        return patterns
    files = context.files(package.folder, without=NOT_SOURCES)
    if isinstance(files, Unknown):
        return files
    prefix = package.folder + "/" if package.folder else ""
    rules = [(pattern.startswith("!"), _folder_rule(pattern.removeprefix("!"))) for pattern in patterns]
    found = []
    for path in files:
        folder = path[len(prefix) :].removesuffix("package.json")
        if not path.endswith("/package.json") or not folder:
            continue
        is_member = False
        for is_exception, rule in rules:
            if rule.match(folder.rstrip("/")):
                is_member = not is_exception
        if is_member:
            found.append(path)
    return tuple(found)


def _folder_rule(pattern: str) -> re.Pattern[str]:
    """A workspace pattern compiled: ``*`` stops at a slash, ``**`` does not, ``{a,b}`` is a choice."""
    pattern = pattern.removeprefix("./").strip("/")
    parts = []
    for piece in re.findall(r"\*\*+/?|\*|\?|\{[^{}]*\}|[^*?{]+|.", pattern):
        if piece.startswith("**"):
            parts.append("(?:[^/]+/)*" if piece.endswith("/") else ".*")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif piece.startswith("{") and piece.endswith("}"):
            parts.append("(?:" + "|".join(re.escape(choice) for choice in piece[1:-1].split(",")) + ")")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts) + r"\Z")


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
                location=location,
                name=text(entry.get("name")) or installed,
                version=text(entry.get("version")),
                resolved=text(entry.get("resolved")),
                is_dev=is_dev,
                is_optional=entry.get("optional") is True or entry.get("devOptional") is True,
                is_link=entry.get("link") is True,
                has_install_script=entry.get("hasInstallScript") is True,
                os=words(entry.get("os")),
                cpu=words(entry.get("cpu")),
                libc=words(entry.get("libc")),
            )
        )
    missing = tuple(sorted(offered - names))
    return NodeLock(path, "npm", version, tuple(packages), declared, missing=missing)


def _npm_packages(value: object, parent: str) -> Iterator[LockedPackage]:
    """Version 1 nests what lies in a package's own ``node_modules``."""
    waiting: list[tuple[str, object]] = [(parent, value)]
    while waiting:
        above, entries = waiting.pop()
        for name, found in table(entries).items():
            entry = table(found)
            location = f"{above}node_modules/{name}"
            version = text(entry.get("version"))
            yield LockedPackage(
                location=location,
                name=name,
                version=version,
                resolved=text(entry.get("resolved")),
                is_dev=entry.get("dev") is True,
                is_optional=entry.get("optional") is True,
                is_link=bool(version and version.startswith("file:") and not version.endswith((".tgz", ".tar.gz"))),
            )
            if "dependencies" in entry:
                waiting.append((location + "/", entry["dependencies"]))


@remembered
def read_yarn_lock(context: BuildContext, path: str = "yarn.lock") -> NodeLock | Unknown:
    """``yarn.lock`` of any Yarn. One that was cut in the middle is Unknown where that can be told."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    if re.search(r"(?m)^__metadata:", content):
        return _read_berry_lock(context, path, content)
    return _read_yarn_v1(context, path, content)


_YARN_PARTS = r'("(?:[^"\\]|\\.)*"|[^\s",][^",]*)(, |\Z)'
_YARN_FIELD = r'("(?:[^"\\]|\\.)*"|[^\s":]+) ("(?:[^"\\]|\\.)*"|[^\s"]+)\Z'


def _yarn_keys(line: str) -> list[str] | None:
    """The ``name@range`` patterns of an entry's first line, None if it is none."""
    if not line.endswith(":"):
        return None
    line = line[:-1]
    if '"' not in line:
        return line.split(", ")
    keys = []
    parts = re.compile(_YARN_PARTS)
    at = 0
    while at < len(line):
        found = parts.match(line, at)
        if found is None:
            return None
        keys.append(_unquote(found.group(1)))
        at = found.end()
    return keys


def _read_yarn_v1(context: BuildContext, path: str, content: str) -> NodeLock | Unknown:
    """Yarn 1 writes two-space indentation, ``key value`` lines and ``key:`` blocks; there is no end mark."""
    packages: list[LockedPackage] = []
    specs: set[str] = set()
    wanted: list[tuple[str, str]] = []
    offered: list[tuple[str, str]] = []
    keys: list[str] = []
    version: str | None = None
    resolved: str | None = None
    block = ""

    def close() -> None:
        specs.update(keys)
        is_link = _spec_range(keys[0]).startswith("link:")
        packages.append(LockedPackage(keys[0], _spec_name(keys[0]), version, resolved, is_link=is_link))

    for at, line in enumerate(content.removeprefix("\ufeff").splitlines(), 1):
        line = line.rstrip()
        if not line or line.startswith("#"):
            continue
        entry = line.lstrip(" ")
        depth = len(line) - len(entry)
        if not depth:
            if keys and version is None:
                break
            if keys:
                close()
            found = _yarn_keys(entry)
            if not found:
                return context.report_broken(path, f"line {at} is no entry")
            keys, version, resolved, block = found, None, None, ""
            continue
        if not keys:
            return context.report_broken(path, f"line {at} is no entry")
        if depth == 2 and entry.endswith(":"):
            block = entry[:-1]
            continue
        key, _, value = entry.partition(" ")
        if value[:1] == '"' and value[-1:] == '"' and value.count('"') == 2 and key[0] != '"':
            value = value[1:-1]
        elif '"' in entry:
            pair = re.match(_YARN_FIELD, entry)
            if pair is None:
                return context.report_broken(path, f"line {at} is no entry")
            key, value = _unquote(pair.group(1)), _unquote(pair.group(2))
        elif not value or " " in value:
            return context.report_broken(path, f"line {at} is no entry")
        if depth == 2:
            block = ""
            if key == "version":
                version = value
            elif key == "resolved":
                resolved = value
        elif block == "dependencies":
            wanted.append((key, value))
        elif block == "optionalDependencies":
            offered.append((key, value))
    if keys and version is None:
        return context.report_broken(path, f"the entry of {keys[0]} has no version")
    if keys:
        close()
    names = {package.name for package in packages}
    lost = sorted({name for name, _ in wanted if name not in names})
    if lost:
        # Entries are sorted: a file cut between two of them lacks the names at the end.
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    needs = {f"{name}@{spec}" for name, spec in (*wanted, *offered)}
    if not content.endswith("\n") and not _is_whole_line(content.rpartition("\n")[2], needs.issubset(specs)):
        return context.report_broken(path, "ends in the middle of a line: it was cut")
    return NodeLock(path, "yarn", "1", tuple(packages), {}, frozenset(specs), tuple(sorted(needs.difference(specs))))


def _is_whole_line(line: str, is_closed: bool) -> bool:
    """Whether a last line without a newline may be all there was: an editor may have dropped it."""
    key, _, value = line.strip().partition(" ")
    if key == "integrity":
        sizes = {"sha1": 28, "sha256": 44, "sha384": 64, "sha512": 88}
        algorithm, _, digest = value.split(" ")[-1].partition("-")
        return len(digest) == sizes.get(algorithm, len(digest))
    return is_closed


def _read_berry_lock(context: BuildContext, path: str, content: str) -> NodeLock | Unknown:
    data = context.yaml(path)
    if isinstance(data, Unknown):
        return data
    packages = []
    declared: dict[str, Mapping[str, str]] = {}
    specs: set[str] = set()
    wanted: set[str] = set()
    names: set[str] = set()
    for key, value in table(data).items():
        if key == "__metadata":
            continue
        entry = table(value)
        resolution = text(entry.get("resolution"))
        if resolution is None:
            return context.report_broken(path, f"the entry of {key} has no resolution: it was cut")
        keys = [part.strip() for part in key.split(", ")]
        specs.update(keys)
        name = _spec_name(resolution)
        names.update((name, *(_spec_name(part) for part in keys)))
        needs = {dependency: number(spec) for dependency, spec in table(entry.get("dependencies")).items()}
        where = _spec_range(resolution)
        if where.startswith("workspace:"):
            folder = where.removeprefix("workspace:")
            declared["" if folder == "." else folder] = {n: s.removeprefix("npm:") for n, s in needs.items()}
        optional = {n for n, meta in table(entry.get("dependenciesMeta")).items() if table(meta).get("optional")}
        wanted.update(n for n in needs if n not in optional)
        limits: dict[str, list[str]] = {"os": [], "cpu": [], "libc": []}
        for kind, limit in re.findall(r"\b(os|cpu|libc)=([\w.-]+)", text(entry.get("conditions")) or ""):
            limits[kind].append(limit)
        packages.append(
            LockedPackage(
                location=key,
                name=name,
                version=number(entry.get("version")) or None,
                is_link=entry.get("linkType") == "soft",
                os=tuple(limits["os"]),
                cpu=tuple(limits["cpu"]),
                libc=tuple(limits["libc"]),
            )
        )
    lost = sorted(wanted - names)
    if lost:
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    version = number(table(table(data).get("__metadata")).get("version")) or "berry"
    # Version 1 of the metadata never existed in a release; "1" means Yarn's own format here.
    version = "berry" if version == "1" else version
    return NodeLock(path, "yarn", version, tuple(packages), declared, frozenset(specs))


def _spec_name(spec: str) -> str:
    """``@scope/name`` of ``@scope/name@range``."""
    at = spec.find("@", 1)
    return spec if at < 0 else spec[:at]


def _spec_range(spec: str) -> str:
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
    entries = table(root.get("packages"))
    projects = table(root.get("importers")) if "importers" in root else {".": root}
    declared: dict[str, Mapping[str, str]] = {}
    referred: list[tuple[str, str]] = []
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
    snapshots = table(root.get("snapshots"))
    known = {*entries, *snapshots}
    for value in (snapshots or entries).values():
        referred.extend((name, number(spec)) for name, spec in table(table(value).get("dependencies")).items())
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
                location=key,
                name=text(entry.get("name")) or name,
                version=number(entry.get("version")) or found_version,
                resolved=text(table(entry.get("resolution")).get("tarball")),
                is_dev=entry.get("dev") is True,
                is_optional=entry.get("optional") is True,
                is_link=table(entry.get("resolution")).get("type") == "directory",
                has_install_script=entry.get("requiresBuild") is True if major < 9 else None,
                os=words(entry.get("os")),
                cpu=words(entry.get("cpu")),
                libc=words(entry.get("libc")),
            )
        )
    overrides = frozenset(_override_name(key) for key in table(root.get("overrides")))
    return NodeLock(path, "pnpm", version, tuple(packages), declared, overrides=overrides)


def _pnpm_keys(name: str, resolved: str) -> tuple[str, ...]:
    """Under which keys a dependency may be found, in every version of the format."""
    return (
        resolved,
        f"/{name}/{resolved}",
        f"/{name}@{resolved}",
        f"{name}@{resolved}",
        f"/{resolved}",
        resolved.split("(")[0],
    )


def _pnpm_name(key: str, major: int) -> tuple[str, str | None]:
    """Name and version: ``/@a/b/1.0.0_peer`` (5), ``/@a/b@1.0.0(peer@1)`` (6), ``@a/b@1.0.0`` (9)."""
    key = key.split("(")[0]
    if major < 6 and key.startswith("/"):
        name, _, version = key[1:].rpartition("/")
        return name, version.split("_")[0] or None
    key = key.removeprefix("/")
    return _spec_name(key), _spec_range(key) or None


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
    folder = _relative(manifest, root)
    if lock.version != "1":
        declared = lock.declared.get(folder)
        if declared is None:
            return False
        if declared == manifest.wanted:
            return True
    else:
        declared = {}
    installed = {package.location: package for package in lock.packages}
    doubt: Unknown | None = None
    for name, wanted in manifest.wanted.items():
        if declared.get(name) == wanted:
            continue
        package = installed.get(f"{folder}/node_modules/{name}") or installed.get(f"node_modules/{name}")
        if package is None:
            if name in manifest.optional_dependencies:
                continue
            return False
        if package.is_link or wanted.startswith(_LOCAL):
            continue
        fits = satisfies(package.version or "", wanted)
        if fits is False:
            return False
        if fits is None:
            doubt = Unknown(f"{lock.path} was written for another range of {name} than {wanted}")
    return True if doubt is None else doubt


def _declared_matches(manifest: PackageJson, root: str, lock: NodeLock) -> bool | Unknown:
    declared = lock.declared.get(_relative(manifest, root))
    if declared is None:
        return False
    overridden = manifest.resolutions | lock.overrides
    wanted = {n: s.removeprefix("npm:") for n, s in manifest.wanted.items() if n not in overridden}
    recorded = {n: s.removeprefix("npm:") for n, s in declared.items() if n not in overridden}
    if wanted == recorded:
        return True
    if lock.is_berry and set(wanted) == set(recorded):
        changed = next(n for n in wanted if wanted[n] != recorded[n])
        if ":" in wanted[changed] or ":" in recorded[changed]:
            # Patches and other protocols are rewritten when they are recorded.
            return Unknown(f"{lock.path} records {changed} in another form")
    return False


def _yarn_matches(manifest: PackageJson, lock: NodeLock, local: set[str | None]) -> bool | Unknown:
    for name, wanted in manifest.wanted.items():
        if f"{name}@{wanted}" in lock.specs or name in local or wanted.startswith("link:"):
            continue
        if name in manifest.resolutions and any(_spec_name(spec) == name for spec in lock.specs):
            return Unknown(f"the version of {name} is overridden by resolutions")
        return False
    return True


def satisfies(version: str, wanted: str) -> bool | None:
    """Whether a version lies in an npm range; None for tags, URLs and pre-releases."""
    version, wanted = _without_alias(version), _without_alias(wanted)
    if not re.fullmatch(r"\d+\.\d+\.\d+(?:\+\S*)?", version):
        return True if version == wanted else None
    results = [intervals(part.strip() or "*") for part in wanted.split("||")]
    if any(one is not None and meets(version.partition("+")[0], one) for one in results):
        return True
    return None if None in results else False


def _without_alias(spec: str) -> str:
    """``^1.0.0`` of ``npm:other@^1.0.0``."""
    return _spec_range(spec.removeprefix("npm:")) if spec.startswith("npm:") else spec


def _beside(path: str, name: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name


def tsconfig_option(context: BuildContext, path: str, name: str) -> tuple[object, str] | Unknown | None:
    """A compiler option of a tsconfig and the folder of the file that sets it, through ``extends``; None without it."""
    seen: set[str] = set()
    while path not in seen and len(seen) < 10:
        seen.add(path)
        data = context.jsonc(path)
        if isinstance(data, Unknown):
            return data
        root, folder = table(data), path.rpartition("/")[0]
        options, parents = table(root.get("compilerOptions")), words(root.get("extends"))
        if name in options:
            return options[name], folder
        local = [word for word in parents if word.startswith(".")]
        if not local:
            return Unknown(f"{path} extends {parents[-1]}, a package") if parents else None
        path = clean(f"{folder}/{local[-1]}" if folder else local[-1])
        path = path if path.endswith(".json") else f"{path}.json"
    return Unknown(f"{path} extends itself")


def tsconfig_out_dir(context: BuildContext, path: str = "tsconfig.json") -> str | Unknown | None:
    """``compilerOptions.outDir`` as a path in the context; None without one."""
    found = tsconfig_option(context, path, "outDir")
    if found is None or isinstance(found, Unknown):
        return found
    out = clean("/".join(filter(None, (found[1], text(found[0]) or "."))))
    return Unknown(f"{path}: outDir {found[0]} leaves the build context") if out.startswith("..") else out
