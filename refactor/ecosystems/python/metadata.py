"""A project installed from its metadata alone: what brings its dependencies before its sources are there.

setuptools builds a project whose packages are found (``find_packages()``, ``[tool.setuptools.packages.find]``) also
where there are none yet: the metadata, and so what pip resolves, are the same. Other build backends, and packages that
are listed, fail there (setuptools: "package directory ... does not exist").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.python.installs import ReadInstall, project_folder
from refactor.ecosystems.python.stage import PythonStage
from refactor.flow.reading import Refused, Step

_FINDS = re.compile(r"\bpackages\s*=\s*(?:setuptools\.)?find_(?:namespace_)?packages\(([^)]*)\)")
_FILES = re.compile(r"\b(py_modules|scripts|data_files|package_dir|cmdclass|use_scm_version|setup_requires)\s*=")


def dependencies_first(stage: PythonStage, read: ReadInstall) -> Install | tuple[Step, Refused] | None:
    """For ``pip install .`` and ``pip install -e .``: the same from the project's metadata alone, which can come before
    the sources; why not; None for other tools."""
    call, act = read.call, read.act
    if call is None or call.manager != "pip" or act.folder is None:
        return None
    command = act.command
    words = [word.text for word in command.words]
    local = [word for word in words if re.fullmatch(r"""["']?\.(?:\[[\w,.-]+\])?["']?""", word)]
    inside = project_folder(stage.reading, act, act.folder)
    if len(local) != 1 or inside is None or command.assignments or command.wrappers or command.redirects:
        return None
    if read.compiles is not None:
        return act.step, Refused(f"{read.sources}, and {read.compiles}", "list the dependencies in a requirements file")
    answer = _metadata(stage, inside)
    if isinstance(answer, Refused):
        return act.step, Refused(f"{read.sources}, and {answer.because}", answer.hint)
    files, folders = answer
    made = f"mkdir -p {' '.join(folders)} && " if folders else ""
    text = made + " ".join(word for word in words if word not in {"-e", "--editable"})
    manifests = tuple(dict.fromkeys((*files, *read.manifests)))
    names = ", ".join(manifests)
    evidence = (f"setuptools takes the dependencies from {names}, and finds no package before the sources are there",)
    return Install(act.step, (), act.folder, manifests, evidence, text)


def _metadata(stage: PythonStage, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]] | Refused:
    """The files that building the project without its packages reads, and the folders that have to be there."""
    from refactor.context.python_manifests import read_pyproject, read_setup_cfg

    context = stage.reading.context
    hint = "list the dependencies in a requirements file and install that first"
    files: list[str] = []
    folders: list[str] = []
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if not isinstance(project, Unknown):
        if project.build_backend not in {None, "setuptools.build_meta", "setuptools.build_meta:__legacy__"}:
            return Refused(f"{project.build_backend} builds no project without its packages", hint)
        if project.version_module or project.needs_git or project.local_paths:
            return Refused(f"{project.path} takes the version or dependencies from elsewhere", hint)
        files += [project.path, *project.reads]
        found = _folders(project.data.get("tool"))
        if found is None:
            return Refused(f"{project.path} lists the packages instead of finding them", hint)
        folders += found
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    if not isinstance(settings, Unknown):
        path = posixpath.join(folder, "setup.cfg")
        text = context.read(path)
        if not isinstance(text, str) or re.search(
            r"^\s*(?:py_modules|scripts|package_dir|ext_modules)\b|attr:", text, re.M
        ):
            return Refused(f"{path} names files of the packages", hint)
        if re.search(r"^packages\s*=\s*(?!find(?:_namespace)?:)", text, re.M):
            return Refused(f"{path} lists the packages instead of finding them", hint)
        files += [path, *settings.reads]
    script = posixpath.join(folder, "setup.py")
    if context.exists(script) is True:
        reads = _script(stage, script)
        if isinstance(reads, Refused):
            return Refused(reads.because, hint)
        files += [script, *reads]
    if not files:
        return Refused("no metadata of the project is in the build context", hint)
    unusual = [path for path in files if (path.endswith(".py") and path != script) or context.exists(path) is not True]
    if unusual:
        return Refused(f"the metadata are read from {unusual[0]}, which is no file of its own", hint)
    return tuple(dict.fromkeys(files)), tuple(folders)


def _script(stage: PythonStage, script: str) -> tuple[str, ...] | Refused:
    from refactor.context.python_source import setup_reads

    text, reads = stage.reading.context.read(script), setup_reads(stage.reading.context, script)
    if isinstance(text, Unknown) or isinstance(reads, Unknown):
        return Refused((text if isinstance(text, Unknown) else reads).reason)  # type: ignore[union-attr]
    named = _FILES.search(text)
    if named is not None:
        return Refused(f"{script} has {named[1]}, which may need files of the project")
    found = _FINDS.search(text)
    if "packages" in text and (found is None or "where" in found[1] or re.match(r"\s*[\"']", found[1])):
        return Refused(f"{script} lists the packages, or the folder that they are in")
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


__all__ = ["dependencies_first"]
