"""A stage of a file."""

from __future__ import annotations

from refactor.syntax.nodes import Instruction, Node


class Stage:
    """One build stage: a FROM and what follows it, with the comments directly above the FROM."""

    __slots__ = ("from_", "image", "index", "instructions", "is_last", "name", "nodes")

    def __init__(self, index: int, from_: Instruction, nodes: tuple[Node, ...], is_last: bool) -> None:
        self.index = index
        self.from_ = from_
        self.nodes = nodes
        self.instructions: tuple[Instruction, ...] = tuple(node for node in nodes if isinstance(node, Instruction))
        """The FROM first."""
        self.is_last = is_last
        words = from_.words
        self.image = words[0] if words else ""
        """The base as written, variables not expanded; "" for a FROM without argument."""
        self.name: str | None = words[2] if len(words) == 3 and words[1].upper() == "AS" else None
        """The name behind AS, as written."""

    def __repr__(self) -> str:
        return f"Stage({self.index}, {self.name or self.image!r})"

    @property
    def platform(self) -> str | None:
        """Value of ``--platform``, variables not expanded."""
        return self.from_.flag("platform")
