"""A forge that keeps its state in memory and its branches in a real bare repository, and checks every exchange.

:class:`GitHubFake` answers GitHub's API; requests and answers are validated against GitHub's own OpenAPI document.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

NAME = "octo/app"
TOKEN = "t0ken-that-nobody-may-see"
BOT = "dockerfix-bot"


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

    def add_labels(self, labels: list[str]) -> None:
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

    def open(self, branch: str, base: str, title: str, body: str, author: str = BOT) -> Pull:
        pull = Pull(len(self.pulls) + 1, branch, base, title, body, author, self.heads()[branch])
        self.pulls.append(pull)
        return pull

    def has_open(self, branch: str) -> bool:
        return any(pull.branch == branch and pull.state == "open" for pull in self.pulls)

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


class GitHubFake:
    """GitHub's API over a :class:`World`, as an httpx transport."""

    def __init__(self, world: World) -> None:
        self.world = world
        document = json.loads((Path(__file__).parent / "github.json").read_text())
        self.document = document
        self.openapi = OpenAPI.from_dict(document)
        self.faults: list[httpx.Response | Exception] = []
        """What the next requests get instead of an answer."""
        self.requests: list[httpx.Request] = []
        self.page_size = 100

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        sent = MockRequest(
            f"https://{request.url.host}",
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            data=request.content or None,
            content_type="application/json" if request.content else "",
        )
        self.openapi.validate_request(sent)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        status, data, headers = self._route(request)
        body = json.dumps(data).encode()
        answered = MockResponse(body, status_code=status, content_type="application/json", headers=dict(headers))
        self.openapi.validate_response(sent, answered)
        return httpx.Response(status, content=body, headers={**headers, "content-type": "application/json"})

    def _route(self, request: httpx.Request) -> tuple[int, Any, dict[str, str]]:
        body = json.loads(request.content) if request.content else {}
        path, method = request.url.path, request.method
        if path == "/user":
            return 200, {**self._sample(path, "get"), "login": BOT}, {}
        rest = path.removeprefix(f"/repos/{NAME}")
        if rest == "":
            about = {"full_name": NAME, "default_branch": "main", "clone_url": str(self.world.bare), "archived": False}
            return 200, {**self._sample("/repos/{owner}/{repo}", "get"), **about}, {}
        if rest == "/pulls" and method == "GET":
            return self._list(request)
        if rest == "/pulls":
            return self._open(body)
        number = int(re.findall(r"/(\d+)", rest)[0])
        if rest.endswith("/events"):
            event = self._sample("/repos/{owner}/{repo}/issues/{issue_number}/events", "get")
            return 200, [{**event, "event": "labeled"}] if self.world.find(number).was_labelled else [], {}
        if rest.endswith("/labels"):
            pull = self.world.find(number)
            self.world.write("label", lambda: pull.add_labels(body["labels"]))
            return 200, [], {}
        pull = self.world.find(number)

        def change() -> None:
            pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
            pull.state = body.get("state", pull.state)

        self.world.write("change", change)
        return 200, self._pull(pull, "/repos/{owner}/{repo}/pulls/{pull_number}", "patch"), {}

    def _list(self, request: httpx.Request) -> tuple[int, Any, dict[str, str]]:
        self.world.look()
        parameters = request.url.params
        branch = parameters["head"].partition(":")[2]
        found = [pull for pull in self.world.pulls if pull.branch == branch]
        page, size = int(parameters.get("page", 1)), min(self.page_size, int(parameters["per_page"]))
        shown = found[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(found):
            following = request.url.copy_set_param("page", page + 1)
            headers["link"] = f'<{following}>; rel="next"'
        items = [self._pull(pull, "/repos/{owner}/{repo}/pulls", "get") for pull in shown]
        return 200, items, headers

    def _open(self, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        branch = body["head"]
        if self.world.has_open(branch) or branch not in self.world.heads():
            message = f"A pull request already exists for octo:{branch}."
            return (
                422,
                {
                    "message": "Validation Failed",
                    "documentation_url": "x",
                    "errors": [{"resource": "PullRequest", "code": "custom", "message": message}],
                },
                {},
            )
        pull = self.world.write("open", lambda: self.world.open(branch, body["base"], body["title"], body["body"]))
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
            html_url=f"https://github.com/{NAME}/pull/{pull.number}",
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
