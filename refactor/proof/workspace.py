"""The run's own folder: copies of the build context, and the one edit that is made in them.

The user's context is only ever read. A symbolic link is copied as a link and never followed, sockets and
devices are left out, so a copy holds what a builder would be sent.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import PurePosixPath

from refactor.context import BuildContext

MAX_BYTES = 4 << 30
"""Largest context that is copied."""
MAX_ENTRIES = 500_000


class WorkspaceProblem(Exception):
    """The context cannot be copied; the text says why."""


def copy_context(source: str, target: str, context: BuildContext | None = None) -> None:
    """Copies a build context to a new folder ``target``, without what ``context`` knows to be ignored.

    Raises :class:`WorkspaceProblem` where it is too large or cannot be read.
    """
    root = os.path.realpath(source)
    inside = os.path.realpath(target) + os.sep
    skips = context is not None and not _has_exceptions(root, context)
    bytes_, entries = 0, 0
    pending = [""]
    try:
        os.makedirs(target)
        while pending:
            folder = pending.pop()
            with os.scandir(os.path.join(root, folder)) as found:
                for entry in found:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    entries += 1
                    if entries > MAX_ENTRIES:
                        raise WorkspaceProblem(f"{source} has more than {MAX_ENTRIES} files")
                    if skips and context is not None and context.is_ignored(path) is True and not _is_kept(path):
                        continue
                    goal = os.path.join(target, path)
                    if entry.is_symlink():
                        os.symlink(os.readlink(entry.path), goal)
                    elif entry.is_dir(follow_symlinks=False):
                        if inside.startswith(os.path.join(root, path) + os.sep):
                            continue
                        os.mkdir(goal)
                        shutil.copystat(entry.path, goal)
                        os.chmod(goal, stat.S_IMODE(os.lstat(goal).st_mode) | 0o700)
                        pending.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        bytes_ += entry.stat(follow_symlinks=False).st_size
                        if bytes_ > MAX_BYTES:
                            raise WorkspaceProblem(
                                f"{source} is larger than {MAX_BYTES >> 30} GiB; a .dockerignore helps"
                            )
                        shutil.copyfile(entry.path, goal)
                        shutil.copystat(entry.path, goal)
    except OSError as error:
        raise WorkspaceProblem(f"the context {source} cannot be copied: {error.strerror or error}") from None


def _has_exceptions(root: str, context: BuildContext) -> bool:
    """Whether an ignored folder may hold a file that is not ignored (``!`` in the ignore file)."""
    for name in (".dockerignore", f"{context.dockerfile}.dockerignore" if context.dockerfile else ""):
        if name:
            try:
                with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
                    if any(line.lstrip().startswith("!") for line in file):
                        return True
            except OSError:
                continue
    return False


def _is_kept(path: str) -> bool:
    # The builder itself reads these, ignored or not.
    return path.endswith((".dockerignore", ".containerignore"))


def twin(source: str, target: str, files: Mapping[str, bytes]) -> None:
    """A second copy that shares its files' content with the first (hard links), with some files of its
    own."""

    def link(old: str, new: str) -> str:
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError:
            shutil.copy2(old, new, follow_symlinks=False)
        return new

    try:
        shutil.copytree(source, target, symlinks=True, copy_function=link)
        for path, content in files.items():
            put(target, path, content)
    except (OSError, shutil.Error) as error:
        raise WorkspaceProblem(f"the copy of the context cannot be made: {error}") from None


def put(folder: str, path: str, content: bytes) -> None:
    """Writes a file anew, so that no hard link to the old one sees it; its mode stays."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise WorkspaceProblem(f"{path} is outside the build context")
    goal = os.path.join(folder, *parts)
    parent = os.path.dirname(goal)
    os.makedirs(parent, exist_ok=True)
    if os.path.commonpath([os.path.realpath(parent), os.path.realpath(folder)]) != os.path.realpath(folder):
        raise WorkspaceProblem(f"{path} is outside the build context")
    mode = stat.S_IMODE(os.stat(goal).st_mode) if os.path.isfile(goal) else 0o644
    temporary = goal + ".dockerfix"
    with open(temporary, "wb") as file:
        file.write(content)
    os.chmod(temporary, mode)
    os.replace(temporary, goal)


_LINE_COMMENTS = {
    "//": [
        "ts",
        "tsx",
        "mts",
        "cts",
        "js",
        "jsx",
        "mjs",
        "cjs",
        "go",
        "rs",
        "java",
        "kt",
        "kts",
        "scala",
        "groovy",
        "cs",
        "fs",
        "swift",
        "c",
        "cc",
        "cpp",
        "cxx",
        "h",
        "hpp",
        "dart",
    ],
    "#": ["py", "rb", "sh", "ex", "exs", "pl", "r", "jl", "nim", "cr"],
}
_BLOCK_COMMENTS = {
    ("<!--", "-->"): ["html", "htm", "vue", "svelte"],
    ("/*", "*/"): ["css", "scss"],
}
_COMMENTS: dict[str, tuple[str, str]] = {
    **{suffix: (mark, "") for mark, suffixes in _LINE_COMMENTS.items() for suffix in suffixes},
    **{suffix: marks for marks, suffixes in _BLOCK_COMMENTS.items() for suffix in suffixes},
}
_RANK = {suffix: rank for rank, suffix in enumerate(_COMMENTS)}
_NOT_SOURCES = frozenset(
    [
        "node_modules",
        "vendor",
        "dist",
        "build",
        "out",
        "target",
        "bin",
        "obj",
        "test",
        "tests",
        "__tests__",
        "spec",
        "e2e",
        "docs",
        "doc",
        "examples",
        "scripts",
        "tools",
        "migrations",
        "coverage",
        "public",
        "static",
        "assets",
        "venv",
        ".venv",
        "site-packages",
        "third_party",
        "fixtures",
    ]
)
_MANIFESTS = frozenset({"setup.py", "conftest.py", "gulpfile.js", "gruntfile.js", "noxfile.py", "tasks.py", "build.rs"})
MAX_SOURCE = 1 << 20


def choose_source(context: BuildContext, covered: list[str] | None) -> str | None:
    """The source file that a developer would most likely edit, None where there is none.

    ``covered`` are the paths that the Dockerfile copies (None: not known). Preferred are programs over
    styles, files outside test and build folders, and those near the top.
    """
    files = context.files()
    if not isinstance(files, tuple):
        return None
    best: tuple[int, ...] | None = None
    chosen = None
    for path in files:
        name = path.rpartition("/")[2]
        suffix = name.rpartition(".")[2].lower()
        if suffix not in _COMMENTS or name.startswith(".") or name.lower() in _MANIFESTS or name.endswith(".d.ts"):
            continue
        if ".config." in name or ".min." in name or ".test." in name or ".spec." in name or name.endswith("_test.go"):
            continue
        if covered is not None and not any(path == top or path.startswith(f"{top}/") or not top for top in covered):
            continue
        folders = path.lower().split("/")[:-1]
        hidden = any(folder.startswith(".") for folder in folders)
        is_aside = any(folder in _NOT_SOURCES for folder in folders)
        is_entry = name.partition(".")[0].lower() in {"main", "index", "server", "app", "__main__", "lib"}
        rank = (
            hidden,
            is_aside,
            suffix in {"css", "scss", "html", "htm", "sh"},
            not is_entry,
            len(folders),
            _RANK[suffix],
        )
        if best is None or rank < best:
            best, chosen = rank, path
    return chosen


def edit_source(folder: str, path: str, mark: str) -> bytes:
    """Adds a comment with ``mark`` at the end of a source file in a copy of the context. Returns what was in it before.

    Raises :class:`WorkspaceProblem` for a file that is too large, no text, or of no language known here.
    """
    goal = os.path.join(folder, path)
    marks = _COMMENTS.get(path.rpartition(".")[2].lower())
    if marks is None:
        raise WorkspaceProblem(f"no way is known to add a comment to {path}")
    try:
        if os.path.islink(goal) or not os.path.isfile(goal) or os.path.getsize(goal) > MAX_SOURCE:
            raise WorkspaceProblem(f"{path} is no source file of at most {MAX_SOURCE >> 20} MiB")
        with open(goal, "rb") as file:
            original = content = file.read()
        newline = b"\r\n" if b"\r\n" in content else b"\n"
        if content and not content.endswith(b"\n"):
            content += newline
        comment = " ".join(part for part in (marks[0], mark, marks[1]) if part)
        put(folder, path, content + comment.encode() + newline)
        return original
    except OSError as error:
        raise WorkspaceProblem(f"{path} cannot be edited: {error.strerror or error}") from None
