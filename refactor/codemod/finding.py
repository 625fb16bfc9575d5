"""Findings and refusals: what a codemod says about one place of a Dockerfile."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import enum
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.syntax import Edit, Instruction, Trivia

if TYPE_CHECKING:
    from refactor.model.aspects import Aspect


class Safety(enum.IntEnum):
    """How sure a rewrite is; a larger value is less safe."""

    SAFE = 0
    """The built image behaves the same, by construction."""
    REVIEW = 1
    """The image changes on purpose, justified by facts of the build context."""
    UNSAFE = 2
    """A fact is missing: a suggestion, applied only on request."""

    def __str__(self) -> str:
        return self.name


class FileEdit(NamedTuple):
    """Another file of the repository that a finding writes, whole."""

    path: str
    """Relative to the build context; it may lead out of it (``../compose.yaml``), not out of the repository."""
    before: bytes | None
    """What it holds now, as :meth:`refactor.BuildContext.stored` gives it; None for one that is created."""
    after: bytes


class Finding:
    """A place that a codemod can improve, with the edits that do it.

    ``message`` says what changes, ``why`` what it buys (one sentence each), ``evidence`` names the facts of the
    build context that justify it. ``safety`` may be less safe than the codemod's own level, never safer.
    ``may_change`` is what this one changes beyond what its codemod declares for every file, ``files`` what else it
    writes: all of it or nothing is applied.
    """

    __slots__ = (
        "codemod",
        "edits",
        "evidence",
        "files",
        "line",
        "may_change",
        "message",
        "node",
        "ordinal",
        "place",
        "safety",
        "why",
    )

    def __init__(
        self,
        node: Instruction | Trivia,
        message: str,
        edits: Sequence[Edit],
        *,
        why: str = "",
        evidence: Sequence[str] = (),
        safety: Safety | None = None,
        may_change: "Iterable[Aspect]" = (),
        files: Sequence[FileEdit] = (),
    ) -> None:
        self.node = node
        self.message = message
        self.edits = tuple(edits)
        self.why = why
        self.evidence = tuple(evidence)
        self.safety = safety
        self.may_change = frozenset(may_change)
        self.files = tuple(files)
        self.codemod = ""
        self.line = 0
        self.place = ""
        """The instruction's text with its blanks folded: what is found there again after other lines changed."""
        self.ordinal = 0
        """How many findings of the same codemod on the same text stand above it."""

    def __repr__(self) -> str:
        return f"Finding({self.codemod}:{self.line} {self.message!r})"


class Refusal:
    """A place that a codemod looked at and left alone: ``because`` names the reason, ``hint`` what would change it.

    ``others`` has the ids of further codemods that the same reason keeps from the file; the engine fills it in.
    """

    __slots__ = ("because", "codemod", "hint", "line", "node", "others")

    def __init__(self, node: Instruction | Trivia, because: str, hint: str = "") -> None:
        self.node = node
        self.because = because
        self.hint = hint
        self.others: tuple[str, ...] = ()
        self.codemod = ""
        self.line = 0

    def __repr__(self) -> str:
        return f"Refusal({self.codemod}:{self.line} {self.because!r})"


def refuse(node: Instruction | Trivia, because: str, hint: str = "") -> Refusal:
    """A refusal at ``node``, worded so that the user knows what to add to make the codemod apply."""
    return Refusal(node, because, hint)
