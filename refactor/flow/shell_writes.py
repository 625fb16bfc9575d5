"""What the shell part of a start command writes: redirections and the operands of everyday programs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import SHELLS, Root, roots_of

QUIET = frozenset(
    """
    : true false test [ [[ set export unset exec cd echo printf sleep exit return trap wait kill umask ulimit
    read shift local eval env printenv id whoami pwd date hostname uname which command type cat ls head tail
    grep egrep fgrep awk cut tr sort uniq wc seq expr basename dirname readlink realpath find xargs stat du df
    ps nc netcat ncat ping nslookup getent host dig curl wget wait-for-it wait-for-it.sh wait-for wait-for.sh
    dockerize pg_isready psql mysqladmin redis-cli mysql mkdir touch tee truncate cp mv ln install rsync sed rm
    chmod until while let alias declare typeset source . getopts nohup time stty clear yes sha256sum md5sum
    base64 openssl jq yq envsubst
    """.split()
)
"""Programs that write nothing but what their operands and redirections name."""
_MAKES_FOLDERS = frozenset({"mkdir"})
_CHANGES_FILES = frozenset({"touch", "tee", "truncate", "rm", "chmod"})
_COPIES_FILES = frozenset({"cp", "mv", "ln", "install", "rsync"})
_DOWNLOADS: Mapping[str, tuple[str, ...]] = {"curl": ("-o", "--output"), "wget": ("-O", "--output-document")}
CALM = r"^/(?:dev|proc|tmp|var/tmp)(?:/|$)"
"""Folders that any user may write to."""


def written_by_shell(reading: StageReading) -> dict[str, str] | Refused:
    """Folders that the start command and the shell scripts which it runs write to -> why."""
    roots = roots_of(reading)
    if isinstance(roots, Refused):
        return roots
    found: dict[str, str] = {}
    for root in roots:
        folders, files = _targets(root)
        for written in (*folders, *files):
            if "$" in written or "`" in written:
                return Refused(f"{root.where} writes to {written}, which depends on a variable", "set USER by hand")
        places = [join(root.folder, path.strip("\"'")) for path in folders]
        places += [posixpath.dirname(join(root.folder, path.strip("\"'"))) or "/" for path in files if path]
        for place in places:
            if not re.match(CALM, place + "/"):
                found.setdefault(place, f"{root.where} writes to it ({root.name})")
    return found


def _targets(root: Root) -> tuple[list[str], list[str]]:
    """Folders and files, as written."""
    name = root.name
    operands = [word for word in root.words[1:] if not word.startswith("-")]
    redirects = root.command.redirects if root.command is not None else ()
    files = [target.lstrip("0123456789>&| ") for target in redirects if ">" in target and ">&" not in target]
    files = [path for path in files if path and not path.strip("\"'").startswith("/dev/")]
    folders: list[str] = []
    if name in _MAKES_FOLDERS:
        folders += operands
    elif name in _CHANGES_FILES:
        files += operands[1:] if name == "chmod" else operands
    elif name in _COPIES_FILES and operands:
        files.append(operands[-1])
    elif name == "sed" and any(word.startswith("-i") or word == "--in-place" for word in root.words):
        files += operands[1:]
    elif name in _DOWNLOADS:
        pairs = zip(root.words, root.words[1:])
        targets = [value for option, value in pairs if option in _DOWNLOADS[name] and value != "-"]
        is_quiet = name == "curl" and not any(word in {"-O", "--remote-name"} for word in root.words)
        is_quiet = is_quiet or "--spider" in root.words or "-O-" in root.words or "-" in root.words
        files += targets or ([] if is_quiet or re.search(r" -\w*O\s*-( |$)", " ".join(root.words)) else ["./download"])
    return folders, files


def unknown_program(root: Root) -> Refused | None:
    """What is said of a program that no language knows; None for everyday programs of a shell script."""
    if root.name in QUIET or root.name in SHELLS:
        return None
    return Refused(
        f"{root.where} starts {root.name}, and where that writes is not known",
        "write USER with an id in front of CMD, and give that user the folders that it writes to",
    )


__all__ = ["CALM", "QUIET", "unknown_program", "written_by_shell"]
