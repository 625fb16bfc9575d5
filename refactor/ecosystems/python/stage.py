"""A stage as a Python project sees it: its acts, its build tools, the environments that it makes."""

from __future__ import annotations

import re

from refactor.ecosystems import registry, system
from refactor.ecosystems.python.tools import (
    BUILD_TOOLS,
    INSTALLER_SCRIPT,
    MANAGERS,
    Act,
    Action,
    action_of,
    distribution_name,
    expanded,
)
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.once import cached_property
from refactor.shell import changes_shell, is_cleaning
from refactor.shell.posix import QUIET, SILENT

BUILDER_ACTIONS = frozenset(
    {Action.SYSTEM, Action.TOOL, Action.UPGRADE, Action.VENV, Action.INSTALL, Action.MAINTENANCE}
)
RUNNER_ACTIONS = frozenset({Action.PROGRAM, Action.FILES})
_EVERYDAY = frozenset({"tar", "gzip", "gunzip"})
"""Programs of any distribution's smallest image, besides those of shell scripts."""
_UNTOLD = frozenset({"test", "[", "eval", "exec"})
"""Commands that decide on others, or are others."""


class PythonStage:
    """A stage read as a Python project's."""

    def __init__(self, reading: StageReading) -> None:
        self.reading = reading

    @classmethod
    def of(cls, reading: StageReading) -> PythonStage:
        """The stage of a reading, made once for all that is asked about it."""
        return reading.remember("python", lambda: cls(reading))

    @classmethod
    def all(cls, reading: StageReading) -> tuple[PythonStage, ...]:
        """All stages of the reading's file: the runner of a split installs nothing itself."""
        file, context = reading.file, reading.context
        return tuple(
            cls.of(reading if stage is reading.stage else StageReading.of(file, stage, context))
            for stage in file.stages
        )

    def line(self, step: Step) -> int:
        return self.reading.file.line_of(step.node)

    @cached_property
    def acts(self) -> tuple[Act, ...]:
        flow = registry.flow_of(self.reading.file, self.reading.context)
        known = {id(one.call.command): one for one in flow.acts(self.reading) if one.call is not None}
        found = [(step, command, known.get(id(command))) for step in self.reading.runs for command in step.commands]
        # `cd` is followed by the flow, and no act of it.
        return tuple(
            Act(step, command, Action.SHELL) if act is None or act.call is None
            else Act(step, command, self._action(act.call, act.effect), act.call.package, act.effect)
            for step, command, act in found
        )  # fmt: skip

    def acts_of(self, step: Step) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if act.step is step)

    @cached_property
    def installs(self) -> tuple[Act, ...]:
        # Most Dockerfiles install nothing of Python; reading all their commands would be for nothing.
        if self.reading.managers.isdisjoint(MANAGERS) and not any(
            "setup.py" in step.node.argument or "spacy" in step.node.argument for step in self.reading.runs
        ):
            return ()
        return tuple(act for act in self.acts if act.action is Action.INSTALL)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the build tools that the stage installs, or copies out of their images."""
        found: dict[str, None] = {}
        for act in self.acts:
            script = re.search(INSTALLER_SCRIPT, act.step.node.argument) if act.action is Action.TOOL else None
            if act.action is Action.TOOL and act.call is not None:
                names = (
                    distribution_name(expanded(self.reading, act.step, word.literal)) for word in act.call.packages
                )
                found.update(dict.fromkeys(name for name in names if name in BUILD_TOOLS))
            elif script is not None:
                found[next((name for name in ("poetry", "pdm", "uv") if name in script[0]), "pip")] = None
        for step in self.reading.steps:
            if is_uv_copy(step):
                found["uv"] = None
        return tuple(name for name in found if name != "pip")

    @cached_property
    def environments(self) -> tuple[tuple[Act, str], ...]:
        """Virtual environments that the stage makes by name, with their absolute paths."""
        made = ((act, path) for act in self.acts if act.action is Action.VENV for path in act.effect.writes)
        return tuple((act, path) for act, path in made if isinstance(path, str))

    @cached_property
    def on_path(self) -> tuple[str, ...]:
        """Folders that the stage puts on PATH."""
        values = ((step, value) for step in self.reading.steps if step.keyword in {"ENV", "ARG"}
                  for name, value in step.node.pairs if name == "PATH")  # fmt: skip
        return tuple(
            expanded(self.reading, step, part) for step, value in values for part in value.strip("\"'").split(":")
        )

    def _action(self, call: Invocation, effect: Effect) -> Action:
        command = call.command
        is_installer = re.search(INSTALLER_SCRIPT, call.step.node.argument) is not None
        if is_installer and (command.in_pipeline or command.name in {"curl", "wget", "python", "python3"}):
            return Action.TOOL
        if effect.by == "Python":
            own = action_of(call)
            # `pip freeze > installed.txt`: a file that somebody may want.
            is_kept = own is Action.MAINTENANCE and command.redirects and effect.writes
            return Action.UNKNOWN if is_kept else own
        if call.package is not None and call.package.manager in system.MANAGERS:
            return Action.SYSTEM
        if command.name is None:
            return Action.SHELL if command.assignments and not command.words else Action.UNKNOWN
        if command.name.endswith(".py"):
            return Action.PROGRAM
        if command.args in {("--version",), ("-V",), ("version",)} and not command.redirects:
            return Action.NEUTRAL
        if effect.why_unknown is not None or command.name in _UNTOLD or not self._is_there(call):
            return Action.UNKNOWN
        if changes_shell(command.name) and command.name != "set":
            return Action.SHELL
        words = [arg for arg in command.args if not arg.startswith("-")]
        if not command.redirects and (command.name in SILENT or (not words and effect == Effect())):
            return Action.NEUTRAL
        if is_cleaning(command, and_scratch=True):
            return Action.SYSTEM
        return Action.SET_UP if system.is_set_up(command) and not self._is_of_project(call, effect) else Action.FILES

    def _is_there(self, call: Invocation) -> bool:
        """A small image has the program, or it is known by which package: else what calls it cannot run there."""
        return call.name in QUIET | _EVERYDAY | system.PROVIDERS.keys() or system.is_set_up(call.command) or any(
            word.literal == call.name for _, package in self.reading.calls for word in package.packages
        )  # fmt: skip

    def _is_of_project(self, call: Invocation, effect: Effect) -> bool:
        """It changes what was copied from the context, or a file beside that."""
        folders = [copied.target for copied in self.reading.copies_before(call.step.node)]
        folders += [] if call.name == "mkdir" else [call.folder or "/"]
        return any(
            isinstance(path, str) and is_within(path, folder)
            for path in (*effect.writes, *effect.removes)
            for folder in folders
            if folder != "/" or call.step.workdir == "/"
        )


def is_uv_copy(step: Step) -> bool:
    """`COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/`."""
    source = step.node.flag("from") if step.keyword == "COPY" else None
    return source is not None and "astral-sh/uv" in source


def why_not_read(reading: StageReading) -> Refused | None:
    """A RUN whose commands cannot be told, by name."""
    for step in reading.runs:
        line = reading.file.line_of(step.node)
        if step.script is None:
            return Refused(f"the RUN on line {line} has its commands in a heredoc, which are not read", "use && lists")
        if step.script.opaque is not None:
            return Refused(f"the RUN on line {line} cannot be read: {step.script.opaque}", "write it simpler")
    return None


__all__ = ["BUILDER_ACTIONS", "RUNNER_ACTIONS", "PythonStage", "is_uv_copy", "why_not_read"]
