"""What an expression of a Python source stands for, as far as it is constant, and the names that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameSource, Scope, ScopeProvider

from refactor.context.dockerignore import clean
from refactor.ecosystems.python.use import Use

ANCHOR = "\0"
"""Begins the value of a path that is formed from ``__file__``; the rest is a path in the context."""

Value: TypeAlias = "str | int | list[Value] | None"
"""A constant, the items of a list or tuple, or None: computed."""
Environment: TypeAlias = Mapping[str, Value]


class Values:
    """The names of one source."""

    def __init__(self, wrapper: MetadataWrapper, path: str) -> None:
        super().__init__()
        # Scopes and positions take most of the time, and are only formed when a call asks for them.
        self.wrapper = wrapper
        self.constants: dict[str, Value] = {"__file__": ANCHOR + path}
        self.expressions: dict[str, cst.BaseExpression | None] = {}
        """What names are bound to that are set once."""

    def value(self, node: cst.BaseExpression | None, names: Environment | None = None, depth: int = 0) -> Value:
        """What an expression stands for, as far as it is constant."""
        if node is None or depth > 30:
            return None
        if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
            raw = node.evaluated_value
            return raw if isinstance(raw, str) else None
        if isinstance(node, cst.Integer):
            return node.evaluated_value
        if isinstance(node, (cst.List, cst.Tuple)):
            return [self.value(element.value, names, depth + 1) for element in node.elements]
        if isinstance(node, cst.Name):
            if names is not None and node.value in names:
                return names[node.value]
            if node.value in self.constants:
                return self.constants[node.value]
            return self.value(self.expressions.get(node.value), names, depth + 1)
        if isinstance(node, cst.FormattedString):
            return self._formatted(node, names, depth)
        if isinstance(node, cst.BinaryOperation):
            left = self.value(node.left, names, depth + 1)
            right = self.value(node.right, names, depth + 1)
            if isinstance(node.operator, cst.Divide):
                return _join(left, right)
            if isinstance(node.operator, cst.Add) and isinstance(left, str) and isinstance(right, str):
                return left + right
            return None
        if isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
            # `os.environ.get("PORT") or 8000`
            left = self.value(node.left, names, depth + 1)
            return left if left is not None else self.value(node.right, names, depth + 1)
        if isinstance(node, cst.Attribute):
            if node.attr.value == "parent":
                return _parent(self.value(node.value, names, depth + 1))
            return None
        if isinstance(node, cst.Subscript):
            return self._subscript(node, names, depth)
        if isinstance(node, cst.Call):
            return self._call_value(node, names, depth)
        return None

    def _formatted(self, node: cst.FormattedString, names: Environment | None, depth: int) -> Value:
        text = ""
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                text += part.value
            elif isinstance(part, cst.FormattedStringExpression):
                value = self.value(part.expression, names, depth + 1)
                if not isinstance(value, (str, int)):
                    return None
                text += str(value)
        # An anchor is only one at the beginning.
        return None if ANCHOR in text[1:] else text

    def _subscript(self, node: cst.Subscript, names: Environment | None, depth: int) -> Value:
        if isinstance(node.value, cst.Attribute) and node.value.attr.value == "parents" and len(node.slice) == 1:
            index = node.slice[0].slice
            number = self.value(index.value, names, depth + 1) if isinstance(index, cst.Index) else None
            value = self.value(node.value.value, names, depth + 1)
            for _ in range(number + 1 if isinstance(number, int) and number < 20 else 0):
                value = _parent(value)
            return value if isinstance(number, int) else None
        return None

    def _call_value(self, node: cst.Call, names: Environment | None, depth: int) -> Value:
        name = self._name(node.func)
        arguments: list[Value] = []
        for argument in node.args:
            if argument.keyword is not None:
                continue
            value = self.value(argument.value, names, depth + 1)
            if argument.star:
                arguments.extend(value if isinstance(value, list) else [None])
            else:
                arguments.append(value)
        first = arguments[0] if arguments else None
        if name in (
            "os.path.join",
            "posixpath.join",
            "pathlib.Path",
            "pathlib.PurePath",
            "pathlib.PosixPath",
        ):
            if not arguments:
                return "."
            for more in arguments[1:]:
                first = _join(first, more)
            return first
        if name == "os.path.dirname":
            return _parent(first)
        if name in (
            "os.path.abspath", "os.path.realpath", "os.path.normpath", "builtins.str", "os.fspath",
            "os.path.expanduser", "os.path.expandvars",
        ):  # fmt: skip
            return None if isinstance(first, str) and "$" in first else first
        if name == "builtins.int":
            return int(first) if isinstance(first, str) and first.isdigit() else first
        if name in ("os.getcwd", "pathlib.Path.cwd"):
            return "."
        if name in ("os.environ.get", "os.getenv", "os.environ.setdefault"):
            return arguments[1] if len(arguments) > 1 else None
        if isinstance(node.func, cst.Attribute):
            method, receiver = node.func.attr.value, node.func.value
            if method in ("resolve", "absolute", "as_posix", "expanduser"):
                return self.value(receiver, names, depth + 1)
            if method == "joinpath":
                first = self.value(receiver, names, depth + 1)
                for more in arguments:
                    first = _join(first, more)
                return first
            if method == "with_name" and isinstance(first, str):
                return _join(_parent(self.value(receiver, names, depth + 1)), first)
        return None

    def _is_path(self, node: cst.BaseExpression) -> bool:
        """An expression that is a path for certain, so that ``.open()`` and ``.save(...)`` mean files."""
        if isinstance(node, cst.BinaryOperation):
            return isinstance(node.operator, cst.Divide)
        if isinstance(node, cst.Call):
            name = self._name(node.func)
            return name in ("pathlib.Path", "os.path.join") or (
                isinstance(node.func, cst.Attribute) and node.func.attr.value in ("joinpath", "resolve", "with_name")
            )
        if isinstance(node, cst.Name):
            bound = self.expressions.get(node.value)
            return bound is not None and not isinstance(bound, cst.Name) and self._is_path(bound)
        return isinstance(node, cst.SimpleString) and "/" in node.raw_value

    def _class(self, node: cst.BaseExpression) -> str:
        """Qualified name of what made an object: of ``Flask`` for ``app`` after ``app = Flask(__name__)``."""
        for _ in range(5):
            if isinstance(node, cst.Name):
                bound = self.expressions.get(node.value)
                if bound is None:
                    return ""
                node = bound
            elif isinstance(node, cst.Call):
                return self._name(node.func)
            else:
                return ""
        return ""

    def _name(self, node: cst.BaseExpression) -> str:
        """Qualified name through imports (``builtins.open``); "" for what is local."""
        # QualifiedNameProvider asks the scope the same for every node of the file, which takes far longer.
        base = node
        while isinstance(base, cst.Attribute):
            base = base.value
        # The scope gives `open(x).read` the name of `open`.
        if not isinstance(base, cst.Name):
            return ""
        scope = self.wrapper.resolve(ScopeProvider).get(node)
        if not isinstance(scope, Scope):
            return ""
        for name in sorted(scope.get_qualified_names_for(node), key=lambda one: one.name):
            if name.source is not QualifiedNameSource.LOCAL:
                return str(name.name)
        return ""

    def _line(self, node: cst.CSTNode) -> int:
        return int(self.wrapper.resolve(PositionProvider)[node].start.line)

    def _use(self, value: Value, node: cst.CSTNode, call: str) -> Use:
        line = self._line(node)
        if not isinstance(value, str):
            return Use(None, line, call)
        if value.startswith(ANCHOR):
            path = clean(value[1:] or ".")
            return Use(path, line, call, is_anchored=True)
        return Use(value, line, call) if ANCHOR not in value else Use(None, line, call)


def _join(left: Value, right: Value) -> Value:
    if not isinstance(left, str) or not isinstance(right, str) or right.startswith(ANCHOR):
        return right if isinstance(right, str) and right.startswith(("/", ANCHOR)) else None
    if right.startswith("/"):
        return right
    anchor = ANCHOR if left.startswith(ANCHOR) else ""
    base = left.removeprefix(ANCHOR)
    return anchor + (f"{base}/{right}" if base else right)


def _parent(value: Value) -> Value:
    if not isinstance(value, str):
        return None
    if value.startswith(ANCHOR):
        path = clean(value[1:] or ".")
        return ANCHOR + ("" if "/" not in path and path not in (".", "..") else clean(path + "/.."))
    return value.rpartition("/")[0] or ("/" if value.startswith("/") else "")
