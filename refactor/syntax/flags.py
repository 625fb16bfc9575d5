"""Flags between keyword and argument: ``--name=value`` (BuildKit's ``split_command.go`` and ``bflag.go``)."""

from __future__ import annotations

ASCII_SPACE = "\t\n\v\f\r "


class Flag:
    """One flag: ``value`` without quotes, None for ``--link`` without ``=``; ``text`` as written."""

    __slots__ = ("name", "text", "value")

    def __init__(self, name: str, value: str | None, text: str) -> None:
        self.name = name
        self.value = value
        self.text = text

    def __repr__(self) -> str:
        return f"Flag({self.text!r})"


def read_flags(text: str, position: int, escape: str) -> tuple[list[tuple[Flag, int, int]], int]:
    """Reads flags from ``position``: (flag, start, end) for each, and where the argument begins.

    A lone ``--`` ends the flags and is dropped. BuildKit reads bytes here and spoils letters outside ASCII;
    here they stay as they are.
    """
    flags: list[tuple[Flag, int, int]] = []
    size = len(text)
    while True:
        while position < size and text[position] in ASCII_SPACE:
            position += 1
        if not text.startswith("--", position):
            return flags, position
        start = position
        word: list[str] = []
        quote = ""
        while position < size:
            char = text[position]
            if quote:
                if char == quote:
                    quote = ""
                    position += 1
                    continue
            elif char in ASCII_SPACE:
                break
            elif char in "'\"":
                quote = char
                position += 1
                continue
            if char == escape:
                position += 1
                if position == size:
                    break
                char = text[position]
            word.append(char)
            position += 1
        value = "".join(word)
        if value == "--":
            return flags, position
        name, equals, rest = value.partition("=")
        # A word can lose its dashes to nothing, but begins with them as written: quotes come later.
        flags.append((Flag(name[2:], rest if equals else None, text[start:position]), start, position))


def flag_text(name: str, value: str | None, escape: str) -> str:
    """The flag as it is written, quoted where the value needs it."""
    if value is None:
        return f"--{name}"
    if any(char in "'\"" or char in ASCII_SPACE or char == escape for char in value):
        quoted = value.replace(escape, escape * 2).replace('"', escape + '"')
        return f'--{name}="{quoted}"'
    return f"--{name}={value}"
