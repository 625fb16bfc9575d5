"""What declares a Python project: ``pyproject.toml`` and the declarative part of setuptools in ``setup.cfg``.

Sources: PEP 517, 621 and 735, the documentation of Poetry, uv, PDM, Hatch and setuptools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean
from refactor.context.tables import items, table, text, texts, words
from refactor.ecosystems.python.requirements import Requirement, parse_requirement
from refactor.shell import normalise


@dataclass(frozen=True, slots=True)
class Pyproject:
    """A ``pyproject.toml``."""

    path: str
    name: str | None
    dependencies: tuple[Requirement, ...]
    groups: Mapping[str, tuple[Requirement, ...]]
    """Dependency groups (PEP 735, Poetry's, PDM's and uv's development dependencies)."""
    scripts: Mapping[str, str]
    """command -> ``module:function``"""
    build_backend: str | None
    """Such as ``poetry.core.masonry.api``; None without ``[build-system]``."""
    build_requires: tuple[Requirement, ...]
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
    groups = _groups(root, tools, path)
    poetry_needs = table(poetry.get("dependencies"))
    if poetry_needs and "dependencies" not in project:
        dependencies = tuple(_poetry_requirements(poetry_needs, path, optional=False))
        extras = table(poetry.get("extras"))
        optional.update({extra: _requirements(words(needs), path) for extra, needs in extras.items()})
    for need in (*dependencies, *(n for group in (*optional.values(), *groups.values()) for n in group)):
        if need.path is not None:
            local.append(need.path)
    for source in table(table(tools.get("uv")).get("sources")).values():
        for one in items(source) or (source,):
            where = text(table(one).get("path"))
            if where is not None:
                local.append(where)
    backend = text(build.get("build-backend"))
    reads, module, needs_git = _built_from(path, project, tools, build)
    is_package = bool(build) if not poetry else poetry.get("package-mode") is not False
    if table(tools.get("uv")).get("package") is not None:
        is_package = table(tools.get("uv")).get("package") is True
    if table(tools.get("pdm")).get("distribution") is False:
        is_package = False
    return Pyproject(
        path=path,
        name=text(project.get("name")) or text(poetry.get("name")),
        dependencies=dependencies,
        groups=groups,
        scripts=texts(project.get("scripts")) or texts(poetry.get("scripts")),
        build_backend=backend if backend or not build else "setuptools.build_meta:__legacy__",
        build_requires=_requirements(words(build.get("requires")), path),
        is_package=is_package,
        reads=reads,
        version_module=module,
        needs_git=needs_git,
        local_paths=tuple(dict.fromkeys(local)),
        data=root,
    )


def _requirements(lines: Iterable[str], path: str) -> tuple[Requirement, ...]:
    found = (parse_requirement(line, path) for line in lines)
    return tuple(need for need in found if need is not None)


def _groups(root: Mapping[str, object], tools: Mapping[str, object], path: str) -> dict[str, tuple[Requirement, ...]]:
    """Groups of PEP 735, and those that Poetry, uv and PDM had before it."""
    poetry = table(tools.get("poetry"))
    groups = {
        group: _requirements(tuple(_group_lines(table(root.get("dependency-groups")), group, 0)), path)
        for group in table(root.get("dependency-groups"))
    }
    for group, needs in table(poetry.get("group")).items():
        groups[group] = tuple(_poetry_requirements(table(table(needs).get("dependencies")), path, optional=None))
    if "dev-dependencies" in poetry:
        groups["dev"] = tuple(_poetry_requirements(table(poetry["dev-dependencies"]), path, optional=None))
    if words(table(tools.get("uv")).get("dev-dependencies")):
        groups["dev"] = _requirements(words(table(tools.get("uv")).get("dev-dependencies")), path)
    for group, needs in table(table(tools.get("pdm")).get("dev-dependencies")).items():
        groups[group] = _requirements(words(needs), path)
    return groups


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
    requires: tuple[Requirement, ...]
    reads: tuple[str, ...]
    """Files that ``file:`` values and licence lines name, as paths in the context."""


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

    names = (key for key in ("install_requires", "install-requires") if parser.has_option("options", key))
    wanted = next((parser.get("options", key) for key in names), "")
    reads: list[str] = []
    for section in ("metadata", "options", "options.extras_require"):
        for key, setting in parser.items(section) if parser.has_section(section) else ():
            setting = setting.strip()
            if setting.startswith("file:"):
                reads += [part.strip() for part in re.split(r"[,\n]", setting[5:]) if part.strip()]
            elif key in ("license_file", "license_files", "license-file", "license-files"):
                reads += setting.replace(",", " ").split()
    return SetupCfg(
        path=path,
        requires=_requirements(_needs(wanted), path),
        reads=tuple(dict.fromkeys(_beside(path, name) for name in reads)),
    )


def _needs(setting: str) -> list[str]:
    """Lines of a ``list-semi`` value."""
    if setting.strip().startswith("file:"):
        return []
    return [line.strip() for line in re.split(r"\n", setting) if line.strip() and not line.strip().startswith("#")]
