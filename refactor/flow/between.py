"""Where an instruction that stands between the copy of the sources and an install goes when these two change places."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from refactor.context import Unknown
from refactor.flow.reading import Copied, Refused, StageReading, Step, is_within, join
from refactor.shell import SYSTEM_MANAGERS, PackageCall
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.flow.graph import Act, Flow, FlowStep

_SETTINGS = ("/etc", "/root", "/home", "/usr/local/etc", "/usr/local/share/ca-certificates", "/usr/share")
"""Where package managers look for settings, credentials and certificates."""
_OF_THE_SYSTEM = r"/(?:bin|etc|home|lib|opt|root|sbin|srv|tmp|usr|var)(?:/|\Z)"
_CODE = r".*\.(?:[cm]?[jt]sx?|cs|go|java|kt|php|py|rb|rs|scala)"
_OF_THE_IMAGE = SYSTEM_MANAGERS | {"corepack"}
_SOURCE_SUFFIXES = (".py", ".js", ".ts", ".mjs", ".cjs", ".go", ".jsx", ".tsx", ".java", ".rb", ".php", ".rs")
_ABOVE = "move it above the copy of the sources, if the install needs it"


class Move:
    """An install that is to come before the copy of the sources: ``sources`` is the copy, ``install`` the RUN,
    ``manifests`` the context paths of everything that it reads; ``flow`` gives the graph of the file, where it is asked
    for."""

    __slots__ = ("first", "flow", "install", "manifests", "sources")

    def __init__(
        self, sources: Instruction, install: Instruction, manifests: Sequence[str], flow: Callable[[], Flow]
    ) -> None:
        self.sources, self.install, self.manifests, self.flow = sources, install, manifests, flow
        self.first: dict[Instruction, bool] = {}
        """What was found out: whether an instruction stands above the copy, or goes there."""

    def step(self, reading: StageReading, node: Instruction) -> FlowStep:
        return self.flow().steps(reading)[reading.position(node)]


def goes_first(reading: StageReading, node: Instruction, move: Move) -> bool | Refused:
    """Whether an instruction between the copy and the install goes above the manifests (True) or stays below."""
    line = reading.file.line_of(node)
    if node.keyword in {"COPY", "ADD"}:
        return _copy_goes_first(reading, node, move)
    if node.keyword in {"ENV", "ARG", "LABEL", "EXPOSE", "USER", "SHELL", "MAINTAINER", "STOPSIGNAL"}:
        return True
    if node.keyword == "WORKDIR":
        if any(not (copied.node.destination or "/").startswith("/") for copied in reading.copies_before(node)):
            return Refused(f"WORKDIR on line {line} comes after a copy to a relative path", "write WORKDIR before COPY")
        return True
    if node.keyword == "RUN":
        run = move.step(reading, node)
        if run.step.script is not None and run.acts:
            if all(_is_apart(act, move) for act in run.acts):
                return True
            read = {path for manifest in move.manifests for path in reading.in_image(manifest, move.install)}
            if all(_is_harmless(act, read) for act in run.acts):
                return False
        return Refused(
            f"the RUN on line {line} comes between the copy and the install, and may change what the install reads",
            "move it below the install if it does not matter there",
        )
    return Refused(f"{node.keyword} on line {line} comes between the copy and the install")


def _is_apart(act: Act, move: Move) -> bool:
    """The command works on nothing that the copy of the sources brings, nor a step behind that which stays there."""
    reading, effect, call = act.step.reading, act.effect, None if act.call is None else act.call.package
    if call is not None and (call.manager in _OF_THE_IMAGE or _installs_by_name(call)):
        return True
    paths = (*effect.reads, *effect.writes, *effect.removes)
    if not all(isinstance(path, str) for path in paths) or effect.needs or (effect.by and effect.reads):
        return False
    if act.call is not None and act.call.name == "ls":
        return False  # Of the folder that it runs in.
    folders = [one.target for one in reading.copied_by(move.sources) if one.is_folder]
    # What is removed from among the sources may be there another time, whatever the context holds today.
    if any(_is_inside(str(path), folder) for path in effect.removes for folder in folders):
        return False
    return all(
        maker.act is None or maker.kind == "package" or maker.act.step is act.step or _is_first(maker.act, move)
        for path in paths
        for maker in move.flow().makers(reading, str(path), act)
    )


def _is_first(act: Act, move: Move) -> bool:
    """The step of an act stands above the copy of the sources, or goes there."""
    reading, node = act.step.reading, act.step.step.node
    if node not in move.first:
        is_above = reading.position(node) < reading.position(move.sources)
        move.first[node] = is_above or (node is not move.sources and goes_first(reading, node, move) is True)
    return move.first[node]


def _installs_by_name(call: PackageCall) -> bool:
    """Tools of a language, into a place of their own."""
    is_named = call.manager in {"npm", "yarn", "pnpm"} and call.action == "global-install"
    is_tool = (
        call.manager == "pip" and call.action == "install" and bool(call.packages) and not call.has("-r", "-e", "-c")
    )
    is_plain = all(word.value is not None and not word.value.startswith((".", "/")) for word in call.packages)
    return (is_named or is_tool) and is_plain


def _is_harmless(act: Act, read: Collection[str]) -> bool:
    """The command can run after the install as well: it changes nothing of what that reads."""
    from refactor.shell.posix import Does, does

    name = "" if act.call is None else act.call.name
    is_plain = does(name) in {
        *(Does.SAYS, Does.LOOKS, Does.READS, Does.SHELL, Does.USERS),
        *(Does.MAKES, Does.CHANGES, Does.REMOVES, Does.EDITS),
    }
    paths = (*act.effect.writes, *act.effect.removes)
    return is_plain and all(
        isinstance(path, str)
        and not any(sign in path for sign in "*?[")
        and (name in {"chmod", "touch"} or not any(is_within(other, path) for other in read))
        for path in paths
    )


def _is_inside(path: str, folder: str) -> bool:
    """Among what is copied to a folder; the system's own are not where that is the root."""
    return is_within(path, folder) and not (folder == "/" and re.match(_OF_THE_SYSTEM, path))


def _copy_goes_first(reading: StageReading, node: Instruction, move: Move) -> bool | Refused:
    """Whether a COPY or ADD goes before the install (True: the install may read what it brings, such as
    ``/etc/pip.conf``), or stays behind it with the sources (False: it brings sources, or what the container starts).
    """
    line = reading.file.line_of(node)
    step = reading.step(node)
    written = None if node.destination is None else reading.expand(node.destination, node)
    if written is None or step is None:
        return Refused(f"where line {line} copies to depends on a variable", _ABOVE)
    target = join(step.workdir, written)
    own = reading.copied_by(node)
    places = [one.target if one.is_folder else posixpath.dirname(one.target) for one in reading.copied_by(move.sources)]
    is_inside = any(_is_inside(target, place) for place in places)
    from refactor.flow.closure import why_copy_unseen

    unseen = why_copy_unseen(reading, node)
    if unseen is not None:
        return Refused(f"line {line} copies {unseen}", "name the folder that is built from with --context")
    if own and is_inside:
        # Where it replaces a manifest, that one is copied before the install in its place.
        return False
    if not own:
        # From another stage or an address, or written in the Dockerfile: the sources must not take its place.
        ends = (str(path) for act in move.step(reading, node).acts for path in act.effect.writes)
        hidden = next((end for end in ends if reading.in_context(end, node) is not None), None)
        if hidden is not None:
            return Refused(f"line {line} puts {hidden} in the place of what the sources bring", _ABOVE)
        return True
    if not any(_has_sources(reading, copied) for copied in own):
        start = reading.start
        is_started = start is not None and any(copied.target in start.argv for copied in own)
        return not is_started and all(not copied.is_folder or _is_settings(reading, copied) for copied in own)
    if any(is_within(target, folder) for folder in _SETTINGS):
        return Refused(f"line {line} copies sources to {target}, where the install may look for its settings", _ABOVE)
    return False


def _is_settings(reading: StageReading, copied: Copied) -> bool:
    """Settings or certificates for programs of the image: no sources, to where package managers look for such."""
    return any(is_within(copied.target, folder) for folder in _SETTINGS) and not _has_sources(reading, copied)


def _has_sources(reading: StageReading, copied: Copied) -> bool:
    if not copied.is_folder:
        return re.fullmatch(_CODE, copied.source) is not None
    files = reading.context.files(copied.source)
    return isinstance(files, Unknown) or any(re.fullmatch(_CODE, path) for path in files)


def brings_sources(reading: StageReading, node: Instruction) -> bool:
    """Whether an edit of the sources may change what an instruction copies: code of the context, or what an earlier
    stage made."""
    name = node.flag("from")
    if node.keyword == "COPY" and name is not None:
        return reading.file.stage(name) is not None
    return node.keyword in {"COPY", "ADD"} and any(_has_sources(reading, one) for one in reading.copied_by(node))


def first_sources(reading: StageReading, step: Step, manifests: Sequence[str]) -> Instruction | None:
    """The first copy of sources before the install, None where only manifests are copied before it."""
    wanted = set(manifests)
    position = reading.position(step.node)
    sources = reading.remember(
        "copies of sources",
        lambda: [one for one in reading.copies if one.is_folder or one.source.endswith(_SOURCE_SUFFIXES)],
    )
    for copied in sources:
        if reading.position(copied.node) > position:
            break
        if copied.is_folder:
            files = reading.context.files(copied.source)
            is_known = isinstance(files, tuple) and wanted.issuperset(files)
            if not is_known and not _is_settings(reading, copied):
                return copied.node
        elif copied.source not in wanted:
            return copied.node
    return None


def why_no_sources(reading: StageReading, node: Instruction, manifests: Sequence[str]) -> str | None:
    """Why a copy is not known to bring sources beside the manifests: a folder that holds nothing else is hardly the one
    that is built from, and what an install reads of it proves nothing. None where a source was seen."""
    from refactor.flow.closure import is_of_program

    for copied in reading.copied_by(node):
        files = reading.context.files(copied.source) if copied.is_folder else (copied.source,)
        if isinstance(files, Unknown):
            return files.reason
        if any(path not in manifests and is_of_program(posixpath.basename(path)) for path in files):
            return None
    return "nothing but manifests was found there"


__all__ = ["Move", "brings_sources", "first_sources", "goes_first", "why_no_sources"]
