"""GitHub, GitHub Enterprise Server and Enterprise Cloud, by the REST API of 2022-11-28."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refactor.forge.http import Api
from refactor.forge.protocol import ForgeProblem, PullRequest, RemoteRepository, open_or_find

API = "https://api.github.com"


def headers(token: str) -> Mapping[str, str]:
    """What each request carries."""
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def api_url(host: str) -> str:
    """The API of a host: github.com, a GHE.com subdomain or an Enterprise Server."""
    if host == "github.com":
        return API
    return f"https://api.{host}" if host.endswith(".ghe.com") else f"https://{host}/api/v3"


class GitHub:
    """One repository; ``name`` is ``owner/name``."""

    def __init__(self, api: Api, name: str, token: str, account: str | None = None) -> None:
        self._api, self._name, self._token, self._account = api, name, token, account

    def repository(self) -> RemoteRepository:
        data = self._api.get(f"/repos/{self._name}")
        rights = data.get("permissions") or {}
        return RemoteRepository(
            data["full_name"], data["default_branch"], data["clone_url"], data["archived"], rights.get("push", True)
        )

    def account(self) -> str:
        if self._account is None:
            try:
                self._account = str(self._api.get("/user")["login"])
            except ForgeProblem as problem:
                # Installation tokens (an App's, and Actions' GITHUB_TOKEN) are no user's.
                if problem.status != 403:
                    raise
                self._account = ""
        return self._account

    def pull_requests(self, branch: str) -> Sequence[PullRequest]:
        owner = self._name.partition("/")[0]
        found = self._api.pages(f"/repos/{self._name}/pulls", head=f"{owner}:{branch}", state="all")
        return sorted((_pull_request(item) for item in found), key=lambda pull: -pull.number)

    def pull_requests_below(self, prefix: str) -> Sequence[PullRequest]:
        found = self._api.pages(f"/repos/{self._name}/pulls", state="all", sort="created", direction="desc")
        return [pull for pull in map(_pull_request, found) if pull.branch.startswith(prefix)]

    def open_pull_request(self, branch: str, base: str, title: str, body: str, labels: Sequence[str]) -> PullRequest:
        sent = {"title": title, "body": body, "head": branch, "base": base, "maintainer_can_modify": True}
        path = f"/repos/{self._name}/pulls"
        opened = open_or_find(self, branch, lambda: _pull_request(self._api.write("POST", path, sent).json()), 422)
        if labels and not set(labels).issubset(opened.labels):
            self.label(opened.number, labels)
        return opened

    def missing_labels(self, pull: PullRequest, labels: Sequence[str]) -> Sequence[str]:
        if set(labels).issubset(pull.labels):
            return ()
        events = self._api.pages(f"/repos/{self._name}/issues/{pull.number}/events")
        return () if any(event["event"] in {"labeled", "unlabeled"} for event in events) else labels

    def label(self, number: int, labels: Sequence[str]) -> None:
        self._api.write("POST", f"/repos/{self._name}/issues/{number}/labels", {"labels": list(labels)})

    def change_pull_request(self, number: int, *, title: str, body: str, is_open: bool = True) -> None:
        sent = {"title": title, "body": body}
        if not is_open:
            sent["state"] = "closed"
        self._api.write("PATCH", f"/repos/{self._name}/pulls/{number}", sent)

    def credentials(self) -> tuple[str, str]:
        return "x-access-token", self._token


def _pull_request(data: Any) -> PullRequest:
    return PullRequest(
        data["number"],
        data["html_url"],
        data["head"]["ref"],
        data["head"]["sha"],
        data["title"],
        data.get("body") or "",
        (data.get("user") or {}).get("login", ""),
        data["state"] == "open",
        data.get("merged_at") is not None,
        tuple(label["name"] for label in data.get("labels", ())),
    )
