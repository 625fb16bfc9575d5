"""Where a Python program writes when it runs, as paths in the image."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.context import Unknown
from refactor.context.python_source import facts as python_facts
from refactor.ecosystems import system
from refactor.ecosystems.answers import Written
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.program import SERVERS, is_started, program, source_folders
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.flow.closure import named
from refactor.flow.places import source_of
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import roots_of
from refactor.flow.shell_writes import CALM, unknown_program
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.context.python_source import PythonFacts
    from refactor.context.python_use import Use

_HOME_CACHES = {
    "matplotlib": "its font cache", "transformers": "downloaded models", "sentence-transformers": "downloaded models",
    "huggingface-hub": "downloaded models", "nltk": "downloaded data", "keras": "downloaded models",
    "streamlit": "its settings", "jupyter": "its settings", "notebook": "its settings", "jupyterlab": "its settings",
    "gdown": "cookies", "yfinance": "a time zone cache", "spotipy": "a token cache",
    "newspaper3k": "downloaded articles",
    "openai-whisper": "downloaded models", "easyocr": "downloaded models", "playwright": "browsers",
    "pyppeteer": "a browser", "webdriver-manager": "browser drivers", "undetected-chromedriver": "a browser driver",
    "datasets": "downloaded data", "diffusers": "downloaded models", "torchvision": "downloaded models",
}  # fmt: skip
"""Distributions that write below the home folder of the user they run as, and what."""

_PATH_OPTIONS = (
    "--access-logfile", "--error-logfile", "--log-file", "--access-log", "--pid", "--pidfile", "--logto", "--logfile",
    "--socket", "-s", "--schedule", "--daemonize", "--uds", "--worker-tmp-dir",
)  # fmt: skip
"""Options of gunicorn, uwsgi, uvicorn and celery that name a file to write."""


def written(reading: StageReading) -> Written | Refused:
    """The absolute paths, or why they are not known."""
    files = program(reading)
    if isinstance(files, Refused):
        return files
    answer = _by_tool(reading, PythonStage.all(reading)) or _by_home(reading, PythonStage.all(reading))
    answer = answer or _by_others(reading)
    if answer is not None:
        return answer
    folders: dict[str, str] = {}
    for found in (_by_sources(reading, files), _by_start(reading), _by_django(reading)):
        if isinstance(found, Refused):
            return found
        for path, why in found.items():
            folders.setdefault(path, why)
    tops = {
        path: why
        for path, why in folders.items()
        if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in folders)
    }
    rest = "nothing else in" if tops else "nothing in"
    evidence = (*tops.values(), f"{rest} {named(files)} opens a file to write it")
    return Written(
        tuple(tops), evidence, fillers=_fillers(reading, files) if tops else (), ports=_ports(reading, files)
    )


def _by_sources(reading: StageReading, files: tuple[str, ...]) -> dict[str, str] | Refused:
    """Folders that the program's sources write to -> where."""
    folders: dict[str, str] = {}
    placed = source_folders(reading)
    for path in files:
        facts = python_facts(reading.context, path)
        if isinstance(facts, Unknown):
            return Refused(f"a source of the program cannot be read: {facts.reason}")
        source, target = next(
            ((source, target) for source, target in placed if source in {"", path} or path.startswith(source + "/")),
            ("", reading.final_workdir),
        )
        for use in facts.written:
            if (use.path or "").startswith(("django.", "sqlalchemy.")):
                continue
            places = _places(reading, facts, use, source, target)
            if isinstance(places, Refused):
                return places
            for place in places:
                if not re.match(CALM, place):
                    folder = place if _is_folder(reading, place, use) else posixpath.dirname(place) or "/"
                    folders.setdefault(folder, f"{path}:{use.line} writes to {place} ({use.call})")
    return folders


def _ports(reading: StageReading, files: tuple[str, ...]) -> tuple[int, ...]:
    known = [facts for path in files if not isinstance(facts := python_facts(reading.context, path), Unknown)]
    return tuple(sorted({port for facts in known for port in facts.ports}))


_MIGRATIONS = frozenset({"alembic", "aerich", "flask", "yoyo"})
"""Programs of distributions that change a database and no file of their own."""
_DATABASE_VERBS = frozenset({"migrate", "loaddata", "createcachetable", "createsuperuser"})
_WRITING_CODE = re.compile(r"open\(|write|mkdir|save|dump|unlink|remove|rename")


def _by_others(reading: StageReading) -> Refused | None:
    """A program that is started and is not this project's: where it writes is not known."""
    roots = roots_of(reading)
    for root in roots if not isinstance(roots, Refused) else ():
        if is_started(reading, root) or root.name in _MIGRATIONS:
            continue
        code = root.words[2] if root.words[1:2] == ("-c",) and len(root.words) > 2 else None
        if code is not None and root.name.startswith("python") and not _WRITING_CODE.search(code):
            continue
        reason = unknown_program(root)
        if reason is not None:
            return reason
    return None


def _fillers(reading: StageReading, files: tuple[str, ...]) -> tuple[Instruction, ...]:
    """RUNs that run the program itself: what they make in its folders (a database) they own."""
    found = []
    for act in PythonStage.of(reading).acts:
        words = set(act.command.args)
        if act.action is not Action.PROGRAM or act.command.args[:2] == ("-m", "compileall"):
            continue
        is_source = any(source_of(reading, join(act.folder or "/", word)) in files for word in words)
        if (
            (is_source and "manage.py" not in " ".join(words))
            or words & _DATABASE_VERBS
            or act.command.name == "alembic"
        ):
            found.append(act.step.node)
    return tuple(dict.fromkeys(found))


def _places(reading: StageReading, facts: PythonFacts, use: Use, source: str, target: str) -> tuple[str, ...] | Refused:
    folder = posixpath.dirname(facts.path)
    if source == facts.path:
        root = posixpath.dirname(target)
    else:
        root = join(target, posixpath.relpath(folder or ".", source or "."))
    text = reading.context.read(facts.path)
    lines = text.split("\n") if isinstance(text, str) else []
    line = lines[use.line - 1] if 0 < use.line <= len(lines) else ""
    if use.path is None and "instance_path" in line:
        # Flask: the folder `instance` beside the package, or beside the module.
        inside = reading.context.exists(posixpath.join(folder, "__init__.py")) is True
        return (join(posixpath.dirname(root) if inside else root, "instance"),)
    if use.path is None:
        return Refused(
            f"{facts.path}:{use.line} writes to a path that is only known when it runs ({use.call})",
            "name that path in the source as text, or set USER by hand",
        )
    path = use.path
    if path in {":memory:", ""}:
        return ()
    if path.startswith("~"):
        return Refused(f"{facts.path}:{use.line} writes below the home folder ({path})", "set USER and HOME by hand")
    if use.is_anchored:
        inside_source = path[len(source) :].lstrip("/") if source and path.startswith(source) else path
        return (join(target, inside_source or "."),)
    if path.startswith("/"):
        return (join("/", path),)
    here = join(reading.final_workdir, path)
    if use.call != "database":
        return (here,)
    base = _base_folder("\n".join(lines), root)
    return (here,) if base is None else (join(base, path),)


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


def _by_tool(reading: StageReading, stages: tuple[PythonStage, ...]) -> Refused | None:
    """Tools at the start that write where root installed, and packages that only root can read."""
    for called, where in system.programs_started(reading).items():
        if called in {"uv", "uvx", "poetry", "pipenv", "pdm", "pip", "pip3"}:
            return Refused(
                f"{where} calls {called}, which writes to its environment and to a cache below the home folder",
                "start the program itself",
            )
    for stage in stages:
        for act in stage.installs:
            if act.call is not None and act.call.has("--user") and act.call.manager == "pip":
                line = stage.line(act.step)
                return Refused(
                    f"line {line} installs below /root (--user), which only root can read",
                    "install without --user",
                )
    return None


def _by_home(reading: StageReading, stages: tuple[PythonStage, ...]) -> Refused | None:
    variables = {name for step in reading.steps if step.keyword == "ENV" for name, _ in step.node.pairs}
    moved = {
        "HOME",
        "XDG_CACHE_HOME",
        "MPLCONFIGDIR",
        "HF_HOME",
        "TRANSFORMERS_CACHE",
        "NLTK_DATA",
        "TORCH_HOME",
    }
    installs = [one for stage in stages for one in read_installs(stage) if isinstance(one, ReadInstall)]
    for install in installs:
        for need in install.requirements:
            what = _HOME_CACHES.get(need.name or "")
            if what is not None and not variables & moved:
                return Refused(
                    f"{need.name} writes {what} below the home folder, which a new user has not",
                    "give the user a home folder, or set HOME to a folder that it may write",
                )
    return None


def _by_start(reading: StageReading) -> dict[str, str] | Refused:
    """Folders of what servers write by their options -> why: log files, pid files, sockets, schedules."""
    roots = roots_of(reading)
    found: dict[str, str] = {}
    for root in roots if not isinstance(roots, Refused) else ():
        words = root.words
        served = SERVERS & {word.rpartition("/")[2] for word in words}
        if not served:
            continue
        for option, value in zip(words, (*words[1:], "")):
            name, equals, given = option.partition("=")
            value = (given if equals else value).removeprefix("unix:")
            if name not in _PATH_OPTIONS or not value or value.startswith(("-", "/dev/", ":")):
                continue
            if name in {"-s", "--socket"} and ("/" not in value or ":" in value):
                continue
            if "$" in value:
                return Refused(f"{root.where} writes to {value}, which depends on a variable")
            folder = posixpath.dirname(join(root.folder, value)) or "/"
            if not re.match(CALM, folder + "/"):
                found[folder] = f"{root.where} writes to {value} ({name})"
        if "celery" in served and ("beat" in words or "-B" in words):
            found.setdefault(root.folder, f"{root.where} runs celery beat, which keeps celerybeat-schedule there")
    return found


def _by_django(reading: StageReading) -> dict[str, str] | Refused:
    """Folders that manage.py writes to where a start command or script calls it -> why."""
    roots = roots_of(reading)
    found: dict[str, str] = {}
    for root in roots if not isinstance(roots, Refused) else ():
        if "manage.py" not in " ".join(root.words):
            continue
        if "makemigrations" in root.words:
            return Refused(
                f"{root.where} calls makemigrations, which writes into the sources", "make migrations beforehand"
            )
        if "collectstatic" in root.words:
            static = static_root(reading)
            if static is None:
                return Refused(
                    f"{root.where} calls collectstatic, and where STATIC_ROOT is could not be read from the settings",
                    "run collectstatic in the Dockerfile",
                )
            found[static] = f"{root.where} calls collectstatic, which writes to it"
    return found


_STATIC_ROOT = re.compile(
    r"^STATIC_ROOT\s*=\s*(?:str\()?(?:BASE_DIR\s*/\s*|os\.path\.join\(\s*BASE_DIR\s*,\s*|)[\"']([^\"']+)[\"']",
    re.MULTILINE,
)


def static_root(reading: StageReading) -> str | None:
    """Where Django's collectstatic puts its files, as an absolute path of the image."""
    for source, target in source_folders(reading):
        files = reading.context.files(source)
        for path in files if not isinstance(files, Unknown) else ():
            if "settings" not in path or not path.endswith(".py"):
                continue
            text = reading.context.read(path)
            found = _STATIC_ROOT.search(text) if isinstance(text, str) else None
            if found is None or not isinstance(text, str):
                continue
            if found[1].startswith("/"):
                return join("/", found[1])
            root = join(target, posixpath.relpath(posixpath.dirname(path) or ".", source or "."))
            return join(_base_folder(text, root) or reading.final_workdir, found[1])
    return None
