"""The loop: codemods find, their edits are applied, the file is printed and read again, until nothing is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from refactor.codemod import Codemod, Finding, Refusal, Safety, Settings, refuse
from refactor.codemod.codemod import SAFE_ONLY, discover
from refactor.context import BuildContext
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
    source: bytes,
    context: BuildContext | None = None,
    select: Iterable[str] | None = None,
    *,
    ignore: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    safety: Safety = Safety.REVIEW,
    settings: Settings | None = None,
    codemods: Sequence[type[Codemod]] | None = None,
    is_rejected: Callable[[Finding], bool] | None = None,
) -> Change:
    """Rewrites one Dockerfile. Never raises for anything that is in ``source``.

    ``context`` is the folder that the build sees (None: unknown), ``safety`` the least safe level that is applied,
    ``codemods`` overrides the choice by ids, ``is_rejected`` says of a finding that people do not want it. The preset
    of ``settings`` counts: ``safe`` is the level SAFE, ``modern`` adds opt-in codemods. Raises
    :class:`~refactor.engine.selection.UnknownCodemod` for an id that does not exist.
    """
    preset = None if settings is None else settings.preset
    chosen = choose(select, ignore, extend_select, preset=preset) if codemods is None else tuple(codemods)
    before = parse(source)
    if before.problems:
        return Change(source, source, problems=before.problems)
    if context is None:
        context = BuildContext.unknown("no build context was given")
    off = Suppressions(before, discover() if codemods is None else (*discover(), *chosen))
    if off.is_all or off.problems:
        return Change(source, source, misread=off.problems)
    wanted = [cls(settings) for cls in chosen if not off.silences(cls)]
    if preset == SAFE_ONLY:
        safety = Safety.SAFE
    loop = _Loop(before, context, wanted, safety, off, is_rejected)
    failure = loop.run()
    if failure is None and loop.file is not before:
        from refactor.engine.gates import why_not_sound

        failure = why_not_sound(before, loop.file, loop.may_change)
    if failure is not None:
        names = ", ".join(sorted(loop.used))
        return Change(
            source, source, failure=f"{failure} (applied: {names})" if names else failure, broken=context.broken
        )
    return Change(
        source,
        bytes(loop.file),
        applied=loop.applied,
        refused=_said_once(loop.refused),
        suggested=loop.suggested,
        broken=context.broken,
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
    return [refusal for refusal in refusals if any(refusal is one for one in kept[refusal.because])]


class _Loop:
    def __init__(
        self,
        file: Dockerfile,
        context: BuildContext,
        codemods: Sequence[Codemod],
        safety: Safety,
        off: Suppressions,
        is_rejected: Callable[[Finding], bool] | None,
    ) -> None:
        self.file = file
        self.context = context
        self.codemods = codemods
        self.safety = safety
        self.off = off
        self.is_rejected = is_rejected
        self.applied: list[Finding] = []
        self.refused: list[Refusal] = []
        self.suggested: list[Finding] = []
        self.used: set[str] = set()
        """Ids of the codemods that found something."""
        self.may_change: set[Aspect] = set()
        """What the applied findings declare to change."""

    def run(self) -> str | None:
        """Runs to the fixed point. Returns why that failed (a bug of a codemod), None where it settled."""
        for _ in range(MAX_PASSES):
            self.refused, self.suggested = [], []
            start = self.file
            for codemod in self.codemods:
                try:
                    failure = self._exhaust(codemod)
                except Exception as error:
                    # One codemod's mistake on one strange file must not cost the other files of the run.
                    failure = f"{codemod.id} failed: {type(error).__name__}: {error}"
                if failure is not None:
                    return failure
            if self.file is start:
                return None
        return f"the codemods do not settle within {MAX_PASSES} passes"

    def _exhaust(self, codemod: Codemod) -> str | None:
        for _ in range(MAX_ROUNDS):
            findings = []
            kept_refusals, kept_suggestions = len(self.refused), len(self.suggested)
            for result in self._ask(codemod):
                if isinstance(result, Refusal):
                    self.refused.append(result)
                elif (result.safety or Safety.SAFE) > self.safety:
                    self.suggested.append(result)
                else:
                    findings.append(result)
            if not findings:
                return None
            # What is said of this state is said again of the next one.
            del self.refused[kept_refusals:], self.suggested[kept_suggestions:]
            try:
                after = self.file.apply([edit for finding in findings for edit in finding.edits])
            except EditConflict as error:
                return f"{codemod.id}: {error}"
            if after.problems:
                problem = after.problems[0]
                return f"{codemod.id} would break the file: line {problem.line}: {problem.reason}"
            if bytes(after) == bytes(self.file):
                return f"{codemod.id} reports an edit that changes nothing: {findings[0].message}"
            after.follow(self.file, sorted(finding.line for finding in findings))
            self.file = after
            self.applied.extend(findings)
            self.used.add(codemod.id)
            self.may_change.update(codemod.may_change, *(finding.may_change for finding in findings))
        return f"{codemod.id} does not settle within {MAX_ROUNDS} rounds"

    def _ask(self, codemod: Codemod) -> Iterator[Finding | Refusal]:
        seen: set[tuple[int, str]] = set()
        places: Counter[str] = Counter()
        for result in codemod.find(self.file, self.context):
            result.codemod = codemod.id
            result.line = self.file.line_of(result.node)
            why = None
            comment = self.off.line_against(type(codemod), result, self.file)
            if isinstance(result, Finding):
                result.safety = codemod.safety if result.safety is None else max(codemod.safety, result.safety)
                result.place = " ".join(result.node.text.split())
                result.ordinal = places[result.place]
                places[result.place] += 1
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
