"""Elixir: projects and umbrellas of mix, releases with the virtual machine in them, Phoenix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.flow.roots import Root


class Elixir(Language):
    name = "Elixir"
    rooms = {
        "tools": "effect installed",
        "starting": "built_start",
        "release": "needs_of runner",
        "writing": "writes",
    }
    families = frozenset({"elixir"})
    versioned = frozenset({"elixir"})
    programs = frozenset({"mix", "elixir", "iex", "elixirc"})
    sources = r"\.(?:exs?|[hl]?eex)\Z"
    other_folders = ("deps", "_build", "node_modules", "test", ".git")
    build_packages = frozenset({"elixir", "erlang-dev", "rebar3", "rebar", "inotify-tools", "git"})
    build_variables = r"HEX_\w+|REBAR\w*|MIX_(?!ENV\Z)\w+"

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
