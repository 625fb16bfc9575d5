"""Versions that projects name of languages which have no folder here yet: .NET and PHP."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, found_in, of_tools, stated


def _dotnet(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "global.json")
    sdk = table(table(context.jsonc(path)).get("sdk"))
    value, forward = sdk.get("version"), sdk.get("rollForward")
    if isinstance(value, str):
        line = ".".join(value.split(".")[:2])
        # Only such a policy takes the SDK of another feature band, which the image of the line has.
        is_free = forward in {"feature", "latestFeature", "minor", "latestMinor", "major", "latestMajor"}
        yield stated(f"{path} (sdk.version)", line if is_free else value, 2)
    projects = context.glob(posixpath.join(folder, "*.csproj"))
    for path in () if isinstance(projects, Unknown) else projects:
        text = found_in(context, path, r"<TargetFramework>\s*net(\d+\.\d+)\s*</TargetFramework>")
        if text is not None:
            yield stated(f"{path} (TargetFramework)", text, 2)


def _php(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "composer.json")
    composer = table(context.json(path))
    platform = table(table(composer.get("config")).get("platform")).get("php")
    if isinstance(platform, str):
        # What packages are chosen for; the last number is often a plain 0.
        yield stated(f"{path} (config.platform.php)", ".".join(platform.split(".")[:2]), 2)
    wanted = table(composer.get("require")).get("php")
    if isinstance(wanted, str):
        yield stated(f"{path} (require.php)", wanted, 2, is_pessimistic=True)
    path = posixpath.join(folder, ".php-version")
    text = first_line(context, path)
    if text is not None:
        yield stated(path, text, 2)
    yield from of_tools(context, folder, ("php",), 2)


OTHERS = {
    "dotnet": Naming(".NET", _dotnet, "TargetFramework to the project file, such as net10.0"),
    "php": Naming("PHP", _php, "config.platform.php to composer.json, such as 8.4"),
}
"""By family of the base image."""
