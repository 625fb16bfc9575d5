"""Records without ``typing``: they behave as its named tuples do, and are what type checkers see."""

from __future__ import annotations

import pickle
import typing
from typing import Any

import pytest

from refactor import light


class Ours(light.NamedTuple):
    """A place."""

    line: int
    path: str = "Dockerfile"
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.path}:{self.line}"


class Theirs(typing.NamedTuple):
    """A place."""

    line: int
    path: str = "Dockerfile"
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.path}:{self.line}"


class Child(Ours):
    """A record may be the base of a class with methods."""

    def upper(self) -> str:
        return self.shown.upper()


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_a_record_is_a_named_tuple(kind: Any) -> None:
    place = kind(3, notes=("a",))
    assert place == (3, "Dockerfile", ("a",))
    assert (place.line, place.path, place.notes, place.shown) == (3, "Dockerfile", ("a",), "Dockerfile:3")
    assert place._replace(line=4) == kind(4, "Dockerfile", ("a",))
    assert place._asdict() == {"line": 3, "path": "Dockerfile", "notes": ("a",)}
    assert kind._fields == ("line", "path", "notes")
    assert kind._field_defaults == {"path": "Dockerfile", "notes": ()}
    assert kind._make([1, "x", ()]) == (1, "x", ())
    assert repr(place) == f"{kind.__name__}(line=3, path='Dockerfile', notes=('a',))"
    assert kind.__doc__ == "A place."
    assert pickle.loads(pickle.dumps(place)) == place
    assert type(pickle.loads(pickle.dumps(place))) is kind
    assert hash(place) == hash((3, "Dockerfile", ("a",)))
    match place:
        case kind(line, path):
            assert (line, path) == (3, "Dockerfile")
        case _:
            pytest.fail("a record matches its class by position")
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        kind(1, unknown=2)
    with pytest.raises(ValueError, match="unexpected field names"):
        place._replace(unknown=2)
    with pytest.raises(AttributeError):
        place.line = 5
    with pytest.raises(AttributeError):
        place.other = 5


def test_a_record_can_be_a_base() -> None:
    child = Child(1)
    assert child.upper() == "DOCKERFILE:1"
    assert isinstance(child, Ours)


def test_defaults_come_last() -> None:
    with pytest.raises(TypeError, match="without a default follows"):

        class Wrong(light.NamedTuple):
            a: int = 1
            b: int  # type: ignore[misc]
