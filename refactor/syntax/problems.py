"""What BuildKit would refuse: its parser, and its ``instructions/parse.go``, in words like its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from refactor.syntax.dissection import Dissection
from refactor.syntax.heredoc import heredoc_start, heredoc_starts
from refactor.syntax.nodes import Instruction, Node
from refactor.syntax.split import Split
from refactor.syntax.words import BLANKS, SPACE

MAX_LINE = 65_536
"""Bytes of a physical line, its ending included: the buffer of Go's ``bufio.Scanner``."""

_STAGE_NAME = r"[a-z][a-z0-9-_.]*"
_DURATION = r"[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)"

# Flags by instruction: "bool", "string" or "strings" (may be repeated). Instructions that are not here take
# none.
_FLAGS: dict[str, dict[str, str]] = {
    "ADD": {
        "chown": "string", "chmod": "string", "link": "bool", "keep-git-dir": "bool", "checksum": "string",
        "unpack": "bool", "exclude": "strings",
    },
    "COPY": {
        "chown": "string", "from": "string", "chmod": "string", "link": "bool", "exclude": "strings",
        "parents": "bool",
    },
    "FROM": {"platform": "string"},
    "HEALTHCHECK": {
        "interval": "string", "timeout": "string", "start-period": "string", "start-interval": "string",
        "retries": "string",
    },
    "RUN": {"mount": "strings", "network": "string", "security": "string", "device": "strings"},
}  # fmt: skip
_UNCHECKED_FLAGS = frozenset({"ARG", "STOPSIGNAL"})
"""BuildKit does not look at the flags of these."""
KEYWORDS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_MOUNT_TYPES = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})
_MOUNT_KEYS = frozenset({
    "type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid",
    "gid", "src", "dst", "destination", "ro", "rw", "readwrite", "env",
})  # fmt: skip
_MOUNT_WORDS = frozenset({"readonly", "ro", "readwrite", "rw", "required"})


class Problem:
    """Why BuildKit refuses the file: ``line`` counts from 1, ``reason`` is one short sentence."""

    __slots__ = ("line", "reason")

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and (self.line, self.reason) == (other.line, other.reason)

    def __hash__(self) -> int:
        return hash((self.line, self.reason))

    def __repr__(self) -> str:
        return f"Problem({self.line}, {self.reason!r})"


def problems_of(
    nodes: Sequence[Node], line_of: Callable[[Node], int], directives: Iterable[tuple[int, str]]
) -> tuple[Problem, ...]:
    """All problems of a file, in order of lines."""
    instructions = [node for node in nodes if isinstance(node, Instruction)]
    found = [Problem(line, reason) for line, reason in directives]
    is_in_stage = False
    for node in instructions:
        dissection = node.dissection
        reason = dissection.problem
        if reason is False:
            reason = dissection.problem = why_not_accepted(dissection)
        if reason is None and not is_in_stage:
            keyword = dissection.split.keyword
            if keyword == "FROM":
                is_in_stage = True
            elif keyword != "ARG":
                reason = "no build stage in current context: FROM must come first, only ARG may stand before it"
        elif dissection.split.keyword == "FROM":
            is_in_stage = True
        if isinstance(reason, str):
            found.append(Problem(line_of(node), reason))
    if not instructions:
        found.append(Problem(max(1, sum(node.text.count("\n") for node in nodes)), "file with no instructions"))
    elif not is_in_stage and not found:
        found.append(Problem(line_of(instructions[-1]), "dockerfile contains no stages to build"))
    line = 1
    for other in nodes:
        if len(other.text) * 4 > MAX_LINE:
            found += [Problem(line + offset, f"line greater than max allowed size of {MAX_LINE - 1}")
                      for offset in _long_lines(other.text)]  # fmt: skip
        line += other.text.count("\n")
    return tuple(sorted(found, key=lambda problem: problem.line)) if len(found) > 1 else tuple(found)


def _long_lines(text: str) -> list[int]:
    lines = text.encode("utf-8", "surrogateescape").split(b"\n")
    ends = len(lines) - 1
    return [i for i, line in enumerate(lines) if len(line) + (i < ends) > MAX_LINE - (i == ends)]


def why_not_accepted(dissection: Dissection) -> str | None:
    """Why BuildKit refuses an instruction by itself, None where it takes it."""
    split = dissection.split
    keyword = split.keyword
    if keyword not in KEYWORDS:
        return f"unknown instruction: {split.keyword_text}"
    if keyword == "ONBUILD":
        return _why_not_onbuild(dissection)
    return _why_not_parsed(dissection, split) or _why_not_flags(split) or _why_not_arguments(dissection, split)


def _why_not_parsed(dissection: Dissection, split: Split) -> str | None:
    """What already the line parsers refuse; all that is checked of an instruction inside ONBUILD."""
    json = split.json
    if split.json_error:
        return split.json_error
    if dissection.unterminated is not None:
        return f"unterminated heredoc: {dissection.unterminated.name}"
    keyword = split.keyword
    has_start = "<<" in split.argument and keyword in ("RUN", "COPY", "ADD")
    if has_start and any(start.is_spaced for start in heredoc_starts(split.argument)):
        # Docker 28's BuildKit begins a heredoc here, version 0.12 does not: two readings, so neither is built upon.
        return "`<<` with a blank behind it begins a heredoc for newer versions of BuildKit only: leave the blank out"
    if json is None and keyword in ("ENV", "LABEL"):
        words = split.words
        if words and "=" not in words[0][0]:
            if BLANKS.search(split.argument) is None:
                return f"{keyword} must have two arguments"
        else:
            for word, _, _ in words:
                if "=" not in word:
                    return f"can't find = in {word!r}: must be of the form name=value"
    return None


def _why_not_onbuild(dissection: Dissection) -> str | None:
    if not dissection.split.argument:
        return "ONBUILD requires at least one argument"
    wrapped = Split(dissection.split.argument, dissection.escape)
    keyword = wrapped.keyword
    refused = None
    if keyword in KEYWORDS and keyword != "ONBUILD":
        refused = _why_not_parsed(dissection, wrapped)
    if refused:
        return refused
    flags = dissection.flags
    if flags:
        return f"unknown flag: --{flags[0].name}"
    if keyword == "ONBUILD":
        return "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
    if keyword in ("FROM", "MAINTAINER"):
        return f"{keyword} isn't allowed as an ONBUILD trigger"
    return None


def _why_not_flags(split: Split) -> str | None:
    if not split.flag_spans or split.keyword in _UNCHECKED_FLAGS:
        return None
    if split.keyword == "HEALTHCHECK" and split.argument.upper() == "NONE":
        return None
    known = _FLAGS.get(split.keyword, {})
    used: set[str] = set()
    for flag, _, _ in split.flag_spans:
        kind = known.get(flag.name)
        if kind is None:
            return f"unknown flag: --{flag.name}"
        if flag.name in used and kind != "strings":
            return f"duplicate flag specified: --{flag.name}"
        used.add(flag.name)
        if kind == "bool":
            if flag.value == "":
                return f"missing a value on flag: --{flag.name}"
            if flag.value is not None and flag.value.lower() not in ("true", "false"):
                return f"expecting boolean value for flag --{flag.name}, not: {flag.value}"
            continue
        if flag.value is None:
            return f"missing a value on flag: --{flag.name}"
        reason = _why_not_value(split.keyword, flag.name, flag.value)
        if reason is not None:
            return reason
    return None


def _why_not_value(keyword: str, name: str, value: str) -> str | None:
    if keyword == "HEALTHCHECK" and value:
        if name == "retries":
            if not re.fullmatch(r"[+-]?\d+", value) or not -(2**31) <= int(value[:12]) < 2**31:
                return f"--retries is not a number: {value}"
            return f"--retries cannot be negative ({value})" if int(value) < 0 else None
        if not re.fullmatch(_DURATION, value):
            return f"invalid duration {value!r} on flag --{name}"
    if keyword == "RUN":
        if name == "network" and value not in ("", "default", "none", "host"):
            return f"invalid network mode {value!r}"
        if name == "security" and value not in ("", "sandbox", "insecure"):
            return f"security {value!r} is not valid"
        if name == "mount" and '"' not in value:
            return _why_not_mount(value)
    return None


def _why_not_mount(value: str) -> str | None:
    for field in value.split(","):
        key, equals, text = field.partition("=")
        key = key.lower()
        if not equals:
            if key not in _MOUNT_WORDS:
                return f"invalid field {field!r} must be a key=value pair"
        elif key == "from" and "$" in text[:-1]:
            return "'from' doesn't support variable expansion, define alias stage instead"
        elif key not in _MOUNT_KEYS:
            return f"unexpected key {key!r} in {field!r}"
        elif key == "type" and "$" not in text and text.lower() not in _MOUNT_TYPES:
            return f"unsupported mount type {text!r}"
    return None


def _why_not_arguments(dissection: Dissection, split: Split) -> str | None:
    keyword, argument = split.keyword, split.argument
    if keyword in ("RUN", "CMD", "ENTRYPOINT"):
        return None
    if keyword == "FROM":
        words = [word for word, _, _ in dissection.words]
        if len(words) == 3 and words[1].lower() == "as":
            if not re.fullmatch(_STAGE_NAME, words[2].lower()):
                return f"invalid name for build stage: {words[2]!r}, letters, digits, - _ . only, a letter first"
            return None
        return None if len(words) == 1 else "FROM requires either one or three arguments"
    if keyword in ("COPY", "ADD"):
        copied = split.json if split.json is not None else tuple(word for word, _, _ in dissection.words)
        if len(copied) < 2:
            return f"{keyword} requires at least two arguments"
        if "<<" in copied[-1] and heredoc_start(copied[-1]) is not None:
            return f"{keyword} cannot accept a heredoc as a destination"
        return None
    if keyword in ("ENV", "LABEL", "ARG"):
        if not dissection.words:
            return f"{keyword} requires at least one argument"
        if any(word.startswith("=") for word, _, _ in dissection.words):
            return f"{keyword} names can not be blank"
        return None
    if keyword in ("MAINTAINER", "WORKDIR", "USER", "STOPSIGNAL"):
        return None if argument else f"{keyword} requires exactly one argument"
    if keyword == "SHELL":
        if not argument or split.json == ():
            return "SHELL requires at least one argument"
        return None if split.json is not None else "SHELL requires the arguments to be in JSON form"
    if keyword == "HEALTHCHECK":
        return _why_not_healthcheck(dissection, split)
    if not argument or split.json == ():
        return f"{keyword} requires at least one argument"
    if keyword == "VOLUME" and any(not volume.strip(SPACE) for volume in split.json or ()):
        return "VOLUME specified can not be an empty string"
    return None


def _why_not_healthcheck(dissection: Dissection, split: Split) -> str | None:
    words = dissection.words
    if not words:
        return "HEALTHCHECK requires at least one argument"
    kind = words[0][0].upper()
    if kind == "NONE":
        return "HEALTHCHECK NONE takes no arguments" if len(words) > 1 else None
    if kind != "CMD":
        return f"unknown type {words[0][0]!r} in HEALTHCHECK (try CMD)"
    return "missing command after HEALTHCHECK CMD" if len(words) == 1 or split.json == () else None
