"""Ports below 1024 that a container listens on, as far as the Dockerfile, its base image and its deployment say."""

from __future__ import annotations

import re
from collections.abc import Iterable

from refactor.flow.reading import Refused, StageReading
from refactor.flow.roots import roots_of

FIRST_FREE = 1024
"""Linux lets every user listen on ports from here on (``net.ipv4.ip_unprivileged_port_start``); Docker has lowered that
to 0 for its containers since 20.10, podman, CRI-O and containerd 1.x have not."""
_PORT_NAME = r"(?:.*_)?PORTS?"
_ADDRESS_NAME = r"(?:.*_)?(?:ADDR|ADDRESS|BIND|LISTEN|URLS?)"
_ADDRESS = r"(?:\w+://)?(?:[*+]|0\.0\.0\.0|\[::\])?:(\d{1,5})/?"
"""An address of the container itself: ``:80``, ``http://+:80``."""
_SERVERS = {
    "apache2-foreground": 80, "apache2ctl": 80, "apachectl": 80, "caddy": 80, "httpd": 80, "httpd-foreground": 80,
    "lighttpd": 80, "nginx": 80, "static-web-server": 80, "traefik": 80,
}  # fmt: skip
"""Servers that listen below 1024 where nothing else is said. gunicorn, uvicorn and Django (8000), Flask (5000),
http-server (8080), serve (3000) and Vite (5173) do not."""
_ARGUMENT = r"(?:[\w.*\[\]:]*:|--(?:port|http-port|listen|bind)[= ]\D{0,20})(\d{1,5})(?:/\w+)?"


def low_ports(reading: StageReading, by_sources: Iterable[int] = ()) -> dict[int, str]:
    """Ports below 1024 that the program listens on -> what says so."""
    found = {port: "the sources listen on it" for port in by_sources if 0 < port < FIRST_FREE}
    for name, value in _environment(reading).items():
        where = f"{name} of {reading.image_reference}"
        for text in value.split(";"):
            _add_value(found, name, text, where)
    for service in reading.context.deployment.services:
        for port in service.ports:
            _add(found, str(port), service.source)
    for step in reading.steps:
        line = reading.file.line_of(step.node)
        if step.keyword == "EXPOSE":
            for word in step.node.words:
                _add(found, reading.expand(word, step.node) or word, f"EXPOSE on line {line}")
        elif step.keyword == "ENV":
            for name, value in step.node.pairs:
                for text in (reading.expand(value, step.node) or value).split(";"):
                    _add_value(found, name, text, f"{name} on line {line}")
    start = reading.start
    if start is not None:
        for word, following in zip(start.words, (*start.words[1:], "")):
            for text in (word, f"{word} {following}"):
                match = re.fullmatch(_ARGUMENT, text)
                if match is not None:
                    _add(found, match[1], "the start command")
            if word in {"-p", "-b"}:
                _add(found, following, "the start command")
    roots = roots_of(reading)
    for root in roots if not isinstance(roots, Refused) else ():
        if root.name in _SERVERS and not any(re.search(r"\d", word) for word in root.words):
            _add(found, str(_SERVERS[root.name]), f"what {root.name} listens on by default")
    return found


def _environment(reading: StageReading) -> dict[str, str]:
    """Variables of the base image that the file leaves as they are."""
    image = reading.image
    own = reading.file.environment(reading.stage.instructions[-1])
    return {} if image is None else {name: value for name, value in image.env.items() if name not in own}


def _add_value(found: dict[int, str], name: str, value: str, where: str) -> None:
    """The port that a variable holds, alone or at the end of an address of the container itself."""
    if re.fullmatch(_PORT_NAME, name):
        _add(found, value, where)
    elif re.fullmatch(_ADDRESS_NAME, name) and (address := re.fullmatch(_ADDRESS, value.strip("\"' "))):
        _add(found, address[1], where)


def _add(found: dict[int, str], text: str, where: str) -> None:
    match = re.fullmatch(r"(\d{1,5})(?:-\d+)?(?:/(?:tcp|udp))?", text.strip("\"'"))
    if match is not None and 0 < int(match[1]) < FIRST_FREE:
        found.setdefault(int(match[1]), where)


def only_docker(reading: StageReading) -> str | None:
    """The files that show that Docker alone runs the image (Compose, besides pipelines), None where nothing does."""
    kinds = {service.kind for service in reading.context.deployment.services}
    return reading.context.deployment.named_by("source") if "compose" in kinds <= {"compose", "ci"} else None


__all__ = ["FIRST_FREE", "low_ports", "only_docker"]
