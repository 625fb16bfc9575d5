"""Proofs for the bot: what a branch would hold is built and started, and the table goes into its pull request."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from refactor.engine.files import FileProblem
from refactor.forge.body import NOT_BUILT
from refactor.forge.bot import Measured, Wanted
from refactor.forge.branch import exported
from refactor.forge.repository import Repository

if TYPE_CHECKING:
    import git

    from refactor.forge.bot import Measure
    from refactor.proof.engine import Engine
    from refactor.proof.verify import Verified

MAX_LENGTH = 20_000
"""Characters of one table; the rest of the body has to fit below the forge's limit, too."""


def measure_with_engine(repository: Repository) -> Measure:
    """Measures with the container engine that answers; without one nothing is built, and the body says so."""
    from refactor.proof import EngineProblem, find_engine

    try:
        engine = find_engine(None, None)
    except EngineProblem:
        return lambda base, wanted: Measured("")
    return partial(_measure, repository, engine)


def _measure(repository: Repository, engine: Engine, base: git.Commit, wanted: Wanted) -> Measured:
    dockerfiles = {record.path for record in wanted.records}
    written = {path: data for plan in wanted.plans for path, data in plan.files.items()}
    contents = {path: data for path, data in written.items() if path in dockerfiles}
    with exported(repository, base, is_whole=True) as folder:
        results = [_verified(folder, path, after, wanted, engine) for path, after in sorted(contents.items())]
    failed = [verified for verified in results if verified.status == 1]
    if failed:
        proof = failed[0].proof
        reason = proof.problems[0] if proof is not None and proof.problems else "see `dockerfix verify`"
        return Measured("", f"{failed[0].path} failed its proof: {reason}")
    return Measured("\n\n".join(map(_told, results)))


def _verified(folder: str, path: str, after: bytes, wanted: Wanted, engine: Engine) -> Verified:
    """The proof that the file which the branch holds, and no other, stands for the one at ``path``."""
    from dataclasses import replace

    from refactor.proof import ProofOptions
    from refactor.proof.rewrite import Rewriter, rewriter_for
    from refactor.proof.verify import Verified, verify_before_write

    place = os.path.join(folder, path)
    try:
        with open(place, "rb") as file:
            source = file.read()
        rewriter: Rewriter = rewriter_for(place, source, wanted.options, top=folder)
        if rewriter().after != after:
            return Verified(path, message="the file on the branch is not the one that would be built", is_error=True)
        verified = verify_before_write(
            place, source, wanted.options, ProofOptions(), engine, rewriter=rewriter, is_bisecting=False
        )
    except (FileProblem, OSError) as problem:
        return Verified(path, message=str(problem).replace(f"{folder}/", ""), is_error=True)
    return replace(verified, path=path, message=verified.message.replace(f"{folder}/", ""))


def _told(verified: Verified) -> str:
    from refactor.proof.render import render_markdown

    if verified.proof is not None and verified.proof.is_proved:
        text = render_markdown(verified).strip()
        if len(text) <= MAX_LENGTH:
            return text
        return f"{text[:MAX_LENGTH].rpartition(chr(10))[0]}\n\n… and more: `dockerfix verify` shows all of it."
    # The log of a build that failed is the repository's; the reason is enough here.
    proof = verified.proof
    reason = (proof.problems[0] if proof.problems else str(proof.verdict)) if proof is not None else verified.message
    words = " ".join(reason.replace("<", "&lt;").replace("@", "@\u200b").replace("`", "'").split())
    return f"- `{verified.path}`: {NOT_BUILT} It could not be judged: {words}"
