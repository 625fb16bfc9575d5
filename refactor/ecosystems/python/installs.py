"""What each installation of a Python stage reads, whether it needs the project's sources, and what of it can come
before them: dependencies by the project's metadata alone, or by what poetry, uv and pdm install without it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.python.lockfiles import LockedDistribution, read_lock
from refactor.ecosystems.python.project import compiles, metadata, requires, what_it_reads
from refactor.ecosystems.python.pyproject import Pyproject, read_pyproject
from refactor.ecosystems.python.requirements import Requirement, parse_requirement, read_requirements
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Act, Action, expanded
from refactor.flow.closure import why_no_context
from refactor.flow.graph import binds
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.shell import PackageCall

_MARKER = r"(implementation_name|python_implementation|sys_platform|platform_system|os_name)\s*(==|!=)\s*[\"'](\w+)"
_LOCKS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "poetry": ("poetry.lock", ("poetry.toml",), ("--no-root",)),
    "uv": ("uv.lock", ("uv.toml", ".python-version"), ("--no-install-project", "--no-install-workspace")),
    "pipenv": ("Pipfile.lock", (), ()),
    "pdm": ("pdm.lock", ("pdm.toml", ".pdm.toml", ".python-version"), ("--no-self", "--no-isolation-self")),
}
"""Tool -> its lockfile (Pipenv's names no files), others that it reads, options that leave the project itself out."""


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

    @property
    def without_project(self) -> str:
        """The option that leaves the project itself out; "" where the tool has none."""
        is_own = self.call is not None and not self.call.verb.startswith("pip")
        options = _LOCKS[self.call.manager][2] if self.call is not None and self.call.manager in _LOCKS else ()
        return options[0] if is_own and options else ""


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
    return _locked_project(reading, act, call, folder)


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
        steps += [(partial(self._word, is_editable=True), path) for path in call.values("-e", "--editable")]
        refused = next((one for take, text in steps if (one := take(text)) is not None), None)
        refused = refused or next((one for local in self.local if (one := self._project(*local)) is not None), None)
        return refused or self.made._replace(manifests=tuple(self.manifests), requirements=tuple(self.needs))

    def _file(self, path: str, *, is_pins: bool = False) -> Refused | None:
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

    def _word(self, word: str, *, is_editable: bool = False) -> Refused | None:
        written = expanded(self.reading, self.act.step, word)
        if "$(" in written or "`" in written:
            return Refused(f"what line {self.line} installs is the output of a command: {word[:60]}")
        # A version that a build argument fills in still names the package.
        need = parse_requirement(written) or parse_requirement(written.split("$")[0].rstrip("=<>!~[ "))
        if is_editable and (need is None or need.url is None):
            self.local.append((written, f"line {self.line}", True))
            return None
        if need is None:
            return Refused(f"{word} on line {self.line} is no requirement that pip knows")
        self.needs.append(need)
        self.local += [] if need.path is None else [(need.path, f"line {self.line}", False)]
        return None

    def _project(self, path: str, where: str, editable: bool) -> Refused | None:
        """A project that is installed from its sources, or a package in a folder of its own."""
        reading, context = self.reading, self.reading.context
        inside = _project_folder(reading, self.act, join(self.folder, path.partition("[")[0]))
        if inside is None and not any(sign in path for sign in "*?["):
            because = f"{path}, which {where} installs, does not come from the build context"
            return why_no_context(reading) or Refused(because)
        if editable:
            self.made = self.made._replace(is_editable=True)
        elif inside and context.is_dir(inside) is False:
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


def _project_folder(reading: StageReading, act: Act, place: str) -> str | None:
    """The context folder whose copy, or whose metadata, are at the absolute image path ``place``."""
    found = reading.in_context(place, act.step.node)
    for name in () if found is not None else ("pyproject.toml", "setup.py"):
        manifest = reading.in_context(join(place, name), act.step.node)
        if manifest is not None and posixpath.basename(manifest) == name:
            return posixpath.dirname(manifest)
    return found


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


def _locked_project(reading: StageReading, act: Act, call: PackageCall, folder: str) -> ReadInstall | Refused:
    where = call.option("-C", "--directory", "-P", "--project", "-p")
    folder = folder if where is None else join(folder, expanded(reading, act.step, where))
    manifest = _find(reading, act, folder, "Pipfile" if call.manager == "pipenv" else "pyproject.toml")
    if isinstance(manifest, Refused):
        return manifest
    context = reading.context
    project = read_pyproject(context, manifest)
    if isinstance(project, Unknown):
        return Refused(project.reason)
    name, more, skips = _LOCKS[call.manager]
    locks = _existing(reading, act, folder, (name,))
    locked = read_lock(context, locks[0]) if locks and call.manager != "pipenv" else ()
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
    compiled = compiles(context, posixpath.dirname(manifest)) if sources is not None else None
    manifests = (manifest, *locks, *_existing(reading, act, folder, more))
    return ReadInstall(act, manifests, needs, locked, sources, sources is not None, project, folder, compiled)


# What can come before the sources

_FOR_INSTALLS = frozenset({Action.SYSTEM, Action.TOOL, Action.UPGRADE, Action.VENV, Action.MAINTENANCE, Action.NEUTRAL})
_LIST = "list the dependencies in a requirements file and install that first"


def installed(reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
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
    if read.call is None or not read.without_project:
        return _LIST
    command = f"{read.call.program} {read.call.verb} {read.without_project}"
    return f"install the dependencies alone first (`{command}`), the project after the sources"


def _without_project(stage: PythonStage, read: ReadInstall) -> Install | None:
    """Dependencies first, then the sources and the project itself: what poetry, uv and pdm can do."""
    act, project = read.act, read.project
    is_local = any(one.source == "path" for one in read.locked) or project is None or bool(project.local_paths)
    if is_local or act.call is None or act.call.packages:
        return None
    *before, last = stage.acts_of(act.step)
    if last.command is not act.command or any(one.action not in _FOR_INSTALLS for one in before):
        return None
    option = read.without_project
    why = f"{read.sources}: {option} leaves it out, so that an edit of the sources repeats only that"
    text = f"{read.act.text} {option}"
    return Install(act.step, (act.command,), read.folder, read.manifests, (why,), from_manifests=text)


def _dependencies_first(stage: PythonStage, read: ReadInstall) -> Install | tuple[Step, Refused] | None:
    """For ``pip install .`` and ``pip install -e .``: the same from the project's metadata alone, which can come before
    the sources; why not; for poetry, uv and pdm without the project; None for other tools."""
    act, command, reading = read.act, read.act.command, stage.reading
    if read.without_project:
        return _without_project(stage, read)
    if read.call is None or read.call.manager != "pip" or act.folder is None:
        return None
    words = [word.text for word in command.words]
    local = [word for word in words if re.fullmatch(r"""["']?\.(?:\[[\w,.-]+\])?["']?""", word)]
    inside = _project_folder(reading, act, act.folder)
    if len(local) != 1 or inside is None or command.assignments or command.wrappers or command.redirects:
        return None
    if read.compiles is not None:
        return act.step, Refused(f"{read.sources}, and {read.compiles}", "list the dependencies in a requirements file")
    answer = metadata(reading.context, inside)
    if isinstance(answer, Unknown):
        return act.step, Refused(f"{read.sources}, and {answer.reason}", _LIST)
    files, folders = answer
    made = f"mkdir -p {' '.join(folders)} && " if folders else ""
    text = made + " ".join(word for word in words if word not in {"-e", "--editable"})
    manifests = tuple(dict.fromkeys((*files, *read.manifests)))
    names = ", ".join(manifests)
    evidence = (f"setuptools takes the dependencies from {names}, and finds no package before the sources are there",)
    return Install(act.step, (), act.folder, manifests, evidence, text)


__all__ = ["ReadInstall", "all_installs", "install_of", "installed", "read_installs"]
