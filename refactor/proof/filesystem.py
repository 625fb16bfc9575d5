"""What is in an image: packages, folders, set-uid files, shells; read from its tar stream.

Sources: dpkg's status file (deb-control(5); distroless keeps one file a package in status.d), apk's database
(apk-tools, lib/apk/db/installed), the layout of node_modules and of Python's dist-info folders (PEP 376).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import IO

from refactor.proof.stamps import normalizer_of
from refactor.proof.tar import Member, TarProblem, digest_of, read_members
from refactor.proof.tree import Entry

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox", "csh", "tcsh"})
_PROGRAMS = frozenset({"bin", "usr/bin", "usr/local/bin", "sbin", "usr/sbin", "usr/local/sbin", "busybox"})
_DATABASES = re.compile(r"^(?:usr/)?(?:var/lib/dpkg/status(?:\.d/[^/]+)?|lib/apk/db/installed)$")
_NODE = re.compile(r"(?:^|/)node_modules/((?:@[^/]+/)?[^/@.][^/]*)/package\.json$")
_PYTHON = re.compile(r"(?:^|/)([^/]+)-([^/-]+)\.(?:dist-info/METADATA|egg-info/PKG-INFO)$")
_MAX_DATABASE = 64 << 20
_MAX_STAMPED = 1 << 20
MAX_MEMBERS = 2_000_000


@dataclass(slots=True)
class Contents:
    """What an image holds. Sizes in bytes; paths without the leading slash."""

    bytes: int = 0
    count: int = 0
    system_packages: dict[str, str] = field(default_factory=dict)
    """Debian's or Alpine's packages: name to version."""
    node_packages: set[str] = field(default_factory=set)
    python_packages: dict[str, str] = field(default_factory=dict)
    folders: Counter[str] = field(default_factory=Counter)
    """Bytes below each folder of the first two levels, and three below usr."""
    set_uid: list[str] = field(default_factory=list)
    """Set-user-id and set-group-id programs."""
    shells: list[str] = field(default_factory=list)
    programs: dict[str, str] = field(default_factory=dict)
    """Name to absolute path of what is in the usual folders of PATH."""
    tree: dict[str, Entry] | None = None
    """Every path, where that was asked for."""
    is_whole: bool = True
    """False where the stream ended early or was cut at a limit."""


def read_contents(pipe: IO[bytes], *, has_tree: bool = False) -> Contents:
    """Reads a tar stream to its end, with the digest of each file where ``has_tree``. A broken or endless one gives
    what was read, not ``is_whole``."""
    contents = Contents(tree={} if has_tree else None)
    try:
        for member in read_members(pipe, _is_small_stamped if has_tree else _is_database, has_digests=has_tree):
            _take(contents, member)
            if contents.tree is not None:
                contents.tree[member.path] = _entry(contents.tree, member)
            if contents.count >= MAX_MEMBERS:
                contents.is_whole = False
                break
    except (TarProblem, OSError):
        contents.is_whole = False
    contents.set_uid.sort()
    contents.shells.sort()
    return contents


def _is_database(path: str, size: int) -> bool:
    return size <= _MAX_DATABASE and _DATABASES.match(path) is not None


def _is_small_stamped(path: str, size: int) -> bool:
    if _is_database(path, size):
        return True
    return size <= _MAX_STAMPED and normalizer_of(path) is not None


def _entry(tree: dict[str, Entry], member: Member) -> Entry:
    if member.kind == "1" and member.link in tree:
        return tree[member.link]
    digest, owner = member.digest, (member.uid, member.gid)
    normal = normalizer_of(member.path) if member.content is not None else None
    if normal is not None and member.content is not None:
        digest = digest_of(normal(member.content))
    return Entry(member.kind, member.mode, owner, member.size, digest, member.link, member.attributes)


def _take(contents: Contents, member: Member) -> None:
    path, mode, size, kind, content = member[:5]
    folder, _, name = path.rpartition("/")
    contents.count += 1
    contents.bytes += size
    parts = path.split("/", 3)
    depth = min(3 if parts[0] == "usr" else 2, len(parts) - (kind != "5"))
    for level in range(1, depth + 1):
        contents.folders["/".join(parts[:level])] += size
    if kind == "0" and mode & 0o6000 and mode & 0o111:
        contents.set_uid.append(path)
    if folder in _PROGRAMS and (kind in "12" or (kind == "0" and mode & 0o111)):
        contents.programs.setdefault(name, f"/{path}")
        if name in _SHELLS:
            contents.shells.append(path)
    if content is not None and _is_database(path, size):
        text = content.decode("utf-8", "replace")
        contents.system_packages.update(_alpine(text) if path.endswith("apk/db/installed") else _debian(text))
    elif name == "package.json":
        found = _NODE.search(path)
        if found is not None:
            contents.node_packages.add(found.group(1))
    elif name in ("METADATA", "PKG-INFO"):
        found = _PYTHON.search(path)
        if found is not None:
            contents.python_packages[re.sub(r"[-_.]+", "-", found.group(1)).lower()] = found.group(2)


def _debian(text: str) -> dict[str, str]:
    packages = {}
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.split("\n") if ": " in line and line[0] != " ")
        # "deinstall ok config-files": the package is gone, its configuration is not.
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
            packages[fields["Package"]] = fields.get("Version", "")
    return packages


def _alpine(text: str) -> dict[str, str]:
    packages, name = {}, ""
    for line in text.split("\n"):
        if line.startswith("P:"):
            name = line[2:]
            packages[name] = ""
        elif line.startswith("V:") and name:
            packages[name] = line[2:]
    return packages


@dataclass(frozen=True, slots=True)
class Gone:
    """What the image before had and the one after has not."""

    system_packages: tuple[str, ...] = ()
    node_packages: tuple[str, ...] = ()
    python_packages: tuple[str, ...] = ()
    folders: tuple[tuple[str, int], ...] = ()
    """Folder and its bytes before; the largest first, without those below another one that went."""


def gone(before: Contents, after: Contents) -> Gone:
    """Compares two images' contents."""
    missing = sorted(set(before.folders) - set(after.folders), key=lambda path: (-before.folders[path], path))
    tops = [path for path in missing if path.rpartition("/")[0] in after.folders or "/" not in path]
    return Gone(
        tuple(sorted(set(before.system_packages) - set(after.system_packages))),
        tuple(sorted(before.node_packages - after.node_packages)),
        tuple(sorted(set(before.python_packages) - set(after.python_packages))),
        tuple((path, before.folders[path]) for path in tops),
    )
