"""The sources of what a container starts with Python: found, read, and without a fault; else nothing is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES, is_test
from refactor.ecosystems import registry
from refactor.ecosystems.program import Program
from refactor.ecosystems.python.installs import all_installs
from refactor.flow.places import all_copies, source_of
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import Root, places_of, roots_of

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_FLAGS = re.compile(r"-[bBdEhiIOPqsSuvVx]+")
_RUNNERS = frozenset(
    {"poetry", "pipenv", "pdm", "uv", "hatch", "ddtrace-run", "opentelemetry-instrument", "newrelic-admin", "dotenv",
     "watchmedo", "coverage"}
)  # fmt: skip
"""Programs whose arguments name the program that they start."""
SERVERS = frozenset(
    {"gunicorn", "uvicorn", "hypercorn", "daphne", "waitress-serve", "granian", "flask", "celery", "uwsgi", "streamlit",
     "fastapi", "chainlit", "django-admin", "functions-framework", "functions_framework", "dramatiq", "huey_consumer",
     "huey_consumer.py", "arq", "taskiq", "faststream", "sanic", "litestar", "quart", "aiohttp.web", "robyn"}
)  # fmt: skip
"""Programs of distributions that load a module of the project, named by their arguments or the environment."""
_MODULE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::[A-Za-z_][\w.]*(?:\(.*\))?)?")
_FOLDER_OPTIONS = ("--chdir", "--app-dir", "--pythonpath", "--workdir", "--source")
_FOLDER_SETTINGS = re.compile(r"""^(?:chdir|pythonpath)\s*=\s*["']([^"']+)["']""", re.MULTILINE)
"""Of gunicorn's settings file, ``gunicorn.conf.py`` unless ``-c`` names another."""
_SETTINGS = re.compile(r"(?m)^\s*(?:module|wsgi|wsgi-file|file|mount)\s*=\s*(\S+)")
"""What uWSGI's settings load: ``module = shop.wsgi:application``."""
_DEFAULTS = {"flask": ("wsgi", "app"), "functions-framework": ("main",), "functions_framework": ("main",),
             "fastapi": ("main", "app", "api", "app.main", "app.app", "app.api"), "quart": ("app",)}  # fmt: skip
_TOOL_FOLDERS = frozenset("docs doc examples benchmarks migrations scripts notebooks ci .github".split())
_TOOL_FILES = frozenset("setup.py conftest.py noxfile.py tasks.py fabfile.py noxfile_config.py".split())


def program_sources(reading: StageReading) -> tuple[str, ...] | Refused:
    """See :meth:`Ecosystem.program`: all sources of the project that is started, the started file first."""
    return reading.remember("python program", lambda: _program(reading))


def sources_of(program: Program) -> tuple[str, ...] | Refused:
    """See :meth:`Language.sources_of`: those of the project are the same for all programs of a stage."""
    return program_sources(program.reading)


def _program(reading: StageReading) -> tuple[str, ...] | Refused:
    from refactor.ecosystems.python.sources import facts

    started = entries(reading)
    if isinstance(started, Refused) or not started:
        return started
    files = dict.fromkeys(started)
    for source, _ in source_folders(reading):
        found = reading.context.files(source, without=NOT_SOURCES)
        if isinstance(found, Unknown):
            return Refused(f"the sources of the program cannot be read: {found.reason}")
        files.update(dict.fromkeys(path for path in found if path.endswith(".py") and _is_of_program(path)))
    for path in files:
        one = facts(reading.context, path)
        if isinstance(one, Unknown):
            return Refused(f"a source of the program cannot be read: {one.reason}")
    return tuple(files)


def source_folders(reading: StageReading) -> tuple[tuple[str, str], ...]:
    """Folders (or single sources) of the context that the image holds, with their places."""
    found: dict[str, str] = {}
    for copied in all_copies(reading):
        if copied.is_folder or copied.source.endswith(".py"):
            found.setdefault(copied.source, copied.target)
    tops = {
        source: target
        for source, target in found.items()
        if not any(source != other and (other == "" or source.startswith(other + "/")) for other in found)
    }
    return tuple(tops.items())


def _is_of_program(path: str) -> bool:
    """Not a test, a set-up script, a migration, documentation, an example or a benchmark."""
    parts = path.split("/")
    return not is_test(path) and not _TOOL_FOLDERS & set(parts[:-1]) and parts[-1] not in _TOOL_FILES


def programs_of(reading: StageReading) -> tuple[Program, ...] | Refused:
    """See :meth:`Language.programs_of`: one for each source that a start command names, by whatever it loads it."""
    roots = roots_of(reading)
    if isinstance(roots, Refused):
        return roots
    flow = registry.flow_of(reading.file, reading.context)
    found: dict[str, Program] = {}
    for root in roots:
        for entry in _entries(reading, root, root.words, 0):
            if isinstance(entry, Refused):
                return entry
            path = (f"/{entry}", *reading.in_image(entry))[-1]
            found.setdefault(entry, Program(root, path, None, entry, reading, flow))
    return tuple(found.values())


def entries(reading: StageReading) -> tuple[str, ...] | Refused:
    """Context paths of the Python sources that are started; () where nothing that is started is Python's."""
    programs = programs_of(reading)
    return programs if isinstance(programs, Refused) else tuple(one.made for one in programs)


def _entries(reading: StageReading, root: Root, words: tuple[str, ...], depth: int) -> Iterator[str | Refused]:
    name = words[0].rpartition("/")[2]
    if name in _RUNNERS and depth < 3:
        rest = words[1:]
        while rest and (rest[0] in {"run", "run-program"} or rest[0].startswith("-")):
            rest = rest[1:]
        if rest:
            yield from _entries(reading, root, rest, depth + 1)
        return
    if _PYTHON.fullmatch(name):
        rest = words[1:]
        while rest and (_FLAGS.fullmatch(rest[0]) or rest[0][:2] in {"-W", "-X"}):
            rest = rest[2 if rest[0] in {"-W", "-X"} else 1 :]
        if rest[:1] == ("-m",) and len(rest) > 1:
            found = _module(reading, rest[1], _search_path(reading, root, rest[2:]), is_started=True)
            if found is None and rest[1] in SERVERS | _RUNNERS:
                yield from _entries(reading, root, rest[1:], depth + 1)
            else:
                yield found or _missing(root, f"the module {rest[1]}")
        elif rest and not rest[0].startswith("-"):
            yield _file(reading, root, rest[0]) or _missing(root, rest[0])
        return
    if name in SERVERS:
        yield from _served(reading, root, words)
        return
    file = _file(reading, root, words[0])
    if file is not None and (file.endswith(".py") or re.match(r"#!.*\bpython", reading.context.text(file))):
        yield file
        return
    for folder in _installed(reading):
        module = _script(reading, folder, name)
        if module is not None:
            found = _module(reading, module, [folder, join(folder, "src")])
            yield found or _missing(root, f"{module} (the script {name})")
            return


def _installed(reading: StageReading) -> list[str]:
    """Folders whose project is installed as a whole: what it holds is imported from site-packages, or from there."""
    installs = (one for one in all_installs(reading) if one.sources is not None or one.project is not None
                or any(path.endswith(("setup.py", "setup.cfg", ".toml")) for path in one.manifests))  # fmt: skip
    return list(dict.fromkeys(one.folder for one in installs))


def _script(reading: StageReading, folder: str, name: str) -> str | None:
    """The module that a console script of the project in ``folder`` runs: ``shop = "shop.cli:main"``."""
    for manifest in ("pyproject.toml", "setup.cfg", "setup.py"):
        path = source_of(reading, join(folder, manifest))
        text = reading.context.text(path) if path else ""
        found = re.search(rf"(?<![\w-]){re.escape(name)}[\"']?\s*=\s*[\"']?([\w.]+):\w", text)
        if found is not None:
            return found[1]
    return None


def is_started(reading: StageReading, root: Root) -> bool:
    """The root runs a source of the project."""
    return any(not isinstance(entry, Refused) for entry in _entries(reading, root, root.words, 0))


def _missing(root: Root, what: str) -> Refused:
    return Refused(
        f"{what}, which {root.where} starts, was not found in the build context",
        "check the path, or name the folder that is built from with --context",
    )


def _file(reading: StageReading, root: Root, word: str) -> str | None:
    """The context path of a source that is named by its path; of a folder its ``__main__.py``."""
    for place in places_of(reading, root, word):
        found = source_of(reading, place)
        if found is not None and reading.context.is_dir(found) is False:
            return found
        main = source_of(reading, join(place, "__main__.py")) if found is not None else None
        if main is not None:
            return main
    return None


def _search_path(reading: StageReading, root: Root, words: tuple[str, ...]) -> list[str]:
    folders = [root.folder]
    for folder in _installed(reading):
        folders += [folder, join(folder, "src")]
    folders += [join(root.folder, part) for part in (reading.environment.get("PYTHONPATH") or "").split(":") if part]
    for index, word in enumerate(words):
        option, equals, given = word.partition("=")
        if option in _FOLDER_OPTIONS:
            given = given if equals else words[index + 1] if index + 1 < len(words) else ""
            folders.append(join(root.folder, given))
    for word in (*words, "gunicorn.conf.py") if root.name == "gunicorn" else ():
        settings = _file(reading, root, word.rpartition("=")[2]) if word.endswith(".py") else None
        text = reading.context.text(settings) if settings is not None else ""
        folders += [join(root.folder, one) for one in _FOLDER_SETTINGS.findall(text)]
    return folders


def _module(reading: StageReading, name: str, folders: list[str], *, is_started: bool = False) -> str | None:
    """The context path of a module, of a package its ``__init__.py`` (``__main__.py`` where it is started)."""
    stem = name.replace(".", "/")
    for folder in folders:
        for ending in (".py", "/__main__.py" if is_started else "/__init__.py", "/__init__.py"):
            found = source_of(reading, join(folder, stem + ending))
            if found is not None and reading.context.is_dir(found) is False:
                return found
    return None


def _served(reading: StageReading, root: Root, words: tuple[str, ...]) -> Iterator[str | Refused]:
    """The modules and files that a server's arguments name, or its settings, or its default."""
    name = words[0].rpartition("/")[2]
    folders = _search_path(reading, root, words)
    values = [word.partition("=")[2] if word.startswith("-") and "=" in word else word for word in words[1:]]
    named = [reading.environment.get(key) or "" for key in ("FLASK_APP", "DJANGO_SETTINGS_MODULE", "QUART_APP")]
    values += [one.removesuffix(".py") for one in named]
    is_found = False
    for value in values:
        if value.startswith("-") or not value:
            continue
        file = _file(reading, root, value) if "/" in value or value.endswith((".py", ".ini", ".toml")) else None
        if file is not None:
            if file.endswith((".ini", ".toml")):
                values += _SETTINGS.findall(reading.context.text(file))
            else:
                yield file
                # gunicorn's settings are a Python file as well: they are not the program.
                is_found = is_found or name != "gunicorn"
            continue
        match = _MODULE.fullmatch(value)
        found = _module(reading, match[1], folders) if match is not None else None
        if found is not None:
            is_found = True
            yield found
        elif match is not None and ":" in value:
            yield _missing(root, f"the module {match[1]}")
            return
    if not is_found:
        found = next(filter(None, (_module(reading, one, folders) for one in _DEFAULTS.get(name, ()))), None)
        yield found or _missing(root, f"the module that {name} loads")


__all__ = ["SERVERS", "entries", "is_started", "program_sources", "programs_of", "source_folders", "sources_of"]
