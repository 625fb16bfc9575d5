"""Ports below 1024 that a container listens on, as far as the Dockerfile says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from refactor.flow.reading import StageReading

FIRST_FREE = 1024
"""Linux lets every user listen on ports from here on (``net.ipv4.ip_unprivileged_port_start``); Docker has lowered that
to 0 for its containers since 20.10, podman, CRI-O and containerd 1.x have not."""
_PORT_NAME = r"(?:.*_)?PORT"
_ARGUMENT = r"(?:[\w.*\[\]:]*:|--(?:port|http-port|listen|bind)[= ]\D{0,20})(\d{1,5})(?:/\w+)?"


def low_ports(reading: StageReading, by_sources: Iterable[int] = ()) -> dict[int, str]:
    """Ports below 1024 that the program listens on -> what says so."""
    found = {port: "the sources listen on it" for port in by_sources if 0 < port < FIRST_FREE}
    for step in reading.steps:
        line = reading.file.line_of(step.node)
        if step.keyword == "EXPOSE":
            for word in step.node.words:
                _add(found, reading.expand(word, step.node) or word, f"EXPOSE on line {line}")
        elif step.keyword == "ENV":
            for name, value in step.node.pairs:
                if re.fullmatch(_PORT_NAME, name):
                    _add(found, reading.expand(value, step.node) or value, f"{name} on line {line}")
    start = reading.start
    if start is not None:
        words = list(start.argv)
        if start.script is not None:
            words = [word.literal for command in start.script.commands for word in command.words]
        for word, following in zip(words, [*words[1:], ""]):
            for text in (word, f"{word} {following}"):
                match = re.fullmatch(_ARGUMENT, text)
                if match is not None:
                    _add(found, match[1], "the start command")
            if word in {"-p", "-b"}:
                _add(found, following, "the start command")
    return found


def _add(found: dict[int, str], text: str, where: str) -> None:
    match = re.fullmatch(r"(\d{1,5})(?:-\d+)?(?:/(?:tcp|udp))?", text.strip("\"'"))
    if match is not None and 0 < int(match[1]) < FIRST_FREE:
        found.setdefault(int(match[1]), where)


def only_docker(reading: StageReading) -> str | None:
    """The files that show that Docker alone runs the image (Compose, besides pipelines), None where nothing does."""
    kinds = {service.kind for service in reading.context.deployment.services}
    return reading.context.deployment.named_by("source") if "compose" in kinds <= {"compose", "ci"} else None


__all__ = ["FIRST_FREE", "low_ports", "only_docker"]
