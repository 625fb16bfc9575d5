"""BuildKit's shell lexer (``shell/lex.go``): quotes, escapes and ``${...}`` in words of a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Callable

from refactor.syntax.words import SPACE

Lookup = Callable[[str], str | None]
"""Value of a variable, None where it is not set. May raise :class:`UnknownValue`."""

_PLAIN = re.compile(r"""[^\\`'"$<}/\s]+""")
_QUOTED = re.compile(r'[^"$\\`]+')
_NAME = re.compile(r"\d+|[@*#?\-$!]|(?:[^\W\d]|_)\w*")
_TEMPLATE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_MAX_STEPS = 10_000_000
"""Bound of the work for a pattern such as ``${x#*a*b*}``; Go's regular expressions are linear, ours not."""
_MAX_DEPTH = 100


class ExpansionError(ValueError):
    """A word that BuildKit refuses: an open quote, a bad substitution."""


class UnknownValue(ExpansionError):
    """The value of a variable that the expansion needs is not known before the build."""


def expand_word(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """Expands variables and removes quotes and escapes. Raises :class:`ExpansionError`."""
    if is_literal(text, escape):
        return text
    return _Lexer(text, escape, lookup).read("")[0]


def is_literal(text: str, escape: str) -> bool:
    """Whether a word stands for itself: no variable, no quote, no escape character."""
    return "$" not in text and "'" not in text and '"' not in text and escape not in text


def expand_words(text: str, lookup: Lookup, escape: str = "\\") -> list[str]:
    """Like :func:`expand_word`, split at blanks that are neither quoted nor escaped, after the expansion."""
    return _Lexer(text, escape, lookup).read("")[1]


def is_same_word(one: str, other: str, escape: str = "\\") -> bool:
    """Whether two words come to the same value, whatever their variables hold; False where one cannot be expanded."""
    lookups: tuple[Lookup, ...] = (lambda name: f"<{name}>", lambda name: "", lambda name: None)
    try:
        return all(expand_word(one, lookup, escape) == expand_word(other, lookup, escape) for lookup in lookups)
    except (ExpansionError, RecursionError):
        return False


def split_words(text: str, *, raw_quotes: bool = False, raw_escapes: bool = False) -> list[str]:
    """Splits into words with variables left as they are; quotes and escapes are kept where asked for."""
    return _Lexer(text, "\\", None, raw_quotes, raw_escapes).read("")[1]


class _Words:
    __slots__ = ("buffer", "words")

    def __init__(self) -> None:
        self.buffer: list[str] = []
        self.words: list[str] = []

    def end(self) -> None:
        # A word of nothing but empty quotes is dropped, as in BuildKit.
        word = "".join(self.buffer)
        if word:
            self.words.append(word)
        self.buffer = []

    def add_split(self, text: str) -> None:
        for char in text:
            if char in SPACE:
                self.end()
            else:
                self.buffer.append(char)


class _Lexer:
    __slots__ = ("depth", "escape", "lookup", "position", "raw_escapes", "raw_quotes", "size", "text")

    def __init__(
        self,
        text: str,
        escape: str,
        lookup: Lookup | None,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
    ) -> None:
        self.text = text
        self.size = len(text)
        self.position = 0
        self.escape = escape
        self.lookup = lookup
        """None leaves variables as they are."""
        self.raw_quotes = raw_quotes
        self.raw_escapes = raw_escapes
        self.depth = 0

    def peek(self) -> str:
        return self.text[self.position] if self.position < self.size else ""

    def next(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def read(self, stop: str) -> tuple[str, list[str]]:
        """Reads up to the character ``stop`` (consumed) or the end; the text and its words."""
        result: list[str] = []
        words = _Words()
        text, size = self.text, self.size
        while self.position < size:
            plain = _PLAIN.match(text, self.position)
            if plain is not None:
                result.append(plain[0])
                words.buffer.append(plain[0])
                self.position = plain.end()
                continue
            char = text[self.position]
            if char == stop:
                self.position += 1
                words.end()
                return "".join(result), words.words
            if char == "$":
                value = self.dollar()
                result.append(value)
                words.add_split(value)
                continue
            if char == "'":
                value = self.single_quoted()
            elif char == '"':
                value = self.double_quoted()
            elif char == "<":
                value = self.less_than()
            elif char == self.escape:
                self.position += 1
                value = char if self.raw_escapes else ""
                value += self.next()
            else:
                self.position += 1
                result.append(char)
                if char in SPACE:
                    words.end()
                else:
                    words.buffer.append(char)
                continue
            result.append(value)
            words.buffer.append(value)
        if stop:
            raise ExpansionError(f"unexpected end of statement while looking for matching {stop}")
        words.end()
        return "".join(result), words.words

    def less_than(self) -> str:
        # Blanks after "<<" belong to the heredoc's word.
        start = self.position
        self.position += 1
        if self.peek() == "<":
            self.position += 1
            while self.peek() in ("\t", "\r", " "):
                self.position += 1
        return self.text[start : self.position]

    def single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        start, self.position = self.position, end + 1
        return self.text[start : end + 1] if self.raw_quotes else self.text[start + 1 : end]

    def double_quoted(self) -> str:
        self.position += 1
        result = ['"'] if self.raw_quotes else []
        while True:
            plain = _QUOTED.match(self.text, self.position)
            if plain is not None:
                result.append(plain[0])
                self.position = plain.end()
            char = self.peek()
            if not char:
                raise ExpansionError("unexpected end of statement while looking for matching double-quote")
            if char == "$":
                result.append(self.dollar())
                continue
            self.position += 1
            if char == '"':
                if self.raw_quotes:
                    result.append(char)
                return "".join(result)
            if char == self.escape:
                if self.raw_escapes:
                    result.append(char)
                following = self.peek()
                if not following:
                    continue
                if following in ('"', "$", self.escape):
                    char = self.next()
            result.append(char)

    def name(self) -> str:
        match = _NAME.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def get(self, name: str) -> str | None:
        return None if self.lookup is None else self.lookup(name)

    def dollar(self) -> str:
        start = self.position
        self.position += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.get(name)
            if value is not None:
                return value
            return "$" + name if self.lookup is None else ""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ExpansionError("substitutions are nested too deeply")
        value = self.braced(start)
        self.depth -= 1
        return value

    def braced(self, start: int) -> str:
        self.position += 1
        following = self.peek()
        if not following:
            raise ExpansionError("syntax error: missing '}'")
        if following in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        name = self.name()
        operator = self.next()
        if operator == "}":
            value = self.get(name)
            if value is None:
                return f"${{{name}}}" if self.lookup is None else ""
            return value
        if operator == "/":
            return self.replaced(name)
        colon = ""
        if operator == ":":
            colon, operator = ":", self.next()
        if operator not in ("+", "-", "?", "#", "%") or (colon and operator in "#%"):
            raise ExpansionError(f"unsupported modifier ({colon}{operator}) in substitution")
        word = self.until("}", raw_escapes=operator in "#%")
        value = self.get(name)
        if self.lookup is None:
            return f"${{{name}{colon}{operator}{word}}}"
        is_missing = value is None or (colon != "" and value == "")
        if operator == "-":
            return word if is_missing else value or ""
        if operator == "+":
            return "" if is_missing else word
        if operator == "?":
            if is_missing:
                what = "unset" if value is None else "empty"
                raise ExpansionError(f"{name}: {word or f'is not allowed to be {what}'}")
            return value or ""
        is_greedy = word[:1] == operator
        pattern = word[1:] if is_greedy else word
        if operator == "#":
            return _without_prefix(pattern, value or "", is_greedy)
        return _without_prefix(_reversed_pattern(pattern), (value or "")[::-1], is_greedy)[::-1]

    def until(self, stop: str, raw_escapes: bool) -> str:
        before, self.raw_escapes = self.raw_escapes, raw_escapes
        try:
            return self.read(stop)[0]
        except UnknownValue:
            raise
        except ExpansionError:
            if self.position >= self.size:
                raise ExpansionError(f"syntax error: missing '{stop}'") from None
            raise
        finally:
            self.raw_escapes = before

    def replaced(self, name: str) -> str:
        everywhere = self.peek() == "/"
        if everywhere:
            self.position += 1
        pattern = self.until("/", raw_escapes=True)
        replacement = self.until("}", raw_escapes=True)
        value = self.get(name)
        if self.lookup is None:
            return f"${{{name}/{pattern}/{replacement}}}"
        value = value or ""
        regex = _regex(pattern, is_greedy=True, value=value)
        if not everywhere:
            found = regex.search(value)
            return value if found is None else value[: found.start()] + replacement + value[found.end() :]
        result, position = [], 0
        previous_end = -1
        for found in regex.finditer(value):
            # Go drops an empty match that touches the one before.
            if found.start() == found.end() == previous_end:
                continue
            previous_end = found.end()
            result += [value[position : found.start()], _filled(replacement, found[0])]
            position = found.end()
        return "".join(result) + value[position:]


def _filled(template: str, match: str) -> str:
    """``$0`` and ``$$`` of a replacement, which Go's ``ReplaceAllString`` expands; other groups are empty."""

    def fill(found: re.Match[str]) -> str:
        return "$" if found[1] else match if (found[2] or found[3]) == "0" else ""

    return _TEMPLATE.sub(fill, template) if "$" in template else template


def _regex(pattern: str, is_greedy: bool, value: str) -> re.Pattern[str]:
    stars = pattern.count("*")
    if stars and (len(value) + 1) ** min(stars + 1, 16) > _MAX_STEPS:
        raise UnknownValue(f"pattern {pattern!r} would take too long")
    out: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            out.append(".*" if is_greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            # "\}" and "\/" protect the character from the substitution only.
            escaped = next(chars, "")
            if escaped not in ("*", "?", "\\", "}", "/"):
                raise ExpansionError(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'")
            out.append(re.escape(escaped))
        else:
            out.append(re.escape(char))
    return re.compile("".join(out))


def _without_prefix(pattern: str, value: str, is_greedy: bool) -> str:
    found = _regex(pattern, is_greedy, value).match(value)
    return value if found is None else value[found.end() :]


def _reversed_pattern(pattern: str) -> str:
    return "".join(reversed(re.findall(r"\\.|.", pattern, re.S)))
