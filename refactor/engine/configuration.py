"""Configuration files: ``.dockerfix.toml``, ``dockerfix.toml`` or ``[tool.dockerfix]`` of pyproject.toml, the closest
to the Dockerfile wins. Keys are the flags' names; an unknown key is an error with a suggestion."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from refactor.codemod.codemod import BUILDERS, PRESETS, RUNNERS, SAFE_ONLY, Settings, discover
from refactor.engine.files import FileProblem
from refactor.engine.selection import UnknownCodemod, ids_of

NAMES = (".dockerfix.toml", "dockerfix.toml", "pyproject.toml")
KEYS: Mapping[str, str] = {
    "select": "list of text",
    "ignore": "list of text",
    "extend-select": "list of text",
    "preset": "one of " + ", ".join(PRESETS),
    "safe": "true or false",
    "unsafe": "true or false",
    "runner": "one of " + ", ".join(RUNNERS),
    "builder": "one of " + ", ".join(BUILDERS),
    "context": "text",
    "per-file-ignores": "table of lists of text",
    "codemods": "table of tables",
    "bot": "table",
}
PER = ("codemod", "folder", "all")
"""What a commit or a pull request is made for."""
BOT_KEYS: Mapping[str, tuple[type, str]] = {
    "per": (str, "codemod, folder or all"),
    "max-open": (int, "a whole number"),
    "new-per-run": (int, "a whole number"),
    "labels": (list, "list of text"),
    "stop-label": (str, "text"),
    "account": (str, "text"),
}


class Configuration(NamedTuple):
    """What the configuration says; None and empty where it says nothing."""

    path: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    preset: str | None = None
    safe: bool = False
    unsafe: bool = False
    runner: str | None = None
    builder: str | None = None
    context: str | None = None
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    codemods: Mapping[str, Mapping[str, object]] = {}
    bot: Mapping[str, Any] = {}
    """The table ``[bot]``, checked."""

    @property
    def settings(self) -> Settings:
        return Settings(self.runner, self.codemods, self.builder, self.preset)

    def ignored_for(self, path: str) -> tuple[str, ...]:
        """Ids that ``per-file-ignores`` switches off for a file, as Ruff reads it: patterns see the path from the
        configuration's folder and the bare name, ``*`` crosses folders, and ``!`` in front means all other files."""
        if not self.per_file_ignores:
            return ()
        from fnmatch import fnmatchcase

        folder = os.path.dirname(os.path.abspath(self.path)) if self.path else os.getcwd()
        relative = os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")
        name = os.path.basename(relative)

        def holds(pattern: str) -> bool:
            bare = pattern.removeprefix("!").removeprefix("./")
            return (fnmatchcase(relative, bare) or fnmatchcase(name, bare)) != pattern.startswith("!")

        return tuple(id_ for pattern, ids in self.per_file_ignores if holds(pattern) for id_ in ids)


def closest_configuration(folder: str, known: dict[str, Configuration]) -> Configuration:
    """The configuration for files of a folder: its own or the nearest above it. ``known`` is the caller's cache."""
    folder = os.path.abspath(folder)
    found = known.get(folder)
    if found is None:
        for name in NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                found = load_configuration(path, is_required=name != "pyproject.toml")
                if found is not None:
                    break
        if found is None:
            parent = os.path.dirname(folder)
            found = Configuration() if parent == folder else closest_configuration(parent, known)
        known[folder] = found
    return found


def load_configuration(path: str, is_required: bool = True) -> Configuration | None:
    """Reads one file. None for a pyproject.toml without ``[tool.dockerfix]``. Raises :class:`FileProblem`."""
    import tomllib

    try:
        with open(path, "rb") as file:
            text = file.read(1 << 20).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(
            path, f"cannot be read: {error}", "name another file with --config, or use --isolated"
        ) from None
    if os.path.basename(path) == "pyproject.toml" and "tool.dockerfix" not in text and not is_required:
        return None
    try:
        data: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileProblem(path, f"is not valid TOML: {error}", "mend it, or use --isolated") from None
    if os.path.basename(path) == "pyproject.toml":
        data = data.get("tool", {}).get("dockerfix")
        if data is None:
            return Configuration(path) if is_required else None
    return _checked(path, data)


def _checked(path: str, data: Mapping[str, Any]) -> Configuration:
    for key in data:
        if key not in KEYS:
            raise FileProblem(path, f"unknown key {key!r}", _suggestion(key, KEYS))
    tables = data.get("codemods", {})
    ignores = data.get("per-file-ignores", {})
    for key in ("codemods", "per-file-ignores"):
        if not isinstance(data.get(key, {}), dict):
            raise _wrong(path, key)
    known = {cls.id: cls for cls in discover()}
    for id_, table in tables.items():
        if id_ not in known:
            raise FileProblem(path, f"unknown codemod {id_!r} in [codemods]", _suggestion(id_, known))
        if not isinstance(table, dict):
            raise _wrong(path, f"codemods.{id_}")
        for key, value in table.items():
            option = known[id_].options.get(key)
            if option is None:
                raise FileProblem(
                    path, f"unknown key {key!r} in [codemods.{id_}]", _suggestion(key, known[id_].options)
                )
            if not option.is_allowed(value):
                allowed = ", ".join(map(_toml, option.values))
                advice = f"it must be one of {allowed}" if allowed else "it must be text"
                raise FileProblem(path, f"[codemods.{id_}] {key} is {_toml(value)}", advice)
    for name, values in (("runner", RUNNERS), ("builder", BUILDERS), ("preset", PRESETS)):
        if data.get(name) is not None and data[name] not in values:
            raise FileProblem(path, f"{name} is {data[name]!r}", f"it must be one of {', '.join(values)}")
    context = data.get("context")
    if context is not None and not isinstance(context, str):
        raise _wrong(path, "context")
    for key in ("safe", "unsafe"):
        if not isinstance(data.get(key, False), bool):
            raise _wrong(path, key)
    if data.get("unsafe") and (data.get("safe") or data.get("preset") == SAFE_ONLY):
        other = "safe = true" if data.get("safe") else f'preset = "{SAFE_ONLY}"'
        raise FileProblem(path, f"unsafe = true and {other} exclude each other", "leave one of them out")
    bot = data.get("bot", {})
    if not isinstance(bot, dict):
        raise _wrong(path, "bot")
    for key, value in bot.items():
        if key not in BOT_KEYS:
            raise FileProblem(path, f"unknown key {key!r} in [bot]", _suggestion(key, BOT_KEYS))
        kind, words = BOT_KEYS[key]
        is_wrong = not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, int) and value < 0)
        if is_wrong or (key == "per" and value not in PER):
            raise FileProblem(path, f"[bot] {key} is {value!r}", f"it must be {words}")
    _texts(path, "bot.labels", bot.get("labels", []))
    select = data.get("select")
    return Configuration(
        path,
        None if select is None else _ids(path, "select", select),
        _ids(path, "ignore", data.get("ignore", [])),
        _ids(path, "extend-select", data.get("extend-select", [])),
        data.get("preset"),
        data.get("safe", False),
        data.get("unsafe", False),
        data.get("runner"),
        data.get("builder"),
        None if context is None else os.path.join(os.path.dirname(path), context),
        tuple((pattern, _ids(path, f'per-file-ignores."{pattern}"', ids)) for pattern, ids in ignores.items()),
        tables,
        bot,
    )


def _texts(path: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FileProblem(path, f"{key} is not a list of text", f'write it as {key} = ["chain-runs"]')
    return tuple(value)


def _ids(path: str, key: str, value: object) -> tuple[str, ...]:
    found = _texts(path, key, value)
    try:
        ids_of(found, discover())
    except UnknownCodemod as error:
        what, _, advice = str(error).partition("; ")
        raise FileProblem(path, f"{what} in {key}", advice) from None
    return found


def _toml(value: object) -> str:
    """A value as the file spells it, for messages."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _wrong(path: str, key: str) -> FileProblem:
    return FileProblem(path, f"{key} has the wrong type", f"it must be {KEYS.get(key, 'a table')}")


def _suggestion(key: str, known: Mapping[str, object] | Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, list(known), 1)
    return f"did you mean {near[0]!r}?" if near else "known keys: " + (", ".join(sorted(known)) or "none")
