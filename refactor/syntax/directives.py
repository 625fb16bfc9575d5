"""Parser directives, ``# escape=`` and the like, before any other line (BuildKit's ``directives.go``)."""

from __future__ import annotations

import re

from refactor.syntax.words import SPACE

_DIRECTIVE = r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*"
KNOWN = frozenset({"syntax", "escape", "check"})


class Directives:
    """The directives at the top of a file: ``lines`` are their raw lines, ``end`` is where they end."""

    __slots__ = ("end", "escape", "lines", "problems", "values")

    def __init__(self, text: str, position: int) -> None:
        self.values: dict[str, str] = {}
        self.lines: list[str] = []
        self.problems: list[tuple[int, str]] = []
        self.escape = "\\"
        while True:
            end = text.find("\n", position) + 1 or len(text)
            line = text[position:end]
            bare = line.rstrip("\r\n").lstrip(SPACE)
            if bare[:1] != "#" or "=" not in bare:
                break
            match = re.fullmatch(_DIRECTIVE, bare[1:].lstrip(SPACE))
            if match is None or (name := match[1].lower()) not in KNOWN:
                break
            self.lines.append(line)
            position = end
            if name in self.values:
                self.problems.append((len(self.lines), f"only one {name} parser directive can be used"))
                continue
            self.values[name] = match[2]
            if name == "escape":
                if match[2] in ("\\", "`"):
                    self.escape = match[2]
                else:
                    self.problems.append((len(self.lines), f"invalid escape token '{match[2]}' does not match ` or \\"))
        self.end = position
