"""Which files are Dockerfiles, and which folder each one's build sees.

Names: the pattern of ``.pre-commit-hooks.yaml`` (``Dockerfile``, ``Containerfile``, ``Dockerfile.dev``,
``Dockerfile-dev``, ``api.dockerfile``), without templates, notes and ignore files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from refactor.context.storage import SKIPPED_FOLDERS
from refactor.engine.files import FileProblem

# Compiled where folders are searched only: a file that is named needs neither.
_NAME = r"(?i)(?:^|\.)(?:docker|container)file$|^(?:docker|container)file[^/]*$"
_NOT_A_NAME = (
    r"(?i)\.(?:dockerignore|containerignore|md|rst|txt|html?|j2|jinja2?|tmpl|tpl|template|erb|mustache|in|orig|rej|bak|swp"
    r"|py|go|js|ts|rb|java|sh|json|ya?ml|toml|lock)$|~$"
)


def is_dockerfile_name(name: str) -> bool:
    """Whether a file's name says that it is a Dockerfile."""
    return bool(re.search(_NAME, name)) and not re.search(_NOT_A_NAME, name)


def discover_files(folder: str) -> list[str]:
    """The Dockerfiles below a folder, sorted; tracked or at least not ignored ones where there is git.

    Vendored folders and symbolic links to folders are not entered. Raises :class:`FileProblem` where the folder
    cannot be listed or has no Dockerfile.
    """
    listed = _git_files(folder)
    found = sorted(_walk(folder) if listed is None else listed)
    if not found:
        raise FileProblem(folder, "has no Dockerfile in it", "name the file itself if it is called something else")
    return found


def _walk(folder: str) -> Iterator[str]:
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in SKIPPED_FOLDERS:
                            pending.append(entry.path)
                    elif is_dockerfile_name(entry.name) and entry.is_file():
                        yield entry.path[2:] if entry.path.startswith("./") else entry.path
        except OSError as error:
            if here == folder:
                raise FileProblem(folder, f"cannot be listed: {error.strerror}", "check its permissions") from None


def _git_files(folder: str) -> list[str] | None:
    """What git tracks or would track below a folder, None where git has no say there."""
    if repository_of(folder) is None:
        return None
    import subprocess

    # fsmonitor and other helpers named in the repository's own configuration are never started.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", folder]
    command += ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = []
    for raw in set(done.stdout.split(b"\0")):
        path = os.fsdecode(raw)
        folders, name = os.path.split(path)
        if is_dockerfile_name(name) and SKIPPED_FOLDERS.isdisjoint(folders.split("/")):
            full = path if folder == "." else os.path.join(folder, path)
            if os.path.isfile(full):
                found.append(full)
    return found


def repository_of(path: str) -> str | None:
    """The folder with ``.git`` at or above a path, None outside of a repository."""
    here = os.path.abspath(path)
    while True:
        if os.path.lexists(os.path.join(here, ".git")):
            return here
        parent = os.path.dirname(here)
        if parent == here:
            return None
        here = parent
