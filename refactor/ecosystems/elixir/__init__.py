"""Elixir: projects and umbrellas of mix, releases with the virtual machine in them, Phoenix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import BuiltStart, Install, SplitPlan, Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root

_NOT_OURS = frozenset({"deps", "_build", "node_modules", "test", ".git"})


class Elixir(Language):
    name = "Elixir"
    families = frozenset({"elixir"})
    programs = frozenset({"mix", "elixir", "iex", "elixirc"})
    sources = r"\.(?:exs?|[hl]?eex)\Z"
    build_packages = frozenset({"elixir", "erlang-dev", "rebar3", "rebar", "inotify-tools", "git"})
    build_variables = r"HEX_\w+|REBAR\w*|MIX_(?!ENV\Z)\w+"

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.elixir.tools import effect

        return effect(call)

    def entry(self, root: Root) -> str | Refused | None:
        from refactor.ecosystems.elixir.release import BUILD

        words = root.words
        if root.name not in self.programs:
            return words[0] if "/" in words[0] else None
        script = next((word for word in words[1:] if word.endswith((".exs", ".ex"))), None)
        if root.name == "mix" or "-S" in words or script is None:
            shown = " ".join(words)
            return Refused(f"{root.where} starts `{shown}`, which needs Elixir, the sources and mix", BUILD)
        return script

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.elixir.tools import installs

        if reading.context.why_unknown is not None:
            return ()
        return tuple(installs(self.acts(reading), super().installs(reading)))

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        from refactor.ecosystems.elixir.starting import built_start

        return built_start(reading)

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        found = super().sources_of(program)
        if isinstance(found, Refused):
            return found
        return tuple(path for path in found if not _NOT_OURS & set(path.split("/")[:-1])) or found

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.elixir.release import needs

        files = self.sources_of(program)
        return files if isinstance(files, Refused) else needs(program, files)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.elixir.writing import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.elixir.release import runner

        return runner(reading, wish)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.elixir.release import with_locale

        plan = super().split(reading, runner)
        return plan if plan is None or isinstance(plan, Refused) else with_locale(reading, plan)

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.elixir.mix import NAMING

        return NAMING if family == "elixir" else None
