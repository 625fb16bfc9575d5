"""What an expression of a Go program can stand for, as far as its text shows: paths, names of programs.

Constants, variables with all their assignments, parameters with the arguments of their callers, environment variables
with the values of the image, `filepath.Join` and `+`. Whatever else there is makes the answer open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from refactor.ecosystems.go.source import Expression, Function, Given, GoSource

MAX_DEPTH = 6
_JOINS = frozenset({"filepath.Join", "path.Join"})
_SAME = {
    **dict.fromkeys(
        ("filepath.Clean", "path.Clean", "filepath.FromSlash", "filepath.ToSlash", "string", "strings.TrimSpace",
         "http.Dir", "os.ExpandEnv", "filepath.Abs", "strings.TrimPrefix", "strings.TrimSuffix", "template.HTML"), 0
    ),
    **dict.fromkeys(("flag.String", "pflag.String"), 1), "pflag.StringP": 2,
}  # fmt: skip
"""Calls that give one of their arguments. A flag is its default, or a word of the start command; those are looked at by
themselves."""


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
        self._known: dict[tuple[str, int, int, str], Values] = {}
        self._calls: dict[str, list[tuple[str, Expression]]] = {}
        self._functions: dict[str, list[tuple[str, Function]]] = {}
        for path, source in program.sources.items():
            for call in source.calls:
                self._calls.setdefault(call.method, []).append((path, call))
            for function in source.functions:
                self._functions.setdefault(function.name, []).append((path, function))

    def argument(self, path: str, call: Expression, index: int) -> Values:
        """What the argument at ``index`` of a call in the file ``path`` can be; nothing where there is none."""
        return self.evaluate(path, call.parts[index]) if index < len(call.parts) else Values()

    def evaluate(self, path: str, expression: Expression, depth: int = 0) -> Values:
        key = (path, expression.at, depth, expression.text)
        if key not in self._known:
            self._known[key] = OPEN
            self._known[key] = self._evaluate(path, expression, depth)
        return self._known[key]

    def _evaluate(self, path: str, expression: Expression, depth: int) -> Values:
        if depth > MAX_DEPTH:
            return OPEN
        match expression.kind:
            case "text":
                return Values((Text(expression.text),))
            case "+":
                return self._joined(path, expression.parts, "", depth)
            case "call":
                return self._called(path, expression, depth)
            case "name":
                return self._named(path, expression, depth)
        return Values((), False, True) if expression.text == "os.Args[0]" else OPEN

    def _joined(self, path: str, parts: Sequence[Expression], sign: str, depth: int) -> Values:
        results: list[Text] = [Text("")]
        for number, part in enumerate(parts):
            values = self.evaluate(path, part, depth + 1)
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
        return Values(known, len(known) < len(dict.fromkeys(results)))

    def _called(self, path: str, call: Expression, depth: int) -> Values:
        def given(index: int) -> Values:
            return self.evaluate(path, call.parts[index], depth + 1) if index < len(call.parts) else OPEN

        if call.text in _JOINS:
            return self._joined(path, call.parts, "/", depth)
        if call.text in _SAME:
            return given(_SAME[call.text])
        if call.text in {"os.Getenv", "os.LookupEnv"}:
            return self._environment(given(0), OPEN)
        if call.text == "fmt.Sprintf":
            return self._formatted(given(0), given(1))
        if call.text == "os.Executable":
            return Values((), False, True)
        if call.text == "filepath.Dir":
            inner = given(0)
            if inner.is_open or inner.is_self:
                return OPEN
            return Values(tuple(Text(one.text.rpartition("/")[0] or ".", one.is_whole) for one in inner.known))
        if len(call.parts) == 2 and "env" in call.text.lower():
            # The helper that every other program has: the variable, or a default.
            return self._environment(given(0), given(1))
        bodies = self._functions.get(call.method, ())
        returned = [self._given(where, "return", body, depth) for where, body in bodies]
        values = _merged([value for one in returned for value in one])
        return values if values.known else OPEN

    def _environment(self, keys: Values, default: Values) -> Values:
        known: list[Text] = []
        is_open = keys.is_open
        for key in keys.known:
            value = self.program.environment.get(key.text) if key.is_whole else None
            known += [Text(value)] if value else default.known
            is_open = is_open or not (value or (default.known and not default.is_open))
        return Values(tuple(dict.fromkeys(known)), is_open)

    def _formatted(self, shape: Values, first: Values) -> Values:
        known: list[Text] = []
        for one in shape.known:
            head, sign, rest = one.text.partition("%")
            if not sign:
                known.append(one)
            elif head.strip("./"):
                known.append(Text(head, False))
            elif first.is_open or first.is_self or rest[:1] not in {"s", "v"}:
                return OPEN
            else:
                known += [Text(head + value.text + rest[1:].partition("%")[0], value.is_whole and "%" not in rest)
                          for value in first.known]  # fmt: skip
        return Values(tuple(dict.fromkeys(known)), shape.is_open or shape.is_self)

    # Names

    def _named(self, path: str, name: Expression, depth: int) -> Values:
        """A constant or a variable, of an imported package of the program as well: all that it is ever given."""
        if name.text in {"nil", "true", "false"}:
            return Values()
        source, found = self.program.sources[path], list[Values]()
        package, _, last = name.text.rpartition(".")
        function = source.function_at(name.at)
        if function is not None:
            found = self._given(path, name.text, function, depth)
            if name.text in function.parameters:
                index = function.parameters.index(name.text)
                passed = [self.evaluate(where, call.parts[index], depth + 2)
                          for where, call in self._calls.get(function.name, ()) if index < len(call.parts)]  # fmt: skip
                return _merged([*(passed or [OPEN]), *found])
        imported = next((known for alias, known in source.imports if alias == package), None)
        for other in self.program.sources if not found and (not package or imported is not None) else ():
            folder = other.rpartition("/")[0]
            is_imported = imported is not None and folder != "" and (
                imported == folder or imported.endswith("/" + folder.rpartition("/")[2])
            )  # fmt: skip
            if is_imported if package else folder == path.rpartition("/")[0]:
                found += self._given(other, last, None, depth)
        return _merged(found) if found else OPEN

    def _given(self, path: str, name: str, function: Function | None, depth: int) -> list[Values]:
        """The values that a name is given in a function, or, without one, in a package."""
        source = self.program.sources[path]

        def counts(given: Given) -> bool:
            if function is not None:
                return function.start <= given.at < function.end
            here = source.function_at(given.at)
            return here is None or not (given.is_new or name in here.parameters)

        found: list[Values] = []
        defaults: list[Values] = []
        for given in filter(counts, source.given.get(name, ())):
            values = OPEN if given.value is None else self.evaluate(path, given.value, depth + 1)
            (defaults if given.is_default else found).append(values)
        # A default stands in only for an empty value.
        is_set = found and all(one.known and all(text.text for text in one.known) and not one.is_open for one in found)
        return found if is_set else [*found, *defaults]


def _merged(values: Sequence[Values]) -> Values:
    known = tuple(dict.fromkeys(one for value in values for one in value.known))
    return Values(known[:64], any(value.is_open for value in values), any(value.is_self for value in values))


__all__ = ["OPEN", "Evaluator", "Program", "Text", "Values"]
