"""One Dockerfile on disk: rewritten, proved, and where that fails, what of the rewrite proves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from refactor.codemod import FileEdit
from refactor.context import BuildContext
from refactor.engine.contexts import ContextFinder
from refactor.engine.files import FileProblem, read_source
from refactor.engine.record import FindingRecord
from refactor.engine.run import Options, Worker
from refactor.proof.bisect import Culprit, bisect
from refactor.proof.engine import Engine, EngineProblem
from refactor.proof.prove import Proof, ProofOptions, Prover, Verdict
from refactor.proof.rewrite import Rewrite, Rewriter, rewriter_for
from refactor.proof.workspace import WorkspaceProblem
from refactor.syntax import parse


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one Dockerfile.

    ``after`` is the version that proved, or the largest part of it that did, to be written; None where there
    is none.
    """

    path: str
    proof: Proof | None = None
    """Of the whole rewrite; None where there was nothing to prove."""
    codemods: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    kept: tuple[str, ...] = ()
    kept_proof: Proof | None = None
    after: bytes | None = None
    edits: tuple[FileEdit, ...] = ()
    """Other files to be written with ``after``."""
    message: str = ""
    """Why there is no proof."""
    is_error: bool = False
    findings: tuple[FindingRecord, ...] = ()
    """What the whole rewrite applied, with its evidence."""

    @property
    def status(self) -> int:
        """The exit status: 0 proved or nothing to rewrite, 1 the rewrite failed its proof, 2 it could not
        be judged."""
        if self.is_error or (self.proof is not None and self.proof.verdict is Verdict.UNJUDGED):
            return 2
        return 1 if self.proof is not None and not self.proof.is_proved else 0


def verify_file(
    path: str,
    options: Options,
    proof_options: ProofOptions,
    engine: Engine,
    *,
    is_bisecting: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Verified:
    """Proves what dockerfix makes of the Dockerfile at ``path``. Problems of this one file are results.

    Raises :class:`refactor.engine.fix.UnknownCodemod` for an id that does not exist.
    """
    try:
        source = read_source(path)
        return verify_before_write(path, source, options, proof_options, engine, is_bisecting=is_bisecting, say=say)
    except FileProblem as problem:
        return Verified(path, message=f"{problem.what}; {problem.advice}", is_error=True)


def verify_before_write(
    path: str,
    source: bytes,
    options: Options,
    proof_options: ProofOptions,
    engine: Engine,
    *,
    rewriter: Rewriter | None = None,
    is_bisecting: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Verified:
    """Proves the rewrite of ``source``, the content of ``path``: ``after`` of the result may be written.

    ``rewriter`` makes the version after where it is not to be what ``options`` lead to.
    Raises :class:`refactor.engine.files.FileProblem` for a broken configuration.
    """
    rewriter = rewriter or rewriter_for(path, source, options)
    root = options.context or Worker(options).configuration(path).context
    file = parse(source)
    context = ContextFinder().open(path, file, root)
    targets = context.deployment.targets
    if proof_options.target is None and len(targets) == 1 and file.stage(targets[0]) is not None:
        # What Compose builds is what must go on working.
        proof_options = replace(proof_options, target=targets[0])
    return verify(path, source, rewriter, context, proof_options, engine, is_bisecting=is_bisecting, say=say)


def verify(
    path: str,
    source: bytes,
    rewriter: Rewriter,
    context: BuildContext,
    options: ProofOptions,
    engine: Engine,
    *,
    is_bisecting: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Verified:
    """Proves what ``rewriter`` makes of ``source``."""
    rewrite = rewriter()
    if rewrite.after == source and not rewrite.edits:
        if rewrite.errors:
            return Verified(path, message="; ".join(rewrite.errors), is_error=True)
        return Verified(path, message="nothing to rewrite")
    root = context.root
    if root is None:
        reason = context.why_unknown or "it is no folder"
        return Verified(path, message=f"the build context is not known: {reason}", is_error=True)
    try:
        with Prover(
            source, root, options, context=context, engine=engine, dockerfile=context.dockerfile, path=path, say=say
        ) as prover:
            return _verify(path, rewriter, rewrite, prover, is_bisecting, say)
    except (EngineProblem, WorkspaceProblem) as problem:
        return Verified(path, codemods=rewrite.codemods, message=str(problem), is_error=True)


def _verify(
    path: str,
    rewriter: Rewriter,
    rewrite: Rewrite,
    prover: Prover,
    is_bisecting: bool,
    say: Callable[[str], None],
) -> Verified:
    proof = prover.judge(rewrite.after, rewrite.may_change, rewrite.files, is_safe=rewrite.is_safe)
    verified = Verified(path, proof, rewrite.codemods, findings=rewrite.findings)
    if proof.is_proved:
        return replace(verified, after=rewrite.after, edits=rewrite.edits, kept=rewrite.codemods)
    if proof.verdict is Verdict.UNJUDGED or not is_bisecting:
        return verified
    found = bisect(prover, rewriter, rewrite, proof, say)
    kept = found.kept if found.proof is not None and found.proof.is_proved else None
    return replace(
        verified,
        culprits=found.culprits,
        kept=kept.codemods if kept is not None else (),
        kept_proof=found.proof,
        after=kept.after if kept is not None else None,
        edits=kept.edits if kept is not None else (),
    )
