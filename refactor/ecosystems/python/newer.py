"""A source for a newer Python than the one that runs, rewritten into one that this reads, line by line.

libcst has a grammar of its own, whatever Python it runs on, and keeps all that it does not change. Rewritten are type
parameters and ``type`` (PEP 695), f-strings with any expression inside (PEP 701) and template strings (PEP 750), and
``except`` without parentheses (PEP 758); all of them say nothing about files or ports by themselves.
"""

from __future__ import annotations

import ast
import re

import libcst as cst

_TEXT = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|#[^\n]*'
_MAX_DEPTH = 50
_MAX_STATEMENT = 10_000
"""Characters of lines that brackets and backslashes hold together."""
_MAX_LINES = 5_000
"""libcst goes down its own stack for each bracket, operator and ``elif``, and ends the process where that is full: some
thousands of them. These bounds stay below; what people write does, too."""


def is_deep(text: str) -> bool:
    """Whether a source may be too deep for libcst."""
    depth = length = 0
    is_joined = False
    lines = re.sub(_TEXT, "--", text).split("\n")
    for line in lines:
        length = len(line) + (length if depth or is_joined else 0)
        is_joined = line.endswith("\\")
        for sign in re.findall(r"[()\[\]{}]", line):
            depth = depth + 1 if sign in "([{" else max(0, depth - 1)
            if depth > _MAX_DEPTH:
                return True
        if length > _MAX_STATEMENT:
            return True
    return len(lines) > _MAX_LINES


def older(text: str | bytes) -> str | None:
    """The same program without them; None for what is no Python 3 at all, or too deep."""
    if is_deep(text if isinstance(text, str) else text.decode("latin-1")):
        return None
    try:
        return cst.parse_module(text).visit(_Older()).code
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, UnicodeError, ValueError):
        return None


class _Older(cst.CSTTransformer):
    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        return updated_node.with_changes(type_parameters=None)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        return updated_node.with_changes(type_parameters=None)

    def leave_TypeAlias(self, original_node: cst.TypeAlias, updated_node: cst.TypeAlias) -> cst.Assign:
        return cst.Assign([cst.AssignTarget(updated_node.name)], updated_node.value)

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        return updated_node if _is_read(updated_node) else _called(updated_node.parts)

    def leave_TemplatedString(
        self, original_node: cst.TemplatedString, updated_node: cst.TemplatedString
    ) -> cst.BaseExpression:
        return _called(updated_node.parts)

    def leave_ExceptHandler(
        self, original_node: cst.ExceptHandler, updated_node: cst.ExceptHandler
    ) -> cst.ExceptHandler:
        kinds = updated_node.type
        if not isinstance(kinds, cst.Tuple) or kinds.lpar:
            return updated_node
        return updated_node.with_changes(type=kinds.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))


def _is_read(node: cst.BaseExpression) -> bool:
    try:
        ast.parse(cst.Module([]).code_for_node(node), mode="eval")
    except SyntaxError:
        return False
    return True


def _called(parts: object) -> cst.Call:
    """What stands in the braces, as the arguments of a call whose value nobody knows."""
    inside = (getattr(part, "expression", None) for part in parts) if isinstance(parts, (tuple, list)) else ()
    return cst.Call(cst.Name("format"), [cst.Arg(one) for one in inside if isinstance(one, cst.BaseExpression)])


__all__ = ["is_deep", "older"]
