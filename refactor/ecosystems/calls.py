"""Calls in sources that name files: for languages that write strings in double quotes and comments with ``//``.

A call whose argument is a string, or a constant that is one, names its file; any other only the running program knows.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.literals import is_test, line_at, paths_named
from refactor.ecosystems.program import Program
from refactor.flow.reading import Refused, is_within, join

if TYPE_CHECKING:
    from refactor.flow.effects import Invocation

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_ONE_STRING = rf"(?s)[&\s]*(?:[\w:.<>]+\s*\(\s*&?)*({_STRING})\s*\)*\s*(?:\.\w+\(\)\s*)*"
"""``"a"``, ``Path::new("a")``, ``new File("a")`` without its ``new``, ``"a".to_string()``."""
SLASHES = r"//[^\n]*|/\*(?s:.*?)(?:\*/|\Z)"
"""Comments of most languages."""
_CONSTANT = rf"\b(?:const|static|final|let|val|private|public)\b[^=;(){{}}]*?\b(\w+)\s*(?::[^=;]*)?=\s*({_STRING})\s*;?"
_NOT_DATA = (
    r"(?i)(?:^|/)(?:\.git|\.github|\.gitlab|\.idea|\.vscode|node_modules|target|build|tests?|benches|examples)/"
    r"|(?:^|/)(?:readme|licen[cs]e|changelog|contributing|notice|authors|codeowners|todo|security)[^/]*$"
    r"|(?:^|/)(?:Makefile|Jenkinsfile|Procfile|justfile|Tiltfile|skaffold\.ya?ml|rustfmt\.toml|clippy\.toml|deny\.toml)$"
    r"|(?:^|/)(?:(?:docker-)?compose[^/]*\.ya?ml|[^/]*Dockerfile[^/]*|\.[^/]+)$"
)
_MAX_BYTES = 1 << 20


class Found(NamedTuple):
    """A call."""

    name: str
    value: str | None
    """The file or folder that its argument names; None where only the running program knows."""
    where: str
    """``src/main.rs:12``"""


def sources(context: BuildContext, files: Sequence[str], comments: str = "") -> Iterator[tuple[str, str]]:
    """Path and text, comments blanked out, of the sources that are no tests; ``comments`` are those that begin a line,
    of a language with others than ``//``."""
    for path in files:
        text = None if is_test(path) else context.read(path)
        if isinstance(text, str) and len(text) <= _MAX_BYTES:
            yield path, blanked(text, comments, r"(?!)") if comments else without_comments(text)


def texts_below(context: BuildContext, pattern: str, folders: Iterable[str] = ("",)) -> dict[str, str]:
    """Path and text of the files below some folders whose paths match, tests aside: settings, say."""
    found = (files for folder in folders if not isinstance(files := context.files(folder), Unknown))
    return {path: context.text(path) for files in found for path in files
            if re.search(pattern, path) and not is_test(path)}  # fmt: skip


def without_comments(text: str) -> str:
    """The same text with blanks in place of ``//`` and ``/* */`` comments; strings and lines stay where they are."""
    return blanked(text, SLASHES, rf"{_STRING}|'(?:[^'\\\n]|\\.)'")


def blanked(text: str, comments: str, strings: str) -> str:
    """The same text with blanks in place of what one pattern finds; it is not looked for in what the other finds."""

    def blank(found: re.Match[str]) -> str:
        return found[0] if found["kept"] is not None else re.sub(r"[^\n]", " ", found[0])

    return re.sub(rf"(?P<kept>{strings})|{comments}", blank, text)


def calls(texts: Mapping[str, str], names: Mapping[str, int]) -> Iterator[Found]:
    """Calls of functions: pattern of the name -> index of the argument that names a file (negative: from the end)."""
    constants = {found[1]: found[2] for text in texts.values() for found in re.finditer(_CONSTANT, text)}
    pattern = "|".join(f"(?P<n{at}>{name})" for at, name in enumerate(names))
    indices = list(names.values())
    for path, text in texts.items():
        for found in re.finditer(rf"(?<![\w.:])(?:{pattern})\s*\(", text):
            kind = next(at for at in range(len(indices)) if found[f"n{at}"] is not None)
            arguments = list(parts(text, found.end(), found.end() + 4_000))
            at = indices[kind] if indices[kind] >= 0 else len(arguments) + indices[kind]
            raw = arguments[at].strip() if 0 <= at < len(arguments) else ""
            value = _value(raw, constants)
            yield Found(found[0].rstrip("( \n"), value, line_at(path, text, found.start()))


def _value(raw: str, constants: Mapping[str, str]) -> str | None:
    raw = re.sub(r"^new\s+", "", raw.lstrip("&"))
    named = re.fullmatch(r"(?:[\w:]+[.:])?(\w+)(?:\.\w+\(\))*", raw)
    if named is not None and named[1] in constants:
        raw = constants[named[1]]
    found = re.fullmatch(_ONE_STRING, raw)
    if found is None:
        return None
    text = found[1][1:-1]
    return None if "\\" in text or "{" in text else text


def parts(text: str, start: int, end: int, strings: str = _STRING) -> Iterator[str]:
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


def opened(
    program: Program, files: Sequence[str], readers: Mapping[str, int], suffixes: tuple[str, ...], packed: str = r"(?!)"
) -> dict[str, str]:
    """Absolute paths of what a program opens by path, each there in its image -> why.

    Named by a call of ``readers``, or by any string of its sources that is the path of a file of the context. Where a
    call's argument is only known when it runs, all files beside the sources that are none are kept. Context paths that
    match ``packed`` are in the program itself.
    """
    reading, context, flow = program.reading, program.reading.context, program.flow
    texts = dict(sources(context, files))
    found: dict[str, str] = {}
    wide: str | None = None
    for call in calls(texts, readers):
        if call.value is None:
            wide = wide or f"{call.where} ({call.name}) opens what only the running program knows"
            continue
        path = join(reading.final_workdir, call.value.split("*")[0] or ".")
        if path not in {"/", reading.final_workdir} and any(
            maker.kind != "image" for maker in flow.makers(reading, path)
        ):
            found.setdefault(path, f"{call.where} opens it")
    named = paths_named(context, suffixes)
    if isinstance(named, Unknown):
        wide = wide or named.reason
    else:
        for source, where in named.items():
            is_data = not re.search(_NOT_DATA, source) and not re.search(packed, source)
            if where.rpartition(":")[0] in texts and is_data and not source.endswith(suffixes):
                for path in reading.in_image(source)[-1:]:
                    if path != reading.final_workdir and not _is_of_build(context, source, suffixes):
                        found.setdefault(path, f"{where} names it")
    if wide is not None:
        for path in data(program, suffixes, packed):
            found.setdefault(path, wide)
    return {path: why for path, why in found.items()
            if not any(path != other and is_within(path, other) for other in found)}  # fmt: skip


def beside(program: Program, names: str) -> dict[str, str]:
    """What frameworks look for in the working directory though no source names it, by a pattern of the names there;
    those of folders end in a slash."""
    reading, home = program.reading, program.reading.final_workdir
    inside = reading.in_context(home)
    children = () if inside is None else reading.context.children(inside)
    found = [] if isinstance(children, Unknown) else [*children]
    found += [posixpath.basename(copied.target) + "/" * copied.is_folder for copied in reading.copies
              if posixpath.dirname(copied.target) == home]  # fmt: skip
    why = "frameworks look for it in the working directory"
    return {join(home, name.rstrip("/")): why for name in found if re.fullmatch(names, name)}


def first_at(texts: Mapping[str, str], pattern: str) -> str | None:
    """``src/main.rs:12``, where the pattern is found first; None where it is nowhere."""
    for path, text in texts.items():
        found = re.search(pattern, text)
        if found is not None:
            return line_at(path, text, found.start())
    return None


def called(texts: Mapping[str, str], names: Mapping[str, int]) -> dict[str, str] | Refused:
    """The programs that sources start by name -> where; refused where only the running program knows one."""
    found: dict[str, str] = {}
    for call in calls(texts, names):
        words = (call.value or "").split()
        if not words:
            return Refused(
                f"{call.where} may start a program whose name is only known when it runs",
                "name the program in the source, or split by hand",
            )
        found.setdefault(words[0].rpartition("/")[2], call.where)
    return found


def _is_of_build(context: BuildContext, path: str, suffixes: tuple[str, ...]) -> bool:
    """A folder of sources is no data."""
    if context.is_dir(path) is not True:
        return False
    files = context.files(path)
    return isinstance(files, Unknown) or any(one.endswith(suffixes) for one in files)


def data(program: Program, suffixes: tuple[str, ...], packed: str) -> Iterator[str]:
    """Where the files of the context that may be data lie in the image."""
    reading = program.reading
    for copied in reading.copies:
        files = reading.context.files(copied.source) if copied.is_folder else (copied.source,)
        for path in files if not isinstance(files, Unknown) else ():
            is_code = path.endswith((*suffixes, ".toml", ".lock", ".gradle", ".kts")) or re.search(packed, path)
            if not is_code and not re.search(_NOT_DATA, path):
                yield from reading.in_image(path)[-1:]


def single_files(call: Invocation, reads: Sequence[str | Unknown]) -> Iterator[str]:
    """Absolute paths of files and folders that were copied one by one into the folders that a command reads."""
    folders = [path for path in reads if isinstance(path, str)]
    position = call.reading.position(call.step.node)
    for copied in call.reading.copies if folders else ():
        is_before = call.reading.position(copied.node) < position
        if is_before and any(is_within(copied.target, folder) and copied.target != folder for folder in folders):
            yield copied.target


__all__ = [
    "SLASHES",
    "Found",
    "beside",
    "blanked",
    "called",
    "calls",
    "data",
    "first_at",
    "opened",
    "parts",
    "single_files",
    "sources",
    "texts_below",
    "without_comments",
]
