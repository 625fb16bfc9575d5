"""``dockerfix --branch``: the rewrite as commits on a branch, which the work tree does not see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from refactor.cli.session import complain
from refactor.engine.files import FileProblem
from refactor.engine.run import Options
from refactor.engine.selection import UnknownCodemod
from refactor.forge.branch import plan_commits, rewrite_commit
from refactor.forge.repository import Branch, Repository


class Wish(NamedTuple):
    """What the command line asks of a branch."""

    name: str
    base: str = "HEAD"
    per: str = "codemod"
    sign_off: bool = False
    push: str | None = None
    """The remote to push to."""


def run_branch(paths: Sequence[str], options: Options, wish: Wish) -> int:
    """Makes the branch and says what is on it. Returns the exit status: 0 made or nothing to do, 2 an error."""
    try:
        with Repository(paths[0]) as repository:
            branch, is_faulty = _make(repository, paths, options, wish)
    except (FileProblem, UnknownCodemod) as error:
        print(f"dockerfix: {error}", file=sys.stderr)
        return 2
    if not branch.commits:
        print("nothing to change: no branch was made", file=sys.stderr)
    for sha, subject in branch.commits:
        print(f"{sha[:10]} {subject}")
    return 2 if is_faulty else 0


def _make(repository: Repository, paths: Sequence[str], options: Options, wish: Wish) -> tuple[Branch, bool]:
    base = repository.commit(wish.base)
    inside = [repository.path_inside(path) for path in paths]
    for path in inside:
        submodule = repository.why_in_submodule(base, path) if path else None
        if submodule is not None:
            raise FileProblem(path, f"belongs to the submodule {submodule}", "run dockerfix in that repository")
    rewrites = rewrite_commit(repository, base, inside, options)
    errors = [*rewrites.errors, *(error for record in rewrites.records for error in record.errors)]
    for error in errors:
        complain(error)
    plans = plan_commits(rewrites.steps, wish.per)
    if not plans:
        return Branch(wish.name, base.hexsha), bool(errors)
    commits = repository.build(base, plans, sign_off=wish.sign_off)
    repository.move_branch(wish.name, base, commits[-1])
    if wish.push is not None:
        _push(repository, wish.push, wish.name, base.hexsha, commits[-1].hexsha)
    made = tuple((commit.hexsha, str(commit.summary)) for commit in commits)
    return Branch(wish.name, base.hexsha, made), bool(errors)


def _push(repository: Repository, remote: str, name: str, base: str, head: str) -> None:
    seen = repository.remote_head(remote, name)
    if seen == head:
        return
    if seen is not None:
        foreign = repository.why_foreign(repository.commit(base), repository.fetch(remote, seen))
        if foreign is not None:
            where = f"the branch {name} of {remote}"
            raise FileProblem(where, f"has a commit that dockerfix did not make: {foreign}", "name another branch")
    repository.push(remote, name, repository.commit(head), seen)
