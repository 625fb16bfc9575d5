"""The parts of a Python stage that is taken apart: what installs is the builder's, what works on the project the
runner's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.python.environments import Environment, making
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import BUILDER_ACTIONS, RUNNER_ACTIONS, PythonStage, is_uv_copy
from refactor.ecosystems.python.tools import Act, Action
from refactor.ecosystems.split import Role, copies_to
from refactor.flow.reading import Copied, Refused, Step, is_within
from refactor.syntax import Instruction

_MANIFEST_NAMES = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_IDLE = frozenset({"echo", "true", ":", "ls", "pwd", "date"})
_ELSEWHERE = r"\s+--(?:user|system|break-system-packages)(?=\s|$)"
"""Options of pip and uv that name another place than the environment that is in force."""


@dataclass
class Parts:
    """What the two stages get of a stage's RUN, COPY and ADD."""

    stage: PythonStage
    installs: Sequence[ReadInstall]
    environment: Environment
    roles: dict[Instruction, Role]
    instead: dict[Instruction, list[str]] = field(default_factory=dict)
    """New texts in the builder."""
    instead_in_runner: dict[Instruction, str] = field(default_factory=dict)
    before: dict[Instruction, list[str]] = field(default_factory=dict)
    """What the builder gets in front of an instruction."""
    evidence: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reading = self.stage.reading
        self.whole = {one.folder for one in self.installs if one.is_editable} & set(self.environment.copied)
        """Folders of the project that the runner gets from the builder."""

    # RUN

    def place_runs(self) -> Refused | None:
        """Gives every RUN without a role one, with its text in each stage where that changes."""
        answers = (self._place_run(step) for step in self.reading.runs if step.node not in self.roles)
        return next((refused for refused in answers if refused is not None), None)

    def _own(self, act: Act, text: str) -> str:
        """The text of a command as the builder of a new environment calls it."""
        is_pip = act.call is not None and act.call.manager in {"pip", "uv"}
        is_own = self.environment.is_new and is_pip and act.action in {Action.INSTALL, Action.UPGRADE}
        return re.sub(_ELSEWHERE, "", text) if is_own else text

    def _place_run(self, step: Step) -> Refused | None:
        acts = [act._replace(action=Action.SYSTEM) if self._cleans_up(act) else act for act in self.stage.acts_of(step)]
        line, roles = self.stage.line(step), self.roles
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
        is_cut = self.environment.is_new and {Action.TOOL, Action.INSTALL} <= actions
        is_shared = not actions.isdisjoint(RUNNER_ACTIONS | {Action.SET_UP})
        is_changed = any(self._own(act, act.text) != act.text for act in acts)
        is_list = step.script is not None and step.script.is_and_list and not any(act.command.depth for act in acts)
        is_apart = is_list and step.node.json is None and not (Action.SHELL in actions and (is_shared or is_cut))
        roles[step.node] = Role.BUILDER
        if is_apart and (is_shared or is_cut or is_changed):
            return self._take_apart(step, acts, is_cut=is_cut)
        if is_shared or is_cut or is_changed:
            return Refused(
                f"the RUN on line {line} installs packages and does other things, not simply joined by &&",
                "give the installation a RUN of its own",
            )
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
        return bool(nodes) and all(node and self._brings_only(node, manifests) for node in nodes)

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
        first_text, *rest = (self._joined(step, part) for part in parts)
        self.instead[step.node] = [first_text, *making(), *rest] if is_cut else [first_text]
        if theirs:
            self.roles[step.node] = Role.BOTH
            self.instead_in_runner[step.node] = self._joined(step, theirs)
        return None

    def _joined(self, step: Step, acts: Sequence[Act]) -> str:
        return f"RUN {_flags(step)}" + " \\\n    && ".join(self._own(act, act.text) for act in acts)

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

    # COPY and ADD

    def place_copies(self) -> None:
        """Gives every copy a role in the plan, and the builder the manifests in place of whole copies."""
        reading, roles = self.reading, self.roles
        last = max(reading.position(install.act.step.node) for install in self.installs)
        for step in reading.runs:
            is_builder = Role.BUILDER in roles.get(step.node, Role.DROPPED)
            if is_builder and not system.is_package_step(step) and system.system_role(step) is None:
                last = max(last, reading.position(step.node))
        in_place = any(install.sources is not None for install in self.installs)
        provided = self._provided()
        for index, step in enumerate(reading.steps):
            node = step.node
            if node.keyword not in {"COPY", "ADD"} or node in roles:
                continue
            if is_uv_copy(step):
                roles[node] = Role.BUILDER
            elif index > last:
                roles[node] = Role.RUNNER
            elif node.flag("from") is not None:
                roles[node] = Role.BOTH
            else:
                self._place_copy(step, provided.get(node, {}), in_place)

    def _provided(self) -> dict[Instruction, dict[str, str]]:
        """For each copy the manifests that installations take from it -> their absolute places in the image."""
        found: dict[Instruction, dict[str, str]] = {}
        for install in self.installs:
            before = self.reading.copies_before(install.act.step.node)
            for path in install.manifests:
                places = ((copied, copied.place_of(path)) for copied in reversed(before))
                latest = next(((copied.node, place) for copied, place in places if place is not None), None)
                if latest is not None:
                    found.setdefault(latest[0], {})[path] = latest[1]
        return found

    def _place_copy(self, step: Step, manifests: Mapping[str, str], is_in_place: bool) -> None:
        """One copy before the last installation; with ``is_in_place`` one of them reads sources."""
        node, roles = step.node, self.roles
        copied = self.reading.copied_by(node)
        if self._brings_only(node, manifests):
            again = all(self._is_copied_later(one.source, node) for one in copied)
            keep = any(posixpath.basename(path) in _MANIFEST_NAMES for path in manifests) or self._is_worked_on(copied)
            roles[node] = Role.BOTH if keep and not again else Role.BUILDER
            return
        # A folder that the installation wrote to is copied as that left it.
        in_folder = any(is_within(one.target, folder) for one in copied for folder in self.whole)
        rest = Role.DROPPED if in_folder else Role.RUNNER
        if in_folder or is_in_place:
            roles[node] = rest | Role.BUILDER
        elif manifests:
            roles[node] = Role.BOTH
            self.instead[node] = copies_to(self.reading.context, manifests, step.workdir)
            self.evidence.append(f"the installation reads only {', '.join(manifests)}")
        else:
            roles[node] = Role.BOTH if self._is_called(copied) else Role.RUNNER

    def _is_worked_on(self, copied: Sequence[Copied]) -> bool:
        """A command of the runner names one of the files."""
        places = {one.target for one in copied}
        return any(
            not places.isdisjoint(path for path in (*act.effect.reads, *act.effect.writes) if isinstance(path, str))
            for act in self.stage.acts
            if act.action in {Action.FILES, Action.SET_UP}
        )

    def _is_copied_later(self, path: str, node: Instruction) -> bool:
        places = [one.place_of(path) for one in self.reading.copied_by(node)]
        later = self.reading.copies[len(self.reading.copies_before(node)) :]
        return any(one.place_of(path) in places for one in later if one.node is not node)

    def _is_called(self, copied: Sequence[Copied]) -> bool:
        """Whether a RUN of the builder names what is copied, or it is a setting outside of the project."""
        roles = self.roles
        runs = (one.node for one in self.reading.runs if Role.BUILDER in roles.get(one.node, Role.DROPPED))
        text = "\n".join(node.argument for node in runs)
        for one in copied:
            name = posixpath.basename(one.source) or one.target
            if one.target != "/" and (name in text or one.target in text):
                return True
            is_script = one.source.endswith((".py", ".sh", ".html", ".js", ".css", ".sql"))
            if one.target.startswith(("/etc/", "/root/", "/usr/local/share/ca-certificates")) and not is_script:
                return True
        return not copied

    def _brings_only(self, node: Instruction, manifests: Collection[str]) -> bool:
        """A COPY brings nothing but files that installations read."""
        found: list[str] = []
        for one in self.reading.copied_by(node):
            files = self.reading.context.files(one.source) if one.is_folder else (one.source,)
            found += (one.source,) if isinstance(files, Unknown) else files
        return bool(found) and all(any(is_within(path, name) for name in manifests) for path in found)


def _flags(step: Step) -> str:
    return "".join(f"{flag.text} " for flag in step.node.flags)


__all__ = ["Parts"]
