"""What a .NET program needs when it runs, and where it writes.

Sources: learn.microsoft.com, "Configuration in ASP.NET Core" (appsettings.json and wwwroot of the content root, which
is the working directory), "Native interoperability", "Single-file deployment".
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
from refactor.ecosystems.program import Needs, Program
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
from refactor.flow.reading import Refused, is_within
from refactor.images.nuget import OF_SYSTEM
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


def project_of(program: Program) -> tuple[Project, tuple[Project, ...]] | Refused:
    """The project of a program, and all that are built with it."""
    dotnet = DotNetCall.of(program.call)
    if dotnet is None:
        return Refused(f"{program.made} is in the build context as it is: nothing of it is built here")
    build = dotnet.build
    if isinstance(build, Unknown):
        return Refused(f"what `dotnet {dotnet.package.verb}` builds is not known: {build.reason}")
    stem = re.sub(r"\.(?:dll|exe)\Z", "", posixpath.basename(program.made))
    named = [one for one in build.named if one.assembly in {stem, stem if build.is_solution else "*"}]
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
    folder = _why_native(program, texts) or _why_address(program, own, texts) or _folder(program, projects)
    if isinstance(folder, Refused):
        return folder
    assert program.act is not None
    pages = r"|wwwroot/" if own.sdk.endswith(".Web") else ""
    paths = beside(program, rf"(?:appsettings|hostsettings)[\w.-]*\.json{pages}")
    paths = {path: why for path, why in {**paths, **opened(program, texts, _READS, SUFFIXES)}.items()
             if not is_within(path, folder)}  # fmt: skip
    return Needs({**paths, folder: f"`{program.act.text}` puts all that the program needs there"}, started)


def _folder(program: Program, projects: Sequence[Project]) -> str | Refused:
    """The folder that holds the program with its libraries."""
    folder = posixpath.dirname(program.path)
    own = () if program.call is None else program.call.places(one.path for one in projects)
    mixed = program.origin is program.reading and any(is_within(path, folder) for path in own)
    if folder in _SYSTEM_FOLDERS or mixed:
        other = "among the sources" if mixed else "into a folder of the system"
        return Refused(
            f"{program.path} is built {other} ({folder}), where it cannot be told apart from what else is there",
            "put it into a folder of its own with -o, and start it from there",
        )
    return folder


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
