"""Rust: cargo projects and workspaces; static and dynamic programs, what they link, read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.flow.roots import Root


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
    build_packages = frozenset({"protobuf-compiler", "libprotobuf-dev", "musl-tools", "clang", "mold", "lld", "cargo"})

    def entry(self, root: Root) -> str | Refused | None:
        if root.name == "cargo" and "run" in root.words:
            return Refused(
                f"{root.where} starts `{' '.join(root.words)}`, which compiles at every start",
                "build in a RUN (cargo build --release), and start the program in CMD",
            )
        return None if root.name in self.programs else root.words[0]
