"""The version of Rust that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, found_in, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "rust-toolchain.toml")
    channel = table(table(context.toml(path)).get("toolchain")).get("channel")
    if isinstance(channel, str):
        yield stated(f"{path} (channel)", channel, 2)
    path = posixpath.join(folder, "rust-toolchain")
    text = found_in(context, path, r"(?m)^\s*channel\s*=\s*[\"']([^\"']+)[\"']") or first_line(context, path)
    if text is not None:
        yield stated(path, text, 2)
    path = posixpath.join(folder, "Cargo.toml")
    cargo = table(context.toml(path))
    for section in (cargo, table(cargo.get("workspace"))):
        minimum = table(section.get("package")).get("rust-version")
        if isinstance(minimum, str):
            yield stated(f"{path} (rust-version)", f">={minimum}", 2)
    yield from of_tools(context, folder, ("rust",), 2)


NAMING = Naming("Rust", _read, "rust-toolchain.toml with a channel, such as 1.90")
