"""Where a Python program writes when it runs, as paths in the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.artefacts import tops
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.calls import Found
from refactor.ecosystems.program import Program
from refactor.ecosystems.python.installs import all_installs
from refactor.ecosystems.python.program import SERVERS, is_started, source_folders
from refactor.ecosystems.python.sources import facts_of
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.python.values import Use
from refactor.ecosystems.written import folders_written
from refactor.flow.places import source_of
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import roots_of
from refactor.flow.shell_writes import unknown_program
from refactor.images import pypi
from refactor.syntax import Instruction

_PATH_OPTIONS = (
    "--access-logfile", "--error-logfile", "--log-file", "--access-log", "--pid", "--pidfile", "--logto", "--logfile",
    "--socket", "-s", "--schedule", "--daemonize", "--uds", "--worker-tmp-dir",
)  # fmt: skip
"""Options of gunicorn, uwsgi, uvicorn and celery that name a file to write."""


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`; the same for all programs of a stage."""
    return program.reading.remember("python writes", lambda: _writes(program, files))


def _writes(program: Program, files: Sequence[str]) -> Written | Refused:
    reading = program.reading
    refused = next(chain(_by_tool(reading), _by_home(reading), _by_others(reading)), None)
    found: list[tuple[Found, bool]] = []
    for calls in () if refused is not None else (_by_sources, _by_start):
        answer = calls(reading, files)
        if isinstance(answer, Refused):
            return answer
        found += answer
    ports = tuple(sorted({port for one in facts_of(reading.context, files).values() for port in one.ports}))
    folders = refused or folders_written(program, files, found, ports)
    if isinstance(folders, Refused):
        return folders
    paths = tuple(tops(dict.fromkeys(folders.paths, "")))
    return folders._replace(paths=paths, fillers=_fillers(reading, files) if paths else ())


def _by_sources(reading: StageReading, files: Sequence[str]) -> list[tuple[Found, bool]] | Refused:
    """What the program's sources write to."""
    found: list[tuple[Found, bool]] = []
    for path, facts in facts_of(reading.context, files).items():
        for use in facts.written:
            where, named = f"{path}:{use.line}", use.path or ""
            if named.startswith("~"):
                return Refused(f"{where} writes below the home folder ({named})", "set USER and HOME by hand")
            if use.path not in {":memory:", ""} and not named.startswith(("django.", "sqlalchemy.")):
                place = _place(reading, path, use)
                found.append((Found(use.call, place, where), place is not None and _is_folder(reading, place, use)))
    return found


_MIGRATIONS = frozenset({"alembic", "aerich", "flask", "yoyo"})
"""Programs of distributions that change a database and no file of their own."""
_DATABASE_VERBS = frozenset({"migrate", "loaddata", "createcachetable", "createsuperuser"})
_WRITING_CODE = re.compile(r"open\(|write|mkdir|save|dump|unlink|remove|rename")


def _by_others(reading: StageReading) -> Iterator[Refused]:
    """A program that is started and is not this project's: where it writes is not known."""
    roots = roots_of(reading)
    for root in roots if not isinstance(roots, Refused) else ():
        code = root.words[2] if root.words[1:2] == ("-c",) and len(root.words) > 2 else None
        is_calm = code is not None and root.name.startswith("python") and not _WRITING_CODE.search(code)
        if not is_calm and root.name not in _MIGRATIONS and not is_started(reading, root):
            reason = unknown_program(root)
            yield from () if reason is None else (reason,)


def _fillers(reading: StageReading, files: Sequence[str]) -> tuple[Instruction, ...]:
    """RUNs that run the program itself: what they make in its folders (a database) they own."""
    found = []
    for act in PythonStage.of(reading).acts:
        words = set(act.command.args)
        if act.action is not Action.PROGRAM or act.command.args[:2] == ("-m", "compileall"):
            continue
        is_source = any(source_of(reading, join(act.folder or "/", word)) in files for word in words)
        is_own = is_source and "manage.py" not in " ".join(words)
        if is_own or words & _DATABASE_VERBS or act.command.name == "alembic":
            found.append(act.step.node)
    return tuple(dict.fromkeys(found))


def _place(reading: StageReading, path: str, use: Use) -> str | None:
    """Where a source writes; None where that is computed."""
    folder, root = posixpath.dirname(path), _in_image(reading, path)
    text = reading.context.text(path)
    if use.path is None:
        if "instance_path" not in "".join(re.split(r"\r\n?|\n", text)[use.line - 1 : use.line]):
            return None
        # Flask: the folder `instance` beside the package, or beside the module.
        inside = reading.context.exists(posixpath.join(folder, "__init__.py")) is True
        return join(posixpath.dirname(root) if inside else root, "instance")
    if use.is_anchored:
        return join(root, posixpath.relpath(use.path or ".", folder or "."))
    base = _base_folder(text, root) if use.call == "database" else None
    return join(base or reading.final_workdir, use.path)


def _in_image(reading: StageReading, path: str) -> str:
    """The folder of a source in the image."""
    for source, target in source_folders(reading):
        if source == path:
            return posixpath.dirname(target)
        if source == "" or path.startswith(source + "/"):
            return join(target, posixpath.relpath(posixpath.dirname(path) or ".", source or "."))
    return reading.final_workdir


def _base_folder(text: str, folder: str) -> str | None:
    """BASE_DIR of a settings module that lies in ``folder``: each `.parent` and `dirname` goes up by one level."""
    base = _BASE.search(text)
    if base is None:
        return None
    for _ in range(max(len(re.findall(r"\.parent\b|dirname\(", base[1])) - 1, 0)):
        folder = posixpath.dirname(folder)
    return folder


_BASE = re.compile(r"^(?:BASE_DIR|BASEDIR|basedir|PROJECT_ROOT)\s*=\s*(.+)$", re.MULTILINE)
_FOLDER_CALLS = ("makedirs", "mkdir", "copytree", "rmtree", "MEDIA_ROOT", "UPLOAD_FOLDER")


def _is_folder(reading: StageReading, path: str, use: Use) -> bool:
    inside = reading.in_context(path)
    if inside is not None:
        return reading.context.is_dir(inside) is True
    return use.call.endswith(_FOLDER_CALLS) or use.path is None


def _by_tool(reading: StageReading) -> Iterator[Refused]:
    """Tools at the start that write where root installed, and packages that only root can read."""
    for called, where in programs_started(reading).items():
        if called in {"uv", "uvx", "poetry", "pipenv", "pdm", "pip", "pip3"}:
            because = f"{where} calls {called}, which writes to its environment and to a cache below the home folder"
            yield Refused(because, "start the program itself")
    for act in (act for stage in PythonStage.all(reading) for act in stage.installs):
        if act.call is not None and act.call.has("--user") and act.call.manager == "pip":
            line = reading.file.line_of(act.step.node)
            because = f"line {line} installs below /root (--user), which only root can read"
            yield Refused(because, "install without --user")


def _by_home(reading: StageReading) -> Iterator[Refused]:
    moved = {"HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "HF_HOME", "TRANSFORMERS_CACHE", "NLTK_DATA", "TORCH_HOME"}
    if any(step.keyword == "ENV" and moved & {name for name, _ in step.node.pairs} for step in reading.steps):
        return
    for need in (need for install in all_installs(reading) for need in install.requirements):
        what = pypi.HOME_CACHES.get(need.name or "")
        if what is not None:
            because = f"{need.name} writes {what} below the home folder, which a new user has not"
            yield Refused(because, "give the user a home folder, or set HOME to a folder that it may write")


def _by_start(reading: StageReading, files: Sequence[str]) -> list[tuple[Found, bool]] | Refused:
    """What servers write by their options (log files, pid files, sockets, schedules), and what manage.py writes."""
    roots = roots_of(reading)
    found: list[tuple[Found, bool]] = []
    for root in roots if not isinstance(roots, Refused) else ():
        served = SERVERS & {word.rpartition("/")[2] for word in root.words}
        for option, behind in zip(root.words, (*root.words[1:], "")) if served else ():
            name, equals, given = option.partition("=")
            value = (given if equals else behind).removeprefix("unix:")
            if name not in _PATH_OPTIONS or not value or value.startswith(("-", "/dev/", ":")):
                continue
            if name in {"-s", "--socket"} and ("/" not in value or ":" in value):
                continue
            if "$" in value:
                return Refused(f"{root.where} writes to {value}, which depends on a variable")
            found.append((Found(name, join(root.folder, value), root.where), False))
        if "celery" in served and {"beat", "-B"} & {*root.words}:
            found.append((Found("celery beat", join(root.folder, "celerybeat-schedule"), root.where), False))
        task = next((word for word in root.words if word in _TASKS and "manage.py" in " ".join(root.words)), "")
        static = static_root(reading) if task == "collectstatic" else None
        if task and static is None:
            return Refused(f"{root.where} calls {task}, {_TASKS[task]}", "do that in the Dockerfile, or beforehand")
        if static is not None:
            found.append((Found(task, static, root.where), True))
    return found


_TASKS = {
    "makemigrations": "which writes into the sources",
    "collectstatic": "and where STATIC_ROOT is could not be read from the settings",
}
_STATIC_ROOT = re.compile(
    r"^STATIC_ROOT\s*=\s*(?:str\()?(?:BASE_DIR\s*/\s*|os\.path\.join\(\s*BASE_DIR\s*,\s*|)[\"']([^\"']+)[\"']",
    re.MULTILINE,
)


def static_root(reading: StageReading) -> str | None:
    """Where Django's collectstatic puts its files, as an absolute path of the image."""
    for source, _ in source_folders(reading):
        files = reading.context.files(source)
        for path in files if not isinstance(files, Unknown) else ():
            text = reading.context.text(path) if "settings" in path and path.endswith(".py") else ""
            found = _STATIC_ROOT.search(text)
            if found is not None:
                base = _base_folder(text, _in_image(reading, path)) or reading.final_workdir
                return join(base, found[1])
    return None
