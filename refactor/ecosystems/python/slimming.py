"""What a Python program needs when its image becomes the slim one."""

from __future__ import annotations

from collections.abc import Sequence

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.answers import Slim
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.compiled import Verdict, judge
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.stage import PythonStage, why_not_read
from refactor.ecosystems.python.tools import Action
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup

_COMPILERS = frozenset({"gcc", "g++", "cc", "make", "cmake", "cython", "autoconf", "rustc", "cargo"})


def slim(reading: StageReading) -> Slim | Refused | None:
    """The packages that the slim image lacks and the program needs; None where the stage is not Python's."""
    image = reading.image
    if image is None or image.family != "python":
        return None
    reference = image.with_variant("slim")
    target = lookup(reference) if reference is not None else None
    if target is None:
        return None
    stage = PythonStage.of(reading)
    unread = why_not_read(reading)
    if unread is not None:
        return unread
    builds = system.build_only(reading)
    if builds:
        return Refused(
            f"{system.named(builds)} {'is' if len(builds) == 1 else 'are'} here to compile something, which may use"
            " more of the full image",
            "split the stage: build on the full image, run on the slim one",
        )
    installs: list[ReadInstall] = []
    for other_stage in reading.file.stages:
        is_own = other_stage is reading.stage
        other = stage if is_own else PythonStage.of(StageReading.of(reading.file, other_stage, reading.context))
        for read in read_installs(other):
            if isinstance(read, ReadInstall):
                installs.append(read)
            elif is_own:
                return read[1]
    own = [install for install in installs if install.act.step in reading.steps]
    building = needs.built_from_source(own)
    if building:
        return Refused(
            f"{building[0].why}: the slim image has no compiler or git to build it",
            "split the stage: build on the full image, run on the slim one",
        )
    verdict = judge(own, image)
    if verdict.built:
        return Refused(
            f"{verdict.built[0].why}: the slim image has no compiler to build it",
            "take a version that has one, or split the stage: build on the full image, run on the slim one",
        )
    if verdict.unknown:
        shown = ", ".join(verdict.unknown[:3]) + (
            f" and {len(verdict.unknown) - 3} more" if verdict.unknown[3:] else ""
        )
        return Refused(
            f"nothing says whether {shown} can be installed without a compiler: no lockfile lists the files, and"
            f" the table of wheels ({verdict.date}) does not have it",
            "lock the versions with poetry, uv or pdm, or build in a stage of its own",
        )
    packages: dict[str, str] = {}
    for name, why in needs.libraries(installs, image, needs.built_from_source(installs)).items():
        if name not in target.preinstalled:
            packages[name] = why
    called = needs.programs(installs, reading.context)
    if isinstance(called, Unknown):
        return Refused(f"which programs of the full image the sources start is not known: {called.reason}")
    called.update(system.programs_started(reading))
    for act in stage.acts:
        name = (act.command.name or "").rpartition("/")[2]
        if act.action is not Action.SYSTEM and name in system.PROVIDERS:
            called.setdefault(name, f"line {stage.line(act.step)}")
    installed = {word.literal for _, call in reading.calls if call.manager in system.MANAGERS for word in call.packages}
    for program, where in called.items():
        package = system.PROVIDERS.get(program)
        if package is None or package in target.preinstalled or program in target.preinstalled or package in installed:
            continue
        if package not in image.preinstalled:
            continue
        if program in _COMPILERS:
            return Refused(f"{where} calls {program}, which the slim image has not", "install it, or split by hand")
        packages.setdefault(package, f"{where} calls {program}")
    evidence = [f"{name}: {why}" for name, why in packages.items()]
    evidence += _evidence(own, verdict)
    return Slim(tuple(packages), tuple(evidence))


def _evidence(installs: Sequence[ReadInstall], verdict: Verdict) -> list[str]:
    if not installs:
        return ["no RUN installs a Python distribution"]
    files = ", ".join(dict.fromkeys(path for install in installs for path in install.manifests[:2]))
    where = f" of {files}" if files else ""
    if any(locked.files for install in installs for locked in install.locked):
        return [f"the lockfile lists wheels, or pure Python, for all {len(verdict.wheels)} distributions{where}"]
    names = verdict.wheels
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return (
        [f"{shown}{where} have wheels or are pure Python (table of {verdict.date})"]
        if names
        else [f"{where.strip() or 'the project'} names no distribution to install"]
    )
