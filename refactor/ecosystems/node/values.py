"""Paths that expressions of JavaScript give, as far as literals and constants of the file spell them out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from refactor.ecosystems.brackets import closes, marks, pieces


class Value(NamedTuple):
    """A path as far as a source spells it out."""

    text: str
    is_whole: bool
    """False where more follows that is not known."""


class Known(NamedTuple):
    """What is known of the place of a source."""

    folder: str | None
    """What ``__dirname`` is, None where that is not known."""
    cwd: str
    environment: Mapping[str, str | None]


def argument_of(text: str, at: int, index: int) -> str:
    """The text of the call's argument of that index, from the place after the bracket."""
    start, count, end = at, 0, min(len(text), at + 600)
    stop = end
    for here, char, depth in marks(text, at, end):
        if depth < 0:
            stop = here
            break
        if depth or char not in ",;\n" or (char != "," and not text[start:here].strip()):
            continue
        if char == "\n" and re.match(r"\s*[+?:|&.]", text[here:end]):
            continue
        if count == index:
            stop = here
            break
        if char == ",":
            count, start = count + 1, here + 1
    return text[start:stop] if count == index else ""


_STRING = re.compile(r"(?P<quote>[\"'])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\Z", re.DOTALL)
_CALL = re.compile(
    r"(?:path\s*\.\s*(?:posix\s*\.\s*)?)?(?P<name>join|resolve|normalize|dirname|fileURLToPath|String|url\.fileURLToPath)\s*\((?P<args>.*)\)\Z",
    re.DOTALL,
)


def evaluate(expression: str, text: str, known: Known, depth: int = 0) -> Value | None:
    """The path that an expression gives, as far as literals, ``__dirname``, path.join and constants of
    the file tell."""
    code = expression.strip().rstrip(";").strip()
    code = re.sub(r"\s+as\s+(?:string|any|const)\Z", "", code).rstrip("!")
    if depth > 8 or not code:
        return None
    if code.startswith("(") and code.endswith(")") and closes(code) == len(code) - 1:
        return evaluate(code[1:-1], text, known, depth + 1)
    string = _STRING.match(code)
    if string is not None:
        return Value(re.sub(r"\\(.)", r"\1", string["value"]), True)
    if code in {"__dirname", "import.meta.dirname", "__filename", "import.meta.url", "import.meta.filename"}:
        file = "" if code.endswith("dirname") else "/_"
        return Value(known.folder + file, True) if known.folder is not None else None
    if re.fullmatch(r"process\s*\.\s*cwd\(\)", code):
        return Value(known.cwd, True)
    if re.fullmatch(r"(?:os\s*\.\s*)?tmpdir\(\)", code):
        return Value("/tmp", True)
    chosen = _split(code, "||", "??")
    if len(chosen) > 1:
        first = evaluate(chosen[0], text, known, depth + 1)
        return first if first is not None else evaluate(chosen[-1], text, known, depth + 1)
    variable = re.fullmatch(r"process\s*\.\s*env\s*(?:\.\s*(\w+)|\[\s*[\"'](\w+)[\"']\s*\])", code)
    if variable is not None:
        value = known.environment.get(variable[1] or variable[2])
        return Value(value, True) if value else None
    if code.startswith("`") and code.endswith("`") and "`" not in code[1:-1]:
        return _template(code[1:-1], text, known, depth)
    parts = _split(code, "+")
    if len(parts) > 1:
        return _concatenated([evaluate(part, text, known, depth + 1) for part in parts])
    call = _CALL.match(code)
    if call is not None and closes(code, code.index("(")) == len(code) - 1:
        arguments = [evaluate(part, text, known, depth + 1) for part in _split(call["args"], ",") if part.strip()]
        if call["name"].endswith("dirname"):
            return Value(posixpath.dirname(arguments[0].text), True) if arguments and arguments[0] is not None else None
        if call["name"].endswith(("fileURLToPath", "String", "normalize")):
            return arguments[0] if arguments else None
        return _joined(arguments, known, call["name"] == "resolve")
    if re.fullmatch(r"[A-Za-z_$][\w$]*", code):
        return _constant(code, text, known, depth)
    return None


def _template(body: str, text: str, known: Known, depth: int) -> Value | None:
    # Every other piece is an expression.
    pieces = re.split(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}", body)
    values = (
        evaluate(piece, text, known, depth + 1) if at % 2 else Value(piece, True)
        for at, piece in enumerate(pieces)
        if at % 2 or piece
    )
    return _concatenated([*values])


def _concatenated(values: list[Value | None]) -> Value | None:
    result = ""
    for index, value in enumerate(values):
        if value is None:
            return Value(result, False) if index and result else None
        result += value.text
        if not value.is_whole:
            return Value(result, False)
    return Value(result, True)


def _joined(values: list[Value | None], known: Known, is_resolve: bool) -> Value | None:
    result = known.cwd if is_resolve else ""
    for index, value in enumerate(values):
        if value is None:
            return Value(result.rstrip("/") + "/", False) if index else None
        absolute = is_resolve and value.text.startswith("/")
        result = value.text if absolute else posixpath.join(result, value.text.lstrip("/") if result else value.text)
        if not value.is_whole:
            return Value(result, False)
    return Value(posixpath.normpath(result), True)


def _constant(name: str, text: str, known: Known, depth: int) -> Value | None:
    is_given = rf"(?<![\w$.])(?:const|let|var)\s+{re.escape(name)}\s*(?::\s*[\w<>\[\]| ]+)?=(?!=)\s*"
    found = [match.end() for match in re.finditer(is_given, text)]
    again = re.findall(rf"(?<![\w$.]){re.escape(name)}\s*=(?![=>])", text)
    if len(found) != 1 or len(again) > 1:
        return None
    return evaluate(argument_of(text, found[0], 0), text, known, depth + 1)


def _split(code: str, *signs: str) -> list[str]:
    return [code[start:end] for start, end in pieces(code, *signs)]
