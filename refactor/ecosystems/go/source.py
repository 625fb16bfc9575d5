"""What one Go source says, read by tree-sitter's grammar: package, imports, strings, calls, and what names are given.

A tree takes thirty times the memory of its text, so what is asked for is taken out of it at once. Constraints are those
of `go/build`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from refactor.shell.grammar import grammar

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

_T = TypeVar("_T")

_QUERY = """
(package_clause (package_identifier) @package)
(import_spec) @import
(call_expression) @call
[(interpreted_string_literal) (raw_string_literal)] @string
[(function_declaration) (method_declaration)] @function
[(short_var_declaration) (assignment_statement) (var_spec value: (_)) (const_spec value: (_)) (return_statement)] @given
[(range_clause) (receive_statement) (type_switch_statement)] @open
(func_literal parameters: (parameter_list (parameter_declaration) @open))
(composite_literal type: (qualified_type) @type body: (literal_value
    (keyed_element (literal_element (identifier) @key) (literal_element) @log))
    (#eq? @type "lumberjack.Logger") (#eq? @key "Filename"))
"""
_HEAD = r'(?s)(?:\s+|//[^\n]*|/\*.*?\*/|"[^"\n]*"|`[^`]*`|[().;]|(?!(?:func|type|var|const)\b)\w+)*'
"""All that may stand up to the last import, and no more of a file than that."""
_NEW_METHOD = rb"(?m)^(func\s*\([^)\n]*\)\s*\w+)(\[[^\n]*?\])(?=\()"
_IS_EMPTY = rb'if\s+(?:len\()?(\w+)\)?\s*==\s*(?:""|0)\s*\{\s*$'
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_AROUND = frozenset({"parenthesized_expression", "literal_element", "expression_list"})
_MAX_NAME = 200
_MAX_DEPTH = 6
_MAX_LEVELS = 20_000
"""Of the tree; a query takes time by their square where there are more than 32,767."""
_MAX_SOURCE = 512 * 1024
"""Characters. What is no Go takes the grammar up to forty seconds for each million."""
_MAX_CONSTRAINT = 2_000
"""Characters; longer ones are no Go that anybody builds."""

_SYSTEMS = frozenset(
    """aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris
    wasip1 windows zos""".split()
)
_MACHINES = frozenset(
    """386 amd64 arm arm64 armbe arm64be loong64 mips mips64 mips64le mips64p32 mips64p32le mipsle ppc
    ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm amd64p32""".split()
)


class Expression(NamedTuple):
    """An expression, as far as its text shows what it stands for."""

    kind: str
    """``text`` of a string, ``name``, ``call``, ``+`` for the sum of its parts; "" for all else."""
    text: str
    """What a string says; a name with what it is selected from (``config.Path``); what is called: ``os.Open``,
    ``r.Static``, ``.ParseFiles`` behind another call; of all else what is written, where that is short."""
    parts: tuple[Expression, ...]
    """The arguments of a call."""
    at: int
    """Offset in the file, in bytes."""
    line: int

    @property
    def method(self) -> str:
        return self.text.rpartition(".")[2]

    def of(self, table: Mapping[str, _T]) -> _T | None:
        """What a table says of a call, by its name, or that of the method behind a dot: ``.ParseFiles``."""
        return table.get(self.text, table.get(f".{self.method}") if "." in self.text else None)


class Function(NamedTuple):
    """A function or a method."""

    name: str
    parameters: tuple[str, ...]
    start: int
    end: int


class Given(NamedTuple):
    """What a name is given at one place."""

    value: Expression | None
    """None for what only the running program knows."""
    at: int
    is_new: bool
    """The name is made there: inside of a function it is no other one's."""
    is_default: bool = False
    """It is given where the name stands for nothing so far: ``if name == "" {``."""


class GoSource(NamedTuple):
    """One file."""

    text: str
    why_not_go: str | None
    """Why the go command could not read the file; what it does is unknown then, not nothing."""
    package: str
    imports: tuple[tuple[str, str], ...]
    """Name that the package is known by in the file, and its path; "C" for cgo."""
    embeds: tuple[str, ...]
    """Patterns of ``//go:embed``, relative to the file's folder."""
    constraints: tuple[str, ...]
    """``//go:build`` expressions; ``// +build`` lines are written as one."""
    strings: tuple[Expression, ...]
    """Those outside of import declarations."""
    calls: tuple[Expression, ...]
    """Calls and conversions; ``lumberjack.Logger{Filename: name}`` as ``lumberjack.Logger(name)``."""
    functions: tuple[Function, ...]
    given: Mapping[str, Sequence[Given]]
    """By the name; what functions return, the first value of each ``return``, by "return"."""

    @property
    def uses_cgo(self) -> bool:
        return any(path == "C" for _, path in self.imports)

    def function_at(self, offset: int) -> Function | None:
        return next((one for one in self.functions if one.start <= offset < one.end), None)


@cache
def _reader() -> tuple[Parser, Query]:
    from tree_sitter import Parser, Query

    go = grammar("tree_sitter_go")
    return Parser(go), Query(go, _QUERY)


def read_head(text: str) -> GoSource:
    """What stands in front of the declarations: package, imports and constraints."""
    head = re.match(_HEAD, text)
    return read_source(text[: head.end()] if head is not None else "")


@lru_cache(maxsize=1024)
def read_source(text: str) -> GoSource:
    """Never raises; of a file that is no Go the facts are not complete, see :attr:`GoSource.why_not_go`."""
    from tree_sitter import QueryCursor

    parser, query = _reader()
    code = text.encode("utf-8", "replace") if len(text) <= _MAX_SOURCE else b""
    root = parser.parse(code).root_node
    if root.has_error:
        # Go 1.26 takes any expression in `new`, Go 1.27 type parameters of methods; the grammar does not know either.
        newer = re.sub(rb"\bnew(?=\()", b"New", code)
        newer = re.sub(_NEW_METHOD, lambda found: found[1] + b" " * len(found[2]), newer)
        root = parser.parse(newer).root_node if newer != code else root
    # Where the grammar has to guess, a query takes time by the square of what follows.
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(_MAX_LEVELS)
    captures = {} if root.has_error else cursor.captures(root)
    found = {name: sorted(nodes, key=lambda node: node.start_byte) for name, nodes in captures.items()}
    package = _text(next(iter(found.get("package", ())), None))
    why = None if package else "it has no package clause"
    if re.search(r"[\0\ud800-\udfff]", text):
        why = "it is no text"
    elif len(text) > _MAX_SOURCE:
        why = f"it has more than {_MAX_SOURCE // 1024} KiB"
    elif root.has_error:
        why = f"line {_first_error(root).start_point[0] + 1} is no Go"
    imports = found.get("import", [])
    body = max((node.end_byte for node in imports), default=0)
    calls = [_expression(node) for node in found.get("call", ())]
    calls += [_expression(node)._replace(kind="call", text="lumberjack.Logger", parts=(_expression(node),))
              for node in found.get("log", ())]  # fmt: skip
    head = text[: text.find(f"package {package}")] if package else ""
    lines = re.findall(r"(?m)^//go:build\s+(.+)$", head)[:1]
    given: dict[str, list[Given]] = {}
    for name, one in _given(code, found.get("given", ()), found.get("open", ()), calls):
        given.setdefault(name, []).append(one)
    return GoSource(
        text,
        why,
        package,
        tuple(map(_imported, imports)),
        tuple(word for line in re.findall(r"(?m)^//go:embed[ \t]+(.+)$", text) for word in _embed_words(line)),
        tuple(lines or map(_plus_build, re.findall(r"(?m)^//\s*\+build\s+(.+)$", head))),
        tuple(_expression(node) for node in found.get("string", ()) if node.start_byte >= body),
        tuple(calls),
        tuple(map(_function, found.get("function", ()))),
        given,
    )


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _first_error(node: Node) -> Node:
    while (inner := next((child for child in node.children if child.has_error), None)) is not None:
        node = inner
    return node


def _parts(node: Node | None) -> list[Node]:
    """What a list holds, without the comments between."""
    return [] if node is None else [child for child in node.named_children if child.type != "comment"]


def _expression(node: Node, depth: int = 0) -> Expression:
    while node.type in _AROUND or (node.type == "unary_expression" and _operator(node) in {"*", "&"}):
        inner = _parts(node)
        if len(inner) != 1:
            break
        node = inner[0]
    kind, text, parts = "", "", []
    if node.type in {"interpreted_string_literal", "raw_string_literal"}:
        kind, text = "text", _value(_text(node))
    elif node.type == "call_expression" and depth < _MAX_DEPTH:
        called = node.child_by_field_name("function") or node
        kind = "call"
        text = _dotted(called) or f".{_text(called.child_by_field_name('field'))}"
        parts = _parts(node.child_by_field_name("arguments"))
    elif _is_sum(node) and depth < _MAX_DEPTH:
        kind = "+"
        while _is_sum(node):
            parts.append(node.children[2])
            node = node.children[0]
        parts = [node, *reversed(parts)]
    elif node.end_byte - node.start_byte <= _MAX_NAME:
        text = _dotted(node)
        kind, text = ("name", text) if text else ("", _text(node))
    inside = tuple(_expression(part, depth + 1) for part in parts)
    return Expression(kind, text, inside, node.start_byte, node.start_point[0] + 1)


def _is_sum(node: Node) -> bool:
    return node.type == "binary_expression" and _operator(node) == "+"


def _operator(node: Node) -> str:
    return _text(node.child_by_field_name("operator"))


def _dotted(node: Node) -> str:
    """A name with what it is selected from, "" for all else."""
    if node.type == "identifier":
        return _text(node)
    text = "".join(_text(node).split()) if node.end_byte - node.start_byte <= _MAX_NAME else ""
    return text if re.fullmatch(_NAME, text) else ""


def _function(node: Node) -> Function:
    lists = _parts(node.child_by_field_name("parameters"))
    names = tuple(_text(name) for one in lists for name in one.children_by_field_name("name"))
    return Function(_text(node.child_by_field_name("name")), names, node.start_byte, node.end_byte)


def _given(
    code: bytes, known: Iterable[Node], unknown: Iterable[Node], calls: Iterable[Expression]
) -> Iterator[tuple[str, Given]]:
    """What names are given: by declarations, assignments, and flags that are bound to them."""
    for node, is_known in (*((node, True) for node in known), *((node, False) for node in unknown)):
        at, left = node.start_byte, node.child_by_field_name("left") or node.child_by_field_name("alias")
        if node.type == "return_statement":
            values = [value for one in _parts(node) for value in _parts(one)]
            yield "return", Given(_expression(values[0]) if values else None, at, True)
            continue
        names = _parts(left) if left is not None else node.children_by_field_name("name")
        right = node.child_by_field_name("right") or node.child_by_field_name("value")
        is_sum = node.type == "assignment_statement" and _operator(node) != "="
        values = _parts(right) if is_known and not is_sum else []
        empty = re.search(_IS_EMPTY, code[max(0, at - 120) : at])
        for index, name in enumerate(names):
            if len(values) == len(names) or (values and index == 0):
                value = _expression(values[index])
            else:
                value = None
            is_default = empty is not None and empty[1] == name.text
            if name.type == "identifier":
                yield _text(name), Given(value, at, node.type != "assignment_statement", is_default)
    for call in calls:
        index = {"StringVar": 2, "StringVarP": 3}.get(call.method, len(call.parts))
        if index < len(call.parts):
            yield call.parts[0].text, Given(call.parts[index], call.at, False)


def _value(literal: str) -> str:
    """What a string literal stands for. Escapes are those of Python."""
    body = literal[1:-1]
    if literal.startswith("`"):
        return body.replace("\r", "")
    return body.encode("latin-1", "backslashreplace").decode("unicode_escape", "replace") if "\\" in body else body


def _imported(node: Node) -> tuple[str, str]:
    """Name and path. A package's usual name is the last element of its path, without a version."""
    name, path = node.child_by_field_name("name"), _text(node.child_by_field_name("path"))[1:-1]
    parts = path.split("/")
    if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]):
        parts.pop()
    usual = re.sub(r"\.v\d+$", "", parts[-1]).removeprefix("go-").replace("-", "_")
    return _text(name) or usual, path


def _embed_words(line: str) -> Iterator[str]:
    for word in re.findall(r'"[^"]*"|`[^`]*`|\S+', line.strip()):
        yield word.strip('"`').removeprefix("all:")


def _plus_build(line: str) -> str:
    """``linux,amd64 !cgo`` -> ``(linux && amd64) || (!cgo)``."""
    return " || ".join("(" + " && ".join(group.split(",")) + ")" for group in line.split())


def may_be_built(name: str) -> bool:
    """Whether a file's name lets the go command take it for linux on amd64."""
    if not name.endswith(".go") or name.endswith("_test.go") or name.startswith(("_", ".")):
        return False
    words = name[:-3].split("_")[1:]
    if words and words[-1] in _MACHINES:
        if words[-1] != "amd64":
            return False
        words.pop()
    return not (words and words[-1] in _SYSTEMS and words[-1] != "linux")


def is_built(name: str, source: GoSource, tags: frozenset[str] = frozenset(), *, cgo: bool = True) -> bool:
    """Whether the go command takes a file for linux on amd64 (``go/build``: names, constraints)."""
    return may_be_built(name) and all(_holds(constraint, tags, cgo) for constraint in source.constraints)


def _holds(expression: str, tags: frozenset[str], cgo: bool) -> bool:
    """A ``//go:build`` expression, reduced step by step; what cannot be read holds."""

    def value(found: re.Match[str]) -> str:
        known = found[0] in {"linux", "unix", "amd64", "gc"} | tags or found[0].startswith("go1.")
        return str(int(known or (found[0] == "cgo" and cgo)))

    text = re.sub(r"[\w.]+", value, expression.split("//")[0].replace(" ", "").replace("\t", ""))
    before = ""
    while text != before and len(text) < _MAX_CONSTRAINT:
        before = text
        text = re.sub(r"!([01])", lambda found: str(1 - int(found[1])), text)
        text = re.sub(r"(?<!!)([01])&&([01])", lambda found: str(int(found[1]) & int(found[2])), text)
        text = re.sub(r"(?<![!&])([01])\|\|([01])(?!&)", lambda found: str(int(found[1]) | int(found[2])), text)
        text = re.sub(r"\(([01])\)", r"\1", text)
    return text != "0"
