"""What Python distributions need of the system: which of them are built from source where they are installed, and the
libraries and programs that they need to run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems import system
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.lockfiles import LockedDistribution
from refactor.ecosystems.python.requirements import Requirement
from refactor.ecosystems.python.sources import in_sources
from refactor.flow.reading import Refused
from refactor.images import BaseImage, pypi
from refactor.images.wheels import State, key_fits, read_name, row_of, state_of, table

_CALL = re.compile(
    r"\b(?:subprocess\.(?:run|call|check_call|check_output|Popen)|Popen|check_output|check_call|os\.(?:system|popen)|"
    r"shutil\.which|which|create_subprocess_(?:exec|shell)|run|local|sh\.Command|getoutput|getstatusoutput)"
    r"\(\s*\[?\s*[rbf]?(?:\"\"\"|\"|')\s*([\w./+-]+)"
)


class Verdict(NamedTuple):
    """What is known of the distributions of some installations."""

    wheels: tuple[str, ...]
    """Names that install without a compiler."""
    built: Mapping[str, str]
    """Those that are built from source where they are installed -> why."""
    unknown: tuple[str, ...]
    """As the requirement is written: nothing says how it is installed."""


def judge(installs: Iterable[ReadInstall], image: BaseImage) -> Verdict:
    """Asks the files that a lockfile lists, else the table of wheels for the CPython and the C library of ``image``."""
    found = re.match(r"3\.\d+", image.version)
    python, libc = found[0] if found else "", image.libc or ""
    name = "PyPy" if image.family == "pypy" else "CPython"
    where = f"{name} {python} and {libc}" if python else "this Python"
    python = f"pp{python}" if image.family == "pypy" else python
    states: dict[str, tuple[State, str]] = {}
    built: dict[str, str] = {}
    for install in installs:
        built.update(_from_source(install))
        for locked in install.locked:
            if locked.source == "registry":
                states[locked.name] = _of_locked(locked, python, libc)
        for shown, name, state in () if install.locked else _of_requirements(install.requirements, python, libc):
            states.setdefault(name, (state, shown))
    for name, (state, shown) in states.items():
        if state == "built":
            built.setdefault(name, f"{shown} has no wheel for {where} ({table().date})")
    return Verdict(
        tuple(sorted(name for name, (state, _) in states.items() if state == "wheel")),
        built,
        tuple(dict.fromkeys(shown for state, shown in states.values() if state == "unknown")),
    )


def _from_source(install: ReadInstall) -> Iterator[tuple[str, str]]:
    """The distributions that no wheel is known of, with the fact that says so."""
    if install.compiles is not None:
        yield "the project", install.compiles
    for need in install.requirements:
        name = need.name or ""
        if name in pypi.SOURCE_ONLY:
            yield name, f"{name} has no Linux wheel on PyPI"
        elif name == "psycopg" and "c" in need.extras:
            yield name, "psycopg[c] is compiled"
        elif need.needs_git:
            yield name or need.text, f"{name or need.url} is fetched with git"
    lock = next((path for path in install.manifests if path.endswith(".lock")), "")
    for locked in install.locked:
        if locked.source == "git":
            yield locked.name, f"{lock} takes {locked.name} from git"
        elif locked.source == "registry" and locked.is_source_only and locked.name not in pypi.PURE_SOURCES:
            yield locked.name, f"{lock} lists no wheel of {locked.name}"


def _of_locked(locked: LockedDistribution, python: str, libc: str) -> tuple[State, str]:
    shown = f"{locked.name} {locked.version}" if locked.version else locked.name
    if locked.name in pypi.PURE_SOURCES or locked.is_pure:
        return "wheel", shown
    if not locked.files:
        return state_of(locked.name, f"=={locked.version}" if locked.version else "", python, libc), shown
    keys = {key for file in locked.files for key in read_name(file)[2]}
    if any(key_fits(key, python, libc) for key in keys):
        return "wheel", shown
    return ("built" if python else "unknown"), shown


def _of_requirements(requirements: Iterable[Requirement], python: str, libc: str) -> Iterator[tuple[str, str, State]]:
    """What is shown, the name and the state of each requirement and of the compiled distributions that it needs."""
    listed = [need for need in requirements if need.name]
    names = {need.name for need in listed}
    for need in listed:
        name = need.name or ""
        if need.url is not None or need.path is not None or name in pypi.SOURCE_ONLY:
            continue
        shown = name + need.specifier
        yield shown, name, "wheel" if name in pypi.PURE_SOURCES else state_of(name, need.specifier, python, libc)
        own = row_of(name)
        more = [] if own is None else list(own.needs)
        for extra in need.extras:
            row = row_of(f"{name}[{extra}]")
            if row is None:
                yield f"{name}[{extra}]", f"{name}[{extra}]", "unknown"
            else:
                more += row.needs
        for other in more:
            # What pip picks for a dependency is the newest that fits.
            if other not in names and other not in pypi.PURE_SOURCES:
                yield f"{other} (for {name})", other, state_of(other, "", python, libc)


def why_compiler_stays(installs: Iterable[ReadInstall]) -> str | None:
    """The distribution that needs the compiler at run time."""
    names = (need.name for install in installs for need in install.requirements)
    name = next((one for one in names if one in pypi.COMPILES_AT_RUN_TIME), None)
    return None if name is None else f"{name} calls a C compiler when the program runs"


def with_git(built: Mapping[str, str]) -> tuple[str, ...]:
    """The names among them that are fetched with git."""
    return tuple(name for name, why in built.items() if why.endswith((" from git", " with git")))


def libraries(installs: Iterable[ReadInstall], image: BaseImage, built: Iterable[str]) -> Mapping[str, str]:
    """System packages that the installed distributions need at run time -> why, by the names of the image's
    release.
    """
    from refactor.images.system_packages import classify, loads_system_library, native_needs

    distro, release = image.distro or "debian", image.release
    found: dict[str, str] = {}

    def of_headers(packages: Iterable[str]) -> Iterator[str]:
        for package in packages if distro != "alpine" else ():
            yield from classify(package, distro, release).runtime or ()

    # A slim image has only the libraries that the stage installs itself: what of those is needed at run time
    # follows from the -dev packages.
    for name in built if image.variant == "fat" else ():
        for library in (*native_needs(name, distro, release), *of_headers(pypi.EXTRA_LIBRARIES.get(name, ()))):
            found.setdefault(library, f"{name} is linked with it when it is compiled")
    for need in (need for install in installs for need in install.requirements):
        name = need.name or ""
        if name in built or not name:
            continue
        wanted = list(native_needs(name, distro, release)) if loads_system_library(name) else []
        if name != "psycopg" or not {"binary", "c"} & set(need.extras):
            wanted += of_headers(pypi.OPENS.get(name, ()))
        if name in pypi.LOADS_OPENMP:
            wanted.append("libgomp" if distro == "alpine" else "libgomp1")
        for library in wanted:
            found.setdefault(library, f"{name} loads it at run time")
    return found


def why_library_unknown(image: BaseImage, built: Iterable[str]) -> str | None:
    """A distribution that the full image builds against a library whose package name is not known."""
    from refactor.images.system_packages import classify, native_build_needs

    for name in built if image.variant == "fat" else ():
        for package in native_build_needs(name) if name not in pypi.EXTRA_LIBRARIES else ():
            if classify(package, image.distro or "debian", image.release).runtime is None:
                where = image.release or f"the release behind {image.reference}"
                return f"{name} is compiled with {package}, and what its library is called on {where} is not known"
    return None


def programs(installs: Iterable[ReadInstall], context: BuildContext) -> dict[str, str] | Refused:
    """Programs that the project starts at run time -> where: its sources and the distributions that it installs."""
    found: dict[str, str] = {}
    for install in installs:
        for need in install.requirements:
            program = pypi.PROGRAMS.get(need.name or "")
            if program is not None:
                found.setdefault(program, f"the distribution {need.name}")
    calls = context.remember("python-programs", lambda: in_sources(context, _CALL))
    if isinstance(calls, Unknown):
        return Refused(f"which programs the sources start is not known: {calls.reason}")
    called = ((word.rpartition("/")[2], where) for word, where in reversed(calls))
    return {**found, **{name: where for name, where in called if name in system.PROVIDERS}}
