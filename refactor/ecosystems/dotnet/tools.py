"""What the commands of .NET read and write: ``dotnet`` with its verbs."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.calls import single_files
from refactor.ecosystems.dotnet.projects import PROJECT, SOLUTION, Project, chosen, closure, manifests
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import join
from refactor.shell import PackageCall

_PLACES = frozenset(
    """OutputPath BaseOutputPath OutDir PublishDir UseArtifactsOutput ArtifactsPath AppendTargetFrameworkToOutputPath
    AppendRuntimeIdentifierToOutputPath BaseIntermediateOutputPath""".split()
)
"""Properties that move what is built."""


class Built(NamedTuple):
    """What a call builds."""

    file: str
    """Context path of the project or solution file."""
    projects: tuple[Project, ...]
    """The named ones first, then what they refer to."""

    def program(self, name: str) -> Project | None:
        """The project whose program has a name, among those that are named."""
        if re.search(PROJECT, self.file):
            return self.projects[0] if self.projects[0].assembly in {name, "*"} else None
        own = [one for one in self.projects if one.assembly == name]
        return own[0] if len(own) == 1 else None


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    package = call.package
    if package is None or package.manager != "dotnet":
        return None
    if package.verb == "restore":
        return _restore(call, package)
    if package.verb in {"build", "publish"}:
        return _build(call, package)
    if package.verb in {"test", "format", "pack"}:
        return Effect(call.paths("."), needs=("network",))
    if package.verb == "clean":
        return Effect(removes=_folders(call, package))
    if package.verb == "new":
        return Effect(writes=call.paths(package.option("-o", "--output") or "."))
    if package.verb.startswith("tool"):
        manifest = call.paths(".config/dotnet-tools.json") if "restore" in package.verb else ()
        return Effect(manifest, call.paths(package.option("--tool-path") or "~/.dotnet/tools"), needs=("network",))
    if package.verb.startswith("nuget"):
        return Effect(writes=call.paths("~/.nuget"))
    if package.verb.startswith("workload"):
        return Effect(writes=("/usr/share/dotnet",), needs=("network",))
    return Effect() if not package.verb or package.verb == "help" else None


def file_of(call: Invocation, package: PackageCall) -> str | Unknown:
    """The context path of the project or solution file that a call works on."""
    word = next((one.literal for one in package.operands if not re.match(r"[-/]\w+[:=]", one.literal)), None)
    place = call.path(word or package.option("--project") or ".")
    if isinstance(place, Unknown):
        return place
    found = call.reading.in_context(place, call.step.node)
    if found is None:
        # Single project files were copied into the folder.
        inside = (copied.source for copied in call.reading.copies if call.reading.position(copied.node)
                  < call.reading.position(call.step.node) and posixpath.dirname(copied.target) == place)  # fmt: skip
        found = next((posixpath.dirname(one) for one in inside if re.search(f"{PROJECT}|{SOLUTION}", one)), None)
        if found is None:
            return Unknown(f"no project file in {place} is copied from the build context")
    if re.search(f"{PROJECT}|{SOLUTION}", found):
        return found
    return chosen(call.reading.context, found)


def built(call: Invocation, package: PackageCall) -> Built | Unknown:
    """The projects that a call builds."""
    file = file_of(call, package)
    own = file if isinstance(file, Unknown) else closure(call.reading.context, file)
    if isinstance(own, Unknown):
        return own
    return Built(str(file), own) if own else Unknown(f"{file} has no project in C#, F# or Visual Basic")


def given(call: Invocation) -> dict[str, str]:
    """Properties that the command line sets: ``-p:Name=value``."""
    found: dict[str, str] = {}
    for arg in call.command.args:
        match = re.match(r"(?:-p|/p|--?property|/property)[:=](.*)", arg)
        for pair in match[1].split(";") if match else ():
            name, _, value = pair.partition("=")
            found[name.strip()] = value.strip().strip('"')
    return found


def is_self_contained(call: Invocation, package: PackageCall, project: Project) -> bool:
    """Whether the program brings its runtime, as far as somebody says so."""
    said = given(call).get("SelfContained") or given(call).get("PublishSelfContained")
    own = package.option("--self-contained", "--sc")
    if own is not None:
        return own.lower() == "true"
    if package.has("--no-self-contained"):
        return False
    if said is not None:
        return said.lower() == "true"
    return package.has("--self-contained", "--sc") or project.is_set(
        "SelfContained", "PublishSelfContained", "PublishAot"
    )


def _restore(call: Invocation, package: PackageCall) -> Effect:
    file = file_of(call, package)
    paths = file if isinstance(file, Unknown) else manifests(call.reading.context, file)
    if isinstance(paths, Unknown):
        return Effect((paths,), call.paths("~/.nuget/packages"), needs=("network",))
    reads = [call.reading.in_image(path, call.step.node)[-1:] for path in paths]
    folders = tuple(join(posixpath.dirname(path), "obj") for one in reads for path in one if re.search(PROJECT, path))
    return Effect(
        tuple(path for one in reads for path in one), (*call.paths("~/.nuget/packages"), *folders), needs=("network",)
    )


def _folders(call: Invocation, package: PackageCall) -> tuple[str | Unknown, ...]:
    """Where a call puts its output, the projects' own folders where there is no option."""
    asked = package.option("-o", "--output")
    if asked is not None:
        return (call.path(asked),)
    found = built(call, package)
    if isinstance(found, Unknown):
        return (found,)
    names = (*given(call), *(name for one in found.projects for name in one.properties))
    moved = next((name for name in names if name in _PLACES), None)
    if moved is not None:
        return (Unknown(f"{moved} moves what {found.file} builds; name the folder with -o"),)
    own = found.projects if re.search(SOLUTION, found.file) else found.projects[:1]
    return tuple(_usual_folder(call, package, one) for one in own)


def _usual_folder(call: Invocation, package: PackageCall, own: Project) -> str | Unknown:
    place = call.reading.in_image(own.path, call.step.node)[-1:]
    if not place:
        return Unknown(f"{own.path} is not copied from the build context")
    framework = package.option("-f", "--framework") or own.framework
    runtime = package.option("-r", "--runtime") or own.properties.get("RuntimeIdentifier") or ""
    if package.has("--os", "-a", "--arch", "--ucr"):
        runtime = "*"
    parts = ["bin", configuration(call, package, framework), framework, runtime]
    parts += ["publish"] if package.verb == "publish" else []
    return join(posixpath.dirname(place[0]), posixpath.join(*(part for part in parts if part)))


def configuration(call: Invocation, package: PackageCall, framework: str) -> str:
    """``Release`` or ``Debug``, as it is named, or as the SDK takes it: to publish, Release since .NET 8."""
    named = package.option("-c", "--configuration") or given(call).get("Configuration")
    if named is not None:
        return call.expanded(named) or "*"
    version = re.match(r"net(\d+)\.", framework)
    return "Release" if package.verb == "publish" and version and int(version[1]) >= 8 else "Debug"


def _build(call: Invocation, package: PackageCall) -> Effect:
    found, folders = built(call, package), _folders(call, package)
    if isinstance(found, Unknown):
        return Effect(call.paths("."), folders, needs=("network",))
    paths = manifests(call.reading.context, found.file)
    places = [one.path for one in found.projects]
    reads = {posixpath.dirname(one) for path in places for one in call.reading.in_image(path, call.step.node)[-1:]}
    beside = () if isinstance(paths, Unknown) else paths
    reads |= {one for path in beside for one in call.reading.in_image(path, call.step.node)[-1:]}
    reads -= {one for one in reads if posixpath.dirname(one) in reads}
    known = tuple(sorted(reads)) or call.paths(".")
    return Effect((*known, *single_files(call, known)), folders, needs=("network",))


__all__ = ["Built", "built", "configuration", "effect", "file_of", "given", "is_self_contained"]
