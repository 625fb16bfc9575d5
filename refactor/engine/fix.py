"""The loop: codemods find, their edits are applied, the file is printed and read again, until nothing is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from refactor.codemod import Codemod, FileEdit, Finding, Refusal, Safety, Settings, refuse
from refactor.codemod.codemod import SAFE_ONLY, Phase, discover
from refactor.context import BuildContext, Unknown
from refactor.engine.change import Change
from refactor.engine.selection import choose
from refactor.engine.suppression import Suppressions
from refactor.model.aspects import Aspect
from refactor.syntax import Dockerfile, EditConflict, parse

MAX_PASSES = 10
"""Passes over all codemods; corpus and real files settle within four."""
MAX_ROUNDS = 50
"""Times that one codemod is asked again within a pass; what it finds at once it should report at once."""


def fix(
    source: bytes | Dockerfile,
    context: BuildContext | None = None,
    select: Iterable[str] | None = None,
    *,
    ignore: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    safety: Safety = Safety.REVIEW,
    settings: Settings | None = None,
    codemods: Sequence[type[Codemod]] | None = None,
    is_rejected: Callable[[Finding], bool] | None = None,
    is_alone: bool = False,
) -> Change:
    """Rewrites one Dockerfile, given as bytes or parsed. Never raises for anything that is in ``source``.

    ``context`` is the folder that the build sees (None: unknown), ``safety`` the least safe level that is applied,
    ``codemods`` overrides the choice by ids, ``is_rejected`` says of a finding that people do not want it, ``is_alone``
    that no other file can be written, so that findings which write one are only suggested. The preset of ``settings``
    counts: ``safe`` is the level SAFE, ``modern`` adds opt-in codemods. Raises
    :class:`~refactor.engine.selection.UnknownCodemod` for an id that does not exist.
    """
    preset = None if settings is None else settings.preset
    chosen = choose(select, ignore, extend_select, preset=preset) if codemods is None else tuple(codemods)
    before = source if isinstance(source, Dockerfile) else parse(source)
    source = bytes(before)
    if before.problems:
        return Change(source, source, problems=before.problems)
    if context is None:
        context = BuildContext.unknown("no build context was given")
    off = Suppressions(before, discover() if codemods is None else (*discover(), *chosen))
    if off.is_all or off.problems:
        return Change(source, source, misread=off.problems)
    wanted = [cls(settings) for cls in off.heard(chosen)]
    if preset == SAFE_ONLY:
        safety = Safety.SAFE
    loop = _Loop(before, context, wanted, safety, off, is_rejected, is_alone)
    failure = loop.run()
    files = loop.written(context)
    if failure is None and (loop.file is not before or files):
        from refactor.engine.gates import why_not_sound, why_not_written

        failure = why_not_sound(before, loop.file, loop.may_change) or why_not_written(files, context, loop.may_change)
    if failure is not None:
        names = ", ".join(sorted(loop.used))
        return Change(
            source, source, failure=f"{failure} (applied: {names})" if names else failure, broken=context.broken
        )
    return Change(
        source,
        bytes(loop.file),
        applied=loop.applied,
        refused=_said_once([refusal for said in loop.said.values() for refusal in said.refused]),
        suggested=[finding for said in loop.said.values() for finding in said.suggested],
        broken=tuple(dict.fromkeys((*context.broken, *loop.context.broken))),
        files=files,
    )


def _said_once(refusals: Sequence[Refusal]) -> list[Refusal]:
    """A reason that keeps several codemods from a file (an unknown context) as one refusal, the first of them."""
    kept: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        same = kept.setdefault(refusal.because, [])
        first = same[0] if same else refusal
        if first.codemod == refusal.codemod:
            same.append(refusal)
        elif refusal.codemod not in first.others:
            first.others = (*first.others, refusal.codemod)
            first.hint = first.hint or refusal.hint
    whole = {id(refusal) for same in kept.values() for refusal in same}
    return [refusal for refusal in refusals if id(refusal) in whole]


class _Said:
    """What a codemod said when it had nothing to change, and the state of the file that it was asked about."""

    __slots__ = ("edits", "reached", "refused", "suggested")

    def __init__(self, edits: int, reached: int) -> None:
        self.edits = edits
        self.reached = reached
        self.refused: Sequence[Refusal] = ()
        self.suggested: Sequence[Finding] = ()


_SILENT = _Said(-1, -1)
"""Of a codemod none of whose words is in the file."""


class _Loop:
    def __init__(
        self,
        file: Dockerfile,
        context: BuildContext,
        codemods: Sequence[Codemod],
        safety: Safety,
        off: Suppressions,
        is_rejected: Callable[[Finding], bool] | None,
        is_alone: bool,
    ) -> None:
        self.file = file
        self.text = file.text.lower()
        """Where the words are looked for that codemods name."""
        self.context = context
        self.codemods = codemods
        self.safety = safety
        self.off = off
        self.is_rejected = is_rejected
        self.is_alone = is_alone
        self.files: dict[str, bytes] = {}
        """What the applied findings write beside the Dockerfile, by path from the context."""
        self.applied: list[Finding] = []
        self.edits = 0
        """Times that the file, or one beside it, was changed."""
        self.reached = [0] * len(Phase)
        """How many of them the codemods of each phase can see."""
        self.said: dict[Codemod, _Said] = {}
        """What the codemods said last, in their order."""
        self.used: set[str] = set()
        """Ids of the codemods that found something."""
        self.may_change: set[Aspect] = set()
        """What the applied findings declare to change."""

    def run(self) -> str | None:
        """Runs to the fixed point. Returns why that failed (a bug of a codemod), None where it settled."""
        for _ in range(MAX_PASSES):
            start = self.edits
            for codemod in self.codemods:
                if self._is_settled(codemod):
                    continue
                if codemod.words and not any(map(self.text.__contains__, codemod.words)):
                    self.said[codemod] = _SILENT
                    continue
                try:
                    failure = self._exhaust(codemod)
                except Exception as error:
                    # One codemod's mistake on one strange file must not cost the other files of the run.
                    failure = f"{codemod.id} failed: {type(error).__name__}: {error}"
                if failure is not None:
                    return failure
            if self.edits == start:
                return None
        return f"the codemods do not settle within {MAX_PASSES} passes"

    def _is_settled(self, codemod: Codemod) -> bool:
        """Whether the codemod was asked about this state of the file already, and would say the same again."""
        said = self.said.get(codemod)
        if said is None or said.edits == self.edits:
            return said is not None
        # Suggestions name nodes of the file as it was.
        return not said.suggested and said.reached == self.reached[codemod.phase]

    def _exhaust(self, codemod: Codemod) -> str | None:
        for _ in range(MAX_ROUNDS):
            said = self.said[codemod] = _Said(self.edits, self.reached[codemod.phase])
            results = list(codemod.find(self.file, self.context))
            if not results:
                return None
            findings, refused, suggested = [], [], []
            for result in self._judged(codemod, results):
                if isinstance(result, Refusal):
                    refused.append(result)
                elif (result.safety or Safety.SAFE) > self.safety or (self.is_alone and result.files):
                    suggested.append(result)
                else:
                    findings.append(result)
            said.refused, said.suggested = refused, suggested
            if not findings:
                return None
            self.edits += 1
            for phase in range(codemod.reach, len(self.reached)):
                self.reached[phase] += 1
            failure = self._edit(codemod, findings) or self._write(codemod, findings)
            if failure is not None:
                return failure
            self.applied.extend(findings)
            self.used.add(codemod.id)
            self.may_change.update(codemod.may_change, *(finding.may_change for finding in findings))
        return f"{codemod.id} does not settle within {MAX_ROUNDS} rounds"

    def _edit(self, codemod: Codemod, findings: Sequence[Finding]) -> str | None:
        edits = [edit for finding in findings for edit in finding.edits]
        if not edits and all(finding.files for finding in findings):
            return None
        try:
            after = self.file.apply(edits)
        except EditConflict as error:
            return f"{codemod.id}: {error}"
        if after.problems:
            problem = after.problems[0]
            return f"{codemod.id} would break the file: line {problem.line}: {problem.reason}"
        if after.text == self.file.text:
            return f"{codemod.id} reports an edit that changes nothing: {findings[0].message}"
        after.follow(self.file, sorted(finding.line for finding in findings))
        self.file = after
        self.text = after.text.lower()
        return None

    def _write(self, codemod: Codemod, findings: Sequence[Finding]) -> str | None:
        """Lets the codemods that are asked next see the files that ``findings`` write."""
        files = [file for finding in findings for file in finding.files]
        if not files:
            return None
        written: dict[str, bytes] = {}
        for file in files:
            stored = self.context.stored(file.path)
            if isinstance(stored, Unknown):
                return f"{codemod.id} cannot write {file.path}: {stored.reason}"
            if stored != file.before or file.path in written or file.after == file.before:
                return f"{codemod.id} writes {file.path} twice, or not from what it holds"
            written[file.path] = file.after
        self.files |= written
        self.context = self.context.with_files(written)
        return None

    def written(self, context: BuildContext) -> list[FileEdit]:
        """All files that were written, from what they hold in ``context``, where the loop began."""
        held = {path: context.stored(path) for path in self.files}
        return [
            FileEdit(path, before, self.files[path])
            for path, before in held.items()
            if not isinstance(before, Unknown) and before != self.files[path]
        ]

    def _judged(self, codemod: Codemod, results: Iterable[Finding | Refusal]) -> Iterator[Finding | Refusal]:
        """What a codemod found, with what comments and people said against it, each reason once."""
        seen: set[tuple[int, str]] = set()
        places: dict[str, int] = {}
        for result in results:
            result.codemod = codemod.id
            result.line = self.file.line_of(result.node)
            why = None
            comment = self.off.line_against(type(codemod), result, self.file)
            if isinstance(result, Finding):
                result.safety = codemod.safety if result.safety is None else max(codemod.safety, result.safety)
                result.place = " ".join(result.node.text.split())
                result.ordinal = places.get(result.place, 0)
                places[result.place] = result.ordinal + 1
                if comment is not None:
                    why = f"the comment in line {comment} switches it off: {result.message}"
                elif self.is_rejected is not None and self.is_rejected(result):
                    why = f"it was proposed and rejected: {result.message}"
                if why is None:
                    yield result
                    continue
                result = refuse(result.node, why)
                result.codemod, result.line = codemod.id, self.file.line_of(result.node)
            elif comment is not None:
                continue
            if (result.line, result.because) not in seen:
                seen.add((result.line, result.because))
                yield result
