"""The version of Python that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place


def _plain(text: str) -> str:
    return text.removeprefix("python-").removeprefix("cpython-")


NAMING = Naming(
    "Python",
    ".python-version with the version, such as 3.13",
    (
        Place(".python-version", plain=_plain),
        Place("runtime.txt", plain=_plain),
        Place("pyproject.toml", "project.requires-python", said="requires-python"),
        Place("pyproject.toml", "tool.poetry.dependencies.python"),
        Place("Pipfile", "requires.python_full_version", said="python_full_version"),
        Place("Pipfile", "requires.python_version", said="python_version"),
    ),
    ("python",),
)
