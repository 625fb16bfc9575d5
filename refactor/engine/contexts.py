"""Which folder a Dockerfile's build sees, and what else in the repository counts on the image.

The folder: ``--context`` or the configuration; else what a Compose file says; else the Dockerfile's own folder, unless
only a folder above it holds what the Dockerfile copies.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from refactor.context import BuildContext
from refactor.context.names import COMPOSE_NAME
from refactor.context.storage import Folder
from refactor.engine.discovery import repository_of
from refactor.syntax import Dockerfile

if TYPE_CHECKING:
    from refactor.context.history import History
    from refactor.context.repository import Repository


class ContextFinder:
    """Opens the build context of each Dockerfile of a run; what a repository says of its images is read once."""

    def __init__(self) -> None:
        self._repositories: dict[str, Repository] = {}
        self._histories: dict[str, History] = {}
        self._tops: dict[str, str] = {}
        self._compose: dict[str, bool] = {}
        self._above: dict[str, str | None] = {}
        """What :func:`repository_of` knows."""

    def open(self, path: str, file: Dockerfile, root: str | None = None) -> BuildContext:
        """The context of the Dockerfile at ``path``; it knows who uses the image. ``root`` decides if given."""
        absolute = os.path.abspath(path)
        top = self._top(os.path.dirname(absolute))
        dockerfile = _relative(absolute, top)
        folder = root or self._composed(dockerfile, top) or self._guess(absolute, file)
        context = BuildContext.open(folder, absolute)
        if context.root is not None and f"{context.root}/".startswith(f"{top.rstrip('/')}/"):
            context.top = top
        context.history = lambda: self._history(folder)
        context.deployment = lambda: self._repository(top).deployment(dockerfile, _relative(folder, top))
        return context

    def _history(self, folder: str) -> History:
        history = self._histories.get(folder)
        if history is None:
            from refactor.engine.history import read_history

            history = self._histories[folder] = read_history(folder)
        return history

    def _repository(self, top: str) -> Repository:
        repository = self._repositories.get(top)
        if repository is None:
            # Most files of most runs have no question to it: its readers are loaded with the first.
            from refactor.context.repository import Repository

            # The files of one repository come one after the other.
            self._repositories = {top: (repository := Repository(Folder(top)))}
        return repository

    def _composed(self, dockerfile: str, top: str) -> str | None:
        """The folder of the build context that a Compose file beside the Dockerfile or above names."""
        folder = os.path.dirname(os.path.join(top, dockerfile))
        while not self._has_compose(folder):
            if folder == top or folder == os.path.dirname(folder):
                return None
            folder = os.path.dirname(folder)
        built = next(iter(self._repository(top).builds_of(dockerfile)), None)
        return None if built is None else os.path.normpath(os.path.join(top, built.context or ""))

    def _has_compose(self, folder: str) -> bool:
        found = self._compose.get(folder)
        if found is None:
            try:
                found = any("compose" in name.lower() and re.match(COMPOSE_NAME, name) for name in os.listdir(folder))
            except OSError:
                found = False
            self._compose[folder] = found
        return found

    def _top(self, folder: str) -> str:
        top = self._tops.get(folder)
        if top is None:
            here = os.getcwd()
            is_below = folder == here or folder.startswith(here.rstrip(os.sep) + os.sep)
            top = self._tops[folder] = repository_of(folder, self._above) or (here if is_below else folder)
        return top

    def _guess(self, path: str, file: Dockerfile) -> str:
        own = os.path.dirname(path)
        wanted = [
            source.lstrip("/")
            for node in file.instructions
            if node.keyword in {"COPY", "ADD"} and node.flag("from") is None
            for source in node.sources
            if "$" not in source and "*" not in source and "://" not in source
        ]
        wanted = [source for source in wanted if source.strip("./")]
        if not wanted or _holds(own, wanted):
            return own
        top, folder = self._top(own), own
        while folder != top and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
            if _holds(folder, wanted):
                return folder
        return own


def _holds(folder: str, paths: list[str]) -> bool:
    return all(os.path.lexists(os.path.join(folder, path)) for path in paths)


def _relative(path: str, top: str) -> str:
    above = top.rstrip(os.sep) + os.sep
    found = (path[len(above) :] if path.startswith(above) else os.path.relpath(path, top)).replace(os.sep, "/")
    return "" if found == "." else found
