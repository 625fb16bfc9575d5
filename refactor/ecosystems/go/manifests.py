"""Manifests of Go modules, as ``go.dev/ref/mod`` defines them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean


@dataclass(frozen=True, slots=True)
class GoReplace:
    """One ``replace``: another module, or a folder."""

    module: str
    target: str
    """Module path, or folder as written."""
    folder: str | None
    """Path in the context of a local target, "" for its root; None for a module and for a folder outside."""

    @property
    def is_local(self) -> bool:
        """Replaced by a folder, which must be there before ``go mod download``."""
        return self.target.startswith(("./", "../", "/")) or self.target in (".", "..")


@dataclass(frozen=True, slots=True)
class GoMod:
    """A ``go.mod``."""

    path: str
    module: str
    go: str | None
    """Language version, such as ``1.22`` or ``1.22.3``: the least toolchain that builds it, from 1.21 on."""
    requires: tuple[str, ...]
    """Modules."""
    replaces: tuple[GoReplace, ...]


@dataclass(frozen=True, slots=True)
class GoWork:
    """A ``go.work``."""

    uses: tuple[str, ...]
    """Folders of the modules as paths in the context, "" for its root; without those outside."""


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|=>|[()]|[^\s()"`]+')
_DIRECTIVES = frozenset("module go toolchain require replace exclude retract tool godebug ignore use".split())
_WORDS = {"module": 1, "go": 1, "toolchain": 1, "tool": 1, "use": 1, "require": 2}
"""How many words follow a directive, where that is checked."""


class _Broken(ValueError):
    pass


def _statements(text: str) -> Iterator[tuple[str, list[str], int]]:
    """Directive, its words and its line, for lines and for lines of blocks."""
    block = ""
    opened = 0
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        words = _TOKEN.findall(_without_comment(line))
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                yield block, [_plain(word) for word in words], number
            continue
        if words[0] not in _DIRECTIVES:
            raise _Broken(f"unknown directive {words[0]} in line {number}")
        if len(words) == 2 and words[1] == "(":
            block, opened = words[0], number
        elif words[1:] == ["(", ")"]:
            continue
        else:
            yield words[0], [_plain(word) for word in words[1:]], number
    if block:
        raise _Broken(f"the block `{block} (` of line {opened} is not closed: the file was cut")


def _without_comment(line: str) -> str:
    found = re.match(r'((?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!//)[^"`])*)//', line)
    return line if found is None else found[1]


def _plain(word: str) -> str:
    return word[1:-1] if word[0] in '"`' else word


def _inside(folder: str, path: str) -> str | None:
    """A path beside the manifest as a path in the context, None if it lies outside."""
    if path.startswith("/"):
        return None
    where = clean(f"{folder}/{path}" if folder else path)
    if where == ".." or where.startswith("../"):
        return None
    return "" if where == "." else where


@remembered
def read_go_mod(context: BuildContext, path: str = "go.mod") -> GoMod | Unknown:
    """A module's manifest. A block that is not closed means that the file was cut: Unknown."""
    found = _read(context, path)
    if isinstance(found, Unknown):
        return found
    if "module" not in found:
        return context.report_broken(path, "has no module line")
    folder = path.rpartition("/")[0]
    return GoMod(
        path,
        found["module"][-1][0],
        found["go"][-1][0] if "go" in found else None,
        tuple(words[0] for words in found.get("require", ())),
        tuple(_replaced(words, folder) for words in found.get("replace", ())),
    )


@remembered
def read_go_work(context: BuildContext, path: str = "go.work") -> GoWork | Unknown:
    """A workspace of modules."""
    found = _read(context, path)
    if isinstance(found, Unknown):
        return found
    folders = (_inside(path.rpartition("/")[0], words[0]) for words in found.get("use", ()))
    return GoWork(tuple(folder for folder in folders if folder is not None))


def _read(context: BuildContext, path: str) -> dict[str, list[list[str]]] | Unknown:
    """The words of each directive, of all its lines."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    found: dict[str, list[list[str]]] = {}
    try:
        for directive, words, number in _statements(content):
            is_replace = directive == "replace" and re.fullmatch(r"\S+( \S+)? => \S+( \S+)?", " ".join(words)) is None
            if is_replace or len(words) != _WORDS.get(directive, len(words)):
                raise _Broken(f"a malformed {directive} in line {number}")
            found.setdefault(directive, []).append(words)
    except _Broken as error:
        return context.report_broken(path, str(error))
    return found


def _replaced(words: list[str], folder: str) -> GoReplace:
    target = words[words.index("=>") + 1]
    return GoReplace(words[0], target, _inside(folder, target) if target.startswith((".", "/")) else None)
