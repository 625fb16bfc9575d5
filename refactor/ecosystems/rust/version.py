"""The version of Rust that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place

_TOOLCHAIN = r"(?m)^\s*channel\s*=\s*[\"']([^\"']+)[\"']|\A\s*([\w.-]+)\s*\Z"
"""The older file may hold the channel alone."""

NAMING = Naming(
    "Rust",
    "rust-toolchain.toml with a channel, such as 1.90",
    (
        Place("rust-toolchain.toml", "toolchain.channel", said="channel"),
        Place("rust-toolchain", pattern=_TOOLCHAIN),
        Place("Cargo.toml", "package.rust-version", said="rust-version", plain=">={}".format),
        Place("Cargo.toml", "workspace.package.rust-version", said="rust-version", plain=">={}".format),
    ),
    ("rust",),
)
