"""What a Dockerfile means, read by a second reader that shares nothing with `refactor.syntax`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .aspects import Aspect
    from .reader import instructions, why_not_readable

__all__ = ["Aspect", "instructions", "why_not_readable"]

_HOMES = {"Aspect": "aspects", "instructions": "reader", "why_not_readable": "reader"}


def __getattr__(name: str) -> object:
    # Codemods import `refactor.model.aspects` at start-up; the readers are for rewritten files only.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
