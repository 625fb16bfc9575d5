"""What the commands of .NET read and write: ``dotnet`` with its verbs."""

from __future__ import annotations

import posixpath
import re

from refactor.context import Unknown
from refactor.ecosystems.calls import single_files
from refactor.ecosystems.dotnet.projects import FILES, Build, Project, build_of
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import join
from refactor.once import cached_property

_PLACES = frozenset(
    """OutputPath BaseOutputPath OutDir PublishDir UseArtifactsOutput ArtifactsPath AppendTargetFrameworkToOutputPath
    AppendRuntimeIdentifierToOutputPath BaseIntermediateOutputPath""".split()
)
"""Properties that move what is built."""
_OPTIONS = {
    "Configuration": ("-c", "--configuration"),
    "TargetFramework": ("-f", "--framework"),
    "RuntimeIdentifier": ("-r", "--runtime"),
    "SelfContained": ("--self-contained", "--sc"),
}
"""Properties that have options of their own (learn.microsoft.com, "dotnet publish")."""
_NETWORK = ("network",)


class DotNetCall(ToolCall):
    """A call of dotnet where it stands."""

    manager = "dotnet"

    @cached_property
    def build(self) -> Build | Unknown:
        """The project or solution that it works on."""
        reading, node = self.call.reading, self.call.step.node
        place = self.call.path(next((word.literal for word in self.package.operands), "."))
        if isinstance(place, Unknown):
            return place
        found = reading.in_context(place, node)
        if found is None:
            # Single project files were copied into the folder.
            inside = (one.source for one in reading.copies_before(node) if posixpath.dirname(one.target) == place)
            own = (one for one in inside if re.search(FILES, one) and reading.context.exists(one) is True)
            found = next(map(posixpath.dirname, own), None)
        if found is None:
            return Unknown(f"no project file in {place} is copied from the build context")
        return build_of(reading.context, found)

    @cached_property
    def given(self) -> dict[str, str]:
        """Properties that the command line sets, as ``-p:Name=value`` or by an option."""
        named = ((name, options) for name, options in _OPTIONS.items() if self.package.has(*options))
        found = {name: self.package.option(*options) or "true" for name, options in named}
        for arg in self.call.command.args:
            match = re.match(r"(?:-p|/p|--?property|/property)[:=](.*)", arg)
            for pair in match[1].split(";") if match else ():
                name, _, value = pair.partition("=")
                found.setdefault(name.strip(), value.strip().strip('"'))
        return found

    def is_self_contained(self, project: Project) -> bool:
        """Whether the program brings its runtime, as far as somebody says so."""
        if self.package.verb != "publish" or self.package.has("--no-self-contained"):
            return False
        said = self.given.get("SelfContained") or self.given.get("PublishSelfContained")
        named = ("SelfContained", "PublishSelfContained", "PublishAot")
        return project.is_set(*named) if said is None else said.lower() == "true"

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where it puts its output, the projects' own folders where there is no option."""
        asked = self.package.option("-o", "--output")
        if asked is not None:
            return (self.call.path(asked),)
        if isinstance(self.build, Unknown):
            return (self.build,)
        names = (*self.given, *(name for one in self.build.projects for name in one.properties))
        moved = next((name for name in names if name in _PLACES), None)
        if moved is not None:
            return (Unknown(f"{moved} moves what {self.build.file} builds; name the folder with -o"),)
        return tuple(map(self._usual_folder, self.build.named))

    def _usual_folder(self, own: Project) -> Path:
        """``bin/Release/net8.0/linux-x64/publish`` of its folder, as far as it has these parts."""
        place = self.call.places((own.path,))
        if not place:
            return Unknown(f"{own.path} is not copied from the build context")
        values, is_published = {**own.properties, **self.given}, self.package.verb == "publish"
        framework = values.get("TargetFramework") or "*"
        version = re.match(r"net(\d+)\.", framework)
        usual = "Release" if is_published and version and int(version[1]) >= 8 else "Debug"
        configuration = self.call.expanded(self.given.get("Configuration", usual)) or "*"
        runtime = "*" if self.package.has("--os", "-a", "--arch", "--ucr") else values.get("RuntimeIdentifier", "")
        parts = ("bin", configuration, framework, runtime, "publish" if is_published else "")
        return join(posixpath.dirname(place[0]), posixpath.join(*filter(None, parts)))


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    dotnet = DotNetCall.of(call)
    if dotnet is None:
        return None
    package, verb = dotnet.package, dotnet.package.verb.partition(" ")[0]
    if verb == "restore":
        return _restore(dotnet)
    if verb in {"build", "publish"}:
        return Effect(_read(dotnet), dotnet.folders, needs=_NETWORK)
    if verb == "clean":
        return Effect(removes=dotnet.folders)
    if verb == "new":
        return Effect(writes=call.paths(package.option("-o", "--output") or "."))
    if verb == "tool":
        manifest = call.paths(".config/dotnet-tools.json") if "restore" in package.verb else ()
        return Effect(manifest, call.paths(package.option("--tool-path") or "~/.dotnet/tools"), needs=_NETWORK)
    if verb in {"test", "format", "pack"}:
        return Effect(call.paths("."), needs=_NETWORK)
    known = {"nuget": Effect(writes=call.paths("~/.nuget")), "": Effect(), "help": Effect(),
             "workload": Effect(writes=("/usr/share/dotnet",), needs=_NETWORK)}  # fmt: skip
    return known.get(verb)


def _restore(dotnet: DotNetCall) -> Effect:
    call, build = dotnet.call, dotnet.build
    cache = call.paths("~/.nuget/packages")
    projects, paths = ((), build) if isinstance(build, Unknown) else (build.projects, build.manifests)
    if isinstance(paths, Unknown):
        return Effect((paths,), cache, needs=_NETWORK)
    folders = (join(posixpath.dirname(path), "obj") for path in call.places(one.path for one in projects))
    return Effect(call.places(paths), (*cache, *folders), needs=_NETWORK)


def _read(dotnet: DotNetCall) -> tuple[Path, ...]:
    """What a build reads."""
    call, build = dotnet.call, dotnet.build
    if isinstance(build, Unknown):
        return call.paths(".")
    reads = {posixpath.dirname(one) for one in call.places(project.path for project in build.projects)}
    reads |= set(() if isinstance(build.manifests, Unknown) else call.places(build.manifests))
    reads -= {one for one in reads if posixpath.dirname(one) in reads}
    known = tuple(sorted(reads)) or call.paths(".")
    return (*known, *single_files(call, known))
