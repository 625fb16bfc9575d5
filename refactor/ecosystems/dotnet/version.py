"""The version of .NET that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Place, Stated, stated

_FREE = frozenset({"feature", "latestFeature", "minor", "latestMinor", "major", "latestMajor"})
"""Policies that take the SDK of another feature band, which the image of the line has."""


def _sdk(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "global.json")
    sdk = table(table(context.jsonc(path)).get("sdk"))
    value = sdk.get("version")
    if isinstance(value, str):
        line = ".".join(value.split(".")[:2])
        yield stated(f"{path} (sdk.version)", line if sdk.get("rollForward") in _FREE else value, 2)


NAMING = Naming(
    ".NET",
    "TargetFramework to the project file, such as net10.0",
    (
        _sdk,
        Place("*.csproj", pattern=r"<TargetFramework>\s*net(\d+\.\d+)\s*</TargetFramework>", said="TargetFramework"),
    ),
)
