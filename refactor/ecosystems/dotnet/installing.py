"""The packages of .NET in a layer of their own, and ``dotnet run`` turned into a build."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.ecosystems.answers import BuiltStart, Install, ahead, why_not_ahead
from refactor.ecosystems.dotnet.projects import Project
from refactor.ecosystems.dotnet.tools import DotNetCall, restore
from refactor.ecosystems.own_start import OwnStart, own_start
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`: the restores that are written, or one in front of the first build."""
    for one in (*Language.installed(language, reading), *_restored_ahead(language, reading)):
        if not isinstance(one, Install):
            yield one
            continue
        made = (posixpath.join(posixpath.dirname(path), "obj") for path in one.manifests if path.endswith("proj"))
        refused = why_not_ahead(reading.context, made)
        yield one if refused is None else (one.step, refused._replace(hint="add **/bin and **/obj to .dockerignore"))


def _restored_ahead(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """What the first command of dotnet would else restore itself, where it builds."""
    act = next(iter(language.acts(reading)), None)
    dotnet = None if act is None else DotNetCall.of(act.call)
    if act is None or dotnet is None or dotnet.package.verb not in {"build", "publish"}:
        return
    build, folder = dotnet.build, dotnet.call.folder
    if isinstance(build, Unknown) or folder is None or dotnet.package.has("--no-restore"):
        return
    manifests = language.manifests_of(act, restore(dotnet).reads)
    if isinstance(manifests, Refused):
        yield act.step.step, manifests
    elif any(one.packages for one in build.projects):
        words = ["dotnet restore", *(word.text for word in dotnet.package.operands)]
        words += [f"-r {shlex.quote(value)}" for value in dotnet.package.values("-r", "--runtime")]
        yield ahead(act, folder, manifests, [" ".join(words)], "restore all packages")


_VALUED = frozenset({"-c", "--configuration", "--project", "-v", "--verbosity"})
_KNOWN = frozenset({"--no-launch-profile", "--no-restore", "--no-build", *_VALUED})


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """`dotnet run` as CMD: published once, and started. See :meth:`Ecosystem.built_start`."""
    start = own_start(reading, "dotnet")
    package = None if start is None else start.package
    if start is None or package is None or start.argv[1:2] != ("run",):
        return None
    at = 2
    while at < len(start.argv) and start.argv[at].partition("=")[0] in _KNOWN:
        at += 2 if start.argv[at] in _VALUED else 1
    # Words that dotnet does not know are for the program, as all behind `--`.
    is_parted = start.argv[at : at + 1] == ("--",)
    rest = start.argv[at + is_parted :]
    other = next((word for word in rest if word.startswith("-") and not word.startswith("--urls")), None)
    if other is not None and not is_parted:
        return start.refused(f"what {other} means for the program is not known", "publish it in a RUN")
    asked, configuration = package.option("--project"), package.option("-c", "--configuration") or "Debug"
    build = shlex.join(["dotnet", "publish", *([asked] if asked else []), "-c", configuration, "-o", "out"])
    dotnet = DotNetCall.of(start.call(build))
    assert dotnet is not None
    made = dotnet.build
    if isinstance(made, Unknown) or made.is_solution:
        why = made.reason if isinstance(made, Unknown) else f"{made.file} is a solution"
        return start.refused(f"which program it is is not known: {why}", "name it with --project")
    own = made.projects[0]
    program = f"out/{own.assembly}.dll"
    refused = _why_other(reading, start, own, package.has("--no-launch-profile"))
    return refused or start.built(build, ("dotnet", program, *rest), program)


def _why_other(reading: StageReading, start: OwnStart, own: Project, is_plain: bool) -> Refused | None:
    """What ``dotnet run`` does besides starting the program; ``is_plain`` without a launch profile."""
    if "*" in (own.assembly, own.properties.get("TargetFramework", "*")) or "UseArtifactsOutput" in own.properties:
        # Where it moves its output, `-o` may not hold all.
        return start.refused("how its program is called, or where it lies, only MSBuild knows")
    launch, out = (posixpath.join(own.folder, name) for name in ("Properties/launchSettings.json", "out"))
    if not is_plain and re.search(r'"commandName"\s*:\s*"Project"', reading.context.text(launch)):
        return start.refused(
            f"takes its address and environment from {launch}, which is for development",
            "add --no-launch-profile, and say them by ENV (ASPNETCORE_URLS, ASPNETCORE_ENVIRONMENT)",
        )
    if own.sdk.endswith(".Web") and reading.in_context(reading.final_workdir) != own.folder:
        because = f"it runs in the folder of {own.path}, which is not the working directory"
        return start.refused(because, "name it by WORKDIR")
    if reading.context.exists(out) is not False:
        return start.refused(f"{out} is in the build context already")
    return None
