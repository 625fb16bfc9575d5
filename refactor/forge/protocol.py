"""What the bot needs of a code host, in words that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class ForgeProblem(Exception):
    """The forge refused, or did not answer: ``what`` and ``advice`` are words for the user, without any secret.

    ``status`` is the HTTP status behind it, None where there was no answer.
    """

    def __init__(self, what: str, advice: str, status: int | None = None) -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what
        self.advice = advice
        self.status = status


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A repository on a forge."""

    name: str
    """``owner/name``, with groups between them on GitLab."""
    default_branch: str
    clone_url: str
    """Without credentials."""
    is_archived: bool = False
    can_push: bool = True


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request (merge request) by its own words."""

    number: int
    url: str
    branch: str
    head: str
    """SHA of the branch when the forge last looked at it; "" where it does not say."""
    title: str
    body: str
    author: str
    is_open: bool
    is_merged: bool
    labels: tuple[str, ...] = ()


class Forge(Protocol):
    """One repository on a code host. Every method raises :class:`ForgeProblem`."""

    def repository(self) -> RemoteRepository: ...

    def account(self) -> str:
        """The name of the account that the token belongs to."""

    def pull_requests(self, branch: str) -> Sequence[PullRequest]:
        """All of a branch of this repository, open or not, the newest first."""

    def pull_requests_below(self, prefix: str) -> Sequence[PullRequest]:
        """All of branches whose name begins so, open or not, the newest first; of a repository with thousands of pull
        requests, those among the newest."""

    def open_pull_request(self, branch: str, base: str, title: str, body: str, labels: Sequence[str]) -> PullRequest:
        """Opens one; where the branch has an open one already, that."""

    def missing_labels(self, pull: PullRequest, labels: Sequence[str]) -> Sequence[str]:
        """Labels that opening it should have given and did not, because the run ended there; not those that a person
        took away."""

    def label(self, number: int, labels: Sequence[str]) -> None: ...

    def change_pull_request(self, number: int, *, title: str, body: str, is_open: bool = True) -> None:
        """Gives it another title and body; ``is_open`` False closes it (True never opens one that is closed)."""

    def credentials(self) -> tuple[str, str]:
        """User name and secret for git over HTTP."""


def open_or_find(forge: Forge, branch: str, request: Callable[[], PullRequest], already: int) -> PullRequest:
    """What ``request`` opens, or the open one that is there: of an earlier request, perhaps, whose answer was lost.

    ``already`` is the status with which a forge says that there is one.
    """
    try:
        return request()
    except ForgeProblem as problem:
        if problem.status not in {already, None, 500, 502, 503, 504}:
            raise
        there = [pull for pull in forge.pull_requests(branch) if pull.is_open]
        if not there:
            raise
        return there[0]
