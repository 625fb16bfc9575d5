"""Which distributions install without a compiler, from a dated table (``wheels.txt``, made by ``make_wheels``).

A line is a name, the newest version that was seen, ranges of versions that have a wheel, and after ``>`` the compiled
distributions among what it needs. ``312:0.29.0``: for CPython 3.12 and glibc since 0.29.0; ``312m``: for musl;
``a37``: for any CPython since 3.7 (abi3); ``pp39``: for PyPy 3.9; ``p``: for any Python 3; ``any``: on any system. A
range that ends before the newest version has its end behind a dash. A line without a range is pure Python: all wheels
are for any system.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from refactor.shell import normalise

State: TypeAlias = Literal["wheel", "built", "unknown"]


_GLIBC = re.compile(r"manylinux(?:1|2010|2014|_2_(\d+))_x86_64")
_NEWEST_GLIBC = 28
"""Debian has glibc 2.28 since release 10; a wheel for a newer one is no evidence for every image."""


class Row(NamedTuple):
    """One distribution of the table."""

    newest: str
    ranges: Mapping[str, tuple[str, str]]
    """Key -> first and last version that has such a wheel; {} for pure Python."""
    needs: tuple[str, ...]


class Wheels(NamedTuple):
    """The table."""

    date: str
    lines: Mapping[str, str]
    """By name; read when one is asked for (:func:`read_row`)."""


FALLS_BACK: Mapping[str, tuple[str, str]] = {
    "coverage": ("3.7", ""),  # coveragepy/coveragepy, setup.py: BuildFailed -> set up again without ext_modules
    "markupsafe": ("0.9", ""),  # pallets/markupsafe, setup.py: BuildFailed -> run_setup(False)
    "msgpack": ("0.3", "1.0.6"),  # msgpack/msgpack-python, setup.py: BuildExt; commit acd0684 (1.0.7) ended that
    "pyyaml": ("5.1", ""),  # yaml/pyyaml, setup.py: "Error compiling module, falling back to pure Python"
    "simplejson": ("2.0", ""),  # simplejson/simplejson, setup.py: BuildFailed -> run_setup(False)
    "sqlalchemy": ("0.7", ""),  # sqlalchemy/sqlalchemy, setup.py: BuildFailed, since 2.0 Extension(optional=...)
    "tornado": ("3.2", ""),  # tornadoweb/tornado, setup.py: custom_build_ext, since 6.2 Extension(optional=...)
    "wrapt": ("1.0", ""),  # GrahamDumpleton/wrapt, setup.py: optional_build_ext, since 1.13 Extension(optional=...)
    "zope-interface": ("3.5", ""),  # zopefoundation/zope.interface, setup.py: optional_build_ext
}
"""Distributions whose set-up goes on without the C part where there is no compiler -> first and last such release, read
from the setup.py of each tag of the repository named beside it."""


@cache
def table() -> Wheels:
    """Read at the first question."""
    with open(os.path.join(os.path.dirname(__file__), "wheels.txt"), encoding="utf-8") as file:
        text = file.read()
    first, *lines = text.splitlines()
    return Wheels(first.removeprefix("date "), {line.partition(" ")[0]: line for line in lines})


def read_row(line: str) -> tuple[str, Row]:
    """One line of the table."""
    name, newest, *fields = line.split(" ")
    needs: tuple[str, ...] = ()
    ranges: dict[str, tuple[str, str]] = {}
    for field in fields:
        if field.startswith(">"):
            needs = tuple(field[1:].split(","))
        else:
            key, _, span = field.partition(":")
            start, _, end = span.partition("-")
            ranges[key] = (start, end)
    return name, Row(newest, ranges, needs)


_ask: Callable[[str], Row | None] | None = None


def ask(asker: Callable[[str], Row | None] | None) -> None:
    """From now on this process asks ``asker`` for what the table lacks; None ends that."""
    global _ask
    _ask = asker


def row_of(name: str) -> Row | None:
    """What is known of a distribution, None for nothing."""
    line = table().lines.get(name)
    if line is not None:
        return read_row(line)[1]
    return None if _ask is None else _ask(name)


def release_key(version: str) -> tuple[int, ...]:
    """Orders releases by their numbers; what follows the numbers is left out (``1.0rc1`` as ``1.0``)."""
    found = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in found[1].split(".")] if found else [0]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def state_of(name: str, specifier: str, python: str, libc: str = "glibc") -> State:
    """Whether a distribution installs from a wheel, is known to have none, or is not in the table.

    ``python`` is such as ``3.12``; ``specifier`` as pip takes it: of an open range pip takes the newest.
    """
    row = row_of(name)
    if row is None:
        return "unknown"
    if not row.ranges:
        return "wheel"
    spans = _spans(row, python, libc)
    if name in FALLS_BACK:
        spans.append(FALLS_BACK[name])
    exact = re.fullmatch(r"\s*===?\s*([^*,\s]+)\s*", specifier)
    if python.startswith("pp") and not spans:
        # The table has no wheels for PyPy alone.
        return "unknown"
    if exact is not None:
        version = release_key(exact[1])
        if any(release_key(start) <= version and (not end or version <= release_key(end)) for start, end in spans):
            return "wheel"
        # Older than the first for this CPython; what is older than all that was seen is not known.
        oldest = min(release_key(start) for start, _ in row.ranges.values())
        is_older = all(version < release_key(start) for start, _ in spans) and not python.startswith("pp")
        return "built" if is_older and oldest <= version <= release_key(row.newest) else "unknown"
    below = [release_key(bound) for bound in re.findall(r"(?:<=?|~=|==)\s*([\d.]+)", specifier)]
    if any(not below or all(release_key(start) <= bound for bound in below) for start, _ in spans):
        return "wheel"
    return "unknown"


def _spans(row: Row, python: str, libc: str) -> list[tuple[str, str]]:
    return [span for key, span in row.ranges.items() if key_fits(key, python, libc)]


def key_fits(key: str, python: str, libc: str) -> bool:
    """Whether a key of the table fits a C library and a CPython (``3.12``, "" for one that is not known) or a PyPy
    (``pp3.11``)."""
    major, _, minor = python.partition(".")
    bare = key.removesuffix("m")
    if key == "any":
        return True
    if (key != bare) != (libc == "musl"):
        return False
    if bare.startswith("a"):
        return major == "3" and int(bare[2:]) <= int(minor or 0)
    return bare in {"p", f"{major}{minor}"}


def read_name(file: str) -> tuple[str, str, set[str]]:
    """Distribution, version and keys of a wheel or archive (PEP 427, PEP 600, PEP 656); no keys: nothing for us."""
    if not file.endswith(".whl"):
        base, _, version = re.sub(r"\.(?:tar\.gz|zip)$", "", file).rpartition("-")
        return normalise(base), version, set()
    parts = file[: -len(".whl")].split("-")
    if len(parts) < 5 or not _is_release(parts[1]):
        return "", "", set()
    python, abi, platform = parts[-3:]
    keys: set[str] = set()
    for libc, fits in (("", _fits_glibc(platform)), ("m", "musllinux" in platform and "x86_64" in platform)):
        if fits and abi == "abi3":
            keys |= {f"a{number}{libc}" for number in re.findall(r"cp(3\d+)", python)}
        elif fits and abi == "none":
            keys |= {f"p{libc}"} if "py3" in python else {f"{one}{libc}" for one in re.findall(r"cp(3\d+)", python)}
        elif fits:
            keys |= {f"{number}{libc}" for number in re.findall(r"cp(3\d+)m?(?![\dt])", abi)}
            # As pp39-pypy39_pp73: no wheel for CPython fits, be it abi3.
            keys |= {f"{number}{libc}" for number in re.findall(r"pp3\d+", python) if abi.startswith("pypy")}
    if platform == "any" and "py3" in python:
        keys.add("any")
    return normalise(parts[0]), parts[1], keys


def _is_release(version: str) -> bool:
    return re.fullmatch(r"\d+(?:\.\d+)*(?:\.?post\d+)?", version) is not None


def _fits_glibc(platform: str) -> bool:
    return any(not minor or int(minor) <= _NEWEST_GLIBC for minor in _GLIBC.findall(platform))
