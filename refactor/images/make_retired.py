"""``python -m refactor.images.make_retired CLONE``: prints retired.txt, CLONE being endoflife-date/endoflife.date.

Of Debian the end of the long-term support is taken, of all others the end of the usual one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PRODUCTS = {
    "alpine": "alpine-linux", "amazonlinux": "amazon-linux", "centos": "centos", "debian": "debian",
    "dotnet": "dotnet", "fedora": "fedora", "golang": "go", "node": "nodejs", "php": "php", "python": "python",
    "ruby": "ruby", "ubuntu": "ubuntu",
}  # fmt: skip
"""Family of base images: file of the product."""


def lines(family: str, text: str) -> Iterator[str]:
    """``debian buster 2024-06-30``: a release by its code name where it has one in tags, and its last day."""
    for part in text.split("- releaseCycle:")[1:]:
        found = dict(re.findall(r'(?m)^\s+(\w+):\s*"?([^"\n#]*?)"?\s*(?:#.*)?$', part))
        name = part.split()[0].strip("\"'")
        end = found.get("eoes", "") if family == "debian" else found.get("eol", "")
        if family in {"debian", "ubuntu"} and "codename" in found:
            name = found["codename"].split()[0].lower()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", end) and end >= "2014":
            yield f"{family} {name} {end}"


if __name__ == "__main__":
    for family, product in PRODUCTS.items():
        text = (Path(sys.argv[1]) / "products" / f"{product}.md").read_text(encoding="utf-8")
        print(*lines(family, text), sep="\n")
