"""What declares a Python project: ``pyproject.toml``, ``Pipfile`` and the declarative part of setuptools in
``setup.cfg``.

Sources: PEP 517, 621 and 735, the documentation of Poetry, uv, PDM, Hatch and setuptools.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean
from refactor.context.tables import at, items, table, text, texts, words
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
    build_requires: frozenset[str]
    """Normalised names."""
    is_package: bool
    """Installing the dependencies also builds and installs the project itself, unless told not to
    (``poetry install --no-root``, ``uv sync --no-install-project``)."""
    reads: tuple[str, ...]
    """Files that building the project reads besides its packages (readme, licence, version), as paths in the
    context. Patterns of licence files are left as they are."""
    finds_version: bool
    """setuptools takes the version from a module of the project, or from git: a build without .git fails."""
    local_paths: tuple[str, ...]
    """Folders that dependencies are taken from, as paths relative to the manifest, as written."""
    tools: Mapping[str, object] = field(repr=False, compare=False)
    """The tables of ``[tool]``."""


@remembered
def read_pyproject(context: BuildContext, path: str = "pyproject.toml") -> Pyproject | Unknown:
    """A project's manifest, or a Pipfile as if it were Poetry's; Unknown with line and column for broken TOML."""
    data = context.toml(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    if posixpath.basename(path) == "Pipfile":
        group = {"dev": {"dependencies": root.get("dev-packages")}}
        poetry = {"dependencies": root.get("packages"), "group": group, "package-mode": False}
        root = {"tool": {"poetry": poetry, "pdm": {"scripts": root.get("scripts")}}}
    project, tools, build = (table(root.get(key)) for key in ("project", "tool", "build-system"))
    poetry = dict(table(tools.get("poetry")))
    dependencies = _requirements(project.get("dependencies"), path)
    if "dependencies" not in project:
        dependencies = _poetry_requirements(poetry.get("dependencies"), path, with_optional=False)
    groups = _groups(root, tools, path)
    sources = table(at(tools, "uv", "sources")).values()
    found = [need.path for need in (*dependencies, *(need for group in groups.values() for need in group))]
    found += [text(table(one).get("path")) for source in sources for one in items(source) or (source,)]
    backend = text(build.get("build-backend"))
    own = at(tools, "uv", "package")
    is_package = bool(build) if not poetry else poetry.get("package-mode") is not False
    requires = frozenset(need.name for need in _requirements(build.get("requires"), path) if need.name)
    attributes = at(tools, "setuptools", "dynamic", "version", "attr")
    return Pyproject(
        path=path,
        name=text(project.get("name")) or text(poetry.get("name")),
        dependencies=dependencies,
        groups=groups,
        scripts=texts(project.get("scripts")) or texts(poetry.get("scripts")),
        build_backend=backend if backend or not build else "setuptools.build_meta:__legacy__",
        build_requires=requires,
        is_package=(is_package if own is None else own is True) and at(tools, "pdm", "distribution") is not False,
        reads=beside(path, _read_by_build(project, tools)),
        finds_version=attributes is not None or "setuptools_scm" in tools or not requires.isdisjoint(_SCM),
        local_paths=tuple(dict.fromkeys(one for one in found if one is not None)),
        tools=tools,
    )


_SCM = frozenset({"setuptools-scm", "versioningit", "pbr", "setuptools-git-versioning"})


def _requirements(lines: object, path: str) -> tuple[Requirement, ...]:
    found = (parse_requirement(line, path) for line in words(lines))
    return tuple(need for need in found if need is not None)


def _groups(root: Mapping[str, object], tools: Mapping[str, object], path: str) -> dict[str, tuple[Requirement, ...]]:
    """Groups of PEP 735, and those that Poetry, uv and PDM had before it."""
    poetry, declared = table(tools.get("poetry")), table(root.get("dependency-groups"))
    groups = {group: _requirements(list(_group_lines(declared, group, 0)), path) for group in declared}
    older: dict[str, object] = {group: table(needs).get("dependencies") for group, needs in
                                table(poetry.get("group")).items()}  # fmt: skip
    older |= {"dev": poetry["dev-dependencies"]} if "dev-dependencies" in poetry else {}
    groups |= {group: _poetry_requirements(needs, path) for group, needs in older.items()}
    lists = {"dev": at(tools, "uv", "dev-dependencies"), **table(at(tools, "pdm", "dev-dependencies"))}
    return groups | {group: _requirements(needs, path) for group, needs in lists.items() if words(needs)}


def _group_lines(groups: Mapping[str, object], name: str, depth: int) -> Iterator[str]:
    """A group with the groups it includes (PEP 735); a loop ends at ten levels."""
    for item in items(groups.get(name)):
        included = text(table(item).get("include-group"))
        if isinstance(item, str):
            yield item
        elif depth < 10 and included is not None:
            yield from _group_lines(groups, included, depth + 1)


def _poetry_requirements(needs: object, path: str, *, with_optional: bool = True) -> tuple[Requirement, ...]:
    """Poetry's tables: ``name = "^1.0"`` or ``name = {version = ..., path = ..., optional = true}``."""
    specs = [
        (name, {"version": one} if isinstance(one, str) else table(one))
        for name, value in table(needs).items()
        for one in items(value) or (value,)
        if normalise(name) != "python"
    ]
    return tuple(
        Requirement(
            text=f"{name} {text(spec.get('version')) or ''}".strip(),
            name=normalise(name),
            extras=words(spec.get("extras")),
            specifier=text(spec.get("version")) or "",
            marker=text(spec.get("markers")) or "",
            url=f"git+{spec['git']}" if text(spec.get("git")) else text(spec.get("url")),
            path=text(spec.get("path")),
            file=path,
        )
        for name, spec in specs
        if with_optional or spec.get("optional") is not True
    )


def _read_by_build(project: Mapping[str, object], tools: Mapping[str, object]) -> Iterator[str]:
    """Files besides packages that a build reads, as they are written."""
    readme = project.get("readme")
    yield from words(readme if isinstance(readme, str) else table(readme).get("file"))
    yield from words(at(tools, "poetry", "readme"))
    yield from words(at(project, "license", "file"))
    yield from words(project.get("license-files"))
    dynamic = table(at(tools, "setuptools", "dynamic"))
    for value in (*dynamic.values(), *table(dynamic.get("optional-dependencies")).values()):
        yield from words(table(value).get("file"))
    yield from words(at(tools, "hatch", "version", "path"))
    yield from words(at(tools, "pdm", "version", "path"))


def beside(path: str, names: Iterable[str]) -> tuple[str, ...]:
    """Files named from the folder of another one."""
    return tuple(dict.fromkeys(clean(posixpath.join(posixpath.dirname(path), name)) for name in names))


class SetupCfg(NamedTuple):
    """The declarative part of setuptools in ``setup.cfg``."""

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
    options = {(section, key): value.strip() for section in ("metadata", "options", "options.extras_require")
               if parser.has_section(section) for key, value in parser.items(section)}  # fmt: skip
    reads: list[str] = []
    for (_, key), value in options.items():
        if value.startswith("file:"):
            reads += re.split(r"\s*[,\n]\s*", value[5:].strip())
        elif key.replace("-", "_") in {"license_file", "license_files"}:
            reads += value.replace(",", " ").split()
    wanted = options.get(("options", "install_requires")) or options.get(("options", "install-requires")) or ""
    lines = [line.strip() for line in wanted.split("\n") if not line.strip().startswith(("#", "file:"))]
    return SetupCfg(_requirements(lines, path), beside(path, reads))
