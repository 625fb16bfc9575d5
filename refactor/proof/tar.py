"""The members of a tar stream, read once and forwards (POSIX.1-2017 pax, ustar, GNU's long names).

:mod:`tarfile` keeps and decodes far more of each member than is asked here: for an image of a gigabyte that
is eight seconds against one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, NamedTuple

BLOCK = 512
_CHUNK = 1 << 20
_MAX_EXTENSION = 1 << 20
"""Largest pax or GNU extension header, and so the longest path, that is read."""

_NO_RECORDS: Mapping[bytes, bytes] = {}


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
    uid: int
    gid: int
    link: str
    """What a link points to; a hard link's path as ``path`` has it."""
    digest: bytes
    """Of a file's content, where digests were asked for; else empty."""
    attributes: tuple[tuple[bytes, bytes], ...]
    """Extended attributes (file capabilities, say), sorted."""


def digest_of(content: bytes) -> bytes:
    """The digest by which contents of files are compared."""
    return hashlib.blake2b(content, digest_size=16).digest()


def read_members(pipe: IO[bytes], wants: Callable[[str, int], bool], *, has_digests: bool = False) -> Iterator[Member]:
    """The entries in their order, with the content of those files of which ``wants(path, size)`` is true.
    Raises :class:`TarProblem` for a broken stream and OSError for a broken pipe."""
    path, link, records = "", "", _NO_RECORDS
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
                path = _decoded(records.get(b"path", b"")) or path
                link = _decoded(records.get(b"linkpath", b"")) or link
            elif kind == "L":
                path = _decoded(data.rstrip(b"\0"))
            elif kind == "K":
                link = _decoded(data.rstrip(b"\0"))
            continue
        size = _override(records, b"size", size)
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
        content, digest = None, b""
        if kind == "0" and wants(path, size):
            content = _padded(pipe, size)
            digest = digest_of(content) if has_digests else b""
        elif kind == "0" and has_digests:
            digest = _digest(pipe, size)
        else:
            _skip(pipe, size + -size % BLOCK)
        link = link or _text(header[157:257])
        yield Member(
            path,
            _number(header[100:108]) & 0o7777,
            size,
            kind,
            content,
            _override(records, b"uid", _number(header[108:116])),
            _override(records, b"gid", _number(header[116:124])),
            link.removeprefix("./").strip("/") if kind == "1" else link if kind == "2" else "",
            digest,
            tuple(sorted(item for item in records.items() if item[0].startswith(b"SCHILY.xattr."))),
        )
        path, link, records = "", "", _NO_RECORDS


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


def _digest(pipe: IO[bytes], size: int) -> bytes:
    digest, left = hashlib.blake2b(digest_size=16), size
    while left > 0:
        chunk = _exactly(pipe, min(left, _CHUNK))
        digest.update(chunk)
        left -= len(chunk)
    _skip(pipe, -size % BLOCK)
    return digest.digest()


def _override(records: Mapping[bytes, bytes], key: bytes, value: int) -> int:
    number = records.get(key, b"")
    return int(number) if number.isdigit() else value


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
    return _decoded(field.partition(b"\0")[0])


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


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
