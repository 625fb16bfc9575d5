"""What the tasks of mix read and write.

Sources: hexdocs.pm/mix (mix deps.get, deps.compile, compile, release, do), hexdocs.pm/phoenix (mix phx.digest).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.elixir.manifests import Project, config_files, read_project
from refactor.ecosystems.elixir.text import atom, string
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import join

TOOLS = frozenset(
    "local.hex local.rebar local.public_keys archive.install hex.repo hex.organization hex.config".split()
)
"""Tasks that set Hex and rebar3 up, in the home folder."""
FETCHES = frozenset({"deps.get", "deps.compile"})
"""Tasks that bring dependencies in, and read no source of the project."""
_LOOKS = frozenset("help --version -v --help hex.info hex.outdated hex.audit deps.tree".split())
_BUILDS = frozenset(
    "compile app.config loadpaths compile.all format credo test dialyzer sobelow phx.digest phx.digest.clean tailwind"
    " tailwind.install esbuild esbuild.install sass sass.install bun bun.install sentry_recompile"
    " sentry.package_source_code gettext.extract gettext.merge compile.protocols escript.build"
    " unused hex.build docs".split()
)
_STATIC = r"phx\.digest|tailwind|esbuild|sass|bun|sentry|compile"
_MOVED = ("MIX_TARGET", "MIX_BUILD_PATH", "MIX_BUILD_ROOT", "MIX_DEPS_PATH", "MIX_EXS")
_VALUED = frozenset(("--path", "--version", "--only", "--target"))


class Task(NamedTuple):
    """One task of a call."""

    name: str
    args: tuple[str, ...]


def tasks_of(args: Sequence[str]) -> tuple[Task, ...]:
    """``do deps.get, compile`` and ``do deps.get + compile`` -> its tasks."""
    if args[:1] != ["do"] and args[:1] != ("do",):
        return (Task(args[0], tuple(args[1:])),) if args else ()
    found: list[list[str]] = [[]]
    for word in args[1:]:
        if word in {"+", ","}:
            found.append([])
            continue
        found[-1].append(word.rstrip(","))
        if word.endswith(","):
            found.append([])
    return tuple(Task(words[0], tuple(words[1:])) for words in found if words)


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    if call.name != "mix":
        return Effect() if {"--version", "-v"} & set(call.command.args) else None
    tasks = tasks_of(call.command.args)
    if not tasks:
        return None
    if all(task.name in TOOLS or task.name in _LOOKS for task in tasks):
        # Fetched by name, whatever the project: as settings they may stand in front of it.
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    project = project_of(call)
    if isinstance(project, Unknown):
        return Effect(call.paths("."), (project,))
    known = [_effect(call, project, task) for task in expanded(project, tasks)]
    return Effect(
        tuple(dict.fromkeys(path for one in known for path in one.reads)),
        tuple(dict.fromkeys(path for one in known for path in one.writes)),
        tuple(path for one in known for path in one.removes),
        tuple(dict.fromkeys(need for one in known for need in one.needs)),
    )


def project_of(call: Invocation) -> Project | Unknown:
    """The project of the folder that a call works in."""
    moved = next((name for name in _MOVED if call.variable(name)), None)
    if moved is not None:
        return Unknown(f"{moved} moves where mix works")
    place = call.path("mix.exs")
    path = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    return Unknown("its mix.exs is not copied from the build context") if path is None else read_project(
        call.reading.context, path
    )  # fmt: skip


def expanded(project: Project, tasks: Sequence[Task], seen: frozenset[str] = frozenset()) -> Iterator[Task]:
    """Tasks with the aliases of mix.exs in place; one that is no text is called ``?``. An alias may call the task
    whose name it has."""
    for task in tasks:
        if "*" in project.aliases or (task.name not in seen and project.aliases.get(task.name, ()) is None):
            yield Task("?", (task.name,))
        elif task.name in seen or task.name not in project.aliases:
            yield task
        else:
            words = [word.split() for word in project.aliases[task.name] or ()]
            yield from expanded(project, [one for word in words for one in tasks_of(word)], seen | {task.name})


def environment(call: Invocation, project: Project) -> str | Unknown:
    """What MIX_ENV says where a task runs."""
    named = call.variable("MIX_ENV")
    if named is not None:
        return call.expanded(named) or Unknown("MIX_ENV depends on a variable")
    if re.search(r"\bpreferred_(?:cli_env|envs)\b|\bdefault_env\b", project.text):
        return Unknown(f"{project.path} chooses the environment by task, and MIX_ENV is not set")
    return "dev"


def build_folder(call: Invocation, project: Project) -> Path:
    """``_build/prod``"""
    env = environment(call, project)
    named = project.settings.get("build_path", '"_build"')
    base = string(named)
    if isinstance(env, Unknown):
        return env
    if base is None or project.settings.get("build_per_environment") == "false":
        return Unknown(f"{project.path} names the folder that it builds in by {named}")
    return call.path(posixpath.join(base, env))


def _effect(call: Invocation, project: Project, task: Task) -> Effect:
    if task.name in TOOLS or task.name in _LOOKS:
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    if task.name == "?":
        return Effect(call.paths("."), (Unknown(f"{project.path} has an alias {task.args[0]} that is no text"),))
    if task.name in {"deps.get", "deps.update", "deps.unlock", "deps"}:
        return Effect(_manifests(call, project), call.paths("deps", "mix.lock"), needs=("network",))
    build = build_folder(call, project)
    if task.name == "deps.compile":
        return Effect(_compiled(call, project), (build,), needs=("network",))
    if task.name in {"clean", "deps.clean"}:
        return Effect(removes=(build,)) if task.name == "clean" else Effect(removes=call.paths("deps"))
    if task.name == "release":
        return Effect(call.paths("."), tuple(released(call, project, task)))
    if task.name in _BUILDS:
        static = call.paths("priv") if re.match(_STATIC, task.name) else ()
        return Effect(call.paths("."), (build, *static), needs=("network",))
    shown = " ".join((task.name, *task.args))
    return Effect(call.paths("."), (Unknown(f"what the task `{shown}` of mix writes is not known"),))


def released(call: Invocation, project: Project, task: Task) -> Iterator[Path]:
    """The folder of a release, and its archive where one is packed."""
    words = [word for at, word in enumerate(task.args) if not word.startswith("-") and
             not (at and task.args[at - 1] in _VALUED)]  # fmt: skip
    names = list(project.releases) or [project.app]
    default = atom(project.settings.get("default_release", ""))
    name = words[0] if words else default or (names[0] if len(names) == 1 else "")
    if not name or name not in names:
        yield Unknown(f"{project.path} does not say which release this is")
        return
    options = project.releases.get(name, {})
    if options is None:
        yield Unknown(f"the options of the release {name} in {project.path} are no plain list")
        return
    at = next((index for index, word in enumerate(task.args) if word == "--path"), None)
    named = task.args[at + 1] if at is not None and at + 1 < len(task.args) else options.get("path")
    if named is not None:
        path = string(named) if at is None else named
        yield Unknown(f"the release {name} goes to {named}") if path is None else call.path(path)
        return
    build = build_folder(call, project)
    yield build if isinstance(build, Unknown) else join(build, f"rel/{name}")
    if ":tar" in options.get("steps", "") and isinstance(build, str):
        yield join(build, f"{name}-*.tar.gz")


# What dependencies are made of


def _manifests(call: Invocation, project: Project) -> tuple[Path, ...]:
    """What `mix deps.get` reads: every mix.exs of the project, and mix.lock."""
    first, *more = _projects(call, project)
    found = [first, _lock(project), *more]
    return tuple(_in_image(call, path) for path in dict.fromkeys(found))


def _lock(project: Project) -> str | Unknown:
    named = project.settings.get("lockfile", '"mix.lock"')
    name = string(named)
    if name is None:
        return Unknown(f"{project.path} names its lockfile by {named}")
    return posixpath.normpath(posixpath.join(project.folder, name))


def _projects(call: Invocation, project: Project) -> Iterator[str | Unknown]:
    """Context paths of every mix.exs, with what these read; those of an umbrella and of dependencies by path too."""
    context = call.reading.context
    seen: set[str] = set()
    waiting: list[Project | Unknown] = [project]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Unknown):
            yield one
            continue
        if one.path in seen:
            continue
        seen.add(one.path)
        yield one.path
        yield from one.reads
        folders = [posixpath.normpath(posixpath.join(one.folder, dep.path)) for dep in one.deps if dep.path is not None]
        if one.apps_path is not None:
            found = context.glob(posixpath.join(one.folder, one.apps_path, "*/mix.exs"))
            folders += [] if isinstance(found, Unknown) else [posixpath.dirname(path) for path in found]
        waiting += [read_project(context, posixpath.join(folder, "mix.exs")) for folder in folders]


def _compiled(call: Invocation, project: Project) -> tuple[Path, ...]:
    """What `mix deps.compile` reads besides: the configuration, and the sources of dependencies by path."""
    env = environment(call, project)
    files = env if isinstance(env, Unknown) else config_files(call.reading.context, project, env)
    found: list[str | Unknown] = [files] if isinstance(files, Unknown) else list(files)
    found += [posixpath.normpath(posixpath.join(project.folder, dep.path)) for dep in project.deps if dep.path]
    return (*_manifests(call, project), *(_in_image(call, path) for path in dict.fromkeys(found)))


def _in_image(call: Invocation, path: str | Unknown) -> Path:
    """Where a context path is, or would be, when the command runs."""
    if isinstance(path, Unknown):
        return path
    place = call.path("mix.exs")
    project = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    if isinstance(place, Unknown) or project is None:
        return Unknown("its mix.exs is not copied from the build context")
    return join(posixpath.dirname(place), posixpath.relpath(path, posixpath.dirname(project) or "."))


__all__ = ["FETCHES", "TOOLS", "Task", "effect", "environment", "expanded", "project_of", "released", "tasks_of"]
