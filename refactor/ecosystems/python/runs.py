"""The RUNs of a Python stage: what installs is the builder's, what works on the project the runner's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from refactor.ecosystems.python.copying import Plan, is_of_manifests
from refactor.ecosystems.python.environments import Environment, making
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import BUILDER_ACTIONS, RUNNER_ACTIONS, PythonStage
from refactor.ecosystems.python.tools import Act, Action
from refactor.ecosystems.split import Role, laid_out
from refactor.flow.reading import Refused, Step

_IDLE = frozenset({"echo", "true", ":", "ls", "pwd", "date"})


class Runs:
    """Places the RUN instructions of a stage that handle more than packages of the system."""

    def __init__(
        self, plan: Plan, stage: PythonStage, installs: Sequence[ReadInstall], environment: Environment
    ) -> None:
        self.plan = plan
        self.stage = stage
        self.reading = stage.reading
        self.installs = installs
        self.texts: dict[int, str] = {}
        """New texts of commands, by identity: without an option that has another meaning in an environment."""
        self.is_new = environment.is_new

    def place(self) -> Refused | None:
        """Gives every RUN a role in the plan, with its text in each stage where that changes."""
        for act in self.stage.acts if self.is_new else ():
            text = self._in_environment(act)
            if text is not None:
                self.texts[id(act.command)] = text
        for step in self.reading.runs:
            refused = self._place(step) if step.node not in self.plan.roles else None
            if refused is not None:
                return refused
        return None

    def _in_environment(self, act: Act) -> str | None:
        """The command without options that name another place than the environment; None: as it is."""
        call = act.call
        if call is None or act.action not in {Action.INSTALL, Action.UPGRADE} or call.manager not in {"pip", "uv"}:
            return None
        drop = {"--user" if call.manager == "pip" else "--system", "--break-system-packages"}
        return re.sub(rf"\s+(?:{'|'.join(sorted(drop))})(?=\s|$)", "", _raw(act)) if call.has(*drop) else None

    def _place(self, step: Step) -> Refused | None:
        acts = [act._replace(action=Action.SYSTEM) if self._cleans_up(act) else act for act in self.stage.acts_of(step)]
        line, roles = self.stage.line(step), self.plan.roles
        actions = {act.action for act in acts} - {Action.NEUTRAL}
        unknown = next((act.command for act in acts if act.action is Action.UNKNOWN), None)
        if unknown is not None:
            text = unknown.words[0].text if unknown.words else step.node.argument[:40]
            return Refused(
                f"what `{text}` on line {line} is for is not known",
                "move that step into a stage of its own, or split by hand",
            )
        if not actions & BUILDER_ACTIONS:
            is_idle = not actions and all(command.name in _IDLE for command in step.commands)
            is_of_runner = not actions.isdisjoint(RUNNER_ACTIONS)
            roles[step.node] = Role.DROPPED if is_idle else Role.RUNNER if is_of_runner else Role.BOTH
            return self._why_not_moved(step) if is_of_runner else None
        # The environment is made between the tools and what they install.
        is_cut = self.is_new and {Action.TOOL, Action.INSTALL} <= actions
        is_shared = not actions.isdisjoint(RUNNER_ACTIONS | {Action.SET_UP})
        is_changed = any(id(act.command) in self.texts for act in acts)
        is_list = step.script is not None and step.script.is_and_list and not any(act.command.depth for act in acts)
        is_apart = is_list and step.node.json is None and not (Action.SHELL in actions and (is_shared or is_cut))
        roles[step.node] = Role.BUILDER
        if is_apart and (is_shared or is_cut or is_changed):
            return self._take_apart(step, acts, is_cut=is_cut)
        if is_shared or is_cut or (is_changed and step.node.json is not None):
            return Refused(
                f"the RUN on line {line} installs packages and does other things, not simply joined by &&",
                "give the installation a RUN of its own",
            )
        if is_changed:
            text = step.node.argument
            for act in sorted(acts, key=lambda one: one.command.span, reverse=True):
                start, end = act.command.span
                text = text[:start] + self.texts.get(id(act.command), text[start:end]) + text[end:]
            self.plan.instead[step.node] = [f"RUN {_flags(step)}{laid_out(text)}"]
        return None

    def _cleans_up(self, act: Act) -> bool:
        """It removes manifests that the runner never has: `pip install -r requirements.txt && rm requirements.txt`."""
        if act.action is not Action.FILES or act.command.name != "rm":
            return False
        manifests = [path for install in self.installs for path in install.manifests]
        before = self.reading.copies_before(act.step.node)
        nodes = [
            next((one.node for one in reversed(before) if one.target == path), None) for path in act.effect.removes
        ]
        return bool(nodes) and all(node and is_of_manifests(self.reading, node, manifests) for node in nodes)

    def _take_apart(self, step: Step, acts: Sequence[Act], *, is_cut: bool) -> Refused | None:
        theirs = [act for act in acts if act.action in RUNNER_ACTIONS | {Action.SET_UP}]
        mine = [act for act in acts if act.action not in RUNNER_ACTIONS]
        first = next((act.command.span for act in theirs if act.action is Action.FILES), None)
        if first is not None and any(act.action is Action.INSTALL and first < act.command.span for act in mine):
            return Refused(
                f"the RUN on line {self.stage.line(step)} changes files before it installs packages", "use two RUNs"
            )
        parts = [mine]
        if is_cut:
            index = next(i for i, act in enumerate(mine) if act.action is Action.INSTALL)
            start = max(i for i, act in enumerate(mine[:index]) if act.action is Action.TOOL) + 1
            parts = [mine[:start], mine[start:]]
        if is_cut or theirs or any(id(act.command) in self.texts for act in mine):
            first_text, *rest = (self._joined(step, part) for part in parts)
            self.plan.instead[step.node] = [first_text, *making(), *rest] if is_cut else [first_text]
        if theirs:
            self.plan.roles[step.node] = Role.BOTH
            self.plan.instead_in_runner[step.node] = self._joined(step, theirs)
        return None

    def _joined(self, step: Step, acts: Sequence[Act]) -> str:
        pieces = (self.texts.get(id(act.command), _raw(act)) for act in acts)
        return f"RUN {_flags(step)}" + " \\\n    && ".join(piece for piece in pieces if piece)

    def _why_not_moved(self, step: Step) -> Refused | None:
        """A step that only the runner repeats must not make what a later installation reads."""
        position, line = self.reading.position(step.node), self.stage.line(step)
        for install in self.installs:
            if self.reading.position(install.act.step.node) < position:
                continue
            other = self.stage.line(install.act.step)
            read = next((path for path in install.manifests if posixpath.basename(path) in step.node.argument), None)
            if read is not None:
                return Refused(
                    f"line {line} works on {read}, which line {other} reads", "do that outside of the Dockerfile"
                )
            if install.sources is not None:
                because = f"line {line} may change the sources that line {other} installs"
                return Refused(because, "move it below the installation")
        return None


def _flags(step: Step) -> str:
    return "".join(f"{flag.text} " for flag in step.node.flags)


def _raw(act: Act) -> str:
    step = act.step
    script = step.script.text if step.script is not None else step.node.argument
    text = script[act.command.span[0] : act.command.span[1]]
    # Continuations leave the indentation of the next line behind.
    return text.strip() if "'" in text or '"' in text else " ".join(text.split())


__all__ = ["Runs"]
