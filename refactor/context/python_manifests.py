"""Manifests and lockfiles of Python projects.

Sources: pip's "Requirements File Format" (and ``pip/_internal/req/req_file.py`` for the order in which lines
are joined and comments dropped), PEP 508, 517, 621 and 735, the documentation of Poetry, uv, PDM, Hatch and
setuptools.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from refactor.context.build_context import BuildContext, remembered
from refactor.context.dockerignore import clean
from refactor.context.facts import Unknown
from refactor.context.tables import items, table, text, texts, words
from refactor.shell import normalise

_MAX_INCLUDED = 100


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing to install."""

    text: str
    """The logical line, without comment and per-requirement options."""
    name: str | None
    """Normalised as in PEP 503 (``psycopg2-binary``); None for a path or URL that does not tell."""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    """Such as ``>=1.0,<2``."""
    marker: str = ""
    """Environment marker, such as ``python_version < "3.9"``."""
    url: str | None = None
    """Direct or version-control reference, such as ``git+https://host/repo@tag``."""
    path: str | None = None
    """Local folder or archive as written; relative to the folder pip is started in, not to the file."""
    is_editable: bool = False
    hashes: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    """1-based, where the logical line begins; 0 outside of requirements files."""

    @property
    def is_pinned(self) -> bool:
        """Names one version: ``==`` or ``===`` without a wildcard, or an archive with a hash."""
        return bool(self.hashes) or bool(re.fullmatch(r"\s*={2,3}\s*[^*,]+", self.specifier))

    @property
    def needs_git(self) -> bool:
        """Fetched with git, which must be installed where pip runs."""
        return self.url is not None and self.url.startswith(("git+", "git://"))


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A requirements file with all it includes."""

    path: str
    requirements: tuple[Requirement, ...]
    """In order, those of ``-r`` files where they are included."""
    constraints: tuple[Requirement, ...]
    included: tuple[str, ...]
    """Files that ``-r`` and ``-c`` name, directly or not, as paths in the context; not ``path`` itself."""
    missing: tuple[str, ...]
    """Included files that the build does not see, as written."""
    options: tuple[str, ...]
    """Lines of options such as ``--index-url https://...``; and ``-r`` of a URL."""
    variables: tuple[str, ...]
    """Names of environment variables that are filled in (``${TOKEN}``)."""
    problems: tuple[str, ...]
    """Lines that pip would refuse."""

    @property
    def local_paths(self) -> tuple[str, ...]:
        """Folders and archives of the context that are installed (``-e .``, ``./lib``), as written."""
        return tuple(dict.fromkeys(need.path for need in self.requirements if need.path is not None))

    @property
    def names(self) -> frozenset[str]:
        """Normalised names that are asked for."""
        return frozenset(need.name for need in self.requirements if need.name)


_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PEP508 = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)\Z", re.DOTALL)
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>) ?[^\s,;()<>=!~]+"
_SPECIFIER = re.compile(rf"\(? ?(?:{_CLAUSE}(?: ?, ?{_CLAUSE})* ?,?)? ?\)?\Z")
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PER_REQUIREMENT = re.compile(
    r"\s(--hash|--config-settings?|-C|--global-option|--install-option|--build-option)(?:[= ]\s*|\b)"
)


def parse_requirement(line: str, file: str = "", number: int = 0) -> Requirement | None:
    """One requirement as pip takes it on a line of its own; None for what is none."""
    line = " ".join(line.split())
    options = _PER_REQUIREMENT.search(line)
    hashes: tuple[str, ...] = ()
    if options:
        hashes = tuple(re.findall(r"--hash[= ]\s*(\S+)", line[options.start() :]))
        line = line[: options.start()]
    marker = ""
    is_direct = bool(_SCHEME.match(line)) or line.startswith((".", "/")) or " @ " in line
    # In a URL `;` begins a marker only after a blank (PEP 508).
    parts = re.split(r" ; ?" if is_direct else r" ?; ?", line, maxsplit=1)
    if len(parts) == 2:
        line, marker = parts[0].strip(), parts[1].strip()
    if not line:
        return None
    named = _PEP508.match(line)
    if named and named.group(3).startswith("@"):
        target = named.group(3)[1:].strip()
        extras = tuple(part.strip() for part in (named.group(2) or "").split(",") if part.strip())
        path = _local(target)
        return Requirement(
            line,
            normalise(named.group(1)),
            extras,
            "",
            marker,
            None if path else target,
            path,
            False,
            hashes,
            file,
            number,
        )
    if _SCHEME.match(line) and not re.match(r"[A-Za-z]:\\", line):
        egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", line)
        path = _local(line)
        name = egg.group(1) if egg else _archive_name(line.split("#")[0])
        return Requirement(
            line,
            normalise(name) if name else None,
            (),
            "",
            marker,
            None if path else line,
            path,
            False,
            hashes,
            file,
            number,
        )
    bare = re.sub(r"\[[^\]]*\]\Z", "", line)
    if bare.startswith((".", "/")) or "/" in bare or bare.endswith(_ARCHIVE):
        name = _archive_name(bare)
        return Requirement(
            line, normalise(name) if name else None, (), "", marker, None, bare, False, hashes, file, number
        )
    if not named or not _SPECIFIER.match(named.group(3)):
        return None
    extras = tuple(part.strip() for part in (named.group(2) or "").split(",") if part.strip())
    specifier = re.sub(r"\s+", "", named.group(3)).strip("()")
    return Requirement(
        line, normalise(named.group(1)), extras, specifier, marker, None, None, False, hashes, file, number
    )


def _local(target: str) -> str | None:
    """The path of a ``file:`` URL or of a plain path."""
    if target.startswith("file:"):
        path = target.removeprefix("file:").removeprefix("//").split("#")[0]
        return path or "."
    return None if _SCHEME.match(target) else target


def _archive_name(target: str) -> str | None:
    """The distribution of a wheel's or an archive's file name."""
    name = target.rpartition("/")[2]
    if name.endswith(".whl"):
        return name.split("-")[0]
    found = re.match(r"(.+?)-\d[^/]*?(?:\.zip|\.tgz|\.tar(?:\.\w+)?)\Z", name)
    return found.group(1) if found else None


def _decode(data: bytes) -> str:
    """As pip does: byte order marks (PowerShell writes UTF-16), else UTF-8."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "surrogateescape")


def _logical_lines(content: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments dropped, in pip's order: a comment ends a continuation."""
    start = 0
    pieces: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            start = start or number
            pieces.append(line[:-1])
            continue
        joined = "".join((*pieces, " " + line if is_comment else line))
        yield start or number, _COMMENT.sub("", joined).strip()
        start, pieces = 0, []
    if pieces:
        yield start, _COMMENT.sub("", "".join(pieces)).strip()


class _Reading(NamedTuple):
    requirements: list[Requirement]
    constraints: list[Requirement]
    included: dict[str, None]
    missing: dict[str, None]
    options: list[str]
    variables: dict[str, None]
    problems: list[str]


_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:=|\s+|(?<=-[rc]))\s*(.+)\Z")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:=|\s+|(?<=-e))\s*(.+)\Z")


@remembered
def read_requirements(context: BuildContext, path: str = "requirements.txt") -> RequirementsFile | Unknown:
    """A requirements file, with the files that it includes; Unknown if it cannot be read itself."""
    where = clean(path)
    reading = _Reading([], [], {}, {}, [], {}, [])
    problem = _read_requirements(context, where, False, reading)
    if problem is not None:
        return problem
    reading.included.pop(where, None)
    return RequirementsFile(
        where,
        tuple(reading.requirements),
        tuple(reading.constraints),
        tuple(reading.included),
        tuple(reading.missing),
        tuple(reading.options),
        tuple(reading.variables),
        tuple(reading.problems),
    )


def _read_requirements(context: BuildContext, path: str, is_constraint: bool, reading: _Reading) -> Unknown | None:
    data = context.read_bytes(path)
    if isinstance(data, Unknown):
        return data
    reading.included[path] = None
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return context.report_broken(path, "is not a text file")
    folder = path.rpartition("/")[0]
    for number, line in _logical_lines(_decode(data)):
        if not line:
            continue
        for name in _VARIABLE.findall(line):
            reading.variables[name] = None
        include = _INCLUDE.match(line)
        if include:
            target = include.group(2).strip("\"'")
            as_constraint = is_constraint or include.group(1) in ("-c", "--constraint")
            if "://" in target:
                reading.options.append(line)
                continue
            inside = clean(f"{folder}/{target}" if folder and not target.startswith("/") else target)
            if inside in reading.included:
                continue
            if len(reading.included) > _MAX_INCLUDED:
                return Unknown(f"{path} includes more than {_MAX_INCLUDED} files")
            if isinstance(_read_requirements(context, inside, as_constraint, reading), Unknown):
                reading.missing[target] = None
            continue
        editable = _EDITABLE.match(line)
        if editable is None and line.startswith("-"):
            reading.options.append(line)
            continue
        need = parse_requirement(editable.group(1) if editable else line, path, number)
        if need is None:
            reading.problems.append(f"{path}:{number}: {line[:80]}")
            continue
        if editable:
            is_path = need.path is not None or need.url is None
            need = Requirement(
                need.text,
                None if is_path and need.path is None else need.name,
                need.extras,
                need.specifier,
                need.marker,
                need.url,
                need.path if need.path is not None else (need.text if is_path else None),
                True,
                need.hashes,
                path,
                number,
            )
        (reading.constraints if is_constraint else reading.requirements).append(need)
    return None


@dataclass(frozen=True, slots=True)
class Pyproject:
    """A ``pyproject.toml``."""

    path: str
    name: str | None
    version: str | None
    requires_python: str | None
    """As written: PEP 440 (``>=3.9``) or Poetry's (``^3.9``)."""
    dependencies: tuple[Requirement, ...]
    optional: Mapping[str, tuple[Requirement, ...]]
    """Extras."""
    groups: Mapping[str, tuple[Requirement, ...]]
    """Dependency groups (PEP 735, Poetry's, PDM's and uv's development dependencies)."""
    dynamic: tuple[str, ...]
    scripts: Mapping[str, str]
    """command -> ``module:function``"""
    build_backend: str | None
    """Such as ``poetry.core.masonry.api``; None without ``[build-system]``."""
    build_requires: tuple[Requirement, ...]
    manager: Literal["poetry", "uv", "pdm", "hatch"] | None
    """Whose tables the file has: ``[tool.poetry]``, ``[tool.uv]``, ``[tool.pdm]``, ``[tool.hatch]``."""
    is_package: bool
    """Installing the dependencies also builds and installs the project itself, unless told not to
    (``poetry install --no-root``, ``uv sync --no-install-project``)."""
    reads: tuple[str, ...]
    """Files that building the project reads besides its packages (readme, licence, version), as paths in the
    context. Patterns of licence files are left as they are."""
    version_module: str | None
    """Module whose attribute is the version, such as ``pkg``; its sources are read by the build."""
    needs_git: bool
    """The version comes from git (setuptools-scm, hatch-vcs, ...): a build without .git fails."""
    local_paths: tuple[str, ...]
    """Folders that dependencies are taken from, as paths relative to the manifest, as written."""
    packages: tuple[str, ...]
    """Folders that the configuration names as packages, as paths in the context."""
    data: Mapping[str, object] = field(repr=False, compare=False)
    """The whole document."""

    @property
    def folder(self) -> str:
        """Its folder, "" for the root of the context."""
        return self.path.rpartition("/")[0]

    @property
    def names(self) -> frozenset[str]:
        """Normalised names of the run-time dependencies, without extras and groups."""
        return frozenset(need.name for need in self.dependencies if need.name)


@remembered
def read_pyproject(context: BuildContext, path: str = "pyproject.toml") -> Pyproject | Unknown:
    """A project's manifest; Unknown with line and column for broken TOML."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    project = table(root.get("project"))
    tools = table(root.get("tool"))
    poetry = table(tools.get("poetry"))
    build = table(root.get("build-system"))
    local: list[str] = []
    dependencies = _requirements(words(project.get("dependencies")), path)
    optional = {
        extra: _requirements(words(needs), path) for extra, needs in table(project.get("optional-dependencies")).items()
    }
    groups = {
        group: _requirements(tuple(_group_lines(table(root.get("dependency-groups")), group, 0)), path)
        for group in table(root.get("dependency-groups"))
    }
    poetry_needs = table(poetry.get("dependencies"))
    if poetry_needs and "dependencies" not in project:
        dependencies = tuple(_poetry_requirements(poetry_needs, path, optional=False))
        extras = table(poetry.get("extras"))
        optional.update({extra: _requirements(words(needs), path) for extra, needs in extras.items()})
    for group, needs in table(poetry.get("group")).items():
        groups[group] = tuple(_poetry_requirements(table(table(needs).get("dependencies")), path, optional=None))
    if "dev-dependencies" in poetry:
        groups["dev"] = tuple(_poetry_requirements(table(poetry["dev-dependencies"]), path, optional=None))
    if words(table(tools.get("uv")).get("dev-dependencies")):
        groups["dev"] = _requirements(words(table(tools.get("uv")).get("dev-dependencies")), path)
    for group, needs in table(table(tools.get("pdm")).get("dev-dependencies")).items():
        groups[group] = _requirements(words(needs), path)
    for need in (*dependencies, *(n for group in (*optional.values(), *groups.values()) for n in group)):
        if need.path is not None:
            local.append(need.path)
    for source in table(table(tools.get("uv")).get("sources")).values():
        for one in items(source) or (source,):
            where = text(table(one).get("path"))
            if where is not None:
                local.append(where)
    backend = text(build.get("build-backend"))
    managers: tuple[Literal["poetry", "uv", "pdm", "hatch"], ...] = ("poetry", "uv", "pdm", "hatch")
    reads, module, needs_git = _built_from(path, project, tools, build)
    packages = []
    for package in items(poetry.get("packages")):
        include, base = text(table(package).get("include")), text(table(package).get("from"))
        if include:
            packages.append(_beside(path, f"{base}/{include}" if base else include))
    is_package = bool(build) if not poetry else poetry.get("package-mode") is not False
    if table(tools.get("uv")).get("package") is not None:
        is_package = table(tools.get("uv")).get("package") is True
    if table(tools.get("pdm")).get("distribution") is False:
        is_package = False
    requires_python = text(project.get("requires-python")) or text(poetry_needs.get("python"))
    return Pyproject(
        path=path,
        name=text(project.get("name")) or text(poetry.get("name")),
        version=text(project.get("version")) or text(poetry.get("version")),
        requires_python=requires_python,
        dependencies=dependencies,
        optional=optional,
        groups=groups,
        dynamic=words(project.get("dynamic")),
        scripts=texts(project.get("scripts")) or texts(poetry.get("scripts")),
        build_backend=backend if backend or not build else "setuptools.build_meta:__legacy__",
        build_requires=_requirements(words(build.get("requires")), path),
        manager=next((name for name in managers if name in tools), None),
        is_package=is_package,
        reads=reads,
        version_module=module,
        needs_git=needs_git,
        local_paths=tuple(dict.fromkeys(local)),
        packages=tuple(packages),
        data=root,
    )


def _requirements(lines: Iterable[str], path: str) -> tuple[Requirement, ...]:
    found = (parse_requirement(line, path) for line in lines)
    return tuple(need for need in found if need is not None)


def _group_lines(groups: Mapping[str, object], name: str, depth: int) -> Iterator[str]:
    """A group with the groups it includes (PEP 735); a loop ends at ten levels."""
    for item in items(groups.get(name)):
        if isinstance(item, str):
            yield item
        elif depth < 10:
            included = text(table(item).get("include-group"))
            if included is not None:
                yield from _group_lines(groups, included, depth + 1)


def _poetry_requirements(needs: Mapping[str, object], path: str, *, optional: bool | None) -> Iterator[Requirement]:
    """Poetry's tables: ``name = "^1.0"`` or ``name = {version = ..., path = ..., optional = true}``."""
    for name, value in needs.items():
        if normalise(name) == "python":
            continue
        for one in items(value) or (value,):
            spec = {"version": one} if isinstance(one, str) else table(one)
            if optional is not None and (spec.get("optional") is True) != optional:
                continue
            git, url = text(spec.get("git")), text(spec.get("url"))
            version = text(spec.get("version")) or ""
            yield Requirement(
                text=f"{name} {version}".strip(),
                name=normalise(name),
                extras=words(spec.get("extras")),
                specifier=version,
                marker=text(spec.get("markers")) or "",
                url=f"git+{git}" if git else url,
                path=text(spec.get("path")),
                is_editable=spec.get("develop") is True,
                file=path,
            )


_SCM = (
    "setuptools-scm",
    "hatch-vcs",
    "poetry-dynamic-versioning",
    "versioningit",
    "pbr",
    "setuptools-git-versioning",
)


def _built_from(
    path: str, project: Mapping[str, object], tools: Mapping[str, object], build: Mapping[str, object]
) -> tuple[tuple[str, ...], str | None, bool]:
    """Files besides packages that a build reads, the module with the version, whether git is needed."""
    poetry = table(tools.get("poetry"))
    reads: list[str] = []
    readme = project.get("readme")
    reads += words(readme if isinstance(readme, str) else table(readme).get("file"))
    reads += words(poetry.get("readme"))
    licence = project.get("license")
    reads += words(table(licence).get("file"))
    reads += words(project.get("license-files"))
    module: str | None = None
    dynamic = table(table(tools.get("setuptools")).get("dynamic"))
    for key, value in dynamic.items():
        if key in ("optional-dependencies",):
            for extra in table(value).values():
                reads += words(table(extra).get("file"))
            continue
        reads += words(table(value).get("file"))
        attribute = text(table(value).get("attr"))
        if attribute is not None:
            module = attribute.rpartition(".")[0] or attribute
    hatch = table(table(tools.get("hatch")).get("version"))
    reads += words(hatch.get("path"))
    pdm = table(table(tools.get("pdm")).get("version"))
    reads += words(pdm.get("path"))
    if text(build.get("build-backend")) in ("flit_core.buildapi", "flit.buildapi"):
        flit = table(table(tools.get("flit")).get("module"))
        module = module or text(flit.get("name")) or (text(project.get("name")) or "").replace("-", "_") or None
    requires = {need.name for need in _requirements(words(build.get("requires")), path)}
    needs_git = (
        any(name in requires for name in _SCM)
        or hatch.get("source") == "vcs"
        or pdm.get("source") == "scm"
        or "setuptools_scm" in tools
    )
    return tuple(dict.fromkeys(_beside(path, name) for name in reads)), module, needs_git


def _beside(path: str, name: str) -> str:
    folder = path.rpartition("/")[0]
    return clean(f"{folder}/{name}" if folder else name)


@dataclass(frozen=True, slots=True)
class SetupCfg:
    """The declarative part of setuptools in ``setup.cfg``."""

    path: str
    name: str | None
    requires: tuple[Requirement, ...]
    extras: Mapping[str, tuple[Requirement, ...]]
    requires_python: str | None
    reads: tuple[str, ...]
    """Files that ``file:`` values and licence lines name, as paths in the context."""
    version_module: str | None
    """Module of ``version = attr: pkg.__version__``."""
    has_metadata: bool
    """There is a ``[metadata]`` or ``[options]`` section; the file also holds settings of linters."""


@remembered
def read_setup_cfg(context: BuildContext, path: str = "setup.cfg") -> SetupCfg | Unknown:
    """``setup.cfg`` as setuptools reads it."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.removeprefix("\ufeff"), path)
    except (configparser.Error, ValueError) as error:
        return context.report_broken(path, str(error).splitlines()[0])

    def value(section: str, *keys: str) -> str:
        return next((parser.get(section, key) for key in keys if parser.has_option(section, key)), "")

    reads: list[str] = []
    module: str | None = None
    for section in ("metadata", "options", "options.extras_require"):
        for key, setting in parser.items(section) if parser.has_section(section) else ():
            setting = setting.strip()
            if setting.startswith("file:"):
                reads += [part.strip() for part in re.split(r"[,\n]", setting[5:]) if part.strip()]
            elif setting.startswith("attr:") and key == "version":
                attribute = setting[5:].strip()
                module = attribute.rpartition(".")[0] or attribute
            elif key in ("license_file", "license_files", "license-file", "license-files"):
                reads += setting.replace(",", " ").split()
    extras = {
        key: _requirements(_needs(setting), path)
        for key, setting in (
            parser.items("options.extras_require") if parser.has_section("options.extras_require") else ()
        )
    }
    return SetupCfg(
        path=path,
        name=value("metadata", "name") or None,
        requires=_requirements(_needs(value("options", "install_requires", "install-requires")), path),
        extras=extras,
        requires_python=value("options", "python_requires", "python-requires") or None,
        reads=tuple(dict.fromkeys(_beside(path, name) for name in reads)),
        version_module=module,
        has_metadata=parser.has_section("metadata") or parser.has_section("options"),
    )


def _needs(setting: str) -> list[str]:
    """Lines of a ``list-semi`` value."""
    if setting.strip().startswith("file:"):
        return []
    return [line.strip() for line in re.split(r"\n", setting) if line.strip() and not line.strip().startswith("#")]


@dataclass(frozen=True, slots=True)
class LockedDistribution:
    """One distribution of a Python lockfile."""

    name: str
    version: str | None
    source: Literal["registry", "git", "url", "path", "project"]
    """"project": the project itself, or a member of its workspace."""
    path: str | None
    """Local folder or archive, as written, for "path" and "project"."""
    files: tuple[str, ...] = field(repr=False)
    """File names of wheels and archives; () where the lockfile does not list them."""

    @property
    def is_pure(self) -> bool:
        """There is a wheel for every platform (``py3-none-any``)."""
        return any(name.endswith("-none-any.whl") for name in self.files)

    @property
    def is_source_only(self) -> bool:
        """No wheel at all: it is built where it is installed. False where files are not listed."""
        return bool(self.files) and not any(name.endswith(".whl") for name in self.files)

    @property
    def has_musl_wheel(self) -> bool:
        """Installs on Alpine without being built."""
        return self.is_pure or any("musllinux" in name for name in self.files)


@dataclass(frozen=True, slots=True)
class PythonLock:
    """A lockfile of Poetry, uv or PDM that could be read whole."""

    path: str
    manager: Literal["poetry", "uv", "pdm"]
    version: str
    distributions: tuple[LockedDistribution, ...] = field(repr=False)
    requires_python: str | None
    content_hash: str | None = None
    """Poetry's and PDM's hash over the manifest's dependencies."""
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """uv: member's name -> requirements as they stood when the lockfile was written, normalised."""

    @property
    def names(self) -> frozenset[str]:
        """Normalised names."""
        return frozenset(distribution.name for distribution in self.distributions)


def _named_packages(
    root: Mapping[str, object], distribution: Callable[[str, Mapping[str, object]], LockedDistribution]
) -> tuple[LockedDistribution, ...]:
    """The entries of ``[[package]]`` that have a name."""
    entries = [table(item) for item in items(root.get("package"))]
    return tuple(distribution(name, entry) for entry in entries if (name := text(entry.get("name"))) is not None)


def _files(found: object, older: object) -> tuple[str, ...]:
    """Names of a distribution's files: beside it, or in the table that older lockfiles have at their end."""
    return tuple(file for file in (text(table(file).get("file")) for file in items(found) or items(older)) if file)


@remembered
def read_poetry_lock(context: BuildContext, path: str = "poetry.lock") -> PythonLock | Unknown:
    """``poetry.lock``. Its ``[metadata]`` comes last: without it the file was cut."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    metadata = table(root.get("metadata"))
    if not metadata:
        return context.report_broken(path, "has no [metadata]: it was cut")
    older = table(metadata.get("files"))

    def distribution(name: str, entry: Mapping[str, object]) -> LockedDistribution:
        source = table(entry.get("source"))
        kind = text(source.get("type"))
        is_local = kind in ("directory", "file")
        return LockedDistribution(
            normalise(name),
            text(entry.get("version")),
            "git" if kind == "git" else "path" if is_local else "url" if kind == "url" else "registry",
            text(source.get("url")) if is_local else None,
            _files(entry.get("files"), older.get(name)),
        )

    return PythonLock(
        path,
        "poetry",
        text(metadata.get("lock-version")) or "1.0",
        _named_packages(root, distribution),
        text(metadata.get("python-versions")),
        text(metadata.get("content-hash")),
    )


@remembered
def read_pdm_lock(context: BuildContext, path: str = "pdm.lock") -> PythonLock | Unknown:
    """``pdm.lock``."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    metadata = table(root.get("metadata"))
    if not metadata:
        return context.report_broken(path, "has no [metadata]: it was cut")
    older = table(metadata.get("files"))

    def distribution(name: str, entry: Mapping[str, object]) -> LockedDistribution:
        where, version = text(entry.get("path")), text(entry.get("version"))
        return LockedDistribution(
            normalise(name),
            version,
            "git" if "git" in entry else "path" if where else "url" if "url" in entry else "registry",
            where,
            _files(entry.get("files"), older.get(f"{name} {version or ''}")),
        )

    return PythonLock(
        path,
        "pdm",
        text(metadata.get("lock_version")) or "",
        _named_packages(root, distribution),
        text(root.get("requires-python")) or text(metadata.get("requires_python")),
        text(metadata.get("content_hash")),
    )


@remembered
def read_uv_lock(context: BuildContext, path: str = "uv.lock") -> PythonLock | Unknown:
    """``uv.lock``. A dependency without an entry of its own means that the file was cut."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    if "version" not in root:
        return context.report_broken(path, "has no version")
    packages = []
    declared: dict[str, frozenset[str]] = {}
    wanted: dict[str, None] = {}
    for item in items(root.get("package")):
        entry = table(item)
        name = text(entry.get("name"))
        if name is None:
            continue
        source = table(entry.get("source"))
        is_project = "editable" in source or "virtual" in source
        kind: Literal["registry", "git", "url", "path", "project"] = (
            "project" if is_project else "git" if "git" in source else "url" if "url" in source
            else "path" if "path" in source or "directory" in source else "registry"
        )  # fmt: skip
        where = next((text(source[key]) for key in ("editable", "virtual", "path", "directory") if key in source), None)
        wheels = [*items(entry.get("wheels")), *([entry["sdist"]] if "sdist" in entry else [])]
        urls = (text(table(file).get("url")) or text(table(file).get("filename")) for file in wheels)
        packages.append(
            LockedDistribution(
                normalise(name),
                text(entry.get("version")),
                kind,
                where,
                tuple(url.rpartition("/")[2] for url in urls if url),
            )
        )
        for dependency in items(entry.get("dependencies")):
            wanted[normalise(text(table(dependency).get("name")) or "")] = None
        if is_project:
            metadata = table(entry.get("metadata"))
            declared[normalise(name)] = frozenset(
                _plain_requirement(
                    text(table(need).get("name")) or "",
                    text(table(need).get("specifier")) or "",
                )
                for need in items(metadata.get("requires-dist"))
                if not text(table(need).get("marker")) or "extra ==" not in str(table(need).get("marker"))
            )
    known = {package.name for package in packages}
    lost = sorted(name for name in wanted if name and name not in known)
    if lost:
        return context.report_broken(path, f"has no entry for {lost[0]}, which another entry needs: it was cut")
    return PythonLock(
        path,
        "uv",
        str(root.get("version")),
        tuple(packages),
        text(root.get("requires-python")),
        None,
        declared,
    )


def _plain_requirement(name: str, specifier: str) -> str:
    return normalise(name) + ",".join(sorted(re.sub(r"\s+", "", part) for part in specifier.split(",") if part.strip()))


def poetry_lock_matches(project: Pyproject, lock: PythonLock) -> bool | Unknown:
    """Whether ``poetry install`` takes the lockfile as current.

    Poetry compares a hash of the manifest's dependencies, formed in several ways over its versions; True if
    one of them fits, False if a dependency has no entry, else Unknown.
    """
    if lock.content_hash is not None and lock.content_hash in _poetry_hashes(project.data):
        return True
    for need in (*project.dependencies, *(need for group in project.groups.values() for need in group)):
        if need.name is not None and need.name not in lock.names:
            return False
    return Unknown(f"{lock.path} was written for another {project.path}")


def _poetry_hashes(data: Mapping[str, object]) -> set[str]:
    """Content hashes of Poetry 1.0 to 2.x (``Locker._get_content_hash``)."""
    import json
    from hashlib import sha256

    poetry = table(table(data.get("tool")).get("poetry"))
    project = table(data.get("project"))
    legacy = ("dependencies", "source", "extras", "dev-dependencies")
    own = {key: project[key] for key in ("requires-python", "dependencies", "optional-dependencies") if key in project}
    contents: list[dict[str, object]] = []
    for groups in (True, False):
        keys = (*legacy, "group") if groups else legacy
        contents.append({key: poetry.get(key) for key in keys if key in legacy or key in poetry})
        if own:
            part = {key: poetry[key] for key in keys if poetry.get(key) is not None}
            contents.append({"project": own, "tool": {"poetry": part}})
    if "dependency-groups" in data:
        contents += [{**content, "dependency-groups": data["dependency-groups"]} for content in contents]
    hashes = set()
    for content in contents:
        try:
            hashes.add(sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())
        except (TypeError, ValueError):
            continue  # dates have no JSON form; then Poetry has no hash either
    return hashes


def uv_lock_matches(project: Pyproject, lock: PythonLock) -> bool | Unknown:
    """Whether ``uv sync --locked`` takes the lockfile as current, as far as run-time dependencies tell."""
    if project.name is None:
        return Unknown(f"{project.path} names no project")
    recorded = lock.declared.get(normalise(project.name))
    if recorded is None:
        return False
    wanted = frozenset(_plain_requirement(need.name or "", need.specifier) for need in project.dependencies)
    if wanted == recorded:
        return True
    if {re.split(r"[<>=!~]", need)[0] for need in wanted} == {re.split(r"[<>=!~]", need)[0] for need in recorded}:
        return Unknown(f"{lock.path} records other versions than {project.path} asks for")
    return False


def read_version_file(context: BuildContext, path: str) -> str | Unknown:
    """First line with content of ``.python-version``, ``.nvmrc``, ``.node-version`` or ``runtime.txt``."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    for line in content.removeprefix("\ufeff").splitlines():
        line = line.split("#")[0].strip()
        if line:
            return line
    return Unknown(f"{path} is empty")
