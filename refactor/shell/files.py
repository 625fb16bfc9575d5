"""Which files and folders a script makes and removes, by its text: one table of the tools that name them."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from refactor.shell.command import Command
from refactor.shell.script import ShellScript

_NAMED_BY_OPERANDS = frozenset(("mkdir", "touch", "tee"))
_NAMED_BY_THE_LAST = frozenset(("cp", "mv", "ln", "rsync"))
_UNPACKERS = frozenset(("tar", "bsdtar", "unzip"))
_ARCHIVE = r"\.(?:tar(?:\.\w+)?|tgz|tbz2?|txz|zip)$"


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
    made: set[str] = set()
    removed: set[str] = set()
    for command, folder in with_folders(script, workdir, expand):
        place = _Place(folder, expand)
        made.update(place.paths(_made_by(command)))
        if removes_files(command):
            gone = set(place.paths(arg.removesuffix("/*") for arg in operands(command)))
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
    return (command.name or "").rpartition("/")[2] in ("rm", "rmdir", "unlink")


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
            target = operands(command)
            to = next(target, None)
            folder = None if to is None or to == "-" else _Place(folder, expand).path(to)
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
    for redirect in command.redirects:
        found = re.match(r"\d*>[>|]?\s*([^&\s].*)", redirect)
        if found is not None and not found[1].startswith("/dev/"):
            yield found[1].strip("\"'")
    name = (command.name or "").rpartition("/")[2]
    words = [word for word in operands(command) if not (name == "mkdir" and re.fullmatch(r"[0-7]{3,4}", word))]
    if name in _NAMED_BY_OPERANDS:
        yield from words
    elif name in _NAMED_BY_THE_LAST and len(words) > 1:
        yield words[-1]
        yield from (posixpath.join(words[-1], posixpath.basename(word)) for word in words[:-1])
    elif name in ("wget", "curl"):
        yield from downloads(command)
    elif name == "git" and words[:1] == ["clone"] and len(words) > 1:
        own = [word for word in words[1:] if not word.isdigit()]
        source = next((at for at, word in enumerate(own) if "://" in word or "@" in word or ":" in word), 0)
        if own:
            yield from own[source + 1 :] or [posixpath.basename(own[source].rstrip("/")).removesuffix(".git")]
    elif name in _UNPACKERS:
        folder = option(command, "-C", "--directory", "-d") or ""
        archives = (word for word in words if re.search(_ARCHIVE, word))
        yield from (posixpath.join(folder, re.sub(_ARCHIVE, "", posixpath.basename(word))) for word in archives)


def downloads(command: Command) -> Iterator[str]:
    """Files that a call of ``wget`` or ``curl`` writes, as written or from the folder that it runs in."""
    name = (command.name or "").rpartition("/")[2]
    is_wget = name == "wget"
    target = option(command, "-O", "--output-document") if is_wget else option(command, "-o", "--output")
    if target is not None:
        if target != "-":
            yield target
        return
    if is_wget or any(re.fullmatch(r"-[a-zA-Z]*O[a-zA-Z]*|--remote-name", arg) for arg in command.args):
        folder = option(command, "-P", "--directory-prefix") if is_wget else option(command, "--output-dir")
        for url in (arg for arg in command.args if "://" in arg):
            base = posixpath.basename(url.partition("?")[0].strip("\"'"))
            if base:
                yield posixpath.join(folder or "", base)


def operands(command: Command) -> Iterator[str]:
    """The words behind the command's name that are no options; an option's value is one of them."""
    return (arg for arg in command.args if not arg.startswith("-"))


def option(command: Command, *names: str) -> str | None:
    """The value of one of the options ``names``: in the next word, behind ``=``, or behind a cluster (`-xzf file`)."""
    letters = {name[-1] for name in names if len(name) == 2}
    for at, arg in enumerate(command.args):
        has_next = at + 1 < len(command.args)
        if arg in names and has_next:
            return command.args[at + 1]
        if arg.startswith("--") and arg.partition("=")[0] in names and "=" in arg:
            return arg.partition("=")[2]
        if has_next and arg[-1:] in letters and re.fullmatch(r"-[A-Za-z]{2,}", arg):
            return command.args[at + 1]
    return None
