"""One Python source by its syntax tree: its calls, what their names stand for, and what its expressions do as far as
they are constant."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from refactor.context import BuildContext, Unknown
from refactor.context.dockerignore import clean

_MAX_BYTES = 128 * 1024
"""Of a source; what is larger is machine-made."""
_MAX_TEXT = 4096
"""Characters of a literal that may be a path (PATH_MAX)."""
_MAX_PARTS = 2_000
"""Expressions that one of them may be made of: names that each stand for a sum of others double with every step."""
_ANCHOR = "\0"
"""Begins the value of a path that is formed from ``__file__``; the rest is a path in the context."""
_JOINS = ("os.path.join", "posixpath.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath")
_SAME = (
    "os.path.abspath", "os.path.realpath", "os.path.normpath", "builtins.str", "os.fspath", "os.path.expanduser",
    "os.path.expandvars",
)  # fmt: skip
_KEYWORDS = ("file", "filename", "path", "name", "database", "directory", "dst")
"""What calls give the path by that they also take in its place."""

Value: TypeAlias = "str | int | list[Value] | None"
"""A constant, the items of a list or tuple, or None: computed."""
Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


class Use(NamedTuple):
    """One place in a source that uses a file."""

    path: str | None
    """What is named: a path in the context if ``is_anchored``, else relative to the working directory or
    absolute; None when it is computed at run time."""
    line: int
    """1-based"""
    call: str
    """Qualified name of what is called, such as ``builtins.open``."""
    is_anchored: bool = False
    """Formed from ``__file__``, so that it does not depend on the working directory."""


class Call(NamedTuple):
    """One call in a source."""

    node: ast.Call
    name: str
    """Qualified through imports (``builtins.open``); "" for what is local."""
    functions: tuple[Function, ...]
    """Functions around it, the innermost last."""

    @property
    def method(self) -> str:
        """``run`` of ``app.run()``; "" where a name is called."""
        return self.node.func.attr if isinstance(self.node.func, ast.Attribute) else ""

    @property
    def plain(self) -> str:
        """The name that is called."""
        return self.node.func.id if isinstance(self.node.func, ast.Name) else ""

    @property
    def receiver(self) -> ast.expr:
        """``app`` of ``app.run()``."""
        return self.node.func.value if isinstance(self.node.func, ast.Attribute) else self.node.func

    @property
    def given(self) -> list[ast.expr]:
        """All arguments."""
        return [*self.node.args, *(word.value for word in self.node.keywords)]

    def keyword(self, *names: str) -> ast.expr | None:
        return next((word.value for word in self.node.keywords if word.arg in names), None)

    def positional(self, at: int) -> ast.expr | None:
        plain = [one for one in self.node.args if not isinstance(one, ast.Starred)]
        return plain[at] if at < len(plain) else None

    def argument(self, at: int) -> ast.expr | None:
        """A positional argument, or the keyword that such calls give the path by."""
        found = self.positional(at)
        return self.keyword(*_KEYWORDS) if found is None else found


def parsed(text: str | bytes) -> ast.Module | str:
    """The tree of a source, or why Python 3 does not take it."""
    found = _parsed(text)
    if isinstance(found, ast.Module):
        return found
    # Importing libcst takes longer than reading most programs.
    from refactor.ecosystems.python.newer import older

    rewritten = older(text)
    tree = found if rewritten is None else _parsed(rewritten)
    return tree if isinstance(tree, ast.Module) else found


def _parsed(text: str | bytes) -> ast.Module | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are none of our business
            return ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno or 1} is not Python 3"
    except (RecursionError, MemoryError, ValueError):
        return "it is nested too deeply"


def read_source(context: BuildContext, path: str) -> Source | Unknown:
    """A source of the context; Unknown if it cannot be read or is not Python 3."""
    data = context.read_bytes(path)
    if isinstance(data, Unknown):
        return data
    if len(data) > _MAX_BYTES:
        return Unknown(f"{path} is larger than {_MAX_BYTES // 1024} KiB")
    tree = parsed(data)
    try:
        return Source(tree, clean(path)) if isinstance(tree, ast.Module) else Unknown(f"{path}: {tree}")
    except RecursionError:
        return Unknown(f"{path}: it is nested too deeply")


class Source(ast.NodeVisitor):
    """The calls, settings and texts of one source. ``path`` is its path in the context."""

    def __init__(self, tree: ast.Module, path: str) -> None:
        self.path = path
        self.calls: list[Call] = []
        self.settings: list[tuple[str, ast.expr]] = []
        """What names, and texts in brackets (``config["KEY"] = ...``), are set to."""
        self.texts: list[ast.Constant] = []
        """Literals, without the parts of f-strings."""
        self.imports: list[str] = []
        """Dotted names."""
        self.expressions: dict[str, ast.expr | None] = {}
        """What names are bound to that are set once; None for those that are set twice, or piece by piece."""
        self._scopes = [_bound(tree)]
        self._functions: list[Function] = []
        self._names: dict[ast.expr, str] = {}
        self._helpers: dict[str, list[Call]] = {}
        self._parts = 0
        """How many expressions the value that is asked for was seen to be made of."""
        self.visit(tree)

    # Gathering

    def _bind(self, name: ast.expr, value: ast.expr | None) -> None:
        if isinstance(name, ast.Name):
            self.expressions[name.id] = None if name.id in self.expressions else value
        for element in name.elts if isinstance(name, ast.Tuple) else ():
            self._bind(element, None)

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        for target in targets:
            self._bind(target, node.value)
            match target:
                case ast.Name(id=str() as name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
                    self.settings += [] if node.value is None else [(name, node.value)]
        self.generic_visit(node)

    visit_AnnAssign = visit_Assign

    def visit_AugAssign(self, node: ast.AugAssign | ast.For) -> None:
        self._bind(node.target, None)
        self.generic_visit(node)

    visit_For = visit_AugAssign

    def visit_FunctionDef(self, node: Function) -> None:
        self._scopes.append(_bound(node))
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()
        self._scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part)

    def visit_Constant(self, node: ast.Constant) -> None:
        self.texts += [node] if isinstance(node.value, str) else []

    def visit_Import(self, node: ast.Import) -> None:
        self.imports += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imports += [f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names]

    def visit_Call(self, node: ast.Call) -> None:
        self._names[node.func] = name = self._name(node.func)
        call = Call(node, name, tuple(self._functions))
        self.calls.append(call)
        self._helpers.setdefault(call.plain, []).append(call)
        self.generic_visit(node)

    def _name(self, node: ast.expr) -> str:
        base, dot, rest = dotted(node).partition(".")
        own = f"builtins.{base}" if base and hasattr(builtins, base) else ""
        first = next((scope[base] for scope in reversed(self._scopes) if base in scope), own)
        return f"{first}{dot}{rest}" if first else ""

    # Asking

    def keyword(self, name: str) -> ast.expr | None:
        """The first value that a call is given by a name."""
        return next((value for call in self.calls if (value := call.keyword(name)) is not None), None)

    def uses(self, target: ast.expr | None, call: Call, name: str) -> Iterator[Use]:
        """The files that an argument of a call names."""
        value = self.value_in(target, call)
        values: Sequence[Value] = value if isinstance(value, list) else (value,)
        if None in values and len(call.functions) == 1:
            values = self._through_calls(call.functions[0], target) or values
        return (use_of(one, call.node, name) for one in values)

    def value_in(self, target: ast.expr | None, call: Call) -> Value:
        """What an argument of a call stands for; parameters of the functions around it are computed."""
        hidden = (one.arg for function in call.functions for one in ast.walk(function.args) if isinstance(one, ast.arg))
        return self.value(target, dict.fromkeys(hidden))

    def _through_calls(self, function: Function, target: ast.expr | None) -> list[Value]:
        """Values of an expression in a helper such as ``def read(name): return open(name).read()``."""
        own = function.args
        found: list[Value] = []
        for call in self._helpers.get(function.name, ()):
            given = self._given(call.node)
            names = [one.arg for one in own.args]
            values: dict[str, Value] = dict(zip([one.arg for one in own.kwonlyargs], map(self.value, own.kw_defaults)))
            values |= dict(zip(names[len(names) - len(own.defaults) :], map(self.value, own.defaults)))
            values = {**dict.fromkeys(names), **values, **dict(zip(names, given))}
            values |= {word.arg: self.value(word.value) for word in call.node.keywords if word.arg}
            values |= {own.vararg.arg: given[len(names) :]} if own.vararg is not None else {}
            value = self.value(target, values)
            found.extend(value if isinstance(value, list) else [value])
        return found

    def value(self, node: ast.expr | None, names: Mapping[str, Value] | None = None, depth: int = 0) -> Value:
        """What an expression stands for, as far as it is constant; ``names`` have values of their own."""

        def of(part: ast.expr | None) -> Value:
            return None if depth > 30 else self.value(part, names, depth + 1)

        self._parts = self._parts + 1 if depth else 0
        if self._parts > _MAX_PARTS:
            return None
        match node:
            case ast.Constant(value=str() as constant):
                return constant if len(constant) <= _MAX_TEXT else None
            case ast.Constant(value=int() as number):
                return None if isinstance(number, bool) or number.bit_length() > 64 else number
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return [of(element) for element in elements]
            case ast.Name(id="__file__"):
                return _ANCHOR + self.path
            case ast.Name(id=name):
                return names[name] if names is not None and name in names else of(self.expressions.get(name))
            case ast.JoinedStr(values=parts):
                values = [of(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts]
                text = "".join(str(value) for value in values)
                # An anchor is only one at the beginning.
                is_known = all(isinstance(value, str | int) for value in values) and _ANCHOR not in text[1:]
                return text if is_known else None
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return _join(of(left), of(right))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                first, last = of(left), of(right)
                return first + last if isinstance(first, str) and isinstance(last, str) else None
            case ast.BoolOp(op=ast.Or(), values=parts):
                # `os.environ.get("PORT") or 8000`
                return next((value for value in map(of, parts) if value is not None), None)
            case ast.Attribute(value=inner, attr="parent"):
                return _parent(of(inner))
            case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int() as up)):
                value = of(inner)
                for _ in range(min(up, 20) + 1):
                    value = _parent(value)
                return value
            case ast.Call():
                return self._called(node, names, depth + 1)
        return None

    def _given(self, node: ast.Call, names: Mapping[str, Value] | None = None, depth: int = 0) -> list[Value]:
        """The values of the positional arguments."""
        given: list[Value] = []
        for argument in node.args:
            is_many = isinstance(argument, ast.Starred)
            value = self.value(argument.value if isinstance(argument, ast.Starred) else argument, names, depth)
            given += value if isinstance(value, list) and is_many else [None if is_many else value]
        return given

    def _called(self, node: ast.Call, names: Mapping[str, Value] | None, depth: int) -> Value:
        name, given = self._names.get(node.func, ""), self._given(node, names, depth)
        first = given[0] if given else None
        if name in _JOINS:
            return _joined(given or ["."])
        if name == "os.path.dirname":
            return _parent(first)
        if name in _SAME:
            return None if isinstance(first, str) and "$" in first else first
        if name == "builtins.int":
            return int(first) if isinstance(first, str) and first.isdigit() else first
        if name in {"os.getcwd", "pathlib.Path.cwd"}:
            return "."
        if name in {"os.environ.get", "os.getenv", "os.environ.setdefault"}:
            return given[1] if len(given) > 1 else None
        if isinstance(node.func, ast.Attribute):
            method, receiver = node.func.attr, self.value(node.func.value, names, depth)
            if method in {"resolve", "absolute", "as_posix", "expanduser"}:
                return receiver
            if method == "joinpath":
                return _joined([receiver, *given])
            if method == "with_name":
                return _join(_parent(receiver), first)
        return None

    def is_path(self, node: ast.expr | None) -> bool:
        """An expression that is a path for certain, so that ``.open()`` and ``.save(...)`` mean files."""
        match node:
            case ast.BinOp(op=operator):
                return isinstance(operator, ast.Div)
            case ast.Call(func=function):
                return self._names.get(function, "") in {"pathlib.Path", "os.path.join"} or (
                    isinstance(function, ast.Attribute) and function.attr in {"joinpath", "resolve", "with_name"}
                )
            case ast.Name(id=name):
                bound = self.expressions.get(name)
                return not isinstance(bound, ast.Name) and self.is_path(bound)
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and "/" in node.value

    def made_by(self, node: ast.expr | None) -> str:
        """Qualified name of what made an object: of ``Flask`` for ``app`` after ``app = Flask(__name__)``."""
        for _ in range(5):
            node = self.expressions.get(node.id) if isinstance(node, ast.Name) else node
        return self._names.get(node.func, "") if isinstance(node, ast.Call) else ""


def dotted(node: ast.expr) -> str:
    """``a.b.c``; ``.b.c`` where something else stands in front."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join((node.id if isinstance(node, ast.Name) else "", *parts))


def _bound(scope: ast.AST) -> dict[str, str]:
    """The names that a module or a function binds -> what an import binds them to, "" for all else."""
    found: dict[str, str] = {}
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import(names=names):
                found |= {one.asname or one.name.partition(".")[0]: one.name if one.asname else
                          one.name.partition(".")[0] for one in names}  # fmt: skip
            case ast.ImportFrom(module=module, names=names, level=level):
                found |= {one.asname or one.name: f"{'.' * level}{module or ''}.{one.name}" for one in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.setdefault(name, "")
                continue
            case ast.Lambda():
                continue
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                found.setdefault(name, "")
        waiting += ast.iter_child_nodes(node)
    return found


def use_of(value: Value, node: ast.expr, call: str) -> Use:
    """The use of a file that a value names."""
    if isinstance(value, str) and value.startswith(_ANCHOR):
        return Use(clean(value[1:] or "."), node.lineno, call, is_anchored=True)
    return Use(value if isinstance(value, str) and _ANCHOR not in value else None, node.lineno, call)


def _joined(parts: Sequence[Value]) -> Value:
    first, *rest = parts
    for more in rest:
        first = _join(first, more)
    return first


def _join(left: Value, right: Value) -> Value:
    if not isinstance(left, str) or not isinstance(right, str) or right.startswith(("/", _ANCHOR)):
        return right if isinstance(right, str) and right.startswith(("/", _ANCHOR)) else None
    anchor = _ANCHOR if left.startswith(_ANCHOR) else ""
    base = left.removeprefix(_ANCHOR)
    return anchor + (f"{base}/{right}" if base else right)


def _parent(value: Value) -> Value:
    if not isinstance(value, str):
        return None
    if value.startswith(_ANCHOR):
        path = clean(value[1:] or ".")
        return _ANCHOR + ("" if "/" not in path and path not in (".", "..") else clean(path + "/.."))
    return value.rpartition("/")[0] or ("/" if value.startswith("/") else "")
