"""What keeps the packages of a stage from being moved into a virtual environment of another one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES, is_test
from refactor.ecosystems import system
from refactor.ecosystems.deployed import commands_of
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.environments import HOME
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.images import BaseImage, pypi

_NAMES_PROGRAMS = (".sh", ".conf", ".cfg", ".ini", ".cron", ".service", ".py")
"""Files that may name the interpreter, or a program of the environment, by its path."""
_NO_PROGRAMS = ("Dockerfile", "Makefile", "LICENSE", "README", ".git")
_NAMING = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN", "ENV", "COPY"})
_LOGIN = tuple((option,) for option in ("-l", "-lc", "-cl", "--login"))
_FORBIDDEN_VARIABLES = frozenset(
    {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONUSERBASE", "PYTHONHOME", "UV_SYSTEM_PYTHON",
     "UV_PROJECT_ENVIRONMENT", "PIP_ROOT", "PIP_PYTHON", "CONDA_PREFIX"}
)  # fmt: skip
_OUTSIDE = re.compile(
    r"/opt/pypy/(?:bin|lib|site-packages)(?:/[\w.-]+)*|/usr/local/lib/python3[\w.]*|"
    r"/usr/local/bin/(?:python|pip|gunicorn|uvicorn|uwsgi|celery|flask|django-admin|alembic|"
    r"hypercorn|daphne|supervisord|streamlit|jupyter|scrapy)[\w.]*"
)
_PLACES = (b"/usr/local/", b"/opt/pypy/")


def why_not_moved(
    stage: PythonStage, installs: Sequence[ReadInstall], image: BaseImage, built: Iterable[str]
) -> Refused | None:
    """The first obstacle, by name."""
    return next(_obstacles(stage, installs, image, built), None)


def _obstacles(
    stage: PythonStage, installs: Sequence[ReadInstall], image: BaseImage, built: Iterable[str]
) -> Iterator[Refused]:
    if image.version.startswith("2"):
        yield Refused("Python 2 has no venv module", "move to Python 3")
    for step in stage.reading.steps:
        yield from _set_up(stage, step)
    library, compiler = needs.why_library_unknown(image, built), needs.why_compiler_stays(installs)
    if library is not None:
        yield Refused(library, "name the release in the image's tag (python:3.11-bookworm)")
    builds = system.build_only(stage.reading) if compiler is not None else ()
    if builds:
        yield Refused(f"{compiler}: {', '.join(builds)} cannot be left out")
    for install in installs:
        yield from _installed(stage, install)
    yield from _started(stage)
    if not stage.environments:
        yield from _outside(stage.reading)
    if image.family == "pypy":
        yield from _on_pypy(installs, image)


def _set_up(stage: PythonStage, step: Step) -> Iterator[Refused]:
    line = stage.line(step)
    if step.keyword == "ONBUILD":
        yield Refused(f"ONBUILD on line {line} is for images built from this one, which would get the runner")
    for name, value in step.node.pairs if step.keyword in {"ENV", "ARG"} else ():
        if name in _FORBIDDEN_VARIABLES:
            yield Refused(f"{name} on line {line} says where packages are installed", f"remove {name}")
        if name == "PATH" and "PATH" not in value.replace("PATH=", ""):
            yield Refused(f"line {line} sets PATH without the base image's own", "append to $PATH")


def _installed(stage: PythonStage, install: ReadInstall) -> Iterator[Refused]:
    act, call = install.act, install.call
    line, user, name = stage.line(act.step), act.step.user, act.command.name or ""
    if act.command.is_conditional:
        yield Refused(f"line {line} installs packages only under a condition", "use an `&&` list")
    if user not in {None, "", "root", "0", "root:root", "0:0"} and not stage.environments:
        because = f"line {line} installs packages as the user {user}, who cannot write to {HOME}"
        yield Refused(because, "install before USER")
    if call is None:
        return
    if any(wrapper.rpartition("/")[2] == "sudo" for wrapper in act.command.wrappers):
        yield Refused(f"line {line} installs with sudo, which sets a PATH of its own", "leave sudo out")
    options = ("-t", "--target", "--prefix", "--root", "--python") if call.manager in {"pip", "uv"} else ()
    given = next((option for option in options if call.option(option) is not None), None)
    if given is not None:
        yield Refused(f"line {line} installs into a folder of its own ({given} {call.option(given)})")
    if name.startswith("/") and not any(name.startswith(path + "/") for _, path in stage.environments):
        because = f"line {line} calls {name} by its path, which is outside of a virtual environment"
        yield Refused(because, f"call {posixpath.basename(name)} by name")


def _started(stage: PythonStage) -> Iterator[Refused]:
    """What is started calls a tool that the runner has not, or drops the PATH that has the environment in it."""
    reading, tools = stage.reading, set(stage.tools)
    for program, where in system.programs_started(reading).items():
        if program in {"su", "sudo", "runuser"}:
            yield Refused(f"{where} calls {program}, which sets a PATH without the virtual environment")
    for service in reading.context.deployment.services:
        found = next((words[0] for words in commands_of(service) if words[0] in tools and "run" in words), None)
        if found is not None:
            yield Refused(f"{service.source} starts the image with `{found} run`, so the runner needs {found}")
    argv = reading.start.argv if reading.start is not None else ()
    if argv and argv[0].rpartition("/")[2] in {"bash", "sh"} and argv[1:2] in _LOGIN:
        yield Refused("the start command is a login shell, which sets a PATH without the virtual environment")


def _outside(reading: StageReading) -> Iterator[Refused]:
    """Something names the interpreter or an installed program by its path in /usr/local."""
    hint = "call it by name"
    for step in reading.steps:
        found = _OUTSIDE.search(step.node.argument) if step.keyword in _NAMING else None
        if found is not None and not _is_copied_there(reading, found[0]):
            line = reading.file.line_of(step.node)
            yield Refused(f"line {line} names {found[0]}, which is outside of a virtual environment", hint)
    context = reading.context
    files = context.files(without=NOT_SOURCES)
    if isinstance(files, Unknown):
        yield Refused(files.reason)
    composed = {service.source for service in context.deployment.services if service.kind != "ci"}
    for path in files[:5_000] if not isinstance(files, Unknown) else ():
        name = posixpath.basename(path)
        is_read = path in composed or "." not in name.lstrip(".") or name.endswith(_NAMES_PROGRAMS)
        if not is_read or is_test(path) or name.startswith(_NO_PROGRAMS):
            continue
        data = context.read_bytes(path)
        if isinstance(data, Unknown) or b"\0" in data[:1024] or not any(one in data for one in _PLACES):
            continue
        found = _OUTSIDE.search(data.decode("utf-8", "replace"))
        if found is not None and not _is_copied_there(reading, found[0]):
            yield Refused(f"{path} names {found[0]}, which is outside of a virtual environment", hint)


def _is_copied_there(reading: StageReading, path: str) -> bool:
    """A file of the context, or of another image, that the Dockerfile puts at this path."""
    own = (one.target for one in reading.copies if one.target not in {"/", "/usr", "/usr/local"})
    others = (step.node for step in reading.steps if step.keyword == "COPY" and step.node.flag("from") is not None)
    return any(is_within(path, target) for target in own) or any(
        (node.destination or "").startswith("/usr/local") for node in others
    )


def _on_pypy(installs: Sequence[ReadInstall], image: BaseImage) -> Iterator[Refused]:
    """A distribution that may be compiled on the full image with libraries that nobody names; wheels for CPython fit no
    PyPy."""
    from refactor.images.system_packages import native_build_needs

    for install in installs:
        for need in install.requirements:
            if need.name == "uwsgi":
                yield Refused("uwsgi has PyPy by a plugin, and what that is linked with is not known", "use gunicorn")
            if need.url is not None and not need.needs_git:
                name = need.name or need.url
                yield Refused(
                    f"what {name} is linked with is not known: it comes from {need.url}",
                    "install a release of it from the index",
                )
    for shown in needs.judge(installs, image).unknown:
        name = re.split(r"[^\w.-]", shown)[0]
        if name not in pypi.LINKS_NOTHING | pypi.SOURCE_ONLY and not native_build_needs(name):
            yield Refused(
                f"nothing says whether {shown} has a wheel for PyPy {image.version}, nor what it is linked with where"
                " it is compiled",
                "lock the versions with poetry, uv or pdm, which list the files of each",
            )


__all__ = ["why_not_moved"]
