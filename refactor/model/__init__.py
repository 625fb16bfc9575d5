"""What a Dockerfile means, read by a second reader that shares nothing with `refactor.syntax`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from refactor.model.aspects import Aspect
    from refactor.model.build_model import BuildModel, Command, Configuration, Copy, Effect, StageModel
    from refactor.model.comparison import Difference, compare
    from refactor.model.reader import instructions, why_not_readable

__all__ = [
    "Aspect",
    "BuildModel",
    "Command",
    "Configuration",
    "Copy",
    "Difference",
    "Effect",
    "StageModel",
    "compare",
    "instructions",
    "why_not_readable",
]

_HOMES = {
    "Aspect": "aspects",
    "BuildModel": "build_model",
    "Command": "build_model",
    "Configuration": "build_model",
    "Copy": "build_model",
    "Effect": "build_model",
    "StageModel": "build_model",
    "Difference": "comparison",
    "compare": "comparison",
    "instructions": "reader",
    "why_not_readable": "reader",
}


def __getattr__(name: str) -> object:
    # Codemods import `refactor.model.aspects` at start-up; the readers are for rewritten files only.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
