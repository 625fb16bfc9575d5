"""The version of Go that a module names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.context.ranges import intervals
from refactor.ecosystems.versions import Naming, Stated, stated

_SAYS_WHICH = (1, 21)
"""From this version on the `go` line is what the go command picks its toolchain by; before, it was about the language
alone and nothing held the module to it (https://go.dev/doc/toolchain)."""


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    for name in ("go.mod", "go.work"):
        path = posixpath.join(folder, name)
        content = context.read(path)
        if isinstance(content, Unknown):
            continue
        toolchain = re.search(r"(?m)^toolchain\s+go(\d+(?:\.\d+)+)\s*(?://.*)?$", content)
        line = re.search(r"(?m)^go\s+(\d+\.\d+)(?:\.\d+)?\s*(?://.*)?$", content)
        if toolchain:
            yield stated(f"{path} (toolchain)", toolchain[1], 2)
        if line:
            number = tuple(map(int, line[1].split(".")))
            minimum = intervals(f">={line[1]}") or ()
            # Any toolchain of the line builds it, and the newest has the fixes.
            version = line[1] if number >= _SAYS_WHICH and not toolchain else ""
            yield Stated(f"{path} (go)", line[1], version, minimum, "a minimum")


NAMING = Naming("Go", "a toolchain line to go.mod, such as `toolchain go1.25.1`", (_read,), ("golang", "go"))
