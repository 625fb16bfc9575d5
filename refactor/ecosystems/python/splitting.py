"""A Python stage taken apart: a virtual environment is built in one stage and copied into the other."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Mapping, Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.context.tables import at, table
from refactor.ecosystems import registry, system
from refactor.ecosystems.answers import Slim, SplitPlan
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.environments import environment_text, find_environment, making, why_not_moved
from refactor.ecosystems.python.installs import ReadInstall, all_installs, read_installs
from refactor.ecosystems.python.placing import Parts
from refactor.ecosystems.python.program import program_sources
from refactor.ecosystems.python.stage import RUNNER_ACTIONS, PythonStage, is_uv_copy, why_not_read
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.runner_packages import RunnerPackages, runner_packages
from refactor.ecosystems.runners import interpreted, lacking
from refactor.ecosystems.split import Role, assemble, builder_name, laid_out
from refactor.flow.closure import named, why_no_context, why_not_seen
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.images import BaseImage, lookup
from refactor.images.wheels import table as wheels
from refactor.shell import read
from refactor.syntax import Instruction

_SYSTEM_PYTHON = (
    "python3-pip", "python3-setuptools", "python3-wheel", "python3-venv", "python3-virtualenv", "py3-pip",
)  # fmt: skip
_FIRST = frozenset({Action.TOOL, Action.SYSTEM, Action.SET_UP})
_TOOL_FOLDER = r"/root/\.(?:local|poetry|cargo)/bin|\$HOME/\.local/bin|\$(?:POETRY_HOME|\{POETRY_HOME\})/bin"


def split(reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """The plan, or why there is none; None where nothing of Python is installed or built."""
    image = reading.image
    stage = PythonStage.of(reading)
    if reading.context.why_unknown is not None:
        return why_no_context(reading) if stage.installs else None
    builds = system.build_only(reading)
    if image is None or image.family not in {"python", "pypy"}:
        return _other_image(stage, builds) if builds and stage.installs else None
    if not stage.installs:
        if builds and any(act.action is Action.PROGRAM for act in stage.acts):
            return Refused(f"{system.are(builds)} there to build, but no installation of packages is found")
        return None
    unread = why_not_read(reading)
    if unread is not None:
        return unread
    read = read_installs(stage)
    refused = next((answer for answer in read if not isinstance(answer, ReadInstall)), None)
    known = tuple(answer for answer in read if isinstance(answer, ReadInstall))
    verdict = needs.judge(known, image)
    reasons = _reasons(stage, builds, verdict, image)
    git = None if image.variant == "fat" else _git(reading, known, verdict.built)
    if isinstance(git, str):
        reasons.append(git)
    if not reasons:
        if refused is not None and image.variant == "fat":
            return refused[1]
        gone = system.removed_at_once(reading)
        if gone:
            them = "it" if len(gone) == 1 else "them"
            because = f"{system.are(gone)} removed in the RUN that installs {them}"
            return Refused(f"{because}: with a builder stage the image would not be smaller")
        if isinstance(git, Refused):
            return git
        return Refused(
            "no compiler or build tool is installed, and what is installed comes as wheels: a virtual environment "
            "copied between slim stages would not be smaller"
        )
    if refused is not None:
        return refused[1]
    return _plan(stage, known, verdict.built, image, wish, reasons)


def _other_image(stage: PythonStage, builds: Sequence[str]) -> Refused:
    name = stage.reading.image_reference or stage.reading.stage.image
    because = f"{system.are(builds)} only needed to build, but the base image {name} is no official Python image"
    return Refused(f"{because}: which Python it has, and where, is not known", "start from python:<version>")


def _reasons(stage: PythonStage, builds: Sequence[str], verdict: needs.Verdict, image: BaseImage) -> list[str]:
    reasons = [f"{system.are(builds)} there only to build"] if builds else []
    tools = [tool for tool in stage.tools if tool not in {"virtualenv", "build", "poetry-core"}]
    if tools:
        reasons.append(f"{system.are(tools)} there only to install")
    if verdict.built and image.variant == "fat":
        reasons.append("; ".join(verdict.built.values()))
    if image.family == "pypy" and image.variant == "fat" and verdict.unknown:
        reasons.append(f"{', '.join(verdict.unknown)} may have no wheel for PyPy, and is compiled then")
    return reasons


def _git(reading: StageReading, installs: Sequence[ReadInstall], built: Mapping[str, str]) -> str | Refused | None:
    """Why git is a build tool here, or why it is not; None where the stage installs no git, or installs nothing with
    it."""
    fetched = needs.with_git(built)
    if not fetched or not system.is_kept(reading, "git"):
        return None
    by_sources = needs.programs(installs, reading.context)
    if isinstance(by_sources, Refused):
        return by_sources
    called = {**by_sources, **programs_started(reading)}.get("git")
    if called is not None:
        return Refused(
            f"git, which fetches {', '.join(fetched)}, is called at run time as well ({called}): a virtual environment "
            "copied between slim stages would not be smaller"
        )
    return f"git is there only to fetch {', '.join(fetched)}"


def _plan(
    stage: PythonStage,
    installs: tuple[ReadInstall, ...],
    built: Mapping[str, str],
    image: BaseImage,
    wish: str | None,
    reasons: Sequence[str],
) -> SplitPlan | Refused:
    reading = stage.reading
    direct = why_not_moved(stage, installs, image, built) or _started_directly(stage, installs)
    if isinstance(direct, Refused):
        return direct
    runner = interpreted(reading, wish, "Python")
    if isinstance(runner, Refused):
        return runner
    environment = find_environment(stage, installs, image, bool(direct))
    if isinstance(environment, Refused):
        return environment
    packages = _packages(stage, installs, built, image, runner.image)
    if isinstance(packages, Refused):
        return packages
    parts = Parts(stage, installs, environment, dict(packages.roles))
    files = parts.place_runs() or why_not_seen(reading) or program_sources(reading)
    if isinstance(files, Refused):
        return files
    parts.roles = system.narrow(reading, parts.roles)
    parts.place_copies()
    lost = _why_lost(parts)
    if lost is not None:
        return lost
    if environment.is_new:
        _make_environment(parts)
    _place_paths(parts)
    artefacts = [f"COPY --from={builder_name(reading)} {path} {path}" for path in environment.copied]
    if environment.is_new or (direct and f"{environment.path}/bin" not in stage.on_path):
        artefacts.insert(1, environment_text(environment.path))
    evidence = [*reasons, *packages.evidence]
    evidence += [f"the programs that it calls were looked for in {named(files)}"] if files else []
    evidence += parts.evidence
    # CMD, ENTRYPOINT and steps of the runner call the programs themselves, not through the build tool.
    evidence += [f"line {reading.file.line_of(node)} starts its programs without `{' or '.join(stage.tools)} run`: "
                 "that only puts the virtual environment on PATH" for node in direct]  # fmt: skip
    evidence.append(f"the virtual environment is at the same path ({environment.path}) in both stages, on the same "
                    f"Python and distribution ({reading.stage.image} and {runner.image})")  # fmt: skip
    return assemble(
        reading,
        parts.roles,
        runner_image=runner.image,
        artefacts=artefacts,
        instead=parts.instead,
        instead_in_runner={**direct, **parts.instead_in_runner},
        before=parts.before,
        runner_head=[*packages.before, packages.install] if packages.install else (),
        is_artefact_absolute=True,
        evidence=tuple(dict.fromkeys(evidence)),
    )


def _packages(
    stage: PythonStage,
    installs: Sequence[ReadInstall],
    built: Mapping[str, str],
    image: BaseImage,
    runner: str,
) -> RunnerPackages | Refused:
    """What the runner installs of the system."""
    reading = stage.reading
    called = needs.programs(installs, reading.context)
    if isinstance(called, Refused):
        return called
    messages = _compiles_messages(reading)
    called.update({"msgfmt": messages} if messages is not None else {})
    build_only = dict.fromkeys(_SYSTEM_PYTHON, "Python comes with the base image")
    fetched = needs.with_git(built)
    if fetched and "git" not in called:
        build_only["git"] = f"{', '.join(fetched)} is fetched with it"
    expanded = reading.file.expand(runner, reading.stage.from_)

    def installed(programs: Mapping[str, str]) -> RunnerPackages | Refused:
        return runner_packages(
            reading,
            None if expanded is None else lookup(expanded),
            needed=needs.libraries(installs, image, built) if image.distro else {},
            programs=programs,
            build_only=build_only,
            builder=builder_name(reading),
        )

    first = installed(called)
    if isinstance(first, Refused):
        return first
    # What works on the project in the runner needs its programs there.
    own = (act for act in stage.acts if act.action in RUNNER_ACTIONS and act.step.node not in first.roles)
    return installed(
        {**{posixpath.basename(act.command.name or ""): f"line {stage.line(act.step)}" for act in own}, **called}
    )


def _compiles_messages(reading: StageReading) -> str | None:
    """Where Django's `compilemessages`, which calls gettext's msgfmt, is run in the runner."""
    steps = (step for step in reading.steps if step.keyword in {"RUN", "CMD", "ENTRYPOINT"})
    texts = {f"line {reading.file.line_of(step.node)}": step.node.argument for step in steps}
    files = reading.context.files(without=NOT_SOURCES)
    scripts = (path for path in files if path.endswith(".sh")) if not isinstance(files, Unknown) else ()
    texts |= {path: reading.context.text(path) for path in scripts}
    return next((f"{where} (compilemessages)" for where, text in texts.items() if "compilemessages" in text), None)


def _why_lost(parts: Parts) -> Refused | None:
    """A command of the runner that reads what a RUN makes which the builder alone has."""
    reading, stage = parts.reading, parts.stage
    flow = registry.flow_of(reading.file, reading.context)
    reads = [(act, path) for act in stage.acts for path in act.effect.reads if act.action is Action.FILES
             and Role.RUNNER in parts.roles.get(act.step.node, Role.RUNNER) and isinstance(path, str)]  # fmt: skip
    for act, path in reads:
        for maker in flow.makers(reading, path):
            made = maker.act.step if maker.act is not None and maker.kind == "command" else None
            is_there = any(is_within(maker.path, folder) for folder in parts.environment.copied)
            if made is not None and not is_there and parts.roles.get(made.step.node) == Role.BUILDER:
                because = f"line {stage.line(act.step)} reads {maker.path}, which line {made.line} makes"
                return Refused(f"{because}, where packages are installed", "split by hand")
    return None


def _place_paths(parts: Parts) -> None:
    """ENV lines that only put the folder of a build tool on PATH stay in the builder."""
    for step in parts.reading.steps:
        if step.keyword == "ENV" and [name for name, _ in step.node.pairs] == ["PATH"]:
            value = step.node.pairs[0][1].strip("\"'")
            added = [part for part in value.split(":") if part not in {"$PATH", "${PATH}"}]
            if added and all(re.fullmatch(_TOOL_FOLDER, part) for part in added):
                parts.roles[step.node] = Role.BUILDER


def _make_environment(parts: Parts) -> None:
    """Makes the environment after the build tools and before the copies that the first installation needs."""
    if any(text in making() for texts in parts.instead.values() for text in texts):
        # Inside of a RUN that was taken apart.
        return
    steps = parts.reading.steps
    kinds = [{act.action for act in parts.stage.acts_of(step)}
             for step in steps[: parts.reading.position(parts.installs[0].act.step.node)]]  # fmt: skip
    is_before = (bool(own & _FIRST) or is_uv_copy(step) for step, own in zip(steps, kinds))
    start = max((index + 1 for index, is_one in enumerate(is_before) if is_one), default=0)
    # pip is upgraded in the environment that is used.
    upgrade = next((index for index, own in enumerate(kinds) if Action.UPGRADE in own), start)
    if not any(Action.TOOL in own for own in kinds[upgrade:]):
        start = min(start, upgrade)
    for step in steps[start:]:
        if step.keyword in {"COPY", "ADD", "RUN"} and Role.BUILDER in parts.roles.get(step.node, Role.DROPPED):
            parts.before[step.node] = [*making(), *parts.before.get(step.node, ())]
            return


# Programs that are started through a build tool (`poetry run uvicorn`), started by themselves

_TOOLS = frozenset({"poetry", "pipenv", "pdm"})
"""Their ``run`` only puts the environment on PATH. ``uv run`` brings the environment up to date first."""
_ALL_TOOLS = _TOOLS | {"uv", "uvx", "hatch"}
_INSTEAD = "start the program itself (`uvicorn ...` in place of `poetry run uvicorn ...`)"


def _started_directly(stage: PythonStage, installs: Sequence[ReadInstall]) -> dict[Instruction, str] | Refused:
    """New texts of the CMD, ENTRYPOINT and RUN that start a program through a tool which the runner will not have.

    Sound where the tool does nothing but set PATH (the documentation of ``poetry run``, ``pipenv run`` and
    ``pdm run``): not for a script of the manifest, not where pipenv loads a ``.env`` file, not with options.
    """
    reading = stage.reading
    tools = _ALL_TOOLS & frozenset(stage.tools) | (frozenset({"uvx"}) if "uv" in stage.tools else frozenset())
    found: dict[Instruction, str] = {}
    steps = (act.step.node for act in stage.acts if act.action is Action.PROGRAM)
    running = dict.fromkeys(node for node in steps if node.json is None)
    for node in (*(reading.start.nodes if reading.start is not None else ()), *running):
        is_run, text = node.keyword == "RUN", node.argument
        where = f"{'' if is_run else f'{node.keyword} on '}line {reading.file.line_of(node)}"
        commands = () if node.json is not None else sorted(read(text).commands, key=lambda one: one.span, reverse=True)
        called = [([word.literal for word in one.words], one.words) for one in commands]
        for words, parts in called if node.json is None else [(list(node.json), ())]:
            if not words or words[0] not in tools or (is_run and words[1:2] != ["run"]):
                continue
            reason = _why_kept(stage, installs, words, where)
            if reason is not None:
                return reason
            rest = text[: parts[0].span[0]] + text[parts[2].span[0] :] if parts else None
            text = json.dumps(words[2:], ensure_ascii=False) if rest is None else rest
        if text != node.argument:
            flags = "".join(f"{flag.text} " for flag in node.flags)
            found[node] = f"{node.keyword} {flags}{text if node.json is not None else laid_out(text)}"
    return _why_elsewhere(reading, tools, is_changed=bool(found)) or found


def _why_kept(stage: PythonStage, installs: Sequence[ReadInstall], words: Sequence[str], where: str) -> Refused | None:
    tool = words[0]
    if tool not in _TOOLS or words[1:2] != ["run"]:
        return Refused(f"{where} calls {tool}, so the runner needs it as well", _INSTEAD)
    if len(words) < 3 or words[2].startswith("-"):
        return Refused(f"{where} calls {tool} with options of its own, so the runner needs it as well", _INSTEAD)
    for install in installs:
        own = install.project.scripts if install.project is not None else ()
        if words[2] in own and install.sources is not None:
            continue
        tasks = at(install.project.tools, "pdm", "scripts") if install.project is not None else None
        if words[2] in own or words[2] in table(tasks):
            because = f"{where} calls {tool} for the script {words[2]} of the manifest, so the runner needs it"
            return Refused(because, _INSTEAD)
    if tool == "pipenv" and stage.reading.context.exists(".env") is True:
        return Refused(f"{where} calls pipenv, which also loads .env, so the runner needs it as well", _INSTEAD)
    return None


def _why_elsewhere(reading: StageReading, tools: Collection[str], *, is_changed: bool) -> Refused | None:
    """A health check, a script or a Compose file that calls the tool too."""
    health = reading.last("HEALTHCHECK")
    if health is not None and not set(health.argument.replace('"', " ").replace(",", " ").split()).isdisjoint(tools):
        return Refused(
            f"HEALTHCHECK on line {reading.file.line_of(health)} calls a build tool, which the runner has not"
        )
    # Those that CMD and ENTRYPOINT call themselves are no more called then.
    calls = [] if is_changed else [(program, where) for program, where in programs_started(reading).items()]
    files = reading.context.files(without=NOT_SOURCES) if is_changed else ()
    for path in files if not isinstance(files, Unknown) else ():
        text = reading.context.text(path) if path.endswith((".sh", "Procfile", ".conf")) else ""
        calls += [(tool, path) for tool in sorted(tools) if f"{tool} run" in text]
    used = next(((tool, where) for tool, where in calls if tool in tools), None)
    return None if used is None else Refused(f"{used[1]} calls {used[0]}, so the runner needs it as well", _INSTEAD)


# The slim variant of the same image, without a builder

_BY_HAND = "split the stage: build on the full image, run on the slim one"
_COMPILERS = frozenset({"gcc", "g++", "cc", "make", "cmake", "cython", "autoconf", "rustc", "cargo"})


def slim(reading: StageReading) -> Slim | Refused | None:
    """The packages that the slim image lacks and the program needs; None where the stage is not Python's."""
    image = reading.image
    reference = image.with_variant("slim") if image is not None and image.family in {"python", "pypy"} else None
    target = lookup(reference) if reference is not None else None
    if image is None or target is None:
        return None
    stage = PythonStage.of(reading)
    refused, builds = why_not_read(reading), system.build_only(reading)
    if refused is None and builds:
        because = f"{system.are(builds)} here to compile something, which may use more of the full image"
        refused = Refused(because, _BY_HAND)
    if refused is not None:
        return refused
    read = read_installs(stage)
    own = [one for one in read if isinstance(one, ReadInstall)]
    installs = all_installs(reading)
    verdict = needs.judge(own, image)
    refused = next((one[1] for one in read if not isinstance(one, ReadInstall)), None) or _why_not_installed(verdict)
    if refused is not None:
        return refused
    called = needs.programs(installs, reading.context)
    if isinstance(called, Refused):
        return called
    libraries = needs.libraries(installs, image, needs.judge(installs, image).built)
    packages = {name: why for name, why in libraries.items() if name not in target.preinstalled}
    called.update(programs_started(reading))
    for act in stage.acts:
        if act.action is not Action.SYSTEM:
            called.setdefault(posixpath.basename(act.command.name or ""), f"line {stage.line(act.step)}")
    installed = system.installed(reading)
    for name, package, where in lacking(image, called):
        if name in _COMPILERS and package not in installed:
            return Refused(f"{where} calls {name}, which the slim image has not", "install it, or split by hand")
        if package not in installed:
            packages.setdefault(package, f"{where} calls {name}")
    evidence = [f"{name}: {why}" for name, why in packages.items()]
    return Slim(tuple(packages), (*evidence, *_slim_evidence(own, verdict)))


def _why_not_installed(verdict: needs.Verdict) -> Refused | None:
    """A distribution that a slim image cannot install, or of which that is not known."""
    if verdict.built:
        because = f"{next(iter(verdict.built.values()))}: the slim image has no compiler or git to build it"
        return Refused(because, f"take a version that has one, or {_BY_HAND}")
    if not verdict.unknown:
        return None
    more = f" and {len(verdict.unknown) - 3} more" if verdict.unknown[3:] else ""
    return Refused(
        f"nothing says whether {', '.join(verdict.unknown[:3])}{more} can be installed without a compiler: no lockfile"
        f" lists the files, and the table of wheels ({wheels().date}) does not have it",
        "lock the versions with poetry, uv or pdm, or build in a stage of its own",
    )


def _slim_evidence(installs: Sequence[ReadInstall], verdict: needs.Verdict) -> list[str]:
    if not installs:
        return ["no RUN installs a Python distribution"]
    files = ", ".join(dict.fromkeys(path for install in installs for path in install.manifests[:2]))
    where, names = f" of {files}" if files else "", verdict.wheels
    if any(locked.files for install in installs for locked in install.locked):
        return [f"the lockfile lists wheels, or pure Python, for all {len(names)} distributions{where}"]
    if not names:
        return [f"{files or 'the project'} names no distribution to install"]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [f"{shown}{where} have wheels or are pure Python (table of {wheels().date})"]


__all__ = ["slim", "split"]
