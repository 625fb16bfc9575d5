"""Installations without what only development needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.sources import in_sources
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import MANAGERS, Action, distribution_name, expanded
from refactor.flow.reading import Refused, StageReading, Step
from refactor.images import pypi
from refactor.shell import PackageCall

_IMPORT = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_][\w]*(?:\s*,\s*[A-Za-z_]\w*)*)", re.MULTILINE)


def production_install(reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    if reading.context.why_unknown is not None or reading.managers.isdisjoint(MANAGERS - {"pip"}):
        return
    stage = PythonStage.of(reading)
    for read in read_installs(stage):
        flag = _flag(stage, read.call) if isinstance(read, ReadInstall) and read.call is not None else None
        if flag is None or not isinstance(read, ReadInstall):
            continue
        development = _development(read)
        need = _why_needed(stage, development) if development else None
        if need is not None:
            yield read.act.step, need
        elif development:
            text = f"{read.act.text} {flag}" if flag else re.sub(r"\s+(?:--dev|-d)(?=\s|$)", "", read.act.text)
            named, are = ", ".join(sorted(development)[:6]), "is" if len(development) == 1 else "are"
            why = f"{named} of {read.manifests[0]} {are} for development only, and nothing that runs imports it"
            yield Rewrite(read.act.step, read.act.command, text, (why,))


def _flag(stage: PythonStage, call: PackageCall) -> str | None:
    """What leaves the development dependencies out; "" where only an option has to go, None where neither is so."""
    if call.action not in {"install", "sync"} or call.packages or call.verb.startswith("pip"):
        return None
    if call.manager == "poetry":
        if call.has("--only", "--without", "--with", "--no-dev", "--all-groups", "--only-root"):
            return None
        version = poetry_version(stage)
        return "--no-dev" if version is not None and version < (1, 2) else "--only main"
    if call.manager == "uv":
        chosen = call.has("--no-dev", "--dev", "--group", "--only-group", "--all-groups", "--no-default-groups")
        return None if chosen or "UV_NO_DEV" in stage.reading.environment else "--no-dev"
    if call.manager == "pdm":
        return None if call.has("--prod", "--production", "-G", "--group", "--dev", "-d", "--without") else "--prod"
    return "" if call.manager == "pipenv" and call.has("--dev", "-d") else None


def poetry_version(stage: PythonStage) -> tuple[int, int] | None:
    """Major and minor version of the Poetry that the stage installs, None where it is the newest."""
    words = (
        expanded(stage.reading, act.step, word.literal)
        for act in stage.acts
        if act.action in {Action.TOOL, Action.INSTALL} and act.call is not None
        for word in act.call.packages
    )
    pins = (re.search(r"==\s*([0-9][\w.]*)", text) for text in words if distribution_name(text) == "poetry")
    version = next((pin[1] for pin in pins if pin is not None), stage.reading.environment.get("POETRY_VERSION"))
    found = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None


def _development(install: ReadInstall) -> frozenset[str]:
    """Distributions that only the development groups ask for."""
    if install.project is None:
        return frozenset()
    needs = (need for group in install.project.groups.values() for need in group)
    return frozenset(need.name for need in needs if need.name) - {need.name for need in install.project.dependencies}


def _why_needed(stage: PythonStage, development: frozenset[str]) -> Refused | None:
    """A development dependency that a step of the build, the start command or the sources use."""
    reading = stage.reading
    places = [
        (f"line {stage.line(step)}", [command.name or "", *command.args[:3]])
        for other in _with_its_packages(reading)
        for step in other.runs
        for command in step.commands
    ]
    last = StageReading.of(reading.file, reading.file.stages[-1], reading.context)
    if last.start is not None:
        script = last.start.script.text if last.start.script else ""
        places.append(("the start command", [*last.start.argv, *script.split()]))
    for where, words in places:
        used = sorted({word.rpartition("/")[2] for word in words} & development)
        if used:
            return Refused(f"{where} runs {used[0]}, a development dependency")
    started = programs_started(last)
    tool = next((program for program in ("uv", "uvx") if program in started), None)
    if tool is not None:
        because = f"{started[tool]} calls uv, which installs the development dependencies again when it starts"
        return Refused(because, "set UV_NO_DEV=1, or start the program itself")
    modules = {pypi.IMPORT_NAMES.get(name, name.replace("-", "_")): name for name in development}
    imports = in_sources(reading.context, _IMPORT)
    if isinstance(imports, Unknown):
        return Refused(f"whether the program imports a development dependency is not known: {imports.reason}")
    for names, where in imports:
        found = next((modules[name] for name in re.split(r"\s*,\s*", names) if name in modules), None)
        if found is not None:
            because = f"{where} imports {found}, a development dependency"
            return Refused(because, "move it to the run-time dependencies")
    return None


def _with_its_packages(reading: StageReading) -> Iterator[StageReading]:
    """The stage, and those that copy out of it or are built from it."""
    for stage in reading.file.stages[reading.stage.index :]:
        other = StageReading.of(reading.file, stage, reading.context)
        origins = (other.parent, *(origin.stage for _, origin in other.copies_of_stages))
        if stage is reading.stage or reading.stage in origins:
            yield other
