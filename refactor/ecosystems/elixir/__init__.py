"""Elixir: projects and umbrellas of mix, releases with the virtual machine in them, Phoenix."""

from __future__ import annotations

from refactor.ecosystems.table import Language

BUILD = "build a release in a RUN (mix release), and start it: bin/<name> start"


class Elixir(Language):
    name = "Elixir"
    rooms = {
        "tools": "effect installed",
        "starting": "built_start",
        "needs": "needs_of runner writes",
    }
    families = frozenset({"elixir"})
    versioned = frozenset({"elixir"})
    programs = frozenset({"mix", "elixir", "iex", "elixirc"})
    sources = r"\.(?:exs?|[hl]?eex)\Z"
    other_folders = ("deps", "_build", "node_modules", "test", ".git")
    build_packages = frozenset({"elixir", "erlang-dev", "rebar3", "rebar", "inotify-tools", "git"})
    build_variables = r"HEX_\w+|REBAR\w*|MIX_(?!ENV\Z)\w+"
    compiles = r"(?:mix|iex|elixirc?)(?: |\Z)"
    compiling = "needs Elixir, the sources and mix"
    build_once = BUILD
