"""The version of Ruby that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.ecosystems.versions import Naming, Stated, first_line, found_in, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, ".ruby-version")
    text = first_line(context, path)
    if text is not None:
        yield stated(path, text.removeprefix("ruby-"), 2)
    for name, pattern in (
        ("Gemfile", r"(?m)^\s*ruby\s*\(?\s*[\"']([^\"']+)[\"']"),
        ("Gemfile.lock", r"(?m)^RUBY VERSION\n\s+ruby (\d+\.\d+\.\d+)"),
    ):
        path = posixpath.join(folder, name)
        text = found_in(context, path, pattern)
        if text is not None:
            yield stated(path, text, 2)
    yield from of_tools(context, folder, ("ruby",), 2)


NAMING = Naming("Ruby", _read, ".ruby-version with the version, such as 3.4")

__all__ = ["NAMING"]
