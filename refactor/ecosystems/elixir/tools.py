"""What the tasks of mix read and write, and what of them comes before the sources.

Sources: hexdocs.pm/mix (mix deps.get, deps.compile, compile, release, do), hexdocs.pm/phoenix (mix phx.digest).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.tables import table
from refactor.ecosystems.answers import Install, ahead, why_not_ahead
from refactor.ecosystems.elixir.mix import Atom, Project, compiled, manifests, read_project, why_lock_moves
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
    r"compile(?:\.\w+)?|app\.config|loadpaths|format|credo|test|dialyzer|sobelow|phx\.digest(?:\.clean)?|docs|unused|"
    r"(?:tailwind|esbuild|sass|bun)(?:\.install)?|sentry_recompile|sentry\.package_source_code|gettext\.\w+|escript\.build"
)
_MOVED = ("MIX_TARGET", "MIX_BUILD_PATH", "MIX_BUILD_ROOT", "MIX_DEPS_PATH", "MIX_EXS")


class Task(NamedTuple):
    """One task of a call."""

    name: str
    args: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join((self.name, *self.args))


def tasks_of(args: Sequence[str]) -> tuple[Task, ...]:
    """``do deps.get, compile`` and ``do deps.get + compile`` -> its tasks."""
    found: list[list[str]] = [[]]
    is_list = args[:1] in (["do"], ("do",))
    for word in args[1:] if is_list else args:
        if not is_list or word not in {"+", ","}:
            found[-1].append(word.rstrip(",") if is_list else word)
        if is_list and (word == "+" or word.endswith(",")):
            found.append([])
    return tuple(Task(words[0], tuple(words[1:])) for words in found if words)


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    tasks = _tasks(call)
    return together([_effect(call, task) for task in tasks]) if tasks else None


def _tasks(call: Invocation) -> tuple[Task, ...]:
    """The tasks of a call of mix, without aliases where its project is known."""
    if call.name != "mix":
        return ()
    tasks, project = tasks_of(call.command.args), project_of(call)
    return tasks if isinstance(project, Unknown) else tuple(_expanded(project, tasks))


def project_of(call: Invocation) -> Project | Unknown:
    """The project of the folder that a call works in."""
    moved = next((name for name in _MOVED if call.variable(name)), None)
    path = call.source("mix.exs")
    if moved is not None:
        return Unknown(f"{moved} moves where mix works")
    if path is None:
        return Unknown("its mix.exs is not copied from the build context")
    return read_project(call.reading.context, path)


def _expanded(project: Project, tasks: Sequence[Task], seen: frozenset[str] = frozenset()) -> Iterator[Task]:
    """Tasks with the aliases of mix.exs in place; one that is no text is called ``?``. An alias may call the task
    whose name it has."""
    for task in tasks:
        of_any = project.aliases.get("*", ())
        words = () if task.name in seen | _TOOLS else project.aliases.get(task.name, of_any)
        if words is None:
            yield Task("?", (task.name,))
        elif not words:
            yield task
        else:
            yield from _expanded(project, [one for word in words for one in tasks_of(word.split())], seen | {task.name})


def _environment(call: Invocation, project: Project) -> str | Unknown:
    named = call.variable("MIX_ENV")
    if named is not None:
        return call.expanded(named) or Unknown("MIX_ENV depends on a variable")
    if re.search(r"\bpreferred_(?:cli_env|envs)\b|\bdefault_env\b", project.text):
        return Unknown(f"{project.path} chooses the environment by task, and MIX_ENV is not set")
    return "dev"


def _effect(call: Invocation, task: Task) -> Effect:
    if task.name in _TOOLS:
        # Fetched by name, whatever the project: as settings they may stand in front of it.
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    project = project_of(call)
    if isinstance(project, Unknown):
        return Effect(call.paths("."), (project,))
    context, env, base = call.reading.context, _environment(call, project), project.string("build_path", "_build")
    unknown = next((one for one in (env, base) if isinstance(one, Unknown)), None)
    build = call.path(posixpath.join(str(base), str(env))) if unknown is None else unknown
    if task.name in {"deps.get", "deps.update", "deps.unlock", "deps"}:
        reads = _places(call, manifests(context, project))
        return Effect(reads, call.paths("deps", "mix.lock"), needs=("network",))
    if task.name == "deps.compile":
        more = env if isinstance(env, Unknown) else compiled(context, project, env)
        reads = (*_places(call, manifests(context, project)), *_places(call, more))
        return Effect(reads, (build,), needs=("network",))
    if task.name in {"clean", "deps.clean"}:
        return Effect(removes=(build,) if task.name == "clean" else call.paths("deps"))
    if task.name == "release":
        return Effect(call.paths("."), (_released(call, project, task, build),))
    if re.fullmatch(_BUILDS, task.name):
        return Effect(call.paths("."), (build, *call.paths("priv")), needs=("network",))
    reason = f"{project.path} has an alias {task.args[0]} that is no text" if task.name == "?" else (
        f"what the task `{task.text}` of mix writes is not known"
    )  # fmt: skip
    return Effect(call.paths("."), (Unknown(reason),))


def _places(call: Invocation, paths: tuple[str, ...] | Unknown) -> tuple[Path, ...]:
    return (paths,) if isinstance(paths, Unknown) else call.places(paths)


def _released(call: Invocation, project: Project, task: Task, build: Path) -> Path:
    """The folder of a release."""
    words = [word for at, word in enumerate(task.args) if not word.startswith("-")
             and not (at and task.args[at - 1] in {"--path", "--version"})]  # fmt: skip
    names = list(project.releases) or [project.app]
    default = project.settings.get("default_release")
    name = words[0] if words else default if isinstance(default, Atom) else names[0] if len(names) == 1 else ""
    options = project.releases.get(name, [])
    if any(dep.name == "distillery" for dep in project.deps):
        return Unknown("Distillery makes the release, by settings of its own")
    if not name or name not in names or not isinstance(options, dict | list):
        return Unknown(f"{project.path} does not say which release this is, or how it is made")
    named = table(options).get("path")
    if "--path" in task.args[:-1]:
        named = task.args[task.args.index("--path") + 1]
    if named is None:
        return build if isinstance(build, Unknown) else join(build, f"rel/{name}")
    return call.path(named) if isinstance(named, str) else Unknown(f"where {project.path} puts {name} is no text")


# Before the sources


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`."""
    tasks = [(act, act.call, _tasks(act.call)) for act in language.acts(reading) if act.call is not None]
    fetching = [one for one in tasks if any(task.name in _FETCHES for task in one[2])]
    for act, call, _ in fetching:
        refused = _why_not_alike(act, call)
        if refused is not None:
            yield act.step.step, refused
            return
    for act, call, own in fetching[:1]:
        head = tuple(takewhile(lambda task: task.name in _FETCHES | _TOOLS, own))
        if len(head) < len(own) and any(task.name in _FETCHES for task in head):
            new = _ahead(language, act, call, head)
            if new is not None:
                yield new if isinstance(new, Install) else (act.step.step, new)
            return
    yield from Language.installed(language, reading)


def _ahead(language: Language, act: Act, call: Invocation, head: Sequence[Task]) -> Install | Refused | None:
    """The first tasks of a `mix do`, in a command of their own in front of it."""
    before = act.step.acts[: act.step.acts.index(act)]
    if any(one.effect.by != act.effect.by for one in before):
        because = f"`{act.text}` shares its RUN with what comes before it, which it may need"
        return Refused(because, "give it a RUN of its own")
    effects = [*(one.effect for one in before), *(_effect(call, task) for task in head)]
    found = language.manifests_of(act, together(effects).reads)
    if isinstance(found, Refused):
        return found
    if any(map(call.reading.context.is_dir, found)):
        return None
    given = "".join(f"{name}={word.text} " for name, word in call.command.assignments)
    commands = [*(one.text for one in before), *(f"{given}mix {task.text}" for task in head)]
    return ahead(act, call.folder or "/", found, commands, "fetch all packages")


def _why_not_alike(act: Act, call: Invocation) -> Refused | None:
    """Why packages that are fetched before the sources are copied may be others."""
    project, context = project_of(call), call.reading.context
    if isinstance(project, Unknown):
        return Refused(f"what `{act.text}` reads is not known: {project.reason}", "write mix.exs in plain lists")
    folders, moves = map(project.inside, ("deps", "_build")), why_lock_moves(context, project)
    return why_not_ahead(context, folders, moves, "mix deps.get", project.inside("mix.lock"))
