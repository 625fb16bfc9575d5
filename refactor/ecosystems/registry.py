"""The languages that are known, and the graph of a file with the tools of all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from refactor.ecosystems.ecosystem import Ecosystem

if TYPE_CHECKING:
    from refactor.context import BuildContext
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.graph import Flow
    from refactor.syntax import Dockerfile

known: tuple[Ecosystem, ...] = ()
"""In the order in which they are asked; () before :func:`refactor.ecosystems.ecosystems` was called."""
_last: tuple[Dockerfile, BuildContext, tuple[Ecosystem, ...], Flow] | None = None


def flow_of(file: Dockerfile, context: BuildContext) -> Flow:
    """The graph of a file over its context, made once for all who ask about the same two."""
    global _last
    if _last is None or _last[0] is not file or _last[1] is not context or _last[2] is not known:
        from refactor.flow.graph import Flow

        _last = (file, context, known, Flow(file, context, _effect))
    return _last[3]


@lru_cache(maxsize=1)
def _speakers(languages: tuple[Ecosystem, ...]) -> dict[str, list[Ecosystem]]:
    """Who is asked about a program, by its name."""
    speakers: dict[str, list[Ecosystem]] = {}
    for language in languages:
        for name in language.programs | language.tools:
            speakers.setdefault(name, []).append(language)
    return speakers


def _effect(call: Invocation) -> Effect | None:
    speakers = _speakers(known)
    for language in speakers.get(call.name) or speakers.get("*") or ():
        effect = language.effect(call)
        if effect is not None:
            return effect._replace(by=language.name)
    return None


__all__ = ["flow_of"]
