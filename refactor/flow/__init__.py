"""What a container starts, and which files of the build context that is made of. Knows no language."""

from __future__ import annotations

from refactor.flow.closure import Unseen, is_shell, named, unseen_copies, why_not_seen
from refactor.flow.places import all_copies, origins, source_of
from refactor.flow.roots import SHELLS, Root, roots_of

__all__ = [
    "SHELLS",
    "Root",
    "Unseen",
    "all_copies",
    "is_shell",
    "named",
    "origins",
    "roots_of",
    "source_of",
    "unseen_copies",
    "why_not_seen",
]
