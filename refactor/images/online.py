"""``--online``: what the table of wheels lacks is asked of a package index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refactor.images.index import Project, read_project
from refactor.images.make_wheels import rows
from refactor.images.wheels import Row, read_row, table

PYPI = "https://pypi.org"


class Index:
    """What ``--online`` asks for: one request a distribution, kept for as long as the process lives."""

    MOST = 200
    """Requests of one process; what comes after stays unknown."""

    def __init__(self, url: str = PYPI) -> None:
        self.url = url
        self.problem = ""
        """Why the index was asked no more, in words; "" while it answers."""
        self._projects: dict[str, Project | None] = {}

    def __call__(self, name: str) -> Row | None:
        """The row that the table of wheels would have for ``name``, None where the index does not know it, too."""
        project = None if "[" in name else self._project(name)
        if project is None:
            return None
        lines = rows(project.files, {}, (), "")[1:]
        if not lines:
            return None
        compiled = tuple(sorted(set(self._needed(project.needs))))
        return read_row(lines[0])[1]._replace(needs=compiled)

    def _needed(self, names: Iterable[str]) -> Iterator[str]:
        """The distributions that these need, and what those need in turn."""
        pending, seen = list(names), set[str]()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            yield name
            line = table().lines.get(name)
            row = None if line is None else read_row(line)[1]
            project = None if row is not None else self._project(name)
            pending += row.needs if row is not None else project.needs if project is not None else ()

    def _project(self, name: str) -> Project | None:
        from urllib.error import HTTPError

        if name not in self._projects and not self.problem and len(self._projects) < self.MOST:
            self._projects[name] = None
            try:
                self._projects[name] = read_project(name, self.url)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                if not (isinstance(error, HTTPError) and error.code in {404, 410}):
                    self.problem = f"does not answer as a package index: {error}"
        return self._projects.get(name)
