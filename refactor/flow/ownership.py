"""How folders that a program writes to become its user's, without files that are stored a second time.

``chown -R`` in a RUN of its own repeats every file in a new layer. So: an owner for a COPY that makes the folder, for
folders alone where new files are written, and for files of the build context only where they are small.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.places import source_of
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.shell import Command
from refactor.shell.posix import Does, tools
from refactor.syntax import Instruction

SMALL = 64 << 10
"""Bytes that a chown may repeat in a layer; files that are larger get their owner from the COPY that brings them."""
_MAX_FILES = 500
_DATA = (".db", ".sqlite", ".sqlite3", ".log", ".csv", ".json.db")
"""Endings of files that programs change in place."""
_SYSTEM = frozenset("/ /usr /etc /var /bin /sbin /lib /opt /home /root /run /dev /proc /sys /srv /mnt".split())
_QUIET = tools(Does.CHANGES, Does.LOOKS) | {"mkdir", "install"}


class Ownership(NamedTuple):
    """What makes folders the user's."""

    copies: tuple[Instruction, ...] = ()
    """COPY and ADD that get ``--chown``."""
    made: tuple[str, ...] = ()
    """Folders that a RUN makes, unless they are there."""
    flat: tuple[str, ...] = ()
    """Folders and files that get an owner, what lies in them does not."""
    deep: tuple[str, ...] = ()
    """Folders of the context, small, that get an owner with all that lies in them."""
    kept: tuple[str, ...] = ()
    """Folders that a build may have put small files into: a RUN makes them, and they get an owner with all of it."""

    def command(self, owner: str) -> str:
        """The RUN's text, "" where COPY does it all."""
        new, deep = (*self.made, *self.kept), (*self.deep, *self.kept)
        parts = [f"mkdir -p {' '.join(new)}"] if new else []
        flat = (*self.made, *self.flat)
        parts += [f"chown {owner} {' '.join(flat)}"] if flat else []
        parts += [f"chown -R {owner} {' '.join(deep)}"] if deep else []
        return " \\\n    && ".join(parts)


def ownership(
    reading: StageReading,
    folders: Sequence[str],
    owners: Collection[str],
    filled: Collection[str] = (),
    caches: Collection[str] = (),
) -> Ownership | Refused:
    """How ``folders`` (absolute) become the user's; ``owners`` are the ways to write that user, as chown takes them.

    ``filled`` are those into which a RUN puts files of a number and size that nobody knows, ``caches`` those into
    which one puts a few small ones.
    """
    reason = next((why for folder in folders if (why := _why_of_others(reading, folder)) is not None), None)
    if reason is not None:
        return reason
    wanted = [path for path in folders if path not in _given(reading, folders, owners)]
    copies: dict[Instruction, None] = {}
    made, flat, deep, kept = [], [], [], []
    for folder in wanted:
        own = _copies_of(reading, folder)
        if own:
            copies.update(dict.fromkeys(own))
            continue
        if folder == reading.final_workdir and folder not in filled:
            data = _data_files(reading, folder, wanted)
            sources = [path for path in (source_of(reading, one) for one in data) if path is not None]
            bringing = _bringing(reading, folder) if _is_large(reading, sources) else None
            copies.update({bringing: None} if bringing is not None else {})
            flat += [folder, *(() if bringing is not None else data)]
            continue
        if folder in caches:
            kept.append(folder)
            continue
        source = source_of(reading, folder)
        if source is not None:
            files = reading.context.files(source)
            if isinstance(files, Unknown):
                return Refused(f"what {folder} holds cannot be read: {files.reason}")
            bringing = _bringing(reading, folder) if _is_large(reading, files) else None
            if bringing is not None:
                copies[bringing] = None
            else:
                deep.append(folder)
            continue
        filler = "a RUN as root" if folder in filled else _filler(reading, folder)
        if filler is not None:
            return Refused(
                f"{folder}, which the program writes to, is filled by {filler}: a chown -R behind it would store all of"
                " that twice",
                "give the folder its owner where it is filled, then write USER by hand",
            )
        carried = _carried(reading, folder)
        other = next((owner for node in carried if (owner := node.flag("chown")) and owner not in owners), None)
        if other is not None:
            return Refused(
                f"a COPY gives {folder}, which the program writes to, to {other}", "give it to the USER there"
            )
        copies.update(dict.fromkeys(node for node in carried if node.flag("chown") is None))
        made += [] if carried else [folder]
    return Ownership(tuple(copies), tuple(made), tuple(flat), tuple(deep), tuple(kept))


def _why_of_others(reading: StageReading, folder: str) -> Refused | None:
    """The system decides whose a folder is, or the host."""
    if folder in _SYSTEM:
        return Refused(f"the program writes to {folder}, which belongs to the system")
    deployment = reading.context.deployment
    if any(is_within(folder, mount) or is_within(mount, folder) for mount in deployment.mounts):
        by = deployment.named_by("mounts")
        return Refused(
            f"the program writes to {folder}, which {by} mounts: the host decides whose that is",
            "give the mounted folder an owner and add USER by hand",
        )
    return None


def _copies_of(reading: StageReading, folder: str) -> list[Instruction]:
    """The COPY and ADD that bring nothing but the folder."""
    found = []
    for node, target in reading.targets.items():
        if node.flag("chown") is not None:
            continue
        single = node.sources[0].rstrip("/").rpartition("/")[2] if len(node.sources) == 1 else ""
        if is_within(target, folder) or (node.flag("from") is not None and join(target, single) == folder):
            found.append(node)
    # The working directory is there before: its COPY gives what it brings an owner, not the folder itself.
    return [] if folder == reading.final_workdir else found


def _is_large(reading: StageReading, paths: Sequence[str]) -> bool:
    """Whether a chown of these files of the context would store more than :data:`SMALL` bytes twice."""
    size = 0
    for path in paths[: _MAX_FILES + 1]:
        data = reading.context.read_bytes(path)
        size += SMALL + 1 if isinstance(data, Unknown) else len(data)
        if size > SMALL:
            return True
    return len(paths) > _MAX_FILES


def _bringing(reading: StageReading, folder: str) -> Instruction | None:
    """The last COPY or ADD from the context that puts files into a folder, among others perhaps."""
    return next(
        (
            node
            for node, target in reversed(reading.targets.items())
            if node.flag("from") is None and node.flag("chown") is None and is_within(folder, target)
        ),
        None,
    )


def _carried(reading: StageReading, folder: str) -> list[Instruction]:
    """The COPYs that bring the folder from a stage which fills it, among other things."""
    return [
        step.node
        for step, origin in reading.copies_of_stages
        # A build that makes the folder names it, as far as its output is not its language's to know (`filled`).
        if step.node in reading.targets
        and is_within(folder, reading.targets[step.node])
        and any(posixpath.basename(folder) in run.node.argument for run in origin.runs)
    ]


def _filler(reading: StageReading, folder: str) -> str | None:
    """What puts files into a folder that is not the context's: a RUN that names it."""
    for step in reading.steps:
        line = reading.file.line_of(step.node)
        for command in step.commands if step.keyword == "RUN" else ():
            named = {path for path in _paths(step, command) if is_within(path, folder)}
            if named and command.name not in _QUIET:
                return f"the RUN on line {line} as root"
    return None


def _data_files(reading: StageReading, folder: str, others: Sequence[str]) -> list[str]:
    """Data files that the build copies right into a folder the program writes to."""
    source = source_of(reading, folder)
    names = reading.context.children(source) if source is not None else ()
    if isinstance(names, Unknown):
        return []
    paths = [posixpath.join(folder, name) for name in names if name.endswith(_DATA)]
    return [
        path
        for path in paths
        if not any(path != other and is_within(path, other) for other in others if other != folder)
    ]


def _given(reading: StageReading, folders: Sequence[str], owners: Collection[str]) -> set[str]:
    """The folders that a RUN of the author's gives to this user already, with nothing put into them behind it."""
    given: set[str] = set()
    for step in reading.steps:
        if step.node in reading.targets:
            target = reading.targets[step.node]
            given -= {path for path in given if is_within(path, target) or is_within(target, path)}
        elif step.keyword == "RUN":
            script = step.script
            if script is None or script.opaque is not None or any(command.name == "cd" for command in script.commands):
                given.clear()
                continue
            named = {path for command in step.commands for path in _paths(step, command)}
            given -= {path for path in given if any(is_within(one, path) for one in named)}
            made = {path for command in step.commands if command.name == "mkdir" for path in _paths(step, command)}
            for command in step.commands:
                if command.name == "chown" and set(owners).intersection(command.args):
                    is_deep = any(arg in {"-R", "--recursive"} for arg in command.args)
                    paths = _paths(step, command)
                    given.update(path for path in folders if path in paths and (is_deep or path in made))
    return given


def _paths(step: Step, command: Command) -> set[str]:
    return {join(step.workdir, arg) for arg in command.args if not arg.startswith("-")}


__all__ = ["Ownership", "ownership"]
