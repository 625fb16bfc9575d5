"""Deno: programs that run from their sources with the modules in DENO_DIR, and those that `deno compile` makes."""

from __future__ import annotations

from refactor.ecosystems.table import Language


class Deno(Language):
    name = "Deno"
    rooms = {
        "tools": "effect roots entry installed split",
        "needs": "sources_of needs writes runner",
    }
    families = frozenset({"deno"})
    programs = frozenset({"deno"})
    sources = r"\.[cm]?[jt]sx?\Z"
    build_variables = r"DENO_\w+"
