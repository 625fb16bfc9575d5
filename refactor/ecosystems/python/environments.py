"""Where the packages of a Python stage are: one virtual environment, which both stages of a split have."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from refactor.ecosystems.python.effects import makes_environment
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.tools import Action
from refactor.ecosystems.versions import first_line
from refactor.flow.reading import Refused, join
from refactor.images import BaseImage

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
    homes = {home: install for install in installs if (home := _own_environment(stage, install)) is not None}
    plain = next((install for install in installs if _own_environment(stage, install) is None), None)
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
    path, project = next(iter(homes.items()), ("", None))
    if project is not None and plain is not None:
        return Refused(
            f"lines {stage.line(project.act.step)} and {stage.line(plain.act.step)} install into two environments",
            "install everything with one tool",
        )
    for act in stage.acts:
        if act.action is Action.VENV and act.effect.why_unknown is not None:
            return Refused(f"where line {stage.line(act.step)} makes the environment depends on a variable")
    for act, _ in stage.environments:
        if act.call is not None and act.call.has("--system-site-packages"):
            return Refused(f"the environment made on line {stage.line(act.step)} also uses the system's packages")
    if len(homes) > 1:
        return Refused(f"several projects are installed: {', '.join(homes)}")
    if project is not None:
        answer = _why_not_own_python(stage, project, image)
        answer = answer or _why_not_used(stage, installs, path, is_put_on_path=is_put_on_path)
        return answer or Environment(path, False, (path, *folders))
    if not stage.environments:
        return Environment(HOME, True, (HOME, *folders))
    act, path = stage.environments[-1]
    if not _is_active(stage, installs, path):
        return Refused(
            f"{path} is made on line {stage.line(act.step)}, but not on PATH when packages are installed",
            f"set PATH to {path}/bin:$PATH before the install",
        )
    refused = _why_not_used(stage, installs, path, is_put_on_path=is_put_on_path)
    return refused or Environment(path, False, (*(made for _, made in stage.environments), *folders))


def _own_environment(stage: PythonStage, install: ReadInstall) -> str | None:
    """The environment that the tool makes in the project's folder, None where it takes the active one."""
    is_made = install.call is not None and makes_environment(stage.reading, install.act.step, install.call)
    return join(install.folder, ".venv") if is_made else None


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
    stage: PythonStage, installs: Sequence[ReadInstall], path: str, *, is_put_on_path: bool
) -> Refused | None:
    """Something of the context lands on the environment, or nothing uses it."""
    inside = stage.reading.in_context(path)
    if inside:
        return Refused(
            f"{inside} of the build context would be copied over the environment", f"add {inside} to .dockerignore"
        )
    if is_put_on_path or _is_active(stage, installs, path) or _starts_from(stage, path):
        return None
    return Refused(
        f"packages are in {path}, but neither PATH nor the start command names it", f'set ENV PATH="{path}/bin:$PATH"'
    )


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


__all__ = ["HOME", "Environment", "environment_text", "find_environment", "making"]
