"""The installations of a stage as steps that can come before the sources: a project's dependencies by its metadata
alone, or by what poetry, uv and pdm install without it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.python.installs import ReadInstall, project_folder, read_installs
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.flow.reading import Refused, StageReading, Step

_WITHOUT_PROJECT = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}
"""Tool -> the option that leaves the project itself out."""
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
    from refactor.ecosystems.python.project import metadata

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


__all__ = ["installed"]
