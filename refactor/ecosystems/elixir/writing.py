"""Where a release writes when it runs, by its sources, its configuration and its start script."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context.literals import line_at
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.elixir.mix import STRING, without_comments
from refactor.ecosystems.elixir.release import Release, release_of
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import BY_HAND, folders_written, ports_in
from refactor.flow.reading import Refused, join
from refactor.images.history import version_of

_FOLDERS = r"File\.(?:mkdir|mkdir_p|rm_rf|cp_r|rmdir)!?"
_OPENS = r"File\.(?:open|stream)!?"
_CALLS = (
    r"File\.(?:write|touch|rm|cp|rename|ln_s)!?|:file\.(?:write_file|delete|rename)|:dets\.open_file|:ets\.tab2file|"
    rf"{_FOLDERS}|{_OPENS}"
)
_TARGETS = r"\.(?:cp|cp_r|rename|ln_s)!?\Z"
_TMP = r"\s*\(\s*(?:Path\.join\(\s*\[?\s*)?System\.tmp_dir"
_STORES = r"MnesiaCache|:disk_log\.open|:mnesia\.(?:create_schema|change_table_copy_type)|\bdisc_(?:only_)?copies:"
_PACKAGES = frozenset("cubdb rocksdb eleveldb bitcask mnesiac ecto_mnesia khepri ra waffle arc ua_inspector".split())
"""Packages that keep data, or uploads, in files."""
_NO_UPDATE = r":tzdata,\s*(?::autoupdate,|autoupdate:)\s*:disabled"
_LOGS = r"\bfile:\s*(?:~c)?([\"'])([^\"'#\n]+\.log)\1|\bpath:\s*(\")([^\"#\n]+\.log)\""
_SQLITE = frozenset({"ecto_sqlite3", "exqlite", "esqlite", "sqlitex", "ecto_libsql"})
_LISTENS = r"\bport:\s*(\d{2,5})\b|\"PORT\"\s*,\s*\"(\d{2,5})\"|\"PORT\"\)\s*\|\|\s*\"(\d{2,5})\""
_NEW = frozenset({"bookworm", "trixie", "noble"})
"""Releases of Debian and Ubuntu whose own Elixir is 1.14 or later."""


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    release = release_of(program, files)
    if isinstance(release, Refused):
        return release
    store = next(iter(sorted(_PACKAGES & release.lock.keys())), None)
    stores = (f"{line_at(path, text, found.start())} ({found[0]})" for path, text in release.texts.items()
              for found in re.finditer(_STORES, text))  # fmt: skip
    store = store or next(stores, None)
    if store is not None:
        return Refused(f"{store} keeps files whose place is only known when it runs", BY_HAND)
    database = _configured(program, release)
    if isinstance(database, Refused):
        return database
    calls = [call for path, text in release.texts.items() for call in _calls(path, text)]
    answer = folders_written(program, files, calls, ports_in(release.texts.values(), _LISTENS))
    if isinstance(answer, Refused):
        return answer
    if _writes_tmp(program, release):
        named = program.reading.environment.get("RELEASE_TMP")
        database[join(release.folder, named or "tmp")] = "the release writes its configuration to tmp when it starts"
    return answer.besides(database)


def _writes_tmp(program: Program, release: Release) -> bool:
    """Whether the start script writes the configuration of runtime.exs down and starts again, as releases did before
    Elixir 1.14, or whether it starts a daemon with its log."""
    context, image, text = program.origin.context, program.origin.image, release.project.text
    names = [posixpath.join(release.project.folder, "config", name) for name in ("runtime.exs", "releases.exs")]
    is_configured = "config_providers" in text or any(context.exists(name) is not False for name in names)
    number = version_of(image.version) if image is not None and image.family == "elixir" and image.version else None
    is_new = number >= (1, 14) if number is not None else image is not None and image.release in _NEW
    is_again = not is_new or re.search(r"reboot_system_after_config:\s*true", text) is not None
    return (is_configured and is_again) or any(word.startswith("daemon") for word in program.root.words[1:])


def _calls(path: str, text: str) -> Iterator[tuple[Found, bool]]:
    """Calls that write files, each with whether it names a folder."""
    attributes = dict(re.findall(rf"(?m)^\s*@(\w+)\s+({STRING})\s*$", text))
    for match in re.finditer(rf"(?<![\w.])(?:{_CALLS})(?![\w!?])", text):
        rest = text[match.end() :]
        modes = r":(?:write|append|exclusive|delayed_write)\b"
        if re.fullmatch(_OPENS, match[0]) and rest[:1] == "(" and not re.search(modes, rest.partition("\n")[0]):
            continue
        named = _named(text[: match.start()], match[0], rest, attributes)
        yield Found(match[0], named, line_at(path, text, match.start())), re.fullmatch(_FOLDERS, match[0]) is not None


def _named(before: str, name: str, rest: str, attributes: Mapping[str, str]) -> str | None:
    """The file that a call names; None where only the running program knows, or where it is piped into the call."""
    if re.match(_TMP, rest) and not re.search(_TARGETS, name):
        return "/tmp/file"
    skipped = r"[^,()]+,\s*" if re.search(_TARGETS, name) else ""
    found = re.match(rf"(?:\s*\(\s*{skipped}|[ \t]+{skipped})({STRING}|@\w+)\s*(?:[,)]|\Z)", rest)
    if found is None or re.search(r"(?:\|>\s*|&)\Z", before):
        return None
    word = attributes.get(found[1][1:], "#{") if found[1].startswith("@") else found[1]
    return None if "\\" in word or "#{" in word else word[1:-1]


def _configured(program: Program, release: Release) -> dict[str, str] | Refused:
    """The folders that the configuration names: of an SQLite database, of logs."""
    found: dict[str, str] = {}
    has_database, is_updated = bool(_SQLITE & release.lock.keys()), "tzdata" in release.lock
    for name in ("config.exs", "prod.exs", "runtime.exs", "releases.exs"):
        path = posixpath.join(release.project.folder, "config", name)
        text = program.origin.context.read(path)
        code = without_comments(text) if isinstance(text, str) else ""
        is_updated = is_updated and re.search(_NO_UPDATE, code) is None
        places = [one[1] or one[3] for one in re.findall(_LOGS, code)]
        for value in re.findall(r"\bdatabase:\s*([^\n]+?),?\s*(?:\n|\Z)", code) if has_database else ():
            if not re.fullmatch(STRING, value):
                return Refused(f"{path} names its database by {value}", BY_HAND)
            places.append(value[1:-1])
        for place in places:
            found[posixpath.dirname(join(program.reading.final_workdir, place))] = f"{path} names {place}"
    if is_updated:
        because = "the package tzdata keeps its time zones up to date, in files of the release"
        return Refused(because, "config :tzdata, :autoupdate, :disabled")
    return Refused("where the SQLite database is kept is not known", BY_HAND) if has_database and not found else found


__all__ = ["writes"]
