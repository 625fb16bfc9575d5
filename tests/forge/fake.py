"""Forges that keep their state in memory and their branches in a real bare repository, and check every exchange."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

NAME = "octo/app"
TOKEN = "t0ken-that-nobody-may-see"
BOT = "dockerfix-bot"
Answer = tuple[int, Any, dict[str, str]]


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Pull:
    number: int
    branch: str
    base: str
    title: str
    body: str
    author: str
    head: str
    state: str = "open"
    is_merged: bool = False
    labels: list[str] = field(default_factory=list)
    was_labelled: bool = False

    def add_labels(self, labels: Sequence[str]) -> None:
        self.labels += [label for label in labels if label not in self.labels]
        self.was_labelled = True


class World:
    """What all forges have in common: pull requests over a bare repository, and the writes that were made."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.pulls: list[Pull] = []
        self.writes: list[str] = []
        self.kill_at: int | None = None
        """Ends the process at this write, counted from 0."""
        self.kill_before = True
        self.before_write: Callable[[str], None] | None = None
        """What others do between the bot's reading and its writing."""

    def write(self, name: str, act: Callable[[], Any]) -> Any:
        """Carries out one write, or is killed just before or just after it."""
        number = len(self.writes)
        if self.before_write is not None:
            hook, self.before_write = self.before_write, None
            hook(name)
        if number == self.kill_at and self.kill_before:
            raise Killed
        result = act()
        self.writes.append(name)
        if number == self.kill_at:
            raise Killed
        return result

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(self.bare), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def heads(self) -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return dict(line.split() for line in lines)

    def find(self, number: int) -> Pull:
        return self.pulls[number - 1]

    def look(self) -> None:
        """Open pull requests follow their branch; one whose branch is gone is closed, as the forges do."""
        heads = self.heads()
        for pull in self.pulls:
            if pull.state == "open":
                pull.head = heads.get(pull.branch, pull.head)
                pull.state = "open" if pull.branch in heads else "closed"

    def open(self, branch: str, base: str, title: str, body: str, labels: Sequence[str] = (), **_: object) -> Pull:
        pull = Pull(len(self.pulls) + 1, branch, base, title, body, BOT, self.heads()[branch])
        if labels:
            pull.add_labels(labels)
        self.pulls.append(pull)
        return pull

    def may_open(self, branch: str) -> bool:
        has_one = any(pull.branch == branch and pull.state == "open" for pull in self.pulls)
        return branch in self.heads() and not has_one

    def of_branch(self, branch: str) -> list[Pull]:
        self.look()
        return [pull for pull in self.pulls if pull.branch == branch]

    def newest(self) -> list[Pull]:
        self.look()
        return self.pulls[::-1]

    def end(self) -> list[tuple[object, ...]]:
        """What is there in the end, for comparison: pull requests without their numbers, and branches."""
        self.look()
        seen = {(p.branch, p.title, p.body, p.state, p.is_merged, p.head, tuple(p.labels)) for p in self.pulls}
        return [*sorted(seen), *sorted(self.heads().items())]


def sample(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """The smallest value that a schema allows: what it requires and nothing else."""
    if "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return sample(found, document)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            chosen = sample(schema[key][0], document)
            for name, reference in schema.get("discriminator", {}).get("mapping", {}).items():
                if reference == schema[key][0].get("$ref"):
                    chosen[schema["discriminator"]["propertyName"]] = name
            return chosen
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged.update(sample(part, document))
        return merged
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object" or "properties" in schema:
        return {name: sample(schema["properties"][name], document) for name in schema.get("required", ())}
    strings = {"uri": "https://example.org/x", "date-time": "2026-01-02T03:04:05Z", "uri-template": "https://e.org/x"}
    plain = {
        "integer": 1,
        "number": 1,
        "boolean": False,
        "array": [],
        "string": strings.get(schema.get("format", ""), ""),
    }
    return plain.get(schema.get("type", "string"), "")


class Fake:
    """What the three have in common: an httpx transport over a :class:`World`."""

    kind = ""
    authorization = ("", "")
    """The header that carries the token."""

    def __init__(self, world: World, name: str = NAME) -> None:
        self.world = world
        self.name = name
        self.faults: list[httpx.Response | Exception] = []
        """What the next requests get instead of an answer."""
        self.requests: list[httpx.Request] = []
        self.page_size = 100

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(lambda request: self.answer(request))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.check_authorization(request)
        self.check_request(request)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        body = json.loads(request.content) if request.content else {}
        status, data, headers = self.route(request, body)
        response = httpx.Response(status, json=data, headers=headers)
        self.check_response(request, response)
        return response

    def check_authorization(self, request: httpx.Request) -> None:
        name, value = self.authorization
        assert request.headers[name] == value

    def check_request(self, request: httpx.Request) -> None:
        raise NotImplementedError

    def check_response(self, request: httpx.Request, response: httpx.Response) -> None:
        """Nothing more than what the routes themselves say, where the forge has no document for it."""

    def route(self, request: httpx.Request, body: dict[str, Any]) -> Answer:
        raise NotImplementedError

    def page(self, request: httpx.Request, items: list[Any], size_key: str = "per_page") -> Answer:
        parameters = request.url.params
        page, size = int(parameters.get("page", 1)), min(self.page_size, int(parameters[size_key]))
        headers = {}
        if page * size < len(items):
            headers["link"] = f'<{request.url.copy_set_param("page", page + 1)}>; rel="next"'
        return 200, items[(page - 1) * size : page * size], headers

    def change(self, pull: Pull, title: str, body: str, is_closed: bool) -> None:
        def act() -> None:
            pull.title, pull.body = title, body
            pull.state = "closed" if is_closed else pull.state

        self.world.write("change", act)


def renamed(values: dict[str, Any], **names: str) -> dict[str, Any]:
    """``values`` with some keys by another name."""
    return {names.get(key, key): value for key, value in values.items()}


@cache
def github_document() -> tuple[dict[str, Any], OpenAPI]:
    """GitHub's document, and what validates by it."""
    document = json.loads((Path(__file__).parent / "github.json").read_text())
    return document, OpenAPI.from_dict(document)


class GitHubFake(Fake):
    """GitHub's API, every exchange validated against GitHub's document."""

    kind = "github"
    authorization = ("authorization", f"Bearer {TOKEN}")

    def __init__(self, world: World, name: str = NAME) -> None:
        super().__init__(world, name)
        self.document, self.openapi = github_document()
        self.installations: list[int] = []
        """Of the App on this repository; its token is no user's."""
        self.check_key: Callable[[str], None] | None = None
        """Judges what signs the App's own requests."""

    def check_authorization(self, request: httpx.Request) -> None:
        path = request.url.path
        if self.check_key is not None and (path.startswith("/app") or path.endswith("/installation")):
            self.check_key(request.headers["authorization"].removeprefix("Bearer "))
        else:
            super().check_authorization(request)

    def check_request(self, request: httpx.Request) -> None:
        self.openapi.validate_request(self._sent(request))

    def check_response(self, request: httpx.Request, response: httpx.Response) -> None:
        answered = MockResponse(
            response.content,
            status_code=response.status_code,
            content_type="application/json",
            headers=dict(response.headers),
        )
        self.openapi.validate_response(self._sent(request), answered)

    def _sent(self, request: httpx.Request) -> MockRequest:
        return MockRequest(
            "https://api.github.com",
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            data=request.content or None,
            content_type="application/json" if request.content else "",
        )

    def route(self, request: httpx.Request, body: dict[str, Any]) -> Answer:
        path, method = request.url.path, request.method
        if path in {"/app", f"/repos/{self.name}/installation"} or path.startswith("/app/"):
            return self._app(path, body)
        if path == "/user" and self.installations:
            return 403, {"message": "Resource not accessible by integration"}, {}
        if path == "/user":
            return 200, {**self._sample(path, "get"), "login": BOT}, {}
        rest = path.removeprefix(f"/repos/{self.name}")
        if rest == "":
            about = {"default_branch": "main", "clone_url": str(self.world.bare), "archived": False}
            about["full_name"] = self.name
            return 200, {**self._sample("/repos/{owner}/{repo}", "get"), **about}, {}
        if rest == "/pulls" and method == "GET":
            branch = request.url.params.get("head", ":").partition(":")[2]
            found = self.world.of_branch(branch) if branch else self.world.newest()
            return self.page(request, [self._pull(pull, "/repos/{owner}/{repo}/pulls", "get") for pull in found])
        if rest == "/pulls":
            return self._open(body)
        pull = self.world.find(int(re.findall(r"/(\d+)", rest)[0]))
        if rest.endswith("/events"):
            event = self._sample("/repos/{owner}/{repo}/issues/{issue_number}/events", "get")
            return 200, [{**event, "event": "labeled"}] if pull.was_labelled else [], {}
        if rest.endswith("/labels"):
            self.world.write("label", lambda: pull.add_labels(body["labels"]))
            return 200, [], {}
        self.change(pull, body["title"], body["body"], body.get("state") == "closed")
        return 200, self._pull(pull, "/repos/{owner}/{repo}/pulls/{pull_number}", "patch"), {}

    def _app(self, path: str, body: dict[str, Any]) -> Answer:
        if path == "/app":
            schema = {**self.document["components"]["schemas"]["integration"], "nullable": False}
            return 200, {**sample(schema, self.document), "slug": "tidy-docker"}, {}
        if path.endswith("/installation"):
            if not self.installations:
                return 404, {"message": "Not Found", "documentation_url": "x"}, {}
            shown = self._sample("/repos/{owner}/{repo}/installation", "get")
            return 200, {**shown, "id": self.installations[0]}, {}
        assert path == f"/app/installations/{self.installations[0]}/access_tokens"
        assert body["repositories"] == [self.name.partition("/")[2]]
        given = self._sample("/app/installations/{installation_id}/access_tokens", "post")
        return 201, {**given, "token": TOKEN}, {}

    def _open(self, body: dict[str, Any]) -> Answer:
        if not self.world.may_open(body["head"]):
            message = f"A pull request already exists for octo:{body['head']}."
            error = {"resource": "PullRequest", "code": "custom", "message": message}
            return 422, {"message": "Validation Failed", "documentation_url": "x", "errors": [error]}, {}
        pull = self.world.write("open", lambda: self.world.open(**renamed(body, head="branch")))
        return 201, self._pull(pull, "/repos/{owner}/{repo}/pulls", "post"), {}

    def _sample(self, path: str, method: str) -> Any:
        responses = self.document["paths"][path][method]["responses"]
        status = next(code for code in ("200", "201") if code in responses)
        schema = responses[status]["content"]["application/json"]["schema"]
        return sample(schema.get("items", schema), self.document)

    def _pull(self, pull: Pull, path: str, method: str) -> Any:
        data = self._sample(path, method)
        user = sample(self.document["components"]["schemas"]["simple-user"], self.document)
        data.update(
            number=pull.number,
            html_url=f"https://github.com/{self.name}/pull/{pull.number}",
            title=pull.title,
            body=pull.body,
            state=pull.state,
            merged_at="2026-01-02T03:04:05Z" if pull.is_merged else None,
            user={**user, "login": pull.author},
        )
        data["head"] = {**data["head"], "ref": pull.branch, "sha": pull.head}
        if method == "get":
            labels = path and self.document["components"]["schemas"]["pull-request-simple"]["properties"]["labels"]
            data["labels"] = [{**sample(labels["items"], self.document), "name": name} for name in pull.labels]
        return data


class GitLabFake(Fake):
    """GitLab's API v4, as its documentation shows requests and answers ("Merge requests API", "Projects API")."""

    kind = "gitlab"
    authorization = ("private-token", TOKEN)
    project = f"/api/v4/projects/{NAME.replace('/', '%2F')}"
    allowed = {
        "POST": {"source_branch", "target_branch", "title", "description", "labels"},
        "PUT": {"title", "description", "state_event", "add_labels"},
        "GET": set(),
    }

    def check_request(self, request: httpx.Request) -> None:
        body = json.loads(request.content) if request.content else {}
        assert set(body) <= self.allowed[request.method]
        assert all(isinstance(value, str) for value in body.values())
        assert set(request.url.params) <= {"source_branch", "state", "per_page", "page", "order_by", "sort"}
        assert request.url.params.get("order_by", "created_at") in {"created_at", "updated_at", "title"}
        assert request.url.params.get("state", "all") in {"opened", "closed", "locked", "merged", "all"}
        assert body.get("state_event", "close") in {"close", "reopen"}

    def route(self, request: httpx.Request, body: dict[str, Any]) -> Answer:
        path = request.url.raw_path.decode().partition("?")[0]
        if path == "/api/v4/user":
            return 200, {"id": 7, "username": BOT}, {}
        assert path.startswith(self.project), path
        rest = path.removeprefix(self.project)
        if rest == "":
            return 200, self._project(), {}
        if rest == "/merge_requests" and request.method == "GET":
            branch = request.url.params.get("source_branch")
            found = self.world.newest() if branch is None else self.world.of_branch(branch)
            return self.page(request, [self._merge_request(pull) for pull in found])
        if rest == "/merge_requests":
            branch = body["source_branch"]
            if not self.world.may_open(branch):
                return (
                    409,
                    {"message": [f"Another open merge request already exists for this source branch: {branch}"]},
                    {},
                )
            labels = [label for label in body["labels"].split(",") if label]
            new = renamed(body, source_branch="branch", target_branch="base", description="body")
            pull = self.world.write("open", lambda: self.world.open(**{**new, "labels": labels}))
            return 201, self._merge_request(pull), {}
        pull = self.world.find(int(rest.rpartition("/")[2]))
        self.change(pull, body["title"], body["description"], body.get("state_event") == "close")
        return 200, self._merge_request(pull), {}

    def _project(self) -> dict[str, Any]:
        return {
            "id": 3,
            "path_with_namespace": NAME,
            "default_branch": "main",
            "http_url_to_repo": str(self.world.bare),
            "archived": False,
            "permissions": {"project_access": {"access_level": 30, "notification_level": 3}, "group_access": None},
        }

    def _merge_request(self, pull: Pull) -> dict[str, Any]:
        return {
            "id": 1000 + pull.number,
            "iid": pull.number,
            "project_id": 3,
            "title": pull.title,
            "description": pull.body,
            "state": "merged" if pull.is_merged else "opened" if pull.state == "open" else "closed",
            "merged_at": "2026-01-02T03:04:05.000Z" if pull.is_merged else None,
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "author": {"id": 7, "username": pull.author},
            "labels": pull.labels,
            "sha": pull.head,
            "web_url": f"https://gitlab.com/{NAME}/-/merge_requests/{pull.number}",
        }


class GiteaFake(Fake):
    """Gitea's API v1, as its Swagger document describes it."""

    kind = "gitea"
    authorization = ("authorization", f"token {TOKEN}")
    allowed = {"POST": {"title", "body", "head", "base", "labels"}, "PATCH": {"title", "body", "state"}, "GET": set()}
    known_labels = {"docker": 11, "other": 12}

    def check_request(self, request: httpx.Request) -> None:
        body = json.loads(request.content) if request.content else {}
        assert set(body) <= self.allowed[request.method]
        assert all(isinstance(number, int) for number in body.get("labels", ()))
        assert set(request.url.params) <= {"state", "limit", "page", "per_page"}

    def route(self, request: httpx.Request, body: dict[str, Any]) -> Answer:
        path = request.url.path.removeprefix("/api/v1")
        if path == "/user":
            return 200, {"id": 7, "login": BOT, "username": BOT}, {}
        rest = path.removeprefix(f"/repos/{NAME}")
        if rest == "":
            about = {"full_name": NAME, "default_branch": "main", "clone_url": str(self.world.bare), "archived": False}
            return 200, {**about, "permissions": {"admin": False, "push": True, "pull": True}}, {}
        if rest == "/labels":
            return self.page(
                request, [{"id": number, "name": name} for name, number in self.known_labels.items()], "limit"
            )
        if rest == "/pulls" and request.method == "GET":
            self.world.look()
            return self.page(request, [self._pull(pull) for pull in self.world.pulls], "limit")
        if rest == "/pulls":
            if not self.world.may_open(body["head"]):
                return 409, {"message": "pull request already exists for these targets"}, {}
            names = [name for name, number in self.known_labels.items() if number in body["labels"]]
            new = renamed(body, head="branch")
            pull = self.world.write("open", lambda: self.world.open(**{**new, "labels": names}))
            return 201, self._pull(pull), {}
        pull = self.world.find(int(rest.rpartition("/")[2]))
        self.change(pull, body["title"], body["body"], body.get("state") == "closed")
        return 201, self._pull(pull), {}

    def _pull(self, pull: Pull) -> dict[str, Any]:
        is_there = pull.branch in self.world.heads()
        return {
            "id": 1000 + pull.number,
            "number": pull.number,
            "html_url": f"https://gitea.com/{NAME}/pulls/{pull.number}",
            "title": pull.title,
            "body": pull.body,
            "user": {"id": 7, "login": pull.author},
            "state": pull.state,
            "merged": pull.is_merged,
            "merged_at": "2026-01-02T03:04:05Z" if pull.is_merged else None,
            "labels": [{"id": self.known_labels.get(name, 99), "name": name} for name in pull.labels],
            "base": {"label": pull.base, "ref": pull.base},
            "head": {
                "label": pull.branch,
                "ref": pull.branch if is_there else f"refs/pull/{pull.number}/head",
                "sha": pull.head,
            },
        }
