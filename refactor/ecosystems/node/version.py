"""The version of Node.js that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    for name in (".nvmrc", ".node-version"):
        path = posixpath.join(folder, name)
        text = first_line(context, path)
        if text is not None:
            yield stated(path, text, 1)
    path = posixpath.join(folder, "package.json")
    package = table(context.json(path))
    for key in ("volta", "engines"):
        value = table(package.get(key)).get("node")
        if isinstance(value, str):
            yield stated(f"{path} ({key}.node)", value, 1)
    yield from of_tools(context, folder, ("nodejs", "node"), 1)


NAMING = Naming("Node.js", _read, ".nvmrc with the version, such as 22")
