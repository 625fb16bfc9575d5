"""What a program needs of the system around node: programs it calls, libraries its packages load."""

from __future__ import annotations

from collections.abc import Sequence

from refactor.context import BuildContext
from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.node.tables import words

_CALLS = {
    "simple-git": ("git", "simple-git calls it"),
    "nodegit": ("openssh-client", "nodegit may call ssh"),
    "gm": ("imagemagick", "gm calls it"),
    "imagemagick": ("imagemagick", "the package imagemagick calls it"),
    "easyimage": ("imagemagick", "easyimage calls it"),
    "python-shell": ("python3", "python-shell calls it"),
    "ssh2-exec": ("openssh-client", "ssh2-exec calls ssh"),
    "git-clone": ("git", "git-clone calls it"),
    "svn-ultimate": ("subversion", "svn-ultimate calls it"),
}
"""Packages that start a program which the full Node image has and the slim one has not."""
_KNOWN = words(
    """
    git curl wget python3 python convert identify magick openssl ssh scp unzip zip gpg hg svn ps file xz
    bzip2 make gcc ffmpeg
    """
)


def called_programs(context: BuildContext, files: Sequence[str]) -> dict[str, str]:
    """Programs that the sources start by a literal name -> where."""
    found: dict[str, str] = {}
    for path in files:
        for name, line in facts(context, path).spawns.items():
            if name in _KNOWN:
                found.setdefault(name, f"{path}:{line}")
    return found


def needed_packages(lock: NodeLock | None, package: PackageJson) -> dict[str, str]:
    """System packages of the full image that production packages need -> why."""
    needed: dict[str, str] = {}
    names = {**package.dependencies, **package.optional_dependencies}
    present = set(names)
    if lock is not None:
        present |= {locked.name for locked in lock.packages if not locked.is_dev}
    if "@prisma/client" in present:
        needed["openssl"] = "Prisma's query engine is linked with it"
    for name, (program, why) in _CALLS.items():
        if name in names:
            needed[program] = why
    return needed


__all__ = ["called_programs", "needed_packages"]
