"""Cuts GitHub's OpenAPI document down to the calls that dockerfix makes.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    python -m tests.forge.trim_openapi package/generated/api.github.com.json >tests/forge/github.json

The document is GitHub's (MIT, see the package's LICENSE). Examples and prose are left out, schemas are kept.
"""

from __future__ import annotations

import json
import sys
from typing import Any

CALLS = {
    "/user": ("get",),
    "/app": ("get",),
    "/repos/{owner}/{repo}/installation": ("get",),
    "/app/installations/{installation_id}/access_tokens": ("post",),
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get", "post"),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("patch",),
    "/repos/{owner}/{repo}/issues/{issue_number}/events": ("get",),
    "/repos/{owner}/{repo}/issues/{issue_number}/labels": ("post",),
}
PROSE = {"summary", "example", "examples", "externalDocs", "x-github", "tags"}


def lean(value: Any, is_schema_map: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            # A response must have a description, an empty one will do.
            key: ""
            if key == "description" and not is_schema_map
            else lean(item, key in {"properties", "schemas", "parameters", "responses", "examples"})
            for key, item in value.items()
            if is_schema_map or key not in PROSE
        }
    return [lean(item) for item in value] if isinstance(value, list) else value


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*(references(item) for item in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def trim(document: dict[str, Any]) -> dict[str, Any]:
    def at(reference: str) -> Any:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found

    paths = {path: {call: document["paths"][path][call] for call in calls} for path, calls in CALLS.items()}
    wanted, pending = set(), references(paths)
    while pending:
        wanted |= pending
        pending = set().union(*(references(at(reference)) for reference in pending)) - wanted
    components: dict[str, dict[str, Any]] = {}
    for reference in sorted(wanted):
        _, _, kind, name = reference.split("/")
        components.setdefault(kind, {})[name] = at(reference)
    trimmed = {"openapi": document["openapi"], "info": document["info"], "servers": document["servers"]}
    return lean({**trimmed, "paths": paths, "components": components})


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        json.dump(trim(json.load(source)), sys.stdout, indent=0, sort_keys=True)
    print()
