"""What the RUN commands of a stage do: builds with what they write, packages that they install one by one, and the
programs that ``bun build --compile`` makes: one file that has Bun and its packages inside."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems import registry
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.outputs import COPIERS, config_text, configs, option_value, outputs_of
from refactor.ecosystems.node.programs import MANAGERS, RUNTIMES, Programs, Ran
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, is_set_up
from refactor.flow.places import origins
from refactor.flow.reading import StageReading, Step, join
from refactor.flow.roots import peeled
from refactor.shell import Command
from refactor.shell.posix import does

FETCHES = names("fetches")
_MAKES = r"write|append|copy|rename|mkdir|exec|spawn|fork|createWriteStream|cpSync|require\([\"']\.|import\("
"""In code on the command line (``node -e "fs.rmSync('dist', ...)"``)."""


class Built(NamedTuple):
    """One build program."""

    ran: Ran
    outputs: tuple[str, ...] | None
    """Absolute image paths that it writes; () for nothing that matters later, None where that is not known."""
    is_bundle: bool
    """Packages that the sources import are part of the output."""
    why_unknown: str = ""

    @property
    def moves(self) -> bool:
        """It moves files about, or changes what is there, and builds nothing."""
        return self.ran.program in COPIERS or does(self.ran.program) is not None

    @property
    def brings_code(self) -> bool:
        """What it writes may be, or hold, sources; not so the settings that ``sed`` changes in place."""
        endings = {posixpath.splitext(output)[1] for output in self.outputs or ()}
        return not self.moves or bool(endings & {"", ".js", ".mjs", ".cjs", ".ts"})


def build_of(layout: Layout, ran: Ran) -> Built | None:
    """The build step that a program is, None for installs, checks and cleaning."""
    code = option_value(ran.args, "-e", "--eval", "-p", "--print") if ran.program == "node" else None
    looks = ran.program in RUNTIMES | MANAGERS and set(ran.args) <= {"-v", "--version"}
    if ran.manager or looks or (code is not None and re.search(_MAKES, code) is None):
        return None
    redirected = tuple(
        join(ran.folder, target[1])
        for redirect in ran.redirects
        if (target := re.match(r"\d*(?:>>?|&>)\|?\s*['\"]?([^&'\"\s]+)", redirect)) is not None
        and not target[1].startswith("/dev/") and "$" not in target[1]
    )  # fmt: skip
    if ran.program in names("checks"):
        return Built(ran, redirected, False) if redirected else None
    unit = layout.unit(ran.folder)
    found = outputs_of(layout, ran, unit)
    if isinstance(found, Unknown):
        return Built(ran, None, False, found.reason)
    outputs = tuple(join(ran.folder, path) for path in found)
    if unit is not None and unit.folder in outputs:
        return Built(ran, None, False, f"{ran.program} writes into {unit.folder} itself")
    return Built(ran, (*outputs, *redirected), _is_bundle(layout, ran, unit))


def _is_bundle(layout: Layout, ran: Ran, unit: Unit | None) -> bool:
    options = {word.partition("=")[0] for word in ran.args}
    if ran.program == "vite":
        wanted = unit.package.wanted if unit is not None else {}
        return wanted.keys().isdisjoint({"@remix-run/dev", "@react-router/dev"}) and "--ssr" not in ran.args
    if ran.program == "esbuild":
        is_external = any(word.startswith(("--packages=external", "--external:")) for word in ran.args)
        return "--bundle" in ran.args and not is_external
    if ran.program == "bun build":
        # Listed in `bun build --help`; a package that is left out is looked for when the program runs.
        left_out = {"--external", "-e", "--no-bundle"} & options
        return not left_out and option_value(ran.args, "--packages") != "external"
    if ran.program == "webpack":
        name = option_value(ran.args, "-c", "--config")
        settings = config_text(layout.context, layout.source(ran.folder) or "", (name,) if name else configs("webpack"))
        return settings is not None and "xternals" not in settings
    return ran.program in names("bundlers")


class Kind(NamedTuple):
    """What the RUN commands of a stage do."""

    builds: tuple[tuple[Step, Command, Built], ...]
    globals: tuple[tuple[Step, Command, tuple[str, ...]], ...]
    """Packages that are installed for the whole image."""

    @property
    def compiles(self) -> Built | None:
        """The first build that does more than move files about, or make users and folders."""
        own = (built for _, command, built in self.builds if not built.moves and not is_set_up(command))
        return next(own, None)


def kind_of(reading: StageReading) -> Kind:
    """The builds and single installs of the stage, with the programs that scripts of package.json come down to."""
    return reading.remember("node kind", lambda: _kind_of(reading))


def _kind_of(reading: StageReading) -> Kind:
    layout = Layout.of(reading)
    builds: list[tuple[Step, Command, Built]] = []
    of_image: list[tuple[Step, Command, tuple[str, ...]]] = []
    for step in reading.runs:
        calls = {id(call.command): call for call in step.calls}
        for command, ran in Programs(layout, step.node).of_step(step):
            call = calls.get(id(command))
            is_plain = not ran.via and (does(ran.program) is not None or ran.program in FETCHES or is_set_up(command))
            if call is not None and call.manager in SYSTEM_MANAGERS:
                continue
            if call is not None and call.manager in MANAGERS and call.action == "global-install":
                of_image.append((step, command, tuple(word.literal for word in call.packages)))
            else:
                built = build_of(layout, ran)
                if built is not None and not (is_plain and (built.outputs == () or ran.program in FETCHES)):
                    builds.append((step, command, built))
    return Kind(tuple(builds), tuple(of_image))


# Programs of Bun


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
    builds = (built for _, own, built in kind_of(origin).builds if own is command)
    return next((one for one in builds if one.ran.program == "bun build" and "--compile" in one.ran.args), None)


def starts_itself(layout: Layout, ran: Ran) -> str | None:
    """Where the program lies, if ``ran`` is one that Bun compiled."""
    start = layout.reading.start
    argv = peeled(start.argv) if start is not None else ()
    if not argv or ran.via or posixpath.basename(argv[0]) != ran.program or compiled(layout) is None:
        return None
    return join(layout.reading.final_workdir, argv[0])
