"""Programs that ``bun build --compile`` makes: one file that has Bun and its packages inside."""

from __future__ import annotations

import posixpath

from refactor.ecosystems.node.builds import Built, kind_of
from refactor.ecosystems.node.layout import Layout, below
from refactor.ecosystems.node.programs import Ran
from refactor.flow.reading import StageReading, join
from refactor.flow.roots import peeled

READS_AT_START = ("bunfig.toml", ".env")
"""Beginnings of names that Bun looks for where it is started, also from a compiled program (docs/runtime/bunfig,
docs/bundler/executables)."""


def compiled(layout: Layout) -> Built | None:
    """The ``bun build --compile`` that made the program which a container starts, through copies from other stages."""
    start = layout.reading.start
    argv = peeled(start.argv) if start is not None else ()
    if not argv or "/" not in argv[0]:
        return None
    place = join(layout.reading.final_workdir, argv[0])
    here: Layout | None = layout
    while here is not None:
        if "bun" in here.reading.managers:
            for _, _, built in kind_of(here.reading, here).builds:
                if is_program(built) and place in (built.outputs or ()):
                    return built
        moved = next((one for one in reversed(here.moved) if below(place, one.target) is not None), None)
        if moved is not None:
            place = join(moved.source, below(place, moved.target) or ".")
        here = Layout.of(moved.stage) if moved is not None else here.parent
    return None


def is_program(built: Built) -> bool:
    """It makes a program with Bun inside, which needs the C library alone."""
    return built.ran.program == "bun build" and "--compile" in built.ran.args


def starts_itself(layout: Layout, ran: Ran) -> str | None:
    """Where the program lies, if ``ran`` is one that Bun compiled."""
    start = layout.reading.start
    argv = peeled(start.argv) if start is not None else ()
    if not argv or ran.via or posixpath.basename(argv[0]) != ran.program or compiled(layout) is None:
        return None
    return join(layout.reading.final_workdir, argv[0])


def has_bun_compile(reading: StageReading) -> bool:
    """The container starts a program that Bun compiled in a stage of this file."""
    return compiled(Layout.of(reading)) is not None


__all__ = ["READS_AT_START", "compiled", "has_bun_compile", "is_program", "starts_itself"]
