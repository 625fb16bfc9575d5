"""The latest commits of the repository that a build context lies in, as git tells them."""

from __future__ import annotations

import os

from refactor.context.history import History
from refactor.engine.discovery import repository_of

MAX_COMMITS = 300
_TIMEOUT = 20
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
# Nothing that the repository's own configuration names is started, and nothing is fetched for a partial clone.
_SAFE = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false", "protocol.allow=never")


def read_history(folder: str) -> History:
    """The files below ``folder`` that each of the latest commits changed; empty outside of a repository, and where git
    is missing or does not answer. Merges are left out: what they bring was changed by other commits."""
    if repository_of(folder) is None:
        return History()
    log = ["log", f"--max-count={MAX_COMMITS}", "--no-merges", "--format=%x00", "--name-only", "-z", "--relative"]
    told = _git(folder, [*log, "--no-renames", "--no-ext-diff", "--no-textconv", "--", "."])
    files = _git(folder, ["ls-files", "-z", "--cached"])
    # Each commit begins with an empty entry, and the first of its files with a line break.
    commits: list[list[str]] = []
    for name in (entry.strip("\n") for entry in told):
        if not name:
            commits.append([])
        elif commits:
            commits[-1].append(name)
    return History(tuple(tuple(names) for names in commits if names), frozenset(files))


def _git(folder: str, words: list[str]) -> list[str]:
    """The entries, each ended by NUL, that a call of git prints; none where it fails."""
    import subprocess

    options = [word for setting in _SAFE for word in ("-c", setting)]
    command = ["git", *options, "-C", folder, *words]
    environment = {**os.environ, **_QUIET}
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=True, env=environment)
    except (OSError, subprocess.SubprocessError):
        return []
    return [os.fsdecode(raw) for raw in done.stdout.split(b"\0")]


__all__ = ["MAX_COMMITS", "read_history"]
