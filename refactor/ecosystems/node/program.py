"""The sources of what a container starts with Node: found and read; else nothing is known."""

from __future__ import annotations

from refactor.context import Unknown
from refactor.ecosystems.node.bun import starts_itself
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.needs import FRONT_ENDS, STATIC_SERVERS, WATCHERS, Started, is_front_end, start_of
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, Programs, Ran, owner
from refactor.ecosystems.node.sources import MAX_CHARACTERS, graph, resolve_path
from refactor.flow.places import origins
from refactor.flow.reading import Refused, StageReading

_OTHER_FOLDER = "check the path, or name the folder that is built from with --context"


def program(reading: StageReading) -> tuple[str, ...] | Refused:
    """See :meth:`Ecosystem.program`. Of a front end that is only served: its package.json."""
    start = start_of(reading)
    if isinstance(start, Refused):
        return start
    unit = start.unit
    compiled = {ran for ran in start.runs if starts_itself(start.layout, ran) is not None}
    if not compiled and not any(is_of_node(unit, ran) for ran in start.runs):
        return ()
    missing = _why_missing(start)
    if missing is not None:
        return missing
    if unit is None:
        files = tuple(path for _, place in start.entries() if (path := start.layout.source(place)) is not None)
        if files:
            files = graph(reading.context, files).files
    elif is_front_end(start):
        return (unit.package.path,)
    else:
        server = start.server
        if isinstance(server, Refused):
            return server
        files = server.files
        if not files and any(ran.program in {"node", "nodejs", *MANAGERS} for ran in start.runs):
            return Refused(f"no source of the project {unit.package.path} is in the build context", _OTHER_FOLDER)
    for path in files:
        text = reading.context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"a source of the program cannot be read: {text.reason}")
        if len(text) > MAX_CHARACTERS or "\0" in text:
            return Refused(f"{path}, a source of the program, is too large to be searched, or is no text")
    return tuple(files)


_OWN = frozenset({"node", "nodejs", "pm2", "pm2-runtime", "pm2-docker", "forever", *MANAGERS, *WATCHERS})
_OWN |= STATIC_SERVERS | FRONT_ENDS


def is_of_node(unit: Unit | None, ran: Ran) -> bool:
    """The program is Node or Bun itself, a tool of Node's, or comes with a dependency of the project."""
    name = ran.program.split(" ")[0]
    return name in _OWN or (unit is not None and owner(name, unit.package) is not None)


def _why_missing(start: Started) -> Refused | None:
    """A started file, or a file that it imports, that is not in the context and that no build of the image makes."""
    layout = start.layout
    entries = []
    for ran, place in start.entries():
        source = layout.source(place)
        found = resolve_path(layout.context, source) if source is not None else None
        for ending in () if found is not None else (".js", ".mjs", ".cjs", ".json", ".ts", "/index.js"):
            source = layout.source(place + ending)
            found = found or source
        if found is not None:
            entries.append(found)
        elif not _is_built(layout):
            return Refused(f"{place}, which {ran.shown} starts, was not found in the build context", _OTHER_FOLDER)
    missing = graph(layout.context, entries).missing
    sources = [
        one for one in missing if one.endswith((".js", ".mjs", ".cjs", ".ts")) or "." not in one.rpartition("/")[2]
    ]
    if sources and not _is_built(layout):
        path, _, module = sources[0].partition(": ")
        return Refused(f"{path} imports {module}, which was not found in the build context", _OTHER_FOLDER)
    return None


def _is_built(layout: Layout) -> bool:
    """A RUN of the stage, or of one that its files come from, runs more than installations."""
    quiet = {f"{manager} {action}" for manager in MANAGERS for action in INSTALLING}
    for reading in origins(layout.reading):
        programs = Programs(Layout.of(reading))
        for step in reading.runs:
            if step.script is None or any(ran.program not in quiet for _, ran in programs.of_step(step)):
                return True
    return False


__all__ = ["is_of_node", "program"]
