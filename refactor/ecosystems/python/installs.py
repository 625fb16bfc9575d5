"""What each installation of a Python stage reads, and whether it needs the project's sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.tables import table
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Act, expanded
from refactor.flow.closure import why_no_context
from refactor.flow.graph import binds
from refactor.flow.reading import Refused, StageReading, is_within, join
from refactor.shell import PackageCall

if TYPE_CHECKING:
    from refactor.ecosystems.python.lockfiles import LockedDistribution
    from refactor.ecosystems.python.pyproject import Pyproject
    from refactor.ecosystems.python.requirements import Requirement

_MARKER = r"(implementation_name|python_implementation|sys_platform|platform_system|os_name)\s*(==|!=)\s*[\"'](\w+)"
_LOCKS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "poetry": ("poetry.lock", ("poetry.toml",), ("--no-root",)),
    "uv": ("uv.lock", ("uv.toml", ".python-version"), ("--no-install-project", "--no-install-workspace")),
    "pdm": ("pdm.lock", ("pdm.toml", ".pdm.toml", ".python-version"), ("--no-self", "--no-isolation-self")),
}
"""Tool -> its lockfile, other files that it reads, and options that leave the project itself out."""


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


def all_installs(reading: StageReading) -> tuple[ReadInstall, ...]:
    """Those of all stages of the file that could be read."""
    found = (one for stage in PythonStage.all(reading) for one in read_installs(stage))
    return tuple(one for one in found if isinstance(one, ReadInstall))


def install_of(reading: StageReading, act: Act) -> ReadInstall | Refused:
    """One installation, read once."""
    return reading.remember(f"python install {id(act.command)}", lambda: _own(reading, _read(reading, act)))


def _own(reading: StageReading, read: ReadInstall | Refused) -> ReadInstall | Refused:
    """Without what environment markers leave out on Linux, and on the implementation of Python that the image has
    (PEP 508)."""
    if isinstance(read, Refused):
        return read
    here = {"sys_platform": "linux", "platform_system": "linux", "os_name": "posix"}
    python = {"python": "cpython", "pypy": "pypy"}.get("" if reading.image is None else reading.image.family)
    here |= {} if python is None else {"implementation_name": python, "python_implementation": python}

    def is_for_another(marker: str) -> bool:
        signs = () if re.search(r"\bor\b", marker) else re.findall(_MARKER, marker)
        known = ((here[name] == value.lower(), sign) for name, sign, value in signs if name in here)
        return any(is_so != (sign == "==") for is_so, sign in known)

    return read._replace(requirements=tuple(need for need in read.requirements if not is_for_another(need.marker)))


def _read(reading: StageReading, act: Act) -> ReadInstall | Refused:
    folder, call = act.folder, act.call
    if folder is None:
        line = reading.file.line_of(act.step.node)
        return Refused(f"the folder that line {line} installs in is not known: its `cd` is not plain text")
    if call is None:
        return _script(reading, act, folder)
    if call.manager == "pip" or call.verb.startswith("pip "):
        return _Pip(reading, act, call, folder).read()
    return (_pipenv if call.manager == "pipenv" else _locked_project)(reading, act, call, folder)


def _find(reading: StageReading, act: Act, folder: str, path: str) -> str | Refused:
    """The context path of a file that an installation names."""
    written, line = expanded(reading, act.step, path), reading.file.line_of(act.step.node)
    if "$" in written or "`" in written:
        return Refused(f"which file {path} on line {line} is depends on a variable", "write the path")
    found = _held(reading, act, join(folder, written))
    if found is not None:
        return found
    name = posixpath.basename(written)
    return why_no_context(reading) or Refused(
        f"{name}, which line {line} installs from, does not come from the build context",
        f"copy {name} before that line; where it is copied, name the folder that holds it with --context",
    )


def _held(reading: StageReading, act: Act, place: str) -> str | None:
    """The context path of what is at ``place`` when the command runs: copied there, or bound by `RUN --mount`."""
    for target, source, origin in binds(reading, act.step):
        inside = join(source, posixpath.relpath(place, target)).lstrip("/")
        if origin is None and is_within(place, target) and reading.context.exists(inside) is True:
            return inside
    return reading.in_context(place, act.step.node)


def _existing(reading: StageReading, act: Act, folder: str, names: tuple[str, ...]) -> tuple[str, ...]:
    places = (_held(reading, act, join(folder, name)) for name in names)
    return tuple(found for found in places if found is not None)


class _Pip:
    """What one `pip install` reads, gathered from its options and words."""

    def __init__(self, reading: StageReading, act: Act, call: PackageCall, folder: str) -> None:
        self.reading = reading
        self.act = act
        self.call = call
        self.folder = folder
        self.line = reading.file.line_of(act.step.node)
        self.manifests: dict[str, None] = {}
        self.needs: list[Requirement] = []
        self.local: list[tuple[str, str, bool]] = []
        """Folders and archives: as written, where, whether editable."""
        self.made = ReadInstall(act, (), folder=folder)

    def read(self) -> ReadInstall | Refused:
        call, is_sync = self.call, self.call.verb == "pip sync"
        files = call.values("-r", "--requirement", "--requirements")
        files += tuple(word.literal for word in call.operands) if is_sync else ()
        pins = call.values("-c", "--constraint", "--constraints", "--build-constraint", "--override")
        steps: list[tuple[Callable[[str], Refused | None], str]] = []
        steps += [(self._file, path) for path in files if "://" not in path]
        steps += [(partial(self._file, is_pins=True), path) for path in pins if "://" not in path]
        steps += [] if is_sync else [(self._word, word.literal) for word in call.packages]
        steps += [(self._editable, path) for path in call.values("-e", "--editable")]
        refused = next((one for take, text in steps if (one := take(text)) is not None), None)
        refused = refused or next((one for local in self.local if (one := self._project(*local)) is not None), None)
        return refused or self.made._replace(manifests=tuple(self.manifests), requirements=tuple(self.needs))

    def _file(self, path: str, *, is_pins: bool = False) -> Refused | None:
        from refactor.ecosystems.python.pyproject import read_pyproject
        from refactor.ecosystems.python.requirements import read_requirements

        found = _find(self.reading, self.act, self.folder, path)
        if isinstance(found, Refused):
            return found
        self.manifests[found] = None
        if found.endswith(".toml"):
            project = read_pyproject(self.reading.context, found)
            self.needs += () if isinstance(project, Unknown) else project.dependencies
            return Refused(project.reason) if isinstance(project, Unknown) else None
        read = read_requirements(self.reading.context, found)
        if isinstance(read, Unknown):
            return None if is_pins else Refused(read.reason)
        self.manifests.update(dict.fromkeys(read.included))
        if is_pins:
            return None
        self.needs += read.requirements
        self.local += [(need.path, need.file, need.is_editable) for need in read.requirements if need.path is not None]
        because = f"{found} includes {', '.join(read.missing[:1])}, which is not in the build context"
        return Refused(because) if read.missing else None

    def _word(self, word: str) -> Refused | None:
        from refactor.ecosystems.python.requirements import parse_requirement

        written = expanded(self.reading, self.act.step, word)
        if "$(" in written or "`" in written:
            return Refused(f"what line {self.line} installs is the output of a command: {word[:60]}")
        # A version that a build argument fills in still names the package.
        need = parse_requirement(written) or parse_requirement(written.split("$")[0].rstrip("=<>!~[ "))
        if need is None:
            return Refused(f"{word} on line {self.line} is no requirement that pip knows")
        self.needs.append(need)
        if need.path is not None:
            self.local.append((need.path, f"line {self.line}", False))
        return None

    def _editable(self, written: str) -> Refused | None:
        from refactor.ecosystems.python.requirements import parse_requirement

        need = parse_requirement(expanded(self.reading, self.act.step, written))
        if need is not None and need.url is not None:
            self.needs.append(need)
        else:
            self.local.append((written, f"line {self.line}", True))
        return None

    def _project(self, path: str, where: str, editable: bool) -> Refused | None:
        """A project that is installed from its sources, or a package in a folder of its own."""
        reading, context = self.reading, self.reading.context
        inside = project_folder(reading, self.act, join(self.folder, path.partition("[")[0]))
        if inside is None and not any(sign in path for sign in "*?["):
            because = f"{path}, which {where} installs, does not come from the build context"
            return why_no_context(reading) or Refused(because)
        if editable:
            self.made = self.made._replace(is_editable=True)
        elif inside and (context.is_dir(inside) is False or _is_library(reading, inside)):
            self.manifests[inside] = None
            return None
        told = f"`{'-e ' if editable else ''}{path}` ({where}) installs the project itself, from its sources"
        made = _from_sources(context, inside or "", self.made, told)
        if isinstance(made, Refused):
            return made
        self.needs += made.requirements
        self.made = made._replace(requirements=())
        return None


def _from_sources(context: BuildContext, folder: str, made: ReadInstall, told: str) -> ReadInstall | Refused:
    """With what the project in a folder of the context asks for, and reads when it is built."""
    from refactor.ecosystems.python.project import compiles, requires, what_it_reads
    from refactor.ecosystems.python.pyproject import read_pyproject

    project = read_pyproject(context, posixpath.join(folder, "pyproject.toml"))
    # A pyproject.toml may have nothing but [build-system]: then setup.py, or setup.cfg, asks for packages.
    known = None if isinstance(project, Unknown) or project.name is None else project
    declared = requires(context, folder) if known is None else known.dependencies
    if isinstance(declared, Unknown):
        return Refused(declared.reason, "list the dependencies in a requirements file")
    reads = what_it_reads(context, folder)
    return made._replace(
        requirements=declared,
        sources=f"{told}; {reads}" if reads else told,
        project=known or made.project,
        compiles=made.compiles or compiles(context, folder),
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


def _script(reading: StageReading, act: Act, folder: str) -> ReadInstall | Refused:
    """``python setup.py install``, or any other command of Python that is known to install."""
    if not any("setup.py" in arg for arg in act.command.args):
        return ReadInstall(act, (), folder=folder)
    found = _find(reading, act, folder, "setup.py")
    if isinstance(found, Refused):
        return found
    made = ReadInstall(act, (), folder=folder, is_editable="develop" in act.command.args)
    told = "`python setup.py` installs the project itself, from its sources"
    return _from_sources(reading.context, posixpath.dirname(found), made, told)


def _pipenv(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    from refactor.ecosystems.python.requirements import parse_requirement

    if call.packages:
        needs = [parse_requirement(expanded(reading, act.step, word.literal)) for word in call.packages]
        return ReadInstall(act, (), tuple(need for need in needs if need is not None), folder=folder)
    requirement_file = call.option("-r", "--requirements")
    pipfile = _find(reading, act, folder, requirement_file or "Pipfile")
    if isinstance(pipfile, Refused) or requirement_file is not None:
        return pipfile if isinstance(pipfile, Refused) else ReadInstall(act, (pipfile,), folder=folder)
    data = reading.context.toml(pipfile)
    if isinstance(data, Unknown):
        return Refused(data.reason)
    needs = []
    for name, value in table(table(data).get("packages")).items():
        if isinstance(value, dict) and ("path" in value or value.get("editable")):
            return ReadInstall(act, (pipfile,), (), (), f"Pipfile installs {name} from the sources", True, None, folder)
        git = value.get("git") if isinstance(value, dict) else None
        needs.append(parse_requirement(name if git is None else f"{name} @ git+{git}"))
    manifests = (pipfile, *_existing(reading, act, folder, ("Pipfile.lock",)))
    return ReadInstall(act, manifests, tuple(need for need in needs if need is not None), folder=folder)


def _locked_project(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    from refactor.ecosystems.python.lockfiles import read_lock
    from refactor.ecosystems.python.project import compiles
    from refactor.ecosystems.python.pyproject import read_pyproject
    from refactor.ecosystems.python.requirements import parse_requirement

    where = call.option("-C", "--directory", "-P", "--project", "-p")
    folder = folder if where is None else join(folder, expanded(reading, act.step, where))
    manifest = _find(reading, act, folder, "pyproject.toml")
    if isinstance(manifest, Refused):
        return manifest
    context = reading.context
    project = read_pyproject(context, manifest)
    if isinstance(project, Unknown):
        return Refused(project.reason)
    name, more, skips = _LOCKS[call.manager]
    locks = _existing(reading, act, folder, (name,))
    locked = read_lock(context, locks[0]) if locks else ()
    if isinstance(locked, Unknown):
        return Refused(locked.reason)
    added = (parse_requirement(expanded(reading, act.step, word.literal)) for word in call.packages)
    needs = (*project.dependencies, *(need for need in added if need is not None))
    sources: str | None = None
    local = (*project.local_paths, *(need.path for need in locked if need.source == "path" and need.path is not None))
    if local:
        sources = f"{manifest} takes {local[0]} from a local folder"
    elif project.is_package and not call.has(*skips) and not call.has("--only-root"):
        sources = f"`{call.program} {call.verb}` also installs the project itself, from its sources"
        reads = [name for name in project.reads if context.exists(name) is True]
        sources += f"; it reads {' and '.join(reads)}" if reads else ""
    compiled = compiles(context, project.folder) if sources is not None else None
    manifests = (manifest, *locks, *_existing(reading, act, folder, more))
    return ReadInstall(act, manifests, needs, locked, sources, sources is not None, project, folder, compiled)


__all__ = ["ReadInstall", "all_installs", "install_of", "project_folder", "read_installs"]
