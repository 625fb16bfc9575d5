"""What a .NET program needs when it runs, which image carries it, and where it writes.

Sources: learn.microsoft.com, "Configuration in ASP.NET Core" (appsettings.json and wwwroot of the content root, which
is the working directory), "Native interoperability", "Single-file deployment"; github.com/dotnet/dotnet-docker, "Image
variants", "Ubuntu Chiseled", "Enable globalization functionality".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.context import Unknown
from refactor.context.literals import line_at
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import beside, called, opened, sources, texts_below
from refactor.ecosystems.dotnet.projects import Project
from refactor.ecosystems.dotnet.tools import DotNetCall
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.runners import why_not_bare
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.images.nuget import OF_SYSTEM, PLAIN
from refactor.images.since import has_come

SUFFIXES = (".cs", ".fs", ".vb", ".cshtml", ".razor", ".csproj", ".fsproj", ".vbproj", ".sln", ".slnx", ".props")
_TEMPORARY = r"GetTempPath|GetTempFileName"
_BESIDE = rf"(?!\s*\([^;]*\b(?:BaseDirectory|GetExecutingAssembly|GetEntryAssembly|{_TEMPORARY})\b)"
"""Not for what lies beside the program, which comes along, nor for /tmp."""
_KEPT = rf"(?!\s*\([^;]*\b(?:{_TEMPORARY})\b)"
_READS: Mapping[str, int] = {
    rf"(?:\w+\.)*File\.(?:Read\w+|Open|OpenRead|OpenText|Exists|ReadLines){_BESIDE}": 0,
    rf"new\s+(?:System\.IO\.)?StreamReader{_BESIDE}": 0,
    rf"(?:\w+\.)*Directory\.(?:GetFiles|EnumerateFiles|GetDirectories){_BESIDE}": 0,
}
_WRITES: Mapping[str, int] = {
    rf"(?:\w+\.)*File\.(?:Write\w+|Append\w+|Create|CreateText|OpenWrite){_KEPT}": 0,
    rf"(?:\w+\.)*File\.(?:Copy|Move){_KEPT}": 1,
    rf"new\s+(?:System\.IO\.)?(?:StreamWriter|FileStream){_KEPT}": 0,
    r"\bWriteTo\.File": 0,
}
_MAKES: Mapping[str, int] = {rf"(?:\w+\.)*Directory\.CreateDirectory{_KEPT}": 0}
_STARTS: Mapping[str, int] = {r"(?:\w+\.)*Process\.Start": 0, r"new\s+(?:System\.Diagnostics\.)?ProcessStartInfo": 0}
_STARTED = r"\bFileName\s*=\s*\"([^\"]+)\""
_LOADS = r"\b(?:DllImport|LibraryImport)(?:Attribute)?\s*\(\s*\"((?:lib)?([^\"]+?)(?:\.so[\d.]*|\.dll)?)\""
_DATA_SOURCE = r"(?i)\b(?:data source|datasource|filename)\s*=\s*([^;\"'\s]+)"
_LOG_PATH = r"\"(?:path|fileName)\"\s*:\s*\"([^\"]+\.(?:log|txt|json))\""
_RUNS = (".Web", ".Worker", ".BlazorWebAssembly")
"""SDKs whose projects are programs."""
_SYSTEM_FOLDERS = ("/", "/bin", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin", "/opt", "/tmp", "/root")
_KINDS = ("aspnet", "runtime", "runtime-deps")
_INVARIANT = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"


def project_of(program: Program) -> tuple[Project, tuple[Project, ...]] | Refused:
    """The project of a program, and all that are built with it."""
    dotnet = DotNetCall.of(program.call)
    if dotnet is None:
        return Refused(f"{program.made} is in the build context as it is: nothing of it is built here")
    build = dotnet.build
    if isinstance(build, Unknown):
        return Refused(f"what `dotnet {dotnet.package.verb}` builds is not known: {build.reason}")
    stem = re.sub(r"\.(?:dll|exe)\Z", "", posixpath.basename(program.made))
    built = build.projects if build.is_solution else build.projects[:1]
    named = [one for one in built if one.assembly in {stem, stem if build.is_solution else "*"}]
    if len(named) != 1:
        names = ", ".join(sorted({one.assembly for one in build.projects}))
        because = f"{build.file} builds {names}, and {program.root.where} starts {stem}"
        return Refused(because, "name the program that is built")
    own = named[0]
    if not own.sdk:
        because = f"{own.path} is a project of the .NET Framework, which runs on Windows"
        return Refused(because, "move it to an SDK project")
    if own.sdk.endswith(_RUNS) or own.properties.get("OutputType", "").lower() in {"exe", "winexe", "*"}:
        return own, build.projects
    return Refused(f"{own.path} builds a library, no program", "start the program that uses it")


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    found = project_of(program)
    if isinstance(found, Refused):
        return found
    own, projects = found
    texts = dict(sources(program.reading.context, files))
    started = _programs(texts)
    if isinstance(started, Refused):
        return started
    refused = _why_native(program, texts) or _why_address(program, own, texts)
    if refused is not None:
        return refused
    assert program.act is not None
    assert program.call is not None
    # The program lies beside its libraries.
    folder, places = posixpath.dirname(program.path), program.call.places(one.path for one in projects)
    is_mixed = program.origin is program.reading and any(is_within(path, folder) for path in places)
    if is_mixed or folder in _SYSTEM_FOLDERS:
        return Refused(
            f"{program.path} is built among other files ({folder}), from which it cannot be told apart",
            "put it into a folder of its own with -o, and start it from there",
        )
    pages = r"|wwwroot/" if own.sdk.endswith(".Web") else ""
    paths = beside(program, rf"(?:appsettings|hostsettings)[\w.-]*\.json{pages}")
    paths = {path: why for path, why in {**paths, **opened(program, texts, _READS, SUFFIXES)}.items()
             if not is_within(path, folder)}  # fmt: skip
    return Needs({**paths, folder: f"`{program.act.text}` puts all that the program needs there"}, started)


def _programs(texts: Mapping[str, str]) -> dict[str, str] | Refused:
    """The programs that the sources start by name, those of `new ProcessStartInfo { FileName = "git" }` among them."""
    found = {posixpath.basename(one[1]): line_at(path, text, one.start())
             for path, text in texts.items() for one in re.finditer(_STARTED, text)}  # fmt: skip
    others = called(texts, _STARTS)
    return (found or others) if isinstance(others, Refused) else {**found, **others}


def _why_native(program: Program, texts: Mapping[str, str]) -> Refused | None:
    """A library of the system that the sources load by name."""
    files = program.reading.context.files()
    names = "" if isinstance(files, Unknown) else "\n".join(files)
    for path, text in texts.items():
        for found in re.finditer(_LOADS, text):
            own = rf"(?m)(?:^|/)(?:lib)?{re.escape(found[2])}\.(?:so|dll)"
            if not re.fullmatch(OF_SYSTEM, found[2]) and not re.search(own, names):
                where = line_at(path, text, found.start())
                return Refused(f"{where} loads {found[1]}, and which package brings that is not known", "split by hand")
    return None


_ADDRESS = (
    r"\bUseUrls\b|\bUseKestrel\s*\(\s*\w|\bConfigureKestrel\b|\bListen(?:AnyIP|Localhost)?\s*\(|\.Urls\.Add\b"
    r"|\.Run(?:Async)?\s*\(\s*[\"$]|(?i:\"Kestrel\"|\"urls\"\s*:)"
    r"|ASPNETCORE_(?:URLS|HTTPS?_PORTS)|DOTNET_URLS|(?m:^URLS$)|--urls"
)
"""In sources, in settings, among the names of variables and the words of the start command."""


def _why_address(program: Program, own: Project, texts: Mapping[str, str]) -> Refused | None:
    """A web program that is told nowhere where to listen: the SDK's image has localhost:5000, that of ASP.NET a port
    on all addresses."""
    reading = program.reading
    if not own.sdk.endswith(".Web") or reading.image is None or not reading.image.variant.startswith("sdk"):
        return None
    said = "\n".join((*texts.values(), *_settings(program).values(), *reading.environment, *program.root.words))
    port = "8080" if has_come("dotnet user", reading.image.version) else "80"
    exposed = {word.partition("/")[0] for one in reading.steps if one.keyword == "EXPOSE" for word in one.node.words}
    if re.search(_ADDRESS, said) or port in exposed:
        return None
    return Refused(
        f"nothing says where {own.path} listens: with the SDK's image it is localhost:5000, with the ASP.NET image"
        f" port {port}",
        f"write ENV ASPNETCORE_URLS=http://+:{port}, or another port",
    )


def _settings(program: Program) -> dict[str, str]:
    return texts_below(program.reading.context, r"(?:^|/)appsettings[\w.-]*\.json\Z", program.folders)


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
    packages = (name for one in projects for name in one.packages)
    other = min((name for name in packages if not re.fullmatch(PLAIN, name)), default="")
    if other:
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
    is_known = said in {"1", "true"} or (said in {"0", "false"} and "icu-libs" in installed)
    if is_known or all(_built(program)[0].is_set("InvariantGlobalization") for program in programs):
        return None
    return Refused(
        "the Alpine image of the SDK has the data of all languages (icu-libs), that of the runtime has not",
        f"write ENV {_INVARIANT}=1 where the program does without, or install icu-libs with {_INVARIANT}=0",
    )


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    texts, settings = dict(sources(program.reading.context, files)), _settings(program)
    own = project_of(program)
    packages = (name for one in (() if isinstance(own, Refused) else own[1]) for name in one.packages)
    sqlite = min((name for name in packages if "sqlite" in name.lower()), default="")
    kept = named_in({**settings, **texts}, _DATA_SOURCE, r"[{$|]", sqlite) if sqlite else []
    if sqlite and not kept:
        return Refused(f"{sqlite} keeps its database in files whose place the sources do not name", BY_HAND)
    found = [*written_by(texts, _WRITES, _MAKES), *(one for one in kept if one[0].value != ":memory:")]
    ports = ports_in((*texts.values(), *settings.values()), r"(?:https?://[^:/\"\s]+:|ListenAnyIP\()(\d+)")
    return folders_written(program, files, [*found, *named_in(settings, _LOG_PATH)], ports)
