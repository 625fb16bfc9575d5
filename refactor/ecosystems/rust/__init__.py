"""Rust: cargo projects and workspaces; static and dynamic programs, what they link, read and write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import BuiltStart, Install, Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root


class Rust(Language):
    name = "Rust"
    families = frozenset({"rust"})
    compilers = frozenset({"rust"})
    programs = frozenset({"cargo", "rustc", "rustup", "cargo-chef"})
    sources = r"\.rs\Z"
    has_dependency_layers = True
    build_variables = r"CARGO_\w+|RUSTUP_\w+|RUSTC_\w+|RUSTFLAGS|SQLX_OFFLINE"
    build_packages = frozenset({"protobuf-compiler", "libprotobuf-dev", "musl-tools", "clang", "mold", "lld", "cargo"})

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.rust.tools import effect

        return effect(call)

    def entry(self, root: Root) -> str | Refused | None:
        if root.name == "cargo" and "run" in root.words:
            return Refused(
                f"{root.where} starts `{' '.join(root.words)}`, which compiles at every start",
                "build in a RUN (cargo build --release), and start the program in CMD",
            )
        return None if root.name in self.programs else root.words[0]

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.rust.installing import installs

        if reading.context.why_unknown is not None:
            return ()
        return (*installs(reading, self.acts(reading)), *super().installs(reading))

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        from refactor.ecosystems.rust.installing import built_start

        return built_start(reading)

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.rust.needs import needs

        files = self.sources_of(program)
        return files if isinstance(files, Refused) else needs(program, files)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.rust.needs import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.runners import for_program

        return for_program(reading, needs, wish)

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.rust.version import NAMING

        return NAMING if family in {"rust"} else None
