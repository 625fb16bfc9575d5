"""What a Rust program needs when it runs, and where it writes, by its lockfile and its sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found, called, calls, opened, sources
from refactor.ecosystems.program import Needs, Program
from refactor.ecosystems.rust.linking import linked
from refactor.ecosystems.rust.manifests import closure, locked
from refactor.ecosystems.rust.tools import built, is_static
from refactor.ecosystems.written import folders_written
from refactor.flow.reading import Refused

_READS: Mapping[str, int] = {
    r"(?:\w+::)*File::open": 0, r"(?:\w+::)*fs::read(?:_to_string|_dir)?": 0, r"(?:\w+::)*read_to_string": 0,
    r"(?:\w+::)*ServeDir::new": 0, r"(?:\w+::)*ServeFile::new": 0, r"(?:\w+::)*Files::new": 1,
    r"(?:\w+::)*NamedFile::open(?:_async)?": 0, r"(?:\w+::)*FileServer::from": 0, r"(?:\w+::)*Tera::new": 0,
    r"warp::fs::(?:dir|file)": 0, r"(?:\w+::)*File::with_name": 0, r"path_loader": 0, r"from_pem_file": 0,
    r"(?:\w+::)*Migrator::new": 0,
}  # fmt: skip
"""Functions that open what an argument names: std, tokio, tower-http, actix-files, rocket, warp, tera, config."""
_WRITES: Mapping[str, int] = {
    r"(?:\w+::)*File::create(?:_new)?": 0, r"(?:\w+::)*fs::write": 0, r"(?:\w+::)*fs::rename": 1,
    r"(?:\w+::)*fs::copy": 1, r"(?:\w+::)*fs::remove_file": 0, r"(?:\w+::)*Connection::open": 0,
    r"(?:\w+::)*fern::log_file": 0,
}  # fmt: skip
_MAKES: Mapping[str, int] = {
    r"(?:\w+::)*create_dir(?:_all)?": 0, r"(?:\w+::)*remove_dir(?:_all)?": 0, r"(?:\w+::)*sled::open": 0,
    r"(?:\w+::)*rolling::(?:daily|hourly|minutely|never)": 0,
}  # fmt: skip
_OPTIONS = r"OpenOptions::new\(\)(?:\s*\.\w+\([^()]*\))*?\s*\.(?:write|append|create(?:_new)?)\(true\)"
_DRIVERS = ("libsqlite3-sys", "sled", "redb", "rocksdb", "librocksdb-sys", "heed", "lmdb")
"""Crates that keep a database in files."""
_LISTENS = r'"[\w.\[\]:]*?:(\d{2,5})"|\(\s*\[\s*\d+(?:\s*,\s*\d+){3}\s*\]\s*,\s*(\d{2,5})\s*\)'


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    call = program.call
    package = call.package if call is not None else None
    if call is None or package is None or package.manager != "cargo":
        return _alone(program, files)
    found = built(call, package)
    if isinstance(found, Refused):
        return found
    space, packages = found
    name = program.made.rpartition("/")[2]
    own = next((one for one in packages if name in one.programs), None)
    if own is None:
        return Refused(f"which package of the workspace makes {name} is not known")
    texts = dict(sources(program.reading.context, files))
    programs = _programs(texts)
    if isinstance(programs, Refused):
        return programs
    paths = opened(program, files, _READS, (".rs",))
    static = is_static(call, package)
    if static is not None:
        return Needs(paths, programs, is_static=True, evidence=(static,))
    crates = locked(program.reading.context, space.root)
    if isinstance(crates, Unknown):
        if own.dependencies:
            return Refused(
                f"which libraries the program is linked with is not known: {crates.reason}", "commit Cargo.lock"
            )
        crates = {}
    mine = closure(crates, own)
    by_hand = _links_by_hand(texts)
    if by_hand is not None:
        return Refused(f"{by_hand} links a library by name, and its package is not known", "split by hand")
    libraries = linked(program.origin, {crate: crates[crate] for crate in mine})
    if isinstance(libraries, Refused):
        return libraries
    said = f"Cargo.lock lists {len(mine)} crates for {own.name}" if mine else f"{own.name} has no dependencies"
    more = ", ".join(libraries.packages) or "no library but the C library's"
    return Needs(paths, programs, libraries.packages, evidence=(f"{said}: it needs {more}",))


def _alone(program: Program, files: Sequence[str]) -> Needs | Refused:
    """A program of `rustc main.rs`: no crates."""
    texts = dict(sources(program.reading.context, files))
    programs = _programs(texts)
    return programs if isinstance(programs, Refused) else Needs(opened(program, files, _READS, (".rs",)), programs)


def _links_by_hand(texts: Mapping[str, str]) -> str | None:
    for path, text in texts.items():
        if re.search(r"rustc-link-lib=(?!static)|#\[link\(\s*name", text):
            return path
    return None


def _programs(texts: Mapping[str, str]) -> dict[str, str] | Refused:
    """The programs that the sources start; clap's `Command::new(name)` describes the program's own arguments."""
    own = {path: text for path, text in texts.items() if not re.search(r"\bclap\b", text) or "process::" in text}
    return called(own, {r"(?:\w+::)*Command::new": 0})


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    texts = dict(sources(program.reading.context, files))
    found = [*((call, False) for call in calls(texts, _WRITES)), *((call, True) for call in calls(texts, _MAKES))]
    for path, text in texts.items():
        options = re.search(_OPTIONS, text)
        if options is not None:
            line = text.count("\n", 0, options.start()) + 1
            opens = [call for call in calls({path: text}, {r"(?<=[)\s.])open": 0}) if call.value is not None]
            found += [(call, False) for call in opens] or [(Found("OpenOptions", None, f"{path}:{line}"), False)]
    database = _database(program, texts)
    if isinstance(database, Refused):
        return database
    ports = {int(one or two) for text in texts.values() for one, two in re.findall(_LISTENS, text)}
    return folders_written(program, files, found, tuple(sorted(ports)))


def _database(program: Program, texts: Mapping[str, str]) -> Refused | None:
    """A database in files whose place no call names."""
    call = program.call
    package = call.package if call is not None else None
    found = built(call, package) if call is not None and package is not None else None
    if found is None or isinstance(found, Refused):
        return None
    crates = locked(program.reading.context, found[0].root)
    names = set(crates) if not isinstance(crates, Unknown) else {one for pkg in found[1] for one in pkg.dependencies}
    driver = next((name for name in _DRIVERS if name in names), None)
    if driver is None or any(calls(texts, {r"(?:\w+::)*(?:Connection|sled)::open": 0})):
        return None
    return Refused(
        f"{driver} keeps its database in files whose place the sources do not name",
        "write USER with an id in front of CMD, and give that user the folder of the database",
    )


__all__ = ["needs_of", "writes"]
