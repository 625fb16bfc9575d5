"""Which folder a Dockerfile's build sees, and what else in the repository counts on the image.

The folder: ``--context`` or the configuration; else what a Compose file says; else the Dockerfile's own folder, unless
only a folder above it holds what the Dockerfile copies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from refactor.context import BuildContext, Deployment
from refactor.engine.discovery import repository_of
from refactor.syntax import Dockerfile

_COMPOSE_NAMES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-compose.override.yml",
    "docker-compose.dev.yml",
    "docker-compose.prod.yml",
)
_MAX_COMPOSE_BYTES = 1 << 20


class Service(NamedTuple):
    """One service of a Compose file that builds an image; paths are absolute."""

    file: str
    name: str
    context: str
    dockerfile: str
    target: str | None
    user: str | None
    command: bool
    """The service has a command or entrypoint of its own."""
    mounts: tuple[str, ...]
    """Absolute container paths that volumes are mounted on."""


class ContextFinder:
    """Opens the build context of each Dockerfile of a run; Compose files are read once."""

    def __init__(self) -> None:
        self._services: dict[str, tuple[Service, ...]] = {}
        self._tops: dict[str, str] = {}

    def open(self, path: str, file: Dockerfile, root: str | None = None) -> BuildContext:
        """The context of the Dockerfile at ``path``, with what Compose files say of it; ``root`` decides if given."""
        absolute = os.path.abspath(path)
        services = [service for service in self._services_above(absolute) if service.dockerfile == absolute]
        folder = root or (services[0].context if services else None) or self._guess(absolute, file)
        context = BuildContext.open(folder, absolute)
        context.deployment = Deployment(
            targets=tuple(sorted({service.target for service in services if service.target})),
            users=tuple(sorted({service.user for service in services if service.user})),
            mounts=tuple(sorted({mount for service in services for mount in service.mounts})),
            has_own_command=any(service.command for service in services),
            sources=tuple(sorted({os.path.relpath(service.file, folder) for service in services})),
        )
        return context

    def _top(self, folder: str) -> str:
        top = self._tops.get(folder)
        if top is None:
            here = os.getcwd()
            is_below = folder == here or folder.startswith(here.rstrip(os.sep) + os.sep)
            top = self._tops[folder] = repository_of(folder) or (here if is_below else folder)
        return top

    def _guess(self, path: str, file: Dockerfile) -> str:
        own = os.path.dirname(path)
        wanted = [
            source.lstrip("/")
            for node in file.instructions
            if node.keyword in {"COPY", "ADD"} and node.flag("from") is None
            for source in node.sources
            if "$" not in source and "*" not in source and "://" not in source
        ]
        wanted = [source for source in wanted if source.strip("./")]
        if not wanted or _holds(own, wanted):
            return own
        top, folder = self._top(own), own
        while folder != top and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
            if _holds(folder, wanted):
                return folder
        return own

    def _services_above(self, path: str) -> Iterator[Service]:
        folder = os.path.dirname(path)
        top = self._top(folder)
        while True:
            if folder not in self._services:
                self._services[folder] = tuple(_read_services(folder))
            yield from self._services[folder]
            if folder == top or folder == os.path.dirname(folder):
                return
            folder = os.path.dirname(folder)


def _holds(folder: str, paths: list[str]) -> bool:
    return all(os.path.lexists(os.path.join(folder, path)) for path in paths)


def _read_services(folder: str) -> Iterator[Service]:
    try:
        names = set(os.listdir(folder)).intersection(_COMPOSE_NAMES)
    except OSError:
        return
    for name in sorted(names):
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                text = file.read(_MAX_COMPOSE_BYTES)
        except OSError:
            continue
        if b"build" not in text:
            continue
        from refactor.context.safe_yaml import load

        try:
            data = load(text.decode("utf-8", "replace"))
        except ValueError:
            # A Compose file is a hint here; Compose itself tells its author what is wrong with it.
            continue
        services = data.get("services") if isinstance(data, dict) else None
        for service, table in services.items() if isinstance(services, dict) else ():
            found = _service(path, str(service), table)
            if found is not None:
                yield found


def _service(path: str, name: str, table: Any) -> Service | None:
    build = table.get("build") if isinstance(table, dict) else None
    if isinstance(build, str):
        build = {"context": build}
    if not isinstance(build, dict):
        return None
    where = str(build.get("context", "."))
    if "://" in where or "$" in where or where.startswith("git@"):
        return None
    context = os.path.normpath(os.path.join(os.path.dirname(path), where))
    dockerfile = os.path.normpath(os.path.join(context, str(build.get("dockerfile", "Dockerfile"))))
    target, user = build.get("target"), table.get("user")
    return Service(
        path,
        name,
        context,
        dockerfile,
        None if target is None else str(target),
        None if user is None else str(user),
        table.get("command") is not None or table.get("entrypoint") is not None,
        tuple(_mounts(table.get("volumes"))),
    )


def _mounts(volumes: Any) -> Iterator[str]:
    for volume in volumes if isinstance(volumes, list) else ():
        target = volume.get("target") if isinstance(volume, dict) else None
        if isinstance(volume, str):
            parts = volume.split(":")
            target = parts[1] if len(parts) > 1 else parts[0]
        if isinstance(target, str) and target.startswith("/"):
            yield target
