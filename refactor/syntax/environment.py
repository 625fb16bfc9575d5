"""Variables in scope: ENV and ARG, as BuildKit's ``dockerfile2llb/convert.go`` keeps them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from refactor.syntax.expansion import ExpansionError, UnknownValue, expand_word
from refactor.syntax.nodes import Instruction
from refactor.syntax.stage import Stage

_PLATFORM_PARTS = ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
PLATFORM_ARGS = ("TARGETSTAGE", *(where + part for where in ("BUILD", "TARGET") for part in _PLATFORM_PARTS))
"""Global variables that BuildKit sets for every build."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What BuildKit sets where the image has no PATH."""
_END = 1 << 62
_Found = tuple[bool, "str | None"]
"""Whether the value is known before the build, and the value: None where the variable is not set."""
_UNKNOWN: _Found = (False, None)
_UNSET: _Found = (True, None)


class _Layer:
    """The assignments of one stage (or of the preamble) over those of the stage it is built from.

    Positions are numbers of instructions in the layer. ``is_open``: names that are assigned nowhere may be
    set by the base image.
    """

    __slots__ = ("_ends", "blurred", "history", "is_open", "parent")

    def __init__(self, parent: _Layer | None, is_open: bool) -> None:
        # Layers without assignments have nothing to say in a long chain of stages.
        while parent is not None and parent.parent is not None and not parent.history and not parent.blurred:
            parent = parent.parent
        self.parent: _Layer | None = parent
        self.is_open = is_open
        self.history: dict[str, tuple[list[int], list[str | None]]] = {}
        self.blurred: list[int] = []
        """Positions of assignments to names that only the build knows: any variable may be meant."""
        self._ends: dict[str, _Found] = {}
        """What names are at the end of the layer, as far as they were asked for by layers above."""

    def assign(self, name: str, value: str | None, position: int) -> None:
        positions, values = self.history.setdefault(name, ([], []))
        positions.append(position)
        values.append(value)

    def find(self, name: str, position: int) -> _Found | None:
        """What this layer says of a name before a position, None for nothing."""
        positions, values = self.history.get(name, ([], []))
        index = bisect_left(positions, position) - 1
        blur = bisect_left(self.blurred, position) - 1
        if blur >= 0 and (index < 0 or positions[index] <= self.blurred[blur]):
            return _UNKNOWN
        if index < 0:
            return None
        value = values[index]
        return _UNKNOWN if value is None else (True, value)

    def find_at_end(self, name: str) -> _Found:
        """What a name is at the end of the layer, by the layers below where this one does not say."""
        passed: list[_Layer] = []
        layer: _Layer | None = self
        found: _Found | None = None
        while layer is not None and found is None:
            found = layer._ends.get(name) or layer.find(name, _END)
            passed.append(layer)
            layer = layer.parent
        found = found or passed[-1].by_default(name)
        for layer in passed:
            layer._ends[name] = found
        return found

    def by_default(self, name: str) -> _Found:
        """What a name is that nothing assigns: positional and special parameters are set nowhere."""
        return _UNKNOWN if self.is_open and (name[:1].isalpha() or name[:1] == "_") else _UNSET


class Scope:
    """The variables just before one position of a layer."""

    __slots__ = ("layer", "position")

    def __init__(self, layer: _Layer, position: int) -> None:
        self.layer = layer
        self.position = position

    def lookup(self, name: str) -> str | None:
        """The value, None where the variable is not set. Raises UnknownValue where only the build knows."""
        layer = self.layer
        found = layer.find(name, self.position)
        if found is None:
            found = layer.by_default(name) if layer.parent is None else layer.parent.find_at_end(name)
        is_known, value = found
        if not is_known:
            raise UnknownValue(name)
        return value

    def is_assigned(self, name: str) -> bool:
        layer: _Layer | None = self.layer
        position = self.position
        while layer is not None:
            if bisect_left(layer.history.get(name, ([], []))[0], position):
                return True
            layer, position = layer.parent, _END
        return False

    def names(self) -> Iterator[str]:
        """All names assigned in the file before this place."""
        layer: _Layer | None = self.layer
        seen: set[str] = set()
        while layer is not None:
            for name in layer.history.keys() - seen:
                seen.add(name)
                if self.is_assigned(name):
                    yield name
            layer = layer.parent


class Variables(Mapping[str, "str | None"]):
    """A scope as a mapping, looked up when it is asked: None for values that only the build knows."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> str | None:
        if not self._scope.is_assigned(name):
            raise KeyError(name)
        try:
            return self._scope.lookup(name)
        except UnknownValue:
            return None

    def __iter__(self) -> Iterator[str]:
        return self._scope.names()

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Environments:
    """The scopes of one file; a stage is read when something of it, or of a later stage, is asked for."""

    def __init__(self, instructions: Sequence[Instruction], stages: Sequence[Stage], escape: str) -> None:
        self.stages = stages
        self.escape = escape
        self._before: dict[Instruction, Scope] = {}
        self._layers: list[_Layer] = []
        self._named: dict[str, _Layer] = {}
        """The layers of the stages that were read, by name: a name means the last stage of that name."""
        layer = _Layer(None, is_open=False)
        for name in PLATFORM_ARGS:
            layer.assign(name, None, -1)
        for position, node in enumerate(instructions):
            if stages and node is stages[0].from_:
                break
            scope = self._before[node] = Scope(layer, position)
            if node.keyword == "ARG":
                self._assign_args(node, scope, {})
        self._globals = Scope(layer, _END)
        self._global_values = dict(Variables(self._globals))
        for stage in stages:
            self._before[stage.from_] = self._globals

    def before(self, at: Instruction) -> Scope:
        """The scope just before an instruction of the file. Raises KeyError for other nodes."""
        stages = self.stages
        while at not in self._before and len(self._layers) < len(stages):
            self._read(stages[len(self._layers)])
        return self._before[at]

    def expand(self, text: str, at: Instruction) -> str | None:
        """``text`` as a word at that place; None where BuildKit refuses it or only the build knows."""
        return self._value(text, self.before(at))

    def _value(self, text: str, scope: Scope) -> str | None:
        try:
            return expand_word(text, scope.lookup, self.escape)
        except (ExpansionError, RecursionError):
            return None

    def _read(self, stage: Stage) -> None:
        layer = self._start(stage)
        self._layers.append(layer)
        if stage.name:
            self._named[stage.name.lower()] = layer
        for position, node in enumerate(stage.instructions):
            if node is stage.from_:
                continue
            scope = self._before[node] = Scope(layer, position)
            if node.keyword == "ENV":
                self._assign_env(node, scope)
            elif node.keyword == "ARG":
                self._assign_args(node, scope, self._global_values)

    def _start(self, stage: Stage) -> _Layer:
        """What a stage begins with: the end of the stage it is built from, or an image from outside."""
        image = self._value(stage.image, self._globals)
        if image == "scratch":
            layer = _Layer(None, is_open=False)
            layer.assign("PATH", DEFAULT_PATH, -1)
            return layer
        parent = self._named.get(image.lower()) if image else None
        return _Layer(None, is_open=True) if parent is None else _Layer(parent, is_open=False)

    def _assign_env(self, node: Instruction, scope: Scope) -> None:
        # All values of one ENV see the variables from before it, so none is assigned until all are expanded.
        found = [(self._value(name, scope), self._value(value, scope)) for name, value in node.pairs]
        for name, value in found:
            if name is None:
                scope.layer.blurred.append(scope.position)
            else:
                scope.layer.assign(name, value, scope.position)

    def _assign_args(self, node: Instruction, scope: Scope, outer: dict[str, str | None]) -> None:
        # The values of one ARG see the ones before them. Names are taken as they are written.
        following = Scope(scope.layer, scope.position + 1)
        for word in node.words:
            name, equals, value = word.partition("=")
            if equals:
                scope.layer.assign(name, self._value(value, following), scope.position)
            elif name in outer:
                scope.layer.assign(name, outer[name], scope.position)
            elif not following.is_assigned(name):
                scope.layer.assign(name, None, scope.position)
