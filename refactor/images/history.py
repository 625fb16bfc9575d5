"""Which distribution release a tag without one stands for.

Source: every revision of github.com/docker-library/official-images (library/node, python, golang, ...) and
the FROM lines of the Dockerfiles they point at, up to August 2026. A full version keeps the release it was
last built on; a shorter tag of a line that is still built (`python:3.11`) floats, and what is said here is
its release at that date.
"""

from __future__ import annotations

AS_OF = "2026-08"

_NODE = """
0.8.28 jessie 0.10.36 jessie 0.11.15 jessie 0.12.0 jessie
4.0.0 jessie 5.0.0 jessie 6.0.0 jessie 6.14.4 stretch 7.0.0 jessie 8.0.0 jessie 8.13.0 stretch 9.0.0 jessie
10.0.0 jessie 10.13.0 stretch 11.0.0 stretch 12.0.0 stretch 13.0.0 stretch 14.0.0 stretch 14.19.3 buster
15.0.0 stretch 16.0.0 buster 17.0.0 bullseye 18.0.0 bullseye 18.16.0 bookworm 19.0.0 bullseye
20.0.0 bullseye 20.3.0 bookworm 21.0.0 bookworm 22.0.0 bookworm 23.0.0 bookworm 24.0.0 bookworm
25.0.0 bookworm 26.0.0 trixie
"""
_PYTHON = """
2.7.8 jessie 2.7.15 stretch 2.7.16 buster 3.2.6 jessie 3.3.6 jessie 3.4.2 jessie 3.4.8 stretch
3.5.0 jessie 3.5.5 stretch 3.5.7 buster 3.6.0 jessie 3.6.5 stretch 3.6.9 buster 3.6.14 bullseye
3.7.0 stretch 3.7.4 buster 3.7.11 bullseye 3.7.17 bookworm 3.8.0 buster 3.8.11 bullseye 3.8.17 bookworm
3.9.0 buster 3.9.6 bullseye 3.9.17 bookworm 3.9.23 trixie 3.10.0 bullseye 3.10.12 bookworm 3.10.18 trixie
3.11.0 bullseye 3.11.4 bookworm 3.11.13 trixie 3.12.0 bookworm 3.12.11 trixie
3.13.0 bookworm 3.13.6 trixie 3.14.0 trixie
"""
_GOLANG = """
1.2.0 wheezy 1.2.2 jessie 1.3.0 wheezy 1.3.3 jessie 1.4.0 jessie 1.5.0 jessie 1.6.0 jessie 1.7.0 jessie
1.8.0 jessie 1.9.0 stretch 1.10.0 stretch 1.11.0 stretch 1.11.12 buster 1.12.0 stretch 1.12.7 buster
1.13.0 buster 1.14.0 buster 1.15.0 buster 1.16.0 buster 1.16.7 bullseye 1.17.0 bullseye 1.18.0 bullseye
1.19.0 bullseye 1.19.10 bookworm 1.20.0 bullseye 1.20.5 bookworm 1.21.0 bookworm 1.22.0 bookworm
1.23.0 bookworm 1.24.0 bookworm 1.24.6 trixie 1.25.0 trixie 1.26.0 trixie 1.27.0 trixie
"""
_RUST = "1.19.0 stretch 1.37.0 buster 1.55.0 bullseye 1.72.0 bookworm 1.89.0 trixie"
_RUBY = """
2.2.7 jessie 2.3.4 jessie 2.3.7 stretch 2.4.1 jessie 2.4.4 stretch 2.4.6 buster 2.5.0 stretch 2.5.5 buster
2.6.0 stretch 2.6.3 buster 2.6.8 bullseye 2.7.0 buster 2.7.4 bullseye 3.0.0 buster 3.0.2 bullseye
3.1.0 bullseye 3.1.4 bookworm 3.2.0 bullseye 3.2.2 bookworm 3.2.9 trixie 3.3.0 bookworm 3.3.9 trixie
3.4.1 bookworm 3.4.5 trixie 4.0.0 trixie
"""
_PHP = """
5.6.31 jessie 5.6.36 stretch 7.0.24 jessie 7.0.30 stretch 7.1.10 jessie 7.1.17 stretch 7.1.30 buster
7.2.0 stretch 7.2.20 buster 7.3.0 stretch 7.3.7 buster 7.3.29 bullseye 7.4.0 buster 7.4.22 bullseye
8.0.0 buster 8.0.9 bullseye 8.1.0 bullseye 8.1.20 bookworm 8.1.33 trixie 8.2.0 bullseye 8.2.7 bookworm
8.2.29 trixie 8.3.0 bookworm 8.3.24 trixie 8.4.1 bookworm 8.4.11 trixie 8.5.0 trixie
"""

RUNS = {"node": _NODE, "python": _PYTHON, "golang": _GOLANG, "rust": _RUST, "ruby": _RUBY, "php": _PHP}
_LINE_LENGTH = {"node": 1, "python": 2, "golang": 2, "rust": 1, "ruby": 2, "php": 2}
"""How many numbers name a release line: node 20, python 3.11."""

STILL_BUILT = {
    "node": frozenset(((22,), (24,), (26,))),
    "python": frozenset(((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))),
    "golang": frozenset(((1, 26), (1, 27))),
    "rust": frozenset(((1,),)),
    "ruby": frozenset(((3, 3), (3, 4), (4, 0))),
    "php": frozenset(((8, 2), (8, 3), (8, 4), (8, 5))),
}

Version = tuple[int, ...]
_parsed: dict[str, dict[Version, list[tuple[Version, str]]]] = {}


def version_of(text: str) -> Version | None:
    """Numbers of a dotted version, or None where it has other characters ("3.13-rc", "1.22rc1", "lts")."""
    try:
        return tuple(int(part) for part in text.split(".")) if text.isascii() else None
    except ValueError:
        return None


def _lines(family: str) -> dict[Version, list[tuple[Version, str]]]:
    lines = _parsed.get(family)
    if lines is None:
        lines = {}
        words = RUNS[family].split()
        depth = _LINE_LENGTH[family]
        for text, release in zip(words[::2], words[1::2]):
            version = version_of(text)
            assert version is not None
            lines.setdefault(_line(version, depth), []).append((version, release))
        _parsed[family] = lines
    return lines


def _line(version: Version, depth: int) -> Version:
    return version[:2] if version[0] == 0 else version[:depth]


def is_known(family: str, version: Version) -> bool:
    """Whether that line has ever been published (or is newer than this table, and so may be)."""
    lines = _lines(family)
    if version[:1] == version and any(line[:1] == version for line in lines):
        return True
    return _line(version, _LINE_LENGTH[family]) in lines or is_newer(family, version)


def is_newer(family: str, version: Version) -> bool:
    """Whether the line began after this table was made."""
    newest = max(_lines(family))
    return version[: len(newest)] > newest


def default_release(family: str, version: Version | None) -> str | None:
    """Release a tag without one stands for; `version` None is `latest`. None where unknown."""
    lines = _lines(family)
    if version is None:
        return lines[max(lines)][-1][1]
    depth = _LINE_LENGTH[family]
    if len(version) < depth:
        candidates = [line for line in lines if line[: len(version)] == version]
        return lines[max(candidates)][-1][1] if candidates else None
    runs = lines.get(_line(version, depth))
    if runs is None:
        return None
    found: str | None = None
    for start, release in runs:
        if start[: len(version)] <= version:
            found = release
    return found


def is_floating(family: str, version: Version | None) -> bool:
    """Whether the release behind a tag without one can still change."""
    if version is None:
        return True
    depth = _LINE_LENGTH[family]
    if len(version) >= 3:
        return False
    if len(version) < depth:
        return any(line[: len(version)] == version for line in STILL_BUILT[family]) or is_newer(family, version)
    if family == "rust":
        # One minor version of Rust is built at a time; an older one is never rebuilt on another release.
        return len(version) == 1
    return version[:depth] in STILL_BUILT[family] or is_newer(family, version)
