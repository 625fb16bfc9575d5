"""Which versions of official images have ever been published."""

from __future__ import annotations

from functools import cache

from refactor.images.history import version_of
from refactor.images.tables import rows


def is_published(repository: str, version: str) -> bool:
    """Whether ``version`` ("20", "3.11", "1.22.3") is known as a tag of an official image (``node``).

    False says that it is not known: it may be newer than the table, which stands in ``published.txt`` with its date.
    """
    number = version_of(version)
    if not number:
        return False
    ranges = _table().get((repository, number[:-1]), ())
    return any(low <= number[-1] <= high for low, high in ranges)


@cache
def _table() -> dict[tuple[str, tuple[int, ...]], tuple[tuple[int, int], ...]]:
    found = {}
    for repository, head, *ranges in rows("published.txt"):
        number = () if head == "." else version_of(head)
        assert number is not None
        bounds = (text.partition("-") for text in ranges)
        found[repository, number] = tuple((int(low), int(high or low)) for low, _, high in bounds)
    return found
