"""The route by which a Go server tells that it is well, and its port: ``net/http``, gin, echo, fiber, chi, gorilla."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.context.literals import line_at
from refactor.ecosystems.calls import sources
from refactor.ecosystems.serving import ROUTE, Port, Serving, best_route, only_port, served
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

_ROUTERS = (
    r"(?:http\.NewServeMux|gin\.(?:Default|New)|echo\.New|fiber\.New|chi\.New(?:Router|Mux)|mux\.NewRouter"
    r"|httprouter\.New)\("
)
_PREFIXED = r"\bStripPrefix\(|\.Mount\(|\bListenAndServeTLS\b|\bRunTLS\("
_ADDRESS = r'(?:ListenAndServe|Run|Start|Listen)\(\s*"[\w.]*:(\d{1,5})"|\bAddr:\s*"[\w.]*:(\d{1,5})"'
_FROM_ENVIRONMENT = r"(\w+)\s*:?=\s*os\.Getenv\(\"(\w*PORT)\"\)"


def serving(language: Language, reading: StageReading) -> Serving | Refused | None:
    """See :meth:`Ecosystem.serving`."""
    files = language.program(reading)
    if isinstance(files, Refused):
        return files
    if not files:
        return None
    texts = dict(sources(reading.context, files))
    route = best_route(one for path, text in texts.items() for one in _routes(path, text))
    port = only_port(port for path, text in texts.items() for port in _ports(path, text))
    return served(reading, texts, _PREFIXED, route, port)


def _routes(path: str, text: str) -> Iterator[tuple[str, str]]:
    names = {"http", *re.findall(rf"(\w+)\s*:?=\s*{_ROUTERS}", text)}
    for name in names:
        pattern = rf'\b{name}\.(?:HandleFunc|Handle|GET|Get)\(\s*"(?:GET )?({ROUTE})"'
        for found in re.finditer(pattern, text):
            yield found[1], line_at(path, text, found.start())


def _ports(path: str, text: str) -> Iterator[Port]:
    for found in re.finditer(_ADDRESS, text):
        yield Port(int(found[1] or found[2]), by=path)
    for name, variable in re.findall(_FROM_ENVIRONMENT, text):
        default = re.search(rf'\b{name}\s*=\s*":?(\d{{1,5}})"', text)
        yield Port(int(default[1]) if default else None, variable, path)


__all__ = ["serving"]
