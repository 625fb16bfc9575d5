"""The latest commits of the repository that a build context lies in, as git tells them."""

from __future__ import annotations

from refactor.context.history import History
from refactor.engine.discovery import ask_git, repository_of

MAX_COMMITS = 300


def read_history(folder: str) -> History:
    """The files below ``folder`` that each of the latest commits changed; empty outside of a repository, and where git
    is missing or does not answer. Merges are left out: what they bring was changed by other commits."""
    if repository_of(folder) is None:
        return History()
    log = ["log", f"--max-count={MAX_COMMITS}", "--no-merges", "--format=%x00", "--name-only", "-z", "--relative"]
    told = ask_git(folder, [*log, "--no-renames", "--no-ext-diff", "--no-textconv", "--", "."]) or []
    files = ask_git(folder, ["ls-files", "-z", "--cached"]) or []
    # Each commit begins with an empty entry, and the first of its files with a line break.
    commits: list[list[str]] = []
    for name in (entry.strip("\n") for entry in told):
        if not name:
            commits.append([])
        elif commits:
            commits[-1].append(name)
    return History(tuple(tuple(names) for names in commits if names), frozenset(files))


__all__ = ["MAX_COMMITS", "read_history"]
