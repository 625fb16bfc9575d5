"""Where the files of an image come from: the build context, through all stages of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.flow.reading import Copied, StageReading, is_within, join
from refactor.syntax import Instruction

_DEPTH = 20
"""Stages that a file is followed through; more of them in a row are made by a machine."""


def source_of(reading: StageReading, path: str, before: Instruction | None = None) -> str | None:
    """The context path whose copy is at the absolute image ``path`` of the stage (before an instruction), also where it
    came through an earlier stage of the file; "" is the context itself, None: not known to come from the context."""
    return _source_of(reading, path, _DEPTH, before)


def _source_of(reading: StageReading, path: str, left: int, before: Instruction | None = None) -> str | None:
    found = reading.in_context(path, before)
    if found is not None or left == 0:
        return found
    for step, origin in reversed(reading.copies_of_stages):
        node = step.node
        is_later = before is not None and reading.position(node) >= reading.position(before)
        if node.destination is None or is_later:
            continue
        target = reading.targets[node]
        if path != target and not path.startswith(target.rstrip("/") + "/"):
            continue
        rest = path[len(target) :].lstrip("/")
        first, _, behind = rest.partition("/")
        for raw in node.sources:
            source = join("/", reading.expand(raw, node) or raw)
            # Whether the source is a folder (whose content is copied) or a file is not known before it is found.
            inside = [join(source, behind or ".")] if first == source.rpartition("/")[2] else []
            for candidate in (join(source, rest or "."), *inside):
                found = _source_of(origin, candidate, left - 1)
                if found is not None:
                    return found
    parent = reading.parent
    return None if parent is None else _source_of(_read(reading, parent.index), path, left - 1)


def origin_of(reading: StageReading, name: str | None) -> StageReading | None:
    """The reading of the earlier stage that ``COPY --from=name`` means, None for an image."""
    stage = reading.file.stage(name) if name else None
    return None if stage is None or stage.index >= reading.stage.index else _read(reading, stage.index)


def _read(reading: StageReading, index: int) -> StageReading:
    return StageReading.of(reading.file, reading.file.stages[index], reading.context)


def origins(reading: StageReading) -> Iterator[StageReading]:
    """The stage, those that it is built from, and those that it copies from, each once."""
    seen: set[int] = set()
    waiting = [reading]
    while waiting:
        one = waiting.pop()
        if one.stage.index not in seen:
            seen.add(one.stage.index)
            yield one
            waiting += direct_origins(one)


def direct_origins(reading: StageReading) -> tuple[StageReading, ...]:
    """The stages that one copies from, and the one that it is built from."""
    found = [origin for _, origin in reading.copies_of_stages]
    if reading.parent is not None:
        found.append(_read(reading, reading.parent.index))
    return tuple(found)


_SHORT = {"src": "source", "dst": "target", "destination": "target"}


def mounts(node: Instruction) -> Iterator[dict[str, str]]:
    """The options of each mount of a RUN, under their long names; the type is always among them."""
    for value in node.flag_values("mount"):
        pairs = (part.partition("=")[::2] for part in value.split(","))
        yield {"type": "bind", **{_SHORT.get(name, name): text for name, text in pairs}}


def users_of(reading: StageReading) -> Iterator[Instruction]:
    """What takes something of a stage into later ones: their FROM and ``COPY --from``, in the order of the file."""
    for later in reading.siblings():
        if later.parent is reading.stage:
            yield later.stage.from_
        yield from (step.node for step, origin in later.copies_of_stages if origin.stage is reading.stage)


def brought(readings: Iterable[StageReading], path: str) -> Iterator[tuple[StageReading, str, Instruction]]:
    """Where copies of a folder put a path of the context: the stage, the place in the image and the copy."""
    for reading in readings:
        for copied in reading.copies:
            if copied.is_folder and is_within(f"/{path}", f"/{copied.source}"):
                yield reading, join(copied.target, path[len(copied.source) :].lstrip("/") or "."), copied.node


def all_copies(reading: StageReading) -> tuple[Copied, ...]:
    """What of the build context is in the image of the stage, with its place there: its own copies, those of the stages
    that it is built from, and what it copies out of earlier stages. Not what was removed or changed since."""
    return tuple(dict.fromkeys(_all_copies(reading, _DEPTH)))


def _all_copies(reading: StageReading, left: int) -> Iterator[Copied]:
    if left == 0:
        return
    if reading.parent is not None:
        yield from _all_copies(_read(reading, reading.parent.index), left - 1)
    yield from reading.copies
    for step, origin in reading.copies_of_stages:
        node = step.node
        if node.destination is None:
            continue
        target = reading.targets[node]
        for raw in node.sources:
            source = join("/", reading.expand(raw, node) or raw)
            for copied in _all_copies(origin, left - 1):
                if copied.target == source or copied.target.startswith(source.rstrip("/") + "/"):
                    rest = copied.target[len(source) :].lstrip("/")
                    yield copied._replace(node=node, target=join(target, rest or "."))
                elif copied.is_folder and source.startswith(copied.target.rstrip("/") + "/"):
                    inside = f"{copied.source}/{source[len(copied.target.rstrip('/')) + 1 :]}".lstrip("/")
                    if reading.context.exists(inside) is True:
                        yield Copied(node, inside, target, reading.context.is_dir(inside) is True)


__all__ = ["all_copies", "brought", "direct_origins", "mounts", "origin_of", "origins", "source_of", "users_of"]
