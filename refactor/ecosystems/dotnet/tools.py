"""What the commands of .NET read and write: ``dotnet`` with its verbs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from refactor.context import Unknown
from refactor.ecosystems.calls import single_files
from refactor.ecosystems.dotnet.projects import SOLUTION, Build, Project, build_of, files_of
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import join
from refactor.once import cached_property

_PLACES = frozenset("OutputPath BaseOutputPath OutDir PublishDir UseArtifactsOutput ArtifactsPath".split())
"""Properties that move what is built."""
_SELF_CONTAINED = ("PublishAot", "SelfContained", "PublishSelfContained")
_NETWORK = ("network",)


class DotNetCall(ToolCall):
    """A call of dotnet where it stands."""

    manager = "dotnet"

    @cached_property
    def build(self) -> Build | Unknown:
        """The project or solution that it works on."""
        place = self.call.path(next((word.literal for word in self.package.operands), "."))
        if isinstance(place, Unknown):
            return place
        context = self.call.reading.context
        known = {path: at for path in files_of(context) for at in self.call.places((path,))}
        inside = [path for path, at in known.items() if posixpath.dirname(at) == place]
        solutions = [path for path in inside if re.search(SOLUTION, path)]
        found = [path for path, at in known.items() if at == place] or solutions or inside
        if not found:
            return Unknown(f"no project file in {place} is copied from the build context")
        if len(found) > 1:
            return Unknown(f"{', '.join(found)} are all in {place}, and none is named")
        return build_of(context, found[0])

    def is_self_contained(self, project: Project, path: str) -> bool:
        """Whether the program at an absolute path brings its runtime, as far as somebody says so."""
        package = self.package
        is_published = package.has("-o", "--output") or "/publish/" in path
        if package.verb != "publish" or package.has("--no-self-contained") or not is_published:
            return False
        options = {name.rpartition(":")[2]: value or "true" for name, value in package.options}
        said = next((options[name] for name in ("--self-contained", "--sc", *_SELF_CONTAINED) if name in options), None)
        return project.is_set(*_SELF_CONTAINED) if said is None else said.lower() == "true"

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where it puts its output: ``bin`` of the projects where no option names a folder."""
        asked = self.package.option("-o", "--output")
        if asked is not None:
            return (self.call.path(asked),)
        if isinstance(self.build, Unknown):
            return (self.build,)
        said = re.findall(r"\w+(?==)", " ".join(self.call.command.args))
        names = (*said, *(name for one in self.build.projects for name in one.properties))
        moved = next((name for name in names if name in _PLACES), None)
        if moved is not None:
            return (Unknown(f"{moved} moves what {self.build.file} builds; name the folder with -o"),)
        return tuple(self.beside(self.build.projects, "bin"))

    def beside(self, projects: Iterable[Project], name: str) -> Iterator[str]:
        """A folder of each project."""
        places = self.call.places(one.path for one in projects)
        return (join(posixpath.dirname(place), name) for place in places)


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    dotnet = DotNetCall.of(call)
    if dotnet is None:
        return None
    package, verb = dotnet.package, dotnet.package.verb.partition(" ")[0]
    if verb == "restore":
        return restore(dotnet)
    if verb in {"build", "publish"}:
        return Effect(_read(dotnet), dotnet.folders, needs=_NETWORK)
    if verb in {"clean", "help", ""}:
        # What is cleaned is built again, or the program would not be there.
        return Effect()
    if verb in {"test", "format", "pack"}:
        return Effect(call.paths("."), needs=_NETWORK)
    manifest = call.paths(".config/dotnet-tools.json") if "restore" in package.verb else ()
    known = {
        "new": Effect(writes=call.paths(package.option("-o", "--output") or ".")),
        "nuget": Effect(writes=call.paths("~/.nuget")),
        "tool": Effect(manifest, call.paths(package.option("--tool-path") or "~/.dotnet/tools"), needs=_NETWORK),
        "workload": Effect(writes=("/usr/share/dotnet",), needs=_NETWORK),
    }
    return known.get(verb)


def restore(dotnet: DotNetCall) -> Effect:
    """The effect of a restore of what a call works on."""
    build, cache = dotnet.build, dotnet.call.paths("~/.nuget/packages")
    projects, manifests = ((), build) if isinstance(build, Unknown) else (build.projects, build.manifests)
    if isinstance(manifests, Unknown):
        return Effect((manifests,), cache, needs=_NETWORK)
    return Effect(dotnet.call.places(manifests), (*cache, *dotnet.beside(projects, "obj")), needs=_NETWORK)


def _read(dotnet: DotNetCall) -> tuple[Path, ...]:
    """What a build reads."""
    call, build = dotnet.call, dotnet.build
    if isinstance(build, Unknown):
        return call.paths(".")
    manifests = () if isinstance(build.manifests, Unknown) else build.manifests
    reads = {*dotnet.beside(build.projects, "."), *call.places(manifests)}
    known = tuple(sorted(one for one in reads if posixpath.dirname(one) not in reads)) or call.paths(".")
    return (*known, *single_files(call, known))
