"""GitLab.com and self-managed GitLab, by the REST API v4. A merge request is a pull request here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from refactor.forge.http import Api
from refactor.forge.protocol import PullRequest, RemoteRepository, open_or_find

DEVELOPER = 30
"""The least access level that may push to unprotected branches (GitLab's "Members API")."""


def headers(token: str) -> Mapping[str, str]:
    """What each request carries."""
    return {"PRIVATE-TOKEN": token}


def api_url(host: str) -> str:
    """The API of a host."""
    return f"https://{host}/api/v4"


class GitLab:
    """One project; ``name`` is its path with all its groups."""

    def __init__(self, api: Api, name: str, token: str) -> None:
        self._api, self._path, self._token = api, f"/projects/{quote(name, safe='')}", token
        self._account: str | None = None

    def repository(self) -> RemoteRepository:
        data = self._api.get(self._path)
        rights = [right or {} for right in (data.get("permissions") or {}).values()]
        can_push = not rights or any(right.get("access_level", 0) >= DEVELOPER for right in rights)
        return RemoteRepository(
            data["path_with_namespace"], data["default_branch"], data["http_url_to_repo"], data["archived"], can_push
        )

    def account(self) -> str:
        if self._account is None:
            self._account = str(self._api.get("/user")["username"])
        return self._account

    def pull_requests(self, branch: str) -> Sequence[PullRequest]:
        found = self._api.pages(f"{self._path}/merge_requests", source_branch=branch, state="all")
        return sorted((_pull_request(item) for item in found), key=lambda pull: -pull.number)

    def pull_requests_below(self, prefix: str) -> Sequence[PullRequest]:
        found = self._api.pages(f"{self._path}/merge_requests", state="all", order_by="created_at", sort="desc")
        return [pull for pull in map(_pull_request, found) if pull.branch.startswith(prefix)]

    def open_pull_request(self, branch: str, base: str, title: str, body: str, labels: Sequence[str]) -> PullRequest:
        sent = {
            "source_branch": branch,
            "target_branch": base,
            "title": title,
            "description": body,
            "labels": ",".join(labels),
        }
        path = f"{self._path}/merge_requests"
        return open_or_find(self, branch, lambda: _pull_request(self._api.write("POST", path, sent).json()), 409)

    def missing_labels(self, pull: PullRequest, labels: Sequence[str]) -> Sequence[str]:
        # They are given with the request that opens it.
        return ()

    def label(self, number: int, labels: Sequence[str]) -> None:
        self._api.write("PUT", f"{self._path}/merge_requests/{number}", {"add_labels": ",".join(labels)})

    def change_pull_request(self, number: int, *, title: str, body: str, is_open: bool = True) -> None:
        sent = {"title": title, "description": body}
        if not is_open:
            sent["state_event"] = "close"
        self._api.write("PUT", f"{self._path}/merge_requests/{number}", sent)

    def credentials(self) -> tuple[str, str]:
        return "oauth2", self._token


def _pull_request(data: Any) -> PullRequest:
    return PullRequest(
        data["iid"],
        data["web_url"],
        data["source_branch"],
        data.get("sha") or "",
        data["title"],
        data.get("description") or "",
        (data.get("author") or {}).get("username", ""),
        data["state"] == "opened",
        data["state"] == "merged",
        tuple(data.get("labels", ())),
    )
