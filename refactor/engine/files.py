"""Reading and replacing files so that no byte is ever lost."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import errno
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

MAX_BYTES = 16 * 1024 * 1024
"""A Dockerfile larger than this is not read; BuildKit's own limit is 64 KiB a line, and the largest file seen in
public repositories has some hundred KiB."""


class FileProblem(Exception):
    """One file that cannot be worked on: ``path``, ``what`` is wrong and ``advice`` on what to do."""

    def __init__(self, path: str, what: str, advice: str) -> None:
        super().__init__(f"{path}: {what}; {advice}")
        self.path = path
        self.what = what
        self.advice = advice


def read_source(path: str) -> bytes:
    """The bytes of a Dockerfile. Raises :class:`FileProblem`, with words for the user, for whatever is in the way."""
    try:
        # Non-blocking, so that a FIFO with a Dockerfile's name cannot hold up a whole run.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise _problem(path, error, "read") from None
    try:
        info = os.fstat(handle)
        if stat.S_ISDIR(info.st_mode):
            raise FileProblem(path, "is a folder", "name the Dockerfile in it")
        if not stat.S_ISREG(info.st_mode):
            raise FileProblem(path, "is not a regular file", "name a Dockerfile, or pipe it in with `-`")
        if info.st_size > MAX_BYTES:
            size = f"{info.st_size / 1048576:.0f} MiB"
            raise FileProblem(path, f"is {size} long", f"dockerfix reads Dockerfiles of up to {MAX_BYTES >> 20} MiB")
        with os.fdopen(handle, "rb", closefd=False) as file:
            # To its end, whatever its size was said to be: with a limit, room is made for as much as that.
            data = file.read()
    except OSError as error:
        raise _problem(path, error, "read") from None
    finally:
        os.close(handle)
    if b"\0" in data:
        raise FileProblem(path, "is a binary file (it has NUL bytes)", "a Dockerfile is text in UTF-8")
    return data


class Write(NamedTuple):
    """One file to write: ``after`` in the place of ``before``, which is None for a file that is created."""

    path: str
    before: bytes | None
    after: bytes


def write_together(writes: Sequence[Write]) -> None:
    """Writes all of these files or none: temporary files beside them, fsync, and only then one rename after the other.

    Whatever happens, each file is the old one or the new one, whole; where a rename fails, those before it are taken
    back. Mode, owner and extended attributes are kept; a symbolic link stays one and its target is replaced. Raises
    :class:`FileProblem`, also where a file is no longer what was read.
    """
    staged: list[tuple[Write, str, str]] = []
    done: list[tuple[Write, str]] = []
    try:
        for write in writes:
            target = os.path.realpath(write.path) if write.before is not None else write.path
            staged.append((write, target, _stage(write, target)))
        while staged:
            write, target, temporary = staged[0]
            _put(write, target, temporary)
            done.append((write, target))
            del staged[0]
    except BaseException:
        for write, target in reversed(done):
            _take_back(write, target)
        raise
    finally:
        for _, _, temporary in staged:
            if os.path.lexists(temporary):
                os.unlink(temporary)
    for folder in dict.fromkeys(os.path.dirname(target) or "." for _, target in done):
        _sync_folder(folder)


def _stage(write: Write, target: str) -> str:
    """Writes the new content beside the file. Returns the temporary file's path."""
    path = write.path
    if write.before is None:
        if os.path.lexists(target):
            raise FileProblem(path, "was made while dockerfix was at work", "it was left as it is; run dockerfix again")
    elif read_source(target) != write.before:
        raise FileProblem(path, "changed while dockerfix was at work", "it was left as it is now; run dockerfix again")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:200]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        info = None if write.before is None else os.stat(target)
        if info is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
        mode = 0o666 if info is None else 0o600
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(write.after)
                file.flush()
                if info is not None:
                    _keep_owner(file.fileno(), info)
                    os.fchmod(file.fileno(), stat.S_IMODE(info.st_mode))
                    _keep_attributes(target, temporary)
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _problem(path, error, "created" if write.before is None else "rewritten") from None
    return temporary


def _put(write: Write, target: str, temporary: str) -> None:
    try:
        if write.before is not None:
            os.replace(temporary, target)
            return
        # Unlike a rename, a link does not take the place of a file that somebody made meanwhile.
        os.link(temporary, target, follow_symlinks=False)
        os.unlink(temporary)
    except OSError as error:
        raise _problem(write.path, error, "rewritten") from None


def _take_back(write: Write, target: str) -> None:
    try:
        if write.before is None:
            os.unlink(target)
        else:
            os.replace(_stage(Write(write.path, write.after, write.before), target), target)
    except OSError as error:
        raise _problem(write.path, error, "put back as it was") from None


def create_file(path: str, data: bytes) -> None:
    """Writes a new file, and the folders above it where they are missing. Raises :class:`FileProblem`, also where there
    is one already."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except OSError as error:
        raise _problem(path, error, "created") from None
    write_together([Write(path, None, data)])


def _keep_owner(handle: int, info: os.stat_result) -> None:
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) != (info.st_uid, info.st_gid):
        os.fchown(handle, info.st_uid, info.st_gid)


def _keep_attributes(source: str, target: str) -> None:
    if hasattr(os, "listxattr"):
        try:
            for name in os.listxattr(source):
                os.setxattr(target, name, os.getxattr(source, name))
        except OSError:
            # Labels such as security.selinux are the file system's to give: what it does not let us copy, it sets.
            return


def _sync_folder(folder: str) -> None:
    # Without this a power cut may bring the old name back: still a whole file, so no error is worth reporting.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)


def _problem(path: str, error: OSError, action: str) -> FileProblem:
    advice = {
        errno.ENOENT: "check the path",
        errno.EACCES: "check the permissions of the file and its folder",
        errno.EPERM: "check the owner of the file and its folder",
        errno.EROFS: "the file system is read-only: use --diff and apply the patch elsewhere",
        errno.ENOSPC: "free some space and run again; the file is untouched",
        errno.EDQUOT: "free some of your quota and run again; the file is untouched",
        errno.ELOOP: "the symbolic links go round in a circle: name the file itself",
        errno.ENAMETOOLONG: "the path is too long",
        errno.ENOTDIR: "a part of the path is no folder",
    }.get(error.errno or 0, "the file is untouched")
    what = "does not exist" if error.errno == errno.ENOENT else f"cannot be {action}: {error.strerror or error}"
    return FileProblem(path, what, advice)
