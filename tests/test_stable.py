"""The tool on its own output, and every pair of codemods in both orders."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from refactor import BuildContext, Codemod, fix, parse
from refactor.codemod.codemod import discover
from tests.conftest import CORPUS

APPS = sorted(path.parent for path in (CORPUS / "apps").glob("*/Dockerfile"))
SYSTEM = sorted((CORPUS / "dockerfiles" / "system").glob("*/Dockerfile"))


@pytest.mark.parametrize("first", discover(), ids=lambda cls: cls.id)
def test_every_pair_settles_in_both_orders(first: type[Codemod]) -> None:
    for app in APPS[::4]:
        source = (app / "Dockerfile").read_bytes()
        context = BuildContext.open(str(app))
        for second in discover():
            if second is first:
                continue
            for order in permutations((first, second)):
                change = fix(source, context, codemods=order)
                assert change.failure is None, (app.name, [cls.id for cls in order])
                again = fix(change.after, context, codemods=order)
                assert not again.applied, (app.name, [cls.id for cls in order])
                assert bytes(parse(change.after)) == change.after


@pytest.mark.parametrize("path", SYSTEM, ids=lambda path: path.parent.name)
def test_system_files_settle(path: Path) -> None:
    change = fix(path.read_bytes())
    assert change.failure is None
    assert not fix(change.after).applied


def test_a_codemod_less_keeps_the_rest_stable() -> None:
    for app in APPS[::6]:
        source = (app / "Dockerfile").read_bytes()
        context = BuildContext.open(str(app))
        for left_out in discover():
            rest = [cls for cls in discover() if cls is not left_out]
            change = fix(source, context, codemods=rest)
            assert change.failure is None, (app.name, left_out.id)
            assert not fix(change.after, context, codemods=rest).applied, (app.name, left_out.id)
