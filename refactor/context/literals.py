"""String literals in sources that name something in the context: evidence of what a program opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from refactor.context.build_context import BuildContext, remembered
from refactor.context.dockerignore import clean
from refactor.context.facts import Unknown

NOT_SOURCES = (
    ".git", ".hg", ".svn", "node_modules", "bower_components", "__pycache__", ".venv", "venv", ".tox", ".nox",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".gradle", ".idea", ".vscode", "site-packages", ".next",
    ".nuxt", ".svelte-kit", ".terraform", "coverage",
)  # fmt: skip
"""Folders of tools and of other people's code; their literals say nothing about this program."""

STRING = r'"(?:[^"\\\n]|\\.)*"'
"""Of most languages."""
QUOTED = rf"{STRING}|'(?:[^'\\\n]|\\.)*'"
"""Of those that take single quotes as well."""
_DEPTH = 8
"""How deep a literal may be nested, or stand for another one."""
_MAX_SOURCES = 2_000
_MAX_SOURCE_BYTES = 512 * 1024
_MAX_TOTAL_BYTES = 16 * 1024 * 1024

_LITERAL = r'"((?:[^"\\\n]|\\.){1,256}?)"' r"|'((?:[^'\\\n]|\\.){1,256}?)'" r"|`((?:[^`\\$\n]|\\.){1,256}?)`"
_NAME = r"[\w.@+\-~ ()\[\]/{}*?%$#]+\Z"
_TEST = (
    r"(?:\A|/)(?:tests?|__tests__|spec|e2e|cypress|fixtures|testdata)/|_test\.go\Z|[._](?:test|spec)\.\w+\Z"
    r"|(?:\A|/)test_[^/]*\.py\Z|(?:\A|/)conftest\.py\Z"
)


@remembered
def paths_named(context: BuildContext, suffixes: tuple[str, ...]) -> Mapping[str, str] | Unknown:
    """Context paths that literals in files of these suffixes name -> the first place, as ``src/app.py:12``.

    A literal is taken relative to the context, to the folder of its source and to every folder between. Of a
    pattern such as ``templates/*.html`` the part before the wildcard counts. Tests are not read: what only a
    test opens is not needed at run time.
    """
    files = context.files(without=NOT_SOURCES)
    if isinstance(files, Unknown):
        return files
    folders: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    known = folders.union(files)
    # Most literals can be refused by their last component alone, without trying folders.
    last_names = {path.rpartition("/")[2] for path in known}
    sources = [path for path in files if path.endswith(suffixes) and not is_test(path)]
    if len(sources) > _MAX_SOURCES:
        return Unknown(f"more than {_MAX_SOURCES} source files")
    found: dict[str, str] = {}
    total = 0
    for source in sources:
        data = context.read_bytes(source)
        if isinstance(data, Unknown) or len(data) > _MAX_SOURCE_BYTES:
            continue
        total += len(data)
        if total > _MAX_TOTAL_BYTES:
            return Unknown("more than 16 MiB of sources")
        text = data.decode("utf-8", "replace")
        if "\0" in text:
            continue
        imports = _import_spans(source, text)
        for literal in re.finditer(_LITERAL, text):
            value = literal.group(1) or literal.group(2) or literal.group(3)
            named = _candidate(value)
            if named is None or named.rpartition("/")[2] not in last_names:
                continue
            for path in _places(named, source):
                if path not in known or path == source or path in found:
                    continue
                # A folder that is imported is code, not data.
                if path in folders and _is_import(text, literal.start(), imports):
                    continue
                found[path] = line_at(source, text, literal.start())
    return found


def line_at(path: str, text: str, offset: int) -> str:
    """The place of an offset in a file, as ``src/app.py:12``."""
    return f"{path}:{text.count(chr(10), 0, offset) + 1}"


def is_test(path: str) -> bool:
    """Whether a source is a test by the conventions of its language."""
    return re.search(_TEST, path) is not None


def blanked(text: str, comments: str, strings: str) -> str:
    """The same text with blanks in place of what one pattern finds; it is not looked for in what the other finds."""

    def blank(found: re.Match[str]) -> str:
        return found[0] if found["kept"] is not None else re.sub(r"[^\n]", " ", found[0])

    return re.sub(rf"(?P<kept>{strings})|{comments}", blank, text)


def parts(text: str, start: int, end: int, strings: str = STRING) -> Iterator[str]:
    """The arguments of a call, or the items of a list, that opens just before ``start`` and is closed before
    ``end``."""
    depth, begin = 0, start
    for piece in re.finditer(rf"{strings}|[()\[\]{{}},]", text[start:end]):
        sign, at = piece[0], start + piece.start()
        depth += (sign in {"(", "[", "{"}) - (sign in {")", "]", "}"})
        if depth < 0:
            if text[begin:at].strip():
                yield text[begin:at]
            return
        if sign == "," and depth == 0:
            yield text[begin:at]
            begin = at + 1


def literal(
    written: str,
    strings: str = QUOTED,
    meaning: Callable[[str], str | None] | None = None,
    depth: int = 0,
) -> object:
    """What a literal is where names have a colon in front (``:shop``) and options one behind (``only: :test``), as in
    Elixir and Ruby: text, the text of a name, a list, a tuple in braces, or a mapping for a list of options, which
    comes last where it is the end of another list or tuple; Unknown, with the text, for all else. ``meaning`` says what
    a text stands for, such as the name of a constant."""
    text = written.strip()
    plain = re.fullmatch(r"""'([^'\\]*)'|"([^"\\#]*)"|:(\w+)|(true|false|nil)""", text)
    if plain is not None:
        return next(group for group in plain.groups() if group is not None)
    meant = meaning(text) if meaning is not None and depth < _DEPTH else None
    if meant is not None:
        return literal(meant, strings, meaning, depth + 1)
    is_bracketed = depth < _DEPTH and re.fullmatch(r"(?s)\[.*\]|\{.*\}", text) is not None
    given = list(parts(text, 1, len(text), strings)) if is_bracketed else []
    if not is_bracketed or ",".join(given).rstrip() != text[1:-1].rstrip(", \n"):
        # What the first bracket holds is not all: `[:a] ++ more()`.
        return Unknown(text)
    found: list[object] = []
    options: dict[str, object] = {}
    for part in given:
        pair = re.fullmatch(r'(?s)\s*(?:(?:(\w+[?!]?)|"([^"#]+)"):(?!:)\s*|:(\w+)\s*=>\s*)(.*)', part)
        if pair is None:
            found.append(literal(part, strings, meaning, depth + 1))
        else:
            # Of two with one name the first one counts.
            options.setdefault(pair[1] or pair[2] or pair[3], literal(pair[4], strings, meaning, depth + 1))
    if options and not found and text[0] == "[":
        return options
    found += [options] if options else []
    return found if text[0] == "[" else tuple(found)


def _candidate(value: str) -> str | None:
    """The path a literal may name, without its wildcard part; None for what is no path."""
    if "\\" in value:
        value = value.replace("\\\\", "/")
    if "://" in value or not re.match(_NAME, value):
        return None
    value = re.split(r"[*?\[{$%#]", value, maxsplit=1)[0] if re.search(r"[*?\[{$%#]", value) else value
    while value.startswith("./"):
        value = value[2:]
    value = value.strip("/")
    return value if value.strip(".") else None


def _places(named: str, source: str) -> list[str]:
    places = []
    folder = source.rpartition("/")[0]
    while True:
        path = clean(folder + "/" + named if folder else named)
        if not path.startswith(".."):
            places.append(path)
        if not folder:
            return places
        folder = folder.rpartition("/")[0]


_SPECIFIER = r"(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*\Z"
_GO_IMPORTS = r"(?m)^import\s*\([^)]*\)"


def _import_spans(source: str, text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(_GO_IMPORTS, text)] if source.endswith(".go") else []


def _is_import(text: str, at: int, spans: list[tuple[int, int]]) -> bool:
    """Whether the literal at this offset is a module's name."""
    return bool(re.search(_SPECIFIER, text[max(0, at - 24) : at])) or any(start < at < end for start, end in spans)
