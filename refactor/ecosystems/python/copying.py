"""Which stage of a split gets which COPY: manifests the builder, sources the runner, both what both need."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Protocol

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.python.environments import Environment
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage, is_uv_copy
from refactor.ecosystems.python.starting import laid_out
from refactor.ecosystems.split import Role
from refactor.flow.reading import Copied, Step, join
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
        self.again: list[Instruction] = []
        """Copies of sources that the builder repeats after the dependencies, for the project's own installation."""

    def place(self) -> None:
        """Gives every copy a role in the plan, and the builder the manifests in place of whole copies."""
        reading = self.reading
        last = max(reading.position(install.act.step.node) for install in self.installs)
        for step in reading.runs:
            is_builder = Role.BUILDER in self.plan.roles.get(step.node, Role.DROPPED)
            if is_builder and not system.is_package_step(step) and system.system_role(step) is None:
                last = max(last, reading.position(step.node))
        in_place = [install for install in self.installs if install.sources is not None]
        whole = [
            path for path in self.environment.copied if any(path == i.folder and i.is_editable for i in self.installs)
        ]
        two_phases = self._two_phases(in_place) if in_place and not whole else False
        is_late = two_phases or self._may_be_late(in_place)
        provided = self._provided()
        for index, step in enumerate(reading.steps):
            node = step.node
            if node.keyword not in {"COPY", "ADD"} or node in self.plan.roles:
                continue
            if is_uv_copy(step):
                self.plan.roles[node] = Role.BUILDER
                continue
            if node.flag("from") is not None:
                self.plan.roles[node] = Role.BOTH if index < last else Role.RUNNER
                continue
            if index > last:
                self.plan.roles[node] = Role.RUNNER
                continue
            self._place_copy(step, provided.get(node, {}), in_place, whole, is_late)
        if two_phases and self.again:
            self._install_twice(in_place[0])
        elif self.again:
            self.plan.before.setdefault(in_place[0].act.step.node, []).extend(self._again())

    def _provided(self) -> dict[Instruction, dict[str, str]]:
        """For each copy the manifests that installations take from it -> their absolute places in the image."""
        found: dict[Instruction, dict[str, str]] = {}
        for install in self.installs:
            here = self.reading.position(install.act.step.node)
            for path in install.manifests:
                latest: tuple[Copied, str] | None = None
                for copied in self.reading.copies:
                    if self.reading.position(copied.node) >= here:
                        break
                    place = _place_of(copied, path)
                    if place is not None:
                        latest = (copied, place)
                if latest is not None:
                    found.setdefault(latest[0].node, {})[path] = latest[1]
        return found

    def _place_copy(
        self,
        step: Step,
        manifests: Mapping[str, str],
        in_place: Sequence[ReadInstall],
        whole: Sequence[str],
        is_late: bool,
    ) -> None:
        node, reading = step.node, self.reading
        copied = [one for one in reading.copies if one.node is node]
        files = self._files_of(copied)
        is_only_manifests = bool(files) and all(
            any(path == name or path.startswith(name + "/") for name in manifests) for path in files
        )
        in_folder = any(
            one.target == folder or one.target.startswith(folder + "/") for one in copied for folder in whole
        )
        if in_folder and not is_only_manifests:
            # The folder is copied as the installation left it.
            self.plan.roles[node] = Role.BUILDER
            if is_late:
                self.again.append(node)
                texts = self._copy_texts(step, manifests)
                self.plan.instead[node] = texts
                if not texts:
                    self.plan.roles[node] = Role.DROPPED
            return
        if is_only_manifests:
            again = all(self._is_copied_later(path, node) for path in files)
            keep = any(posixpath.basename(path) in _MANIFEST_NAMES for path in files)
            self.plan.roles[node] = Role.BOTH if keep and not again else Role.BUILDER
            return
        if in_place:
            self.plan.roles[node] = Role.BOTH
            if is_late:
                self.again.append(node)
                texts = self._copy_texts(step, manifests)
                if texts:
                    self.plan.instead[node] = texts
                else:
                    self.plan.roles[node] = Role.RUNNER
            return
        if manifests:
            self.plan.roles[node] = Role.BOTH
            self.plan.instead[node] = self._copy_texts(step, manifests)
            self.plan.evidence.append(f"the installation reads only {', '.join(manifests)}")
            return
        self.plan.roles[node] = Role.BOTH if self._is_called(step, copied) else Role.RUNNER

    def _files_of(self, copied: Sequence[Copied]) -> tuple[str, ...]:
        found: list[str] = []
        for one in copied:
            if not one.is_folder:
                found.append(one.source)
                continue
            files = self.reading.context.files(one.source)
            found += files if not isinstance(files, Unknown) else (one.source,)
        return tuple(found)

    def _is_copied_later(self, path: str, node: Instruction) -> bool:
        places = [_place_of(one, path) for one in self.reading.copies if one.node is node]
        return any(
            _place_of(one, path) in places
            for one in self.reading.copies
            if self.reading.position(one.node) > self.reading.position(node)
        )

    def _is_called(self, step: Step, copied: Sequence[Copied]) -> bool:
        """Whether a RUN of the builder names what is copied, or it is a setting outside of the project."""
        texts = [
            other.node.argument
            for other in self.reading.runs
            if Role.BUILDER in self.plan.roles.get(other.node, Role.DROPPED)
        ]
        for one in copied:
            name = posixpath.basename(one.source) or one.target
            if any(name in text or one.target in text for text in texts if one.target != "/"):
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

    def _two_phases(self, in_place: Sequence[ReadInstall]) -> bool:
        """Dependencies first, then the sources and the project itself: what poetry, uv and pdm can do."""
        install = in_place[0]
        call = install.call
        if len(in_place) > 1 or call is None or call.manager not in {"poetry", "uv", "pdm"} or install.project is None:
            return False
        if call.verb.startswith("pip") or call.packages or install.project.local_paths:
            return False
        if any(one.source == "path" for one in install.locked):
            return False
        step = install.act.step
        if step.node in self.plan.instead_in_runner or step.script is None:
            return False
        if any(other.call is not None and other.call.manager == call.manager for other in self.installs
               if other is not install):  # fmt: skip
            return False
        # The second installation repeats only its own command, which must be what the first RUN ends with.
        if self.stage.acts_of(step)[-1].command is not install.act.command or not step.script.is_and_list:
            return False
        return self._is_one_workdir(step)

    def _may_be_late(self, in_place: Sequence[ReadInstall]) -> bool:
        """An installation that reads manifests alone comes between the sources and the one that needs them."""
        if not in_place:
            return False
        step = in_place[0].act.step
        until = self.reading.position(step.node)
        copies = sorted(self.reading.position(copied.node) for copied in self.reading.copies if copied.is_folder)
        between = [
            install
            for install in self.installs
            if install.sources is None
            and install.manifests
            and copies
            and copies[0] < self.reading.position(install.act.step.node) < until
        ]
        return bool(between) and step.node not in self.plan.instead_in_runner and self._is_one_workdir(step)

    def _is_one_workdir(self, step: Step) -> bool:
        """Copies before the step mean the same when they are repeated just before it."""
        sources = [
            other
            for other in self.reading.steps[: self.reading.position(step.node)]
            if other.keyword in {"COPY", "ADD"} and other.node.flag("from") is None
        ]
        return all(other.workdir == step.workdir for other in sources)

    def _again(self) -> list[str]:
        return [
            f"{node.keyword} {''.join(f'{flag.text} ' for flag in node.flags)}{node.argument}" for node in self.again
        ]

    def _install_twice(self, install: ReadInstall) -> None:
        call, node = install.call, install.act.step.node
        assert call is not None
        flag = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}[call.manager]
        written = self.plan.instead.get(node, [f"RUN {laid_out(node.argument)}"])
        whole = written[-1]
        again = (
            whole.rpartition(" && ")[2] if len(self.stage.acts_of(install.act.step)) > 1 else whole.removeprefix("RUN ")
        )
        self.plan.instead[node] = [*written[:-1], f"{whole} {flag}", *self._again(), f"RUN {again.strip()}"]
        self.plan.roles[node] = Role.BUILDER
        self.plan.evidence.append(
            f"{install.sources}: its dependencies are installed first, so that an edit of the sources repeats only that"
        )


def _place_of(copied: Copied, path: str) -> str | None:
    """Where a copy puts a path of the context, None where it does not copy it."""
    if not copied.is_folder:
        return copied.target if copied.source == path else None
    if copied.source == "" or path == copied.source or path.startswith(copied.source + "/"):
        return join(copied.target, path[len(copied.source) :].lstrip("/") or ".")
    return None
