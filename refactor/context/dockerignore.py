"""``.dockerignore`` as the builders understand it.

The rules are those of ``moby/patternmatcher`` (``ignorefile.ReadAll``, ``New``,
``MatchesUsingParentResults``) and of the walk that BuildKit's file transfer makes over them
(``tonistiigi/fsutil``, ``filter.go``). They are not those of ``.gitignore``: every pattern is anchored at the
root of the context, a leading ``/`` means nothing, ``*`` stops at ``/`` and the last matching pattern wins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_GO_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000"
)
"""What Go's ``strings.TrimSpace`` removes; ``str.strip()`` removes more."""

_MAX_LINE = 64 * 1024
"""Go's ``bufio.Scanner`` refuses longer lines, and the build fails."""

_MAX_STARS = 2
"""Patterns with more wildcards are matched without backtracking: Go's engine is linear, Python's is not."""


class BadPattern(ValueError):
    """A pattern that the builder refuses (Go: ``filepath.ErrBadPattern``). The message says which and why."""


def clean(path: str) -> str:
    """Shortest equivalent of a slash path, as Go's ``path.Clean``: ``.`` for nothing, no trailing slash."""
    if not path:
        return "."
    rooted = path[0] == "/"
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if parts and parts[-1] != "..":
                parts.pop()
                continue
            if rooted:
                continue
        parts.append(part)
    joined = "/".join(parts)
    return "/" + joined if rooted else joined or "."


def match(pattern: str, name: str) -> bool:
    """Whether Go's ``filepath.Match`` (on Unix) takes ``name``. Raises :class:`BadPattern` where Go fails."""
    if "[" not in pattern and "\\" not in pattern:
        return _simple(pattern).fullmatch(name) is not None
    while pattern:
        star = False
        while pattern.startswith("*"):
            pattern = pattern[1:]
            star = True
        chunk, pattern = _next_chunk(pattern)
        if star and not chunk:
            return "/" not in name
        rest = _match_chunk(chunk, name)
        if rest is not None and (not rest or pattern):
            name = rest
            continue
        if not star:
            return False
        for start in range(1, len(name) + 1):
            if name[start - 1] == "/":
                return False
            rest = _match_chunk(chunk, name[start:])
            if rest is not None and (pattern or not rest):
                name = rest
                break
        else:
            return False
    return not name


@lru_cache(maxsize=256)
def _simple(pattern: str) -> re.Pattern[str]:
    """A pattern of ``*`` and ``?`` as a regular expression, for folders of many files.

    What stands between two stars is taken where it is found first, as Go does, and not given back: a pattern of many
    stars cannot make the search run long.
    """
    first, *others = [re.escape(chunk).replace("\\?", "[^/]") for chunk in re.split(r"\*+", pattern)]
    between = "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1])
    return re.compile(first + between + (f"[^/]*{others[-1]}" if others else ""))


def _next_chunk(pattern: str) -> tuple[str, str]:
    """Split before the next ``*`` that is outside a character class."""
    in_class = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        elif char == "*" and not in_class:
            return pattern[:at], pattern[at:]
        at += 1
    return pattern, ""


def _match_chunk(chunk: str, name: str) -> str | None:
    """What is left of ``name`` after ``chunk``, None without a match; checks the whole chunk."""
    failed = False
    at = 0
    end = len(chunk)
    while at < end:
        failed = failed or not name
        char = chunk[at]
        if char == "[":
            at += 1
            negated = at < end and chunk[at] == "^"
            if negated:
                at += 1
            found = False
            ranges = 0
            while not (at < end and chunk[at] == "]" and ranges):
                low, at = _class_char(chunk, at)
                high = low
                if chunk[at] == "-":
                    high, at = _class_char(chunk, at + 1)
                if not failed:
                    found = found or low <= name[0] <= high
                ranges += 1
            at += 1
            if not failed:
                name = name[1:]
                failed = found == negated
            continue
        if char == "?":
            if not failed:
                failed = name[0] == "/"
                name = name[1:]
            at += 1
            continue
        if char == "\\":
            at += 1
            if at == end:
                raise BadPattern("ends in a lone backslash")
        if not failed:
            failed = chunk[at] != name[0]
            name = name[1:]
        at += 1
    return None if failed else name


def _class_char(chunk: str, at: int) -> tuple[str, int]:
    if at >= len(chunk) or chunk[at] in "-]":
        raise BadPattern("has a malformed [character class]")
    if chunk[at] == "\\":
        at += 1
        if at >= len(chunk):
            raise BadPattern("has a malformed [character class]")
    if at + 1 >= len(chunk):
        raise BadPattern("has a malformed [character class]")
    return chunk[at], at + 1


_ESCAPED = frozenset(".+()$")
_GO_ESCAPES = frozenset("adDfnrsStvwW")
"""Letters after a backslash that mean the same in Go's and in Python's regular expressions."""


class Pattern:
    """One line of a ``.dockerignore``."""

    __slots__ = ("_exact", "_prefix", "_regex", "_steps", "_suffix", "is_exception", "text")

    text: str
    """Cleaned, without the ``!``."""
    is_exception: bool
    """The line began with ``!``."""

    def __init__(self, line: str) -> None:
        """Raises :class:`BadPattern` for what the builder refuses."""
        text = clean(line)
        self.is_exception = text[0] == "!"
        if self.is_exception:
            text = text[1:]
            if not text:
                raise BadPattern("is an exception without a pattern")
        self.text = text
        self._exact: str | None = None
        self._prefix: str | None = None
        self._suffix: str | None = None
        self._regex: re.Pattern[str] | None = None
        self._steps: tuple[str | re.Pattern[str], ...] = ()
        match(text, ".")
        self._compile()

    def matches(self, path: str) -> bool:
        """Whether the pattern names exactly this path (not a parent of it)."""
        if self._exact is not None:
            return path == self._exact
        if self._prefix is not None:
            return path.startswith(self._prefix)
        if self._suffix is not None:
            suffix = self._suffix
            return path.endswith(suffix) or (suffix[:1] == "/" and path == suffix[1:])
        if self._regex is not None:
            return self._regex.search(path) is not None
        return _simulate(self._steps, path)

    def may_match_below(self, folder: str) -> bool:
        """Whether an exception can bring something in this folder back (fsutil's rule for skipping it)."""
        text = self.text.removesuffix("/**").removesuffix("/*")
        return any(char in "*[]?^\\" for char in text) or (text + "/").startswith(folder + "/")

    def _compile(self) -> None:
        text = self.text
        if not any(char in "*?[]\\" for char in text):
            self._exact = text
            return
        if text.endswith("**") and not any(char in "*?[]\\" for char in text[:-2]) and text != "**":
            self._prefix = text[:-2]
            return
        if text.startswith("**") and not any(char in "*?[]\\" for char in text[2:]):
            self._suffix = text[2:]
            return
        tokens = _tokens(text)
        if sum(token in _STARS for token in tokens) > _MAX_STARS:
            self._steps = _steps(tokens)
        else:
            self._regex = _regex("^" + "".join(tokens) + r"\Z")


_ANY_FOLDERS = "(?:.*/)?"
_ANYTHING = ".*"
_STAR = "[^/]*"
_STARS = frozenset((_ANY_FOLDERS, _ANYTHING, _STAR))


def _tokens(text: str) -> tuple[str, ...]:
    """The regular expression the builder makes of a pattern, piece by piece."""
    tokens: list[str] = []
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        at += 1
        if char == "*":
            if at < end and text[at] == "*":
                at += 1
                if at < end and text[at] == "/":
                    at += 1
                token = _ANYTHING if at == end else _ANY_FOLDERS
            else:
                token = _STAR
            # Repeating one of these changes nothing but the time it takes.
            if not tokens or tokens[-1] != token:
                tokens.append(token)
        elif char == "?":
            tokens.append("[^/]")
        elif char in _ESCAPED:
            tokens.append("\\" + char)
        elif char == "\\":
            if at == end:
                raise BadPattern("ends in a lone backslash")
            char = text[at]
            at += 1
            if ord(char) > 127 or (char.isalnum() and char not in _GO_ESCAPES):
                raise BadPattern(f"has the escape \\{char}, which is not a plain character to the builder")
            tokens.append("\\" + char)
        elif char in "{}":
            # The builder means to escape braces and `|` but does not: a count would repeat what is before it.
            if char == "{" and re.match(r"\d", text[at:]):
                raise BadPattern("has a {count}, which the builder reads as a repetition")
            tokens.append("\\" + char)
        elif char == "[" and text[at : at + 1] == ":":
            raise BadPattern("has a [:class:], which builders read in different ways")
        else:
            tokens.append(char)
    return tuple(tokens)


def _regex(pattern: str) -> re.Pattern[str]:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[` and `--` are literal here, as in Go
            return re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        raise BadPattern("has a malformed [character class]") from None


def _steps(tokens: tuple[str, ...]) -> tuple[str | re.Pattern[str], ...]:
    """Tokens for :func:`_simulate`: wildcards as they are, plain text as ``=text``, classes compiled."""
    steps: list[str | re.Pattern[str]] = []
    run = ""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token == "[":
            inner = tokens[at:]
            end = next((i for i, one in enumerate(inner) if one == "]" and i and inner[:i] != ("^",)), -1)
            if end < 0 or any(one in _STARS or one in ("[", "[^/]") for one in inner[:end]):
                raise BadPattern("is too complex to be followed: a character class between many wildcards")
            at += end + 1
            step: str | re.Pattern[str] = _regex("[" + "".join(inner[: end + 1]))
        elif token in _STARS or token == "[^/]":
            step = token
        elif token in ("|", "^") or (len(token) == 2 and token[1].isalnum()):
            raise BadPattern(f"is too complex to be followed: {token} between many wildcards")
        else:
            run += token[-1]
            continue
        if run:
            steps.append("=" + run)
            run = ""
        steps.append(step)
    return (*steps, "=" + run) if run else tuple(steps)


def _simulate(steps: tuple[str | re.Pattern[str], ...], path: str) -> bool:
    """Match by walking all possible positions at once, in time steps times path length."""
    positions = {0}
    length = len(path)
    for step in steps:
        if not isinstance(step, str):
            # A class may take a slash: `[^a]` does so in Go's regular expressions.
            positions = {p + 1 for p in positions if p < length and step.match(path, p)}
        elif step[0] == "=":
            text = step[1:]
            positions = {p + len(text) for p in positions if path.startswith(text, p)}
        elif step in (_ANYTHING, _ANY_FOLDERS):
            start = min(positions)
            line_end = path.find("\n", start)
            stop = length if line_end < 0 else line_end
            if step == _ANYTHING:
                positions = set(range(start, stop + 1))
            else:
                positions |= {p + 1 for p in range(start, stop) if path[p] == "/"}
        elif step == _STAR:
            reached = set(positions)
            for p in sorted(positions):
                while p < length and path[p] != "/" and p + 1 not in reached:
                    p += 1
                    reached.add(p)
            positions = reached
        else:
            positions = {p + 1 for p in positions if p < length and path[p] != "/"}
        if not positions:
            return False
    return length in positions


class DockerIgnore:
    """The patterns of one ignore file, in order."""

    __slots__ = ("_plain", "has_exceptions", "lines", "patterns", "why_broken")

    patterns: tuple[Pattern, ...]
    lines: tuple[int, ...]
    """1-based line of each pattern."""
    has_exceptions: bool
    why_broken: str | None
    """Why the builder would refuse the file, and with it the build: then it is not known what is sent."""

    def __init__(self, text: str = "") -> None:
        patterns: list[Pattern] = []
        lines: list[int] = []
        self.why_broken = None
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            if len(line) >= _MAX_LINE and len(line.encode("utf-8", "surrogateescape")) >= _MAX_LINE:
                self.why_broken = f"line {number} is longer than 64 KiB"
                break
            pattern = _pattern_of(line)
            if not pattern:
                continue
            try:
                patterns.append(_compiled(pattern))
            except BadPattern as error:
                self.why_broken = f"the pattern `{pattern}` in line {number} {error}"
                break
            lines.append(number)
        self.patterns = tuple(patterns)
        self.lines = tuple(lines)
        self.has_exceptions = any(pattern.is_exception for pattern in patterns)
        self._plain = self.patterns if not self.has_exceptions else ()

    def decide(self, path: str, parent: tuple[bool, ...] = ()) -> tuple[bool, tuple[bool, ...]]:
        """Whether ``path`` is ignored, and the state to pass for what lies in it.

        ``parent`` is the state of its folder, () for the entries of the root.
        """
        if not self.has_exceptions:
            for pattern in self._plain:
                if pattern.matches(path):
                    return True, ()
            return False, ()
        ignored = False
        state: list[bool] = []
        for at, pattern in enumerate(self.patterns):
            matched = parent[at] if parent else False
            if not matched:
                if pattern.is_exception != ignored:
                    state.append(False)
                    continue
                matched = pattern.matches(path)
            state.append(matched)
            if matched:
                ignored = not pattern.is_exception
        return ignored, tuple(state)

    def may_keep_below(self, folder: str) -> bool:
        """Whether something in this ignored folder may be sent all the same, because of a ``!`` line."""
        return self.has_exceptions and any(
            pattern.may_match_below(folder) for pattern in self.patterns if pattern.is_exception
        )

    def is_ignored(self, path: str) -> bool:
        """Whether a clean relative path is left out of the build. The root never is."""
        if path in ("", "."):
            return False
        state: tuple[bool, ...] = ()
        ignored = False
        at = 0
        while at >= 0:
            at = path.find("/", at + 1)
            step = path if at < 0 else path[:at]
            ignored, state = self.decide(step, state)
            if ignored and at >= 0 and not self.may_keep_below(step):
                return True
        return ignored


def _pattern_of(line: str) -> str | None:
    """One line as ``ignorefile.ReadAll`` reads it; None for comments and blank lines."""
    if line.startswith("#"):
        return None
    line = line.strip(_GO_SPACE)
    if not line:
        return None
    is_exception = line[0] == "!"
    if is_exception:
        line = line[1:].strip(_GO_SPACE)
    if line:
        line = clean(line)
        if len(line) > 1 and line[0] == "/":
            line = line[1:]
    # The matcher trims again what cleaning uncovered (`New` after `ReadAll`).
    return ("!" + line if is_exception else line).strip(_GO_SPACE)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Pattern:
    return Pattern(pattern)


def with_patterns(text: bytes, patterns: Sequence[str]) -> bytes:
    """The content of an ignore file with a line for each pattern at its end, ended as its own lines are."""
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    if text and not text.endswith(b"\n"):
        text += newline
    return text + b"".join(pattern.encode() + newline for pattern in patterns)
