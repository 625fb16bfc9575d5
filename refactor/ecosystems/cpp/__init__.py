"""C and C++: a compiler's own line, make, and CMake; static programs and those that need libraries of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems import registry
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.flow.roots import Root

PREPARES = frozenset(
    "configure config Configure autogen.sh autogen bootstrap bootstrap.sh buildconf autoreconf aclocal autoheader"
    " autoconf automake libtoolize meson b2 bjam".split()
)
"""What stands in sources that are not in the build context, or works on them, before they are built: it writes among
them alone."""
_BUILDERS = frozenset({"make", "gmake", "cmake", "ninja"})
_LOOKS = frozenset({"--version", "-v", "--help"})


class Cpp(Language):
    name = "C or C++"
    rooms = {"tools": "effect", "needs": "sources_of needs writes"}
    families = frozenset({"gcc"})
    compilers = frozenset({"gcc"})
    programs = frozenset("gcc g++ cc c++ clang clang++ make gmake cmake ninja pkg-config configure autoreconf".split())
    tools = PREPARES
    build_variables = r"CC|CXX|AR|RANLIB|LD|(?:C|CXX|CPP|LD)FLAGS|MAKEFLAGS|PKG_CONFIG_PATH"
    sources = r"\.(?:c|cc|cpp|cxx|h|hh|hpp|hxx|inl|ipp)\Z"

    def recognises(self, reading: StageReading) -> bool:
        """Other languages compile parts in C as well: their stages are theirs."""
        if not super().recognises(reading):
            return False
        return not any(other.recognises(reading) for other in registry.known if other is not self)

    def entry(self, root: Root) -> str | Refused | None:
        if root.name in _BUILDERS and not _LOOKS & set(root.words):
            return Refused(
                f"{root.where} starts `{' '.join(root.words)}`, which builds at every start",
                "build in a RUN, and start the program",
            )
        return None if root.name in self.programs else root.words[0]
