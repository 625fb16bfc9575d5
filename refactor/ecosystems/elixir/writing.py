"""Where a release writes when it runs, by its sources, its configuration and its start script."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.elixir.manifests import Project
from refactor.ecosystems.elixir.needs import folder_of, locked_of, project_of_program, texts_of
from refactor.ecosystems.elixir.text import STRING, without_comments
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import folders_written
from refactor.flow.reading import Refused, join
from refactor.images.history import version_of

_FILES = (
    r"File\.(?:write|touch|rm|cp|rename|ln_s)!?|:file\.(?:write_file|delete|rename)|:dets\.open_file|:ets\.tab2file"
)
_FOLDERS = r"File\.(?:mkdir|mkdir_p|rm_rf|cp_r|rmdir)!?"
_TARGETS = r"\.(?:cp|cp_r|rename|ln_s)!?\Z|:rename"
_OPENS = r"File\.(?:open|stream)!?"
_NAMES_NO_FILE = (
    r":disk_log\.open|:mnesia\.(?:create_schema|change_table_copy_type)|\bdisc_(?:only_)?copies:|CubDB\.start"
)
_SQLITE = frozenset({"ecto_sqlite3", "exqlite", "esqlite", "sqlitex", "ecto_libsql"})
_STORES = frozenset({"cubdb", "rocksdb", "eleveldb", "bitcask", "mnesiac", "ecto_mnesia", "khepri", "ra"})
_UPLOADS = frozenset({"waffle", "arc"})
_LISTENS = r"\bport:\s*(\d{2,5})\b|\"PORT\"\s*,\s*\"(\d{2,5})\"|\"PORT\"\)\s*\|\|\s*\"(\d{2,5})\""
_NEW = frozenset({"bookworm", "trixie", "noble"})
"""Releases of Debian and Ubuntu whose own Elixir is 1.14 or later."""
_HINT = "write USER with an id in front of CMD, and give that user the folders that the program writes to"


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    if program.act is None:
        return _of_calls(program, files, texts_of(program, files))
    folder, project = folder_of(program), project_of_program(program)
    if isinstance(folder, Refused):
        return folder
    if isinstance(project, Refused):
        return project
    lock = locked_of(program, project)
    if isinstance(lock, Refused):
        return lock
    for names, what in ((_STORES, "keeps a database"), (_UPLOADS, "keeps uploads")):
        store = next((name for name in sorted(names) if name in lock), None)
        if store is not None:
            return Refused(f"{store} {what} in files whose place is set when it runs", _HINT)
    answer = _of_calls(program, files, texts_of(program, files))
    if isinstance(answer, Refused):
        return answer
    kept = {}
    if _SQLITE & lock.keys():
        database = _database(program, project)
        if isinstance(database, Refused):
            return database
        kept.update(database)
    named = program.reading.file.environment(program.reading.steps[-1].node).get("RELEASE_TMP")
    if _writes_tmp(program, project):
        kept[join(folder, named or "tmp")] = "the release writes its configuration to tmp when it starts"
    paths = tuple(dict.fromkeys([*kept, *answer.paths]))
    return Written(paths, (*kept.values(), *answer.evidence), ports=answer.ports)


def _writes_tmp(program: Program, project: Project) -> bool:
    """Whether the start script writes the configuration of runtime.exs down and starts again, as releases did before
    Elixir 1.14, or whether it starts a daemon with its log."""
    if any(word.startswith("daemon") for word in program.root.words[1:]):
        return True
    context = program.origin.context
    if context.exists(posixpath.join(project.folder, "config/runtime.exs")) is not True and (
        "config_providers" not in project.text and context.exists(posixpath.join(project.folder, "config/releases.exs"))
        is not True
    ):  # fmt: skip
        return False
    image = program.origin.image
    number = version_of(image.version) if image is not None and image.family == "elixir" and image.version else None
    if number is None and image is not None and image.family in {"debian", "ubuntu"}:
        is_new = image.release in _NEW
    else:
        is_new = number is not None and number[:2] >= (1, 14)
    return not is_new or re.search(r"reboot_system_after_config:\s*true", project.text) is not None


def _of_calls(program: Program, files: Sequence[str], texts: Mapping[str, str]) -> Written | Refused:
    found: list[tuple[Found, bool]] = []
    for path, text in texts.items():
        other = re.search(_NAMES_NO_FILE, text)
        if other is not None:
            return Refused(
                f"{path}:{_line(text, other.start())} ({other[0]}) keeps files whose place it does not name", _HINT
            )
        found += _calls(path, text)
    ports = {int(next(filter(None, found))) for text in texts.values() for found in re.findall(_LISTENS, text)}
    return folders_written(program, files, found, tuple(sorted(ports)))


def _calls(path: str, text: str) -> Iterator[tuple[Found, bool]]:
    """Calls that write files, each with whether it names a folder."""
    attributes = dict(re.findall(rf"(?m)^\s*@(\w+)\s+({STRING})\s*$", text))
    for match in re.finditer(rf"(?<![\w.])(?:{_FILES}|{_FOLDERS}|{_OPENS})(?![\w!?])", text):
        rest = text[match.end() :]
        if re.fullmatch(_OPENS, match[0]):
            line = rest.partition("\n")[0]
            if not re.search(r":(?:write|append|exclusive|delayed_write)\b", line) and re.match(r"\s*\(", rest):
                continue
        yield (
            Found(match[0], _named(text, match, rest, attributes), f"{path}:{_line(text, match.start())}"),
            (re.fullmatch(_FOLDERS, match[0]) is not None),
        )


def _named(text: str, match: re.Match[str], rest: str, attributes: Mapping[str, str]) -> str | None:
    """The file that a call names; None where only the running program knows, or where it is piped into the call."""
    if re.search(r"\|>\s*\Z", text[: match.start()]) or text[match.start() - 1 : match.start()] == "&":
        return None
    value = rf"({STRING}|@\w+)"
    pattern = (
        rf"\s*\(\s*(?:[^,()]+,\s*)?{value}\s*[,)]" if re.search(_TARGETS, match[0]) else rf"\s*\(\s*{value}\s*[,)]"
    )
    named = re.match(pattern, rest) or re.match(rf"[ \t]+{value}", rest)
    if named is None or (re.search(_TARGETS, match[0]) and not rest.lstrip().startswith("(")):
        return None
    word = attributes.get(named[1][1:]) if named[1].startswith("@") else named[1]
    return None if word is None or "\\" in word or "#{" in word else word[1:-1]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _database(program: Program, project: Project) -> dict[str, str] | Refused:
    """The folder of an SQLite database, by the configuration."""
    context, reading = program.origin.context, program.reading
    found: dict[str, str] = {}
    for path in _configuration(program, project):
        text = context.read(path)
        code = without_comments(text) if isinstance(text, str) else ""
        for value in re.findall(r"\bdatabase:\s*([^\n]+?),?\s*(?:\n|\Z)", code):
            named = re.fullmatch(STRING, value)
            if named is None:
                variable = re.search(r"\"(\w+)\"", code) if "database_path" in value else None
                asked = variable[1] if variable else None
                given = reading.file.environment(reading.steps[-1].node).get(asked) if asked else None
                if given is None:
                    return Refused(f"{path} names its database by {value}", "set the variable with ENV")
                value = f'"{given}"'
            found[posixpath.dirname(join(reading.final_workdir, value[1:-1]))] = f"{path} keeps a database there"
    return found or Refused("where the SQLite database is kept is not known", _HINT)


def _configuration(program: Program, project: Project) -> Iterator[str]:
    for name in ("config.exs", "prod.exs", "runtime.exs", "releases.exs"):
        path = posixpath.join(project.folder, "config", name)
        if program.origin.context.exists(path) is True:
            yield path


__all__ = ["writes"]
