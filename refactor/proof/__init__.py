"""Proofs of rewrites: both versions are built, started and compared in a container engine."""

from refactor.proof.engine import EngineProblem
from refactor.proof.engines import find_engine
from refactor.proof.probe import ProbeOptions
from refactor.proof.prove import Proof, ProofOptions, Prover, Verdict, prove
from refactor.proof.workspace import WorkspaceProblem

__all__ = [
    "EngineProblem",
    "ProbeOptions",
    "Proof",
    "ProofOptions",
    "Prover",
    "Verdict",
    "WorkspaceProblem",
    "find_engine",
    "prove",
]
