"""Requirements as pip takes them: one on a line, and files of them.

Sources: pip's "Requirements File Format" (and ``pip/_internal/req/req_file.py`` for the order in which lines
are joined and comments dropped), PEP 508.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean
from refactor.shell import normalise


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing to install."""

    text: str
    """The logical line, without comment and per-requirement options."""
    name: str | None
    """Normalised as in PEP 503 (``psycopg2-binary``); None for a path or URL that does not tell."""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    """Such as ``>=1.0,<2``."""
    marker: str = ""
    """Environment marker, such as ``python_version < "3.9"``."""
    url: str | None = None
    """Direct or version-control reference, such as ``git+https://host/repo@tag``."""
    path: str | None = None
    """Local folder or archive as written; relative to the folder pip is started in, not to the file."""
    is_editable: bool = False
    file: str = ""

    @property
    def needs_git(self) -> bool:
        """Fetched with git, which must be installed where pip runs."""
        return self.url is not None and self.url.startswith(("git+", "git://"))


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A requirements file with all it includes."""

    requirements: tuple[Requirement, ...]
    """In order, those of ``-r`` files where they are included; without what ``-c`` files say."""
    included: tuple[str, ...]
    """Files that ``-r`` and ``-c`` name, directly or not, as paths in the context; not the file itself."""
    missing: tuple[str, ...]
    """Included files that the build does not see, as written."""


_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_PEP508 = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)\Z", re.DOTALL)
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>) ?[^\s,;()<>=!~]+"
_SPECIFIER = re.compile(rf"\(? ?(?:{_CLAUSE}(?: ?, ?{_CLAUSE})* ?,?)? ?\)?\Z")
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PER_REQUIREMENT = re.compile(
    r"\s(?:--hash|--config-settings?|-C|--global-option|--install-option|--build-option)(?:[= ]\s*|\b)"
)


def parse_requirement(line: str, file: str = "") -> Requirement | None:
    """One requirement as pip takes it on a line of its own; None for what is none."""
    line = _PER_REQUIREMENT.split(" ".join(line.split()), maxsplit=1)[0]
    is_direct = bool(_SCHEME.match(line)) or line.startswith((".", "/")) or " @ " in line
    # In a URL `;` begins a marker only after a blank (PEP 508).
    line, *markers = re.split(r" ; ?" if is_direct else r" ?; ?", line, maxsplit=1)
    line = line.strip()
    found = Requirement(line, None, marker="".join(markers).strip(), file=file)
    named = _PEP508.match(line)
    extras = tuple(part.strip() for part in (named[2] or "").split(",") if part.strip()) if named else ()
    if named and named[3].startswith("@"):
        path, url = _where(named[3][1:].strip())
        return replace(found, name=normalise(named[1]), extras=extras, path=path, url=url)
    bare = re.sub(r"\[[^\]]*\]\Z", "", line)
    if _SCHEME.match(line) or bare.startswith((".", "/")) or "/" in bare or bare.endswith(_ARCHIVE):
        egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", line)
        path, url = _where(line if _SCHEME.match(line) else bare)
        return replace(found, name=normalise(egg[1]) if egg else _archive_name(bare.split("#")[0]), path=path, url=url)
    if not named or not _SPECIFIER.match(named[3]):
        return None
    specifier = re.sub(r"\s+", "", named[3]).strip("()")
    return replace(found, name=normalise(named[1]), extras=extras, specifier=specifier)


def _where(target: str) -> tuple[str | None, str | None]:
    """The path of a ``file:`` URL or of a plain path; or the URL."""
    if target.startswith("file:"):
        return target.removeprefix("file:").removeprefix("//").split("#")[0] or ".", None
    return (None, target) if _SCHEME.match(target) else (target, None)


def _archive_name(target: str) -> str | None:
    """The distribution of a wheel's or an archive's file name."""
    name = target.rpartition("/")[2]
    found = re.match(r"([^-]+).*\.whl\Z|(.+?)-\d[^/]*?(?:\.zip|\.tgz|\.tar(?:\.\w+)?)\Z", name)
    return normalise(found[1] or found[2]) if found else None


def _decode(data: bytes) -> str:
    """As pip does: UTF-16 by its byte order marks (PowerShell writes it), else UTF-8."""
    is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16", "replace") if is_wide else data.decode("utf-8-sig", "surrogateescape")


def _logical_lines(content: str) -> list[str]:
    """Lines with continuations joined and comments dropped, in pip's order: a comment ends a continuation."""
    text = re.sub(r"(?m)^[ \t]*#.*$", "", "\n".join((*content.splitlines(), "")))
    return [_COMMENT.sub("", line).strip() for line in text.replace("\\\n", "").split("\n")]


_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:=|\s+|(?<=-[rc]))\s*(.+)\Z")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:=|\s+|(?<=-e))\s*(.+)\Z")


@remembered
def read_requirements(context: BuildContext, path: str = "requirements.txt") -> RequirementsFile | Unknown:
    """A requirements file, with the files that it includes; Unknown if it cannot be read itself."""
    found: list[Requirement] = []
    included: dict[str, None] = {}
    missing: dict[str, None] = {}

    def read(path: str, *, is_pins: bool = False) -> Unknown | None:
        """One file; pins install nothing."""
        data = context.read_bytes(path)
        if isinstance(data, Unknown):
            return data
        included[path] = None
        text = _decode(data)
        if "\0" in text:
            return context.report_broken(path, "is not a text file")
        for line in _logical_lines(text):
            include, editable = _INCLUDE.match(line), _EDITABLE.match(line)
            if include:
                target = include[2].strip("\"'")
                inside = clean(posixpath.join(posixpath.dirname(path), target))
                is_own = "://" not in target and inside not in included
                if is_own and read(inside, is_pins=is_pins or include[1] in {"-c", "--constraint"}) is not None:
                    missing[target] = None
            elif not is_pins and (editable or not line.startswith("-")):
                need = parse_requirement(editable[1] if editable else line, path)
                if need is not None and editable:
                    is_folder = need.path is None and need.url is None
                    need = replace(need, name=None, path=need.text) if is_folder else need
                    need = replace(need, is_editable=True)
                found.extend(() if need is None else (need,))
        return None

    problem = read(clean(path))
    included.pop(clean(path), None)
    return RequirementsFile(tuple(found), tuple(included), tuple(missing)) if problem is None else problem
