"""What a Rust program needs when it runs, and where it writes, by its lockfile and its sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.context import Unknown
from refactor.context.tables import closed
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import called, calls, opened, sources
from refactor.ecosystems.libraries import linked, of_image, why_not_linked
from refactor.ecosystems.program import Needs, Program
from refactor.ecosystems.rust.manifests import Package
from refactor.ecosystems.rust.tools import CargoCall
from refactor.ecosystems.written import folders_written, ports_in, written_by
from refactor.flow.reading import Refused, StageReading
from refactor.images.crates import BRINGS, CERTIFICATES, LINKS, LOOKS_FIRST, PLAIN

_READS: Mapping[str, int] = {
    r"(?:\w+::)*File::open": 0, r"(?:\w+::)*fs::read(?:_to_string|_dir)?": 0, r"(?:\w+::)*read_to_string": 0,
    r"(?:\w+::)*ServeDir::new": 0, r"(?:\w+::)*ServeFile::new": 0, r"(?:\w+::)*Files::new": 1,
    r"(?:\w+::)*NamedFile::open(?:_async)?": 0, r"(?:\w+::)*FileServer::from": 0, r"(?:\w+::)*Tera::new": 0,
    r"warp::fs::(?:dir|file)": 0, r"(?:\w+::)*File::with_name": 0, r"path_loader": 0, r"from_pem_file": 0,
    r"(?:\w+::)*Migrator::new": 0,
}  # fmt: skip
"""Functions that open what an argument names: std, tokio, tower-http, actix-files, rocket, warp, tera, config."""
_UP_TO = r"(?s:.{0,400}?)"
_TO_WRITE = r"\.(?:write|append|create(?:_new)?)\(true\)"
_WRITES: Mapping[str, int] = {
    r"(?:\w+::)*File::create(?:_new)?": 0, r"(?:\w+::)*fs::write": 0, r"(?:\w+::)*fs::rename": 1,
    r"(?:\w+::)*fs::copy": 1, r"(?:\w+::)*fs::remove_file": 0, r"(?:\w+::)*Connection::open": 0,
    r"(?:\w+::)*fern::log_file": 0, rf"(?:\w+::)*OpenOptions::new\(\){_UP_TO}{_TO_WRITE}{_UP_TO}\.open": 0,
}  # fmt: skip
_MAKES: Mapping[str, int] = {
    r"(?:\w+::)*create_dir(?:_all)?": 0, r"(?:\w+::)*remove_dir(?:_all)?": 0, r"(?:\w+::)*sled::open": 0,
    r"(?:\w+::)*rolling::(?:daily|hourly|minutely|never)": 0,
}  # fmt: skip
_DRIVERS = r"[\w-]*(?:sqlite|rocksdb|lmdb)[\w-]*|\b(?:sled|redb|heed)\b"
"""Crates that keep a database in files, or features of others that do."""
_ALPINE = {
    "libssl-dev": ("libssl3", "libcrypto3"), "libpq-dev": ("libpq",), "libsqlite3-dev": ("sqlite-libs",),
    "zlib1g-dev": ("zlib",), "default-libmysqlclient-dev": ("mariadb-connector-c",),
}  # fmt: skip
_LINKS_BY_HAND = r"rustc-link-lib=(?!static)|#\[link\(\s*name"
_LINKER_SETTINGS = ("build.rs", ".cargo/config.toml", ".cargo/config")
_LISTENS = r'"[\w.\[\]:]*?:(\d{2,5})"|\(\s*\[\s*\d+(?:\s*,\s*\d+){3}\s*\]\s*,\s*(\d{2,5})\s*\)'


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    texts = dict(sources(program.reading.context, files))
    # clap's `Command::new(name)` describes the program's own arguments.
    own = {path: text for path, text in texts.items() if not re.search(r"\bclap\b", text) or "process::" in text}
    programs = called(own, {r"(?:\w+::)*Command::new": 0})
    cargo = CargoCall.of(program.call)
    package = None if cargo is None else cargo.package_of(program.made)
    if isinstance(package, Unknown):
        return Refused(package.reason)
    if isinstance(programs, Refused):
        return programs
    found = Needs(opened(program, texts, _READS, (".rs",)), programs)
    if cargo is None or package is None:
        # A program of `rustc main.rs`: no crates.
        return found
    if cargo.why_static is not None:
        return found._replace(is_static=True, evidence=(cargo.why_static,))
    by_hand = next((path for path, text in texts.items() if re.search(_LINKS_BY_HAND, text)), None)
    if by_hand is not None:
        return Refused(f"{by_hand} links a library by name, and its package is not known", "split by hand")
    return _with_libraries(program, cargo, package, found)


def _with_libraries(program: Program, cargo: CargoCall, package: Package, needs: Needs) -> Needs | Refused:
    """With the packages that bring what the program is linked with."""
    crates, reading = cargo.crates, program.origin
    unseen = crates.reason if isinstance(crates, Unknown) and package.dependencies else None
    known = {} if isinstance(crates, Unknown) else crates
    mine = {name: known[name] for name in closed([*package.dependencies, *known.get(package.name, ())], known)}
    found = _linked_with(reading, mine) if unseen is None else _any_library(program, package, unseen)
    if isinstance(found, Refused):
        return found
    if reading.image is not None and reading.image.distro == "alpine":
        found["libgcc"] = "Rust programs that are linked dynamically need it"
    if unseen is not None:
        said = f"{unseen}: the runner has all that it may be linked with (with a lockfile: what it is linked with)"
        return needs._replace(packages=found, evidence=(said,))
    said = f"Cargo.lock lists {len(mine)} crates for {package.name}" if mine else f"{package.name} has no dependencies"
    more = ", ".join(found) or "no library but the C library's"
    return needs._replace(packages=found, evidence=(f"{said}: it needs {more}",))


def _any_library(program: Program, package: Package, unseen: str) -> dict[str, str] | Refused:
    """Without a lockfile any crate may be linked with any library that the image has headers of. What build scripts of
    crates bring or build elsewhere is found at run time only where the program is told to look there."""
    reading, context = program.origin, program.reading.context
    because = f"which libraries the program is linked with is not known: {unseen}"
    beside = [posixpath.join(folder, name) for folder in ("", package.folder) for name in _LINKER_SETTINGS]
    settings = [*(context.text(path) for path in beside), *(node.argument for node in reading.stage.instructions)]
    files = context.files()
    if isinstance(files, Unknown) or any(path.rpartition("/")[2] == "Cargo.lock" for path in files):
        return Refused(because, "commit Cargo.lock")
    if any(re.search(r"rpath|LD_LIBRARY_PATH", text) for text in settings):
        return Refused(f"{because}, and it is told where to look for them", "commit Cargo.lock")
    found = of_image(reading, f"{unseen}: any crate may link it")
    if not isinstance(found, Refused):
        found["ca-certificates"] = f"{unseen}: any crate may look for certificates"
    return found


def _linked_with(reading: StageReading, crates: Mapping[str, frozenset[str]]) -> dict[str, str] | Refused:
    """The packages for the crates that a program is made of, on the distribution of its stage."""
    unknown = [name for name in sorted(crates) if re.search(r"[-_]sys\Z", name) and not re.match(PLAIN, name)]
    unknown = [name for name in unknown if name not in LINKS]
    if unknown and (reading.image is None or reading.image.variant == "fat"):
        return why_not_linked(unknown, "crates")
    names = (name for name in sorted(crates) if name in LINKS and _is_linked(reading, name, crates[name]))
    wanted = {name: LINKS[name] for name in names}
    packages = linked(reading, wanted, "{} in Cargo.lock links it", _ALPINE)
    asks = next((name for name in CERTIFICATES if name in crates), None)
    if asks is not None and not isinstance(packages, Refused):
        packages["ca-certificates"] = f"{asks} in Cargo.lock looks for certificates"
    return packages


def _is_linked(reading: StageReading, crate: str, needs: frozenset[str]) -> bool:
    """Whether it is linked with the library of the system: no other crate brings that, or it looks there first."""
    there = {word.literal for _, call in reading.calls for word in call.packages}
    there |= set() if reading.image is None else reading.image.preinstalled
    return BRINGS.get(crate) not in needs or (crate in LOOKS_FIRST and LINKS[crate] in there)


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    texts = dict(sources(program.reading.context, files))
    found = written_by(texts, _WRITES, _MAKES)
    driver = _driver(program)
    if driver is not None and not any(calls(texts, {r"(?:\w+::)*(?:Connection|sled)::open": 0})):
        return Refused(
            f"{driver} keeps its database in files whose place the sources do not name",
            "write USER with an id in front of CMD, and give that user the folder of the database",
        )
    return folders_written(program, files, found, ports_in(texts.values(), _LISTENS))


def _driver(program: Program) -> str | None:
    """A crate that keeps a database in files."""
    cargo = CargoCall.of(program.call)
    if cargo is None or isinstance(cargo.packages, Unknown):
        return None
    manifests = (program.reading.context.text(package.path) for package in cargo.packages)
    # Without a lockfile a feature may be all that is said of it: `sqlx = { features = ["sqlite"] }`.
    found = re.search(_DRIVERS, "\n".join(manifests if isinstance(cargo.crates, Unknown) else sorted(cargo.crates)))
    return None if found is None else found[0]
