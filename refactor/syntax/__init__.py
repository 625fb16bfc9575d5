"""Bytes to a lossless tree and back, by the rules of BuildKit's Dockerfile front end.

``parse(source)`` never raises and ``bytes(parse(source)) == source`` for any bytes: text is UTF-8 with
``surrogateescape``, nodes keep their raw text, everything else is read from that text when it is asked for.
"""

from refactor.syntax.dockerfile import Dockerfile, parse
from refactor.syntax.edits import (
    Edit,
    EditConflict,
    InsertAfter,
    InsertBefore,
    MoveAfter,
    MoveBefore,
    Remove,
    Replace,
)
from refactor.syntax.expansion import is_same_word
from refactor.syntax.flags import Flag
from refactor.syntax.heredoc import Heredoc
from refactor.syntax.nodes import Instruction, Node, Trivia
from refactor.syntax.problems import Problem
from refactor.syntax.stage import Stage, stage_references, with_stage_reference
from refactor.syntax.style import Style

__all__ = [
    "Dockerfile",
    "Edit",
    "EditConflict",
    "Flag",
    "Heredoc",
    "InsertAfter",
    "InsertBefore",
    "Instruction",
    "MoveAfter",
    "MoveBefore",
    "Node",
    "Problem",
    "Remove",
    "Replace",
    "Stage",
    "Style",
    "Trivia",
    "is_same_word",
    "parse",
    "stage_references",
    "with_stage_reference",
]
