"""Compose files: which images they build, and how they run them (https://github.com/compose-spec/compose-spec)."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from refactor.context.deployment import Call, Mount, Service, Words
from refactor.context.safe_yaml import load


class Built(NamedTuple):
    """One service of a Compose file; paths are relative to the repository."""

    service: Service
    container: str
    """``container_name``, or ""."""
    image: str
    """``image``, the name of what is built, or ""."""
    context: str | None
    """Folder of the build context, None where nothing is built or the folder is not in the repository."""
    dockerfile: str | None


def read_compose(path: str, text: str) -> Iterator[Built]:
    """The services of the Compose file at ``path`` (relative to the repository).

    A file that is broken has none: it is a hint here; Compose itself tells its author what is wrong with it.
    """
    try:
        data = load(text)
    except ValueError:
        return
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        return
    for name, table in services.items():
        if isinstance(table, dict):
            yield _built(path, str(name), _extended(services, table))


def _extended(services: dict[Any, Any], table: dict[Any, Any]) -> dict[Any, Any]:
    """With what ``extends`` brings from another service of the same file."""
    parent = table.get("extends")
    if isinstance(parent, dict):
        parent = parent.get("service") if parent.get("file") is None else None
    found = services.get(parent) if isinstance(parent, str) else None
    return {**found, **table} if isinstance(found, dict) else table


def _built(path: str, name: str, table: dict[Any, Any]) -> Built:
    build = table.get("build")
    if isinstance(build, str):
        build = {"context": build}
    context = dockerfile = target = None
    if isinstance(build, dict):
        where = str(build.get("context", "."))
        target = build.get("target")
        if not ("://" in where or "$" in where or where.startswith(("git@", "/"))):
            context = posixpath.normpath(posixpath.join(posixpath.dirname(path), where))
            dockerfile = posixpath.normpath(posixpath.join(context, str(build.get("dockerfile", "Dockerfile"))))
            context = "" if context == "." else context
    user = table.get("user")
    service = Service(
        path,
        "compose",
        name,
        _words(table.get("command")),
        _words(table.get("entrypoint")),
        tuple(_calls(path, name, table)),
        tuple(_mounts(table)),
        None if user is None else str(user),
        tuple(_ports(table)),
        None if target is None else str(target),
    )
    image, container = (table.get(key) for key in ("image", "container_name"))
    return Built(service, str(container or ""), str(image or ""), context, dockerfile)


def _words(value: object) -> tuple[str, ...] | None:
    """A command as Compose takes it apart: a string is split like a shell would, but no shell runs it."""
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value.replace("$$", "$")))
        except ValueError:
            return tuple(value.split())
    if isinstance(value, list):
        return tuple(str(word).replace("$$", "$") for word in value)
    return None


def _calls(path: str, name: str, table: dict[Any, Any]) -> Iterator[Call]:
    check = table.get("healthcheck")
    test = check.get("test") if isinstance(check, dict) and check.get("disable") is not True else None
    words: Words | None = None
    if isinstance(test, str):
        words = test.replace("$$", "$")
    elif isinstance(test, list) and len(test) > 1 and test[0] in {"CMD", "CMD-SHELL"}:
        more = [str(word).replace("$$", "$") for word in test[1:]]
        words = more[0] if test[0] == "CMD-SHELL" else tuple(more)
    if words:
        yield Call(words, f"healthcheck of {name} in {path}")
    for hook in ("post_start", "pre_stop"):
        entries = table.get(hook)
        for entry in entries if isinstance(entries, list) else ():
            found = _words(entry.get("command")) if isinstance(entry, dict) else None
            if found:
                yield Call(found, f"{hook} of {name} in {path}")


def _mounts(table: dict[Any, Any]) -> Iterator[Mount]:
    volumes = table.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict):
            found = Mount(str(volume.get("target")), str(volume.get("source") or ""), volume.get("read_only") is True)
        else:
            found = mount(str(volume))
        if found.target.startswith("/"):
            yield found
    folders = table.get("tmpfs")
    for folder in [folders] if isinstance(folders, str) else folders if isinstance(folders, list) else ():
        yield Mount(str(folder).partition(":")[0], "tmpfs")


def mount(written: str) -> Mount:
    """``SOURCE:TARGET:OPTIONS``, as Compose and ``docker run -v`` write it."""
    # A default in a variable has a colon of its own: ${DATA:-./data}:/data.
    parts = re.split(r":(?![^{}]*\})", written)
    if len(parts) == 1:
        return Mount(parts[0])
    return Mount(parts[1], parts[0], "ro" in (parts[2].split(",") if len(parts) > 2 else ()))


def _ports(table: dict[Any, Any]) -> Iterator[int]:
    for key in ("ports", "expose"):
        ports = table.get(key)
        for port in ports if isinstance(ports, list) else ():
            found = container_port(str(port.get("target")) if isinstance(port, dict) else str(port))
            if found is not None:
                yield found


def container_port(written: str) -> int | None:
    """The container's port of ``IP:HOST:CONTAINER/PROTOCOL``; None for ranges and variables."""
    number = re.split(r":(?![^{}]*\})", written)[-1].partition("/")[0]
    return int(number) if number.isdigit() else None
