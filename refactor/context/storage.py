"""Where files are read from: a folder on disk or a mapping. Bounded, and without following links."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import os
import stat
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from refactor.context.dockerignore import clean
from refactor.context.facts import Unknown

MAX_BYTES = 8 * 1024 * 1024
"""Largest file that is read."""

MAX_WEIGHED = 20_000
"""Files of one folder that are counted."""

MAX_ENTRIES = 200_000
"""Entries walked before a context counts as too large to know."""

SKIPPED_FOLDERS = frozenset(
    """.git .hg .svn .tox .nox .venv venv node_modules bower_components vendor third_party site-packages __pycache__
    .mypy_cache .ruff_cache .pytest_cache .terraform .idea .vscode .gradle .cache .direnv .eggs""".split()
)
"""Folders that hold what others wrote, or what tools made."""

Kind: TypeAlias = Literal["file", "folder", "link", "other"]
Listing: TypeAlias = Mapping[str, Kind]


class Folder:
    """Files on disk. Paths are relative, clean and free of links: the context resolves those itself."""

    __slots__ = ("_root",)

    def __init__(self, root: str) -> None:
        self._root = root

    def _absolute(self, path: str) -> str:
        return self._root + "/" + path if path else self._root

    def list(self, path: str) -> Listing | Unknown:
        found: dict[str, Kind] = {}
        try:
            with os.scandir(self._absolute(path)) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        found[entry.name] = "link"
                    elif entry.is_dir(follow_symlinks=False):
                        found[entry.name] = "folder"
                    elif entry.is_file(follow_symlinks=False):
                        found[entry.name] = "file"
                    else:
                        found[entry.name] = "other"
                    if len(found) > MAX_ENTRIES:
                        return Unknown(f"{path or 'the context'} has more than {MAX_ENTRIES} entries")
        except (OSError, ValueError) as error:
            return Unknown(f"cannot list {path or 'the context folder'}: {_why(error)}")
        return found

    def link(self, path: str) -> str | Unknown:
        try:
            return os.readlink(self._absolute(path))
        except (OSError, ValueError) as error:
            return Unknown(f"cannot read the link {path}: {_why(error)}")

    def size(self, path: str) -> int:
        """Bytes of a file, 0 where that cannot be asked."""
        try:
            return os.lstat(self._absolute(path)).st_size
        except (OSError, ValueError):
            return 0

    def read(self, path: str) -> bytes | Unknown:
        return read_file(self._absolute(path), path)


class Weight(NamedTuple):
    """How much lies in a folder."""

    files: int
    bytes: int
    is_more: bool
    """There is more: it was not counted to the end."""


class Overlay:
    """Files as they will be: those of ``below``, some of them with another content, and new ones in its folders."""

    __slots__ = ("_below", "_edits")

    def __init__(self, below: "Folder | Memory | Overlay", edits: Mapping[str, bytes]) -> None:
        self._below = below
        self._edits = edits

    def list(self, path: str) -> Listing | Unknown:
        listing = self._below.list(path)
        new = [edited for edited in self._edits if edited.rpartition("/")[0] == path]
        if isinstance(listing, Unknown) or not new:
            return listing
        return {**listing, **{edited.rpartition("/")[2]: "file" for edited in new}}

    def link(self, path: str) -> str | Unknown:
        return self._below.link(path)

    def size(self, path: str) -> int:
        edited = self._edits.get(path)
        return self._below.size(path) if edited is None else len(edited)

    def read(self, path: str) -> bytes | Unknown:
        edited = self._edits.get(path)
        return self._below.read(path) if edited is None else edited


class Memory:
    """Files given as a mapping; a path that ends in a slash is an empty folder."""

    __slots__ = ("_contents", "_folders")

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._contents: dict[str, str | bytes] = {}
        self._folders: dict[str, dict[str, Kind]] = {"": {}}
        for written, content in files.items():
            path = clean(written).lstrip("/")
            if path == "." or path.startswith("../") or path == "..":
                continue
            is_folder = written.endswith("/")
            if not is_folder:
                self._contents[path] = content
            kind: Kind = "folder" if is_folder else "file"
            if is_folder:
                self._folders.setdefault(path, {})
            while True:
                folder, _, name = path.rpartition("/")
                known = self._folders.setdefault(folder, {})
                is_new = name not in known
                if is_new or kind == "folder":
                    known[name] = kind
                if not folder or not is_new:
                    break
                path, kind = folder, "folder"

    def list(self, path: str) -> Listing | Unknown:
        return self._folders.get(path, {})

    def link(self, path: str) -> str | Unknown:
        return Unknown(f"{path} is not a link")

    def size(self, path: str) -> int:
        return len(self._contents.get(path, ""))

    def read(self, path: str) -> bytes | Unknown:
        content = self._contents.get(path)
        if content is None:
            return Unknown(f"{path} does not exist")
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content)
        if len(data) > MAX_BYTES:
            return Unknown(f"{path} is larger than {MAX_BYTES // 1048576} MiB")
        return data


Source: TypeAlias = Folder | Memory | Overlay


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def read_file(absolute: str, shown: str) -> bytes | Unknown:
    """Bytes of a regular file of at most 8 MiB. A link, a device, a pipe or a larger file is Unknown.

    Opened without following a last link and without blocking: a pipe put there on purpose must not hang us.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(absolute, flags)
    except (OSError, ValueError) as error:
        return Unknown(f"cannot read {shown}: {_why(error)}")
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return Unknown(f"{shown} is not a regular file")
        if status.st_size > MAX_BYTES:
            return Unknown(f"{shown} is larger than {MAX_BYTES // 1048576} MiB")
        chunks = []
        left = MAX_BYTES + 1
        while left > 0:
            chunk = os.read(handle, min(left, max(status.st_size + 1, 65536)))
            if not chunk:
                break
            chunks.append(chunk)
            left -= len(chunk)
        if left <= 0:
            return Unknown(f"{shown} is larger than {MAX_BYTES // 1048576} MiB")
        return b"".join(chunks)
    except OSError as error:
        return Unknown(f"cannot read {shown}: {_why(error)}")
    finally:
        os.close(handle)
