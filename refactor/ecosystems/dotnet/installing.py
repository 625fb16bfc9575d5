"""The packages of .NET in a layer of their own, and ``dotnet run`` turned into a build."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator

from refactor.context import Unknown
from refactor.context.dotnet_manifests import PROJECT, Project, chosen, closure, project
from refactor.context.tables import table
from refactor.ecosystems.answers import BuiltStart, Install, ahead
from refactor.ecosystems.dotnet.tools import DotNetCall
from refactor.ecosystems.own_start import OwnStart, own_start
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import PackageCall


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`: the restores that are written, or one in front of the first build."""
    acts = language.acts(reading)
    act = next((act for act in acts if act.call is not None and act.call.package is not None), None)
    for one in Language.installed(language, reading):
        refused = _left_over(reading, one.manifests) if isinstance(one, Install) and act is not None else None
        yield (one.step, refused) if isinstance(one, Install) and refused is not None else one
    dotnet = DotNetCall.of(None if act is None else act.call)
    if act is None or dotnet is None or dotnet.package.verb not in {"build", "publish"}:
        return
    projects, paths, folder = dotnet.projects, dotnet.manifests, dotnet.call.folder
    if folder is None or dotnet.package.has("--no-restore"):
        return
    if isinstance(projects, Unknown) or not any(one.packages for one in projects):
        return
    if isinstance(paths, Unknown):
        hint = "copy the project files and run `dotnet restore` first, by hand"
        yield act.step.step, Refused(f"what a restore reads is not known: {paths.reason}", hint)
        return
    refused = _left_over(reading, paths)
    new = ahead(act, folder, paths, [_restore(dotnet.package)], "restore all packages")
    yield new if refused is None else (act.step.step, refused)


def _restore(package: PackageCall) -> str:
    """The restore that a build begins with."""
    words = ["dotnet restore"]
    words += [word.text for word in package.operands if not re.match(r"[-/]\w+[:=]", word.literal)]
    for name in ("-r", "--runtime"):
        words += [f"{name} {shlex.quote(value)}" for value in package.values(name)]
    return " ".join(words)


def _left_over(reading: StageReading, files: Iterable[str]) -> Refused | None:
    """What a restore of another machine left in the context would overwrite the one in the image."""
    for path in files:
        folder = posixpath.join(posixpath.dirname(path), "obj")
        if re.search(PROJECT, path) and reading.context.exists(posixpath.join(folder, "project.assets.json")) is True:
            return Refused(
                f"{folder} is in the build context, and would be copied over what the restore writes there",
                "add **/bin and **/obj to .dockerignore",
            )
    return None


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """`dotnet run` as CMD: published once, and started. See :meth:`Ecosystem.built_start`."""
    start = own_start(reading, "dotnet")
    package = None if start is None else start.package
    if start is None or package is None or start.argv[1:2] != ("run",):
        return None
    own = _started(reading, package)
    if isinstance(own, Unknown):
        return start.refused(f"which program it is is not known: {own.reason}", "name it with --project")
    refused = _why_other(reading, package, own, start)
    if refused is not None:
        return refused
    rest = _arguments(start.argv)
    if rest is None:
        return start.refused("which words are for the program is not seen", "write `--` before them")
    asked = package.option("--project", "-p")
    configuration = package.option("-c", "--configuration") or "Debug"
    build = shlex.join(["dotnet", "publish", *([asked] if asked else []), "-c", configuration, "-o", "out"])
    program = f"out/{own.assembly}.dll"
    return start.built(build, ("dotnet", program, *rest), program)


def _started(reading: StageReading, package: PackageCall) -> Project | Unknown:
    place = join(reading.final_workdir, package.option("--project", "-p") or ".")
    found = reading.in_context(place)
    if found is None:
        return Unknown(f"{place} is not copied from the build context")
    path = found if re.search(PROJECT, found) else chosen(reading.context, found)
    if isinstance(path, Unknown):
        return path
    if not re.search(PROJECT, path):
        return Unknown(f"{path} is a solution")
    own = closure(reading.context, path)
    return own if isinstance(own, Unknown) else project(reading.context, path)


_VALUED = frozenset("-c --configuration --project -f --framework -r --runtime -v --verbosity --launch-profile".split())
_KNOWN = frozenset("-c --configuration --project --no-launch-profile -v --verbosity --no-restore --no-build".split())


def _arguments(argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words for the program itself; None where one may be for ``dotnet``."""
    rest = list(argv[2:])
    if "--" in rest:
        return tuple(rest[rest.index("--") + 1 :])
    while rest and rest[0].partition("=")[0] in _KNOWN:
        del rest[: 2 if rest[0] in _VALUED else 1]
    return None if rest and rest[0].startswith("-") and not rest[0].startswith("--urls") else tuple(rest)


def _why_other(reading: StageReading, package: PackageCall, own: Project, start: OwnStart) -> Refused | None:
    """What ``dotnet run`` does besides starting the program."""
    other = next((flag for flag in package.flags if flag.partition("=")[0] not in _KNOWN | {"--", "--urls"}), None)
    before = "--" not in package.command.args or (other in package.command.args[: package.command.args.index("--")])
    if other is not None and before:
        return start.refused(f"what {other} means for the program is not known", "publish it in a RUN")
    if own.assembly == "*" or "UseArtifactsOutput" in own.properties or own.framework == "*":
        # Where it moves its output, `-o` may not hold all.
        return start.refused("how its program is called, or where it lies, only MSBuild knows")
    launch = posixpath.join(own.folder, "Properties/launchSettings.json")
    profiles = table(table(reading.context.jsonc(launch)).get("profiles"))
    is_used = any(table(one).get("commandName") == "Project" for one in profiles.values())
    if is_used and not package.has("--no-launch-profile"):
        return start.refused(
            f"takes its address and environment from {launch}, which is for development",
            "add --no-launch-profile, and say them by ENV (ASPNETCORE_URLS, ASPNETCORE_ENVIRONMENT)",
        )
    is_web = own.sdk.endswith(".Web")
    if is_web and reading.in_context(reading.final_workdir) != own.folder:
        return start.refused(
            f"it runs in the folder of {own.path}, which is not the working directory", "name it by WORKDIR"
        )
    if reading.context.exists(posixpath.join(own.folder, "out")) is not False:
        return start.refused(f"{posixpath.join(own.folder, 'out')} is in the build context already")
    return None
