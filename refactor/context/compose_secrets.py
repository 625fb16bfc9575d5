"""A build argument of a Compose file made a build secret, by its lines: comments and the author's order stay."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from refactor.context.safe_yaml import load


def with_build_secret(text: str, name: str, id: str) -> str | None:
    """The Compose file with the build argument ``name`` given as the secret ``id``, read from the environment.

    None where it is written in a way that is not edited: in one line, by an anchor, beside other secrets. The result
    is read again, and means what it should (https://docs.docker.com/reference/compose-file/build/#secrets).
    """
    try:
        data = load(text)
    except ValueError:
        return None
    wanted = _expected(data, name, id)
    if wanted is None:
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    entry = re.compile(rf"^ +(?:- *[\"']?{name}(?:=[^#]*)?|{name}:[^#]*)(?:#.*)?$")
    for at in reversed([number for number, line in enumerate(lines) if entry.match(line)]):
        head = _head(lines, at)
        if head is None:
            return None
        indent = lines[head][: len(lines[head]) - len(lines[head].lstrip())]
        del lines[at]
        if not _has_entries(lines, head):
            del lines[head]
        lines[head:head] = [f"{indent}secrets:", f"{indent}  - {id}"]
    return _ended(lines, newline, wanted)


def with_secret_file(text: str, names: Sequence[str], id: str, source: str) -> str | None:
    """The Compose file with the secret ``id``, read from the file ``source``, given to the builds of the services
    ``names`` that build. None where none of them builds, or it is written in a way that is not edited.
    """
    try:
        data = load(text)
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict) or "secrets" in data:
        return None
    wanted: dict[str, Any] = copy.deepcopy(data)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    for name in names:
        service = wanted["services"].get(name)
        if not isinstance(service, dict):
            continue
        build = service.get("build")
        if isinstance(build, str):
            service["build"] = {"context": build, "secrets": [id]}
        elif isinstance(build, dict) and "secrets" not in build:
            build["secrets"] = [id]
        else:
            continue
        at = _build_line(lines, name)
        if at is None:
            return None
        key, _, value = lines[at].partition(":")
        indent = key[: len(key) - len(key.lstrip())] + "  "
        more = [f"{indent}secrets:", f"{indent}  - {id}"]
        if isinstance(build, str):
            lines[at : at + 1] = [f"{key}:", f"{indent}context:{value}", *more]
        else:
            lines[at + 1 : at + 1] = more
    if wanted == data:
        return None
    wanted["secrets"] = {id: {"file": source}}
    return _ended(lines, newline, wanted)


def _ended(lines: list[str], newline: str, wanted: Any) -> str | None:
    """The text with the table of secrets at its end, read again; None where it does not mean what is wanted."""
    while lines and not lines[-1].strip():
        lines.pop()
    lines += ["", "secrets:"]
    for id, table in wanted["secrets"].items():
        lines += [f"  {id}:", *(f"    {key}: {value}" for key, value in table.items())]
    edited = newline.join([*lines, ""])
    try:
        return edited if load(edited) == wanted else None
    except ValueError:
        return None


def _build_line(lines: list[str], service: str) -> int | None:
    """The line ``build:`` of a service."""
    at = next((n for n, line in enumerate(lines) if re.fullmatch(rf" +{re.escape(service)}:\s*(?:#.*)?", line)), None)
    if at is None:
        return None
    own = len(lines[at]) - len(lines[at].lstrip())
    for number in range(at + 1, len(lines)):
        line = lines[number]
        indent = len(line) - len(line.lstrip())
        if line.strip() and not line.lstrip().startswith("#") and indent <= own:
            return None
        if re.match(r" +build:(?:\s|$)", line):
            return number
    return None


def gives_to_container(text: str, name: str) -> bool:
    """Whether a service of the Compose file has the variable when it runs."""
    try:
        data = load(text)
    except ValueError:
        return False
    services = data.get("services") if isinstance(data, dict) else None
    tables = services.values() if isinstance(services, dict) else ()
    return any(
        _taken(copy.deepcopy(table.get("environment")), name) is not None for table in tables if isinstance(table, dict)
    )


def _expected(data: Any, name: str, id: str) -> Any | None:
    """What the file has to mean afterwards."""
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or "secrets" in data:
        return None
    wanted = copy.deepcopy(data)
    variables = set()
    for service in wanted["services"].values():
        build = service.get("build") if isinstance(service, dict) else None
        arguments = build.get("args") if isinstance(build, dict) else None
        value = _taken(arguments, name)
        if value is None or not isinstance(build, dict):
            continue
        if "secrets" in build:
            return None
        if not arguments:
            del build["args"]
        build["secrets"] = [id]
        variable = re.fullmatch(r"\$\{?(\w+)(?::?-)?\}?", value)
        variables.add(variable[1] if variable is not None else name if value == "" else "")
    if len(variables) != 1 or "" in variables:
        return None
    wanted["secrets"] = {id: {"environment": variables.pop()}}
    return wanted


def _taken(arguments: Any, name: str) -> str | None:
    """Takes an argument out of a list or mapping. Returns its value, "" for the environment's, None where it is not."""
    if isinstance(arguments, dict) and name in arguments:
        value = arguments.pop(name)
        return "" if value is None else str(value)
    if isinstance(arguments, list):
        for entry in arguments:
            key, _, value = str(entry).partition("=")
            if key == name:
                arguments.remove(entry)
                return value
    return None


def _head(lines: list[str], at: int) -> int | None:
    """The line ``args:`` that an entry stands below."""
    own = len(lines[at]) - len(lines[at].lstrip())
    for number in range(at - 1, -1, -1):
        line = lines[number]
        if line.strip() == "args:":
            return number
        indent = len(line) - len(line.lstrip())
        if line.strip() and not line.lstrip().startswith(("#", "-")) and indent < own:
            return None
    return None


def _has_entries(lines: list[str], head: int) -> bool:
    indent = len(lines[head]) - len(lines[head].lstrip())
    following = next((line for line in lines[head + 1 :] if line.strip() and not line.lstrip().startswith("#")), "")
    below = len(following) - len(following.lstrip())
    return below > indent or (below == indent and following.lstrip().startswith("-"))
