"""Programs that are started through a build tool (``poetry run uvicorn``), started by themselves."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.context.tables import table
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.split import laid_out
from refactor.flow.reading import Refused, StageReading
from refactor.shell import read
from refactor.syntax import Instruction

_TOOLS = frozenset({"poetry", "pipenv", "pdm"})
"""Their ``run`` only puts the environment on PATH. ``uv run`` brings the environment up to date first."""
_ALL_TOOLS = _TOOLS | {"uv", "uvx", "hatch"}


_INSTEAD = "start the program itself (`uvicorn ...` in place of `poetry run uvicorn ...`)"


def started_directly(stage: PythonStage, installs: Sequence[ReadInstall]) -> dict[Instruction, str] | Refused:
    """New texts of the CMD, ENTRYPOINT and RUN that start a program through a tool which the runner will not have.

    Sound where the tool does nothing but set PATH (the documentation of ``poetry run``, ``pipenv run`` and
    ``pdm run``): not for a script of the manifest, not where pipenv loads a ``.env`` file, not with options.
    """
    reading = stage.reading
    tools = _ALL_TOOLS & frozenset(stage.tools) | (frozenset({"uvx"}) if "uv" in stage.tools else frozenset())
    found: dict[Instruction, str] = {}
    steps = (act.step.node for act in stage.acts if act.action is Action.PROGRAM)
    running = dict.fromkeys(node for node in steps if node.json is None)
    for node in (*(reading.start.nodes if reading.start is not None else ()), *running):
        is_run = node.keyword == "RUN"
        where = f"line {reading.file.line_of(node)}"
        where = where if is_run else f"{node.keyword} on {where}"
        words = node.json
        if words is not None:
            if words and words[0] in tools:
                reason = _why_not(stage, installs, words, where)
                if reason is not None:
                    return reason
                found[node] = f"{node.keyword} {json.dumps(list(words[2:]), ensure_ascii=False)}"
            continue
        text = node.argument
        for command in sorted(read(text).commands, key=lambda one: one.span, reverse=True):
            called = [word.literal for word in command.words]
            if command.name in tools and called and not (is_run and called[1:2] != ["run"]):
                reason = _why_not(stage, installs, called, where)
                if reason is not None:
                    return reason
                text = text[: command.words[0].span[0]] + text[command.words[2].span[0] :]
        if text != node.argument:
            found[node] = f"{node.keyword} {''.join(f'{flag.text} ' for flag in node.flags)}{laid_out(text)}"
    return _why_elsewhere(reading, tools, is_changed=bool(found)) or found


def _why_not(stage: PythonStage, installs: Sequence[ReadInstall], words: Sequence[str], where: str) -> Refused | None:
    tool = words[0]
    if tool not in _TOOLS or words[1:2] not in (["run"], ("run",)):
        return Refused(f"{where} calls {tool}, so the runner needs it as well", _INSTEAD)
    if len(words) < 3 or words[2].startswith("-"):
        return Refused(f"{where} calls {tool} with options of its own, so the runner needs it as well", _INSTEAD)
    for install in installs:
        own = install.project.scripts if install.project is not None else ()
        if words[2] in own and install.sources is not None:
            continue
        if words[2] in own or words[2] in _scripts(stage, install):
            because = f"{where} calls {tool} for the script {words[2]} of the manifest, so the runner needs it"
            return Refused(because, _INSTEAD)
    if tool == "pipenv" and stage.reading.context.exists(".env") is True:
        return Refused(f"{where} calls pipenv, which also loads .env, so the runner needs it as well", _INSTEAD)
    return None


def _scripts(stage: PythonStage, install: ReadInstall) -> Mapping[str, object]:
    """Those that pipenv and pdm know of a manifest."""
    if install.call is not None and install.call.manager == "pipenv":
        return table(
            table(stage.reading.context.toml(install.manifests[0]) if install.manifests else None).get("scripts")
        )
    tools = table(install.project.data.get("tool")) if install.project is not None else {}
    return table(table(tools.get("pdm")).get("scripts"))


def _why_elsewhere(reading: StageReading, tools: Collection[str], *, is_changed: bool) -> Refused | None:
    """A health check, a script or a Compose file that calls the tool too."""
    health = reading.last("HEALTHCHECK")
    if health is not None and not set(health.argument.replace('"', " ").replace(",", " ").split()).isdisjoint(tools):
        return Refused(
            f"HEALTHCHECK on line {reading.file.line_of(health)} calls a build tool, which the runner has not"
        )
    # Those that CMD and ENTRYPOINT call themselves are no more called then.
    calls = [] if is_changed else [(program, where) for program, where in programs_started(reading).items()]
    files = reading.context.files(without=NOT_SOURCES) if is_changed else ()
    for path in files if not isinstance(files, Unknown) else ():
        text = reading.context.text(path) if path.endswith((".sh", "Procfile", ".conf")) else ""
        calls += [(tool, path) for tool in sorted(tools) if f"{tool} run" in text]
    used = next(((tool, where) for tool, where in calls if tool in tools), None)
    return None if used is None else Refused(f"{used[1]} calls {used[0]}, so the runner needs it as well", _INSTEAD)


__all__ = ["started_directly"]
