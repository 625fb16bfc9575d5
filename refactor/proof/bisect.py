"""The search for the codemods that break a rewrite, and for the largest part of it that proves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refactor.proof.prove import Proof, Prover
from refactor.proof.rewrite import Rewrite, Rewriter


@dataclass(frozen=True, slots=True)
class Culprit:
    """A codemod without which what came before it proves, and with which it does not."""

    codemod: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bisection:
    culprits: tuple[Culprit, ...]
    kept: Rewrite | None
    """The rewrite without the culprits, None where nothing of it is left."""
    proof: Proof | None
    """The whole proof of what was kept."""


def bisect(
    prover: Prover,
    rewrite: Rewriter,
    failed: Rewrite,
    proof: Proof,
    say: Callable[[str], None] = lambda text: None,
) -> Bisection:
    """Finds what makes ``failed``, whose ``proof`` failed, fail.

    Codemods are taken one after another in the order in which they were applied; halving finds the first with
    which the proof fails. It is left out and the rest judged again, until a set proves. With n codemods each
    culprit costs about log2(n) + 1 builds from a warm cache.
    """
    judged = {(prover.source, ()): (), failed.key: proof.problems}

    def problems(ids: tuple[str, ...]) -> tuple[str, ...]:
        candidate = rewrite(frozenset(ids))
        if candidate.key not in judged:
            say(f"trying {', '.join(candidate.codemods)}")
            judged[candidate.key] = prover.judge(
                candidate.after, candidate.may_change, candidate.files, is_safe=candidate.is_safe, is_short=True
            ).problems
        return judged[candidate.key]

    ids, culprits, current = failed.codemods, [], proof.problems
    while current:
        good, bad, why = 0, len(ids), current
        while bad - good > 1:
            middle = (good + bad) // 2
            found = problems(ids[:middle])
            if found:
                bad, why = middle, found
            else:
                good = middle
        culprits.append(Culprit(ids[bad - 1], why))
        ids = ids[: bad - 1] + ids[bad:]
        current = problems(ids) if ids else ()
    kept = rewrite(frozenset(ids)) if ids else None
    if kept is None or (kept.after == prover.source and not kept.edits):
        return Bisection(tuple(culprits), None, None)
    proof = prover.judge(kept.after, kept.may_change, kept.files, is_safe=kept.is_safe)
    return Bisection(tuple(culprits), kept, proof)
