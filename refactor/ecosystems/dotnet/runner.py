"""Which image of .NET carries a program: aspnet, runtime or runtime-deps of the SDK's version and distribution.

Sources: github.com/dotnet/dotnet-docker, "Image variants", "Ubuntu Chiseled", "Enable globalization functionality".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from refactor.ecosystems.dotnet.needs import project_of
from refactor.ecosystems.dotnet.projects import Project
from refactor.ecosystems.dotnet.tools import DotNetCall
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.runners import why_not_bare
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading
from refactor.images.nuget import PLAIN

_KINDS = ("aspnet", "runtime", "runtime-deps")
_INVARIANT = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"


def runner(language: Language, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """See :meth:`Language.runner`."""
    image, programs = reading.image, language.programs_of(reading)
    assert image is not None
    if isinstance(programs, Refused):
        return programs
    if image.family != "dotnet" or not image.variant.startswith("sdk"):
        return Refused(
            f"{image.reference} is not an image of the .NET SDK, and which runtime belongs to it is not known",
            "start from mcr.microsoft.com/dotnet/sdk",
        )
    name, why = min(map(_kind, programs), key=lambda kind: _KINDS.index(kind[0]))
    is_alpine, is_chiseled = image.distro == "alpine", wish == "distroless"
    if wish == "scratch" or (wish == "alpine" and not is_alpine):
        return Refused(f"the program is built for the C library of {image.reference}, which {wish} does not bring",
                       'use runner = "slim" or "distroless"')  # fmt: skip
    found = variant_reference(reading, f"{name}{'-chiseled' if is_chiseled else '-alpine' if is_alpine else ''}")
    if isinstance(found, Refused):
        version = "write the image and its version into the FROM line, as sdk:8.0"
        return found._replace(hint='use runner = "slim"' if is_chiseled else version)
    refused = why_not_bare(found, needs) if is_chiseled else None
    refused = refused or (_why_no_languages(reading, programs) if is_alpine else None)
    return refused or Runner(found, has_shell=not is_chiseled, evidence=(why,))


def _kind(program: Program) -> tuple[str, str]:
    """The kind of image, and why."""
    (own, projects), dotnet = _built(program), DotNetCall.of(program.call)
    if dotnet is not None and program.root.name != "dotnet" and dotnet.is_self_contained(own, program.made):
        how = "compiled ahead of time" if own.is_set("PublishAot") else "published with its runtime"
        return "runtime-deps", f"{own.path} is {how}"
    web = next((one for one in projects if one.sdk.endswith((".Web", ".Razor")) or one.frameworks), None)
    if web is not None:
        return "aspnet", f"{web.path} uses ASP.NET Core ({min(web.frameworks, default=web.sdk)})"
    packages = sorted(package for one in projects for package in one.packages)
    other = next((package for package in packages if not re.fullmatch(PLAIN, package)), None)
    if other is not None:
        return "aspnet", f"{own.path} needs {other}, which may use ASP.NET Core"
    return "runtime", f"{own.path} uses nothing of ASP.NET Core"


def _built(program: Program) -> tuple[Project, tuple[Project, ...]]:
    found = project_of(program)
    # What the program needs was asked before.
    assert not isinstance(found, Refused)
    return found


def _why_no_languages(reading: StageReading, programs: Sequence[Program]) -> Refused | None:
    """The SDK's Alpine image has ICU and uses it, the others of Alpine have not."""
    said = (reading.environment.get(_INVARIANT) or "").lower()
    installed = {word.literal for _, call in reading.calls for word in call.packages}
    if said in {"1", "true"} or (said in {"0", "false"} and "icu-libs" in installed):
        return None
    if all(_built(program)[0].is_set("InvariantGlobalization") for program in programs):
        return None
    return Refused(
        "the Alpine image of the SDK has the data of all languages (icu-libs), that of the runtime has not",
        f"write ENV {_INVARIANT}=1 where the program does without, or install icu-libs with {_INVARIANT}=0",
    )
