"""The version of Elixir that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place

NAMING = Naming(
    "Elixir",
    ".tool-versions with a line such as elixir 1.17.2",
    (Place("mix.exs", pattern=r"\belixir:\s*\"([^\"#]+)\"", said="elixir"),),
    ("elixir",),
    # 1.17.2-otp-27
    plain=lambda text: text.partition("-otp-")[0],
)
