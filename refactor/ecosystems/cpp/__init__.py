"""C and C++: a compiler's own line, make, and CMake; static programs and those that need libraries of the system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems import registry
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading
from refactor.flow.source_builds import PREPARES

if TYPE_CHECKING:
    from refactor.ecosystems.answers import Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root

_BUILDERS = frozenset({"make", "gmake", "cmake", "ninja"})
_LOOKS = frozenset({"--version", "-v", "--help"})


class Cpp(Language):
    name = "C or C++"
    families = frozenset({"gcc"})
    compilers = frozenset({"gcc"})
    programs = frozenset("gcc g++ cc c++ clang clang++ make gmake cmake ninja pkg-config configure autoreconf".split())
    tools = frozenset({*PREPARES, "meson"}) - {"configure"}
    build_variables = r"CC|CXX|AR|RANLIB|LD|(?:C|CXX|CPP|LD)FLAGS|MAKEFLAGS|PKG_CONFIG_PATH"
    sources = r"\.(?:c|cc|cpp|cxx|h|hh|hpp|hxx|inl|ipp)\Z"

    def recognises(self, reading: StageReading) -> bool:
        """Other languages compile parts in C as well: their stages are theirs."""
        if not super().recognises(reading):
            return False
        return not any(other.recognises(reading) for other in registry.known if other is not self)

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.cpp.tools import effect

        return effect(call)

    def entry(self, root: Root) -> str | Refused | None:
        if root.name in _BUILDERS and not _LOOKS & set(root.words):
            return Refused(
                f"{root.where} starts `{' '.join(root.words)}`, which builds at every start",
                "build in a RUN, and start the program",
            )
        return None if root.name in self.programs else root.words[0]

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.cpp.tools import build_of, unseen

        call = None if program.act is None else program.act.call
        found = unseen(call) if call is not None and build_of(call) is None else None
        if found is not None:
            name = program.root.name
            return Refused(f"line {found.line} brings the sources of {name}, which are not in the build context")
        return super().sources_of(program)

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.cpp.needs import needs

        return needs(program, self.sources_of(program))

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.cpp.needs import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.runners import for_program

        return for_program(reading, needs, wish)
