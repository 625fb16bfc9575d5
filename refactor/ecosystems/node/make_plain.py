"""Makes the part ``plain`` of packages.txt: packages that are known to install without a compiler; for maintainers.

    python -m refactor.ecosystems.node.make_plain DIR...

Facts come from package-lock.json files (versions 2 and 3) below each DIR: these say which packages of the npm registry
have an install script. A package is plain if no version that was seen has one, and all that it depends on is plain.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from refactor.ecosystems.node.known import PACKAGES, packages


def plain(locks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names, sorted, of what is plain by these documents; without ``@types``, which hold no code."""
    needs: dict[str, set[str]] = defaultdict(set)
    not_plain, quiet = set(packages("compiled")), packages("quiet")
    for lock in locks:
        for location, entry in (lock.get("packages") or {}).items():
            # Without a checksum it is a folder, or comes from Git.
            if "node_modules/" in location and "integrity" in entry:
                name = entry.get("name") or location.rpartition("node_modules/")[2]
                needs[name] |= {*entry.get("dependencies", ()), *entry.get("optionalDependencies", ())}
                not_plain |= {name} if entry.get("hasInstallScript") and name not in quiet else set()
    known = set(needs) - not_plain
    while True:
        # What depends on a package that was not seen, or is not plain, is none.
        fine = known | quiet
        lost = {one for one in known if any(need not in fine and not need.startswith("@types/") for need in needs[one])}
        if not lost:
            return sorted(name for name in known if not name.startswith("@types/"))
        known -= lost


if __name__ == "__main__":
    paths = [path for folder in sys.argv[1:] for path in Path(folder).rglob("package-lock.json")]
    names = plain(json.loads(path.read_text("utf-8")) for path in paths)
    text = re.sub(r"\Adate \S+", f"date {datetime.date.today().isoformat()}", Path(PACKAGES).read_text("utf-8"))
    listed = textwrap.indent(textwrap.fill(" ".join(names), 116, break_on_hyphens=False), "    ")
    Path(PACKAGES).write_text(text[: text.index("\nplain:\n")] + f"\nplain:\n{listed}\n", "utf-8")
