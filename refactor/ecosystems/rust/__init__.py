"""Rust: cargo projects and workspaces; static and dynamic programs, what they link, read and write."""

from __future__ import annotations

from refactor.ecosystems.table import Language


class Rust(Language):
    name = "Rust"
    rooms = {
        "tools": "effect",
        "installing": "installed built_start",
        "needs": "needs_of writes",
    }
    families = frozenset({"rust"})
    versioned = frozenset({"rust"})
    compilers = frozenset({"rust"})
    programs = frozenset({"cargo", "rustc", "rustup", "cargo-chef"})
    sources = r"\.rs\Z"
    has_dependency_layers = True
    build_variables = r"CARGO_\w+|RUSTUP_\w+|RUSTC_\w+|RUSTFLAGS|SQLX_OFFLINE"
    compiles = r"cargo(?: \S+)* run(?: |\Z)"
    build_once = "build in a RUN (cargo build --release), and start the program in CMD"
    build_packages = frozenset({"protobuf-compiler", "libprotobuf-dev", "musl-tools", "clang", "mold", "lld", "cargo"})
