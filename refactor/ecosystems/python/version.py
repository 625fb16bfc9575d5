"""The version of Python that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    for name in (".python-version", "runtime.txt"):
        path = posixpath.join(folder, name)
        text = first_line(context, path)
        if text is not None:
            yield stated(path, text.removeprefix("python-").removeprefix("cpython-"), 2)
    path = posixpath.join(folder, "pyproject.toml")
    project = table(context.toml(path))
    poetry = table(table(table(project.get("tool")).get("poetry")).get("dependencies"))
    for key, value in (
        ("requires-python", table(project.get("project")).get("requires-python")),
        ("tool.poetry.dependencies.python", poetry.get("python")),
    ):
        if isinstance(value, str):
            yield stated(f"{path} ({key})", value, 2)
    path = posixpath.join(folder, "Pipfile")
    requires = table(table(context.toml(path)).get("requires"))
    for key in ("python_full_version", "python_version"):
        value = requires.get(key)
        if isinstance(value, str):
            yield stated(f"{path} ({key})", value, 2)
    yield from of_tools(context, folder, ("python",), 2)


NAMING = Naming("Python", _read, ".python-version with the version, such as 3.13")
