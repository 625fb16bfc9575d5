"""Where a Go program writes when it runs, as paths in the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.go.needs import sources_by_path, texts_of
from refactor.ecosystems.go.source import Call, GoSource
from refactor.ecosystems.go.uses import MAKES_TEMPORARY
from refactor.ecosystems.go.values import Evaluator, Values
from refactor.ecosystems.program import Program
from refactor.flow.closure import named
from refactor.flow.reading import Refused, StageReading, is_within, join
from refactor.flow.shell_writes import CALM

_FILES: Mapping[str, int] = {
    "os.Create": 0, "os.WriteFile": 0, "ioutil.WriteFile": 0, "os.OpenFile": 0, "os.Rename": 1, "os.Truncate": 0,
    "os.Symlink": 1, "os.Link": 1, "bolt.Open": 0, "bbolt.Open": 0, "buntdb.Open": 0, "sqlite.Open": 0, "os.Remove": 0,
    "os.Chmod": 0, "lumberjack.Logger": -1,
}  # fmt: skip
"""Functions that write the file an argument names."""
_FOLDERS: Mapping[str, int] = {
    "os.Mkdir": 0, "os.MkdirAll": 0, "badger.DefaultOptions": 0, "leveldb.OpenFile": 0, "pebble.Open": 0,
    "bitcask.Open": 0, "autocert.DirCache": 0, "os.RemoveAll": 0, "nutsdb.Open": -1, "ioutil.TempFile": 0,
    "os.CreateTemp": 0, "os.MkdirTemp": 0,
    "ioutil.TempDir": 0, "bleve.New": 0, "bleve.Open": 0, "diskv.New": -1, "os.Chdir": 0,
}  # fmt: skip
_METHODS: Mapping[str, int] = {"SaveUploadedFile": 1, "SaveFile": 1, "SaveAs": 0, "SavePNG": 0, "SaveJPG": 0}
_DRIVERS = frozenset({"sqlite3", "sqlite", "sqlite3_extended", "libsql", "duckdb"})
_TEMPORARY = frozenset({"ioutil.TempFile", "os.CreateTemp", "os.MkdirTemp", "ioutil.TempDir"})
_LUMBERJACK = re.compile(r"(?<!\w)Filename\s*:")


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    reading = program.reading
    sources = sources_by_path(program)
    if isinstance(sources, Refused):
        return Refused(f"where the program writes is not known: {sources.because}", sources.hint)
    folders = _folders(reading, Evaluator(texts_of(reading, sources)))
    if isinstance(folders, Refused):
        return folders
    if reading.image is not None and reading.image.family == "scratch":
        # It has no /tmp.
        asks = next((path for path, one in sources.items() if MAKES_TEMPORARY.search(one.code)), None)
        folders.update({} if asks is None else {"/tmp": f"{asks} makes temporary files"})
    ports = tuple({int(port) for one in sources.values() for port in _LISTENS.findall(one.text)})
    if not folders:
        return Written((), (f"nothing in {named(files)} opens a file to write it",), ports=ports)
    # The working directory is given to the user without what lies in it: folders there are named one by one.
    wide = [path for path in folders if path != reading.final_workdir]
    tops = {
        path: why
        for path, why in folders.items()
        if not any(path != other and is_within(path, other) for other in wide)
    }
    rest = f"nothing else in {named(files)} opens a file to write it"
    return Written(tuple(tops), (*tops.values(), rest), ports=ports)


_LISTENS = re.compile(r'"[\w.]*:(\d{1,5})"')
"""Addresses, as ``net/http`` takes them: ``":80"``."""


def _folders(reading: StageReading, evaluator: Evaluator) -> dict[str, str] | Refused:
    """Folders that the sources of one program write to -> why, those of temporary files left out."""
    folders: dict[str, str] = {}
    for where, name, values, is_folder in _written(evaluator):
        if name in _TEMPORARY and any(one.text == "" for one in values.known):
            continue
        if name == "os.Chdir":
            return Refused(f"{where} changes the working directory", "name what is written by absolute paths")
        if values.is_open or values.is_self:
            return Refused(
                f"{where} writes to a path that is only known when it runs ({name})",
                "name that path in the source as text, or set USER by hand",
            )
        for value in values.known:
            place = _place(reading, value.text, value.is_whole, is_folder)
            if isinstance(place, Refused):
                return Refused(f"{where} {place.because}", place.hint)
            if place is not None and not re.match(CALM, place):
                folders.setdefault(place, f"{where} writes to {value.text} ({name})")
    return folders


def _written(evaluator: Evaluator) -> Iterator[tuple[str, str, Values, bool]]:
    """Where something is written, by what, the paths, and whether those are folders."""
    for path, source in evaluator.program.sources.items():
        for call, index, is_folder in _writes(source):
            yield f"{path}:{source.line(call.start)}", call.name, evaluator.argument(path, call, index), is_folder
        for found in _LUMBERJACK.finditer(source.code) if "lumberjack" in source.code else ():
            end = re.compile(r"[,\n}]").search(source.code, found.end())
            values = evaluator.evaluate(path, found.end(), end.start() if end is not None else len(source.code))
            yield f"{path}:{source.line(found.start())}", "lumberjack.Logger", values, False


def _writes(source: GoSource) -> Iterator[tuple[Call, int, bool]]:
    names = frozenset(name.rpartition(".")[2] for name in (*_FILES, *_FOLDERS)) | frozenset(_METHODS)
    for call in source.calls(names | {"Open", "Connect", "MustConnect", "MustOpen"}):
        if call.name in _FILES and _FILES[call.name] >= 0:
            if call.name == "os.OpenFile" and len(call.arguments) > 1:
                flags = source.code[slice(*call.arguments[1])]
                if "O_RDONLY" in flags or flags.strip() == "0":
                    continue
            if call.name == "sqlite.Open" or call.arguments:
                yield call, _FILES[call.name], False
        elif call.name in _FOLDERS and _FOLDERS[call.name] >= 0:
            if call.arguments:
                yield call, _FOLDERS[call.name], True
        elif call.method in _METHODS and "." in call.name and len(call.arguments) > _METHODS[call.method]:
            yield call, _METHODS[call.method], False
        elif call.name.partition(".")[0] in {"sql", "sqlx", "gorm", "otelsql"} and len(call.arguments) >= 2:
            driver = source.text[slice(*call.arguments[0])].strip().strip('"`')
            if driver in _DRIVERS:
                yield call, 1, False


def _place(reading: StageReading, text: str, is_whole: bool, is_folder: bool) -> str | Refused | None:
    """The folder that has to be writable, None where nothing in the image is written."""
    text = re.sub(r"^file:(?://)?", "", text).split("?")[0]
    if text in {"", ":memory:", "-"}:
        return None
    if text.startswith("~"):
        return Refused(f"writes below the home folder ({text})", "set USER and HOME by hand")
    place = join(reading.final_workdir, text)
    if not is_whole:
        return place if text.endswith("/") or is_folder else posixpath.dirname(place)
    return place if is_folder else posixpath.dirname(place)


__all__ = ["writes"]
