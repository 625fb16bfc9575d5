"""Where the packages of a Python stage are: one virtual environment, which both stages of a split have."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.python.installs import ReadInstall
from refactor.ecosystems.python.stage import PythonStage
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
    return _Finder(stage, installs, image, is_put_on_path).found()


class _Finder:
    def __init__(
        self, stage: PythonStage, installs: Sequence[ReadInstall], image: BaseImage, is_put_on_path: bool
    ) -> None:
        self.stage = stage
        self.reading = stage.reading
        self.installs = installs
        self.image = image
        self.is_put_on_path = is_put_on_path

    def found(self) -> Environment | Refused:
        stage = self.stage
        projects: dict[str, ReadInstall] = {}
        plain: list[ReadInstall] = []
        for install in self.installs:
            home = self._own_environment(install)
            if home is not None:
                projects[home] = install
            else:
                plain.append(install)
        folders: list[str] = []
        for install in self.installs:
            if install.is_editable and self._needs_folder(install):
                if install.folder == "/":
                    return Refused("the project is installed in place in /, which cannot be copied as a folder",
                                   "set a WORKDIR before the sources are copied")  # fmt: skip
                folders.append(install.folder)
        if projects and plain:
            first, second = next(iter(projects.values())), plain[0]
            return Refused(
                f"lines {stage.line(first.act.step)} and {stage.line(second.act.step)} install into two environments",
                "install everything with one tool",
            )
        made = stage.environments
        for act, path in made:
            if act.call is not None and act.call.has("--system-site-packages"):
                return Refused(f"the environment made on line {stage.line(act.step)} also uses the system's packages")
            if "$" in path:
                return Refused(f"where line {stage.line(act.step)} makes the environment depends on a variable")
        if projects:
            if len(projects) > 1:
                return Refused(f"several projects are installed: {', '.join(projects)}")
            path, install = next(iter(projects.items()))
            reason = self._why_not_own_python(install)
            if reason is not None:
                return reason
            return self._checked(Environment(path, False, (path, *folders)))
        if made:
            if not self._is_active(made[-1][1]):
                return Refused(
                    f"{made[-1][1]} is made on line {stage.line(made[-1][0].step)}, but not on PATH when packages are "
                    "installed",
                    f"set PATH to {made[-1][1]}/bin:$PATH before the install",
                )
            return self._checked(Environment(made[-1][1], False, (*(path for _, path in made), *folders)))
        return Environment(HOME, True, (HOME, *dict.fromkeys(folders)))

    def _needs_folder(self, install: ReadInstall) -> bool:
        """An editable install by pip or setup.py leaves metadata beside the sources; poetry, uv and pdm do
        not.
        """
        return install.call is None or install.call.manager == "pip" or install.call.manager == "pipenv"

    def _own_environment(self, install: ReadInstall) -> str | None:
        """The environment that the tool makes in the project's folder, None where it takes the active one."""
        call = install.call
        if call is None:
            return None
        variables = self.stage.variables
        if call.manager == "uv" and not call.verb.startswith("pip"):
            return join(install.folder, ".venv")
        in_project = False
        if call.manager == "poetry":
            in_project = variables.get("POETRY_VIRTUALENVS_IN_PROJECT", "").lower() in {"1", "true"} or any(
                act.call is not None and act.call.manager == "poetry" and act.call.action == "config"
                and [word.literal for word in act.call.operands][:2] == ["virtualenvs.in-project", "true"]
                for act in self.stage.acts
            )  # fmt: skip
        elif call.manager == "pipenv":
            in_project = variables.get("PIPENV_VENV_IN_PROJECT", "").lower() in {
                "1",
                "true",
            } and not call.has("--system")
        elif call.manager == "pdm":
            in_project = variables.get("PDM_USE_VENV", "true").lower() in {"1", "true"}
        return join(install.folder, ".venv") if in_project else None

    def _is_active(self, path: str) -> bool:
        value = self.stage.variables.get("PATH", "")
        if path + "/bin" in value or self.stage.variables.get("VIRTUAL_ENV") == path:
            return True
        return all(
            (install.act.command.name or "").startswith(path + "/bin/")
            or any(act.command.name in {".", "source"} for act in self.stage.acts_of(install.act.step))
            or (install.call is not None and install.call.manager in {"uv"})
            for install in self.installs
        ) and self._starts_from(path)

    def _starts_from(self, path: str) -> bool:
        """The start command, or what it calls, names the environment."""
        start = self.reading.start
        if start is None:
            return False
        text = " ".join(start.argv) + (start.script.text if start.script else "")
        name = posixpath.basename(path)
        return path in text or f"{name}/bin/" in text

    def _checked(self, environment: Environment) -> Environment | Refused:
        """Nothing of the context lands on the environment, and something uses it."""
        inside = self.reading.in_context(environment.path)
        if inside:
            return Refused(
                f"{inside} of the build context would be copied over the environment",
                f"add {inside} to .dockerignore",
            )
        if (
            not self.is_put_on_path
            and not self._is_active(environment.path)
            and not self._starts_from(environment.path)
        ):
            return Refused(
                f"packages are in {environment.path}, but neither PATH nor the start command names it",
                f'set ENV PATH="{environment.path}/bin:$PATH"',
            )
        return environment

    def _why_not_own_python(self, install: ReadInstall) -> Refused | None:
        """uv fetches another interpreter where the image's does not fit; it would be missing in the runner."""
        from refactor.context.python_manifests import read_version_file

        if install.call is None or install.call.manager != "uv":
            return None
        pinned = next((path for path in install.manifests if path.endswith(".python-version")), None)
        if pinned is None:
            return None
        version = read_version_file(self.reading.context, pinned)
        have = self.image.version
        if isinstance(version, Unknown):
            return Refused(version.reason)
        if not have or (version + ".").startswith(have + ".") or (have + ".").startswith(version + "."):
            return None
        return Refused(f"{pinned} asks for Python {version}, which uv downloads: the base image has {have}",
                       f"start from python:{version}")  # fmt: skip
