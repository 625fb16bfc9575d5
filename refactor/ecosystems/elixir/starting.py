"""`mix phx.server` and `mix run --no-halt` as CMD: a release of the same project is built once and started.

A release evaluates config/config.exs when it is built, and holds no mix: so neither may be asked for when it runs.
Source: hexdocs.pm/mix (mix release, "Application configuration"), hexdocs.pm/phoenix ("Deploying with Releases").
"""

from __future__ import annotations

import re

from refactor.context import Unknown
from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.elixir import BUILD
from refactor.ecosystems.elixir.mix import Project, config_files, without_comments
from refactor.ecosystems.elixir.tools import project_of
from refactor.ecosystems.own_start import own_start
from refactor.flow.reading import Refused, StageReading

_STARTS = (("phx.server",), ("phx.server", "--no-halt"), ("run", "--no-halt"))


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start = own_start(reading, "mix", "needs Elixir, the sources and the compiler when it starts")
    call = None if start is None else start.call()
    if start is None or call is None or start.argv[1:] not in _STARTS:
        return None
    project = project_of(call)
    if isinstance(project, Unknown):
        return start.refused(f"its project is not known: {project.reason}", BUILD)
    name = project.release
    if not name or project.releases.get(name) not in ([], {"include_executables_for": ["unix"]}):
        return start.refused(f"{project.path} does not say which release that would be", BUILD)
    refused = _why_other(reading, project, start.argv[1] == "phx.server")
    if refused is not None:
        return start.refused(refused.because, refused.hint or BUILD)
    program = f"_build/prod/rel/{name}/bin/{name}"
    words = (program, "start") if start.argv[1] == "run" else ("env", "PHX_SERVER=true", program, "start")
    return start.built("mix release", words, program, "config/config.exs asks for nothing of the running container")


def _why_other(reading: StageReading, project: Project, is_phoenix: bool) -> Refused | None:
    """What a release would do in another way than mix."""
    context, env = reading.context, reading.environment.get("MIX_ENV")
    if env != "prod":
        return Refused(f"MIX_ENV is {env or 'not set'}, so that it runs in development", "set ENV MIX_ENV=prod")
    runtime = context.read(project.inside("config/runtime.exs"))
    if isinstance(runtime, Unknown) and (is_phoenix or context.exists(project.inside("config")) is not False):
        return Refused("there is no config/runtime.exs, which a release reads when it starts", "add one")
    if is_phoenix and not re.search(r"PHX_SERVER|\bserver:\s*true", str(runtime)):
        return Refused("config/runtime.exs does not start the server of a release", "set `server: true` there")
    for path in config_files(context, project, "prod"):
        why = path.reason if isinstance(path, Unknown) else f"{path} asks for what only the running container has"
        if isinstance(path, Unknown) or re.search(r"\bSystem\.", without_comments(context.text(path))):
            return Refused(f"{why}, which a release would build in", "ask for it in config/runtime.exs")
    sources = context.files(project.inside("."), without=("deps", "_build", "node_modules", "test", "assets", "config"))
    for path in () if isinstance(sources, Unknown) else sources:
        text = context.read(path) if path.endswith(".ex") and "/mix/tasks/" not in path else ""
        if isinstance(text, str) and re.search(r"(?<!\w)Mix\.", without_comments(text)):
            return Refused(f"{path} calls Mix, which a release does not have", "use Application.get_env")
    built = [path for path in ("_build", "rel/env.sh.eex") if context.exists(project.inside(path)) is not False]
    return Refused(f"{built[0]} is in the build context already") if built else None
