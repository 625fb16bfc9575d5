"""Edits of a file: what codemods return."""

from __future__ import annotations

from collections.abc import Sequence

from refactor.syntax.nodes import Instruction, Node, Trivia


class EditConflict(ValueError):
    """Two edits change the same node, or an edit names a node that is not of the file."""


class _Edit:
    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.node!r})"


class _EditWithNodes(_Edit):
    __slots__ = ("new",)

    def __init__(self, node: Node, new: Sequence[Node]) -> None:
        self.node = node
        self.new = tuple(new)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.node!r}, {list(self.new)!r})"


class _Move(_Edit):
    __slots__ = ("anchor",)

    def __init__(self, node: Node, anchor: Node) -> None:
        self.node = node
        self.anchor = anchor

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.node!r}, {self.anchor!r})"


class Replace(_EditWithNodes):
    """``new`` stands where ``node`` stood; nodes of the file among them are copied by their text."""

    __slots__ = ()


class InsertBefore(_EditWithNodes):
    """``new`` directly in front of the place of ``node``, even if ``node`` goes away."""

    __slots__ = ()


class InsertAfter(_EditWithNodes):
    """``new`` directly behind the place of ``node``."""

    __slots__ = ()


class Remove(_Edit):
    """``node`` goes; comments above it are nodes of their own."""

    __slots__ = ()


class MoveBefore(_Move):
    """``node`` goes to the place in front of ``anchor``."""

    __slots__ = ()


class MoveAfter(_Move):
    """``node`` goes to the place behind ``anchor``."""

    __slots__ = ()


Edit = Replace | InsertBefore | InsertAfter | Remove | MoveBefore | MoveAfter


def edited(nodes: Sequence[Node], edits: Sequence[Edit]) -> list[Node]:
    """The nodes with all edits applied. Places are those of the nodes before any edit.

    Of several insertions at one place the first edit's come first. Raises :class:`EditConflict`.
    """
    indices = {node: index for index, node in enumerate(nodes)}

    def index_of(node: Node) -> int:
        index = indices.get(node)
        if index is None:
            raise EditConflict(f"an edit names a node that is not of this file: {node!r}")
        return index

    before: dict[int, list[Node]] = {}
    after: dict[int, list[Node]] = {}
    instead: dict[int, tuple[Node, ...]] = {}
    for edit in edits:
        index = index_of(edit.node)
        if isinstance(edit, InsertBefore):
            before.setdefault(index, []).extend(edit.new)
        elif isinstance(edit, InsertAfter):
            after.setdefault(index, []).extend(edit.new)
        else:
            if index in instead:
                raise EditConflict(f"two edits change the same node: {edit.node!r}")
            instead[index] = edit.new if isinstance(edit, Replace) else ()
            if isinstance(edit, MoveBefore):
                before.setdefault(index_of(edit.anchor), []).append(edit.node)
            elif isinstance(edit, MoveAfter):
                after.setdefault(index_of(edit.anchor), []).append(edit.node)
    result: list[Node | None] = []
    for index, node in enumerate(nodes):
        now = (*before.get(index, ()), *instead.get(index, (node,)), *after.get(index, ()))
        result += now or (None,)
    return _closed_up(result)


def _closed_up(nodes: Sequence[Node | None]) -> list[Node]:
    """The nodes, None standing where one has gone: the blank lines around such a place become as many as the larger
    gap had, at the end of the file as many as there were.
    """
    result: list[Node] = []
    gaps: list[list[Node]] = [[]]
    for node in nodes:
        if node is None:
            gaps.append([])
        elif isinstance(node, Trivia) and node.kind == "blank":
            gaps[-1].append(node)
        else:
            gap: list[Node] = max(gaps, key=len)
            result += [*gap, node]
            gaps = [[]]
    return result + gaps[-1]


def printed(nodes: Sequence[Node], newline: str, ends_with_newline: bool) -> str:
    """The text of the nodes: every line ends, the last one if ``ends_with_newline`` (else blank lines there
    go).
    """
    texts: list[str] = []
    last = len(nodes) - 1
    while not ends_with_newline and last >= 0 and nodes[last].text in ("\n", "\r\n"):
        last -= 1
    for index, node in enumerate(nodes[: last + 1]):
        text = node.text
        if index == last:
            if not ends_with_newline:
                text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
            elif text and not text.endswith("\n") and text != "\ufeff":
                text += newline
        elif isinstance(node, Instruction):
            text = node.closed()
        elif not text.endswith("\n") and node.kind != "bom":
            text += newline
        texts.append(text)
    return "".join(texts)


def common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines two versions share at their beginning, and how many of the others at their end."""
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail
