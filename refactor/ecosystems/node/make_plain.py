"""Makes plain.py, the table of packages that are known to install without a compiler; a tool for maintainers.

    python -m refactor.ecosystems.node.make_plain DIR... > refactor/ecosystems/node/plain.py

Facts come from package-lock.json files (versions 2 and 3) below each DIR: these say which packages of the npm registry
have an install script. A package is plain if no version that was seen has one, and all that it depends on is plain.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from refactor.ecosystems.node.native import COMPILES, NEVER_COMPILES


def plain(locks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names, sorted, of what is plain by these documents; without ``@types``, which hold no code."""
    needs: dict[str, set[str]] = defaultdict(set)
    not_plain = set(COMPILES)
    for lock in locks:
        for location, entry in (lock.get("packages") or {}).items():
            if "node_modules/" not in location or "integrity" not in entry:
                continue
            # Without a checksum it is a folder, or comes from Git.
            name = entry.get("name") or location.rpartition("node_modules/")[2]
            needs[name] |= {*entry.get("dependencies", ()), *entry.get("optionalDependencies", ())}
            if entry.get("hasInstallScript") and name not in NEVER_COMPILES:
                not_plain.add(name)
    known = set(needs) - not_plain
    while True:
        # What depends on a package that was not seen, or is not plain, is none.
        lost = {name for name in known if not all(_is_fine(need, known) for need in needs[name])}
        if not lost:
            return sorted(name for name in known if not name.startswith("@types/"))
        known -= lost


def _is_fine(name: str, known: set[str]) -> bool:
    return name in known or name in NEVER_COMPILES or name.startswith("@types/")


def _locks(folders: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for folder in folders:
        for here, _, names in os.walk(folder):
            if "package-lock.json" in names:
                with open(os.path.join(here, "package-lock.json"), encoding="utf-8") as file:
                    try:
                        data = json.load(file)
                    except ValueError:
                        continue
                if isinstance(data, dict):
                    yield data


if __name__ == "__main__":
    print('"""Packages that install without a compiler, with all that they depend on; made by ``make_plain``."""\n')
    print("from refactor.ecosystems.node.tables import words\n")
    print(f'DATE = "{datetime.date.today().isoformat()}"\n"""Of the newest fact."""\n\nPLAIN = words(\n    """')
    print(textwrap.indent(textwrap.fill(" ".join(plain(_locks(sys.argv[1:]))), 112, break_on_hyphens=False), "    "))
    print('    """\n)')
