"""The graph of a Dockerfile for people and for tools: as text, as values for JSON, and in Graphviz' language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.effects import SYSTEM, Path
from refactor.flow.graph import Flow, FlowStep
from refactor.flow.reading import Refused, StageReading
from refactor.flow.roots import places_of, roots_of

_DRAWN = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
_WIDTH = 76


class Drawn(NamedTuple):
    """One step as it is shown."""

    step: FlowStep
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    removes: tuple[str, ...]
    unknown: tuple[str, ...]
    """Why it is not known what else it reads or writes."""
    needs: tuple[str, ...]
    suppliers: tuple[FlowStep, ...]


def drawn(flow: Flow) -> tuple[Drawn, ...]:
    """The steps that do something to files, in the order of the file."""
    return tuple(_drawn(flow, step) for reading in flow.readings for step in flow.steps(reading)
                 if step.step.keyword in _DRAWN)  # fmt: skip


def _drawn(flow: Flow, step: FlowStep) -> Drawn:
    effects = [act.effect for act in step.acts]
    paths = [path for effect in effects for path in (*effect.reads, *effect.writes, *effect.removes)]
    unknown = dict.fromkeys(path.reason for path in paths if isinstance(path, Unknown))
    reads = list(_names(path for effect in effects for path in effect.reads))
    if step.step.keyword in {"COPY", "ADD"}:
        copied = step.reading.copied_by(step.step.node)
        reads += [f"{one.source or '.'} of the context" for one in copied]
        origin = step.step.node.flag("from")
        reads = [f"{path} of {origin}" for path in reads] if origin is not None else reads
    return Drawn(
        step,
        tuple(dict.fromkeys(reads)),
        tuple(
            _names(path for effect in effects for path in _of_system(effect.writes) if not step.is_hidden(str(path)))
        ),
        tuple(_names(path for effect in effects for path in effect.removes)),
        tuple(unknown),
        tuple(dict.fromkeys(need for effect in effects for need in effect.needs)),
        flow.suppliers(step),
    )


def _of_system(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return ("the system's folders",) if paths == SYSTEM else paths


def _names(paths: Iterable[Path]) -> Iterator[str]:
    return iter(dict.fromkeys(path for path in paths if isinstance(path, str)))


def _users(steps: Sequence[Drawn]) -> Mapping[int, list[FlowStep]]:
    """By step: those that read what it makes."""
    found: dict[int, list[FlowStep]] = {}
    for one in steps:
        for supplier in one.suppliers:
            found.setdefault(id(supplier), []).append(one.step)
    return found


def starts(reading: StageReading) -> str:
    """What a container of the stage starts, in one line."""
    roots = roots_of(reading)
    return roots.because if isinstance(roots, Refused) else ", ".join(" ".join(root.words) for root in roots)


def as_text(flow: Flow, again: Sequence[FlowStep] | None = None) -> str:
    """For a terminal; ``again`` are the steps that an edit runs again, shown with a star."""
    steps = drawn(flow)
    users, started = _users(steps), _started(flow)
    lines: list[str] = []
    for reading in flow.readings:
        stage = reading.stage
        name = f" ({stage.name})" if stage.name else ""
        lines += ["", f"stage {stage.index}{name} from {stage.image}"]
        for one in steps:
            if one.step.reading is not reading:
                continue
            star = "*" if again is not None and one.step in again else " "
            lines.append(f"{star}{one.step.line:>4}  {_short(one.step.text)}")
            for title, values in (("reads", one.reads), ("writes", one.writes), ("removes", one.removes),
                                  ("needs", one.needs), ("unknown", one.unknown)):  # fmt: skip
                lines += [f"        {title:<8} {value}" for value in _few(values)]
            below = [str(step.line) for step in users.get(id(one.step), [])[:8]]
            if one.step.line in started and stage.is_last:
                below.append("the container")
            if below:
                lines.append(f"        used by  {'line ' if below[0].isdigit() else ''}{', '.join(below)}")
        if stage.is_last:
            lines.append(f"      starts {_short(starts(reading))}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _few(values: Sequence[str]) -> list[str]:
    return [*values[:6], *([f"and {len(values) - 6} more"] if len(values) > 6 else [])]


def as_values(flow: Flow, again: Sequence[FlowStep] | None = None) -> dict[str, object]:
    """For JSON: stages with their steps; a step is named by its line."""
    steps = drawn(flow)

    def shown(one: Drawn) -> dict[str, object]:
        lists = {name: list(getattr(one, name)) for name in ("reads", "writes", "removes", "needs", "unknown")}
        more = {} if again is None else {"again": one.step in again}
        return {
            "line": one.step.line,
            "text": one.step.text,
            **lists,
            "from": [step.line for step in one.suppliers],
            **more,
        }

    stages = [
        {
            **{name: getattr(reading.stage, name) for name in ("index", "name", "image")},
            "steps": [shown(one) for one in steps if one.step.reading is reading],
        }
        for reading in flow.readings
    ]
    return {"stages": stages, "starts": starts(flow.readings[-1]) if flow.readings else ""}


def as_dot(flow: Flow, again: Sequence[FlowStep] | None = None) -> str:
    """For Graphviz: a cluster a stage, an edge from what makes a file to what reads it."""
    steps = drawn(flow)
    lines = ["digraph flow {", "  rankdir=LR; node [shape=box, fontname=Helvetica, fontsize=10]; edge [fontsize=9];"]
    for reading in flow.readings:
        stage = reading.stage
        lines += [f"  subgraph cluster_{stage.index} {{", f"    label={_quoted(stage.name or stage.image)};"]
        for one in steps:
            if one.step.reading is reading:
                is_again = again is not None and one.step in again
                style = ", style=filled, fillcolor=lightyellow" if is_again else ""
                text = _quoted(f"{one.step.line}  {_short(one.step.text)}")
                lines.append(f"    s{one.step.line} [label={text}{style}];")
        lines.append("  }")
    if any(one.step.reading.copied_by(one.step.step.node) for one in steps):
        lines.append('  context [shape=folder, label="build context"];')
    for one in steps:
        lines += [f"  s{step.line} -> s{one.step.line};" for step in one.suppliers]
        if one.step.reading.copied_by(one.step.step.node):
            lines.append(f"  context -> s{one.step.line};")
    if flow.readings:
        lines.append(f"  start [shape=oval, label={_quoted(_short(starts(flow.readings[-1])))}];")
        lines += [f"  s{line} -> start;" for line in _started(flow)]
    return "\n".join([*lines, "}"]) + "\n"


def _started(flow: Flow) -> list[int]:
    """Lines of the steps that bring what is started."""
    if not flow.readings:
        return []
    reading = flow.readings[-1]
    roots = roots_of(reading)
    found: dict[int, None] = {}
    for root in roots if not isinstance(roots, Refused) else ():
        for word in root.words:
            for place in places_of(reading, root, word) if not word.startswith("-") else ():
                makers = [maker for maker in flow.makers(reading, place) if maker.kind not in {"image", "package"}]
                found.update({maker.act.step.line: None for maker in makers[:1] if maker.act is not None})
    return list(found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


__all__ = ["as_dot", "as_text", "as_values"]
