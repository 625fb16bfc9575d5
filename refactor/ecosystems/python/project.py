"""A Python project by pyproject.toml, setup.cfg and setup.py of its folder: what building it asks for and reads.

setuptools builds a project whose packages are found (``find_packages()``, ``[tool.setuptools.packages.find]``) also
where there are none yet: the metadata, and so what pip resolves, are the same. Other build backends, and packages that
are listed, fail there (setuptools: "package directory ... does not exist").
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean
from refactor.context.tables import at, table, texts, words
from refactor.ecosystems.python.pyproject import read_pyproject, read_setup_cfg
from refactor.ecosystems.python.requirements import Requirement, parse_requirement, read_requirements
from refactor.ecosystems.python.sources import OPENS, is_path_opened, is_writing
from refactor.ecosystems.python.values import Call, Source, Use, read_source

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
    source = read_source(context, script)
    listed = None if isinstance(source, Unknown) else source.value(source.keyword("install_requires"))
    written = [need for need in listed if isinstance(need, str)] if isinstance(listed, list) else []
    if written == listed:
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
    tool = min(project.build_requires & _COMPILING, default=None)
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
        if project.finds_version or project.local_paths:
            return Unknown(f"{project.path} takes the version or dependencies from elsewhere")
        files += [project.path, *project.reads]
        found = _folders(project.tools)
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


def _folders(tools: Mapping[str, object]) -> list[str] | None:
    """The folders that ``[tool.setuptools]`` says packages are in; None where it lists the packages."""
    own = table(tools.get("setuptools"))
    packages = own.get("packages", {})
    if not isinstance(packages, dict) or {"py-modules", "ext-modules", "cmdclass", "data-files"} & own.keys():
        return None
    roots = (*words(at(packages, "find", "where")), *texts(own.get("package-dir")).values())
    plain = (root.rstrip("/") for root in roots if re.fullmatch(r"[\w-][\w./-]*", root) and ".." not in root)
    return list(dict.fromkeys(plain))


# What setup.py does when it runs

_RUNS = frozenset(
    {"subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen",
     "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
)  # fmt: skip
_READS = {
    "importlib.util.spec_from_file_location": 1, "importlib.machinery.SourceFileLoader": 1, "runpy.run_path": 0,
    "imp.load_source": 1, "glob.glob": 0, "glob.iglob": 0, "pip.req.parse_requirements": 0,
    "pip._internal.req.parse_requirements": 0, "pip._internal.req.req_file.parse_requirements": 0,
}  # fmt: skip
"""Calls that read a file -> the place of the path."""
_LISTS = frozenset({"os.listdir", "os.scandir", "os.walk"})


@remembered
def setup_reads(context: BuildContext, path: str = "setup.py") -> tuple[str, ...] | Unknown:
    """Files of the context that running ``setup.py`` opens or imports, sorted, without ``setup.py`` itself.

    They must be copied together with it. Files that it names but that are not there are left out: it guards
    them, or fails today as well. What modules of the project open that it imports is not followed. Unknown when it
    computes paths, lists folders, runs programs or takes the version from git.
    """
    source, folder = read_source(context, path), posixpath.dirname(path)
    if isinstance(source, Unknown):
        return source
    found: set[str] = set()
    for call in source.calls:
        where, why = f"{path}:{call.node.lineno}", _why_not_followed(call)
        if why is not None:
            return Unknown(f"{where} {why}")
        for use in _opened(source, call):
            if use.path is None:
                return Unknown(f"{where} opens a path that is computed")
            place = _in_context(use, folder)
            matches = context.glob(place) if "*" in place else (place,)
            for match in matches if not isinstance(matches, Unknown) else ():
                if context.is_dir(match) is True:
                    return Unknown(f"{where} reads the folder {match}")
                found.add(match)
                read = read_requirements(context, match) if call.name.endswith("parse_requirements") else None
                found.update(() if read is None or isinstance(read, Unknown) else read.included)
    for name in source.imports:
        stems = [posixpath.join(folder, *name.split(".")[:many]) for many in range(1, name.count(".") + 2)]
        found.update(f"{stem}{ending}" for stem in stems for ending in ("/__init__.py", ".py"))
    return tuple(sorted(one for one in found - {path} if context.exists(one) is True))


def _why_not_followed(call: Call) -> str | None:
    if call.name in _RUNS:
        return "runs a program"
    if call.name in _LISTS or call.method in {"iterdir", "rglob"}:
        return "lists a folder"
    if call.name in {"importlib.import_module", "builtins.__import__", "pkgutil.iter_modules"}:
        return "imports a module whose name is computed"
    if re.fullmatch(r"(?:setuptools|distutils).*\.setup", call.name) is None:
        return None
    version = call.keyword("use_scm_version", "pbr")
    is_off = version is None or (isinstance(version, ast.Constant) and not version.value)
    return None if is_off else "takes the version from git"


def _opened(source: Source, call: Call) -> Iterator[Use]:
    if call.name in OPENS:
        yield from () if is_writing(source, call, 1) else source.uses(call.argument(0), call, call.name)
    elif call.name in _READS:
        yield from source.uses(call.argument(_READS[call.name]), call, call.name)
    elif call.method in {"read_text", "read_bytes"} or (
        call.method == "open" and is_path_opened(source, call) and not is_writing(source, call, 0)
    ):
        yield from source.uses(call.receiver, call, call.name)
    elif call.method == "read" and call.given and source.made_by(call.receiver).startswith("configparser."):
        # configparser takes one name or several, and skips those that are not there.
        yield from source.uses(call.given[0], call, call.name)


def _in_context(use: Use, folder: str) -> str:
    """A path as the build sees it: setup.py runs in its own folder."""
    path = use.path or ""
    return path if use.is_anchored or path.startswith(("/", "~")) else clean(posixpath.join(folder, path))


__all__ = ["compiles", "metadata", "requires", "what_it_reads"]
