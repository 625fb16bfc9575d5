"""What the tasks of mix read and write, and what of them comes before the sources.

Sources: hexdocs.pm/mix (mix deps.get, deps.compile, compile, release, do), hexdocs.pm/phoenix (mix phx.digest).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.elixir.mix import (
    Project,
    atom,
    config_files,
    projects,
    read_lock,
    read_project,
    string,
    why_lock_moves,
)
from refactor.ecosystems.table import Language
from refactor.flow.effects import Effect, Invocation, Path, together
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import read

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
    tasks = tasks_of(call.command.args) if call.name == "mix" else ()
    if not tasks:
        return Effect() if {"--version", "-v"} & set(call.command.args) else None
    if all(task.name in _TOOLS for task in tasks):
        # Fetched by name, whatever the project: as settings they may stand in front of it.
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    project = project_of(call)
    if isinstance(project, Unknown):
        return Effect(call.paths("."), (project,))
    return together([_effect(call, project, task) for task in _expanded(project, tasks)])


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
        words = () if task.name in seen else project.aliases.get(task.name, ())
        if "*" in project.aliases or words is None:
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


def _build_folder(call: Invocation, project: Project) -> Path:
    """``_build/prod``"""
    env, base = _environment(call, project), project.string("build_path", "_build")
    if isinstance(env, Unknown) or isinstance(base, Unknown):
        return env if isinstance(env, Unknown) else Unknown(str(base))
    if project.settings.get("build_per_environment") == "false":
        return Unknown(f"{project.path} builds for all environments in one folder")
    return call.path(posixpath.join(base, env))


def _effect(call: Invocation, project: Project, task: Task) -> Effect:
    build = _build_folder(call, project)
    if task.name in _TOOLS:
        return Effect(writes=call.paths("~/.mix", "~/.hex"))
    if task.name in {"deps.get", "deps.update", "deps.unlock", "deps"}:
        return Effect(_manifests(call, project), call.paths("deps", "mix.lock"), needs=("network",))
    if task.name == "deps.compile":
        return Effect((*_manifests(call, project), *_compiled(call, project)), (build,), needs=("network",))
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


def _released(call: Invocation, project: Project, task: Task, build: Path) -> Path:
    """The folder of a release."""
    words = [word for at, word in enumerate(task.args) if not word.startswith("-")
             and not (at and task.args[at - 1] in {"--path", "--version"})]  # fmt: skip
    names = list(project.releases) or [project.app]
    default = atom(project.settings.get("default_release", ""))
    name = words[0] if words else default or (names[0] if len(names) == 1 else "")
    options = project.releases.get(name, {})
    if any(dep.name == "distillery" for dep in project.deps):
        return Unknown("Distillery makes the release, by settings of its own")
    if not name or name not in names or options is None:
        return Unknown(f"{project.path} does not say which release this is, or how it is made")
    at = task.args.index("--path") if "--path" in task.args[:-1] else None
    named = options.get("path") if at is None else f'"{task.args[at + 1]}"'
    if named is None:
        return build if isinstance(build, Unknown) else join(build, f"rel/{name}")
    path = string(named)
    return Unknown(f"the release {name} goes to {named}") if path is None else call.path(path)


def _manifests(call: Invocation, project: Project) -> tuple[Path, ...]:
    """What `mix deps.get` reads: every mix.exs of the project, and mix.lock."""
    lock = project.string("lockfile", "mix.lock")
    found: list[str | Unknown] = []
    for one in projects(call.reading.context, project):
        found += [one] if isinstance(one, Unknown) else [one.path, *one.reads]
    found.insert(1, lock if isinstance(lock, Unknown) else posixpath.normpath(posixpath.join(project.folder, lock)))
    return tuple(_in_image(call, project, path) for path in found)


def _compiled(call: Invocation, project: Project) -> tuple[Path, ...]:
    """What `mix deps.compile` reads besides: the configuration, and the sources of dependencies by path."""
    env = _environment(call, project)
    files = env if isinstance(env, Unknown) else config_files(call.reading.context, project, env)
    whole = [one for one in projects(call.reading.context, project) if not isinstance(one, Unknown)]
    folders = [
        posixpath.normpath(posixpath.join(one.folder, dep.path)) for one in whole for dep in one.deps if dep.path
    ]
    found = [files] if isinstance(files, Unknown) else [*files, *folders]
    return tuple(_in_image(call, project, path) for path in found)


def _in_image(call: Invocation, project: Project, path: str | Unknown) -> Path:
    """Where a context path is, or would be, when the command runs."""
    return path if isinstance(path, Unknown) else call.path(posixpath.relpath(path, project.folder or "."))


# Before the sources


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`."""
    done: set[str] = set()
    for act in language.acts(reading):
        call = act.call
        tasks = tasks_of(call.command.args) if call is not None and call.name == "mix" else ()
        project = project_of(call) if call is not None and tasks else Unknown("")
        tasks = tasks if isinstance(project, Unknown) else tuple(_expanded(project, tasks))
        if call is None or not any(task.name in _FETCHES for task in tasks):
            continue
        refused = _why_not_alike(act, project)
        if refused is not None:
            yield act.step.step, refused
            return
        head = next((at for at, task in enumerate(tasks) if task.name not in _FETCHES | _TOOLS), len(tasks))
        if head < len(tasks) and any(task.name in _FETCHES for task in tasks[:head]):
            words = [task.text for task in tasks[:head]]
            yield from () if set(words) <= done else _ahead(act, call, words)
            return
        done |= {task.text for task in tasks}
    yield from Language.installed(language, reading)


def _ahead(act: Act, call: Invocation, words: Sequence[str]) -> Iterator[Install | tuple[Step, Refused]]:
    """The first tasks of a `mix do`, in a command of their own in front of it."""
    before = act.step.acts[: act.step.acts.index(act)]
    if any(one.effect.by != act.effect.by for one in before):
        because = f"`{act.text}` shares its RUN with what comes before it, which it may need"
        yield act.step.step, Refused(because, "give it a RUN of its own")
        return
    given = "".join(f"{name}={word.text} " for name, word in call.command.assignments)
    commands = [*(one.text for one in before), *(f"{given}mix {task}" for task in words)]
    effects = [effect(call._replace(command=read(text).commands[0])) for text in commands]
    paths = [path for one in effects if one is not None for path in one.reads]
    unknown = next((path for path in paths if isinstance(path, Unknown)), None)
    if unknown is not None:
        reason = f"what the first tasks of `{act.text}` read is not known: {unknown.reason}"
        yield act.step.step, Refused(reason, "name the files as text")
        return
    sources = [call.reading.in_context(path, call.step.node) for path in paths if isinstance(path, str)]
    manifests = tuple(dict.fromkeys(source for source in sources if source is not None))
    if not any(call.reading.context.is_dir(path) is True for path in manifests):
        said = f"`{act.text}` on line {act.step.line} would fetch all packages again after every edit"
        yield Install(act.step.step, (), call.folder or "/", manifests, (said,), " \\\n    && ".join(commands))


def _why_not_alike(act: Act, project: Project | Unknown) -> Refused | None:
    """Why packages that are fetched before the sources are copied may be others."""
    if isinstance(project, Unknown):
        return Refused(f"what `{act.text}` reads is not known: {project.reason}", "write mix.exs in plain lists")
    context = act.step.reading.context
    for path in (posixpath.join(project.folder, name) for name in ("deps", "_build")):
        if context.is_dir(path) is True:
            because = f"{path} lies in the build context, and a later copy would put it over the packages of the image"
            return Refused(because, f"add {path} to .dockerignore")
    lock = read_lock(context, posixpath.join(project.folder, "mix.lock"))
    for one in () if isinstance(lock, Unknown) else projects(context, project):
        reason = None if isinstance(one, Unknown) or isinstance(lock, Unknown) else why_lock_moves(one, lock)
        if reason is not None:
            because = f"{reason}: mix writes another mix.lock then, and a later copy puts the old one back"
            return Refused(because, "run `mix deps.get`, and commit mix.lock")
    return None


__all__ = ["effect", "installed", "project_of"]
