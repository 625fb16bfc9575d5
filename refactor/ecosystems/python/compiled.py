"""Which installed distributions come as wheels, which are built from source, and of which neither is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.lockfiles import LockedDistribution
from refactor.ecosystems.python.requirements import Requirement
from refactor.images import pypi
from refactor.images.wheels import State, key_fits, read_name, row_of, state_of, table

if TYPE_CHECKING:
    from refactor.images import BaseImage


class Building(NamedTuple):
    """A distribution that is built from source where it is installed."""

    name: str
    why: str


class Verdict(NamedTuple):
    """What is known of the distributions of some installations."""

    wheels: tuple[str, ...]
    """Names that install without a compiler."""
    built: tuple[Building, ...]
    unknown: tuple[str, ...]
    """As the requirement is written: nothing says how it is installed."""

    @property
    def date(self) -> str:
        """Of the table that was asked."""
        return table().date


def judge(installs: Iterable[ReadInstall], image: BaseImage) -> Verdict:
    """Asks the files that a lockfile lists, else the table of wheels for the CPython and the C library of ``image``."""
    found = re.match(r"3\.\d+", image.version)
    python = found[0] if found else ""
    if image.family == "pypy":
        python = f"pp{python}"
    libc = image.libc or ""
    states: dict[str, tuple[State, str]] = {}
    built: dict[str, str] = {}
    for install in installs:
        built.update(_from_source(install))
        for locked in install.locked:
            if locked.source == "registry":
                states[locked.name] = _of_locked(locked, python, libc)
        if not install.locked:
            for shown, name, state in _of_requirements(install.requirements, python, libc):
                states.setdefault(name, (state, shown))
    name = "PyPy" if image.family == "pypy" else "CPython"
    where = f"{name} {python.removeprefix('pp')} and {libc}" if python else "this Python"
    for name, (state, shown) in states.items():
        if state == "built":
            built.setdefault(name, f"{shown} has no wheel for {where} ({table().date})")
    return Verdict(
        tuple(sorted(name for name, (state, _) in states.items() if state == "wheel")),
        tuple(Building(name, why) for name, why in built.items()),
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
    listed = [need for need in requirements if need.name and not _is_foreign(need.marker)]
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


def _is_foreign(marker: str) -> bool:
    return (
        re.search(r"(?:sys_platform|platform_system|os_name)\s*==\s*[\"'](?:win32|Windows|darwin|Darwin|nt)", marker)
        is not None
    )
