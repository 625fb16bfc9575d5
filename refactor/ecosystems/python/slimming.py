"""What a Python program needs when its image becomes the slim one."""

from __future__ import annotations

from refactor.ecosystems import system
from refactor.ecosystems.ecosystem import Slim
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.stage import Action, PythonStage, why_not_read
from refactor.ecosystems.reading import Refused, StageReading
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
    packages: dict[str, str] = {}
    for name, why in needs.libraries(installs, image, needs.built_from_source(installs)).items():
        if name not in target.preinstalled:
            packages[name] = why
    called = dict(needs.programs(installs, reading.context))
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
    locked = sum(len(install.locked) for install in installs)
    names = sorted({need.name for install in installs for need in install.requirements if need.name})
    if locked:
        evidence.append(f"the lockfile lists wheels, or pure Python, for all {locked} distributions")
    elif names:
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        evidence.append(f"none of {shown} is known to be compiled where it is installed")
    else:
        evidence.append("nothing is installed that could need more than the slim image has")
    return Slim(tuple(packages), tuple(evidence))
