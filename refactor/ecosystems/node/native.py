"""What packages and sources need of the system: a compiler to install, libraries and programs when they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.node.known import date, names, packages, pairs
from refactor.ecosystems.node.lockfiles import NodeLock
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.sources import facts

_CALLED = names("on-full-image")


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
            if name in _CALLED:
                found.setdefault(name, f"{path}:{line}")
    return found


def needed_packages(lock: NodeLock | None, package: PackageJson) -> dict[str, str]:
    """System packages of the full image that production packages need -> why."""
    names = {**package.dependencies, **package.optional_dependencies}
    present = {*names, *(one.name for one in (lock.packages if lock is not None else ()) if not one.is_dev)}
    needed = {"openssl": "Prisma's query engine is linked with it"} if "@prisma/client" in present else {}
    return needed | {program: f"{name} calls it" for name, program in pairs("callers").items() if name in names}
