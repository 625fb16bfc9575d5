"""What a file costs grows with its size alone: counted in calls of our own code, not in seconds, at one and two times
the size. (``python -m tests.bench --only growth`` has the seconds.)"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from refactor import BuildContext, fix
from tests.bench import SHAPES

ROOT = str(Path(__file__).parents[1])
NAMES = [name for name in SHAPES if not name.startswith(("lines", "comment"))]


def calls_of(function: Callable[[], object]) -> int:
    count = 0

    def seen(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(ROOT)

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", NAMES)
def test_calls_grow_with_the_size(name: str) -> None:
    def at(size: int) -> int:
        source = SHAPES[name](size).encode()
        return calls_of(lambda: fix(source, BuildContext.of({})))

    # What is read once for all files (tables, modules) is paid by the first.
    at(2)
    one, two = at(60), at(120)
    assert two < 2.2 * one, f"{one} calls, and {two} for twice the size"


def test_hundreds_of_stages_do_not_ask_each_other() -> None:
    """A question of each stage to all others is cheap beside the rest at first."""
    shape = SHAPES["stages, each copying from the one before"]
    one, two = (calls_of(lambda size=size: fix(shape(size).encode(), BuildContext.of({}))) for size in (300, 600))
    assert two < 2.1 * one, f"{one} calls, and {two} for twice the size"


def test_a_long_chain_of_stages_does_not_overflow_the_stack() -> None:
    source = SHAPES["stages, each from the one before"](2_000).encode()
    assert not fix(source, BuildContext.of({})).problems
