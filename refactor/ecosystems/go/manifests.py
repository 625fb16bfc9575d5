"""Manifests of Go modules, as ``go.dev/ref/mod`` defines them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean


@dataclass(frozen=True, slots=True)
class GoRequire:
    """One required module."""

    module: str
    version: str
    is_indirect: bool


@dataclass(frozen=True, slots=True)
class GoReplace:
    """One ``replace``: another module, or a folder."""

    module: str
    version: str | None
    """The version that is replaced, None for all."""
    target: str
    """Module path, or folder as written."""
    target_version: str | None
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
    toolchain: str | None
    """Such as ``go1.22.5``."""
    requires: tuple[GoRequire, ...]
    replaces: tuple[GoReplace, ...]
    tools: tuple[str, ...]

    @property
    def program(self) -> str:
        """Name of the program that ``go build`` or ``go install`` makes of the module's root package.

        The last element of the module path, or the one before a version suffix such as ``/v2``.
        """
        parts = self.module.split("/")
        if len(parts) > 1 and re.fullmatch(r"v[2-9]|v[1-9]\d+", parts[-1]):
            parts.pop()
        return re.sub(r"\.v\d+$", "", parts[-1]) if parts[0] == "gopkg.in" else parts[-1]

    def requires_module(self, module: str) -> bool:
        """Whether a module, or one below it, is required."""
        return any(need.module == module or need.module.startswith(module + "/") for need in self.requires)


@dataclass(frozen=True, slots=True)
class GoWork:
    """A ``go.work``."""

    path: str
    go: str | None
    toolchain: str | None
    uses: tuple[str, ...]
    """Folders of the modules as paths in the context, "" for its root."""
    outside: tuple[str, ...]
    """``use`` lines that leave the context, as written."""
    replaces: tuple[GoReplace, ...]


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|=>|[()]|[^\s()"`]+')
_DIRECTIVES = frozenset(
    (
        "module",
        "go",
        "toolchain",
        "require",
        "replace",
        "exclude",
        "retract",
        "tool",
        "godebug",
        "ignore",
        "use",
    )
)


class _Broken(ValueError):
    pass


def _statements(text: str) -> Iterator[tuple[str, list[str], str, int]]:
    """Directive, its words, its comment and its line, for lines and for lines of blocks."""
    block = ""
    opened = 0
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        code, comment = _split_comment(line)
        words = _TOKEN.findall(code)
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                yield block, [_plain(word) for word in words], comment, number
            continue
        if words[0] not in _DIRECTIVES:
            raise _Broken(f"unknown directive {words[0]} in line {number}")
        if len(words) == 2 and words[1] == "(":
            block, opened = words[0], number
        elif words[1:] == ["(", ")"]:
            continue
        else:
            yield words[0], [_plain(word) for word in words[1:]], comment, number
    if block:
        raise _Broken(f"the block `{block} (` of line {opened} is not closed: the file was cut")


def _split_comment(line: str) -> tuple[str, str]:
    found = re.match(r'((?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!//)[^"`])*)//(.*)', line)
    return (found.group(1), found.group(2).strip()) if found else (line, "")


def _plain(word: str) -> str:
    return word[1:-1] if word[0] in '"`' else word


def _replace(words: list[str], folder: str, number: int) -> GoReplace:
    if "=>" not in words:
        raise _Broken(f"a replace without => in line {number}")
    at = words.index("=>")
    old, new = words[:at], words[at + 1 :]
    if len(old) not in (1, 2) or len(new) not in (1, 2):
        raise _Broken(f"a malformed replace in line {number}")
    where = _inside(folder, new[0]) if new[0].startswith((".", "/")) else None
    return GoReplace(old[0], old[1] if len(old) == 2 else None, new[0], new[1] if len(new) == 2 else None, where)


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
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    folder = path.rpartition("/")[0]
    module: str | None = None
    go: str | None = None
    toolchain: str | None = None
    requires: list[GoRequire] = []
    replaces: list[GoReplace] = []
    tools: list[str] = []
    try:
        for directive, words, comment, number in _statements(content):
            if directive == "replace":
                replaces.append(_replace(words, folder, number))
            elif directive == "require":
                if len(words) != 2:
                    raise _Broken(f"a malformed require in line {number}")
                is_indirect = comment == "indirect" or comment.startswith("indirect;")
                requires.append(GoRequire(words[0], words[1], is_indirect))
            elif directive in ("module", "go", "toolchain", "tool"):
                if len(words) != 1:
                    raise _Broken(f"a malformed {directive} in line {number}")
                if directive == "module":
                    module = words[0]
                elif directive == "go":
                    go = words[0]
                elif directive == "toolchain":
                    toolchain = words[0]
                else:
                    tools.append(words[0])
    except _Broken as error:
        return context.report_broken(path, str(error))
    if module is None:
        return context.report_broken(path, "has no module line")
    return GoMod(path, module, go, toolchain, tuple(requires), tuple(replaces), tuple(tools))


@remembered
def read_go_work(context: BuildContext, path: str = "go.work") -> GoWork | Unknown:
    """A workspace of modules."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    folder = path.rpartition("/")[0]
    go: str | None = None
    toolchain: str | None = None
    uses: list[str] = []
    outside: list[str] = []
    replaces: list[GoReplace] = []
    try:
        for directive, words, _, number in _statements(content):
            if directive == "replace":
                replaces.append(_replace(words, folder, number))
            elif directive == "use":
                if len(words) != 1:
                    raise _Broken(f"a malformed use in line {number}")
                where = _inside(folder, words[0])
                if where is None:
                    outside.append(words[0])
                else:
                    uses.append(where)
            elif directive in ("go", "toolchain") and len(words) == 1:
                if directive == "go":
                    go = words[0]
                else:
                    toolchain = words[0]
    except _Broken as error:
        return context.report_broken(path, str(error))
    return GoWork(path, go, toolchain, tuple(uses), tuple(outside), tuple(replaces))


@remembered
def read_go_sum(context: BuildContext, path: str = "go.sum") -> frozenset[tuple[str, str]] | Unknown:
    """Modules and versions with a checksum of their ``go.mod`` or of their content."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return content
    found = set()
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", words[2]):
            return context.report_broken(path, f"line {number} is no checksum")
        found.add((words[0], words[1].removesuffix("/go.mod")))
    return frozenset(found)
