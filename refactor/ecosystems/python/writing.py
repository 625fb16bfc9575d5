"""Where a Python program writes when it runs, as paths in the image."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.ecosystem import Written
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.stage import Action, PythonStage
from refactor.ecosystems.reading import Refused, StageReading, join
from refactor.shell import Command, read

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

_CALM = re.compile(r"^/(?:dev|proc|tmp|var/tmp)(?:/|$)")


def written(reading: StageReading) -> Written | Refused:
    """The absolute paths, or why they are not known."""
    from refactor.context.python_source import program_facts

    context = reading.context
    stages = PythonStage.all(reading)
    answer = _by_tool(reading, stages) or _by_home(reading, stages)
    if answer is not None:
        return answer
    folders: dict[str, str] = {}
    filled: set[str] = set()
    for source, target in _source_folders(reading):
        facts = program_facts(context, source)
        if isinstance(facts, Unknown):
            return Refused(f"where the program writes is not known: {facts.reason}")
        for one in facts:
            if _is_tool(one.path):
                continue
            for use in one.written:
                if (use.path or "").startswith(("django.", "sqlalchemy.")):
                    continue
                places = _places(reading, one, use, source, target)
                if isinstance(places, Refused):
                    return places
                for place in places:
                    if _CALM.match(place):
                        continue
                    folder = place if _is_folder(reading, place, use) else posixpath.dirname(place) or "/"
                    folders.setdefault(folder, f"{one.path}:{use.line} writes to {place} ({use.call})")
                    if folder != place and reading.in_context(place) is not None:
                        filled.add(folder)
    started = _by_start(reading)
    if isinstance(started, Refused):
        return started
    for path, why in started.items():
        folders.setdefault(posixpath.dirname(path) or "/", f"{why} ({path})")
    scripted = _by_scripts(reading)
    if isinstance(scripted, Refused):
        return scripted
    for path, why in scripted.items():
        folders.setdefault(path, why)
    stage = PythonStage.of(reading)
    tops = {
        path: why
        for path, why in folders.items()
        if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in folders)
    }
    if any(act.action is Action.PROGRAM for act in stage.acts):
        filled.update(tops)
    evidence = tuple(tops.values()) or ("no source of the program opens a file to write it",)
    return Written(tuple(tops), evidence, tuple(path for path in tops if path in filled))


def _source_folders(reading: StageReading) -> tuple[tuple[str, str], ...]:
    """Folders (or single sources) of the context that the image holds, with their places."""
    found: dict[str, str] = {}
    for copied in reading.copies:
        if copied.is_folder or copied.source.endswith(".py"):
            found.setdefault(copied.source, copied.target)
    tops = {
        source: target
        for source, target in found.items()
        if not any(source != other and (other == "" or source.startswith(other + "/")) for other in found)
    }
    return tuple(tops.items())


def _is_tool(path: str) -> bool:
    """Sources that no server runs: set-up scripts, migrations, documentation, examples, benchmarks."""
    parts = path.split("/")
    return bool(
        {"docs", "doc", "examples", "benchmarks", "migrations", "scripts", "notebooks", "ci", ".github"}
        & set(parts[:-1])
    ) or parts[-1] in {"setup.py", "conftest.py", "noxfile.py", "tasks.py", "fabfile.py", "noxfile_config.py"}


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
    for program, where in system.programs_started(reading).items():
        if program in {"uv", "uvx", "poetry", "pipenv", "pdm", "pip", "pip3"}:
            return Refused(
                f"{where} calls {program}, which writes to its environment and to a cache below the home folder",
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
    """What the start command itself writes: log files, pid files, sockets."""
    start = reading.start
    if start is None:
        return {}
    words = list(start.argv)
    if start.script is not None:
        words += [word.literal for command in start.script.commands for word in command.words]
        redirected = [target for command in start.script.commands for target in command.redirects]
        for redirect in redirected:
            name = redirect.lstrip("0123456789>&| ")
            if ">" in redirect and name and name not in {"1", "2"} and not name.startswith("/dev/"):
                return {join(reading.final_workdir, name): "the start command writes to it"}
    found: dict[str, str] = {}
    for option in _PATH_OPTIONS:
        for index, word in enumerate(words):
            value = word.partition("=")[2] if word.startswith(option + "=") else (
                words[index + 1] if word == option and index + 1 < len(words) else "")  # fmt: skip
            value = value.removeprefix("unix:")
            if not value or value in {"-", "/dev/stdout", "/dev/stderr"} or value.startswith(("-", "/dev", ":")):
                continue
            if option in {"-s", "--socket"} and ("/" not in value or ":" in value):
                continue
            if "$" in value:
                return Refused(f"the start command writes to {value}, which depends on a variable")
            found[join(reading.final_workdir, value)] = f"the start command writes to it ({option})"
    programs = {word.rpartition("/")[2] for word in words}
    if "celery" in programs and ("beat" in words or "-B" in words):
        found.setdefault(join(reading.final_workdir, "celerybeat-schedule"), "celery beat keeps its schedule there")
    return found


_MAKES_FOLDERS = frozenset({"mkdir"})
_CHANGES_FILES = frozenset({"touch", "tee", "truncate"})
_COPIES_FILES = frozenset({"cp", "mv", "ln", "install", "rsync"})


def _by_scripts(reading: StageReading) -> dict[str, str] | Refused:
    """Folders that the start command and the shell scripts it runs write to -> why."""
    start = reading.start
    if start is None:
        return {}
    scripts = [("the start command", start.script)] if start.script is not None else []
    words = list(start.argv)
    if start.script is not None:
        words += [word.literal for command in start.script.commands for word in command.words[:2]]
    for path in dict.fromkeys(filter(None, (system.script_path(reading, word) for word in words))):
        text = reading.context.read(path)
        if isinstance(text, str) and (path.endswith((".sh", ".bash")) or re.match(r"#!.*\b(?:ba|da|a)?sh\b", text)):
            scripts.append((path, read(text)))
    found: dict[str, str] = {}
    for where, script in scripts:
        for command in script.commands:
            answer = _by_command(reading, command, where)
            if isinstance(answer, Refused):
                return answer
            for path in answer:
                if not _CALM.match(path):
                    found.setdefault(path, f"{where} writes to it ({command.name})")
    return found


def _by_command(reading: StageReading, command: Command, where: str) -> tuple[str, ...] | Refused:
    name = (command.name or "").rpartition("/")[2]
    operands = [arg for arg in command.args if not arg.startswith("-")]
    folders: list[str] = []
    files = [target.lstrip("0123456789>&| ") for target in command.redirects if ">" in target and ">&" not in target]
    if "manage.py" in " ".join(command.args):
        if "makemigrations" in command.args:
            return Refused(f"{where} calls makemigrations, which writes into the sources", "make migrations beforehand")
        if "collectstatic" in command.args:
            root = _static_root(reading)
            if root is None:
                return Refused(
                    f"{where} calls collectstatic, and where STATIC_ROOT is could not be read from the settings",
                    "run collectstatic in the Dockerfile",
                )
            folders.append(root)
    if name in _MAKES_FOLDERS:
        folders += operands
    elif name in _CHANGES_FILES:
        files += operands
    elif name in _COPIES_FILES and operands:
        files.append(operands[-1])
    elif name == "sed" and any(arg.startswith("-i") or arg == "--in-place" for arg in command.args):
        files += operands[1:]
    elif name == "rm":
        files += operands
    for path in (*folders, *files):
        if "$" in path or "`" in path:
            return Refused(f"{where} writes to {path}, which depends on a variable", "set USER by hand")
    return (
        *(join(reading.final_workdir, path.strip("\"'")) for path in folders),
        *(posixpath.dirname(join(reading.final_workdir, path.strip("\"'"))) or "/" for path in files if path),
    )


_STATIC_ROOT = re.compile(
    r"^STATIC_ROOT\s*=\s*(?:str\()?(?:BASE_DIR\s*/\s*|os\.path\.join\(\s*BASE_DIR\s*,\s*|)[\"']([^\"']+)[\"']",
    re.MULTILINE,
)


def _static_root(reading: StageReading) -> str | None:
    """Where Django's collectstatic puts its files, as an absolute path of the image."""
    for source, target in _source_folders(reading):
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
