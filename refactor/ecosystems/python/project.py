"""A Python project by pyproject.toml, setup.cfg and setup.py of its folder: what building it asks for and reads.

setuptools builds a project whose packages are found (``find_packages()``, ``[tool.setuptools.packages.find]``) also
where there are none yet: the metadata, and so what pip resolves, are the same. Other build backends, and packages that
are listed, fail there (setuptools: "package directory ... does not exist").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.python.pyproject import read_pyproject, read_setup_cfg
from refactor.ecosystems.python.requirements import Requirement, parse_requirement, read_requirements
from refactor.ecosystems.python.sources import setup_reads, setup_requires

_EXTENSIONS = re.compile(
    r"\b(?:ext_modules|Extension\(|cythonize|CMakeExtension|rust_extensions|RustExtension|cffi_modules)"
)
_COMPILING = frozenset(
    "cython scikit-build scikit-build-core meson-python maturin setuptools-rust pybind11 nanobind".split()
)
_FINDS = re.compile(r"\bpackages\s*=\s*(?:setuptools\.)?find_(?:namespace_)?packages\(([^)]*)\)")
_FILES = re.compile(r"\b(py_modules|scripts|data_files|package_dir|cmdclass|use_scm_version|setup_requires)\s*=")


def requires(context: BuildContext, folder: str) -> tuple[Requirement, ...] | Unknown:
    """What setup.cfg and setup.py ask for."""
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    found = [] if isinstance(settings, Unknown) else list(settings.requires)
    script = posixpath.join(folder, "setup.py")
    text = context.read(script)
    if isinstance(text, Unknown) or "install_requires" not in text:
        return tuple(found)
    written = setup_requires(text)
    if written is not None:
        return (*found, *(need for need in map(parse_requirement, written) if need is not None))
    opened = setup_reads(context, script)
    files = () if isinstance(opened, Unknown) else opened
    lists = [path for path in files if "require" in posixpath.basename(path) and path.endswith((".txt", ".in"))]
    if not lists:
        return Unknown(f"what {script} installs is only known when it runs: install_requires is no list of strings")
    for path in lists:
        read = read_requirements(context, path)
        if isinstance(read, Unknown):
            return read
        found += read.requirements
    return tuple(found)


def compiles(context: BuildContext, folder: str) -> str | None:
    """What says that the project has extension modules of its own."""
    script = posixpath.join(folder, "setup.py")
    text = context.read(script)
    found = _EXTENSIONS.search(text) if isinstance(text, str) else None
    if found is not None:
        return f"{script} compiles extension modules ({found[0].rstrip('(')})"
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if isinstance(project, Unknown):
        return None
    tool = min({need.name for need in project.build_requires if need.name} & _COMPILING, default=None)
    return None if tool is None else f"{project.path} is built with {tool}, which compiles"


def what_it_reads(context: BuildContext, folder: str) -> str:
    """Words on the files besides packages that building the project reads."""
    script = posixpath.join(folder, "setup.py")
    opened = setup_reads(context, script) if context.exists(script) is True else ()
    if isinstance(opened, Unknown):
        return opened.reason
    if opened:
        return f"setup.py reads {' and '.join(opened)}"
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    reads = [name for one in (project, settings) if not isinstance(one, Unknown) for name in one.reads]
    names = [name for name in dict.fromkeys(reads) if context.exists(name) is True]
    return f"it reads {' and '.join(names)}" if names else ""


def metadata(context: BuildContext, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]] | Unknown:
    """The files that building the project without its packages reads, and the folders that have to be there."""
    files: list[str] = []
    folders: list[str] = []
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if not isinstance(project, Unknown):
        if project.build_backend not in {None, "setuptools.build_meta", "setuptools.build_meta:__legacy__"}:
            return Unknown(f"{project.build_backend} builds no project without its packages")
        if project.version_module or project.needs_git or project.local_paths:
            return Unknown(f"{project.path} takes the version or dependencies from elsewhere")
        files += [project.path, *project.reads]
        found = _folders(project.data.get("tool"))
        if found is None:
            return Unknown(f"{project.path} lists the packages instead of finding them")
        folders += found
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    if not isinstance(settings, Unknown):
        path = posixpath.join(folder, "setup.cfg")
        text = context.read(path)
        if not isinstance(text, str) or re.search(
            r"^\s*(?:py_modules|scripts|package_dir|ext_modules)\b|attr:", text, re.M
        ):
            return Unknown(f"{path} names files of the packages")
        if re.search(r"^packages\s*=\s*(?!find(?:_namespace)?:)", text, re.M):
            return Unknown(f"{path} lists the packages instead of finding them")
        files += [path, *settings.reads]
    script = posixpath.join(folder, "setup.py")
    if context.exists(script) is True:
        reads = _setup_script(context, script)
        if isinstance(reads, Unknown):
            return reads
        files += [script, *reads]
    if not files:
        return Unknown("no metadata of the project is in the build context")
    unusual = [path for path in files if (path.endswith(".py") and path != script) or context.exists(path) is not True]
    if unusual:
        return Unknown(f"the metadata are read from {unusual[0]}, which is no file of its own")
    return tuple(dict.fromkeys(files)), tuple(folders)


def _setup_script(context: BuildContext, script: str) -> tuple[str, ...] | Unknown:
    text, reads = context.read(script), setup_reads(context, script)
    if isinstance(text, Unknown):
        return text
    if isinstance(reads, Unknown):
        return reads
    named = _FILES.search(text)
    if named is not None:
        return Unknown(f"{script} has {named[1]}, which may need files of the project")
    found = _FINDS.search(text)
    if "packages" in text and (found is None or "where" in found[1] or re.match(r"\s*[\"']", found[1])):
        return Unknown(f"{script} lists the packages, or the folder that they are in")
    return reads


def _folders(tools: object) -> list[str] | None:
    """The folders that ``[tool.setuptools]`` says packages are in; None where it lists the packages."""
    table = tools.get("setuptools") if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        return []
    packages = table.get("packages", {})
    if not isinstance(packages, dict) or {"py-modules", "ext-modules", "cmdclass", "data-files"} & table.keys():
        return None
    return list(dict.fromkeys(_named(packages, table.get("package-dir"))))


def _named(packages: dict[str, object], places: object) -> Iterator[str]:
    find = packages.get("find")
    where = find.get("where") if isinstance(find, dict) else None
    roots = [where] if isinstance(where, str) else where if isinstance(where, list) else []
    roots += list(places.values()) if isinstance(places, dict) else []
    for root in roots:
        if isinstance(root, str) and re.fullmatch(r"[\w-][\w./-]*", root) and ".." not in root:
            yield root.rstrip("/")


__all__ = ["compiles", "metadata", "requires", "what_it_reads"]
