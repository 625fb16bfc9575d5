"""What the two readers of Python sources share: one use of a file, and which sources may be read at all."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

_MAX_DEPTH = 100
_MAX_NODES = 20_000
"""Of the syntax tree; what is deeper or larger is machine-made."""


@dataclass(frozen=True, slots=True)
class Use:
    """One place in a source."""

    path: str | None
    """What is named: a path in the context if ``is_anchored``, else relative to the working directory or
    absolute; None when it is computed at run time."""
    line: int
    """1-based"""
    call: str
    """Qualified name of what is called, such as ``builtins.open``."""
    is_anchored: bool = False
    """Formed from ``__file__``, so that it does not depend on the working directory."""


def parsed(text: str) -> ast.Module | str:
    """The tree of a source, or why Python 3 does not take it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are none of our business
            return ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno or 1} is not Python 3"
    except (RecursionError, MemoryError, ValueError):
        return "it is nested too deeply"


def why_not_python(text: str) -> str | None:
    """Why a source that opens nothing must not count as read; None where Python 3 takes it."""
    tree = parsed(text)
    return tree if isinstance(tree, str) else None


def why_not_readable(text: str) -> str | None:
    """Why a source must not be given to libcst; None if it may.

    Its parser overflows the stack on long chains of operators, and takes quadratic time. Python's own refuses
    those with an exception, and shows how deep the rest is.
    """
    tree = parsed(text)
    if isinstance(tree, str):
        return tree
    level: list[ast.AST] = [tree]
    depth = nodes = 0
    while level:
        depth += 1
        nodes += len(level)
        if nodes > _MAX_NODES:
            return "it is too large"
        if depth > _MAX_DEPTH or any(_is_chain(node) for node in level):
            return "it is nested too deeply"
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return None


def _is_chain(node: object) -> bool:
    """A long row that Python's tree holds flat and libcst's tree nests."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) > _MAX_DEPTH
    if isinstance(node, (ast.alias, ast.ImportFrom)):
        name = node.name if isinstance(node, ast.alias) else node.module or ""
        return name.count(".") > _MAX_DEPTH
    return len(getattr(node, "generators", ())) > _MAX_DEPTH
