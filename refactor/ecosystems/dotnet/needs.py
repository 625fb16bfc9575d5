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
from refactor.ecosystems.calls import Found, beside, called, first_at, opened, sources, texts_below
from refactor.ecosystems.dotnet.projects import PROJECT, Project
from refactor.ecosystems.dotnet.tools import DotNetCall
from refactor.ecosystems.program import Needs, Program
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
from refactor.flow.reading import Refused, is_within

SUFFIXES = (".cs", ".fs", ".vb", ".cshtml", ".razor", ".csproj", ".fsproj", ".vbproj", ".sln", ".slnx", ".props")
_BESIDE = r"(?!\s*\([^;]*\b(?:BaseDirectory|GetExecutingAssembly|GetEntryAssembly|GetTempPath|GetTempFileName)\b)"
"""Not for what lies beside the program, which comes along, nor for /tmp."""
_READS: Mapping[str, int] = {
    rf"(?:\w+\.)*File\.(?:Read\w+|Open|OpenRead|OpenText|Exists|ReadLines){_BESIDE}": 0,
    rf"new\s+(?:System\.IO\.)?StreamReader{_BESIDE}": 0,
    rf"(?:\w+\.)*Directory\.(?:GetFiles|EnumerateFiles|GetDirectories){_BESIDE}": 0,
}
_WRITES: Mapping[str, int] = {
    rf"(?:\w+\.)*File\.(?:Write\w+|Append\w+|Create|CreateText|OpenWrite){_BESIDE}": 0,
    rf"(?:\w+\.)*File\.(?:Copy|Move){_BESIDE}": 1,
    rf"new\s+(?:System\.IO\.)?(?:StreamWriter|FileStream){_BESIDE}": 0,
    r"\bWriteTo\.File": 0,
}
_MAKES: Mapping[str, int] = {rf"(?:\w+\.)*Directory\.CreateDirectory{_BESIDE}": 0}
_WRITES_BESIDE = (
    r"\b(?:File\.(?:Write\w+|Append\w+|Create\w*|OpenWrite)|Directory\.CreateDirectory)\s*\([^;]*"
    r"\b(?:BaseDirectory|GetExecutingAssembly|GetEntryAssembly)\b"
)
_STARTS: Mapping[str, int] = {r"(?:\w+\.)*Process\.Start": 0, r"new\s+(?:System\.Diagnostics\.)?ProcessStartInfo": 0}
_LOADS = r"\b(?:DllImport|LibraryImport)(?:Attribute)?\s*\(\s*\"([^\"]+)\""
_OF_SYSTEM = r"(?i)(?:lib)?(?:c|m|dl|pthread|System\.Native|kernel32|user32|advapi32|ntdll|shell32|ole32|gdi32|psapi)"
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
    file, projects = str(dotnet.file), dotnet.projects
    if isinstance(projects, Unknown):
        return Refused(f"what `dotnet {dotnet.package.verb}` builds is not known: {projects.reason}")
    stem = re.sub(r"\.(?:dll|exe)\Z", "", posixpath.basename(program.made))
    is_one = re.search(PROJECT, file) is not None
    named = [one for one in (projects[:1] if is_one else projects) if one.assembly in {stem, "*" if is_one else stem}]
    if len(named) != 1:
        names = ", ".join(sorted({one.assembly for one in projects}))
        return Refused(
            f"{file} builds {names}, and {program.root.where} starts {stem}", "name the program that is built"
        )
    own = named[0]
    if not own.sdk:
        return Refused(
            f"{own.path} is a project of the .NET Framework, which runs on Windows", "move it to an SDK project"
        )
    if own.sdk.endswith(_RUNS) or own.properties.get("OutputType", "").lower() in {"exe", "winexe", "*"}:
        return own, projects
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
    paths = {path: why for path, why in {**paths, **opened(program, files, _READS, SUFFIXES)}.items()
             if not is_within(path, folder)}  # fmt: skip
    return Needs({**paths, folder: f"`{program.act.text}` puts all that the program needs there"}, started)


def _folder(program: Program, projects: Sequence[Project]) -> str | Refused:
    """The folder that holds the program with its libraries."""
    folder = posixpath.dirname(program.path)
    origin = program.origin
    sources_at = [posixpath.dirname(path) for one in projects for path in origin.in_image(one.path)[-1:]]
    mixed = origin is program.reading and any(is_within(path, folder) for path in sources_at)
    if folder in _SYSTEM_FOLDERS or mixed:
        other = "among the sources" if mixed else "into a folder of the system"
        return Refused(
            f"{program.path} is built {other} ({folder}), where it cannot be told apart from what else is there",
            "put it into a folder of its own with -o, and start it from there",
        )
    return folder


def _programs(texts: Mapping[str, str]) -> dict[str, str] | Refused:
    """The programs that the sources start by name, those of `new ProcessStartInfo { FileName = "git" }` among them."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        for one in re.finditer(r"\bFileName\s*=\s*\"([^\"]+)\"", text):
            found.setdefault(posixpath.basename(one[1]), line_at(path, text, one.start()))
    others = called(texts, _STARTS)
    if isinstance(others, Refused):
        return found or others
    return {**found, **others}


def _why_native(program: Program, texts: Mapping[str, str]) -> Refused | None:
    """A library of the system that the sources load by name."""
    context = program.reading.context
    for path, text in texts.items():
        for found in re.finditer(_LOADS, text):
            name = re.sub(r"(?:\.so[\d.]*|\.dll)\Z", "", found[1])
            if re.fullmatch(_OF_SYSTEM, name):
                continue
            files = context.files()
            shared = rf"(?:^|/)(?:lib)?{re.escape(name.removeprefix('lib'))}\.(?:so|dll)"
            if isinstance(files, Unknown) or not any(re.search(shared, one) for one in files):
                where = line_at(path, text, found.start())
                return Refused(f"{where} loads {found[1]}, and which package brings that is not known", "split by hand")
    return None


_ADDRESS = (
    r"\bUseUrls\b|\bUseKestrel\s*\(\s*\w|\bConfigureKestrel\b|\bListen(?:AnyIP|Localhost)?\s*\(|\.Urls\.Add\b"
    r"|\.Run(?:Async)?\s*\(\s*[\"$]|ASPNETCORE_URLS"
)
_VARIABLES = frozenset("ASPNETCORE_URLS ASPNETCORE_HTTP_PORTS ASPNETCORE_HTTPS_PORTS DOTNET_URLS URLS".split())


def _why_address(program: Program, own: Project, texts: Mapping[str, str]) -> Refused | None:
    """A web program that is told nowhere where to listen: the SDK's image has localhost:5000, that of ASP.NET a port
    on all addresses."""
    reading = program.reading
    if not own.sdk.endswith(".Web") or reading.image is None or not reading.image.reference.count("/sdk"):
        return None
    environment = reading.environment
    if _VARIABLES & set(environment) or any("--urls" in word for word in program.root.words):
        return None
    if any(re.search(_ADDRESS, text) for text in texts.values()):
        return None
    if any(re.search(r"(?i)\"Kestrel\"|\"urls\"\s*:", text) for text in _settings(program).values()):
        return None
    port = "8080" if _major(reading.image.version) >= 8 else "80"
    exposed = {word.partition("/")[0] for step in reading.steps if step.keyword == "EXPOSE"
               for word in step.node.argument.split()}  # fmt: skip
    if port in exposed:
        return None
    return Refused(
        f"nothing says where {own.path} listens: with the SDK's image it is localhost:5000, with the ASP.NET image"
        f" port {port}",
        f"write ENV ASPNETCORE_URLS=http://+:{port}, or another port",
    )


def _major(version: str | None) -> int:
    found = re.match(r"\d+", version or "")
    return int(found[0]) if found else 10


def _settings(program: Program) -> dict[str, str]:
    return texts_below(program.reading.context, r"(?:^|/)appsettings[\w.-]*\.json\Z", program.folders)


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    context = program.reading.context
    texts = dict(sources(context, files))
    where = first_at(texts, _WRITES_BESIDE)
    if where is not None:
        return Refused(f"{where} writes beside the program", BY_HAND)
    found = written_by(texts, _WRITES, _MAKES)
    settings = _settings(program)
    own = project_of(program)
    packages = frozenset[str]() if isinstance(own, Refused) else frozenset(
        package for one in own[1] for package in one.packages
    )  # fmt: skip
    sqlite = next((name for name in sorted(packages) if "sqlite" in name.lower()), None)
    named = [(path, one[1]) for path, text in (*settings.items(), *texts.items())
             for one in re.finditer(_DATA_SOURCE, text) if sqlite is not None]  # fmt: skip
    if sqlite is not None and not named:
        return Refused(f"{sqlite} keeps its database in files whose place the sources do not name", BY_HAND)
    found += [(Found(str(sqlite), None if re.search(r"[{$|]", value) else value, path), False)
              for path, value in named if value.lower() != ":memory:"]  # fmt: skip
    found += named_in(settings, _LOG_PATH)
    ports = ports_in((*texts.values(), *settings.values()), r"(?:https?://[^:/\"\s]+:|ListenAnyIP\()(\d+)")
    return folders_written(program, files, found, ports)
