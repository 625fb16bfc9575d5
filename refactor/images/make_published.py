"""``python -m refactor.images.make_published CLONE``: prints published.txt, CLONE being docker-library/official-images.

Bare versions alone are kept: their variants (``-slim``, ``-alpine``) are published with them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

RELEASES = "buster|bullseye|bookworm|trixie"
REPOSITORIES = "amazoncorretto eclipse-temurin elixir erlang golang node openjdk perl php python ruby rust".split()


def versions(log: str) -> dict[str, set[tuple[int, ...]]]:
    """The versions that the added lines of a ``git log -p`` name, in both forms that the files have had: those of bare
    tags under "", those of tags with a Debian release under ``@bookworm``."""
    found: dict[str, set[tuple[int, ...]]] = {}
    for line in log.splitlines():
        tags = re.match(r"\+(?:Shared)?Tags:\s*(.*)", line) or re.match(r"\+([\w.-]+):\s*git", line)
        for tag in tags[1].split(",") if tags else ():
            parts = re.fullmatch(rf"(\d+(?:\.\d+)*)(?:-({RELEASES}))?", tag.strip())
            if parts:
                place = f"@{parts[2]}" if parts[2] else ""
                found.setdefault(place, set()).add(tuple(map(int, parts[1].split("."))))
    return found


def lines(repository: str, found: Iterable[tuple[int, ...]]) -> Iterator[str]:
    """One line for all versions that differ in their last number alone."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for version in sorted(found):
        groups.setdefault(version[:-1], []).append(version[-1])
    for head, numbers in sorted(groups.items()):
        ranges: list[list[int]] = []
        for number in numbers:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        text = " ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
        yield f"{repository} {'.'.join(map(str, head)) or '.'} {text}"


if __name__ == "__main__":
    for name in REPOSITORIES:
        command = ["git", "-C", sys.argv[1], "log", "-p", "--format=", "--", f"library/{name}"]
        log = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
        for place, found in sorted(versions(log).items()):
            if not place or name not in {"openjdk", "perl"}:
                print(*lines(name + place, found), sep="\n")
