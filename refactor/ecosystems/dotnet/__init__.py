""".NET: C#, F# and Visual Basic projects and solutions, on the ASP.NET or the plain runtime of the same version."""

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


class DotNet(Language):
    name = ".NET"
    families = frozenset({"dotnet"})
    programs = frozenset({"dotnet"})
    sources = r"\.(?:cs|fs|vb|cshtml|razor|xaml)\Z"
    has_dependency_layers = True
    build_packages = frozenset(("clang", *(f"dotnet-sdk-{n}" for n in ("6.0", "7.0", "8.0", "9.0", "10.0"))))

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.dotnet.tools import effect

        return effect(call)

    def entry(self, root: Root) -> str | Refused | None:
        words = root.words
        if root.name != "dotnet":
            return words[0]
        verb = next((word for word in words[1:] if not word.startswith("-")), "")
        if {"run", "watch"} & {verb}:
            return Refused(
                f"{root.where} starts `{' '.join(words)}`, which compiles at every start",
                "build in a RUN (dotnet publish -c Release -o out), and start the program: dotnet out/<name>.dll",
            )
        found = next((word for word in words[1:] if word.endswith((".dll", ".exe"))), None)
        if found is None and verb:
            return Refused(
                f"{root.where} starts `{' '.join(words)}`, for which the SDK has to be there", "keep the SDK"
            )
        return found

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.dotnet.installing import installs

        if reading.context.why_unknown is not None:
            return ()
        return tuple(installs(self.acts(reading), super().installs(reading)))

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        from refactor.ecosystems.dotnet.installing import built_start

        return built_start(reading)

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.dotnet.needs import needs

        files = self.sources_of(program)
        return files if isinstance(files, Refused) else needs(program, files)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.dotnet.needs import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.dotnet.runner import runner

        programs = self.programs_of(reading)
        return programs if isinstance(programs, Refused) else runner(reading, programs, needs, wish)

    def naming(self, family: str) -> Naming | None:
        if family != "dotnet":
            return None
        from refactor.ecosystems.dotnet.projects import NAMING

        return NAMING
