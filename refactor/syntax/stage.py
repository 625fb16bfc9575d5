"""A stage of a file."""

from __future__ import annotations

from refactor.syntax.nodes import Instruction, Node, Trivia


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

    def trivia(self) -> tuple[dict[Instruction, list[Trivia]], list[Trivia]]:
        """Comments and blank lines before each instruction, and those after the last one."""
        before: dict[Instruction, list[Trivia]] = {}
        waiting: list[Trivia] = []
        for node in self.nodes:
            if isinstance(node, Trivia):
                waiting.append(node)
            else:
                before[node] = waiting
                waiting = []
        return before, waiting

    def with_image(self, reference: str) -> Instruction:
        """Its FROM on another image, all else as written."""
        # The image is the first word behind the flags: FROM [flags] image [AS name].
        start = self.from_.argument.index(self.image)
        return self.from_.splice([(start, start + len(self.image), reference)])


def stage_references(node: Instruction) -> tuple[str, ...]:
    """Names or numbers of stages (or images) that ``COPY --from``, ``ADD --from`` and ``RUN --mount=from=`` name."""
    if node.keyword in {"COPY", "ADD"}:
        value = node.flag("from")
        return () if value is None else (value,)
    if node.keyword != "RUN":
        return ()
    parts = (part for mount in node.flag_values("mount") for part in mount.split(","))
    return tuple(part[5:] for part in parts if part.startswith("from="))


def with_stage_reference(node: Instruction, reference: str, name: str) -> Instruction:
    """``node`` with one of its :func:`stage_references` under another name."""
    if node.keyword != "RUN":
        return node.with_flag("from", name)
    mounts = [
        ",".join(f"from={name}" if part == f"from={reference}" else part for part in mount.split(","))
        for mount in node.flag_values("mount")
    ]
    return node.with_flag_values("mount", mounts)
