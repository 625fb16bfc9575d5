"""Dependencies of mix before the sources: what is fetched and compiled from the manifests alone."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Install
from refactor.ecosystems.elixir.manifests import Project, read_lock, why_lock_moves
from refactor.ecosystems.elixir.tools import FETCHES, TOOLS, effect, expanded, project_of, tasks_of
from refactor.flow.effects import Invocation
from refactor.flow.graph import Act, Flow
from refactor.flow.reading import Refused, StageReading, Step


def installs(
    reading: StageReading, flow: Flow, acts: Sequence[Act], found: Sequence[Install | tuple[Step, Refused]]
) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.installs`; ``found`` are those that are commands of their own."""
    for act in acts:
        call = act.call
        if call is None or call.name != "mix":
            continue
        project = project_of(call)
        tasks = list(tasks_of(call.command.args))
        if isinstance(project, Unknown):
            if any(task.name in FETCHES for task in tasks):
                yield (
                    act.step.step,
                    Refused(f"what `{act.text}` reads is not known: {project.reason}", "write mix.exs in plain lists"),
                )
                return
            continue
        tasks = list(expanded(project, tasks))
        if not any(task.name in FETCHES for task in tasks):
            continue
        refused = _why_not_alike(reading, project)
        if refused is not None:
            yield act.step.step, refused
            return
        head = next((at for at, task in enumerate(tasks) if task.name not in FETCHES | TOOLS), len(tasks))
        if head < len(tasks) and any(task.name in FETCHES for task in tasks[:head]):
            yield from _ahead(flow, act, call, [" ".join((task.name, *task.args)) for task in tasks[:head]])
            return
        break
    yield from found


def _ahead(flow: Flow, act: Act, call: Invocation, words: Sequence[str]) -> Iterator[Install | tuple[Step, Refused]]:
    """The first tasks of a `mix do`, in a command of their own in front of it."""
    from refactor.shell import read

    before = [one.call.command for one in flow.acts(act.step.reading) if one.call and one.step.line < act.step.line]
    if set(words) <= {" ".join(command.args) for command in before if command.name == "mix"}:
        return
    given = "".join(f"{name}={word.text} " for name, word in call.command.assignments)
    commands = [f"{given}mix {task}" for task in words]
    manifests: dict[str, None] = {}
    for text in commands:
        reads = effect(call._replace(command=read(text).commands[0]))
        for path in reads.reads if reads is not None else ():
            if isinstance(path, Unknown):
                yield (
                    act.step.step,
                    Refused(f"what `{text}` reads is not known: {path.reason}", "name the files as text"),
                )
                return
            source = act.step.reading.in_context(path, act.step.step.node)
            if source is not None:
                manifests[source] = None
    if any(act.step.reading.context.is_dir(path) is True for path in manifests):
        return
    said = f"`{act.text}` on line {act.step.line} would fetch all packages again after every edit"
    yield Install(act.step.step, (), call.folder or "/", tuple(manifests), (said,), " \\\n    && ".join(commands))


def _why_not_alike(reading: StageReading, project: Project) -> Refused | None:
    """Why packages that are fetched before the sources are copied may be others."""
    context, folder = reading.context, project.folder
    for name in ("deps", "_build"):
        path = posixpath.join(folder, name)
        if context.is_dir(path) is True:
            return Refused(
                f"{path} lies in the build context, and a later copy would put it over the packages of the image",
                f"add {path} to .dockerignore",
            )
    lock = read_lock(context, posixpath.join(folder, "mix.lock"))
    reason = None if isinstance(lock, Unknown) else why_lock_moves(project, lock)
    if reason is None:
        return None
    return Refused(
        f"{reason}: mix writes another mix.lock then, and a later copy puts the old one back",
        "run `mix deps.get`, and commit mix.lock",
    )


__all__ = ["installs"]
