"""What a Python program needs when its image becomes the slim one."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from refactor.ecosystems import system
from refactor.ecosystems.answers import Slim
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.installs import ReadInstall, all_installs, read_installs
from refactor.ecosystems.python.stage import PythonStage, why_not_read
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.runners import lacking
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup
from refactor.images.wheels import table

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
    refused = why_not_read(reading) or _why_for_building(reading)
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
    called.update(system.programs_started(reading))
    for act in stage.acts:
        if act.action is not Action.SYSTEM:
            called.setdefault(posixpath.basename(act.command.name or ""), f"line {stage.line(act.step)}")
    installed = system.installed(reading)
    for program, package, where in lacking(image, called):
        if program in _COMPILERS and package not in installed:
            return Refused(f"{where} calls {program}, which the slim image has not", "install it, or split by hand")
        if package not in installed:
            packages.setdefault(package, f"{where} calls {program}")
    evidence = [f"{name}: {why}" for name, why in packages.items()]
    return Slim(tuple(packages), (*evidence, *_evidence(own, verdict)))


def _why_for_building(reading: StageReading) -> Refused | None:
    builds = system.build_only(reading)
    because = f"{system.are(builds)} here to compile something, which may use more of the full image"
    return Refused(because, _BY_HAND) if builds else None


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
        f" lists the files, and the table of wheels ({table().date}) does not have it",
        "lock the versions with poetry, uv or pdm, or build in a stage of its own",
    )


def _evidence(installs: Sequence[ReadInstall], verdict: needs.Verdict) -> list[str]:
    if not installs:
        return ["no RUN installs a Python distribution"]
    files = ", ".join(dict.fromkeys(path for install in installs for path in install.manifests[:2]))
    where = f" of {files}" if files else ""
    if any(locked.files for install in installs for locked in install.locked):
        return [f"the lockfile lists wheels, or pure Python, for all {len(verdict.wheels)} distributions{where}"]
    names = verdict.wheels
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return (
        [f"{shown}{where} have wheels or are pure Python (table of {table().date})"]
        if names
        else [f"{where.strip() or 'the project'} names no distribution to install"]
    )
