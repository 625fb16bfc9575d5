"""Whether the program of a stage runs on the slim variant of its Node image, and what it needs there."""

from __future__ import annotations

import re

from refactor.context.node_manifests import NodeLock
from refactor.ecosystems.answers import Slim
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.native import called_programs, judge, needed_packages
from refactor.ecosystems.node.needs import start_of
from refactor.ecosystems.node.programs import Programs
from refactor.ecosystems.node.projects import Project, any_lock, project_installs
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, PROVIDERS, is_package_step, programs_started
from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup


def slim(reading: StageReading) -> Slim | Refused | None:
    """See :meth:`Ecosystem.slim`."""
    image = reading.image
    if image is None or image.family not in {"node", "bun"} or image.variant != "fat":
        return None
    target = lookup(image.with_variant("slim") or "")
    if target is not None and image.family == "bun":
        return Slim((), (f"{target.reference} has the same packages, without documentation and translations",))
    if target is None:
        return None
    start = start_of(reading)
    if isinstance(start, Refused):
        return start
    packages: dict[str, str] = {}
    evidence: list[str] = []
    refused = _why_compiled(reading, target, packages, evidence)
    called = _called(reading, target, packages)
    if refused is not None:
        return refused
    if isinstance(called, Refused):
        return called
    # Nest's watch mode lists processes to end the old one (@nestjs/cli, lib/utils/tree-kill.js).
    nest = next((ran for ran in start.runs if ran.program == "nest" and {"-w", "--watch"} & set(ran.args)), None)
    if nest is not None:
        packages.setdefault("procps", f"{nest.shown} calls ps at each restart")
    places = [*programs_started(reading).items()]
    if start.unit is not None:
        server = start.server
        if isinstance(server, Refused):
            return server
        places += called_programs(reading.context, server.files).items()
    for name, why in (*called, *((name, f"{place} calls {name}") for name, place in places)):
        if _is_only_in(name, image.preinstalled, target.preinstalled):
            packages.setdefault(PROVIDERS.get(name, name), why)
    if start.unit is not None:
        packages.update(needed_packages(any_lock(reading.context, start.unit), start.unit.package))
    wanted = {
        name: why for name, why in packages.items() if name not in target.preinstalled and not _installs(reading, name)
    }
    evidence += [f"{name} is added: {why}" for name, why in wanted.items()]
    if not wanted:
        evidence.append("no source, script or health check calls a program that only the full image has")
    return Slim(tuple(wanted), tuple(evidence))


def _why_compiled(
    reading: StageReading, target: BaseImage, packages: dict[str, str], evidence: list[str]
) -> Refused | None:
    """An install that may need a compiler; fills in what the others need, and what was read."""
    for project in project_installs(reading):
        if not isinstance(project, Project):
            return project[1]
        lock, production = project.lock, project.is_production
        judged = judge(reading.context, lock, project.package, production=production)
        if judged.compiled:
            native = judged.compiled[0]
            return Refused(
                f"{native.name} may be compiled in this stage, with python3, make and g++, which {target.reference} has"
                f" not: {native.why}",
                "install it in a builder stage on the full image",
            )
        git = _git_dependency(project, lock)
        unknown = judged._replace(
            unknown=tuple(one for one in judged.unknown if not (git and git.startswith(f"{one} ")))
        )
        if unknown.unknown:
            return Refused(
                f"{unknown.why_unknown}: {_why_not_known(lock)}",
                "commit a package-lock.json of version 2 or 3, or install in a builder stage on the full image",
            )
        evidence.append(judged.evidence)
        packages.update({"git": git, "ca-certificates": git} if git is not None else {})
    return None


def _called(reading: StageReading, target: BaseImage, packages: dict[str, str]) -> list[tuple[str, str]] | Refused:
    """Programs that RUNs call, each with the line; refused where one compiles."""
    found: list[tuple[str, str]] = []
    for step in reading.runs:
        line = reading.file.line_of(step.node)
        if step.script is None or step.script.opaque is not None:
            return Refused(f"what line {line} needs of the full image is not known")
        names = {(command.name or "").rpartition("/")[2] for command in step.commands}
        names |= {ran.program for _, ran in Programs(Layout.of(reading), step.node).of_step(step)}
        compiler = min(names & {"make", "gcc", "g++", "cc", "node-gyp"}, default=None)
        if compiler is not None:
            return Refused(f"line {line} compiles with {compiler}, which {target.reference} has not")
        for name in sorted(names):
            if name in {"curl", "wget", "git"}:
                packages.setdefault("ca-certificates", f"{name} on line {line} checks certificates")
            found.append((name, f"line {line} calls {name}"))
        if is_package_step(step) and any(
            "-dev" in word.literal for call in step.calls if call.manager in SYSTEM_MANAGERS for word in call.packages
        ):
            return Refused(f"line {line} installs headers, so something is compiled in this stage")
    return found


def _why_not_known(lock: NodeLock | None) -> str:
    if lock is None:
        return "no lockfile says which packages run install scripts, and the table of plain packages does not have it"
    if lock.manager == "npm" and lock.version != "1":
        return f"{lock.path} says that an install script is run, and what that does is not known"
    return f"{lock.path} does not say which packages run install scripts, and the table of plain packages lacks it"


def _is_only_in(program: str, full: frozenset[str], small: frozenset[str]) -> bool:
    package = PROVIDERS.get(program, program)
    return (package in full or program in full) and package not in small and program not in small


def _installs(reading: StageReading, package: str) -> bool:
    """The stage installs the package by itself."""
    return any(
        re.split(r"[=:/]", word.literal)[0] == package
        for _, call in reading.calls
        if call.manager in SYSTEM_MANAGERS and call.action == "install"
        for word in call.packages
    )


def _git_dependency(project: Project, lock: object) -> str | None:
    """A dependency that npm fetches with git."""
    for name, wanted in project.package.wanted.items():
        if re.match(r"git(\+|:|@)|github:|bitbucket:|gitlab:|[\w.-]+/[\w.-]+(#.*)?$", wanted) and not wanted.startswith(
            ("npm:", "workspace:", "file:")
        ):
            return f"{name} is installed from a Git repository ({wanted})"
    return None


__all__ = ["slim"]
