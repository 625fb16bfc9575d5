"""Where a release writes when it runs, by its sources, its configuration and its start script."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import first_at
from refactor.ecosystems.elixir.mix import term, without_comments
from refactor.ecosystems.elixir.release import Release, release_of
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import BY_HAND, folders_written, ports_in, written_by
from refactor.flow.reading import Refused, join
from refactor.images.history import version_of

_TO_WRITE = r"(?=[^\n]*:(?:write|append|exclusive|delayed_write)\b)"
_TMP = r"[\s(]*(?:Path\.join\(\s*\[?\s*)?System\.tmp_dir"
_WRITES: Mapping[str, int] = {
    rf"(?:File\.(?:write|touch|rm)!?|File\.(?:open|stream)!?{_TO_WRITE}|:file\.(?:write_file|delete)|:dets\.open_file)"
    rf"(?!{_TMP})": 0,
    r"File\.(?:cp|rename|ln_s)!?|:file\.rename|:ets\.tab2file": 1,
}  # fmt: skip
_MAKES: Mapping[str, int] = {rf"File\.(?:mkdir|mkdir_p|rm_rf|rmdir)!?(?!{_TMP})": 0, r"File\.cp_r!?": 1}
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
    store = next(iter(sorted(_PACKAGES & release.lock.keys())), None) or first_at(release.texts, _STORES)
    if store is not None:
        return Refused(f"{store} keeps files whose place is only known when it runs", BY_HAND)
    database = _configured(program, release)
    if isinstance(database, Refused):
        return database
    calls = written_by(release.texts, _WRITES, _MAKES, is_bare=True)
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


def _configured(program: Program, release: Release) -> dict[str, str] | Refused:
    """The folders that the configuration names: of an SQLite database, of logs."""
    found: dict[str, str] = {}
    has_database, is_updated = bool(_SQLITE & release.lock.keys()), "tzdata" in release.lock
    for name in ("config.exs", "prod.exs", "runtime.exs", "releases.exs"):
        path = posixpath.join(release.project.folder, "config", name)
        code = without_comments(program.origin.context.text(path))
        is_updated = is_updated and re.search(_NO_UPDATE, code) is None
        places = [one[1] or one[3] for one in re.findall(_LOGS, code)]
        for value in re.findall(r"\bdatabase:\s*([^\n]+?),?\s*(?:\n|\Z)", code) if has_database else ():
            named = term(value)
            if not isinstance(named, str):
                return Refused(f"{path} names its database by {value}", BY_HAND)
            places.append(named)
        for place in places:
            found[posixpath.dirname(join(program.reading.final_workdir, place))] = f"{path} names {place}"
    if is_updated:
        because = "the package tzdata keeps its time zones up to date, in files of the release"
        return Refused(because, "config :tzdata, :autoupdate, :disabled")
    return Refused("where the SQLite database is kept is not known", BY_HAND) if has_database and not found else found
