"""Variables in scope: ENV and ARG, as BuildKit's ``dockerfile2llb/convert.go`` keeps them."""

from __future__ import annotations

from refactor.syntax.expansion import ExpansionError, UnknownValue, expand_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from refactor.syntax.dockerfile import Dockerfile, Stage
    from refactor.syntax.nodes import Instruction

_PLATFORM = dict.fromkeys(
    f"{where}{what}"
    for where in ("TARGET", "BUILD")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
) | {"TARGETSTAGE": None}
"""Global variables that BuildKit sets for every build."""
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Scope:
    """Variables at one point; ``is_open``: names not among ``values`` may be set from outside the file."""

    __slots__ = ("is_open", "values")

    def __init__(self, values: dict[str, str | None], is_open: bool) -> None:
        self.values = values
        self.is_open = is_open

    def lookup(self, name: str) -> str | None:
        value = self.values.get(name)
        # Positional and special parameters are never set in a Dockerfile.
        is_variable = name[:1].isalpha() or name[:1] == "_"
        if value is None and (name in self.values or (self.is_open and is_variable)):
            raise UnknownValue(name)
        return value


class Environments:
    """The scopes of one file, each computed once."""

    def __init__(self, file: Dockerfile) -> None:
        self.file = file
        self._before: dict[Instruction, Scope] = {}
        self._after: dict[int, Scope] = {}
        scope = Scope({**_PLATFORM, "TARGETSTAGE": None}, is_open=False)
        stages = file.stages
        for node in file.instructions:
            if stages and node is stages[0].from_:
                break
            self._before[node] = scope
            scope = self._global(node, scope)
        self._globals = scope
        for stage in stages:
            self._before[stage.from_] = scope
        self._done = 0

    def before(self, at: Instruction) -> Scope:
        """The scope just before an instruction of the file. Raises KeyError for other nodes."""
        stages = self.file.stages
        while at not in self._before and self._done < len(stages):
            self._read(stages[self._done])
            self._done += 1
        return self._before[at]

    def expand(self, text: str, at: Instruction) -> str | None:
        try:
            return expand_word(text, self.before(at).lookup, self.file.escape)
        except (ExpansionError, RecursionError):
            return None

    def _value(self, text: str, scope: Scope) -> str | None:
        try:
            return expand_word(text, scope.lookup, self.file.escape)
        except (ExpansionError, RecursionError):
            return None

    def _global(self, node: Instruction, scope: Scope) -> Scope:
        if node.keyword != "ARG":
            return scope
        scope = Scope(dict(scope.values), scope.is_open)
        for word in node.words:
            name, equals, value = word.partition("=")
            if equals:
                scope.values[name] = self._value(value, scope)
            else:
                scope.values.setdefault(name, None)
        return scope

    def _read(self, stage: Stage) -> None:
        scope = self._start(stage)
        for node in stage.instructions:
            if node is stage.from_:
                continue
            self._before[node] = scope
            if node.keyword == "ENV":
                scope = self._with_env(node, scope)
            elif node.keyword == "ARG":
                scope = self._with_arg(node, scope)
        self._after[stage.index] = scope

    def _start(self, stage: Stage) -> Scope:
        """What a stage begins with: the end of the stage it is built from, or an image from outside."""
        image = self._value(stage.image, self._globals)
        if image is None:
            return Scope({}, is_open=True)
        for earlier in reversed(self.file.stages[: stage.index]):
            if (earlier.name or "").lower() == image.lower() != "":
                return self._after[earlier.index]
        if image == "scratch":
            return Scope({"PATH": _DEFAULT_PATH}, is_open=False)
        return Scope({}, is_open=True)

    def _with_env(self, node: Instruction, scope: Scope) -> Scope:
        # All values of one ENV see the variables from before it.
        after = Scope(dict(scope.values), scope.is_open)
        for raw_name, raw_value in node.pairs:
            name = self._value(raw_name, scope)
            if name is None:
                # Whatever it is called: every value may have changed.
                return Scope(dict.fromkeys(after.values), is_open=True)
            after.values[name] = self._value(raw_value, scope)
        return after

    def _with_arg(self, node: Instruction, scope: Scope) -> Scope:
        scope = Scope(dict(scope.values), scope.is_open)
        for word in node.words:
            raw_name, equals, value = word.partition("=")
            # BuildKit takes the name as it is written.
            if equals:
                scope.values[raw_name] = self._value(value, scope)
            elif raw_name in self._globals.values:
                scope.values[raw_name] = self._globals.values[raw_name]
            else:
                scope.values.setdefault(raw_name, None)
        return scope
