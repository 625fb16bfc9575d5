"""What a container starts, and which files of the build context that is made of. Knows no language."""

from __future__ import annotations

from refactor.flow.between import Move, first_sources, goes_first, why_no_sources
from refactor.flow.closure import Unseen, is_shell, named, unseen_copies, why_not_seen, why_unseen
from refactor.flow.places import all_copies, origin_of, origins, source_of
from refactor.flow.roots import INITS, SHELLS, Root, peeled, roots_of
from refactor.flow.secrets import NAME as SECRET_NAME, Token, is_token, leaked, may_leak, tokens
from refactor.flow.user import follows_its_words, installs_as_root, is_within, why_root

__all__ = [
    "INITS",
    "SECRET_NAME",
    "SHELLS",
    "Move",
    "Root",
    "Token",
    "Unseen",
    "all_copies",
    "first_sources",
    "follows_its_words",
    "goes_first",
    "installs_as_root",
    "is_shell",
    "is_token",
    "is_within",
    "leaked",
    "may_leak",
    "named",
    "origin_of",
    "origins",
    "peeled",
    "roots_of",
    "source_of",
    "tokens",
    "unseen_copies",
    "why_no_sources",
    "why_not_seen",
    "why_root",
    "why_unseen",
]
