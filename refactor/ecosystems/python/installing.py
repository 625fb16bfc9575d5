"""The installations of a stage as steps that can come before the sources.

A project is installed from its metadata alone where that brings its dependencies before its sources are there:
setuptools builds a project whose packages are found (``find_packages()``, ``[tool.setuptools.packages.find]``) also
where there are none yet: the metadata, and so what pip resolves, are the same. Other build backends, and packages that
are listed, fail there (setuptools: "package directory ... does not exist").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.python.installs import ReadInstall, project_folder, read_installs
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.flow.reading import Refused, StageReading, Step

_FINDS = re.compile(r"\bpackages\s*=\s*(?:setuptools\.)?find_(?:namespace_)?packages\(([^)]*)\)")
_FILES = re.compile(r"\b(py_modules|scripts|data_files|package_dir|cmdclass|use_scm_version|setup_requires)\s*=")
_WITHOUT_PROJECT = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}
"""Tool -> the option that leaves the project itself out."""
_FOR_INSTALLS = frozenset({Action.SYSTEM, Action.TOOL, Action.UPGRADE, Action.VENV, Action.MAINTENANCE, Action.NEUTRAL})
_LIST = "list the dependencies in a requirements file and install that first"


def installs(reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.installs`."""
    by_name: list[Install] = []
    apart: set[str] = set()
    """Tools that have installed the dependencies: what they install next is the project itself."""
    stage = PythonStage.of(reading)
    for read in read_installs(stage):
        if not isinstance(read, ReadInstall):
            yield read[0].step, read[1]
            continue
        step, manager = read.act.step, read.call.manager if read.call is not None else ""
        first = None if read.sources is None else _dependencies_first(stage, read)
        if read.sources is not None and manager not in apart:
            yield first or (step, Refused(read.sources, _hint(read)))
        if manager and (isinstance(first, Install) or (read.sources is None and read.manifests)):
            apart.add(manager)
        if read.sources is None and (read.manifests or _is_by_name(read)):
            named = " ".join(word.text for word in read.call.packages) if read.call is not None else ""
            why = f"{named} come from the index"
            if read.manifests:
                why = f"the installation reads {', '.join(read.manifests)} and nothing of the sources"
            install = Install(step, (read.act.command,), read.folder, read.manifests, (why,))
            if read.manifests:
                yield install
            else:
                by_name.append(install)
    # An install from manifests takes those before it along.
    yield from by_name


def _is_by_name(read: ReadInstall) -> bool:
    """pip installs what it is told by name, from the index, into its own environment."""
    call = read.call
    if call is None or call.manager != "pip" or call.action != "install" or not read.requirements:
        return False
    return all(need.name and need.path is None for need in read.requirements) and not call.has(
        "-t", "--target", "--prefix", "--root", "-f", "--find-links", "--no-index", "-r", "-c", "-e"
    )


def _hint(read: ReadInstall) -> str:
    call = read.call
    if call is None or call.manager not in _WITHOUT_PROJECT:
        return _LIST
    command = f"{call.program} {call.verb} {_WITHOUT_PROJECT[call.manager]}"
    return f"install the dependencies alone first (`{command}`), the project after the sources"


def _without_project(stage: PythonStage, read: ReadInstall, option: str) -> Install | None:
    """Dependencies first, then the sources and the project itself: what poetry, uv and pdm can do."""
    act, project = read.act, read.project
    is_local = any(one.source == "path" for one in read.locked) or project is None or bool(project.local_paths)
    if is_local or act.call is None or act.call.verb.startswith("pip") or act.call.packages:
        return None
    *before, last = stage.acts_of(act.step)
    if last.command is not act.command or any(one.action not in _FOR_INSTALLS for one in before):
        return None
    why = f"{read.sources}: {option} leaves it out, so that an edit of the sources repeats only that"
    text = f"{read.act.text} {option}"
    return Install(act.step, (act.command,), read.folder, read.manifests, (why,), from_manifests=text)


def _dependencies_first(stage: PythonStage, read: ReadInstall) -> Install | tuple[Step, Refused] | None:
    """For ``pip install .`` and ``pip install -e .``: the same from the project's metadata alone, which can come before
    the sources; why not; for poetry, uv and pdm without the project; None for other tools."""
    act, command, reading = read.act, read.act.command, stage.reading
    option = _WITHOUT_PROJECT.get(read.call.manager) if read.call is not None else None
    if option is not None:
        return _without_project(stage, read, option)
    if read.call is None or read.call.manager != "pip" or act.folder is None:
        return None
    words = [word.text for word in command.words]
    local = [word for word in words if re.fullmatch(r"""["']?\.(?:\[[\w,.-]+\])?["']?""", word)]
    inside = project_folder(reading, act, act.folder)
    if len(local) != 1 or inside is None or command.assignments or command.wrappers or command.redirects:
        return None
    if read.compiles is not None:
        return act.step, Refused(f"{read.sources}, and {read.compiles}", "list the dependencies in a requirements file")
    answer = _metadata(reading.context, inside)
    if isinstance(answer, Refused):
        return act.step, Refused(f"{read.sources}, and {answer.because}", _LIST)
    files, folders = answer
    made = f"mkdir -p {' '.join(folders)} && " if folders else ""
    text = made + " ".join(word for word in words if word not in {"-e", "--editable"})
    manifests = tuple(dict.fromkeys((*files, *read.manifests)))
    names = ", ".join(manifests)
    evidence = (f"setuptools takes the dependencies from {names}, and finds no package before the sources are there",)
    return Install(act.step, (), act.folder, manifests, evidence, text)


def _metadata(context: BuildContext, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]] | Refused:
    """The files that building the project without its packages reads, and the folders that have to be there."""
    from refactor.context.python_manifests import read_pyproject, read_setup_cfg

    files: list[str] = []
    folders: list[str] = []
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if not isinstance(project, Unknown):
        if project.build_backend not in {None, "setuptools.build_meta", "setuptools.build_meta:__legacy__"}:
            return Refused(f"{project.build_backend} builds no project without its packages")
        if project.version_module or project.needs_git or project.local_paths:
            return Refused(f"{project.path} takes the version or dependencies from elsewhere")
        files += [project.path, *project.reads]
        found = _folders(project.data.get("tool"))
        if found is None:
            return Refused(f"{project.path} lists the packages instead of finding them")
        folders += found
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    if not isinstance(settings, Unknown):
        path = posixpath.join(folder, "setup.cfg")
        text = context.read(path)
        if not isinstance(text, str) or re.search(
            r"^\s*(?:py_modules|scripts|package_dir|ext_modules)\b|attr:", text, re.M
        ):
            return Refused(f"{path} names files of the packages")
        if re.search(r"^packages\s*=\s*(?!find(?:_namespace)?:)", text, re.M):
            return Refused(f"{path} lists the packages instead of finding them")
        files += [path, *settings.reads]
    script = posixpath.join(folder, "setup.py")
    if context.exists(script) is True:
        reads = _script(context, script)
        if isinstance(reads, Refused):
            return reads
        files += [script, *reads]
    if not files:
        return Refused("no metadata of the project is in the build context")
    unusual = [path for path in files if (path.endswith(".py") and path != script) or context.exists(path) is not True]
    if unusual:
        return Refused(f"the metadata are read from {unusual[0]}, which is no file of its own")
    return tuple(dict.fromkeys(files)), tuple(folders)


def _script(context: BuildContext, script: str) -> tuple[str, ...] | Refused:
    from refactor.context.python_source import setup_reads

    text, reads = context.read(script), setup_reads(context, script)
    if isinstance(text, Unknown):
        return Refused(text.reason)
    if isinstance(reads, Unknown):
        return Refused(reads.reason)
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


__all__ = ["installs"]
