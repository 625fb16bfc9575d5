"""The version of Elixir that a project names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.ecosystems.versions import Naming, Stated, found_in, of_tools, stated


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "mix.exs")
    text = found_in(context, path, r"\belixir:\s*\"([^\"#]+)\"")
    if text is not None:
        yield stated(f"{path} (elixir)", text.replace(" and ", " ").replace(" or ", " || "), 2)
    for one in of_tools(context, folder, ("elixir",), 2):
        # 1.17.2-otp-27
        yield stated(one.place, re.sub(r"-otp-\d+\Z", "", one.text), 2)


NAMING = Naming("Elixir", _read, ".tool-versions with a line such as elixir 1.17.2")

__all__ = ["NAMING"]
