"""The version of PHP that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
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


NAMING = Naming("PHP", _read, "config.platform.php to composer.json, such as 8.4")

__all__ = ["NAMING"]
