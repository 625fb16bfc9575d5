"""Where a Python program writes when it runs, as paths in the image."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.context import Unknown
from refactor.ecosystems.ecosystem import Written
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.reading import Refused, StageReading, join

if TYPE_CHECKING:
    from refactor.context.python_source import PythonFacts, Use

_HOME_CACHES = {
    "matplotlib": "its font cache", "transformers": "downloaded models", "sentence-transformers": "downloaded models",
    "huggingface-hub": "downloaded models", "nltk": "downloaded data", "keras": "downloaded models", "torch-hub": "models",
    "streamlit": "its settings", "jupyter": "its settings", "notebook": "its settings", "jupyterlab": "its settings",
    "gdown": "cookies", "yfinance": "a time zone cache", "spotipy": "a token cache", "newspaper3k": "downloaded articles",
    "openai-whisper": "downloaded models", "easyocr": "downloaded models", "playwright": "browsers",
    "pyppeteer": "a browser", "webdriver-manager": "browser drivers", "undetected-chromedriver": "a browser driver",
    "datasets": "downloaded data", "diffusers": "downloaded models", "torchvision": "downloaded models",
}  # fmt: skip
"""Distributions that write below the home folder of the user they run as, and what."""

_CALM = re.compile(r"^/(?:dev|proc|tmp|var/tmp)(?:/|$)")


def written(reading: StageReading) -> Written | Refused:
    """The absolute paths, or why they are not known."""
    from refactor.context.python_source import program_facts

    context = reading.context
    sources = _source_folders(reading)
    paths: dict[str, str] = {}
    for source, target in sources:
        facts = program_facts(context, source)
        if isinstance(facts, Unknown):
            return Refused(f"where the program writes is not known: {facts.reason}")
        for one in facts:
            if _is_tool(one.path):
                continue
            for use in one.written:
                place = _place(reading, one, use, source, target)
                if isinstance(place, Refused):
                    return place
                if place is not None and not _CALM.match(place):
                    paths.setdefault(place, f"{one.path}:{use.line} writes to it ({use.call})")
    answer = _by_home(reading)
    if answer is not None:
        return answer
    started = _by_start(reading)
    if isinstance(started, Refused):
        return started
    for path, why in started.items():
        paths.setdefault(path, why)
    folders: dict[str, str] = {}
    for path, why in paths.items():
        folder = path if _is_folder(reading, path) else posixpath.dirname(path) or "/"
        folders.setdefault(folder, f"{path}: {why}")
    tops = {path: why for path, why in folders.items()
            if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in folders)}  # fmt: skip
    evidence = tuple(tops.values()) or ("no source of the program opens a file to write it",)
    return Written(tuple(tops), evidence)


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


def _place(
    reading: StageReading, facts: PythonFacts, use: Use, source: str, target: str
) -> str | Refused | None:
    if use.path is None:
        return Refused(
            f"{facts.path}:{use.line} writes to a path that is only known when it runs ({use.call})",
            "name that path in the source as text, or set USER by hand",
        )
    path = use.path
    if path in {":memory:", ""}:
        return None
    if path.startswith("~"):
        return Refused(
            f"{facts.path}:{use.line} writes below the home folder ({path})", "set USER and HOME by hand"
        )
    if use.is_anchored:
        inside = path[len(source) :].lstrip("/") if source and path.startswith(source) else path
        return join(target, inside or ".")
    if path.startswith("/"):
        return join("/", path)
    return join(reading.final_workdir, path)


def _is_folder(reading: StageReading, path: str) -> bool:
    """A folder: it is one in the context, or its name has no suffix."""
    inside = reading.in_context(path)
    if inside is not None:
        return reading.context.is_dir(inside) is True
    return "." not in posixpath.basename(path).lstrip(".")


def _installs(reading: StageReading) -> tuple[ReadInstall, ...]:
    """Installations of all stages of the file: the runner of a split has none of its own."""
    found: list[ReadInstall] = []
    for stage in reading.file.stages:
        other = reading if stage is reading.stage else StageReading(reading.file, stage, reading.context)
        found += [one for one in read_installs(PythonStage(other)) if isinstance(one, ReadInstall)]
    return tuple(found)


def _by_home(reading: StageReading) -> Refused | None:
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
    for install in _installs(reading):
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
    for option in ("--access-logfile", "--error-logfile", "--log-file", "--access-log", "--pid", "--pidfile", "--logto",
                   "--logfile", "--socket", "-s", "--schedule", "--daemonize", "--uds", "--worker-tmp-dir"):  # fmt: skip
        for index, word in enumerate(words):
            value = word.partition("=")[2] if word.startswith(option + "=") else (
                words[index + 1] if word == option and index + 1 < len(words) else "")  # fmt: skip
            value = value.removeprefix("unix:")
            if (
                not value
                or value in {"-", "/dev/stdout", "/dev/stderr"}
                or value.startswith(("-", "/dev", ":"))
            ):
                continue
            if option in {"-s", "--socket"} and ("/" not in value or ":" in value):
                continue
            if "$" in value:
                return Refused(f"the start command writes to {value}, which depends on a variable")
            found[join(reading.final_workdir, value)] = f"the start command writes to it ({option})"
    programs = {word.rpartition("/")[2] for word in words}
    if "celery" in programs and ("beat" in words or "-B" in words):
        found.setdefault(
            join(reading.final_workdir, "celerybeat-schedule"), "celery beat keeps its schedule there"
        )
    return found
