"""RUN bodies taken apart: by the fast reader, or by the grammar where that is not certain."""

from __future__ import annotations

from functools import lru_cache

from refactor.shell.fast import read_fast
from refactor.shell.script import ShellScript


@lru_cache(maxsize=512)
def read(text: str) -> ShellScript:
    """Take the RUN body `text` (`Instruction.argument`, or a here-document's body) apart. Never raises.

    POSIX sh and bash. What cannot be taken apart is opaque, with a reason.
    """
    script = read_fast(text)
    if script is None:
        from refactor.shell.grammar import read_tree

        script = read_tree(text)
    return script
