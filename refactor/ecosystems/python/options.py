"""Calls that write where an option, an argument or the environment of a Python program says.

Of such a call only its name tells that it writes: ``WriteToText(options.output)`` is a class of another distribution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import libcst as cst

_WRITER = re.compile(
    r"_*(?:[Ww]rite(?!(?:lines|rows?|r|able)?$)|[Ss]ave|[Dd]ump(?!s$)|[Ee]xport)\w*$"
    r"|to_(?:csv|excel|feather|hdf|json|orc|parquet|pickle|zarr)$"
)
"""Names of functions and classes that write a file; ``write`` alone writes to what is open, ``dumps`` to a text."""
_OPTIONS = re.compile(r"(?:.*_)?(?:args|arguments|namespace|options|opts|flags)$", re.IGNORECASE)
"""How people name what argparse, optparse, absl and docopt return."""
_PARSERS = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_COMMANDS = frozenset({"argument", "callback", "command", "option"})
"""Decorators of click and typer that make a function's parameters options."""


def is_writer(name: str) -> bool:
    """Whether a function or class of this name writes a file, by its name."""
    return _WRITER.match(name) is not None


def is_given(
    node: cst.BaseExpression,
    bound: Mapping[str, cst.BaseExpression | None],
    functions: Sequence[cst.FunctionDef],
    depth: int = 0,
) -> bool:
    """Whether a value comes from the options, the arguments or the environment of the program.

    ``bound`` has the expression of each name that is set once, ``functions`` those around the place.
    """
    if depth > 5:
        return False
    if isinstance(node, cst.Subscript):
        return _holds_options(_dotted(node.value))
    if isinstance(node, cst.Call):
        holder, _, method = _dotted(node.func).rpartition(".")
        return method == "getenv" or (method in {"get", "pop"} and _holds_options(holder))
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
        base = bound.get(node.value.value)
        called = base.func if isinstance(base, cst.Call) else None
        return _OPTIONS.match(node.value.value) is not None or (
            isinstance(called, cst.Attribute) and called.attr.value in _PARSERS
        )
    if not isinstance(node, cst.Name):
        return False
    if any((_is_command(one) or _is_django(one)) and node.value in _parameters(one) for one in functions):
        return True
    value = bound.get(node.value)
    return value is not None and is_given(value, bound, functions, depth + 1)


def _holds_options(name: str) -> bool:
    """A mapping of what the program was given: ``os.environ``, docopt's, or what Django hands to ``handle``."""
    return name in {"sys.argv", "argv", "os.environ", "environ"} or _OPTIONS.match(name.rpartition(".")[2]) is not None


def _is_django(function: cst.FunctionDef) -> bool:
    """``handle(self, output, **options)`` of a management command."""
    return function.name.value == "handle" and function.params.star_kwarg is not None


def _is_command(function: cst.FunctionDef) -> bool:
    called = [one.decorator.func if isinstance(one.decorator, cst.Call) else one.decorator
              for one in function.decorators]  # fmt: skip
    return any(_dotted(one).rpartition(".")[2] in _COMMANDS for one in called)


def _parameters(function: cst.FunctionDef) -> set[str]:
    return {one.name.value for one in (*function.params.params, *function.params.kwonly_params)}


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""
