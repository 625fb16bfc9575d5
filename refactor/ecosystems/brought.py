"""What a runner gets of sources that RUNs clone or unpack, build and install: libraries and programs of others."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from refactor.ecosystems.calls import data
from refactor.ecosystems.program import Needs, Program
from refactor.flow.effects import UNPACKS
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.flow.source_builds import PREFIX, Built, trees

if TYPE_CHECKING:
    from refactor.flow.effects import Invocation, Path
    from refactor.flow.graph import Act

_PLAIN = frozenset({"debian", "ubuntu", "alpine", "buildpack-deps"})
"""Images that have nothing of their own in /usr/local."""
_OF_SYSTEM = r"/usr|/(?:usr/)?(?:s?bin|lib(?:32|64|exec)?)(?:/[\w-]+-linux-[\w-]+)?"
_FILLS = frozenset({"cp", "mv", "install", "rsync"})


class Brought(NamedTuple):
    needs: Needs
    why: str
    """Which sources the program is built with that the build context does not show; "" without any."""


def chain(program: Program) -> Iterator[StageReading]:
    """The stage that makes the program, and those that it is built from."""
    one: StageReading | None = program.origin
    while one is not None:
        yield one
        one = None if one.parent is None else program.flow.readings[one.parent.index]


def brought(
    program: Program,
    built: Callable[[Invocation], Built | None],
    installed: Callable[[Invocation], Collection[Path]],
    build: str,
) -> Brought | Refused:
    """What comes of such sources, and of an installation that puts more than known programs somewhere.

    ``built`` tells a build of sources that the build context does not show, ``installed`` the folders that a call
    fills; ``build`` is the text of the program's own build files.
    """
    flow, why = program.flow, ""
    paths: dict[str, str] = {}
    roots: dict[str, bool] = {}
    acts = [act for reading in reversed(list(chain(program))) for act in flow.acts(reading)]
    for act in acts:
        if act.call is None or not act.effect.by:
            continue
        found = built(act.call)
        if found is not None:
            why = why or f"line {found.line} brings sources that the build context does not show"
            roots[found.root] = roots.get(found.root, False) or bool(found.installed)
        for place in installed(act.call):
            if isinstance(place, str) and flow.makers(program.origin, place):
                paths[place] = f"`{act.text}` on line {act.step.line} installs to it"
    for root, is_installed in roots.items():
        is_there = any(one.act is not None and one.act.effect.by for one in flow.makers(program.origin, root))
        if is_installed or not is_there or _is_linked_in(root, build):
            continue
        if is_within(program.reading.final_workdir, root):
            return Refused(f"{why} to {root}, where the program is started, and which of them it reads is not known",
                           "unpack them into a folder of their own")  # fmt: skip
        paths[root] = f"{why}, and nothing installs what is built of them"
    for act in acts:
        for path in _filled(act, roots):
            if re.fullmatch(_OF_SYSTEM, path):
                return Refused(f"line {act.step.line} puts files among those of the system ({path})",
                               f"put them into {PREFIX}")  # fmt: skip
            if path == "/opt" or path == PREFIX or posixpath.dirname(path) == PREFIX:
                paths[path] = f"line {act.step.line} puts files there"
    shared = next((path for path in paths if path == PREFIX or posixpath.dirname(path) == PREFIX), None)
    image = program.origin.image
    if shared is not None and (image is None or image.family not in _PLAIN):
        return Refused(f"{paths[shared]}, where {program.origin.stage.image} has files of its own",
                       "install to a folder of its own (--prefix=/opt/name)")  # fmt: skip
    archives = {tree.archive for reading in chain(program) for tree in trees(reading) if tree.archive}
    left = rf"(?:{'|'.join(map(re.escape, (*roots, *archives)))})(?:/|\Z)" if roots else Needs().left
    return Brought(Needs(paths, left=left, linker_cache=_cache(program, paths)), why)


def _is_linked_in(root: str, build: str) -> bool:
    """Of what is built in a folder the build files of the program name headers and static libraries (``.a``) alone."""
    pattern = rf"(?:(-[IL]|[=,:])\s*|(?<![\w.-])){re.escape(root)}(?![\w.-])([^\s\"')]*)"
    kinds = set()
    for option, rest in re.findall(pattern, build):
        is_header = option == "-I" or re.search(r"/include(?:/|\Z)|\.h\w*\Z", rest)
        kinds.add("header" if is_header else "archive" if rest.endswith(".a") else "other")
    return "archive" in kinds and "other" not in kinds


def data_beside(program: Program, suffixes: tuple[str, ...], packed: str, why: str) -> Iterator[tuple[str, str]]:
    """Data in the folder that it is started in: a library may open files there by names of its own."""
    made = () if program.act is None else program.act.effect.writes
    copied = [path for path in made if isinstance(path, str) and not path.endswith((*suffixes, "*")) and "." in path]
    for path in (*data(program, suffixes, packed), *copied):
        if is_within(path, program.reading.final_workdir):
            yield path, f"{why}, which may open it"


def _filled(act: Act, roots: Collection[str]) -> Iterator[str]:
    """Folders of which the files that a COPY, ``cp -r lib /usr/local`` or an archive puts there are not told apart."""
    name = act.step.step.keyword if act.call is None else act.call.name
    if name in {"COPY", "ADD"} or (roots and name in _FILLS):
        yield from (path for path in act.effect.writes if isinstance(path, str))
    elif name in UNPACKS:
        # Sources that are built there are told apart.
        yield from (path for path in act.effect.writes if isinstance(path, str) and not re.fullmatch(_OF_SYSTEM, path)
                    and not any(is_within(root, path) for root in roots))  # fmt: skip


def _cache(program: Program, paths: Collection[str]) -> str:
    """Why the linker has to be told of libraries in ``paths``: it finds those of /usr/local and of folders that the
    author names in /etc/ld.so.conf.d by its cache (ld.so(8)). musl has none, and looks into /usr/local/lib."""
    image = program.origin.image
    if image is None or image.libc != "glibc":
        return ""
    environment = program.reading.file.environment(program.reading.steps[-1].node)
    searched = (environment.get("LD_LIBRARY_PATH") or "").split(":")
    own = next((path for path in paths if is_within(f"{PREFIX}/lib", path)), None)
    if own is not None and f"{PREFIX}/lib" not in searched:
        return f"libraries may lie in {own}"
    is_called = any(command.name == "ldconfig" for step in program.reading.runs for command in step.commands)
    return "the stage runs it, for libraries that are copied" if is_called and paths else ""


def with_linker_cache(copies: Iterable[str], programs: Collection[Program], wanted: Needs) -> list[str]:
    """``COPY`` instructions with ``ldconfig`` behind the libraries, in front of what changes more often: the programs,
    and files of the working directory."""
    found = list(copies)
    if not wanted.linker_cache:
        return found
    own = {program.path for program in programs}
    first = [text for text in found if not own & set(text.split()) and text.split()[-1].startswith("/")]
    return [*first, "RUN ldconfig", *(text for text in found if text not in first)]


def stays_behind(acts: Collection[Act], wanted: Needs) -> bool:
    """All that a step does concerns sources of others, or is done anew behind what is copied."""
    return bool(acts) and all(
        all(isinstance(path, str) and re.match(wanted.left, path) for path in act.effect.writes)
        or (wanted.linker_cache != "" and act.call is not None and act.call.name == "ldconfig")
        for act in acts
    )


__all__ = ["Brought", "brought", "chain", "data_beside", "stays_behind", "with_linker_cache"]
