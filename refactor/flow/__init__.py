"""What a container starts, and which files of the build context that is made of. Knows no language."""

from __future__ import annotations

from refactor.flow.between import goes_first, is_settings, why_no_sources
from refactor.flow.closure import Unseen, is_shell, named, unseen_copies, why_not_seen, why_unseen
from refactor.flow.leftovers import Leftover, Needed, leftovers
from refactor.flow.moving import why_not_moved
from refactor.flow.ownership import Ownership, ownership
from refactor.flow.places import all_copies, origin_of, origins, source_of
from refactor.flow.ports import low_ports, only_docker
from refactor.flow.roots import INITS, SHELLS, Root, peeled, roots_of
from refactor.flow.secrets import NAME as SECRET_NAME, Token, is_token, leaked, may_leak, tokens
from refactor.flow.shell_writes import CALM, QUIET, unknown_program, written_by_shell
from refactor.flow.user import follows_its_words, installs_as_root, is_within, why_root
from refactor.flow.user_ids import Ids, user_ids
from refactor.flow.user_lines import above_sources, first_volume, head_anchor, place_of_user

__all__ = [
    "CALM",
    "INITS",
    "QUIET",
    "SECRET_NAME",
    "SHELLS",
    "Ids",
    "Leftover",
    "Needed",
    "Ownership",
    "Root",
    "Token",
    "Unseen",
    "above_sources",
    "all_copies",
    "first_volume",
    "follows_its_words",
    "goes_first",
    "head_anchor",
    "installs_as_root",
    "is_settings",
    "is_shell",
    "is_token",
    "is_within",
    "leaked",
    "leftovers",
    "low_ports",
    "may_leak",
    "named",
    "only_docker",
    "origin_of",
    "origins",
    "ownership",
    "peeled",
    "place_of_user",
    "roots_of",
    "source_of",
    "tokens",
    "unknown_program",
    "unseen_copies",
    "user_ids",
    "why_no_sources",
    "why_not_moved",
    "why_not_seen",
    "why_root",
    "why_unseen",
    "written_by_shell",
]
