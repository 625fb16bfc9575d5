"""Which system packages of a stage its runner needs, whatever the language.

An ``apt-get install`` list of a naive stage mixes three kinds of packages: what only a build calls (compilers,
headers), libraries of which the program needs the run-time half (``libpq-dev`` -> ``libpq5``), and what the program
itself uses. :func:`runner_packages` takes them apart; what is not known is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.ecosystems.called import programs_started
from refactor.ecosystems.repositories import repositories, repository_steps
from refactor.ecosystems.split import Role
from refactor.ecosystems.system import (
    MANAGERS,
    Wanted,
    classified,
    cleans,
    install_text,
    is_cleaning,
    is_package_step,
    is_system_call,
    provider,
    wanted_packages,
)
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command
from refactor.shell.posix import SILENT
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.images import BaseImage


class RunnerPackages(NamedTuple):
    """The system packages of a stage, taken apart for its runner."""

    install: str | None
    """Canonical text of the one RUN that installs them, None where the runner needs none."""
    packages: tuple[str, ...]
    """What that RUN installs, as written there."""
    dropped: tuple[str, ...]
    """Packages of the stage that only its build needs."""
    evidence: tuple[str, ...]
    roles: Mapping[Instruction, Role] = {}
    """Roles of the RUN instructions that only handle packages: BUILDER where ``install`` stands for them in the
    runner."""
    before: tuple[str, ...] = ()
    """Canonical instructions that go before ``install``."""
    shared: Mapping[Instruction, tuple[Command, ...]] = {}
    """RUN instructions that handle packages and do something else too, with those other commands. No role is given."""


def runner_packages(
    reading: StageReading,
    runner: BaseImage | None,
    *,
    needed: Mapping[str, str] | None = None,
    programs: Mapping[str, str] | None = None,
    build_only: Mapping[str, str] | None = None,
    builder: str | None = None,
    not_called: Collection[str] = (),
) -> RunnerPackages | Refused:
    """What the runner on the image ``runner`` has to install of what the stage installs.

    Build-only packages are dropped, ``-dev`` packages become the libraries of the distribution's release, the rest is
    kept, known or not; a program such as git or curl is dropped where a RUN calls it and nothing at run time does.
    ``needed`` are packages to add, ``programs`` programs that are called at run time, ``build_only`` packages that the
    language knows to be used by its build alone (each with the reason), ``not_called`` those that the runner's new
    start command does without. Programs are added where the stage's base image has them and the runner's has not. With
    the name of the ``builder`` stage, package repositories that the stage adds are copied from it (``before``);
    without, their RUNs are kept whole in both stages or refused. What CMD, ENTRYPOINT, HEALTHCHECK and the scripts they
    start call is looked up here.
    """
    found = repositories(reading, runner, builder)
    if isinstance(found, Refused):
        return found
    whole, copies = found
    started = {name: where for name, where in programs_started(reading).items() if name not in not_called}
    sorter = _Sorter(reading, runner, {**started, **(programs or {})}, build_only or {})
    for one in wanted_packages(reading):
        refused = sorter.sort(one) if one.step.node not in whole else None
        if refused is not None:
            return refused
    sorter.add(needed or {})
    roles, shared = _roles(reading, whole, repository_steps(reading) if copies else ())
    evidence, names = sorter.evidence, tuple(sorter.install.values())
    for node in whole:
        line = reading.file.line_of(node)
        evidence.append(f"line {line} is kept whole in both stages: it sets up a package repository of its own")
    dropped = tuple(dict.fromkeys(sorter.dropped))
    if dropped:
        evidence.insert(0, f"only the build needs {', '.join(dropped)}")
    text = install_text(reading, names, sorter.recommends, runner) if names else None
    if isinstance(text, Refused):
        return text
    if copies and text is not None:
        evidence.append("the package repositories that the stage adds are copied from the builder")
    return RunnerPackages(text, names, dropped, tuple(evidence), roles, copies if text else (), shared)


def _roles(
    reading: StageReading, whole: Collection[Instruction], added: Collection[Step]
) -> tuple[dict[Instruction, Role], dict[Instruction, tuple[Command, ...]]]:
    """The roles of the RUNs that handle packages, and what others do besides; ``added`` are those that add package
    repositories which the runner copies."""
    roles: dict[Instruction, Role] = {}
    shared: dict[Instruction, tuple[Command, ...]] = {}
    for step in reading.runs:
        if step.node in whole:
            roles[step.node] = Role.BOTH
        elif is_package_step(step) or step in added:
            others = () if step in added else _others(step)
            if others:
                shared[step.node] = others
            else:
                roles[step.node] = Role.BUILDER
        elif is_cleaning(step):
            roles[step.node] = Role.BUILDER
    return roles, shared


class _Sorter:
    """Tells of each package whether the runner installs it; ``started`` are programs that are called at run time."""

    def __init__(
        self,
        reading: StageReading,
        runner: BaseImage | None,
        started: Mapping[str, str],
        build_only: Mapping[str, str],
    ) -> None:
        self.reading = reading
        self.started = started
        self.build_only = build_only
        has = runner.preinstalled if runner is not None else frozenset[str]()
        self.has = has | ({"ca-certificates"} if "ca-certificates-bundle" in has else set())
        self.called = {provider(reading, program): (program, where) for program, where in started.items()}
        self.removed = {word.literal for _, call in reading.calls
                        if call.manager in MANAGERS and call.action == "remove" for word in call.packages}  # fmt: skip
        self.install: dict[str, str] = {}
        """Names -> as they are written in the runner."""
        self.dropped: list[str] = []
        self.evidence: list[str] = []
        self.recommends = False

    def sort(self, one: Wanted) -> Refused | None:
        line = self.reading.file.line_of(one.step.node)
        if one.call.command.is_conditional or one.step.script is None or one.step.script.opaque is not None:
            return Refused(f"line {line} installs {one.name} only under a condition", "install it in a plain `&&` list")
        kind, runtime = self._kind(one)
        if kind == "build":
            self.dropped.append(one.name)
        elif kind == "dev" and runtime is None:
            self.install[one.written] = one.written
            self.evidence.append(f"{one.name} stays in the runner: the library it belongs to is not known by name")
        elif kind == "dev":
            self.dropped.append(one.name)
            self.install |= {library: library for library in runtime or () if library not in {*self.has, *self.install}}
            if runtime:
                self.evidence.append(f"{one.name} is needed to compile; at run time {', '.join(runtime)}")
        elif "$" in one.written or "`" in one.written:
            return Refused(
                f"which package {one.written} on line {line} installs depends on a variable",
                "write the package name, or split by hand",
            )
        else:
            self.install.setdefault(one.name, one.written)
            self.recommends = self.recommends or not one.call.has("--no-install-recommends", "--no-recommends")
        return None

    def _kind(self, one: Wanted) -> tuple[str, tuple[str, ...] | None]:
        """As :func:`classified`, after all that the stage itself says."""
        kind, runtime = classified(self.reading, one.name)
        virtual = one.call.option("-t", "--virtual") if one.call.manager == "apk" else None
        if one.name in self.called:
            program, where = self.called[one.name]
            self.evidence.append(f"{one.name} stays in the runner: {where} calls {program}")
            return "run", runtime
        if one.name in self.build_only:
            self.evidence.append(f"{one.name} is used by the build only: {self.build_only[one.name]}")
            return "build", runtime
        line = _called_by_build(self.reading, one.name) if kind == "unknown" else None
        if line is not None:
            because = f"line {line} calls it, and nothing at run time does"
            self.evidence.append(f"{one.name} is used by the build only: {because}")
            return "build", runtime
        # `apk del` of the headers takes the library along unless something else holds it; the author's image works,
        # so the library came from elsewhere.
        is_removed = one.name in self.removed or (virtual is not None and virtual in self.removed)
        return ("build" if is_removed else kind), runtime

    def add(self, needed: Mapping[str, str]) -> None:
        """What nothing of the stage installs, but the program needs, or calls and has from the fat image."""
        for package, why in needed.items():
            if package not in self.has and package not in self.install:
                self.install[package] = package
                self.evidence.append(f"{package} is added to the runner: {why}")
        image = self.reading.image
        fat = image.preinstalled if image is not None else frozenset[str]()
        for program, where in self.started.items():
            name = provider(self.reading, program)
            is_there = name in self.has or name in self.install or program in self.has
            if not is_there and (name in fat or program in fat):
                self.install[name] = name
                self.evidence.append(f"{name} is added to the runner: {where} calls {program}")


def _called_by_build(reading: StageReading, package: str) -> int | None:
    """The line of a RUN that calls a program of this package."""
    for step in reading.runs:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if name and provider(reading, name) == package:
                return reading.file.line_of(step.node)
    return None


def _others(step: Step) -> tuple[Command, ...]:
    """Commands of a RUN that are neither package handling nor its cleanup."""
    return tuple(
        command
        for command in step.commands
        if not is_system_call(step, command)
        and not cleans(command)
        and not (command.name in SILENT and not command.redirects)
        and command.name != "export"
        and not (command.name is None and command.assignments and not command.words)
    )


__all__ = ["RunnerPackages", "runner_packages"]
