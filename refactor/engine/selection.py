"""Which codemods run: what ``select``, ``ignore``, ``extend-select`` and a preset come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from refactor.codemod import Codemod
from refactor.codemod.codemod import MODERN, discover


class UnknownCodemod(ValueError):
    """A codemod id that does not exist; the text suggests the nearest ones."""


def choose(
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    packages: tuple[str, ...] = ("codemods",),
    preset: str | None = None,
) -> tuple[type[Codemod], ...]:
    """The codemods to run: all that are not opt-in, or those of ``select``, plus ``extend_select``, minus ``ignore``.

    An id, or the name of a phase's folder (``layers``) for all in it. The preset ``modern`` takes the opt-in ones in
    that declare themselves modern. Raises :class:`UnknownCodemod`.
    """
    return _chosen(None if select is None else tuple(select), tuple(ignore), tuple(extend_select), packages, preset)


@lru_cache(maxsize=16)
def _chosen(
    select: tuple[str, ...] | None,
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    packages: tuple[str, ...],
    preset: str | None,
) -> tuple[type[Codemod], ...]:
    known = discover(packages)
    if select is None:
        chosen = {cls.id for cls in known if not cls.opt_in or (preset == MODERN and cls.modern)}
    else:
        chosen = ids_of(select, known)
    chosen |= ids_of(extend_select, known)
    chosen -= ids_of(ignore, known)
    return tuple(cls for cls in known if cls.id in chosen)


def ids_of(names: Iterable[str], known: Sequence[type[Codemod]]) -> set[str]:
    """The ids that ``names`` mean: an id itself, a phase's folder or ``all``. Raises :class:`UnknownCodemod`."""
    ids: set[str] = set()
    for name in names:
        found = {cls.id for cls in known if name in {cls.id, "all", _folder(cls)}}
        if not found:
            from difflib import get_close_matches

            near = get_close_matches(name, {word for cls in known for word in (cls.id, _folder(cls))}, 1)
            hint = f"did you mean {near[0]!r}?" if near else "see `dockerfix rules`"
            raise UnknownCodemod(f"unknown codemod {name!r}; {hint}")
        ids |= found
    return ids


def _folder(cls: type[Codemod]) -> str:
    return cls.__module__.split(".")[-2]
