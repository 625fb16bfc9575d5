"""Where a program answers that it is well: the route and the port that its sources spell out, and how it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading
from refactor.flow.roots import Root, roots_of

_NAMES = "health healthz health-check healthcheck _health ping livez live readyz ready status".split()
"""The last part of a route that tells whether the program is well, the surest first."""
ROUTE = rf"/(?:[\w-]+/)*(?:{'|'.join(map(re.escape, sorted(_NAMES, key=len, reverse=True)))})/?"
"""A route literal, as a pattern of a whole string."""
_PORT_OPTION = r"(?:-p|-b|--port|--bind|--http-port)"
_VARIABLE = r"\$\{?(\w+)(?::-(\d{1,5}))?\}?"
BY_HAND = "write the HEALTHCHECK by hand: it knows where the program answers"


class Port(NamedTuple):
    """A TCP port that the program listens on."""

    number: int | None
    """None where only the variable says it."""
    variable: str = ""
    """The environment variable that decides on it when the program starts, ``number`` without; "" for none."""
    by: str = ""
    """What says so, for evidence."""


class Serving(NamedTuple):
    """A route that answers over HTTP while the program is well."""

    route: str
    port: Port
    evidence: tuple[str, ...]
    probe: tuple[str, ...] = ()
    """A command in exec form that fails where the route does not answer, by the interpreter that runs the program; ()
    for programs without one."""


def best_route(found: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The surest of (route, where it is defined), None where there is none."""
    return min(found, key=lambda one: (_NAMES.index(one[0].rstrip("/").rpartition("/")[2]), one[0]), default=None)


def argument_port(root: Root) -> Port | None:
    """The port that the start command gives to a program by an option: ``--port 80``, ``-b :$PORT``."""
    words = [*root.words[1:], ""]
    for word, following in pairwise(words):
        option, equals, value = word.partition("=")
        if not re.fullmatch(_PORT_OPTION, option):
            continue
        value = (value if equals else following).strip("\"'")
        number = re.fullmatch(r"(?:[\w.*\[\]-]*:)?(\d{1,5})", value)
        if number is not None:
            return Port(int(number[1]), by=root.where)
        variable = re.fullmatch(rf"(?:[\w.*\[\]-]*:)?{_VARIABLE}", value)
        return Port(int(variable[2]) if variable[2] else None, variable[1], root.where) if variable else None
    return None


def settled(reading: StageReading, port: Port) -> Port | Refused:
    """With the number that the Dockerfile gives to the variable; refused where nothing does."""
    if not port.variable:
        return port
    value = reading.environment.get(port.variable) or ""
    if re.fullmatch(r"\d{1,5}", value):
        return port._replace(number=int(value))
    if port.number is not None:
        return port
    return Refused(f"the port is what {port.variable} says, and nothing sets that", f"write ENV {port.variable}=8080")


def only_port(found: Iterable[Port]) -> Port | Refused | None:
    """The port, where all say the same; None where none does."""
    ports = {port._replace(by=""): port for port in reversed(list(found))}
    if len(ports) > 1:
        shown = ", ".join(sorted({f"${port.variable}" if port.variable else str(port.number) for port in ports}))
        return Refused(f"the program listens on more than one port ({shown})", BY_HAND)
    return next(iter(ports.values()), None)


def served(
    reading: StageReading,
    texts: Mapping[str, str],
    not_plain: str,
    route: tuple[str, str] | Refused | None,
    port: Port | Refused | None,
) -> Serving | Refused:
    """What answers: the route with the place that defines it, and the port; ``texts`` are the program's sources, of
    which none may match ``not_plain``, nor may the start command."""
    argv = " ".join(word for root in started_roots(reading) for word in root.words)
    path = next((path for path, text in (("the start", argv), *texts.items()) if re.search(not_plain, text)), None)
    if path is not None:
        return Refused(f"{path} serves by TLS, or below a prefix, so the whole address is not known", BY_HAND)
    if route is None:
        return Refused(
            f"no route of the {len(texts)} sources of the program tells that it is well",
            "answer to GET /health on the application itself, or write the HEALTHCHECK by hand",
        )
    if port is None:
        return Refused("neither CMD nor a source of the program spells out its port", BY_HAND)
    found = port if isinstance(port, Refused) else settled(reading, port)
    if isinstance(route, Refused):
        return route
    if isinstance(found, Refused):
        return found
    shown = f"${found.variable} ({found.number})" if found.variable else str(found.number)
    return Serving(route[0], found, (f"{route[1]} answers to {route[0]}", f"{found.by} listens on port {shown}"))


def started_roots(reading: StageReading) -> Sequence[Root]:
    """What the container runs; () where that cannot be followed."""
    roots = roots_of(reading)
    return () if isinstance(roots, Refused) else roots


__all__ = [
    "BY_HAND",
    "ROUTE",
    "Port",
    "Serving",
    "argument_port",
    "best_route",
    "only_port",
    "served",
    "settled",
    "started_roots",
]
