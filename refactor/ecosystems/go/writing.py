"""Where a Go program writes when it runs, as paths in the image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.go.needs import sources_by_path, texts_of
from refactor.ecosystems.go.source import Expression
from refactor.ecosystems.go.uses import first_call
from refactor.ecosystems.go.values import Evaluator
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import folders_written, ports_in
from refactor.flow.reading import Refused

_FILES: Mapping[str, int] = {
    "os.Create": 0, "os.WriteFile": 0, "ioutil.WriteFile": 0, "os.OpenFile": 0, "os.Rename": 1, "os.Truncate": 0,
    "os.Symlink": 1, "os.Link": 1, "bolt.Open": 0, "bbolt.Open": 0, "buntdb.Open": 0, "sqlite.Open": 0, "os.Remove": 0,
    "os.Chmod": 0, "lumberjack.Logger": 0, ".SaveUploadedFile": 1, ".SaveFile": 1, ".SaveAs": 0, ".SavePNG": 0,
    ".SaveJPG": 0,
}  # fmt: skip
"""Functions and methods that write the file an argument names."""
_FOLDERS: Mapping[str, int] = {
    "os.Mkdir": 0, "os.MkdirAll": 0, "badger.DefaultOptions": 0, "leveldb.OpenFile": 0, "pebble.Open": 0,
    "bitcask.Open": 0, "autocert.DirCache": 0, "os.RemoveAll": 0, "ioutil.TempFile": 0, "os.CreateTemp": 0,
    "os.MkdirTemp": 0, "ioutil.TempDir": 0, "bleve.New": 0, "bleve.Open": 0, "os.Chdir": 0,
}  # fmt: skip
_DATABASES = r"(?:sql|sqlx|gorm|otelsql)\."
_DRIVERS = frozenset({"sqlite3", "sqlite", "sqlite3_extended", "libsql", "duckdb"})
_LISTENS = r'"[\w.]*:(\d{1,5})"'
"""Addresses, as ``net/http`` takes them: ``":80"``."""
_TEMPORARY = (
    "os.TempDir", "os.CreateTemp", "os.MkdirTemp", "ioutil.TempFile", "ioutil.TempDir", ".ParseMultipartForm",
    ".FormFile", ".MultipartForm", ".MultipartReader",
)  # fmt: skip


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    reading, sources = program.reading, sources_by_path(program)
    if isinstance(sources, Refused):
        return Refused(f"where the program writes is not known: {sources.because}", sources.hint)
    evaluator = Evaluator(texts_of(reading, sources))
    found = [
        (Found(call.text, value, f"{path}:{call.line}"), is_folder)
        for path, source in sources.items()
        for call in source.calls
        for value, is_folder in _written(evaluator, path, call)
    ]
    written = folders_written(program, files, found, ports_in((one.text for one in sources.values()), _LISTENS))
    asks = first_call(sources, *_TEMPORARY)
    # An empty image has no /tmp.
    is_bare = reading.image is not None and reading.image.family == "scratch"
    if isinstance(written, Refused) or asks is None or not is_bare:
        return written
    evidence = (*written.evidence, f"{asks} makes temporary files")
    return written._replace(paths=(*written.paths, "/tmp"), evidence=evidence)


def _written(evaluator: Evaluator, path: str, call: Expression) -> Iterator[tuple[str | None, bool]]:
    """What a call writes, None where that is not known, and whether it is a folder."""
    file, folder = call.of(_FILES), call.of(_FOLDERS)
    if re.match(_DATABASES, call.text) and len(call.parts) > 1 and call.parts[0].text in _DRIVERS:
        file = 1
    is_read = call.text == "os.OpenFile" and any(re.search(r"O_RDONLY|^0$", flags.text) for flags in call.parts[1:2])
    index = folder if file is None else file
    if index is None or is_read:
        return
    values = evaluator.argument(path, call, index)
    if values.is_open or values.is_self or call.text == "os.Chdir":
        yield None, False
    for value in values.known:
        text = re.sub(r"^file:(?://)?", "", value.text).split("?")[0]
        if text not in {"", ":memory:", "-"}:
            is_folder = folder is not None or (not value.is_whole and text.endswith("/"))
            yield None if text.startswith("~") else text, is_folder


__all__ = ["writes"]
