"""The tool on its own output, and every pair of codemods in both orders."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import pytest

from refactor import BuildContext, Codemod, Settings, fix, parse
from refactor.codemod.codemod import Phase, discover
from tests.conftest import CORPUS

SPLIT_FIRST = "a codemod that comes first works on the stage that is split afterwards: the phases order them"
STATIC_FIRST = "files that nginx serves need little of the stage that started a server: the phases order them"
ORDER_MATTERS = {
    ("clean-package-cache", "serve-static-files"): STATIC_FIRST,
    ("run-as-user", "serve-static-files"): STATIC_FIRST,
    ("serve-static-files", "split-build-stage"): STATIC_FIRST,
    ("serve-static-files", "use-slim-base"): STATIC_FIRST,
    ("build-assets-apart", "clean-package-cache"): "a RUN that gets one more command is put on lines of their own",
    ("install-production-dependencies", "part-own-scripts"): "what is parted takes --no-dev along where it is there",
    ("chain-runs", "pair-apt-update"): "an install that is joined already has its update",
    ("chain-runs", "clean-package-cache"): "what is joined first is cleaned once, at the end",
    ("chain-runs", "join-installs"): "the one that joins first sets the indentation",
    ("clean-package-cache", "join-installs"): "the one that adds a line first sets the indentation",
    ("clean-package-cache", "split-build-stage"): SPLIT_FIRST,
    ("copy-manifests-first", "split-build-stage"): SPLIT_FIRST,
    ("copy-manifests-first", "order-by-change"): "a blank line stays where the sources were when they moved first",
    ("chain-runs", "skip-recommended-packages"): "calls with other flags do not belong together",
    ("join-installs", "skip-recommended-packages"): "a list is rewritten as a whole, or not where a package is unknown",
    ("pair-apt-update", "skip-recommended-packages"): "in mixed line endings the one that comes first sets them",
    ("skip-recommended-packages", "split-build-stage"): SPLIT_FIRST,
    ("skip-recommended-packages", "use-slim-base"): "what a package recommends is not in the slim image",
    ("join-installs", "part-own-scripts"): "new lines are indented as the first ones of the file are",
    ("join-installs", "split-build-stage"): SPLIT_FIRST,
    ("copy-manifests-first", "run-as-user"): "folders of the user are made in front of the sources, wherever those are",
    ("order-by-change", "run-as-user"): "folders of the user are made in front of the sources, wherever those are",
    ("copy-manifests-first", "set-workdir"): "what is copied to / by its name stays there: the phases order them",
    ("add-healthcheck", "run-as-user"): "both stand in front of CMD, the later one next to it",
    ("run-as-user", "split-build-stage"): SPLIT_FIRST,
    ("run-as-user", "use-slim-base"): "a user that is made needs an image with a shell",
    ("run-program-directly", "split-build-stage"): SPLIT_FIRST,
    ("split-build-stage", "use-slim-base"): SPLIT_FIRST,
}
"""Pairs that give another file in the other order than the one they run in, and why that is no fault."""

APPS = sorted(path.parent for path in (CORPUS / "apps").glob("*/Dockerfile"))
SYSTEM = sorted((CORPUS / "dockerfiles" / "system").glob("*/Dockerfile"))
ALONE = sorted((CORPUS / "dockerfiles").rglob("Dockerfile*"))


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
                again = fix(change.after, change.context_after(context), codemods=order)
                assert not again.applied, (app.name, [cls.id for cls in order])
                assert bytes(parse(change.after)) == change.after


WITH_APT = (
    "FROM debian:bookworm\nRUN apt update\nENV A=1\nRUN apt install curl\nRUN apt install -y git\n",
    "FROM debian:bookworm\nRUN apt update && apt upgrade\nRUN apt-get install -y git && apt install -y curl\n",
    "FROM ubuntu:22.04\nRUN apt-get update\nRUN apt install -y git # why\nRUN rm -rf /var/lib/apt/lists/*\n",
    "FROM debian:bookworm\nRUN set -e; apt update; apt install curl\nRUN apt update; apt install git; git --version\n",
)


@pytest.mark.parametrize("source", WITH_APT)
@pytest.mark.parametrize("first", ["use-apt-get", "assume-yes"])
def test_what_packages_are_installed_with_makes_no_difference_to_the_order(first: str, source: str) -> None:
    known = {cls.id: cls for cls in discover()}
    for second in ("pair-apt-update", "chain-runs", "clean-package-cache", "join-installs", "use-apt-get"):
        if second != first:
            orders = permutations((known[first], known[second]))
            results = {fix(source.encode(), codemods=order).after for order in orders}
            assert len(results) == 1, (second, results)


def test_pairs_give_the_same_file_in_both_orders() -> None:
    files = [((app / "Dockerfile").read_bytes(), BuildContext.open(str(app))) for app in APPS[::4]]
    files += [(path.read_bytes(), BuildContext.unknown("it lies alone")) for path in ALONE]
    differ = set()
    for source, context in files:
        acting = {cls for cls in discover() if fix(source, context, codemods=[cls]).applied}
        for pair in combinations(discover(), 2):
            if acting.isdisjoint(pair):
                continue
            changes = [fix(source, context, codemods=order) for order in permutations(pair)]
            assert [change.failure for change in changes] == [None, None], [cls.id for cls in pair]
            if changes[0].after != changes[1].after:
                differ.add(tuple(sorted(cls.id for cls in pair)))
    assert differ <= ORDER_MATTERS.keys()


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
            assert not fix(change.after, change.context_after(context), codemods=rest).applied, (app.name, left_out.id)


IN_MOUNTS = {
    "clean-package-cache": "a cache in a mount is not cleaned, one that is cleaned gets none: the phases order them",
    "join-installs": "installs in two mounts are not joined: the phases order them",
    "split-build-stage": SPLIT_FIRST,
}
"""As `ORDER_MATTERS`, for cache mounts of downloads, which are opt-in."""


def test_mounts_of_downloads_settle_with_every_other() -> None:
    [mounts] = [cls for cls in discover() if cls.id == "add-cache-mounts"]
    settings = Settings(tables={"add-cache-mounts": {"downloads": True}})
    differ = set()
    for app in APPS[::7]:
        source, context = (app / "Dockerfile").read_bytes(), BuildContext.open(str(app))
        for other in discover():
            if other is mounts:
                continue
            results = set()
            for order in permutations((mounts, other)):
                change = fix(source, context, codemods=order, settings=settings)
                assert change.failure is None, (app.name, other.id)
                again = fix(change.after, change.context_after(context), codemods=order, settings=settings)
                assert not again.applied, (app.name, other.id)
                results.add(change.after)
            if len(results) > 1:
                differ.add(other.id)
    assert differ <= IN_MOUNTS.keys()


@pytest.mark.parametrize("preset", ["default", "modern"])
def test_who_is_not_asked_would_find_nothing(monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    """What a codemod says of itself (:attr:`Codemod.words`, :attr:`Codemod.reach`) saves questions, and no findings."""
    settings = Settings(preset=preset)
    paths = [*(app / "Dockerfile" for app in APPS), *ALONE]
    files = [(path.read_bytes(), str(path.parent)) for path in paths]
    files += [(text.encode(), str(ALONE[0].parent)) for text in WITH_APT]
    quick = [fix(source, BuildContext.open(folder), settings=settings) for source, folder in files]
    for cls in discover():
        monkeypatch.setattr(cls, "words", ())
        monkeypatch.setattr(cls, "reach", Phase.STAGES)
    for (source, folder), change in zip(files, quick):
        asked = fix(source, BuildContext.open(folder), settings=settings)
        assert asked.after == change.after, source
        assert {one.codemod for one in asked.refused} == {one.codemod for one in change.refused}, source
