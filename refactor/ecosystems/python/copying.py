"""Which stage of a split gets which COPY: manifests the builder, sources the runner, both what both need."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.python.environments import Environment
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage, is_uv_copy
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.split import Role
from refactor.flow.reading import Copied, StageReading, Step, is_within, join
from refactor.syntax import Instruction

_MANIFEST_NAMES = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})


class Plan(Protocol):
    """The parts of a split's plan that copies decide on."""

    roles: dict[Instruction, Role]
    instead: dict[Instruction, list[str]]
    instead_in_runner: dict[Instruction, str]
    before: dict[Instruction, list[str]]
    evidence: list[str]


class CopyPlacing:
    """Places the COPY and ADD instructions of a stage; the RUNs have their roles already."""

    def __init__(
        self, plan: Plan, stage: PythonStage, installs: Sequence[ReadInstall], environment: Environment
    ) -> None:
        self.plan = plan
        self.stage = stage
        self.reading = stage.reading
        self.installs = installs
        self.environment = environment
        self.whole: set[str] = set()
        """Folders of the project that the runner gets from the builder."""

    def place(self) -> None:
        """Gives every copy a role in the plan, and the builder the manifests in place of whole copies."""
        reading, roles = self.reading, self.plan.roles
        last = max(reading.position(install.act.step.node) for install in self.installs)
        for step in reading.runs:
            is_builder = Role.BUILDER in roles.get(step.node, Role.DROPPED)
            if is_builder and not system.is_package_step(step) and system.system_role(step) is None:
                last = max(last, reading.position(step.node))
        self.whole = {one.folder for one in self.installs if one.is_editable} & set(self.environment.copied)
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
                places = ((copied, _place_of(copied, path)) for copied in reversed(before))
                latest = next(((copied.node, place) for copied, place in places if place is not None), None)
                if latest is not None:
                    found.setdefault(latest[0], {})[path] = latest[1]
        return found

    def _place_copy(self, step: Step, manifests: Mapping[str, str], is_in_place: bool) -> None:
        """One copy before the last installation; with ``is_in_place`` one of them reads sources."""
        node, roles = step.node, self.plan.roles
        copied = self.reading.copied_by(node)
        if is_of_manifests(self.reading, node, manifests):
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
            self.plan.instead[node] = self._copy_texts(step, manifests)
            self.plan.evidence.append(f"the installation reads only {', '.join(manifests)}")
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
        places = [_place_of(one, path) for one in self.reading.copied_by(node)]
        later = self.reading.copies[len(self.reading.copies_before(node)) :]
        return any(_place_of(one, path) in places for one in later if one.node is not node)

    def _is_called(self, copied: Sequence[Copied]) -> bool:
        """Whether a RUN of the builder names what is copied, or it is a setting outside of the project."""
        roles = self.plan.roles
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

    def _copy_texts(self, step: Step, manifests: Mapping[str, str]) -> list[str]:
        """COPY instructions that bring the manifests to where the whole copy would have put them."""
        groups: dict[str, list[str]] = {}
        for path, place in manifests.items():
            is_folder = self.reading.context.is_dir(path) is True
            groups.setdefault(place if is_folder else posixpath.dirname(place), []).append(path)
        texts = []
        for folder, paths in groups.items():
            relative = posixpath.relpath(folder, step.workdir) if step.workdir != "/" else folder
            target = "./" if relative == "." else (folder if relative.startswith("..") else relative).rstrip("/") + "/"
            texts.append(f"COPY {' '.join(paths)} {target}")
        return texts


def is_of_manifests(reading: StageReading, node: Instruction, manifests: Collection[str]) -> bool:
    """A COPY brings nothing but files that installations read."""
    found: list[str] = []
    for one in reading.copied_by(node):
        files = reading.context.files(one.source) if one.is_folder else (one.source,)
        found += (one.source,) if isinstance(files, Unknown) else files
    return bool(found) and all(any(is_within(path, name) for name in manifests) for path in found)


def _place_of(copied: Copied, path: str) -> str | None:
    """Where a copy puts a path of the context, None where it does not copy it."""
    if not copied.is_folder:
        return copied.target if copied.source == path else None
    if copied.source == "" or path == copied.source or path.startswith(copied.source + "/"):
        return join(copied.target, path[len(copied.source) :].lstrip("/") or ".")
    return None
