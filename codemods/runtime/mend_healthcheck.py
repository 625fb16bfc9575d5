"""mend-healthcheck"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    leaves,
    read,
    recognise,
    refuse,
    rewrites,
)

ASKERS = frozenset({"curl", "wget"})
ADDRESS = r"http://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d{1,5}))?(/[\w./-]*)?"
PLAIN_OPTION = r"-[fsSLqkv]+|--(?:fail|silent|show-error|spider|quiet|no-verbose|location)|-nv|--tries=\d+|-t1|-O-?"
"""Options that say how it is told, or that a bad status is a failure."""
VALUED_OPTION = r"(?:-m|-T|--max-time|--timeout|--connect-timeout)[= ]?\d+|-[oO] ?/dev/null"
KNOWN = frozenset({"node", "python", "debian", "ubuntu", "alpine"})
"""Families of which it is known that what the catalogue does not name is not there."""


class MendHealthcheck(Codemod):
    """Ask for the health of the program with something that the image has.

    Why
    ---
    A HEALTHCHECK that calls `curl` in an image without it fails every time: the container is unhealthy from the first
    minute on, and whoever waits for it (Compose's `service_healthy`, Swarm) waits for ever.

    What it does
    ------------
    Where the base image is known to have no curl or wget and nothing installs it, the same address is asked by Node or
    Python in an image that runs them, and by BusyBox's wget on Alpine.

    When it refuses
    ---------------
    When the check does more than ask one address of the container itself, and when nothing in the image can ask.

    Safety
    ------
    REVIEW: the health check begins to tell something.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    words = ("healthcheck",)
    may_change = frozenset({Aspect.HEALTHCHECK})
    examples = (
        rewrites(
            "Node asks",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            HEALTHCHECK --interval=30s CMD curl -f http://localhost:3000/health || exit 1
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            HEALTHCHECK --interval=30s CMD ["node", "-e", "fetch('http://127.0.0.1:3000/health').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
            CMD ["node", "server.js"]
            """,
        ),
        rewrites(
            "Python asks",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            HEALTHCHECK CMD ["curl", "--fail", "http://127.0.0.1:8000/"]
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            HEALTHCHECK CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/'); exit(c.getresponse().status >= 400)"]
            CMD ["python", "app.py"]
            """,  # noqa: E501
        ),
        rewrites(
            "BusyBox asks",
            before="""
            FROM alpine:3.20
            COPY server /server
            HEALTHCHECK CMD curl -fsS http://localhost:8080/healthz
            CMD ["/server"]
            """,
            after="""
            FROM alpine:3.20
            COPY server /server
            HEALTHCHECK CMD ["wget", "-q", "-Y", "off", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
            CMD ["/server"]
            """,
        ),
        leaves(
            "curl is installed",
            """
            FROM node:20-slim
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            HEALTHCHECK CMD curl -f http://localhost:3000/health || exit 1
            CMD ["node", "server.js"]
            """,
        ),
        leaves(
            "the fat image has curl",
            """
            FROM node:20
            HEALTHCHECK CMD curl -f http://localhost:3000/health || exit 1
            CMD ["node", "server.js"]
            """,
        ),
        leaves(
            "the answer is searched",
            """
            FROM node:20-slim
            HEALTHCHECK CMD curl -s http://localhost:3000/health | grep ok
            CMD ["node", "server.js"]
            """,
            because="has no curl, which HEALTHCHECK calls, and the check does more than ask one address",
        ),
        leaves(
            "nothing can ask",
            """
            FROM debian:bookworm-slim
            COPY server /server
            HEALTHCHECK CMD curl -f http://localhost:3000/health || exit 1
            CMD ["/server"]
            """,
            because="has no curl, which HEALTHCHECK calls, and nothing else there can ask",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            own = [node for node in stage.instructions if node.keyword == "HEALTHCHECK"]
            if own:
                yield from _mended(StageReading.of(file, stage, context), own[-1])


def _mended(reading: StageReading, node: Instruction) -> Iterator[Finding | Refusal]:
    found = _asking(node)
    if found is None or reading.image is None:
        return
    command, is_alone = found
    name = posixpath.basename(command.name or "")
    if not _is_missing(reading, name):
        return
    shown = reading.image_reference or reading.stage.image
    because = f"{shown} has no {name}, which HEALTHCHECK calls"
    address = _address(command) if is_alone else None
    if address is None:
        hint = f"install {name}, or ask with a program that is there"
        yield refuse(node, f"{because}, and the check does more than ask one address", hint)
        return
    import json

    words = next((probe for one in recognise(reading) if (probe := one.probe(reading, *address))), ())
    if not words and reading.image.distro == "alpine" and name != "wget":
        words = ("wget", "-q", "-Y", "off", "-O", "/dev/null", f"http://127.0.0.1:{address[1]}{address[0]}")
    if not words:
        yield refuse(
            node, f"{because}, and nothing else there can ask", f"install {name}, or let the program check itself"
        )
        return
    line = reading.file.line_of(node)
    yield Finding(
        node,
        f"ask with {words[0]}, as {shown} has no {name}",
        [Replace(node, [node.with_argument(f"CMD {json.dumps(list(words), ensure_ascii=False)}")])],
        why="a check that cannot be started fails every time, and the container is never healthy",
        evidence=(f"line {line} calls {name}; {shown} comes without it, and no instruction of the stage brings it",),
    )


def _asking(node: Instruction) -> tuple[Command, bool] | None:
    """The call of curl or wget, and whether it is all that decides (``|| exit 1`` aside)."""
    kind, _, rest = node.argument.partition(" ")
    if kind.upper() != "CMD":
        return None
    import json
    import shlex

    text = rest.strip()
    if text.startswith("["):
        try:
            text = shlex.join(json.loads(text))
        except (ValueError, TypeError):
            return None
    script = read(text)
    command = next((one for one in script.commands if posixpath.basename(one.name or "") in ASKERS), None)
    if script.opaque is not None or command is None:
        return None
    others = [one for one in script.commands if one is not command]
    harmless = all(one.name in {"exit", "false"} for one in others) and not command.in_pipeline
    joined = all(item.connector_before == "||" for item in script.top[1:])
    redirects = all("/dev/null" in one or one in {"2>&1", ">&2"} for one in command.redirects)
    return command, harmless and joined and redirects and not script.trailing


def _address(command: Command) -> tuple[str, int] | None:
    """Route and port, where the call does nothing but ask one address of the container."""
    rest = re.sub(VALUED_OPTION, " ", " ".join(command.args)).split()
    places = [word for word in rest if not re.fullmatch(PLAIN_OPTION, word)]
    found = re.fullmatch(ADDRESS, places[0]) if len(places) == 1 else None
    return (found[2] or "/", int(found[1] or 80)) if found is not None else None


def _is_missing(reading: StageReading, name: str) -> bool:
    """The base image is known, and nothing of the stage brings the program."""
    image = reading.image
    if image is None or image.family not in KNOWN or name in image.preinstalled:
        return False
    if name == "wget" and image.distro == "alpine":
        return False
    if reading.parent is not None:
        return False
    for step in reading.steps:
        text = step.node.text
        if step.keyword in {"RUN", "COPY", "ADD"} and re.search(rf"\b{name}\b", text):
            return False
        if step.keyword == "RUN" and (step.script is None or step.script.opaque is not None):
            return False
    return True
