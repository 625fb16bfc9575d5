"""Where a release writes when it runs, by its sources, its configuration and its start script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import first_at
from refactor.ecosystems.elixir.mix import without_comments
from refactor.ecosystems.elixir.release import Release, release_of
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
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
_LOGS = r"\bfile:\s*(?:~c)?[\"']([^\"'#\n]+\.log)[\"']|\bpath:\s*\"([^\"#\n]+\.log)\""
_DATABASE = r"\bdatabase:\s*([^\n]+?),?\s*(?:\n|\Z)"
_COMPUTED = r"\A(?!\"[^\"\\#]*\"\Z)"
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
    paths = [release.project.inside(f"config/{name}.exs") for name in ("config", "prod", "runtime", "releases")]
    settings = {path: without_comments(program.origin.context.text(path)) for path in paths}
    if "tzdata" in release.lock and first_at(settings, _NO_UPDATE) is None:
        because = "the package tzdata keeps its time zones up to date, in files of the release"
        return Refused(because, "config :tzdata, :autoupdate, :disabled")
    databases = named_in(settings, _DATABASE, _COMPUTED, "its database") if _SQLITE & release.lock.keys() else None
    if databases == []:
        return Refused("where the SQLite database is kept is not known", BY_HAND)
    found = [
        *(databases or ()),
        *named_in(settings, _LOGS, r"(?!)"),
        *written_by(release.texts, _WRITES, _MAKES, is_bare=True),
    ]
    answer = folders_written(program, files, found, ports_in(release.texts.values(), _LISTENS))
    if isinstance(answer, Refused) or not _writes_tmp(program, release):
        return answer
    folder = join(release.folder, program.reading.environment.get("RELEASE_TMP") or "tmp")
    return answer.besides({folder: "the release writes its configuration to tmp when it starts"})


def _writes_tmp(program: Program, release: Release) -> bool:
    """Whether the start script writes the configuration of runtime.exs down and starts again, as releases did before
    Elixir 1.14, or whether it starts a daemon with its log."""
    context, image, text = program.origin.context, program.origin.image, release.project.text
    names = map(release.project.inside, ("config/runtime.exs", "config/releases.exs"))
    is_configured = "config_providers" in text or any(context.exists(name) is not False for name in names)
    number = version_of(image.version) if image is not None and image.family == "elixir" and image.version else None
    is_new = number >= (1, 14) if number is not None else image is not None and image.release in _NEW
    is_again = not is_new or re.search(r"reboot_system_after_config:\s*true", text) is not None
    return (is_configured and is_again) or any(word.startswith("daemon") for word in program.root.words[1:])
