"""How often the files of a build context changed, by the commits of its repository."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from typing import NamedTuple


class History(NamedTuple):
    """The latest commits of a repository; empty where there is none, or it was not asked."""

    commits: tuple[tuple[str, ...], ...] = ()
    """Of each commit the files that it changed, by their paths in the build context."""

    tracked: frozenset[str] = frozenset()
    """The files that the repository knows: of others nobody can say how often they change."""

    def count(self, *paths: str) -> int:
        """How many of the commits changed one of these files, or something in one of these folders ("" for all)."""
        exact = set(paths)
        folders = tuple(f"{path}/" for path in paths)
        is_all = "" in exact
        return sum(
            any(is_all or name in exact or name.startswith(folders) for name in commit) for commit in self.commits
        )


__all__ = ["History"]
