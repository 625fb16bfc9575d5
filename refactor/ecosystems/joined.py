"""A builder and a final stage that carries its whole folder, read as the one stage that they amount to.

``FROM node:20 AS build ... FROM node:20`` with ``COPY --from=build /app /app`` ships what a single stage would: the
sources, the development dependencies, the compiler. Seen as one stage, it is taken apart like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.shell import SYSTEM_MANAGERS
from refactor.syntax import Dockerfile, Edit, Instruction, Remove, Stage, Trivia, stage_references

_BUILDING = frozenset({"RUN", "COPY", "ADD", "WORKDIR", "ENV", "ARG"})
_SETTINGS = frozenset({"ENV", "ARG"})
_KEEPS_THEM = "name what is needed in COPY --from, one path each"


class _Parts(NamedTuple):
    """What the final stage gets of a plan."""

    runner: list[Instruction | str | Instead]
    """Without what is copied from the builder."""
    artefacts: list[Instruction | str]
    place: int | None
    """Where in the runner those go; None: at its end."""
    settings: set[str]
    """Variables of the builder."""
    texts: list[str]
    """What the final stage does not have yet."""


class Joined(NamedTuple):
    """Both stages as one."""

    file: Dockerfile
    """The file with the one stage at its end."""
    builder: Stage
    """The two of the original file."""
    final: Stage
    whole: Mapping[str, str]
    """Absolute paths with all of the builder's work that the final stage has at the same place, each with the flags of
    its COPY (``--chown=... ``), a blank behind each."""
    chosen: Sequence[Step]
    """Its other COPYs from there, which stay."""
    above_copies: tuple[Trivia, ...]
    """Comments above the COPYs."""
    early: int
    """How many instructions the final stage has in front of the first of them, as far as the one stage has them."""
    is_same_image: bool

    @property
    def above(self) -> tuple[Trivia, ...]:
        """Comments above the FROM of the final stage."""
        return tuple(self.final.trivia()[0][self.final.from_])

    @property
    def stage(self) -> Stage:
        return self.file.stages[-1]

    def plan_of(self, plan: SplitPlan | Refused, reading: StageReading) -> SplitPlan | Refused | None:
        """What a plan for the one stage (``reading``) means for the two: the final stage keeps its own settings, and
        gets nothing that it did not have. None where nothing is gained."""
        if isinstance(plan, Refused):
            return plan if self.whole else None
        if not self.is_same_image and plan.runner_image != self.final.image:
            known = f"what is built is known to run on {plan.runner_image}"
            return Refused(f"the final stage is on {self.final.image}, and {known}", _KEEPS_THEM)
        parts = self._parts(plan, reading)
        if isinstance(parts, Refused):
            return parts
        used = parts.settings.intersection(re.findall(r"\$\{?([A-Za-z_]\w*)", "\n".join(parts.texts)))
        if used:
            because = f"the final stage would need {min(used)}, which only the builder sets"
            return Refused(because, f"set {min(used)} there too")
        has_whole = any(self._has_whole(reading, one) for one in parts.artefacts)
        if self.final.image == plan.runner_image and (has_whole or not self.whole):
            return None
        runner, place = parts.runner, len(parts.runner) if parts.place is None else parts.place
        is_moved = any(isinstance(entry, Instruction) and entry.keyword == "WORKDIR" for entry in runner[place:])
        kept = list(self._kept_copies("" if is_moved else reading.final_workdir))
        # What an edit changes comes last, unless something is put on top of it.
        is_over = any(
            is_within(join(step.workdir, step.node.destination or ""), reading.final_workdir) for step in self.chosen
        )
        sources = [] if is_over else [one for one in parts.artefacts if not _is_of_stage(one)]
        runner[place:place] = [*(one for one in parts.artefacts if one not in sources), *kept, *sources]
        paths = ", ".join((*self.whole, *(source for step in self.chosen for source in step.node.sources)))
        why = f"the final stage has {paths} of {self.builder.name or 'the builder'}, as it is there"
        return plan._replace(runner=tuple(runner), evidence=(*plan.evidence, why))

    def _parts(self, plan: SplitPlan, reading: StageReading) -> _Parts | Refused:
        of_builder = set(self.stage.instructions[: len(self.builder.instructions)])
        end = len(self.builder.instructions) + self.early
        before = {*self.stage.instructions[len(self.builder.instructions) : end]}
        runner: list[Instruction | str | Instead] = []
        artefacts: list[Instruction | str] = []
        settings: set[str] = set()
        texts: list[str] = []
        place = None
        for entry in plan.runner:
            node = entry if isinstance(entry, Instruction) else entry.node if isinstance(entry, Instead) else None
            if node in of_builder and node.keyword in _SETTINGS:
                settings.update(name for name, _ in node.pairs)
                continue
            if node in of_builder and (
                node.keyword == "WORKDIR" or (node.keyword == "RUN" and not _installs(reading, node))
            ):
                continue
            if node in of_builder and node.keyword in {"COPY", "ADD"}:
                copy = self._from_context(reading, node)
                if isinstance(copy, Refused):
                    return copy
                artefacts.append(copy)
                place = len(runner) if place is None else place
                continue
            if isinstance(entry, str) and entry.startswith("COPY --from="):
                kept = self._kept(entry)
                if isinstance(kept, Refused):
                    return kept
                artefacts += kept
                place = len(runner) if place is None else place
                continue
            if place is None and node is not None and node not in of_builder and node not in before:
                place = len(runner)
            runner.append(entry)
            if node in before or (node is not None and node.keyword == "WORKDIR"):
                # A user that the COPYs name is made there, or the folder that they are seen from.
                place = None
            if node is None or node in of_builder:
                texts.append(entry if isinstance(entry, str) else node.argument if node is not None else "")
        return _Parts(runner, artefacts, place, settings, texts)

    def _has_whole(self, reading: StageReading, copy: Instruction | str) -> bool:
        if isinstance(copy, str):
            return not {*copy.split()[1:-1]}.isdisjoint(self.whole)
        return any(is_within(reading.final_workdir, copied.target) for copied in reading.copied_by(copy))

    def _from_context(self, reading: StageReading, node: Instruction) -> Instruction | str | Refused:
        """A COPY of the builder that the final stage gets as well, with the owner that its own COPY gave."""
        step, flags = reading.step(node), next(iter(self.whole.values()), "")
        if len(set(self.whole.values())) > 1 or step is None or step.workdir != reading.final_workdir:
            line = reading.file.line_of(node)
            return Refused(f"what line {line} copies is in another folder in the final stage", _KEEPS_THEM)
        return f"{node.keyword} {flags}{node.text.split(None, 1)[1].strip()}" if flags else node

    def _kept_copies(self, workdir: str) -> Iterator[Instruction | str]:
        """The COPYs of :attr:`chosen`, to absolute paths where they stood in another folder than ``workdir``."""
        for step in self.chosen:
            node, target = step.node, step.node.destination or ""
            if step.workdir == workdir or target.startswith("/"):
                yield node
                continue
            words = [flag.text for flag in node.flags] + list(node.sources)
            yield f"COPY {' '.join(words)} {join(step.workdir, target)}{'/' if target.endswith(('/', '.')) else ''}"

    def _kept(self, text: str) -> Sequence[str] | Refused:
        """A COPY of the plan, as far as the final stage has its sources from :attr:`whole`."""
        sources = [word for word in text.split()[1:-1] if not word.startswith("--")]
        flags = {self._flags_of(source) for source in sources}
        one = flags.pop()
        if not flags:
            head, _, rest = text.partition(" ")
            return [] if one is None else [f"{head} {one}{rest}"]
        return Refused(f"the final stage has only some of {', '.join(sources)} now", _KEEPS_THEM)

    def _flags_of(self, path: str) -> str | None:
        """Those that the path is copied with now; None where it is not."""
        return next((flags for folder, flags in self.whole.items() if is_within(path, folder)), None)


def _is_of_stage(copy: Instruction | str) -> bool:
    return isinstance(copy, str) and "--from=" in copy


def _installs(reading: StageReading, node: Instruction) -> bool:
    """Packages of the system, which the final stage has from the builder's image."""
    return any(step.node is node and call.manager in SYSTEM_MANAGERS for step, call in reading.calls)


def joined(file: Dockerfile, context: BuildContext) -> Joined | Refused | None:
    """The last two stages as one; None where the final one chooses what it gets, refused where it copies the builder's
    whole folder and they are still not one."""
    if len(file.stages) < 2:
        return None
    builder, final = file.stages[-2:]
    of_builder, of_final = (StageReading.of(file, stage, context) for stage in (builder, final))
    own = [step for step, origin in of_final.copies_of_stages if origin.stage is builder]
    if not own or of_builder.parent is not None or of_final.parent is not None:
        return None
    home = of_builder.final_workdir
    whole: dict[str, str] = {}
    chosen: list[Step] = []
    for step in own:
        path = _same_place(of_final, step)
        if path is not None and home != "/" and is_within(home, path):
            whole[path] = "".join(f"{flag.text} " for flag in step.node.flags if flag.name != "from")
        else:
            chosen.append(step)
    is_same = of_builder.image_reference == of_final.image_reference and builder.platform == final.platform
    if not whole and not is_same:
        return None
    why = _why_apart(of_builder, of_final)
    if why is not None:
        return why if whole else None
    edits: list[Edit] = [Remove(line) for line in final.nodes[: final.nodes.index(final.from_) + 1]]
    edits += [Remove(line) for line in builder.trivia()[1] if line.kind == "blank"]
    above: list[Trivia] = []
    for step in own:
        above += file.comments_above(step.node)
        edits += [Remove(step.node), *(Remove(line) for line in file.comments_above(step.node))]
    early = of_final.position(own[0].node)
    one = file.apply(edits)
    one.follow(file, [file.line_of(final.from_)])
    return Joined(one, builder, final, whole, chosen, tuple(above), early, is_same)


def _same_place(reading: StageReading, step: Step) -> str | None:
    """The path of a COPY out of a stage that ends where it was."""
    node = step.node
    if len(node.sources) != 1 or node.destination is None:
        return None
    source, target = (reading.expand(text, node) for text in (node.sources[0], node.destination))
    if source is None or target is None or join("/", source) != join(step.workdir, target):
        return None
    return join("/", source)


def _why_apart(builder: StageReading, final: StageReading) -> Refused | None:
    line = final.file.line_of
    for step in final.runs:
        if any(final.file.stage(name) is builder.stage for name in stage_references(step.node)):
            return Refused(f"line {line(step.node)} reads the builder in a RUN", "copy what it reads by COPY --from")
    where = f"the final stage copies {builder.final_workdir} as a whole"
    for step in builder.steps:
        if step.keyword not in _BUILDING:
            return Refused(f"{where}, and {step.keyword} on line {line(step.node)} is the builder's alone", _KEEPS_THEM)
    for step in final.steps:
        if step.keyword == "WORKDIR" and not re.match(r"/[^$]*\Z", step.node.argument):
            return Refused(f"{where}, into a WORKDIR that is not written as a path", "write it absolute")
    if final.final_workdir != builder.final_workdir and not any(step.keyword == "WORKDIR" for step in final.steps):
        hint = f"set WORKDIR {builder.final_workdir} in the final stage"
        return Refused(f"{where}, and starts in {final.final_workdir} while that is built in another folder", hint)
    return None


__all__ = ["Joined", "joined"]
