"""Which files and folders a script makes and removes, by its text: as the table of POSIX tools has it."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from refactor.shell.command import Command
from refactor.shell.script import ShellScript


class Files(NamedTuple):
    """Absolute paths; variables that are not known stay in them as written, so that they compare as text."""

    made: frozenset[str]
    """Files and folders that commands name as new ones, and that are there at the end: downloads, clones, unpacked
    archives, copies, folders."""
    removed: frozenset[str]
    """What `rm` is given; of `folder/*` the folder, other patterns as they are."""


def files_of(script: ShellScript, workdir: str, expand: Callable[[str], str | None] = lambda _: None) -> Files:
    """What ``script`` makes and removes, ``cd`` followed from ``workdir`` on.

    ``expand`` gives the value of a word with variables, None where it is not known. What stands behind a ``cd`` to an
    unknown folder is left out, unless its path is absolute.
    """
    from refactor.shell.posix import operands

    made: set[str] = set()
    removed: set[str] = set()
    for command, folder in with_folders(script, workdir, expand):
        place = _Place(folder, expand)
        made.update(place.paths(_made_by(command)))
        if removes_files(command):
            gone = set(place.paths(arg.removesuffix("/*") for arg in operands(command.args)))
            removed |= gone
            made = {path for path in made if not _is_gone(path, gone)}
    return Files(frozenset(made), frozenset(removed))


def _is_gone(path: str, gone: Collection[str]) -> bool:
    above = [path]
    while above[-1] not in ("/", ""):
        above.append(posixpath.dirname(above[-1]))
    if any(one in gone for one in above):
        return True
    patterns = [one for one in gone if any(sign in one for sign in "*?[")]
    if not patterns:
        return False
    from fnmatch import fnmatchcase

    return any(fnmatchcase(one, pattern) for pattern in patterns for one in above)


def removes_files(command: Command) -> bool:
    """Whether a command removes the files that it names."""
    from refactor.shell.posix import Does, does

    return does((command.name or "").rpartition("/")[2]) is Does.REMOVES


class _Place(NamedTuple):
    folder: str | None
    expand: Callable[[str], str | None]

    def path(self, word: str) -> str | None:
        if "$" in word:
            value = self.expand(word)
            word = value if value is not None else re.sub(r"\$\{(\w+)\}", r"$\1", word.replace('"', ""))
        if word.startswith("$"):
            return posixpath.normpath(word)
        if word.startswith("~") or (self.folder is None and not word.startswith("/")):
            return None
        return posixpath.normpath(posixpath.join(self.folder or "/", word))

    def paths(self, words: Iterator[str]) -> Iterator[str]:
        return (path for path in map(self.path, words) if path not in (None, "/"))


def with_folders(
    script: ShellScript, workdir: str, expand: Callable[[str], str | None]
) -> Iterator[tuple[Command, str | None]]:
    """Each command with the folder it runs in, None where that is unknown. A subshell keeps its ``cd`` to itself."""
    outer: str | None = workdir
    inner: str | None = None
    ends = [item.span[1] for item in script.top]
    item = 0
    for command in script.commands:
        while item < len(ends) and command.span[0] >= ends[item]:
            item += 1
            inner = None
        folder = (inner or outer) if command.in_subshell else outer
        if command.name in ("cd", "pushd"):
            to = next((arg for arg in command.args if not arg.startswith("-")), None)
            folder = None if to is None else _Place(folder, expand).path(to)
        elif command.name == "popd":
            folder = None
        else:
            yield command, folder
            continue
        if command.in_subshell:
            inner = folder
        else:
            outer = folder


def _made_by(command: Command) -> Iterator[str]:
    from refactor.shell.posix import Does, redirected, unpacked, use_of

    yield from (file for file, is_written in redirected(command.redirects) if is_written)
    use = use_of((command.name or "").rpartition("/")[2], command.args)
    if use is None:
        return
    yield from use.makes
    if use.does in (Does.COPIES, Does.LINKS):
        yield from (posixpath.join(*use.makes, posixpath.basename(word)) for word in use.reads)
    yield from unpacked(use)
