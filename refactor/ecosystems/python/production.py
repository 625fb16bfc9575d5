"""Installations without what only development needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.needs import sources
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action, distribution_name
from refactor.ecosystems.system import programs_started
from refactor.flow.reading import Refused, StageReading, Step
from refactor.images import pypi
from refactor.shell import PackageCall

if TYPE_CHECKING:
    from refactor.context.python_manifests import Pyproject


def production_installs(reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    stage = PythonStage.of(reading)
    for read in read_installs(stage):
        if isinstance(read, ReadInstall):
            yield from production(stage, read)


def production(stage: PythonStage, install: ReadInstall) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """New text for an installation of poetry, uv, pdm or pipenv, where nothing needs the development
    dependencies.
    """
    call = install.call
    if call is None or call.manager not in {"poetry", "uv", "pdm", "pipenv"}:
        return
    if call.manager == "uv" and call.verb.startswith("pip"):
        return
    if call.action not in {"install", "sync"} or call.packages:
        return
    flag = _flag(stage, call)
    if flag is None:
        return
    development = _development(stage.reading.context, install)
    if not development:
        return
    need = _why_needed(stage, development)
    if need is not None:
        yield install.act.step, need
        return
    text = command_text(install)
    where = install.manifests[0]
    if call.manager == "pipenv":
        renewed = re.sub(r"\s+(?:--dev|-d)(?=\s|$)", "", text)
    else:
        renewed = f"{text} {flag}"
    yield Rewrite(
        install.act.step,
        install.act.command,
        renewed,
        (f"{', '.join(sorted(development)[:6])} of {where} {'is' if len(development) == 1 else 'are'} for development "
         "only, and nothing that runs imports it",),
    )  # fmt: skip


def command_text(install: ReadInstall) -> str:
    step, span = install.act.step, install.act.command.span
    text = step.script.text if step.script is not None else step.node.argument
    return text[span[0] : span[1]].strip()


def _flag(stage: PythonStage, call: PackageCall) -> str | None:
    if call.manager == "poetry":
        if call.has("--only", "--without", "--with", "--no-dev", "--all-groups", "--only-root"):
            return None
        version = poetry_version(stage)
        return "--no-dev" if version is not None and version < (1, 2) else "--only main"
    if call.manager == "uv":
        chosen = call.has("--no-dev", "--dev", "--group", "--only-group", "--all-groups", "--no-default-groups")
        return None if chosen or "UV_NO_DEV" in stage.reading.variables else "--no-dev"
    if call.manager == "pdm":
        return None if call.has("--prod", "--production", "-G", "--group", "--dev", "-d", "--without") else "--prod"
    return "" if call.has("--dev", "-d") else None


def poetry_version(stage: PythonStage) -> tuple[int, int] | None:
    """Major and minor version of the Poetry that the stage installs, None where it is the newest."""
    words = (
        stage.expanded(act.step, word.literal)
        for act in stage.acts
        if act.action in {Action.TOOL, Action.INSTALL} and act.call is not None
        for word in act.call.packages
    )
    pins = (re.search(r"==\s*([0-9][\w.]*)", text) for text in words if distribution_name(text) == "poetry")
    version = next((pin[1] for pin in pins if pin is not None), stage.reading.variables.get("POETRY_VERSION"))
    found = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None


def _development(context: BuildContext, install: ReadInstall) -> frozenset[str]:
    """Distributions that only the development groups ask for."""
    call = install.call
    if call is not None and call.manager == "pipenv":
        data = context.toml(install.manifests[0]) if install.manifests else None
        table = data.get("dev-packages") if isinstance(data, dict) else None
        main = data.get("packages") if isinstance(data, dict) else None
        if not isinstance(table, dict):
            return frozenset()
        return frozenset(map(distribution_name, table)) - frozenset(
            map(distribution_name, main if isinstance(main, dict) else ())
        )
    project = install.project
    if project is None:
        return frozenset()
    return _groups(project) - project.names


def _groups(project: Pyproject) -> frozenset[str]:
    return frozenset(need.name for group in project.groups.values() for need in group if need.name)


def _why_needed(stage: PythonStage, development: frozenset[str]) -> Refused | None:
    """A development dependency that a step of the build, the start command or the sources use."""
    reading = stage.reading
    for step in reading.runs:
        for command in step.commands:
            words = {(command.name or "").rpartition("/")[2], *command.args[:3]}
            used = sorted(words & development)
            if used:
                return Refused(f"line {stage.line(step)} runs {used[0]}, a development dependency")
    last = StageReading.of(reading.file, reading.file.stages[-1], reading.context) if reading.file.stages else reading
    start = last.start
    for program, where in programs_started(last).items():
        if program in {"uv", "uvx"}:
            return Refused(
                f"{where} calls uv, which installs the development dependencies again when it starts",
                "set UV_NO_DEV=1, or start the program itself",
            )
    if start is not None:
        words = set(start.argv) | set((start.script.text if start.script else "").split())
        used = sorted({word.rpartition("/")[2] for word in words} & development)
        if used:
            return Refused(f"the start command runs {used[0]}, a development dependency")
    imported = _imported(reading.context, frozenset(development))
    if isinstance(imported, Unknown):
        return Refused(f"whether the program imports a development dependency is not known: {imported.reason}")
    if imported is not None:
        name, where = imported
        return Refused(f"{where} imports {name}, a development dependency", "move it to the run-time dependencies")
    return None


_IMPORT = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_][\w]*(?:\s*,\s*[A-Za-z_]\w*)*)", re.MULTILINE)


def _imported(context: BuildContext, development: frozenset[str]) -> tuple[str, str] | Unknown | None:
    modules = {pypi.IMPORT_NAMES.get(name, name.replace("-", "_")): name for name in development}
    files = sources(context)
    if isinstance(files, Unknown):
        return files
    for path in files:
        data = context.read_bytes(path)
        if isinstance(data, Unknown):
            return data
        text = data.decode("utf-8", "replace")
        for match in _IMPORT.finditer(text):
            for module in re.split(r"\s*,\s*", match[1]):
                if module in modules:
                    return modules[module], f"{path}:{text.count(chr(10), 0, match.start(1)) + 1}"
    return None
