"""The members of a tar stream, read once and forwards (POSIX.1-2017 pax, ustar, GNU's long names).

:mod:`tarfile` keeps and decodes far more of each member than is asked here: for an image of a gigabyte that
is eight seconds against one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

BLOCK = 512
_CHUNK = 1 << 20
_MAX_EXTENSION = 1 << 20
"""Largest pax or GNU extension header, and so the longest path, that is read."""


class TarProblem(ValueError):
    """The stream is no tar stream, or ends in the middle of one."""


class Member(NamedTuple):
    """One entry; ``kind`` is the type flag: "0" file, "1" hard link, "2" symbolic link, "5" folder, others
    special."""

    path: str
    mode: int
    size: int
    kind: str
    content: bytes | None
    """Of files that were asked for, else None."""


def read_members(pipe: IO[bytes], wants: Callable[[str, int], bool]) -> Iterator[Member]:
    """The entries in their order, with the content of those files of which ``wants(path, size)`` is true.
    Raises :class:`TarProblem` for a broken stream and OSError for a broken pipe."""
    path, size_override = "", -1
    while True:
        header = _exactly(pipe, BLOCK)
        if not header.strip(b"\0"):
            _drain(pipe)
            return
        if _number(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:BLOCK]):
            raise TarProblem("a header's checksum is wrong")
        kind = chr(header[156]) if header[156] else "0"
        size = _number(header[124:136])
        if kind in "xgLK":
            if size > _MAX_EXTENSION:
                raise TarProblem("an extension header is too long")
            data = _padded(pipe, size)
            if kind == "x":
                records = _pax(data)
                path = records.get(b"path", b"").decode("utf-8", "replace") or path
                if records.get(b"size", b"").isdigit():
                    size_override = int(records[b"size"])
            elif kind == "L":
                path = data.rstrip(b"\0").decode("utf-8", "replace")
            continue
        if size_override >= 0:
            size = size_override
        if not path:
            name, prefix = (
                _text(header[:100]),
                _text(header[345:500]) if header[257:263] == b"ustar\0" else "",
            )
            path = f"{prefix}/{name}" if prefix else name
        if kind == "7":
            kind = "0"
        # Links and folders have no content, whatever their size field says.
        size = size if kind == "0" else 0
        path = path.removeprefix("./").strip("/")
        content = None
        if kind == "0" and wants(path, size):
            content = _padded(pipe, size)
        else:
            _skip(pipe, size + -size % BLOCK)
        yield Member(path, _number(header[100:108]) & 0o7777, size, kind, content)
        path, size_override = "", -1


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    while len(data) < size:
        more = pipe.read(size - len(data))
        if not more:
            raise TarProblem("the stream ends early")
        data += more
    return data


def _padded(pipe: IO[bytes], size: int) -> bytes:
    return _exactly(pipe, size + -size % BLOCK)[:size]


def _skip(pipe: IO[bytes], size: int) -> None:
    while size > 0:
        size -= len(_exactly(pipe, min(size, _CHUNK)))


def _drain(pipe: IO[bytes]) -> None:
    while pipe.read(_CHUNK):
        pass


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU's binary form, for what does not fit in octal digits.
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b"\0 ")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise TarProblem("a header's number is no number") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _pax(data: bytes) -> dict[bytes, bytes]:
    records = {}
    while data:
        length, _, _ = data.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(data):
            raise TarProblem("a pax record is broken")
        record, data = data[len(length) + 1 : int(length) - 1], data[int(length) :]
        key, _, value = record.partition(b"=")
        records[key] = value
    return records
