"""What each installation of a Python stage reads, and whether it needs the project's sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.python.tools import Act, expanded
from refactor.flow.reading import Refused, StageReading, join
from refactor.shell import PackageCall

if TYPE_CHECKING:
    from refactor.context.python_manifests import LockedDistribution, Pyproject, Requirement
    from refactor.ecosystems.python.stage import PythonStage

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")


class ReadInstall(NamedTuple):
    """An installation with everything that decides it."""

    act: Act
    manifests: tuple[str, ...]
    """Context paths of the files (and folders of local packages) that it reads, sources of the project left
    out.
    """
    requirements: tuple[Requirement, ...] = ()
    locked: tuple[LockedDistribution, ...] = ()
    sources: str | None = None
    """Why it needs the sources of the project as well, None where it does not."""
    is_editable: bool = False
    """What is installed points back to the sources."""
    project: Pyproject | None = None
    """The project whose dependencies poetry, uv or pdm install."""
    folder: str = "/"
    """Absolute image folder of the project, or that pip runs in."""
    compiles: str | None = None
    """Why installing the project itself calls a compiler, None where it does not."""

    @property
    def call(self) -> PackageCall | None:
        return self.act.call


def read_installs(stage: PythonStage) -> tuple[ReadInstall | tuple[Act, Refused], ...]:
    """All installations of the stage in order, each read or refused by name."""
    answers = ((act, install_of(stage.reading, act)) for act in stage.installs)
    return tuple((act, answer) if isinstance(answer, Refused) else answer for act, answer in answers)


def install_of(reading: StageReading, act: Act) -> ReadInstall | Refused:
    """One installation, read once."""
    return reading.remember(f"python install {id(act.command)}", lambda: _read(reading, act))


def _read(reading: StageReading, act: Act) -> ReadInstall | Refused:
    line = reading.file.line_of(act.step.node)
    folder = act.folder
    if folder is None:
        return Refused(f"the folder that line {line} installs in is not known: its `cd` is not plain text")
    call = act.call
    if call is None:
        if any("setup.py" in arg for arg in act.command.args):
            return _project(reading, act, folder, "python setup.py", "develop" in act.command.args)
        return ReadInstall(act, (), folder=folder)
    if call.manager == "pip" or call.verb.startswith("pip "):
        return _pip(reading, act, call, folder)
    if call.manager == "pipenv":
        return _pipenv(reading, act, call, folder)
    return _locked_project(reading, act, call, folder)


def _find(reading: StageReading, act: Act, folder: str, path: str) -> str | Refused:
    """The context path of a file that an installation names."""
    written = expanded(reading, act.step, path)
    line = reading.file.line_of(act.step.node)
    if "$" in written or "`" in written:
        return Refused(f"which file {path} on line {line} is depends on a variable", "write the path")
    place = join(folder, written)
    found = _held(reading, act, place)
    if found is None:
        name = posixpath.basename(written)
        why = reading.context.why_unknown
        if why is not None:
            return Refused(f"the build context is not known: {why}", "name it with --context")
        return Refused(
            f"{name}, which line {line} installs from, does not come from the build context",
            f"copy {name} before that line; where it is copied, name the folder that holds it with --context",
        )
    return found


def _held(reading: StageReading, act: Act, place: str) -> str | None:
    """The context path of what is at ``place`` when the command runs: copied there, or bound by `RUN --mount`."""
    for value in act.step.node.flag_values("mount"):
        options = dict(part.partition("=")[::2] for part in value.split(","))
        if options.get("type", "bind") != "bind" or "from" in options:
            continue
        target = options.get("target") or options.get("dst") or options.get("destination") or ""
        source = posixpath.normpath("/" + (options.get("source") or options.get("src") or "")).lstrip("/")
        bound = join(act.step.workdir, target)
        inside = source if place == bound else posixpath.join(source, posixpath.relpath(place, bound))
        is_below = place == bound or place.startswith(bound.rstrip("/") + "/")
        if target and is_below and reading.context.exists(inside) is True:
            return inside
    return reading.in_context(place, act.step.node)


def _pip(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    from refactor.context.python_manifests import parse_requirement, read_pyproject, read_requirements

    context, line = reading.context, reading.file.line_of(act.step.node)
    manifests: dict[str, None] = {}
    requirements: list[Requirement] = []
    local: list[tuple[str, str, bool]] = []
    files = call.values("-r", "--requirement", "--requirements")
    if call.verb == "pip sync":
        files += tuple(word.literal for word in call.operands)
    for path in files:
        if "://" in path:
            continue
        found = _find(reading, act, folder, path)
        if isinstance(found, Refused):
            return found
        manifests[found] = None
        if found.endswith(".toml"):
            project = read_pyproject(context, found)
            if isinstance(project, Unknown):
                return Refused(project.reason)
            requirements += project.dependencies
            continue
        read = read_requirements(context, found)
        if isinstance(read, Unknown):
            return Refused(read.reason)
        if read.missing:
            return Refused(f"{found} includes {read.missing[0]}, which is not in the build context")
        manifests.update(dict.fromkeys(read.included))
        requirements += read.requirements
        local += [(need.path, need.file, need.is_editable) for need in read.requirements if need.path is not None]
    for path in call.values("-c", "--constraint", "--constraints", "--build-constraint", "--override"):
        if "://" in path:
            continue
        found = _find(reading, act, folder, path)
        if isinstance(found, Refused):
            return found
        read = read_requirements(context, found)
        manifests[found] = None
        if not isinstance(read, Unknown):
            manifests.update(dict.fromkeys(read.included))
    for word in () if call.verb == "pip sync" else call.packages:
        written = expanded(reading, act.step, word.literal)
        if "$(" in written or "`" in written:
            return Refused(f"what line {line} installs is the output of a command: {word.text[:60]}")
        need = parse_requirement(written)
        if need is None:
            # A version that a build argument fills in still names the package.
            need = parse_requirement(written.split("$")[0].rstrip("=<>!~[ "))
        if need is None:
            return Refused(f"{word.text} on line {line} is no requirement that pip knows")
        requirements.append(need)
        if need.path is not None:
            local.append((need.path, f"line {line}", False))
    for written in call.values("-e", "--editable"):
        need = parse_requirement(expanded(reading, act.step, written))
        if need is not None and need.url is not None:
            requirements.append(need)
        else:
            local.append((written, f"line {line}", True))
    sources: str | None = None
    is_editable = False
    project_found: Pyproject | None = None
    compiles: str | None = None
    for path, where, editable in local:
        place = join(folder, path.partition("[")[0])
        inside = project_folder(reading, act, place)
        if inside is None and not any(sign in path for sign in "*?["):
            why = context.why_unknown
            if why is not None:
                return Refused(f"the build context is not known: {why}", "name it with --context")
            return Refused(f"{path}, which {where} installs, does not come from the build context")
        is_editable = is_editable or editable
        if inside and not editable and context.is_dir(inside) is False:
            manifests[inside] = None
            continue
        if inside and not editable and _is_library(reading, inside):
            manifests[inside] = None
            continue
        flag = "-e " if editable else ""
        sources = f"`{flag}{path}` ({where}) installs the project itself, from its sources"
        reads = _what_it_reads(reading, inside or "")
        if reads:
            sources += f"; {reads}"
        compiles = compiles or _compiles(reading, inside or "")
        project = read_pyproject(context, posixpath.join(inside or "", "pyproject.toml"))
        if not isinstance(project, Unknown):
            project_found = project
            requirements += project.dependencies
        else:
            declared = _of_setup(reading, inside or "")
            if isinstance(declared, Refused):
                return declared
            requirements += declared
    return ReadInstall(
        act, tuple(manifests), tuple(requirements), (), sources, is_editable, project_found, folder, compiles
    )


def project_folder(reading: StageReading, act: Act, place: str) -> str | None:
    """The context folder whose copy, or whose metadata, are at the absolute image path ``place``."""
    found = reading.in_context(place, act.step.node)
    for name in () if found is not None else ("pyproject.toml", "setup.py"):
        manifest = reading.in_context(join(place, name), act.step.node)
        if manifest is not None and posixpath.basename(manifest) == name:
            return posixpath.dirname(manifest)
    return found


def _is_library(reading: StageReading, folder: str) -> bool:
    """A package in a folder of its own, not the folder that holds the application."""
    return all(copied.source != folder for copied in reading.copies) and "/" not in folder.strip("/")


def _of_setup(reading: StageReading, folder: str) -> tuple[Requirement, ...] | Refused:
    """What setup.cfg and setup.py ask for."""
    from refactor.context.python_manifests import parse_requirement, read_requirements, read_setup_cfg

    context = reading.context
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    found = [] if isinstance(settings, Unknown) else list(settings.requires)
    script = posixpath.join(folder, "setup.py")
    text = context.read(script)
    if isinstance(text, Unknown) or "install_requires" not in text:
        return tuple(found)
    written = _install_requires(text)
    if written is not None:
        return (*found, *(need for need in map(parse_requirement, written) if need is not None))
    opened = setup_files(reading, script)
    files = () if isinstance(opened, Refused) else opened
    lists = [path for path in files if "require" in posixpath.basename(path) and path.endswith((".txt", ".in"))]
    if not lists:
        return Refused(
            f"what {script} installs is only known when it runs: install_requires is no list of strings",
            "write install_requires as a list, or list the dependencies in a requirements file",
        )
    for path in lists:
        read = read_requirements(context, path)
        if isinstance(read, Unknown):
            return Refused(read.reason)
        found += read.requirements
    return tuple(found)


def _install_requires(source: str) -> list[str] | None:
    """The strings of ``install_requires``, where setup.py has them as a list or as a name bound to one."""
    import ast

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    bound = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.keyword) or node.arg != "install_requires":
            continue
        value: ast.expr | None = node.value
        if isinstance(value, ast.Name):
            value = bound.get(value.id)
        if not isinstance(value, ast.List | ast.Tuple):
            return None
        texts = [item.value for item in value.elts if isinstance(item, ast.Constant)]
        return [text for text in texts if isinstance(text, str)] if len(texts) == len(value.elts) else None
    return None


_EXTENSIONS = re.compile(
    r"\b(?:ext_modules|Extension\(|cythonize|CMakeExtension|rust_extensions|RustExtension|cffi_modules)"
)
_COMPILING = frozenset(
    {
        "cython",
        "scikit-build",
        "scikit-build-core",
        "meson-python",
        "maturin",
        "setuptools-rust",
        "pybind11",
        "nanobind",
    }
)


def _compiles(reading: StageReading, folder: str) -> str | None:
    """What says that the project has extension modules of its own."""
    from refactor.context.python_manifests import read_pyproject

    context = reading.context
    script = posixpath.join(folder, "setup.py")
    text = context.read(script)
    if not isinstance(text, Unknown):
        found = _EXTENSIONS.search(text)
        if found is not None:
            return f"{script} compiles extension modules ({found[0].rstrip('(')})"
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if not isinstance(project, Unknown):
        names = sorted({need.name for need in project.build_requires if need.name} & _COMPILING)
        if names:
            return f"{project.path} is built with {names[0]}, which compiles"
    return None


def _what_it_reads(reading: StageReading, folder: str) -> str:
    """Words on the files besides packages that building the project reads."""
    from refactor.context.python_manifests import read_pyproject, read_setup_cfg

    context = reading.context
    reads: dict[str, None] = {}
    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    if not isinstance(project, Unknown):
        reads.update(dict.fromkeys(project.reads))
    settings = read_setup_cfg(context, posixpath.join(folder, "setup.cfg"))
    if not isinstance(settings, Unknown):
        reads.update(dict.fromkeys(settings.reads))
    script = posixpath.join(folder, "setup.py")
    if context.exists(script) is True:
        opened = setup_files(reading, script)
        if isinstance(opened, Refused):
            return opened.because
        reads.update(dict.fromkeys(opened))
        if opened:
            return f"setup.py reads {' and '.join(opened)}"
    names = [name for name in reads if context.exists(name) is True]
    return f"it reads {' and '.join(names)}" if names else ""


def setup_files(reading: StageReading, script: str) -> tuple[str, ...] | Refused:
    """Context paths that a setup.py opens."""
    from refactor.context.python_source import setup_reads

    found = setup_reads(reading.context, script)
    if isinstance(found, Unknown):
        return Refused(found.reason)
    return tuple(found)


def _project(reading: StageReading, act: Act, folder: str, what: str, is_editable: bool) -> ReadInstall | Refused:
    found = _find(reading, act, folder, "setup.py")
    if isinstance(found, Refused):
        return found
    reads = _what_it_reads(reading, posixpath.dirname(found))
    declared = _of_setup(reading, posixpath.dirname(found))
    if isinstance(declared, Refused):
        return declared
    sources = f"`{what}` installs the project itself, from its sources" + (f"; {reads}" if reads else "")
    compiles = _compiles(reading, posixpath.dirname(found))
    return ReadInstall(act, (), declared, (), sources, is_editable, None, folder, compiles)


def _existing(reading: StageReading, act: Act, folder: str, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        found = _held(reading, act, join(folder, name))
        if found is not None:
            yield found


def _pipenv(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    if call.packages:
        from refactor.context.python_manifests import parse_requirement

        needs = [parse_requirement(expanded(reading, act.step, word.literal)) for word in call.packages]
        return ReadInstall(act, (), tuple(need for need in needs if need is not None), folder=folder)
    requirement_file = call.option("-r", "--requirements")
    if requirement_file is not None:
        found = _find(reading, act, folder, requirement_file)
        return found if isinstance(found, Refused) else ReadInstall(act, (found,), folder=folder)
    pipfile = _find(reading, act, folder, "Pipfile")
    if isinstance(pipfile, Refused):
        return pipfile
    context = reading.context
    data = context.toml(pipfile)
    if isinstance(data, Unknown):
        return Refused(data.reason)
    from refactor.context.python_manifests import parse_requirement

    needs = []
    table = data.get("packages") if isinstance(data, dict) else None
    for name, value in (table if isinstance(table, dict) else {}).items():
        if isinstance(value, dict) and ("path" in value or value.get("editable")):
            return ReadInstall(act, (pipfile,), (), (), f"Pipfile installs {name} from the sources", True, None, folder)
        needs.append(parse_requirement(name if not isinstance(value, dict) or "git" not in value
                                       else f"{name} @ git+{value['git']}"))  # fmt: skip
    lock = tuple(_existing(reading, act, folder, ("Pipfile.lock",)))
    return ReadInstall(act, (pipfile, *lock), tuple(need for need in needs if need is not None), folder=folder)


_LOCKS = {
    "poetry": ("poetry.lock", ("poetry.toml",)),
    "uv": ("uv.lock", ("uv.toml", ".python-version")),
    "pdm": ("pdm.lock", ("pdm.toml", ".pdm.toml", ".python-version")),
}


def _locked_project(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    from refactor.context.python_manifests import (
        read_pdm_lock,
        read_poetry_lock,
        read_pyproject,
        read_uv_lock,
    )

    where = call.option("-C", "--directory", "-P", "--project", "-p")
    if where is not None:
        folder = join(folder, expanded(reading, act.step, where))
    manifest = _find(reading, act, folder, "pyproject.toml")
    if isinstance(manifest, Refused):
        return manifest
    context = reading.context
    project = read_pyproject(context, manifest)
    if isinstance(project, Unknown):
        return Refused(project.reason)
    lock_name, more = _LOCKS[call.manager]
    lock_path = next(_existing(reading, act, folder, (lock_name,)), None)
    manifests = [manifest, *([lock_path] if lock_path else []), *_existing(reading, act, folder, more)]
    locked: tuple[LockedDistribution, ...] = ()
    if lock_path is not None:
        reader = {"poetry": read_poetry_lock, "uv": read_uv_lock, "pdm": read_pdm_lock}[call.manager]
        lock = reader(context, lock_path)
        if isinstance(lock, Unknown):
            return Refused(lock.reason)
        locked = lock.distributions
    requirements = list(project.dependencies)
    if call.packages:
        from refactor.context.python_manifests import parse_requirement

        added = (parse_requirement(expanded(reading, act.step, word.literal)) for word in call.packages)
        requirements += [need for need in added if need is not None]
    sources: str | None = None
    skips = {"poetry": ("--no-root",), "uv": ("--no-install-project", "--no-install-workspace"),
             "pdm": ("--no-self", "--no-isolation-self")}[call.manager]  # fmt: skip
    local = tuple(path for path in project.local_paths) + tuple(
        need.path for need in locked if need.source == "path" and need.path is not None
    )
    if local:
        sources = f"{manifest} takes {local[0]} from a local folder"
    elif project.is_package and not call.has(*skips) and not call.has("--only-root"):
        sources = f"`{call.program} {call.verb}` also installs the project itself, from its sources"
        reads = [name for name in project.reads if context.exists(name) is True]
        if reads:
            sources += f"; it reads {' and '.join(reads)}"
    compiles = _compiles(reading, project.folder) if sources is not None else None
    return ReadInstall(
        act,
        tuple(manifests),
        tuple(requirements),
        locked,
        sources,
        sources is not None,
        project,
        folder,
        compiles,
    )
