"""Programs that are started through a build tool (``poetry run uvicorn``), started by themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.ecosystems import system
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.flow.reading import Refused
from refactor.shell import Command, read
from refactor.syntax import Instruction

_TOOLS = frozenset({"poetry", "pipenv", "pdm"})
"""Their ``run`` only puts the environment on PATH. ``uv run`` brings the environment up to date first."""
_ALL_TOOLS = _TOOLS | {"uv", "uvx", "hatch"}


def started_directly(stage: PythonStage, installs: Sequence[ReadInstall]) -> dict[Instruction, str] | Refused:
    """New texts of the CMD, ENTRYPOINT and RUN that start a program through a tool which the runner will not have.

    Sound where the tool does nothing but set PATH (the documentation of ``poetry run``, ``pipenv run`` and
    ``pdm run``): not for a script of the manifest, not where pipenv loads a ``.env`` file, not with options.
    """
    tools = frozenset(stage.tools)
    found: dict[Instruction, str] = {}
    reading = stage.reading
    nodes = reading.start.nodes if reading.start is not None else ()
    for node in nodes:
        line = f"{node.keyword} on line {reading.file.line_of(node)}"
        words = node.json
        if words is not None:
            if words and words[0] in _ALL_TOOLS & _with_uvx(tools):
                reason = _why_not(stage, installs, list(words), line)
                if reason is not None:
                    return reason
                found[node] = f"{node.keyword} {json.dumps(list(words[2:]), ensure_ascii=False)}"
            continue
        text = _without(stage, installs, node.argument, read(node.argument).commands, tools, line)
        if isinstance(text, Refused):
            return text
        if text is not None:
            found[node] = f"{node.keyword} {laid_out(text)}"
    for step in reading.runs:
        if step.node.json is not None or not any(act.action is Action.PROGRAM for act in stage.acts_of(step)):
            continue
        text = _without(stage, installs, step.node.argument, step.commands, tools, f"line {stage.line(step)}")
        if isinstance(text, Refused):
            return text
        if text is not None:
            found[step.node] = f"RUN {''.join(f'{flag.text} ' for flag in step.node.flags)}{laid_out(text)}"
    return _why_elsewhere(stage, tools, found) or found


def laid_out(text: str) -> str:
    """A list of commands joined by ``&&``, one to a line where it was written over several lines."""
    script = read(text)
    if "  " not in text or not script.is_and_list or len(script.top) < 2 or "\n" in text:
        return text
    pieces = [text[item.span[0] : item.span[1]].strip() for item in script.top]
    return " \\\n    && ".join(
        " ".join(part.split()) if "'" not in part and '"' not in part else part for part in pieces
    )


def _with_uvx(tools: frozenset[str]) -> frozenset[str]:
    return tools | {"uvx"} if "uv" in tools else tools


def _without(
    stage: PythonStage,
    installs: Sequence[ReadInstall],
    text: str,
    commands: Sequence[Command],
    tools: frozenset[str],
    where: str,
) -> str | Refused | None:
    changed = None
    for command in sorted(commands, key=lambda one: one.span, reverse=True):
        if command.name not in _ALL_TOOLS & _with_uvx(tools) or not command.words:
            continue
        words = [word.literal for word in command.words]
        if words[1:2] != ["run"] and where.startswith("line"):
            continue
        reason = _why_not(stage, installs, words, where)
        if reason is not None:
            return reason
        changed = changed if changed is not None else text
        changed = changed[: command.words[0].span[0]] + changed[command.words[2].span[0] :]
    return changed


def _why_not(stage: PythonStage, installs: Sequence[ReadInstall], words: list[str], where: str) -> Refused | None:
    tool = words[0]
    hint = "start the program itself (`uvicorn ...` in place of `poetry run uvicorn ...`)"
    if tool not in _TOOLS or words[1:2] != ["run"]:
        return Refused(f"{where} calls {tool}, so the runner needs it as well", hint)
    if len(words) < 3 or words[2].startswith("-"):
        return Refused(f"{where} calls {tool} with options of its own, so the runner needs it as well", hint)
    context = stage.reading.context
    for install in installs:
        scripts = frozenset(install.project.scripts) if install.project is not None else frozenset[str]()
        if install.call is not None and install.call.manager == "pipenv":
            data = context.toml(install.manifests[0]) if install.manifests else None
            table = data.get("scripts") if isinstance(data, dict) else None
            scripts |= frozenset(table if isinstance(table, dict) else ())
        if install.project is not None and tool == "pdm":
            settings = install.project.data.get("tool")
            pdm = settings.get("pdm") if isinstance(settings, dict) else None
            table = pdm.get("scripts") if isinstance(pdm, dict) else None
            scripts |= frozenset(table if isinstance(table, dict) else ())
        is_installed = install.sources is not None and words[2] in (install.project.scripts if install.project else ())
        if words[2] in scripts and not is_installed:
            return Refused(
                f"{where} calls {tool} for the script {words[2]} of the manifest, so the runner needs it", hint
            )
    if tool == "pipenv" and context.exists(".env") is True:
        return Refused(f"{where} calls pipenv, which also loads .env, so the runner needs it as well", hint)
    return None


def _why_elsewhere(stage: PythonStage, tools: frozenset[str], changed: dict[Instruction, str]) -> Refused | None:
    """A health check, a script or a Compose file that calls the tool too."""
    reading = stage.reading
    health = reading.last("HEALTHCHECK")
    names = _ALL_TOOLS & _with_uvx(tools)
    if health is not None and names & set(health.argument.replace('"', " ").replace(",", " ").split()):
        return Refused(
            f"HEALTHCHECK on line {reading.file.line_of(health)} calls a build tool, which the runner has not"
        )
    if changed:
        files = reading.context.files(without=NOT_SOURCES)
        for path in files if not isinstance(files, Unknown) else ():
            if path.endswith((".sh", "Procfile", ".conf")):
                text = reading.context.read(path)
                used = next((tool for tool in sorted(names) if isinstance(text, str) and f"{tool} run" in text), None)
                if used is not None:
                    return Refused(f"{path} calls {used}, so the runner needs it as well")
        return None
    for program, where in system.programs_started(reading).items():
        if program in names:
            return Refused(
                f"{where} calls {program}, so the runner needs it as well",
                "start the program itself (`uvicorn ...` in place of `poetry run uvicorn ...`)",
            )
    return None
