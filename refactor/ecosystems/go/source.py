"""What one Go source says, read without a compiler: its package, imports, embedded files, literals and calls.

Comments and the inside of strings are blanked first, so that parentheses and names are found by plain scanning; the
rules are those of the Go specification for comments, string and rune literals, and of `go/build` for constraints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from refactor.ecosystems.brackets import closes, pieces

_LEXEME = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`[^`]*`' r"|'(?:[^'\\\n]|\\[^\n]+?)'", re.DOTALL)
_PACKAGE = re.compile(r"^[ \t]*package\s+(\w+)", re.MULTILINE)
_IMPORTS = re.compile(r"^import\s*(?:\(([^)]*)\)|([^\n;]+))", re.MULTILINE)
_IMPORT = re.compile(r'(?:([\w.]+)[ \t]+)?("[^"\n]*"|`[^`\n]*`)')
_EMBED = re.compile(r"^//go:embed[ \t]+(.+)$", re.MULTILINE)
_CALL = re.compile(r"([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*|\.[A-Za-z_]\w*)\s*\(")
_NESTING = re.compile(r"[()\[\]{},]")
_BRACKET = re.compile(r"[()\[\]{}]")
_FUNCTION = re.compile(r"^func\b[^\n]*", re.MULTILINE)
_BUILD = re.compile(r"^//go:build\s+(.+)$", re.MULTILINE)
_PLUS_BUILD = re.compile(r"^//\s*\+build\s+(.+)$", re.MULTILINE)
_ESCAPE = re.compile(r'\\(?:([abfnrtv\\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))')
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

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


class Literal(NamedTuple):
    """A string of the source."""

    value: str
    start: int
    end: int


class Call(NamedTuple):
    """A call or conversion such as ``os.Open(name)``."""

    name: str
    """As written, without blanks: ``os.Open``, ``r.Static``; ``.ParseFiles`` behind another call."""
    arguments: tuple[tuple[int, int], ...]
    """Offsets of each argument in the text."""
    start: int
    end: int
    """Offset behind the closing parenthesis."""

    @property
    def method(self) -> str:
        return self.name.rpartition(".")[2]


class Function(NamedTuple):
    """A function's declaration."""

    name: str
    parameters: tuple[str, ...]
    start: int
    end: int


class GoSource(NamedTuple):
    """One file."""

    text: str
    code: str
    """The text with comments and the inside of strings blanked, of the same length."""
    package: str
    imports: tuple[tuple[str, str], ...]
    """Name that the package is known by in the file, and its path; "C" for cgo."""
    embeds: tuple[str, ...]
    """Patterns of ``//go:embed``, relative to the file's folder."""
    literals: tuple[Literal, ...]
    """Strings outside of import declarations."""
    constraints: tuple[str, ...]
    """``//go:build`` expressions; ``// +build`` lines are written as one."""

    @property
    def why_not_go(self) -> str | None:
        """Why the go command could not read the file; what it does is unknown then, not nothing."""
        if re.search(r"[\0\ud800-\udfff]", self.text):
            return "it is no text"
        if not self.package:
            return "it has no package clause"
        open_: list[str] = []
        for sign in _BRACKET.findall(self.code):
            if sign in "([{":
                open_.append(sign)
            elif not open_ or open_.pop() + sign not in {"()", "[]", "{}"}:
                return "its brackets do not match"
        return "its brackets do not match" if open_ else None

    @property
    def uses_cgo(self) -> bool:
        return any(path == "C" for _, path in self.imports)

    def line(self, offset: int) -> int:
        """1-based line of an offset."""
        return self.text.count("\n", 0, offset) + 1

    def package_name(self, path: str) -> str | None:
        """The name by which the file knows the imported package ``path``; None where it does not import it."""
        return next((name for name, known in self.imports if known == path), None)

    def calls(self, methods: frozenset[str]) -> Iterator[Call]:
        """Calls whose last name is one of ``methods``, in order."""
        for found in _CALL.finditer(self.code):
            name = "".join(found[1].split())
            if name.rpartition(".")[2] in methods and not _is_declaration(self.code, found.start()):
                call = self._call(name, found.start(), found.end())
                if call is not None:
                    yield call

    def _call(self, name: str, start: int, inside: int) -> Call | None:
        depth, begin, arguments = 1, inside, []
        for sign in _NESTING.finditer(self.code, inside):
            char = sign[0]
            if char in "([{":
                depth += 1
            elif char == ",":
                if depth == 1:
                    arguments.append((begin, sign.start()))
                    begin = sign.end()
            else:
                depth -= 1
                if depth == 0:
                    if self.code[begin : sign.start()].strip():
                        arguments.append((begin, sign.start()))
                    return Call(name, tuple(arguments), start, sign.end())
        return None

    def functions(self) -> tuple[Function, ...]:
        """Top-level functions and methods, as gofmt lays them out: the closing brace begins a line."""
        found = []
        for header in _FUNCTION.finditer(self.code):
            end = self.code.find("\n}", header.start())
            opening = self.code.find("{", header.start())
            signature = self.code[header.start() : opening if opening >= 0 else header.end()]
            name = re.match(r"func\s*(?:\([^)]*\)\s*)?([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)?\(", signature)
            if name is None:
                continue
            stop = len(self.code) if end < 0 else end + 2
            if header[0].rstrip().endswith("}") and "{" in header[0]:
                stop = header.end()
            found.append(Function(name[1], _parameters(signature[name.end() :]), header.start(), stop))
        return tuple(found)


def _parameters(text: str) -> tuple[str, ...]:
    """Names of ``a, b string, c ...int) error``."""
    text = text[: max(0, closes("(" + text, 0) - 1)]
    words = (re.match(r"\s*([A-Za-z_]\w*)", text[start:end]) for start, end in pieces(text, ","))
    return tuple("" if word is None else word[1] for word in words) if text.strip() else ()


def _is_declaration(code: str, start: int) -> bool:
    before = code[max(0, start - 120) : start].rsplit("\n", 1)[-1].rstrip()
    return before == "func" or (
        before.startswith("func (") and before.endswith(")") and before.count("(") == before.count(")") == 1
    )


def value_of(literal: str) -> str | None:
    """What a string literal stands for, None for an escape that is not of the language."""
    if literal.startswith("`"):
        return literal[1:-1].replace("\r", "")
    body = literal[1:-1]
    return _ESCAPE.sub(_unescape, body) if "\\" in body else body


def _unescape(found: re.Match[str]) -> str:
    if found[1]:
        return _ESCAPES.get(found[1], found[1])
    if found[3]:
        return chr(int(found[3], 8))
    number = int(found[2] or found[4] or found[5], 16)
    return chr(number) if number < 0x110000 else "\ufffd"


@lru_cache(maxsize=1024)
def read_source(text: str) -> GoSource:
    """Never raises; of a file that is no Go the facts are empty."""
    pieces, strings, last = [], [], 0
    for found in _LEXEME.finditer(text):
        start, end = found.span()
        pieces.append(text[last:start])
        lexeme = found[0]
        if lexeme[0] == "/":
            pieces.append(re.sub(r"[^\n]", " ", lexeme))
        else:
            pieces.append(lexeme[0] + re.sub(r"[^\n]", "_", lexeme[1:-1]) + lexeme[-1])
            if lexeme[0] in '"`':
                strings.append((start, end))
        last = end
    pieces.append(text[last:])
    code = "".join(pieces)
    package = _PACKAGE.search(code)
    head = package.start() if package is not None else 0
    imports, spans = [], []
    for block in _IMPORTS.finditer(code):
        spans.append(block.span())
        at = 1 if block[1] is not None else 2
        for one in _IMPORT.finditer(code, *block.span(at)):
            path = text[one.start(2) + 1 : one.end(2) - 1]
            imports.append((one[1] or _default_name(path), path))
    inside = [(start, end) for start, end in strings if not any(a <= start < b for a, b in spans)]
    literals = tuple(Literal(value_of(text[a:b]) or "", a, b) for a, b in inside)
    embeds = tuple(word for line in _EMBED.findall(text) for word in _embed_words(line))
    constraints = tuple(_BUILD.findall(text[:head])[:1]) or tuple(map(_plus_build, _PLUS_BUILD.findall(text[:head])))
    return GoSource(
        text, code, package[1] if package is not None else "", tuple(imports), embeds, literals, constraints
    )


def _default_name(path: str) -> str:
    """A package's usual name: the last element of its path, without a version."""
    parts = path.split("/")
    if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]):
        parts.pop()
    return re.sub(r"\.v\d+$", "", parts[-1]).removeprefix("go-").replace("-", "_")


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
    if not may_be_built(name):
        return False
    return all(_holds(constraint, tags, cgo) for constraint in source.constraints)


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
