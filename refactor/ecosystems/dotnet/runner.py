"""Which image of .NET carries a program: aspnet, runtime or runtime-deps of the SDK's version and distribution.

Sources: github.com/dotnet/dotnet-docker, "Image variants", "Ubuntu Chiseled", "Enable globalization functionality".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from refactor.context.dotnet_manifests import Project
from refactor.ecosystems.dotnet.needs import project_of
from refactor.ecosystems.dotnet.tools import DotNetCall
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup

_PLAIN = (
    r"System\..*|Newtonsoft\.Json|Dapper|Npgsql|Humanizer.*|CommandLineParser|Spectre\.Console.*|Serilog|"
    r"Serilog\.Sinks\.(?:Console|File)|CsvHelper|Polly(?:\.Core)?|FSharp\.Core|YamlDotNet|MQTTnet|RabbitMQ\.Client|"
    r"StackExchange\.Redis|Confluent\.Kafka|"
    r"Microsoft\.Extensions\.(?:Hosting|Logging|Configuration|DependencyInjection|Options|Http|Caching)(?:\.\w+)*"
)
"""Packages that do without ASP.NET (no frameworkReferences in their nuspec)."""
_KINDS = ("aspnet", "runtime", "runtime-deps")
_INVARIANT = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"


def runner(language: Language, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """See :meth:`Language.runner`."""
    image, programs = reading.image, language.programs_of(reading)
    assert image is not None
    if isinstance(programs, Refused):
        return programs
    if image.family != "dotnet" or not re.search(r"/sdk\Z", image.parsed.name):
        return Refused(
            f"{image.reference} is not an image of the .NET SDK, and which runtime belongs to it is not known",
            "start from mcr.microsoft.com/dotnet/sdk",
        )
    kinds: list[tuple[str, str]] = []
    for program in programs:
        kind = _kind(program)
        if isinstance(kind, Refused):
            return kind
        kinds.append(kind)
    name, why = min(kinds, key=lambda one: _KINDS.index(one[0]))
    found = _reference(reading, name, wish)
    if isinstance(found, Refused):
        return found
    has_shell = "chiseled" not in found
    if not has_shell and (needs.shell or needs.packages or needs.programs):
        reasons = (*needs.shell, *(f"{name} is needed" for name in (*needs.packages, *needs.programs)))
        return Refused(f"{found} has no shell and installs nothing, but {'; '.join(reasons)}", 'use runner = "slim"')
    refused = _globalization(reading, programs, image.distro == "alpine")
    return refused or Runner(found, has_shell=has_shell, evidence=(why,))


def _kind(program: Program) -> tuple[str, str] | Refused:
    """The kind of image, and why."""
    found = project_of(program)
    if isinstance(found, Refused):
        return found
    own, projects = found
    dotnet = DotNetCall.of(program.call)
    if dotnet is not None and program.root.name != "dotnet":
        if dotnet.package.verb == "publish" and dotnet.is_self_contained(own):
            return "runtime-deps", f"{own.path} is published with its runtime"
        if own.is_set("PublishAot"):
            return "runtime-deps", f"{own.path} is compiled ahead of time"
    return _framework(own, projects)


def _framework(own: Project, projects: Sequence[Project]) -> tuple[str, str]:
    for one in projects:
        if one.sdk.endswith((".Web", ".Razor")) or any("AspNetCore" in name for name in one.frameworks):
            return "aspnet", f"{one.path} uses ASP.NET Core ({one.sdk if '.Web' in one.sdk else 'by reference'})"
    packages = sorted(package for one in projects for package in one.packages)
    other = next((package for package in packages if not re.fullmatch(_PLAIN, package)), None)
    if other is not None:
        return "aspnet", f"{own.path} needs {other}, which may use ASP.NET Core"
    return "runtime", f"{own.path} uses nothing of ASP.NET Core"


def _reference(reading: StageReading, kind: str, wish: str | None) -> str | Refused:
    image, written = reading.image, reading.stage.image
    assert image is not None
    tag = image.parsed.tag or "latest"
    parts = re.fullmatch(r"(?:(\d+\.\d+)(?:\.\d+)?|latest)((?:-[\w.]+)*)", tag)
    if parts is None:
        return Refused(
            f"which runtime belongs to {image.reference} is not known", "name the version in the tag, as 8.0"
        )
    line, suffix = parts[1], parts[2].replace("-aot", "")
    repository = image.parsed.name.removesuffix("sdk") + kind
    if wish in {"scratch", "alpine"} and not (wish == "alpine" and image.distro == "alpine"):
        return Refused(f"the program is built for the C library of {image.reference}, which {wish} does not bring",
                       'use runner = "slim" or "distroless"')  # fmt: skip
    if wish == "distroless":
        if image.distro == "alpine" or line is None or int(line.partition(".")[0]) < 8:
            return Refused(f"there is no chiseled image for {image.reference}", 'use runner = "slim"')
        return f"{repository}:{line}-noble-chiseled-extra"
    new = f"{line or 'latest'}{suffix}"
    if "$" in written:
        if new != tag or "/sdk:" not in written or image.parsed.digest:
            return Refused(f"{written} depends on a build argument", "write the version into the FROM line")
        return written.replace("/sdk:", f"/{kind}:")
    found = f"{repository}:{new}"
    return (
        found if lookup(found) is not None else Refused(f"there is no {found}", "name the version in the tag, as 8.0")
    )


def _globalization(reading: StageReading, programs: Sequence[Program], is_alpine: bool) -> Refused | None:
    """The SDK's Alpine image has ICU and uses it, the others of Alpine have not."""
    if not is_alpine:
        return None
    environment = reading.environment
    said = (environment.get(_INVARIANT) or "").lower()
    installed = {word.literal for _, call in reading.calls for word in call.packages}
    if said in {"1", "true"} or (said in {"0", "false"} and "icu-libs" in installed):
        return None
    for program in programs:
        found = project_of(program)
        if isinstance(found, Refused) or not found[0].is_set("InvariantGlobalization"):
            return Refused(
                "the Alpine image of the SDK has the data of all languages (icu-libs), that of the runtime has not",
                f"write ENV {_INVARIANT}=1 where the program does without, or install icu-libs with {_INVARIANT}=0",
            )
    return None
