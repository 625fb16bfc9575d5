"""Which files are Dockerfiles: those with such a name, and those that Compose, Bake or a devcontainer builds.

Names: the pattern of ``.pre-commit-hooks.yaml`` (``Dockerfile``, ``Containerfile``, ``Dockerfile.dev``,
``Dockerfile-dev``, ``api.dockerfile``), without templates, notes and ignore files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from refactor.context.names import is_dockerfile_name, names_dockerfiles
from refactor.context.storage import SKIPPED_FOLDERS, Folder
from refactor.engine.files import FileProblem

MAX_NAMING = 200
"""Compose, Bake and devcontainer files that are read of one folder."""
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
_SAFE = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false", "protocol.allow=never")


def discover_files(folder: str) -> list[str]:
    """The Dockerfiles below a folder, sorted; tracked or at least not ignored ones where there is git.

    Vendored folders and symbolic links to folders are not entered. Raises :class:`FileProblem` where the folder
    cannot be listed or has no Dockerfile.
    """
    listed = _git_files(folder)
    dockerfiles: set[str] = set()
    naming: list[str] = []
    for path in _walk(folder) if listed is None else listed:
        if is_dockerfile_name(os.path.basename(path)):
            dockerfiles.add(path)
        elif names_dockerfiles(path.replace(os.sep, "/")):
            naming.append(path)
    known = {os.path.normpath(path) for path in dockerfiles}
    dockerfiles.update(path for path in _named(folder, naming) if os.path.normpath(path) not in known)
    if not dockerfiles:
        raise FileProblem(folder, "has no Dockerfile in it", "name the file itself if it is called something else")
    return sorted(dockerfiles)


def _named(folder: str, naming: list[str]) -> Iterator[str]:
    """What those files call Dockerfiles: regular files below the folder, through no link that leads out of it."""
    if not naming:
        return
    from refactor.context.repository import Repository

    repository, top = Repository(Folder(folder)), os.path.realpath(folder)
    for path in sorted(naming)[:MAX_NAMING]:
        for found in repository.dockerfiles_of(os.path.relpath(path, folder).replace(os.sep, "/")):
            full = found if folder == "." else os.path.join(folder, found)
            is_inside = os.path.realpath(full).startswith(top.rstrip(os.sep) + os.sep)
            if is_inside and os.path.isfile(full) and SKIPPED_FOLDERS.isdisjoint(found.split("/")):
                yield full


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
                    elif _is_wanted(entry.path) and entry.is_file():
                        yield entry.path[2:] if entry.path.startswith("./") else entry.path
        except OSError as error:
            if here == folder:
                raise FileProblem(folder, f"cannot be listed: {error.strerror}", "check its permissions") from None


def _is_wanted(path: str) -> bool:
    return is_dockerfile_name(os.path.basename(path)) or names_dockerfiles(path.replace(os.sep, "/"))


def _git_files(folder: str) -> list[str] | None:
    """What git tracks or would track below a folder, None where git has no say there."""
    if repository_of(folder) is None:
        return None
    told = ask_git(folder, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    if told is None:
        return None
    found = []
    for path in set(told):
        if _is_wanted(path) and SKIPPED_FOLDERS.isdisjoint(os.path.dirname(path).split("/")):
            full = path if folder == "." else os.path.join(folder, path)
            if os.path.isfile(full):
                found.append(full)
    return found


def ask_git(folder: str, words: Sequence[str]) -> list[str] | None:
    """The entries, each ended by NUL, that a call of git prints; None where it is missing, fails or does not answer.

    Nothing that the repository's own configuration names is started, and nothing is fetched for a partial clone.
    """
    import subprocess

    command = ["git", *(word for setting in _SAFE for word in ("-c", setting)), "-C", folder, *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=True, env={**os.environ, **_QUIET})
    except (OSError, subprocess.SubprocessError):
        return None
    return [os.fsdecode(raw) for raw in done.stdout.split(b"\0")]


def repository_of(path: str, known: dict[str, str | None] | None = None) -> str | None:
    """The folder with ``.git`` at or above a path, None outside of a repository. ``known`` keeps the answers for all
    folders on the way: those of one run have most of their parents in common."""
    known = {} if known is None else known
    passed = []
    here = os.path.abspath(path)
    while here not in known:
        passed.append(here)
        parent = os.path.dirname(here)
        if os.path.lexists(os.path.join(here, ".git")):
            known[here] = here
        elif parent == here:
            known[here] = None
        else:
            here = parent
    known.update(dict.fromkeys(passed, known[here]))
    return known[here]
