"""Builds of sources that the build context does not show, as a RUN clones or unpacks them: what they write, and where
their installation puts files.

Sources: GNU coding standards, "Variables for Installation Directories" (prefix is /usr/local, all else lies below it);
CMake's manual, ``CMAKE_INSTALL_PREFIX``; Meson's manual, "Built-in options".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.effects import UNPACKS, Effect, Invocation, Path, effects_of_step
from refactor.flow.reading import StageReading, is_within, join
from refactor.shell.posix import use_of

PREFIX = "/usr/local"
_HAS_PREFIX = frozenset("configure config Configure cmake meson bootstrap.sh b2 bjam".split())
"""Whose default prefix is documented; that of a makefile alone is its author's choice."""
_INSTALLS = r"(?:alt)?install(?!ed)[\w-]*|--install"
_PREFIX_OPTION = r"(?:--prefix|-Dprefix|-DCMAKE_INSTALL_PREFIX(?::\w+)?|PREFIX|prefix)=(.+)"
_OUTSIDE = r"(?:--|-D)[\w-]*(?:dir|path|DIR)(?::\w+)?=(/.+)"


class Tree(NamedTuple):
    """Where sources come to lie that the build context does not show."""

    folder: str
    line: int
    position: int
    """Of the instruction in its stage."""
    is_whole: bool
    """They lie in the folder itself; else in one below it, named by the archive."""
    archive: str = ""
    """Absolute path of the file that they come from, as far as that is known."""


class Built(NamedTuple):
    """One call that prepares, builds or installs such sources."""

    root: str
    """The folder of the sources."""
    line: int
    """That of the instruction that brings them."""
    installed: tuple[Path, ...] = ()
    """Where it installs what it built: folders with all that is in them."""

    @property
    def effect(self) -> Effect:
        # Among them: what was there stays.
        return Effect((self.root,), (join(self.root, "*"), *self.installed))


def trees(reading: StageReading) -> tuple[Tree, ...]:
    """The sources that a stage clones or unpacks."""
    return reading.remember("trees of sources", lambda: tuple(_trees(reading)))


def _trees(reading: StageReading) -> Iterator[Tree]:
    for above in islice(reading.lineage(), 1, 2):
        yield from (tree._replace(position=-1) for tree in trees(above))
    names = {"git", *UNPACKS}
    for at, step in enumerate(reading.steps):
        line = reading.file.line_of(step.node)
        if step.node.destination and any(copied.is_unpacked for copied in reading.copied_by(step.node)):
            yield Tree(join(step.workdir, step.node.destination), line, at, False)
        is_bringing = bool(step.node.heredocs) or any(
            (one.name or "").rpartition("/")[2] in names for one in step.commands
        )
        for call, effect in posix_calls(reading, at) if is_bringing and step.keyword == "RUN" else ():
            made = next(iter(effect.writes), None)
            if not isinstance(made, str):
                continue
            if call.name == "git" and call.operands[:1] == ("clone",):
                yield Tree(made, line, at, True)
            if call.name not in UNPACKS:
                continue
            use = use_of(call.name, call.command.args)
            if use is not None and use.changes:
                read = next((path for path in effect.reads if isinstance(path, str)), "")
                yield Tree(made, line, at, any(arg.startswith("--strip") for arg in call.command.args), read)


def posix_calls(reading: StageReading, at: int) -> tuple[tuple[Invocation, Effect], ...]:
    """The commands of a RUN, as the tools of POSIX systems alone explain them."""
    step = reading.steps[at]
    return reading.remember(f"calls {at}", lambda: tuple(effects_of_step(reading, step, lambda _: None)))


def built(call: Invocation, source: str) -> Built | None:
    """What a call does whose build files lie in the folder ``source``; None where no RUN above brings that."""
    reading, position = call.reading, call.reading.position(call.step.node)
    own = [tree for tree in trees(reading) if tree.position <= position and is_within(source, tree.folder)]
    if not own:
        return None
    tree = max(own, key=lambda one: (len(one.folder), one.position))
    rest = posixpath.relpath(source, tree.folder).partition("/")[0]
    root = tree.folder if tree.is_whole else join(tree.folder, rest)
    is_install = any(re.fullmatch(_INSTALLS, arg) for arg in call.command.args)
    return Built(root, tree.line, _installed(call, root, tree.line) if is_install else ())


def _installed(call: Invocation, root: str, line: int) -> tuple[Path, ...]:
    given = _value(call, r"DESTDIR=(.+)") or call.variable("DESTDIR")
    if given is not None:
        return _checked(call, given)
    settings = list(_configured(call, root))
    found = [(one, value) for one in (call, *reversed(settings)) if (value := _value(one, _PREFIX_OPTION)) is not None]
    if not found and not settings:
        return (
            Unknown(
                f"line {line} brings its sources, and where a makefile of others installs to is not known"
                " (name it: `make install PREFIX=/usr/local`)"
            ),
        )
    places = _checked(*found[0]) if found else (PREFIX,)
    for one in (call, *settings):
        for option in one.command.args:
            named = re.fullmatch(_OUTSIDE, option)
            if named is not None and not any(isinstance(place, str) and is_within(named[1], place) for place in places):
                return (Unknown(f"{option} puts files beside {places[0]}, where all else is installed"),)
    return places


def _checked(call: Invocation, given: str) -> tuple[Path, ...]:
    place = call.path(given)
    is_of_system = isinstance(place, str) and not is_within(place, PREFIX) and (
        place in {"/", "/opt", "/home", "/root"}
        or any(is_within(place, folder) for folder in ("/usr", "/lib", "/bin", "/sbin", "/etc", "/var", "/lib64"))
    )  # fmt: skip
    if is_of_system:
        return (Unknown(f"it installs to {place}, among the files of the system (take {PREFIX})"),)
    return (place,)


def _value(call: Invocation, pattern: str) -> str | None:
    """The value of the last option that matches; for ``--prefix`` also as the next word."""
    values = [found[1] for arg in call.command.args if (found := re.fullmatch(pattern, arg)) is not None]
    return values[-1] if values else call.option("--prefix") if pattern == _PREFIX_OPTION else None


def _configured(call: Invocation, root: str) -> Iterator[Invocation]:
    """The calls above that set the build of these sources up."""
    reading = call.reading
    for at in range(reading.position(call.step.node) + 1):
        for one, _ in posix_calls(reading, at) if reading.steps[at].keyword == "RUN" else ():
            if one.name in _HAS_PREFIX and any(isinstance(path, str) and is_within(path, root) for path in _named(one)):
                yield one


def _named(call: Invocation) -> Sequence[Path]:
    words = (posixpath.dirname(call.command.name or "") or ".", ".", *call.operands)
    return [*call.paths(*words), *call.paths(*(value for value in (call.option("-S"),) if value))]


__all__ = ["PREFIX", "Built", "Tree", "built", "posix_calls", "trees"]
