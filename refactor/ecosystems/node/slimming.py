"""Whether the program of a stage runs on the slim variant of its Node image, and what it needs there."""

from __future__ import annotations

import re

from refactor.ecosystems.answers import Slim
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.native import called_programs, judge, needed_packages
from refactor.ecosystems.node.needs import start_of
from refactor.ecosystems.node.programs import Programs
from refactor.ecosystems.node.projects import Project, any_lock, project_installs
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, PROVIDERS, is_package_step, programs_started
from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup

_CERTIFICATES = frozenset({"curl", "wget", "git"})
_FROM_GIT = r"(?!npm:|workspace:|file:)(?:git(\+|:|@)|github:|bitbucket:|gitlab:|[\w.-]+/[\w.-]+(#.*)?$)"
"""Of a dependency that npm fetches with git."""


def slim(reading: StageReading) -> Slim | Refused | None:
    """See :meth:`Ecosystem.slim`."""
    image = reading.image
    if image is None or image.family not in {"node", "bun"} or image.variant != "fat":
        return None
    target = lookup(image.with_variant("slim") or "")
    if target is None:
        return None
    if image.family == "bun":
        return Slim((), (f"{target.reference} has the same packages, without documentation and translations",))
    start, packages, evidence = start_of(reading), dict[str, str](), list[str]()
    if isinstance(start, Refused):
        return start
    called = _why_compiled(reading, target, packages, evidence) or _called(reading, target, packages)
    if isinstance(called, Refused):
        return called
    # Nest's watch mode lists processes to end the old one (@nestjs/cli, lib/utils/tree-kill.js).
    nest = next((ran for ran in start.runs if ran.program == "nest" and {"-w", "--watch"} & set(ran.args)), None)
    if nest is not None:
        packages.setdefault("procps", f"{nest.shown} calls ps at each restart")
    unit, server, places = start.unit, start.server, [*programs_started(reading).items()]
    if unit is not None and isinstance(server, Refused):
        return server
    if unit is not None and not isinstance(server, Refused):
        places += called_programs(reading.context, server.files).items()
    for name, why in (*called, *((name, f"{place} calls {name}") for name, place in places)):
        names = {name, PROVIDERS.get(name, name)}
        if names & image.preinstalled and not names & target.preinstalled:
            packages.setdefault(PROVIDERS.get(name, name), why)
    if unit is not None:
        packages.update(needed_packages(any_lock(reading.context, unit), unit.package))
    installed = {
        re.split(r"[=:/]", word.literal)[0]
        for _, call in reading.calls
        if call.manager in SYSTEM_MANAGERS and call.action == "install"
        for word in call.packages
    }
    wanted = {name: why for name, why in packages.items() if name not in target.preinstalled | installed}
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
        lock, wanted = project.lock, project.package.wanted
        judged = judge(reading.context, lock, project.package, production=project.is_production)
        if judged.compiled:
            native = judged.compiled[0]
            return Refused(
                f"{native.name} may be compiled in this stage, with python3, make and g++, which {target.reference} has"
                f" not: {native.why}",
                "install it in a builder stage on the full image",
            )
        git = next((name for name, version in wanted.items() if re.match(_FROM_GIT, version)), None)
        judged = judged._replace(unknown=tuple(one for one in judged.unknown if one != git))
        if judged.unknown:
            told = "no lockfile says" if lock is None else f"{lock.path} does not say"
            why = f"{told} which packages run install scripts, and the table of plain packages lacks it"
            if lock is not None and lock.manager == "npm" and lock.version != "1":
                why = f"{lock.path} says that an install script is run, and what that does is not known"
            return Refused(
                f"{judged.why_unknown}: {why}",
                "commit a package-lock.json of version 2 or 3, or install in a builder stage on the full image",
            )
        evidence.append(judged.evidence)
        if git is not None:
            told = f"{git} is installed from a Git repository ({wanted[git]})"
            packages |= {"git": told, "ca-certificates": told}
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
        for name in sorted(names & _CERTIFICATES):
            packages.setdefault("ca-certificates", f"{name} on line {line} checks certificates")
        found += [(name, f"line {line} calls {name}") for name in sorted(names)]
        if is_package_step(step) and any(
            "-dev" in word.literal for call in step.calls if call.manager in SYSTEM_MANAGERS for word in call.packages
        ):
            return Refused(f"line {line} installs headers, so something is compiled in this stage")
    return found
