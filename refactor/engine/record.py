"""The outcome of one file as plain values: what reports print and processes hand to each other."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import os
from typing import NamedTuple

from refactor.codemod import FileEdit, Finding, Refusal
from refactor.engine.change import Change, Replacement, diff_of, replacements


class FindingRecord(NamedTuple):
    """A finding in words; ``line`` is 1-based in the original file."""

    codemod: str
    line: int
    message: str
    why: str
    evidence: tuple[str, ...]
    safety: str
    place: str = ""
    """The instruction's text with its blanks folded."""
    ordinal: int = 0
    """How many findings of the same codemod on the same text stand above it."""
    files: tuple[str, ...] = ()
    """The other files that it writes, relative to the build context."""
    is_joint: bool = False
    """It changes the Dockerfile as well as other files: neither goes without the other."""


class RefusalRecord(NamedTuple):
    """A refusal in words; ``line`` is 1-based in the original file."""

    codemod: str
    line: int
    because: str
    hint: str
    others: tuple[str, ...] = ()
    """Ids of further codemods that the same reason keeps from the file."""

    @property
    def codemods(self) -> str:
        """All of them in words: "split-build-stage, use-slim-base"."""
        return ", ".join((self.codemod, *self.others))


class Message(NamedTuple):
    """Something for the user to mend: path (with line where known), what is wrong, what to do."""

    path: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.advice}"


class Record(NamedTuple):
    """What became of one Dockerfile."""

    path: str
    applied: tuple[FindingRecord, ...] = ()
    refused: tuple[RefusalRecord, ...] = ()
    suggested: tuple[FindingRecord, ...] = ()
    errors: tuple[Message, ...] = ()
    diff: str = ""
    after: bytes | None = None
    """The rewritten bytes, for standard input; None where they were not asked for."""
    is_changed: bool = False
    is_written: bool = False
    replacements: tuple[Replacement, ...] = ()
    """The rewrite as lines to replace, where they were asked for."""
    files: tuple[FileEdit, ...] = ()
    """The other files that change with it; their paths are relative to the same folder as ``path``, or absolute."""
    root: str = ""
    """The build context's folder, "" where there is none."""


def record_of(
    path: str, change: Change, root: str | None = None, *, diff: bool, after: bool, fixes: bool = False
) -> Record:
    """A Change in plain values; ``diff``, ``after`` and ``fixes`` (``replacements``) say whether those are wanted, as
    they cost time and memory. ``root`` is the build context's folder; None: the Dockerfile's own."""
    files = tuple(file._replace(path=_beside(path, root, file.path)) for file in change.files)
    errors = [
        Message(
            f"{path}:{problem.line}", problem.reason, "BuildKit refuses this file, so it was left alone; mend the line"
        )
        for problem in change.problems
    ]
    errors += [
        Message(f"{path}:{line}", what, f"{advice}; the file was left alone") for line, what, advice in change.misread
    ]
    if change.failure is not None:
        advice = "the file was left alone; this is a bug of dockerfix, please report it with the file"
        errors.append(Message(path, change.failure, advice))
    for manifest, reason in change.broken:
        # The reason names the file already where it comes from a parser's message.
        what = reason.removeprefix(f"{manifest}: ")
        errors.append(Message(manifest, what, f"mend it, or what it says stays unknown for {path}"))
    return Record(
        path,
        tuple(_finding(finding) for finding in change.applied),
        tuple(_refusal(refusal) for refusal in change.refused),
        tuple(_finding(finding) for finding in change.suggested),
        tuple(errors),
        diff_of(change.before, change.after, path, files) if diff else "",
        change.after if after else None,
        change.is_changed,
        replacements=tuple(replacements(change.before, change.after)) if fixes and change.is_changed else (),
        files=files,
        root=root or "",
    )


def _beside(path: str, root: str | None, file: str) -> str:
    """A path from the build context as ``path`` would name it."""
    found = os.path.normpath(os.path.join(os.path.dirname(path) if root is None else root, file))
    return found if os.path.isabs(path) or not os.path.isabs(found) else os.path.relpath(found)


def _finding(finding: Finding) -> FindingRecord:
    return FindingRecord(
        finding.codemod,
        finding.line,
        finding.message,
        finding.why,
        finding.evidence,
        str(finding.safety),
        finding.place,
        finding.ordinal,
        tuple(file.path for file in finding.files),
        bool(finding.files and finding.edits),
    )


def fingerprint(path: str, finding: FindingRecord | Finding) -> str:
    """What stays the same of a finding while lines around it change: 32 hex digits of a SHA-256.

    ``path`` is the Dockerfile's, from the top of its repository.
    """
    from hashlib import sha256

    words = (finding.codemod, path.replace("\\", "/"), finding.place, str(finding.ordinal))
    return sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _refusal(refusal: Refusal) -> RefusalRecord:
    return RefusalRecord(refusal.codemod, refusal.line, refusal.because, refusal.hint, refusal.others)
