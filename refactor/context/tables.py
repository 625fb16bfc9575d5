"""Reading documents that others wrote: what has the wrong type is left out, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def table(value: object) -> Mapping[str, object]:
    """A mapping with text keys, {} for anything else. YAML has keys of other types; those are left out."""
    if not isinstance(value, dict):
        return {}
    if all(isinstance(key, str) for key in value):
        return value
    return {key: item for key, item in value.items() if isinstance(key, str)}


def texts(value: object) -> Mapping[str, str]:
    """The entries of a mapping whose values are text."""
    return {key: item for key, item in table(value).items() if isinstance(item, str)}


def items(value: object) -> tuple[object, ...]:
    """A list, () for anything else."""
    return tuple(value) if isinstance(value, list) else ()


def words(value: object) -> tuple[str, ...]:
    """The text items of a list; a single text is a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in items(value) if isinstance(item, str))


def text(value: object) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def number(value: object) -> str:
    """A version that may be written as a number (``lockfileVersion: 5.4``), as text; "" without one."""
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def closed(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The packages of a lockfile that some names stand for, with all that they need in their turn."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in needs:
            found.add(name)
            waiting += needs[name]
    return frozenset(found)
