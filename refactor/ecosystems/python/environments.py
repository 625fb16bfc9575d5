"""Where the packages of a Python stage are: one virtual environment, which both stages of a split have; and what keeps
them from being moved into one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES, is_test
from refactor.ecosystems import system
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.deployed import commands_of
from refactor.ecosystems.python import needs
from refactor.ecosystems.python.effects import makes_environment
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.versions import first_line
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.images import BaseImage, pypi

HOME = "/opt/venv"
"""The environment that a split makes where the stage has none."""


def making() -> list[str]:
    """The instructions that make it in the builder."""
    return [f"RUN python -m venv {HOME}", environment_text()]


def environment_text(path: str = HOME) -> str:
    """What puts it in force."""
    return f'ENV VIRTUAL_ENV={path} \\\n    PATH="{path}/bin:$PATH"'


class Environment(NamedTuple):
    """Where the packages are, and what makes that known to the program."""

    path: str
    """Absolute path of the virtual environment."""
    is_new: bool
    """The split makes it; else the stage did."""
    copied: tuple[str, ...]
    """Absolute paths that the runner gets from the builder."""


def find_environment(
    stage: PythonStage, installs: Sequence[ReadInstall], image: BaseImage, is_put_on_path: bool
) -> Environment | Refused:
    """The environment that all installations of the stage share, or why there is none that could be copied.

    ``is_put_on_path``: the runner will name it on PATH, whatever the stage does.
    """
    homes = {join(one.folder, ".venv"): one for one in installs if _makes_own(stage, one)}
    made = [path for _, path in stage.environments]
    # An editable install by pip leaves metadata beside the sources; poetry, uv and pdm do not.
    beside = [
        one for one in installs if one.is_editable and (one.call is None or one.call.manager in {"pip", "pipenv"})
    ]
    folders = dict.fromkeys(install.folder for install in beside)
    if "/" in folders:
        return Refused(
            "the project is installed in place in /, which cannot be copied as a folder",
            "set a WORKDIR before the sources are copied",
        )
    path = next(iter(homes), made[-1] if made else HOME)
    refused = next(_why_not_shared(stage, installs, homes), None) or next(
        (one for project in homes.values() if (one := _why_not_own_python(stage, project, image)) is not None), None
    )
    if refused is None and (homes or made):
        refused = next(_why_not_used(stage, installs, path, is_made=not homes, is_put_on_path=is_put_on_path), None)
    return refused or Environment(path, not homes and not made, (*(homes or made or [HOME]), *folders))


def _why_not_shared(
    stage: PythonStage, installs: Sequence[ReadInstall], homes: Mapping[str, ReadInstall]
) -> Iterator[Refused]:
    plain = next((one for one in installs if not _makes_own(stage, one)), None)
    for project in homes.values() if plain is not None else ():
        lines = f"{stage.line(project.act.step)} and {stage.line(plain.act.step)}" if plain is not None else ""
        yield Refused(f"lines {lines} install into two environments", "install everything with one tool")
    for act in (act for act in stage.acts if act.action is Action.VENV):
        line = stage.line(act.step)
        if act.effect.why_unknown is not None:
            yield Refused(f"where line {line} makes the environment depends on a variable")
        if act.call is not None and act.call.has("--system-site-packages"):
            yield Refused(f"the environment made on line {line} also uses the system's packages")
    if len(homes) > 1:
        yield Refused(f"several projects are installed: {', '.join(homes)}")


def _makes_own(stage: PythonStage, install: ReadInstall) -> bool:
    """The tool makes an environment in the project's folder; else it takes the active one."""
    return install.call is not None and makes_environment(stage.reading, install.act.step, install.call)


def _is_active(stage: PythonStage, installs: Sequence[ReadInstall], path: str) -> bool:
    """Packages go into it, and the container starts from it."""
    if f"{path}/bin" in stage.on_path or stage.reading.environment.get("VIRTUAL_ENV") == path:
        return True
    return _starts_from(stage, path) and all(
        (install.act.command.name or "").startswith(path + "/bin/")
        or any(act.command.name in {".", "source"} for act in stage.acts_of(install.act.step))
        or (install.call is not None and install.call.manager == "uv")
        for install in installs
    )


def _starts_from(stage: PythonStage, path: str) -> bool:
    """The start command, or what it calls, names the environment."""
    start = stage.reading.start
    text = "" if start is None else " ".join(start.argv) + (start.script.text if start.script else "")
    return path in text or f"{posixpath.basename(path)}/bin/" in text


def _why_not_used(
    stage: PythonStage, installs: Sequence[ReadInstall], path: str, *, is_made: bool, is_put_on_path: bool
) -> Iterator[Refused]:
    """Something of the context lands on the environment, or nothing uses it. ``is_made``: by the stage, by name."""
    hint, is_active = f'set ENV PATH="{path}/bin:$PATH"', _is_active(stage, installs, path)
    if is_made and not is_active:
        line = stage.line(stage.environments[-1][0].step)
        yield Refused(f"{path} is made on line {line}, but not on PATH when packages are installed", hint)
    inside = stage.reading.in_context(path)
    if inside:
        because = f"{inside} of the build context would be copied over the environment"
        yield Refused(because, f"add {inside} to .dockerignore")
    if not is_put_on_path and not is_active and not _starts_from(stage, path):
        yield Refused(f"packages are in {path}, but neither PATH nor the start command names it", hint)


def _why_not_own_python(stage: PythonStage, install: ReadInstall, image: BaseImage) -> Refused | None:
    """uv fetches another interpreter where the image's does not fit; it would be missing in the runner."""
    is_uv = install.call is not None and install.call.manager == "uv"
    pinned = next((path for path in install.manifests if is_uv and path.endswith(".python-version")), None)
    if pinned is None:
        return None
    version, have = first_line(stage.reading.context, pinned), image.version
    if version is None:
        return Refused(f"which Python {pinned} asks for is not known")
    if not have or (version + ".").startswith(have + ".") or (have + ".").startswith(version + "."):
        return None
    because = f"{pinned} asks for Python {version}, which uv downloads: the base image has {have}"
    return Refused(because, f"start from python:{version}")


# What keeps the packages where they are

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
    for program, where in programs_started(reading).items():
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
        found = _OUTSIDE.search(context.text(path))
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


__all__ = ["Environment", "environment_text", "find_environment", "making", "why_not_moved"]
