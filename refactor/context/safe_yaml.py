"""YAML of untrusted repositories: plain data only, bounded in depth and in what aliases expand to."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MAX_DEPTH = 100
_TOO_DEEP = re.compile(rf"(?m)^(?: {{{_MAX_DEPTH * 4}}}| *(?:[-?:] +){{{_MAX_DEPTH}}})")

_MAX_EXPANDED = 1_000_000
"""Nodes after following aliases; ten anchors of ten aliases each are 10^10 (the "billion laughs")."""


def load(text: str) -> object:
    """First document of a text, as dicts, lists and scalars; None for an empty one.

    Raises ValueError with ``" at line L column C: reason"``.
    """
    import yaml

    base: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _check_depth(text)
    if "*" in text:
        _check_aliases(text, base)
    try:
        # A lone surrogate (a byte that is not UTF-8) is no YAML character at all.
        documents = yaml.load_all(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), base)
        return next(iter(documents), None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ValueError(f"{where}: {error.problem or error.context or 'malformed'}") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f": {message}") from None


def _check_depth(text: str) -> None:
    """Refuse what would overflow the C stack of the parser: it recurses without a bound of its own."""
    depth = 0
    for bracket in re.finditer(r"[\[{\]}]", text):
        depth += 1 if bracket.group() in "[{" else -1 if depth else 0
        if depth > _MAX_DEPTH:
            raise ValueError(": nested too deeply")
    for line in re.finditer(_TOO_DEEP, text):
        raise ValueError(f": nested too deeply in line {text.count(chr(10), 0, line.start()) + 1}")


def _check_aliases(text: str, loader: type) -> None:
    """Refuse documents whose aliases expand to more than a million nodes or to themselves."""
    import yaml

    sizes: dict[str, int] = {}
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    events: Iterator[object] = yaml.parse(readable, loader)
    stack: list[list[object]] = []
    size = 0
    try:
        for event in events:
            if isinstance(event, yaml.AliasEvent):
                if any(frame[0] == event.anchor for frame in stack):
                    raise ValueError(f": the alias *{event.anchor} contains itself")
                size += sizes.get(event.anchor or "", 1)
            elif isinstance(event, yaml.ScalarEvent):
                size += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                stack.append([event.anchor, size])
                size += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = stack.pop()
                if isinstance(anchor, str) and isinstance(before, int):
                    sizes[anchor] = size - before
            elif isinstance(event, yaml.DocumentEndEvent):
                break
            if size > _MAX_EXPANDED:
                raise ValueError(": aliases expand to more than a million nodes")
    except yaml.YAMLError:
        return  # the loader says it better
