"""Programs that ``bun build --compile`` makes: one file that has Bun and its packages inside."""

from __future__ import annotations

import posixpath

from refactor.ecosystems import registry
from refactor.ecosystems.node.builds import Built, kind_of
from refactor.ecosystems.node.layout import Layout
from refactor.ecosystems.node.programs import Ran
from refactor.flow.places import origins
from refactor.flow.reading import join
from refactor.flow.roots import peeled

READS_AT_START = ("bunfig.toml", ".env")
"""Beginnings of names that Bun looks for where it is started, also from a compiled program (docs/runtime/bunfig,
docs/bundler/executables)."""


def compiled(layout: Layout) -> Built | None:
    """The ``bun build --compile`` that made the program which a container starts, through copies from other stages."""
    reading, start = layout.reading, layout.reading.start
    argv = peeled(start.argv) if start is not None else ()
    if not argv or "/" not in argv[0] or not any("bun" in one.managers for one in origins(reading)):
        return None
    maker = registry.flow_of(reading.file, reading.context).trace(reading, join(reading.final_workdir, argv[0]))
    if maker is None or maker.act is None or maker.act.call is None:
        return None
    origin, command = maker.act.step.reading, maker.act.call.command
    # It makes a program with Bun inside, which needs the C library alone.
    builds = (built for _, own, built in kind_of(origin, Layout.of(origin)).builds if own is command)
    return next((one for one in builds if one.ran.program == "bun build" and "--compile" in one.ran.args), None)


def starts_itself(layout: Layout, ran: Ran) -> str | None:
    """Where the program lies, if ``ran`` is one that Bun compiled."""
    start = layout.reading.start
    argv = peeled(start.argv) if start is not None else ()
    if not argv or ran.via or posixpath.basename(argv[0]) != ran.program or compiled(layout) is None:
        return None
    return join(layout.reading.final_workdir, argv[0])
