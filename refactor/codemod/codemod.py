"""The base class of codemods and the way they are found: one class in one file, no registry."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from refactor.codemod.example import Example
from refactor.codemod.finding import Finding, Refusal, Safety

if TYPE_CHECKING:
    from refactor.context import BuildContext
    from refactor.model.aspects import Aspect
    from refactor.syntax import Dockerfile


class Phase(enum.IntEnum):
    """The order in which codemods run: first the shape of the file, last its wording."""

    STAGES = 0
    CACHE = 1
    LAYERS = 2
    RUNTIME = 3
    BASE = 4
    PLATFORM = 5
    SECRETS = 6
    CONTEXT = 7
    STYLE = 8


class Option:
    """One configuration key of a codemod (``[codemods.<id>]``): allowed values (empty: any string), the default, and
    what the preset ``modern`` takes in its place (None: the default, too)."""

    __slots__ = ("default", "doc", "modern", "values")

    def __init__(
        self, default: object, doc: str, values: Sequence[str | bool] = (), modern: str | bool | None = None
    ) -> None:
        self.default = default
        self.doc = doc
        self.values = tuple(values)
        self.modern = modern

    def is_allowed(self, value: object) -> bool:
        """Whether a configuration may say so; 1 is not true."""
        if not self.values:
            return isinstance(value, str)
        return any(type(value) is type(one) and value == one for one in self.values)


SAFE_ONLY, MODERN = "safe", "modern"
PRESETS = (SAFE_ONLY, "default", MODERN)
RUNNERS = ("slim", "alpine", "distroless", "scratch")
BUILDERS = ("buildkit", "portable")


class Settings:
    """What the user configured for codemods: the wanted ``runner``, the ``builder`` that images are built with
    ("portable": any, so nothing that only BuildKit has), the tables ``[codemods.<id>]`` and the preset."""

    __slots__ = ("builder", "preset", "runner", "tables")

    def __init__(
        self,
        runner: str | None = None,
        tables: Mapping[str, Mapping[str, object]] | None = None,
        builder: str | None = None,
        preset: str | None = None,
    ) -> None:
        self.runner = runner
        self.preset = preset
        self.tables: Mapping[str, Mapping[str, object]] = tables or {}
        self.builder = builder


class Codemod:
    """One refactoring. Its module's name with dashes is its id, its docstring its documentation.

    The docstring opens with one line of summary, then has the sections ``Why``, ``What it does``,
    ``When it refuses`` and ``Safety``, each a line of its own ending in a colon-free title, as ``dockerfix explain``
    and RULES.md print them.
    """

    phase: ClassVar[Phase]
    safety: ClassVar[Safety]
    may_change: ClassVar[frozenset[Aspect]] = frozenset()
    examples: ClassVar[tuple[Example, ...]] = ()
    options: ClassVar[Mapping[str, Option]] = {}
    opt_in: ClassVar[bool] = False
    """Runs only when it is selected by name."""
    modern: ClassVar[bool] = False
    """Opt-in, and one of those that ``--preset modern`` selects: it takes up what current builders can do."""
    words: ClassVar[tuple[str, ...]] = ()
    """One of these, in small letters, stands in every file that the codemod has something to say of; empty: in any."""
    reach: ClassVar[Phase] = Phase.STAGES
    """The first phase whose codemods read what its edits change: those of earlier phases need not look again."""
    hadolint: ClassVar[tuple[str, ...]] = ()
    """Codes whose ``# hadolint ignore=`` comment also silences this codemod."""
    checks: ClassVar[tuple[str, ...]] = ()
    """Names of BuildKit checks whose ``# check=skip=`` also silences this codemod."""
    id: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def option(self, name: str) -> object:
        """The configured value of one of this codemod's options, else the preset's, else its default."""
        option = self.options[name]
        is_modern = self.settings.preset == MODERN and option.modern is not None
        return self.settings.tables.get(self.id, {}).get(name, option.modern if is_modern else option.default)

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        """What this codemod would change in ``file``, and what it looked at and refuses to change.

        All findings of one call are applied together, so their edits must not meet on a node; the engine asks again
        afterwards until nothing is found.
        """
        raise NotImplementedError


_found: dict[tuple[str, ...], tuple[type[Codemod], ...]] = {}


def discover(packages: tuple[str, ...] = ("codemods",)) -> tuple[type[Codemod], ...]:
    """Every codemod in the given packages, in running order (phase, then id).

    Raises ImportError for a package that is not there, and TypeError where a module has no codemod or two.
    """
    known = _found.get(packages)
    if known is None:
        classes = [cls for package in packages for cls in _walk(import_module(package))]
        known = _found[packages] = tuple(sorted(classes, key=lambda cls: (cls.phase, cls.id)))
    return known


def _walk(package: ModuleType) -> Iterator[type[Codemod]]:
    # A plain directory walk: pkgutil and importlib.metadata cost more than the codemods themselves at start-up.
    for folder in package.__path__:
        for room in sorted(os.listdir(folder)):
            if room.startswith(("_", ".")):
                continue
            path = os.path.join(folder, room)
            if room.endswith(".py"):
                yield _only_codemod(import_module(f"{package.__name__}.{room[:-3]}"))
            elif os.path.isdir(path):
                for name in sorted(os.listdir(path)):
                    if name.endswith(".py") and not name.startswith("_"):
                        yield _only_codemod(import_module(f"{package.__name__}.{room}.{name[:-3]}"))


def _only_codemod(module: ModuleType) -> type[Codemod]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Codemod) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise TypeError(f"{module.__name__} must define exactly one Codemod, it has {len(own)}")
    return own[0]
