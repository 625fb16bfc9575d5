"""A program that is compiled, or watched, at every start, though the project knows how to build it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.node.builds import build_of, kind_of
from refactor.ecosystems.node.layout import Layout, Unit, below
from refactor.ecosystems.node.needs import FRONT_ENDS, Started, source_files, started, why_dev_server
from refactor.ecosystems.node.outputs import compiler_option
from refactor.ecosystems.node.programs import Programs, Ran, node_entry
from refactor.ecosystems.node.projects import Project, projects
from refactor.flow.reading import Refused, StageReading, join
from refactor.syntax import Instruction

_STARTS_BUILT = ("start:prod", "start:production", "production", "prod", "serve:prod", "start:built", "start:dist")
_BUILDS = ("build", "build:prod", "compile", "build:ts", "tsc")
_READS_SOURCES = (
    r"(?m)^(?!\s*(?:import|export|//|\*)\b)(?:(?!\bfrom\b|\bimport\(|\brequire\()[^\n])*?"
    r"([\"'`])((?:[^\"'`\n]*/)?src/[^\"'`\n]*|[^\"'`\n]*\*\.ts)\1"
)
"""A text in quotes that names sources, on a line that imports nothing."""
_BESIDE = r"\b__dirname\b|\b__filename\b|\bimport\.meta\.(?:url|dirname|filename)\b"
_PUBLIC = r"\bprocess\.env\.(NEXT_PUBLIC_\w+|NUXT_PUBLIC_\w+)"


class _Case(NamedTuple):
    reading: StageReading
    cmd: Instruction
    start: Started
    ran: Ran
    unit: Unit
    shown: str
    """What is started today, and what is bad about that, for messages."""

    @property
    def layout(self) -> Layout:
        return self.start.layout


class _Target(NamedTuple):
    words: tuple[str, ...]
    place: str
    """Absolute path of what is started: a file, or the folder of a framework's build."""
    told: str


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start, cmd = started(reading), reading.last("CMD")
    if start is None or cmd is None or len(start.runs) != 1 or reading.last("ENTRYPOINT") is not None:
        return None
    ran, unit = start.runs[0], start.unit
    reason = why_dev_server(ran)
    if unit is None or reason is None or ran.program in FRONT_ENDS:
        return None
    does = "compiles at every start" if "compiles" in reason or ran.program == "nest" else f"is {reason}"
    case = _Case(reading, cmd, start, ran, unit, f"{ran.shown} {does}")
    project = next((one for one in projects(reading) if one.folder == unit.folder), None)
    targets = list(_targets(case, project.manager if project is not None else "npm"))
    if project is None:
        return None
    if not targets:
        scripts = unit.package.scripts
        name = next((name for name in _STARTS_BUILT if name in scripts), None)
        if name is None:
            return None
        return Refused(
            f"{case.shown}, and `{name}` (`{scripts[name]}`) is not one start of node",
            "start there with node what the build makes",
        )
    refused = _why_development(case)
    if refused is not None:
        return refused
    plain = next((one for one in targets if _is_same_file(case, one)), None)
    if plain is not None:
        evidence = (case.shown, f"{plain.told}: the same file, without that")
        return BuiltStart(cmd, "", plain.words, evidence)
    return _built(case, project, targets)


def _is_same_file(case: _Case, target: _Target) -> bool:
    """What is watched today is what the script starts without watching."""
    main = case.unit.package.main if len(case.ran.args) == 0 else None
    places = [place for _, place in case.start.entries()] + ([join(case.unit.folder, main)] if main else [])
    return case.layout.source(target.place) is not None and target.place in places


def _why_development(case: _Case) -> Refused | None:
    """Others show that the image is used for development, or start it in another way."""
    reading, unit = case.reading, case.unit
    deployment = reading.context.deployment
    if reading.final_workdir != unit.folder:
        return Refused(f"{case.shown}, and {unit.package.path} is not in the folder that the container starts in")
    for mount in deployment.mounts:
        if below(mount, unit.folder) is not None and "node_modules" not in mount:
            where = deployment.named_by("mounts")
            return Refused(
                f"{case.shown}, and {where} mounts {mount} over the sources: the image is meant for development",
                "build another stage for production, which starts what is built",
            )
    if deployment.has_own_command:
        where = deployment.named_by("has_own_command")
        return Refused(f"{case.shown}, and {where} starts the image with a command of its own", "change both by hand")
    return None


def _targets(case: _Case, manager: str) -> Iterator[_Target]:
    """What scripts of the project start for production, the first one meant most."""
    scripts, folder = case.unit.package.scripts, case.unit.folder
    programs = Programs(case.layout)
    for name in (*_STARTS_BUILT, "start"):
        text = scripts.get(name)
        runs = () if text is None else tuple(programs.of_text(text, folder))
        if text is None or len(runs) != 1 or why_dev_server(runs[0]) is not None:
            continue
        ran = runs[0]
        told = f"`{name}` is `{text}`"
        is_alone = not {f"pre{name}", f"post{name}"} & scripts.keys()
        words = (manager, "run", name)
        entry = node_entry(ran.args) if ran.program == "node" else None
        if entry is not None:
            is_plain = is_alone and text.split() == ["node", entry]
            yield _Target(("node", entry) if is_plain else words, join(folder, entry), told)
        elif ran.program in {"next", "nuxt", "nuxi"} and _ports(ran) == _ports(case.ran):
            yield _Target(words, join(folder, ".next" if ran.program == "next" else ".output"), told)
    if not any(name in scripts for name in _STARTS_BUILT):
        yield from _compiled(case)


def _ports(ran: Ran) -> tuple[str, ...]:
    return tuple(re.findall(r"(?:-p|--port|-H|--hostname|--host)[ =]\S+", ran.text))


def _compiled(case: _Case) -> Iterator[_Target]:
    """What tsc makes of the source that is started, where its settings say so and nothing else is needed."""
    context, unit = case.reading.context, case.unit
    config = posixpath.join(unit.source, "tsconfig.json")
    root = compiler_option(context, config, "rootDir")
    out = compiler_option(context, config, "outDir")
    module = str(compiler_option(context, config, "module") or "").lower()
    entry = next((word for word in case.ran.args if not word.startswith("-")), None)
    if not (isinstance(root, str) and isinstance(out, str) and entry) or module not in {"commonjs", "node"}:
        return
    if compiler_option(context, config, "paths") is not None or context.json(unit.package.path) is None:
        return
    inside = below(join("/", entry), join("/", root))
    source = posixpath.join(unit.source, entry)
    paths = [source, f"{source}.ts", posixpath.join(source, "index.ts")]
    found = next((path for path in paths if path.endswith(".ts") and context.exists(path) is True), None)
    files = source_files(case.layout, unit)
    if inside is None or found is None or isinstance(files, Unknown):
        return
    for path in files:
        text = context.read(path)
        if isinstance(text, Unknown) or re.search(_BESIDE, text):
            return
    made = posixpath.relpath(found, posixpath.join(unit.source, root))[: -len(".ts")] + ".js"
    place = posixpath.normpath(posixpath.join(out, made))
    yield _Target(("node", place), join(unit.folder, place), f"{config} puts what is compiled of {entry} there")


def _built(case: _Case, project: Project, targets: list[_Target]) -> BuiltStart | Refused | None:
    """The build that makes one of the targets."""
    scripts, folder, layout = case.unit.package.scripts, case.unit.folder, case.layout
    name = next((name for name in _BUILDS if name in scripts), None)
    if name is None:
        return None
    if project.is_production:
        return Refused(f"{case.shown}, and the install leaves out what `{project.manager} run {name}` needs")
    programs = Programs(layout).of_text(f"{project.manager} run {name}", folder)
    built = [one for one in (build_of(layout, ran) for ran in programs) if one is not None]
    outputs = [path for one in built for path in one.outputs or ()]
    target, output = next(
        ((one, path) for one in targets for path in outputs if below(one.place, path) is not None), (None, "")
    )
    first = posixpath.relpath(targets[0].place, folder)
    if target is None:
        return Refused(
            f"{case.shown}, and `{name}` (`{scripts[name]}`) is not known to make {first}, which {targets[0].told}"
        )
    reason = _why_not_built(case)
    if reason is not None:
        return Refused(f"{case.shown}, and {reason.because}", reason.hint)
    is_built = any(output in (one.outputs or ()) for _, _, one in kind_of(case.reading, layout).builds)
    return BuiltStart(
        case.cmd,
        "" if is_built else f"{project.manager} run {name}",
        target.words,
        (
            f"{case.shown}; `{name}` of {case.unit.package.path} is `{scripts[name]}`, which writes {output}",
            target.told,
        ),
    )


def _why_not_built(case: _Case) -> Refused | None:
    """A source that opens other sources when it runs, or that gets values which only a running container has."""
    context = case.reading.context
    files = source_files(case.layout, case.unit)
    if isinstance(files, Unknown):
        return Refused(f"the sources are not known: {files.reason}")
    environment = case.reading.file.environment(case.cmd)
    if case.ran.program in {"next", "nuxt", "nuxi"} and environment.get("NODE_ENV", "production") != "production":
        return Refused(f"NODE_ENV is {environment['NODE_ENV']}, with which {case.ran.program} builds something else")
    known = set(environment)
    for name in (".env", ".env.production", ".env.local"):
        text = context.read(posixpath.join(case.unit.source, name))
        known.update(re.findall(r"(?m)^\s*(\w+)=", text) if isinstance(text, str) else ())
    for path in files:
        text = context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"{path} cannot be read: {text.reason}")
        for opened in re.finditer(_READS_SOURCES, text):
            if ".js" not in opened[2]:
                because = f"{path} names {opened[2]}, which it may read when it runs"
                return Refused(because, "name what is built there")
        for found in re.finditer(_PUBLIC, text):
            if found[1] not in known:
                return Refused(
                    f"{path} reads {found[1]}, which a build writes into its result, and nothing sets it there",
                    "set it with ARG or ENV before the build",
                )
    return None


__all__ = ["built_start"]
