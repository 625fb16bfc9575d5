"""The version of Rust that a project names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.ecosystems.versions import Naming, Place, Stated, first_line, found_in, stated


def _toolchain(context: BuildContext, folder: str) -> Iterator[Stated]:
    """The older file, which may hold the channel alone."""
    path = posixpath.join(folder, "rust-toolchain")
    text = found_in(context, path, r"(?m)^\s*channel\s*=\s*[\"']([^\"']+)[\"']") or first_line(context, path)
    if text is not None:
        yield stated(path, text, 2)


NAMING = Naming(
    "Rust",
    "rust-toolchain.toml with a channel, such as 1.90",
    (
        Place("rust-toolchain.toml", "toolchain.channel", said="channel"),
        _toolchain,
        Place("Cargo.toml", "package.rust-version", said="rust-version", plain=">={}".format),
        Place("Cargo.toml", "workspace.package.rust-version", said="rust-version", plain=">={}".format),
    ),
    ("rust",),
)
