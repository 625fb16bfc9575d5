"""Variables in scope: ENV and ARG, as BuildKit's ``dockerfile2llb/convert.go`` keeps them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from refactor.syntax.expansion import ExpansionError, UnknownValue, expand_word
from refactor.syntax.nodes import Instruction
from refactor.syntax.stage import Stage

_PLATFORM_PARTS = ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
PLATFORM_ARGS = ("TARGETSTAGE", *(where + part for where in ("BUILD", "TARGET") for part in _PLATFORM_PARTS))
"""Global variables that BuildKit sets for every build."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What BuildKit sets where the image has no PATH."""
_END = 1 << 62


class _Layer:
    """The assignments of one stage (or of the preamble) over those of the stage it is built from.

    Positions are numbers of instructions in the layer. ``is_open``: names that are assigned nowhere may be
    set by the base image.
    """

    __slots__ = ("blurred", "history", "is_open", "parent")

    def __init__(self, parent: _Layer | None, is_open: bool) -> None:
        self.parent = parent
        self.is_open = is_open
        self.history: dict[str, tuple[list[int], list[str | None]]] = {}
        self.blurred: list[int] = []
        """Positions of assignments to names that only the build knows: any variable may be meant."""

    def assign(self, name: str, value: str | None, position: int) -> None:
        positions, values = self.history.setdefault(name, ([], []))
        positions.append(position)
        values.append(value)


class Scope:
    """The variables just before one position of a layer."""

    __slots__ = ("layer", "position")

    def __init__(self, layer: _Layer, position: int) -> None:
        self.layer = layer
        self.position = position

    def lookup(self, name: str) -> str | None:
        """The value, None where the variable is not set. Raises UnknownValue where only the build knows."""
        layer: _Layer | None = self.layer
        position = self.position
        is_open = False
        while layer is not None:
            positions, values = layer.history.get(name, ([], []))
            index = bisect_left(positions, position) - 1
            blur = bisect_left(layer.blurred, position) - 1
            if blur >= 0 and (index < 0 or positions[index] <= layer.blurred[blur]):
                raise UnknownValue(name)
            if index >= 0:
                value = values[index]
                if value is None:
                    raise UnknownValue(name)
                return value
            is_open = layer.is_open
            layer, position = layer.parent, _END
        # Positional and special parameters are set nowhere.
        if is_open and (name[:1].isalpha() or name[:1] == "_"):
            raise UnknownValue(name)
        return None

    def is_assigned(self, name: str) -> bool:
        layer: _Layer | None = self.layer
        position = self.position
        while layer is not None:
            if bisect_left(layer.history.get(name, ([], []))[0], position):
                return True
            layer, position = layer.parent, _END
        return False

    def values(self) -> dict[str, str | None]:
        """All names assigned in the file, None for values that only the build knows."""
        names: dict[str, None] = {}
        layer: _Layer | None = self.layer
        while layer is not None:
            names.update(dict.fromkeys(layer.history))
            layer = layer.parent
        found: dict[str, str | None] = {}
        for name in names:
            if self.is_assigned(name):
                try:
                    found[name] = self.lookup(name)
                except UnknownValue:
                    found[name] = None
        return found


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
        self._global_values = self._globals.values()
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
