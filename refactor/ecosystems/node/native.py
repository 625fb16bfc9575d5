"""What packages and sources need of the system: a compiler to install, libraries and programs when they run; and so
whether the slim variant of a Node image is enough."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.answers import Slim
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.node.known import date, names, packages, pairs
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.lockfiles import NodeLock
from refactor.ecosystems.node.needs import start_of
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.programs import Programs
from refactor.ecosystems.node.projects import Project, any_lock, project_installs
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.runners import lacking
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, installed, is_package_step
from refactor.flow.reading import Refused, StageReading
from refactor.images import BaseImage, lookup


class Native(NamedTuple):
    """A package that may be compiled when it is installed."""

    name: str
    why: str


class Judged(NamedTuple):
    """What is known of the packages that an installation brings."""

    compiled: tuple[Native, ...]
    """Those that may need python3, make and a C++ compiler."""
    unknown: tuple[str, ...]
    """Names of those of which nothing says whether they need that."""
    evidence: str
    """What was read, for the rest."""

    @property
    def why_unknown(self) -> str:
        """What is said of ``unknown``."""
        shown = ", ".join(self.unknown[:3]) + (f" and {len(self.unknown) - 3} more" if self.unknown[3:] else "")
        return f"nothing says whether {shown} can be installed without a compiler"


def judge(context: BuildContext, lock: NodeLock | None, package: PackageJson, *, production: bool) -> Judged:
    """Asks the lockfile which packages have an install script, else the table of plain packages."""
    found: dict[str, str] = {}
    unknown: dict[str, None] = {}
    compiled, quiet = packages("compiled"), packages("quiet")
    if lock is not None and lock.records_install_scripts and (lock.manager, lock.version) != ("npm", "1"):
        installed = [one for one in lock.packages if not (production and one.is_dev)]
        scripts = lock.with_install_scripts(production=production)
        for locked in scripts:
            if locked.name in compiled or (lock.manager == "npm" and _has_helper(context, lock.path, locked.location)):
                found.setdefault(locked.name, f"{lock.path} says that {locked.name} has an install script")
            elif locked.name not in quiet and not locked.is_optional:
                unknown[locked.name] = None
        named = ", ".join(dict.fromkeys(one.name for one in scripts))
        run = f"only {named} run an install script, which compiles nothing" if named else "none runs an install script"
        evidence = f"read {lock.path}: of {len(installed)} packages that it lists, {run}"
        return Judged(tuple(Native(*one) for one in found.items()), tuple(unknown), evidence)
    if lock is not None:
        names = [one.name for one in lock.packages if not (one.is_link or (one.is_dev and production))]
    else:
        wanted = {**package.dependencies, **package.optional_dependencies}
        names = [*wanted, *(() if production else package.dev_dependencies)]
    read = package.path if lock is None else lock.path
    for name in names:
        if name in compiled:
            found.setdefault(name, f"{name} in {read} is compiled where no prebuilt file fits")
        elif name not in packages("plain") and name not in quiet and not name.startswith("@types/"):
            unknown[name] = None
    known = f"all {len(names)} packages that {read} names are known to install without a compiler (table of {date()})"
    return Judged(tuple(Native(*one) for one in found.items()), tuple(unknown), known)


def _has_helper(context: BuildContext, lock: str, location: str) -> bool:
    """The package depends on what compiled packages depend on, by its entry in package-lock.json; npm goes on without
    an optional one that does not compile."""
    entry = table(table(table(context.json(lock)).get("packages")).get(location))
    if location.rpartition("node_modules/")[2] in packages("quiet") or True in (
        entry.get("optional"),
        entry.get("devOptional"),
    ):
        return False
    needs = {*table(entry.get("dependencies")), *table(entry.get("optionalDependencies"))}
    return not packages("helpers").isdisjoint(needs)


def libraries(natives: tuple[Native, ...], distro: str, release: str | None) -> dict[str, str] | str:
    """System packages that the compiled packages load when they run -> why; or the name of one that is not known."""
    from refactor.images.system_packages import npm_native_needs

    needed: dict[str, str] = {}
    for native in natives:
        names = npm_native_needs(native.name, distro, release)
        for name in names:
            needed.setdefault(name, f"{native.name} is linked with it where it was compiled")
        if not names and native.name not in packages("self-contained"):
            return native.name
    return needed


def called_programs(context: BuildContext, files: Sequence[str]) -> dict[str, str]:
    """Programs that the sources start by a literal name -> where."""
    found: dict[str, str] = {}
    for path in files:
        for name, line in facts(context, path).spawns.items():
            if name in names("on-full-image"):
                found.setdefault(name, f"{path}:{line}")
    return found


def needed_packages(lock: NodeLock | None, package: PackageJson) -> dict[str, str]:
    """System packages of the full image that production packages need -> why."""
    names = {**package.dependencies, **package.optional_dependencies}
    present = {*names, *(one.name for one in (lock.packages if lock is not None else ()) if not one.is_dev)}
    needed = {"openssl": "Prisma's query engine is linked with it"} if "@prisma/client" in present else {}
    return needed | {program: f"{name} calls it" for name, program in pairs("callers").items() if name in names}


# On the slim image


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
    if unit is not None:
        if isinstance(server, Refused):
            return server
        places += called_programs(reading.context, server.files).items()
    asked = [*called, *((name, f"{place} calls {name}") for name, place in places)]
    for _, package, why in lacking(image, dict(reversed(asked))):
        packages.setdefault(package, why)
    if unit is not None:
        packages.update(needed_packages(any_lock(reading.context, unit), unit.package))
    has = target.preinstalled | installed(reading)
    wanted = {name: why for name, why in packages.items() if name not in has}
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
