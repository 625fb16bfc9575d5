"""What the RUN commands of a stage do: builds with what they write, and packages that they install one by one."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.outputs import COPIERS, config_text, configs, option_value, outputs_of
from refactor.ecosystems.node.programs import MANAGERS, Programs, Ran
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, is_set_up
from refactor.flow.effects import is_everyday
from refactor.flow.reading import StageReading, Step, join
from refactor.shell import Command

NEUTRAL = words(
    """
    rimraf del del-cli rm mkdir mkdirp echo printf eslint prettier tslint stylelint jest vitest mocha
    ava tap cypress husky true : exit test [ set export wait-on depcheck commitlint concurrently conc
    run-s run-p npm-run-all npm-run-all2 print date ls pwd cat which corepack biome oxlint standard xo
    nyc c8 tsc-alias tscpaths resolve-tspaths graphql-codegen madge size-limit only-allow unset cd touch
    sleep chmod chown is-ci patch-package publint attw knip typedoc svelte-check whoami id uname env
    npm-s npm-p premove trash shellcheck cross-env clear tree du df find grep wc head tail sort let
    local read nproc expr seq return shift eval source . chown basename dirname mktemp
    """
)
"""Programs that make nothing which is needed when the container runs."""
_FRONT_END = words("mix encore react-scripts react-app-rewired craco vue-cli-service ng gatsby docusaurus eleventy ncc")
FETCHES = words("curl wget git pip pip3 gem cargo go composer apt-key gpg")


class Built(NamedTuple):
    """One build program."""

    ran: Ran
    outputs: tuple[str, ...] | None
    """Absolute image paths that it writes; () for nothing that matters later, None where that is not known."""
    is_bundle: bool
    """Packages that the sources import are part of the output."""
    why_unknown: str = ""


def build_of(layout: Layout, ran: Ran) -> Built | None:
    """The build step that a program is, None for installs, checks and cleaning."""
    manager = ran.program.split(" ")[0]
    if ran.program != "bun build" and manager in MANAGERS and " " in ran.program:
        return None
    redirected = _redirected(ran)
    if ran.program in NEUTRAL:
        return Built(ran, redirected, False) if redirected else None
    if ran.program in {"node", "nodejs", "npm", "yarn", "pnpm"} and set(ran.args) <= {"-v", "--version"}:
        return None
    if ran.program in {"node", "nodejs"} and _is_harmless_code(ran):
        return None
    unit = layout.unit(ran.folder)
    found = outputs_of(layout, ran, unit)
    if isinstance(found, Unknown):
        return Built(ran, None, False, found.reason)
    outputs = tuple(join(ran.folder, path) for path in found)
    if unit is not None and any(output == unit.folder for output in outputs):
        return Built(ran, None, False, f"{ran.program} writes into {unit.folder} itself")
    return Built(ran, (*outputs, *redirected), _is_bundle(layout, ran, unit))


_MAKES = re.compile(
    r"write|append|copy|rename|mkdir|exec|spawn|fork|createWriteStream|cpSync|require\([\"']\.|import\("
)


def _is_harmless_code(ran: Ran) -> bool:
    """``node -e "fs.rmSync('dist', ...)"``: code on the command line that makes nothing."""
    for option in ("-e", "--eval", "-p", "--print"):
        code = option_value(ran.args, option)
        if code is not None:
            return _MAKES.search(code) is None
    return False


def _redirected(ran: Ran) -> tuple[str, ...]:
    found = []
    for redirect in ran.redirects:
        target = re.match(r"\d*(?:>>?|&>)\|?\s*['\"]?([^&'\"\s]+)", redirect)
        if target is not None and not target[1].startswith("/dev/") and "$" not in target[1]:
            found.append(join(ran.folder, target[1]))
    return tuple(found)


def _is_bundle(layout: Layout, ran: Ran, unit: Unit | None) -> bool:
    wanted = unit.package.wanted if unit is not None else {}
    if ran.program in _FRONT_END:
        return True
    if ran.program == "vite":
        return not {"@remix-run/dev", "@react-router/dev"} & set(wanted) and "--ssr" not in ran.args
    if ran.program == "esbuild":
        return "--bundle" in ran.args and not any(
            word.startswith(("--packages=external", "--external:")) for word in ran.args
        )
    if ran.program == "bun build":
        # Listed in `bun build --help`; a package that is left out is looked for when the program runs.
        left_out = {"--external", "-e", "--no-bundle"} & {word.partition("=")[0] for word in ran.args}
        return not left_out and option_value(ran.args, "--packages") != "external"
    if ran.program == "webpack":
        name = option_value(ran.args, "-c", "--config")
        settings = config_text(layout.context, layout.source(ran.folder) or "", (name,) if name else configs("webpack"))
        return settings is not None and "xternals" not in settings
    return ran.program in {"nuxi", "nitro", "nitropack", "vinxi", "parcel"}


class Kind(NamedTuple):
    """What the RUN commands of a stage do."""

    builds: tuple[tuple[Step, Command, Built], ...]
    globals: tuple[tuple[Step, Command, tuple[str, ...]], ...]
    """Packages that are installed for the whole image."""
    added: tuple[tuple[Step, Command], ...]
    """Single packages that are installed into a project (``npm install x``)."""

    @property
    def compiles(self) -> Built | None:
        """The first build that does more than move files about, or make users and folders."""
        return next(
            (built for _, command, built in self.builds if not _moves(built.ran) and not is_set_up(command)), None
        )

    def removed(self, layout: Layout) -> tuple[str, ...]:
        """Absolute paths that a RUN itself deletes or moves away (not a script of package.json)."""
        found = []
        for step in layout.reading.runs:
            for command in step.commands:
                operands = [arg for arg in command.args if not arg.startswith("-")]
                if command.name == "mv":
                    operands = operands[:-1]
                elif command.name != "rm":
                    continue
                folder = step.folder_of(command) or step.workdir
                found += [join(folder, operand) for operand in operands]
        return tuple(found)


def _moves(ran: Ran) -> bool:
    """It moves files about, or changes what is there, and builds nothing."""
    return ran.program in COPIERS or is_everyday(ran.program)


def brings_code(built: Built) -> bool:
    """What it writes may be, or hold, sources; not so the settings that ``sed`` changes in place."""
    if not _moves(built.ran):
        return True
    return any(posixpath.splitext(output)[1] in {"", ".js", ".mjs", ".cjs", ".ts"} for output in built.outputs or ())


def kind_of(reading: StageReading, layout: Layout) -> Kind:
    """The builds and single installs of the stage, with the programs that scripts of package.json come down to."""
    return reading.remember("node kind", lambda: _kind_of(reading, layout))


def _kind_of(reading: StageReading, layout: Layout) -> Kind:
    builds: list[tuple[Step, Command, Built]] = []
    globals_: list[tuple[Step, Command, tuple[str, ...]]] = []
    added: list[tuple[Step, Command]] = []
    for step in reading.runs:
        calls = {id(call.command): call for call in step.calls}
        programs = Programs(layout, step.node)
        for command, ran in programs.of_step(step):
            call = calls.get(id(command))
            if call is not None and call.manager in SYSTEM_MANAGERS:
                continue
            if call is not None and call.manager in MANAGERS and call.action == "global-install":
                globals_.append((step, command, tuple(word.literal for word in call.packages)))
                continue
            if ran.program.endswith(" add") and ran.program.split(" ")[0] in MANAGERS:
                added.append((step, command))
                continue
            is_plain = not ran.via and (is_everyday(ran.program) or ran.program in FETCHES or is_set_up(command))
            built = build_of(layout, ran)
            if is_plain and (built is None or built.outputs == () or ran.program in FETCHES):
                continue
            if built is not None:
                builds.append((step, command, built))
    return Kind(tuple(builds), tuple(globals_), tuple(added))


__all__ = ["FETCHES", "Built", "Kind", "brings_code", "build_of", "kind_of"]
