"""What an expression of a Go program can stand for, as far as its text shows: paths, names of programs.

Constants, variables with all their assignments, parameters with the arguments of their callers, environment variables
with the values of the image, `filepath.Join` and `+`. Whatever else there is makes the answer open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from refactor.ecosystems.brackets import closes, marks, pieces
from refactor.ecosystems.go.source import Call, Function, GoSource, value_of

MAX_DEPTH = 6
_WORD = re.compile(r"[A-Za-z_]\w*\Z")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z")
_JOINS = frozenset({"filepath.Join", "path.Join"})
_SAME = frozenset(
    {"filepath.Clean", "path.Clean", "filepath.FromSlash", "filepath.ToSlash", "string", "strings.TrimSpace",
     "http.Dir", "os.ExpandEnv", "filepath.Abs", "strings.TrimPrefix", "strings.TrimSuffix", "template.HTML"}
)  # fmt: skip
_FLAGS = re.compile(r"(?:\w+\.)*(?:String|StringP|StringVar|StringVarP|Path|PathFlag)\Z")


class Text(NamedTuple):
    """One value: the whole of it, or only its beginning."""

    text: str
    is_whole: bool = True


class Values(NamedTuple):
    """All that is known of an expression."""

    known: tuple[Text, ...] = ()
    is_open: bool = False
    """It may also be something that only the running program knows."""
    is_self: bool = False
    """It may be the path of the program itself (``os.Args[0]``, ``os.Executable``)."""


OPEN = Values((), True)


class Program(NamedTuple):
    """The sources of a program, by context path, and the environment it starts in."""

    sources: Mapping[str, GoSource]
    environment: Mapping[str, str | None]
    arguments: tuple[str, ...] = ()
    """Words behind the program's name in the start command."""


class Evaluator:
    """Follows expressions through a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._functions: dict[str, tuple[Function, ...]] = {}

    def functions(self, path: str) -> tuple[Function, ...]:
        if path not in self._functions:
            self._functions[path] = self.program.sources[path].functions()
        return self._functions[path]

    def argument(self, path: str, call: Call, index: int) -> Values:
        """What the argument at ``index`` of a call in the file ``path`` can be; nothing where there is none."""
        if index >= len(call.arguments):
            return Values()
        return self.evaluate(path, *call.arguments[index])

    def evaluate(self, path: str, start: int, end: int, depth: int = 0) -> Values:
        source = self.program.sources[path]
        code = source.code[start:end]
        start += len(code) - len(code.lstrip())
        end -= len(code) - len(code.rstrip())
        code = source.code[start:end]
        if not code or depth > MAX_DEPTH:
            return OPEN
        parts = pieces(code, "+")
        if len(parts) > 1:
            return self._joined(path, [(start + a, start + b) for a, b in parts], "", depth)
        if code[0] in '"`' and _is_string(code):
            value = value_of(source.text[start:end])
            return OPEN if value is None else Values((Text(value),))
        if code[0] == "(" and code[-1] == ")" and closes(code, 0) == len(code) - 1:
            return self.evaluate(path, start + 1, end - 1, depth + 1)
        if code[0] in "*&":
            return self.evaluate(path, start + 1, end, depth + 1)
        if code == "os.Args[0]":
            return Values((), False, True)
        if code.endswith(")") and "(" in code:
            return self._called(path, start, end, depth)
        if _WORD.match(code):
            return self._named(path, code, start, depth)
        if _DOTTED.match(code):
            return self._member(path, code, depth)
        return OPEN

    def _joined(self, path: str, spans: Sequence[tuple[int, int]], sign: str, depth: int) -> Values:
        results: list[Text] = [Text("")]
        is_open = is_self = False
        for number, (start, end) in enumerate(spans):
            values = self.evaluate(path, start, end, depth + 1)
            is_self = is_self or values.is_self
            grown: list[Text] = []
            for one in results:
                if not one.is_whole:
                    grown.append(one)
                    continue
                glue = sign if number and one.text and not one.text.endswith(sign or "\0") else ""
                for other in values.known:
                    grown.append(Text(one.text + (glue if other.text else "") + other.text, other.is_whole))
                if values.is_open or values.is_self or not values.known:
                    grown.append(Text(one.text + (sign if one.text else ""), False))
            results = grown[:64]
        known = tuple(dict.fromkeys(one for one in results if one.text.strip("./") or one.is_whole))
        is_open = len(known) < len(dict.fromkeys(results))
        return Values(known, is_open)

    def _called(self, path: str, start: int, end: int, depth: int) -> Values:
        source = self.program.sources[path]
        opening = source.code.find("(", start, end)
        if closes(source.code[start:end], opening - start) != end - start - 1:
            return OPEN
        name = "".join(source.code[start:opening].split())
        call = next((c for c in source.calls(frozenset({name.rpartition(".")[2]})) if c.start == start), None)
        if call is None:
            return OPEN
        if name in _JOINS:
            return self._joined(path, call.arguments, "/", depth)
        if name in _SAME:
            return self.argument_at(path, call, 0, depth)
        if name in {"os.Getenv", "os.LookupEnv"}:
            return self._environment(self.argument_at(path, call, 0, depth), ())
        if name == "fmt.Sprintf":
            return self._formatted(path, call, depth)
        if name == "os.Executable":
            return Values((), False, True)
        if name == "filepath.Dir" and call.arguments:
            inner = self.argument_at(path, call, 0, depth)
            if inner.is_open or inner.is_self:
                return OPEN
            return Values(tuple(Text(one.text.rpartition("/")[0] or ".", one.is_whole) for one in inner.known))
        if len(call.arguments) == 2 and "env" in name.lower():
            # The helper that every other program has: the variable, or a default.
            key, default = self.argument_at(path, call, 0, depth), self.argument_at(path, call, 1, depth)
            return self._environment(key, default.known, is_open=default.is_open)
        return self._returned(name, depth)

    def _returned(self, name: str, depth: int) -> Values:
        """What the ``return`` lines of a function of the program say."""
        found: list[Text] = []
        is_open, bodies = False, 0
        for path, source in self.program.sources.items():
            for function in self.functions(path):
                if function.name != name.rpartition(".")[2]:
                    continue
                bodies += 1
                for statement in re.finditer(r"\breturn\b[ \t]*([^\n;}]*)", source.code[function.start : function.end]):
                    a = function.start + statement.start(1)
                    first = pieces(statement[1], ",")
                    if not statement[1].strip() or statement[1].strip() == "nil":
                        is_open = True
                        continue
                    values = self.evaluate(path, a + first[0][0], a + first[0][1], depth + 1)
                    found += values.known
                    is_open = is_open or values.is_open or values.is_self
        return Values(tuple(dict.fromkeys(found)), is_open) if bodies and found else OPEN

    def argument_at(self, path: str, call: Call, index: int, depth: int) -> Values:
        if index >= len(call.arguments):
            return OPEN
        return self.evaluate(path, *call.arguments[index], depth=depth + 1)

    def _environment(self, keys: Values, default: tuple[Text, ...], *, is_open: bool = False) -> Values:
        known: list[Text] = []
        outside = keys.is_open
        for key in keys.known:
            value = self.program.environment.get(key.text) if key.is_whole else None
            if value:
                known.append(Text(value))
            elif default:
                known += default
                outside = outside or is_open
            else:
                outside = True
        return Values(tuple(dict.fromkeys(known)), outside)

    def _formatted(self, path: str, call: Call, depth: int) -> Values:
        shape = self.argument_at(path, call, 0, depth)
        known: list[Text] = []
        for one in shape.known:
            head, sign, _ = one.text.partition("%")
            if not sign:
                known.append(one)
                continue
            if head.strip("./"):
                known.append(Text(head, False))
                continue
            first = self.argument_at(path, call, 1, depth) if len(call.arguments) > 1 else OPEN
            if first.is_open or first.is_self or not re.match(r"%[sv]", one.text[len(head) :]):
                return OPEN
            rest = one.text[len(head) + 2 :]
            known += [
                Text(head + value.text + rest.partition("%")[0], value.is_whole and "%" not in rest)
                for value in first.known
            ]
        return Values(tuple(dict.fromkeys(known)), shape.is_open or shape.is_self)

    # Names

    def _named(self, path: str, name: str, at: int, depth: int) -> Values:
        if name in {"nil", "true", "false"}:
            return Values()
        function = next((f for f in self.functions(path) if f.start <= at < f.end), None)
        if function is not None and name in function.parameters:
            own = self._assignments_in(path, name, function.start, function.end, depth)
            return _merged([self._passed(function, function.parameters.index(name), depth), *own])
        found: list[Values] = []
        if function is not None:
            found = self._assignments_in(path, name, function.start, function.end, depth)
        if not found:
            folder = path.rpartition("/")[0]
            for other in self.program.sources:
                if other.rpartition("/")[0] == folder:
                    found += self._package_assignments(other, name, depth)
        return _merged(found) if found else OPEN

    def _member(self, path: str, name: str, depth: int) -> Values:
        """``config.Path``: a constant or variable of an imported package of the program, or a field that is only ever
        given known values."""
        first, _, last = name.rpartition(".")
        source = self.program.sources[path]
        imported = next((known for alias, known in source.imports if alias == first), None)
        if imported is not None:
            found: list[Values] = []
            for other in self.program.sources:
                folder = other.rpartition("/")[0]
                if folder and (imported == folder or imported.endswith("/" + folder.rpartition("/")[2])):
                    found += self._package_assignments(other, last, depth)
            return _merged(found) if found else OPEN
        return OPEN

    def _passed(self, function: Function, index: int, depth: int) -> Values:
        """The arguments of all calls of a function."""
        found: list[Values] = []
        for path, source in self.program.sources.items():
            for call in source.calls(frozenset({function.name})):
                if call.method == function.name and index < len(call.arguments):
                    found.append(self.argument_at(path, call, index, depth + 1))
        return _merged(found) if found else OPEN

    def _package_assignments(self, path: str, name: str, depth: int) -> list[Values]:
        """Values given to a package's variable or constant, wherever in the file."""
        return self._assignments_in(path, name, 0, len(self.program.sources[path].code), depth, is_package=True)

    def _assignments_in(
        self, path: str, name: str, begin: int, stop: int, depth: int, *, is_package: bool = False
    ) -> list[Values]:
        source = self.program.sources[path]
        code = source.code
        found: list[Values] = []
        defaults: list[Values] = []
        pattern = re.compile(
            rf"(?<![\w.]){re.escape(name)}(?P<more>(?:\s*,\s*\w+)*)\s*(?:\bstring\b\s*)?(?P<sign>:=|=(?!=)|\+=)\s*"
        )
        for assigned in pattern.finditer(code, begin, stop):
            here = next((f for f in self.functions(path) if f.start <= assigned.start() < f.end), None)
            if is_package and here is not None and (assigned["sign"] == ":=" or name in here.parameters):
                continue
            if assigned["sign"] == "+=":
                found.append(OPEN)
                continue
            end = _end_of_expression(code, assigned.end())
            piece = pieces(code[assigned.end() : end], ",")[0]
            values = self.evaluate(path, assigned.end() + piece[0], assigned.end() + piece[1], depth + 1)
            flag = self._flag_default(path, assigned.end() + piece[0], assigned.end() + piece[1], depth)
            if flag is not None:
                values = flag
            before = code[max(begin, assigned.start() - 120) : assigned.start()]
            if re.search(rf"if\s+(?:len\()?{re.escape(name)}\)?\s*==\s*(?:\"\"|0)\s*\{{\s*$", before):
                defaults.append(values)
            else:
                found.append(values)
        for call in source.calls(frozenset({"StringVar", "StringVarP"})):
            if not begin <= call.start < stop or not call.arguments:
                continue
            target = code[slice(*call.arguments[0])].strip()
            if target == f"&{name}":
                at = 3 if call.method == "StringVarP" else 2
                found.append(self.argument_at(path, call, at, depth))
        if found and all(value.known and all(one.text for one in value.known) and not value.is_open for value in found):
            # A default stands in only for an empty value.
            return found
        return [*found, *defaults]

    def _flag_default(self, path: str, start: int, end: int, depth: int) -> Values | None:
        """A flag is its default, or a word of the start command; those are looked at by themselves."""
        source = self.program.sources[path]
        name = "".join(source.code[start : max(start, source.code.find("(", start, end))].split())
        if not _FLAGS.match(name) or not name.startswith(("flag.", "pflag.", "kingpin.")):
            return None
        calls = source.calls(frozenset({name.rpartition(".")[2]}))
        call = next((call for call in calls if call.start >= start), None)
        return None if call is None else self.argument_at(path, call, 2 if name.endswith("P") else 1, depth)


def _merged(values: Sequence[Values]) -> Values:
    known = tuple(dict.fromkeys(one for value in values for one in value.known))
    return Values(known[:64], any(value.is_open for value in values), any(value.is_self for value in values))


def _is_string(code: str) -> bool:
    return len(code) >= 2 and code[-1] == code[0] and code[0] not in code[1:-1]


def _end_of_expression(code: str, start: int) -> int:
    """Where the statement ends: a newline outside of brackets, ``;`` or the block's opening brace."""
    for at, char, depth in marks(code, start, min(len(code), start + 4000)):
        if depth < 0 or (depth == 0 and char in "\n;{"):
            return at
    return min(len(code), start + 4000)


__all__ = ["OPEN", "Evaluator", "Program", "Text", "Values"]
