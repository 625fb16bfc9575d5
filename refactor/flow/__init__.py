"""What a container starts, and which files of the build context that is made of. Knows no language."""

from __future__ import annotations

from refactor.flow.between import Move, first_sources, goes_first, why_no_sources
from refactor.flow.reading import is_within
from refactor.flow.secrets import NAME as SECRET_NAME, Token, is_token, leaked, may_leak, tokens

__all__ = [
    "SECRET_NAME",
    "Move",
    "Token",
    "first_sources",
    "goes_first",
    "is_token",
    "is_within",
    "leaked",
    "may_leak",
    "tokens",
    "why_no_sources",
]
