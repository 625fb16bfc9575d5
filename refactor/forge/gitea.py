"""Gitea, Forgejo and Codeberg, by Gitea's API v1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refactor.forge.http import Api
from refactor.forge.protocol import ForgeProblem, PullRequest, RemoteRepository, open_or_find


def headers(token: str) -> Mapping[str, str]:
    """What each request carries."""
    return {"Authorization": f"token {token}"}


def api_url(host: str) -> str:
    """The API of a host."""
    return f"https://{host}/api/v1"


class Gitea:
    """One repository; ``name`` is ``owner/name``."""

    def __init__(self, api: Api, name: str, token: str) -> None:
        self._api, self._path, self._token = api, f"/repos/{name}", token
        self._account: str | None = None

    def repository(self) -> RemoteRepository:
        data = self._api.get(self._path)
        rights = data.get("permissions") or {}
        return RemoteRepository(
            data["full_name"], data["default_branch"], data["clone_url"], data["archived"], rights.get("push", True)
        )

    def account(self) -> str:
        if self._account is None:
            self._account = str(self._api.get("/user")["login"])
        return self._account

    def pull_requests(self, branch: str) -> Sequence[PullRequest]:
        return [pull for pull in self.pull_requests_below(branch) if pull.branch == branch]

    def pull_requests_below(self, prefix: str) -> Sequence[PullRequest]:
        # The API has no filter for a branch.
        found = (_pull_request(item) for item in self._api.pages(f"{self._path}/pulls", state="all", limit=50))
        return sorted((pull for pull in found if pull.branch.startswith(prefix)), key=lambda pull: -pull.number)

    def open_pull_request(self, branch: str, base: str, title: str, body: str, labels: Sequence[str]) -> PullRequest:
        sent = {"title": title, "body": body, "head": branch, "base": base, "labels": self._label_numbers(labels)}
        path = f"{self._path}/pulls"
        return open_or_find(self, branch, lambda: _pull_request(self._api.write("POST", path, sent).json()), 409)

    def missing_labels(self, pull: PullRequest, labels: Sequence[str]) -> Sequence[str]:
        # They are given with the request that opens it.
        return ()

    def label(self, number: int, labels: Sequence[str]) -> None:
        self._api.write("POST", f"{self._path}/issues/{number}/labels", {"labels": self._label_numbers(labels)})

    def _label_numbers(self, labels: Sequence[str]) -> list[int]:
        if not labels:
            return []
        known = {label["name"]: label["id"] for label in self._api.pages(f"{self._path}/labels", limit=50)}
        for label in labels:
            if label not in known:
                raise ForgeProblem(f"the repository has no label {label!r}", "make it, or leave it out of [bot] labels")
        return [known[label] for label in labels]

    def change_pull_request(self, number: int, *, title: str, body: str, is_open: bool = True) -> None:
        sent = {"title": title, "body": body}
        if not is_open:
            sent["state"] = "closed"
        self._api.write("PATCH", f"{self._path}/pulls/{number}", sent)

    def credentials(self) -> tuple[str, str]:
        return "oauth2", self._token


def _pull_request(data: Any) -> PullRequest:
    head = data["head"]
    return PullRequest(
        data["number"],
        data["html_url"],
        # The reference of a deleted branch becomes refs/pull/N/head, its label stays.
        head.get("label") or head["ref"],
        head.get("sha") or "",
        data["title"],
        data.get("body") or "",
        (data.get("user") or {}).get("login", ""),
        data["state"] == "open",
        bool(data.get("merged")),
        tuple(label["name"] for label in data.get("labels") or ()),
    )
