"""Whether the files that a started program is made of were seen: evidence over an empty set proves nothing."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.places import origins
from refactor.flow.reading import Refused, StageReading
from refactor.flow.roots import SHELLS, Root, roots_of
from refactor.syntax import Instruction

_OTHER_FOLDER = "check the path, or name the folder that is built from with --context"
_NO_PROGRAM = (
    r"(?i)\..*|.*Dockerfile.*|.*\.dockerfile|(?:docker-)?compose.*\.ya?ml|docker-bake.*|(?:README|LICEN[SC]E|CHANGELOG|"
    r"CONTRIBUTING|NOTICE|CODEOWNERS|SECURITY|MAINTAINERS|AUTHORS).*"
)
"""Names beside a Dockerfile that make no program."""
_SHOWN = 4


class Unseen(NamedTuple):
    """A COPY or ADD from the build context whose source was not found there."""

    node: Instruction
    line: int
    source: str
    """As written."""
    why: str
    """``README.rst is not in the build context``: a sentence's part after ``line 3 copies``."""


def unseen_copies(reading: StageReading) -> tuple[Unseen, ...]:
    """Copies into the stage, into those that it is built from and into those that it copies from, of which nothing is
    known: what they would bring is unknown. In the order of the file; () where the context itself is unknown."""
    if reading.context.why_unknown is not None:
        return ()
    return reading.remember("unseen copies", lambda: _unseen_copies(reading))


def _unseen_copies(reading: StageReading) -> tuple[Unseen, ...]:
    found = [unseen for one in origins(reading) for step in one.steps for unseen in _unseen(one, step.node)]
    return tuple(sorted(found, key=lambda unseen: unseen.line))


def _unseen(reading: StageReading, node: Instruction) -> Iterator[Unseen]:
    if node.keyword not in {"COPY", "ADD"} or node.flag("from") is not None:
        return
    expanded = [(raw, reading.expand(raw, node)) for raw in node.sources]
    paths = [(raw, path) for raw, path in expanded if path is None or not re.match(r"\w+://|git@", path)]
    whys = [(raw, _why_unseen(reading, raw, path)) for raw, path in paths]
    # `package-lock.json*` beside package.json: the author says that it may be missing.
    is_some_seen = any(why is None for _, why in whys)
    for raw, why in whys:
        if why is not None and not (is_some_seen and any(sign in raw for sign in "*?[")):
            yield Unseen(node, reading.file.line_of(node), raw, why)


def why_copy_unseen(reading: StageReading, node: Instruction) -> str | None:
    """What one COPY or ADD copies that was not found, as :attr:`Unseen.why`; None where all is there."""
    return next((unseen.why for unseen in _unseen(reading, node)), None)


def is_of_program(name: str) -> bool:
    """A file of this name may be a part of a program: not the Dockerfile itself, a README or a licence."""
    return re.fullmatch(_NO_PROGRAM, name) is None


def _why_unseen(reading: StageReading, raw: str, path: str | None) -> str | None:
    if path is None:
        return f"{raw}, which depends on a build argument"
    found = reading.context.glob(path)
    if isinstance(found, Unknown):
        return f"{raw}, which cannot be read: {found.reason}"
    if not found:
        ignored = reading.context.is_ignored(posixpath.normpath("/" + path).lstrip("/"))
        if ignored is True and reading.context.is_on_disk(posixpath.normpath("/" + path).lstrip("/")) is True:
            return f"{raw}, which {reading.context.ignore_file} leaves out"
        return f"{raw}, which is not in the build context"
    for match in found:
        if reading.context.is_dir(match) is not True:
            continue
        names = reading.context.children(match)
        if isinstance(names, Unknown):
            return f"{raw}, which cannot be read: {names.reason}"
        if not any(map(is_of_program, names)):
            return f"{raw}, which holds no program" if names else f"{raw}, which is empty"
    return None


def why_no_context(reading: StageReading) -> Refused | None:
    """The build context is not known."""
    why = reading.context.why_unknown
    return None if why is None else Refused(f"the build context is not known: {why}", "name it with --context")


def why_unseen(reading: StageReading) -> Refused | None:
    """Why it is not known what the stage's copies bring; None where all that they copy is there."""
    refused = why_no_context(reading)
    if refused is not None:
        return refused
    unseen = unseen_copies(reading)
    return Refused(f"line {unseen[0].line} copies {unseen[0].why}", _OTHER_FOLDER) if unseen else None


def why_not_seen(reading: StageReading) -> Refused | None:
    """Why the files of what a container of the stage starts cannot all have been seen; None where nothing shows that.

    Knows no language: that the started file itself is there, and can be read, is asked of the language
    (:func:`refactor.ecosystems.program_of`).
    """
    reason = why_unseen(reading)
    if reason is not None:
        return reason
    roots = roots_of(reading)
    if isinstance(roots, Refused):
        return roots
    shell = next((root for root in roots if is_shell(root)), None)
    if shell is not None:
        return Refused(
            f"{shell.where} starts a shell ({' '.join(shell.words)}): what runs in it is up to who uses it",
            "start the program itself in CMD",
        )
    return None


def is_shell(root: Root) -> bool:
    """A shell without a script to run."""
    return root.name in SHELLS and all(word.startswith("-") for word in root.words[1:])


def named(files: Sequence[str]) -> str:
    """For evidence: ``the 6 files of the program (app.py, a.py, b.py, c.py and 2 more)``."""
    shown = ", ".join(files[:_SHOWN]) + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")
    return f"the only file of the program ({shown})" if len(files) == 1 else (
        f"the {len(files)} files of the program ({shown})"
    )  # fmt: skip


__all__ = [
    "Unseen", "is_of_program", "is_shell", "named", "unseen_copies", "why_copy_unseen", "why_no_context",
    "why_not_seen", "why_unseen",
]  # fmt: skip
