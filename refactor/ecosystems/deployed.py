"""Whether those who deploy the image start the program that its Dockerfile starts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from refactor.context.deployment import Service, Words
from refactor.flow.reading import Refused, StageReading
from refactor.shell import read

_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_LOADS = frozenset(
    "-m -c -e -p -r --require --import --loader --experimental-loader --eval --config --config-file".split()
)
"""Options whose value is code, or a file that is read: another value needs other files."""


def other_start(reading: StageReading) -> Service | None:
    """The first service that starts another program than the stage's own CMD and ENTRYPOINT; None where none does.

    Other options of the same program (``--reload``, ``--workers 4``) make no other program; another script, module,
    or subcommand does.
    """
    return next((found for found in reading.context.deployment.services if not starts_same(reading, found)), None)


def starts_same(reading: StageReading, service: Service) -> bool:
    """Whether ``service`` starts what the stage starts by itself; True where it says nothing about that."""
    if not service.has_own_command:
        return True
    cmd, entrypoint = _words(reading, "CMD"), _words(reading, "ENTRYPOINT")
    own = _together(entrypoint, cmd)
    if service.kind == "procfile":
        theirs = _commands(service.command)
    elif service.entrypoint is not None:
        theirs = _together(service.entrypoint, service.command)
    else:
        theirs = _together(entrypoint, service.command)
    if not own or len(own) != len(theirs):
        return False
    return all(_is_same(one, other) for one, other in zip(own, theirs))


def why_other_start(reading: StageReading) -> Refused | None:
    """The refusal of a rewrite that leaves in the image only what the stage's own program needs."""
    # Where the image starts nothing by itself, what others start is what is looked at (see flow/roots.py).
    found = other_start(reading) if reading.start is not None else None
    if found is None:
        return None
    who = f"{found.source} ({found.name})" if found.name else found.source
    return Refused(
        f"{who} starts the image with another command ({_shown(found)}), which may need what only the builder has",
        "start the same program there as CMD does, or split by hand",
    )


def commands_of(service: Service) -> tuple[tuple[str, ...], ...]:
    """The words of the simple commands that a service starts the container with, as far as it says so itself."""
    return _together(service.entrypoint, service.command)


def _shown(service: Service) -> str:
    words = [
        part if isinstance(part, str) else " ".join(part)
        for part in (service.entrypoint, service.command)
        if part is not None
    ]
    text = " ".join(" ".join(words).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _words(reading: StageReading, keyword: str) -> Words | None:
    node = reading.last(keyword)
    if node is None:
        return None
    return node.argument if node.json is None else tuple(node.json)


def _together(entrypoint: Words | None, cmd: Words | None) -> tuple[tuple[str, ...], ...]:
    """What is run: a shell-form ENTRYPOINT ignores arguments, an exec-form one is given the words of CMD."""
    if not entrypoint:
        return _commands(cmd)
    if isinstance(entrypoint, str):
        return _commands(entrypoint)
    more = ("/bin/sh", "-c", cmd) if isinstance(cmd, str) else cmd or ()
    return _commands((*entrypoint, *more))


def _commands(words: Words | None) -> tuple[tuple[str, ...], ...]:
    """The simple commands of it, ``sh -c`` unwrapped."""
    if not words:
        return ()
    if isinstance(words, str):
        script = read(words)
        found = (tuple(word.literal for word in command.words) for command in script.commands)
        return () if script.opaque is not None else tuple(command for command in found if command)
    if posixpath.basename(words[0]) in _SHELLS and len(words) > 2 and re.fullmatch(r"-\w*c", words[1]):
        return _commands(words[2])
    return (words,)


def _is_same(own: Sequence[str], other: Sequence[str]) -> bool:
    """The same program with the same operands; options may differ, but not in what they load."""
    if _program(own) != _program(other):
        return False
    known = {word for word in own[1:] if not word.startswith("-")}
    required = {word for at, word in enumerate(own[1:]) if _is_operand(own, at + 1)}
    if not required <= set(other):
        return False
    for at, word in enumerate(other[1:], 1):
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            if name in _LOADS and equals and word not in own:
                return False
        elif word not in known and (_is_operand(other, at) or _is_file(word)):
            return False
    return True


def _program(words: Sequence[str]) -> str:
    """Without folder and version: ``/usr/bin/python3`` is ``python``."""
    return re.sub(r"(?<=[a-z])[\d.]+$", "", posixpath.basename(words[0]))


def _is_operand(words: Sequence[str], at: int) -> bool:
    """Not an option, nor in the place of the value of one that loads nothing."""
    before = words[at - 1]
    is_value = at > 1 and before.startswith("-") and "=" not in before and before not in _LOADS
    return not words[at].startswith("-") and not is_value


def _is_file(word: str) -> bool:
    is_address = re.fullmatch(r"[\w.:\[\]*-]*:\d+|[\d.]+", word) is not None
    return not is_address and re.search(r"[/.]", word) is not None
