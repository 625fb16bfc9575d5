"""What a package index says of one distribution (PyPI's JSON: https://docs.pypi.org/api/json/)."""

from __future__ import annotations

import re
from typing import NamedTuple

from refactor.shell import normalise

_MAX_BYTES = 64 << 20


class Project(NamedTuple):
    """The files of all releases, and what the newest one needs on every system."""

    files: frozenset[str]
    needs: frozenset[str]


def read_project(name: str, index: str, timeout: float = 10) -> Project:
    """Asks ``INDEX/pypi/NAME/json``. Raises OSError where the index cannot be reached or has no such project."""
    import json
    from urllib.parse import quote
    from urllib.request import urlopen

    if not index.startswith(("https://", "http://")):
        raise OSError(f"{index} is no address of an index")
    with urlopen(f"{index.rstrip('/')}/pypi/{quote(normalise(name))}/json", timeout=timeout) as answer:
        data = json.loads(answer.read(_MAX_BYTES))
    files = {file["filename"] for release in data["releases"].values() for file in release if not file.get("yanked")}
    wanted = [need for need in data["info"].get("requires_dist") or () if "extra ==" not in need]
    return Project(frozenset(files), frozenset(normalise(re.split(r"[ <>=!~;\\[(]", need)[0]) for need in wanted))
