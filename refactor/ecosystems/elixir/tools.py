"""What the tasks of mix read and write, and what of them comes before the sources.

Sources: hexdocs.pm/mix (mix deps.get, deps.compile, compile, release, do), hexdocs.pm/phoenix (mix phx.digest).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile

from refactor.context import Unknown
from refactor.context.tables import table
from refactor.ecosystems.answers import Install, ahead, why_not_ahead
from refactor.ecosystems.elixir.mix import Project, compiled, manifests, read_project, why_lock_moves
from refactor.ecosystems.table import Language
from refactor.flow.effects import Effect, Invocation, Path, together
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, join

_TOOLS = frozenset(
    "local.hex local.rebar local.public_keys archive.install hex.repo hex.organization hex.config"
    " help --version -v --help hex.info hex.outdated hex.audit deps.tree".split()
)
"""Tasks that set Hex and rebar3 up, in the home folder, or only say something."""
_FETCHES = frozenset({"deps.get", "deps.compile"})
"""Tasks that bring dependencies in, and read no source of the project."""
_BUILDS = (
    r"(?:deps\.)?clean|compile(?:\.\w+)?|app\.config|loadpaths|format|credo|test|dialyzer|sobelow|phx\.digest(?:\.clean)?|"
    r"docs|unused|(?:tailwind|esbuild|sass|bun)(?:\.install)?|sentry_recompile|sentry\.package_source_code|"
    r"gettext\.\w+|escript\.build"
)
_VALUED = frozenset({"--path", "--version"})
_MOVED = ("MIX_TARGET", "MIX_BUILD_PATH", "MIX_BUILD_ROOT", "MIX_DEPS_PATH", "MIX_EXS")
PLAINLY = "write mix.exs in plain lists"


def _listed(text: str) -> list[list[str]]:
    """``do deps.get, compile`` and ``do deps.get + compile`` -> the words of each task."""
    tasks = re.split(r",(?: |\Z)| \+ ", text.removeprefix("do ")) if text.startswith("do ") else [text]
    return [words for words in map(str.split, tasks) if words]


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    tasks = _tasks(call)
    return together([_effect(call, task) for task in tasks]) if tasks else None


def _tasks(call: Invocation) -> list[list[str]]:
    """The words of each task of a call of mix, without aliases where its project is known."""
    if call.name != "mix":
        return []
    tasks, project = _listed(" ".join(call.command.args)), project_of(call)
    return tasks if isinstance(project, Unknown) else list(_expanded(project.settings.get("aliases"), tasks))


def project_of(call: Invocation) -> Project | Unknown:
    """The project of the folder that a call works in."""
    moved = next((name for name in _MOVED if call.variable(name)), None)
    path = call.source("mix.exs")
    if moved is not None:
        return Unknown(f"{moved} moves where mix works")
    if path is None:
        return Unknown("its mix.exs is not copied from the build context")
    return read_project(call.reading.context, path)


def _expanded(aliases: object, tasks: Sequence[list[str]], seen: frozenset[str] = frozenset()) -> Iterator[list[str]]:
    """Tasks with the aliases of mix.exs in place. An alias may call the task whose name it has."""
    for task in tasks:
        meant = aliases if isinstance(aliases, Unknown) else table(aliases).get(task[0])
        if meant is None or task[0] in seen | _TOOLS:
            yield task
            continue
        for one in meant if isinstance(meant, list) else [meant]:
            if isinstance(one, str):
                yield from _expanded(aliases, _listed(one), seen | {task[0]})
            else:
                yield [f"{task[0]} (or its alias, which is no text)"]


def _environment(call: Invocation, project: Project) -> str | Unknown:
    named = call.variable("MIX_ENV")
    if named is not None:
        return call.expanded(named) or Unknown("MIX_ENV depends on a variable")
    if re.search(r"\bpreferred_(?:cli_env|envs)\b|\bdefault_env\b", project.text):
        return Unknown(f"{project.path} chooses the environment by task, and MIX_ENV is not set")
    return "dev"


def _effect(call: Invocation, task: Sequence[str]) -> Effect:
    name, *args = task
    if name in _TOOLS:
        # Fetched by name, whatever the project: as settings they may stand in front of it.
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    context, project = call.reading.context, project_of(call)
    if isinstance(project, Unknown):
        return Effect(call.paths("."), (project,))
    env = _environment(call, project)
    build = call.path(posixpath.join(project.setting("build_path", "_build"), env)) if isinstance(env, str) else env
    if name in {"deps.get", "deps.update", "deps.unlock", "deps"}:
        return Effect(_places(call, manifests(context, project)), call.paths("deps", "mix.lock"), needs=("network",))
    if name == "deps.compile":
        more = (env,) if isinstance(env, Unknown) else compiled(context, project, env)
        return Effect(_places(call, (*manifests(context, project), *more)), (build,), needs=("network",))
    if name == "release":
        return Effect(call.paths("."), (_released(call, project, args, build),))
    if re.fullmatch(_BUILDS, name):
        return Effect(call.paths("."), (build, *call.paths("priv")), needs=("network",))
    return Effect(call.paths("."), (Unknown(f"what the task `{' '.join(task)}` of mix writes is not known"),))


def _places(call: Invocation, paths: Iterable[str | Unknown]) -> tuple[Path, ...]:
    found = ((path,) if isinstance(path, Unknown) else call.places([path]) for path in paths)
    return tuple(place for places in found for place in places)


def _released(call: Invocation, project: Project, args: Sequence[str], build: Path) -> Path:
    """The folder of a release."""
    given = list(pairwise(("", *args)))
    name = next((word for before, word in given if not word.startswith("-") and before not in _VALUED), project.release)
    options = project.releases.get(name)
    if "distillery" in project.asked:
        return Unknown("Distillery makes the release, by settings of its own")
    if not name or not isinstance(options, dict | list):
        return Unknown(f"{project.path} does not say which release this is, or how it is made")
    named = dict(given).get("--path", table(options).get("path"))
    if named is None:
        return build if isinstance(build, Unknown) else join(build, f"rel/{name}")
    return call.path(named) if isinstance(named, str) else Unknown(f"where {project.path} puts {name} is no text")


# Before the sources


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`."""
    tasks = [(act, act.call, _tasks(act.call)) for act in language.acts(reading) if act.call is not None]
    fetching = [one for one in tasks if any(task[0] in _FETCHES for task in one[2])]
    for act, call, own in fetching:
        project, context = project_of(call), reading.context
        if isinstance(project, Unknown):
            because = f"what `{act.text}` reads is not known: {project.reason}"
            yield act.step.step, Refused(because, PLAINLY)
            return
        folders, moves = map(project.inside, ("deps", "_build")), why_lock_moves(context, project)
        refused = why_not_ahead(context, folders, moves, "mix deps.get", project.lock)
        if refused is not None:
            yield act.step.step, refused
            return
        head = list(takewhile(lambda task: task[0] in _FETCHES | _TOOLS, own))
        if act is fetching[0][0] and len(head) < len(own) and any(task[0] in _FETCHES for task in head):
            yield from _ahead(language, act, call, head)
            return
    yield from Language.installed(language, reading)


def _ahead(
    language: Language, act: Act, call: Invocation, head: Sequence[Sequence[str]]
) -> Iterator[Install | tuple[Step, Refused]]:
    """The first tasks of a `mix do`, in a command of their own in front of it."""
    before = act.step.acts[: act.step.acts.index(act)]
    if any(one.effect.by != act.effect.by for one in before):
        because = f"`{act.text}` shares its RUN with what comes before it, which it may need"
        yield act.step.step, Refused(because, "give it a RUN of its own")
        return
    effects = [*(one.effect for one in before), *(_effect(call, task) for task in head)]
    found = language.manifests_of(act, together(effects).reads)
    if isinstance(found, Refused):
        yield act.step.step, found
    elif not any(map(call.reading.context.is_dir, found)):
        given = "".join(f"{name}={word.text} " for name, word in call.command.assignments)
        commands = [*(one.text for one in before), *(f"{given}mix {' '.join(task)}" for task in head)]
        yield ahead(act, call.folder or "/", found, commands, "fetch all packages")
