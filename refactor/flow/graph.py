"""The graph of a Dockerfile: what each step of all stages does to the files of its image, and what that means.

Questions that codemods have are questions to it: who makes a path (:meth:`Flow.makers`), where a file was before it
was carried (:meth:`Flow.trace`), which steps a builder runs again after an edit (:meth:`Flow.reached`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.flow.effects import ON_PATH, SYSTEM, UNPACKS, Effect, Invocation, Tools, effects_of_step
from refactor.flow.places import mounts, origin_of
from refactor.flow.reading import StageReading, Step, is_within, join
from refactor.once import cached_property
from refactor.syntax import Dockerfile

_DEPTH = 20
"""Steps, or stages, that a path is followed back through; more of them make a chain that only a machine writes."""
_SHOWN = 20
"""Makers of one path that are told; a folder may have thousands."""


class Act(NamedTuple):
    """One command of a RUN, or a COPY, ADD or WORKDIR as a whole."""

    step: FlowStep
    effect: Effect
    call: Invocation | None = None
    """None for what is no command."""

    @property
    def text(self) -> str:
        """The command as it is written, in one line."""
        if self.call is None:
            return self.step.text
        return " ".join(word.text for word in self.call.command.words) or self.step.text

    @property
    def written(self) -> str:
        """The command as its RUN has it, with assignments, blanks and line breaks."""
        script = self.step.step.script
        return self.text if self.call is None or script is None else script.text[slice(*self.call.command.span)].strip()


class FlowStep:
    """An instruction with its effects."""

    __slots__ = ("acts", "hidden", "line", "reading", "step")

    def __init__(self, reading: StageReading, step: Step, tools: Tools) -> None:
        self.reading = reading
        self.step = step
        self.line = reading.file.line_of(step.node)
        self.hidden = tuple(_hidden(reading, step))
        """Folders that a mount hides while a RUN goes: what is written there is not in the image."""
        self.acts: tuple[Act, ...] = tuple(Act(self, effect, call) for effect, call in _effects(self, tools))

    @property
    def text(self) -> str:
        """The instruction as it is written, in one line."""
        node = self.step.node
        return " ".join((node.keyword, *(flag.text for flag in node.flags), *node.argument.split()))

    def is_hidden(self, path: str) -> bool:
        return any(is_within(path, folder) for folder in self.hidden)


class Maker(NamedTuple):
    """Who makes a path, or a part of what is in it."""

    kind: str
    """"command", "context" (a COPY or ADD of the build context), "copy" (from another stage or image), "package" (an
    install of the system), "image" (it comes with the base image)."""
    path: str
    """The path that is made: absolute in the image; in the context for "context"."""
    act: Act | None = None
    """None for "image"."""


class Flow:
    """All effects of a file over its context."""

    def __init__(self, file: Dockerfile, context: BuildContext, tools: Tools) -> None:
        self.file = file
        self.context = context
        self.tools = tools
        self.readings = tuple(StageReading.of(file, stage, context) for stage in file.stages)
        self._steps: dict[int, tuple[FlowStep, ...]] = {}
        self._indices: dict[int, _Index] = {}

    def steps(self, reading: StageReading) -> tuple[FlowStep, ...]:
        """The steps of one stage."""
        index = reading.stage.index
        if index not in self._steps:
            self._steps[index] = tuple(FlowStep(reading, step, self.tools) for step in reading.steps)
        return self._steps[index]

    def acts(self, reading: StageReading) -> Iterator[Act]:
        """The commands and copies of one stage, in order."""
        return (act for step in self.steps(reading) for act in step.acts)

    def makers(self, reading: StageReading, path: str, before: Act | None = None) -> tuple[Maker, ...]:
        """Who makes ``path`` (absolute, or with wildcards) and what lies in it, as it is at the end of a stage, or just
        before an act of it; the last one first, () where nobody is known to."""
        return tuple(self._makers(reading, path, before))

    def _makers(self, reading: StageReading, path: str, before: Act | None) -> Iterator[Maker]:
        is_found = False
        for act in self._back(reading, path, before):
            for kind, made, place in _made_by(act, path):
                is_found = True
                yield Maker(kind, made, act)
                # What is unpacked to a folder need not be all of it, nor a folder that is copied into one.
                is_shared = (place != path and place in ON_PATH) or (act.call and act.call.name in UNPACKS)
                is_added = kind == "package" or (kind == "context" and self._is_folder(made))
                if _covers(place, path) and not is_shared and not is_added:
                    return
            if any(isinstance(gone, str) and _covers(gone, path) for gone in act.effect.removes):
                return
        if not is_found and any(is_within(path, folder) for folder in SYSTEM) and reading.image is not None:
            yield Maker("image", path)

    def _is_folder(self, path: str) -> bool:
        return path == "" or self.context.is_dir(path) is True

    def _back(self, reading: StageReading, path: str, before: Act | None) -> Iterator[Act]:
        """Acts that may make or remove a path, from the last one back, those of the stages that this one is built from
        behind them."""
        for one in islice(reading.lineage(), _DEPTH):
            index = one.stage.index
            if index not in self._indices:
                self._indices[index] = _Index(tuple(self.acts(one)))
            yield from self._indices[index].back(path, before)
            before = None

    def trace(self, reading: StageReading, path: str) -> Maker | None:
        """Who made a file that is there at the end of a stage, before it was carried (``cp``, ``COPY --from``) and
        changed in place (``chmod``, ``strip``), and under which path; None where that is not known."""
        where, before = reading, None
        for _ in range(_DEPTH):
            makers = self.makers(where, path, before)
            maker = next((one for one in makers if one.path == path), next(iter(makers), None))
            if maker is None or maker.act is None or maker.kind == "context":
                return maker
            act = maker.act
            carried = next((pair for pair in act.effect.carries if _covers(pair[1], path)), None)
            origin = self.origin(act.step)
            if maker.kind == "copy" and origin is None:
                # Of another image, or of an address.
                return maker
            if carried is not None:
                path = _back_through(carried, path)
                where, before = (act.step.reading, act) if origin is None else (origin, None)
            elif act.effect.reads == act.effect.writes and not act.effect.by:
                where, before = act.step.reading, act
            else:
                return maker._replace(path=path)
        return None

    def origin(self, step: FlowStep) -> StageReading | None:
        """The stage of the file that a ``COPY --from`` copies out of."""
        if step.step.keyword != "COPY":
            return None
        return origin_of(step.reading, step.step.node.flag("from"))

    def sources(self, act: Act, reads: Sequence[str | Unknown] | None = None) -> tuple[str, ...]:
        """Context paths that an act reads, or of ``reads`` alone, as they are there when it runs; folders where it
        reads all of one."""
        found: dict[str, None] = {}
        for path in _known(act.effect.reads if reads is None else reads):
            for maker in self.makers(act.step.reading, path, act):
                if maker.kind == "context":
                    found[maker.path] = None
        return tuple(found)

    def suppliers(self, step: FlowStep) -> tuple[FlowStep, ...]:
        """The steps that made what a step reads, of this stage and of those that it copies from, in the order of the
        file; the last few where there are many."""
        found: dict[int, FlowStep] = {}
        for act in step.acts:
            origin = self.origin(step)
            for path in _known(act.effect.reads):
                makers = self._makers(step.reading if origin is None else origin, path, act if origin is None else None)
                for maker in islice(makers, _SHOWN):
                    if maker.act is not None and maker.act.step is not step:
                        found.setdefault(id(maker.act.step), maker.act.step)
        return tuple(sorted(found.values(), key=lambda one: one.line))

    def reached(self, path: str) -> tuple[FlowStep, ...]:
        """The RUN, COPY, ADD and WORKDIR that BuildKit runs again after an edit of a context path, in order.

        BuildKit looks a step up by its text, the step before it and, for COPY, ADD and bind mounts, the content of what
        is read (moby/buildkit, ``solver/llbsolver/ops/file.go``, ``exec.go``): so a stage runs again from the first
        step on that sees another content. What a RUN makes counts as new if it read
        something new, or something of the network.
        """
        if self.context.is_ignored(path) is True:
            return ()
        new: dict[int, _Paths] = {}
        again: dict[int, bool] = {}
        found: list[FlowStep] = []
        for reading in self.used:
            index = reading.stage.index
            parent = None if reading.parent is None else reading.parent.index
            above = None if parent is None else new.get(parent)
            new[index] = _Paths(() if above is None else above.known)
            is_again = parent is not None and again.get(parent, False)
            for step in self.steps(reading):
                hits = list(self._hits(step, path, new))
                is_linked = any(flag.name == "link" for flag in step.step.node.flags)
                if hits or (is_again and not is_linked and step.step.keyword in {"RUN", "COPY", "ADD", "WORKDIR"}):
                    found.append(step)
                    is_again = True
                    new[index].add(_renewed(step, new[index], hits) if step.step.keyword == "RUN" else hits)
            again[index] = is_again
        return tuple(found)

    def _hits(self, step: FlowStep, path: str, new: Mapping[int, _Paths]) -> Iterator[str]:
        """Image paths at which a step brings something new in by itself."""
        node, keyword = step.step.node, step.step.keyword
        if keyword == "RUN":
            for target, source, origin in binds(step.reading, step.step):
                if origin is None:
                    is_hit = is_within(f"/{path}", source) or is_within(source, f"/{path}")
                else:
                    is_hit = origin.stage.index in new and new[origin.stage.index].meet(source)
                if is_hit:
                    yield target
            return
        if keyword not in {"COPY", "ADD"}:
            return
        for copied in step.reading.copied_by(node):
            if copied.source == path or (
                copied.is_folder and (not copied.source or path.startswith(copied.source + "/"))
            ):
                rest = path[len(copied.source) :].lstrip("/") if copied.is_folder else ""
                yield join(copied.target, rest or ".")
        origin = self.origin(step)
        if origin is not None:
            for act in step.acts:
                for source, target in act.effect.carries:
                    if origin.stage.index in new and new[origin.stage.index].meet(source):
                        yield target

    @cached_property
    def used(self) -> tuple[StageReading, ...]:
        """The stages that the last one needs, and it, in the order of the file."""
        needed: set[int] = set()
        waiting = [self.readings[-1]] if self.readings else []
        while waiting:
            one = waiting.pop()
            if one.stage.index in needed:
                continue
            needed.add(one.stage.index)
            if one.parent is not None:
                waiting.append(self.readings[one.parent.index])
            for step in one.steps:
                names = [step.node.flag("from"), *(options.get("from") for options in mounts(step.node))]
                waiting += [origin for name in names if (origin := origin_of(one, name)) is not None]
        return tuple(reading for reading in self.readings if reading.stage.index in needed)


class _Index:
    """The acts of a stage by the paths that they write or remove, so that a look-up does not go through all of them."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.acts = acts
        self._positions = {id(act): at for at, act in enumerate(acts)}
        self._at: dict[str, list[int]] = {}
        """By the path itself."""
        self._below: dict[str, list[int]] = {}
        """By every folder that it lies in."""
        for at, act in enumerate(acts):
            for path in dict.fromkeys(map(_base, _known((*act.effect.writes, *act.effect.removes)))):
                self._at.setdefault(path, []).append(at)
                for folder in _above(path):
                    self._below.setdefault(folder, []).append(at)

    def back(self, path: str, before: Act | None) -> Iterator[Act]:
        end = len(self.acts) if before is None else self._positions.get(id(before), len(self.acts))
        base = _base(path)
        found = [*self._below.get(base, ()), *(at for one in (base, *_above(base)) for at in self._at.get(one, ()))]
        return (self.acts[at] for at in sorted(set(found), reverse=True) if at < end)


class _Paths:
    """Paths, asked whether another one lies in one of them or the other way round."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self.known: set[str] = set()
        self._above: set[str] = set()
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        for path in map(_base, paths):
            if path not in self.known:
                self.known.add(path)
                self._above.update(_above(path))

    def meet(self, path: str) -> bool:
        base = _base(path)
        return base in self._above or base in self.known or any(folder in self.known for folder in _above(base))


def _above(path: str) -> list[str]:
    """The folders that an absolute path lies in, "/" among them."""
    found = []
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        found.append(path)
    return found


def _known(paths: Iterable[str | Unknown]) -> list[str]:
    return [path for path in paths if isinstance(path, str)]


def _effects(step: FlowStep, tools: Tools) -> Iterator[tuple[Effect, Invocation | None]]:
    node, reading, one = step.step.node, step.reading, step.step
    if node.keyword == "WORKDIR":
        value = reading.expand(node.argument, node)
        path = Unknown(f"{node.argument} depends on a variable") if value is None else join(one.workdir, value)
        yield Effect(writes=(path,)), None
    elif node.keyword in {"COPY", "ADD"}:
        yield _copy_effect(step), None
    elif node.keyword == "RUN":
        yield from ((effect, call) for call, effect in effects_of_step(reading, one, tools))


def _copy_effect(step: FlowStep) -> Effect:
    """COPY and ADD; what is read of the context is no path of the image, so ``reads`` has those of stages alone."""
    node, reading = step.step.node, step.reading
    written = None if node.destination is None else reading.expand(node.destination, node)
    if written is None:
        return Effect(writes=(Unknown(f"where line {step.line} copies to depends on a variable"),))
    target = join(step.step.workdir, written)
    if node.flag("from") is None:
        own = dict.fromkeys(target if one.is_unpacked else one.target for one in reading.copied_by(node))
        return Effect(writes=tuple(own) or (target,))
    is_folder = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
    is_folder = is_folder or is_within(step.step.workdir, target)
    carries = []
    for raw in node.sources:
        source = join("/", reading.expand(raw, node) or raw)
        name = posixpath.basename(source)
        # Of a folder the content is copied; a name with an ending is taken for a file's.
        is_file = re.search(r"[*?\[]", name) is None and "." in name.strip(".")
        carries.append((source, join(target, name) if is_folder and is_file else target))
    return Effect(tuple(source for source, _ in carries), tuple(to for _, to in carries), carries=tuple(carries))


def _made_by(act: Act, path: str) -> Iterator[tuple[str, str, str]]:
    """What an act makes of a path: kind, the path that is made (:class:`Maker`), and its place in the image."""
    step = act.step
    if act.call is None and step.step.keyword in {"COPY", "ADD"} and step.step.node.flag("from") is None:
        for copied in step.reading.copied_by(step.step.node):
            if is_within(copied.target, path):
                yield "context", copied.source, copied.target
            elif copied.is_folder and is_within(path, copied.target):
                inside = posixpath.join(copied.source, path[len(copied.target.rstrip("/")) + 1 :])
                if _is_there(step.reading.context, inside):
                    yield "context", inside, path
            elif copied.is_unpacked:
                yield from (("copy", made, made) for made in _known(act.effect.writes) if is_within(path, made))
        if any("://" in source for source in step.step.node.sources):
            yield from (("copy", made, made) for made in _known(act.effect.writes) if is_within(made, path))
        return
    if act.call is None and step.step.keyword == "WORKDIR":
        return
    package = act.call.package if act.call is not None else None
    is_system = package is not None and act.effect.writes == SYSTEM
    for made in _known(act.effect.writes):
        if step.is_hidden(made) or not _meets(made, path):
            continue
        yield ("package" if is_system else "command" if act.call is not None else "copy"), made, made


def _is_there(context: BuildContext, path: str) -> bool:
    if re.search(r"[*?\[]", path):
        return bool(context.glob(path))
    return context.exists(path) is True


def _base(path: str) -> str:
    """The part of a path in front of its first wildcard."""
    found = re.search(r"/[^/]*[*?\[]", path)
    return path if found is None else path[: found.start()] or "/"


def _meets(one: str, other: str) -> bool:
    """Whether one of two paths may lie in the other."""
    first, second = _base(one), _base(other)
    if first != one and first == second and other != second and one != other:
        # Two patterns of one folder: by their ends (`*.jar` and `*.war` are not the same files).
        return posixpath.splitext(one)[1] == posixpath.splitext(other)[1]
    return is_within(first, second) or is_within(second, first)


def _covers(made: str, path: str) -> bool:
    """Whether what is made is the whole of a path."""
    return made == path or (_base(made) == made and is_within(path, made))


def _back_through(carried: tuple[str, str], path: str) -> str:
    """Where a path came from, by the pair (from, to) that it was carried by."""
    source, target = carried
    rest = path[len(target) :].lstrip("/")
    if not rest:
        return source
    return join(source if _base(source) == source else posixpath.dirname(source), rest)


def _renewed(step: FlowStep, new: _Paths, hits: Sequence[str]) -> list[str]:
    """What a RUN that is run again makes anew; ``hits`` are the bind mounts in which it finds something new."""
    fresh, found = _Paths(hits), []
    for act in step.acts:
        # What comes over the network may be another thing today, and installers write times into what they make.
        is_new = "network" in act.effect.needs or any(
            isinstance(path, Unknown) or new.meet(path) or fresh.meet(path) for path in act.effect.reads
        )
        if is_new:
            written = ["/" if isinstance(path, Unknown) else path for path in act.effect.writes]
            fresh.add(written)
            found += [path for path in written if not step.is_hidden(path)]
    return found


def _hidden(reading: StageReading, step: Step) -> Iterator[str]:
    for options in mounts(step.node):
        if "target" in options and options["type"] in {"cache", "tmpfs", "bind"}:
            yield join(step.workdir, reading.expand(options["target"], step.node) or options["target"])


def binds(reading: StageReading, step: Step) -> Iterator[tuple[str, str, StageReading | None]]:
    """Bind mounts: target, source (from the root of the context or of the stage), the stage (None: the context)."""
    for options in mounts(step.node):
        if options["type"] != "bind" or "target" not in options:
            continue
        name = options.get("from")
        origin = origin_of(reading, name)
        if name is None or origin is not None:
            yield join(step.workdir, options["target"]), join("/", options.get("source") or "/"), origin


__all__ = ["Act", "Flow", "FlowStep", "Maker", "binds"]
