"""The route by which a Python web application tells that it is well, and its port: Flask, FastAPI and their kin."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context import BuildContext, Unknown
from refactor.context.literals import line_at
from refactor.ecosystems.python.program import SERVERS, entries, program_sources
from refactor.ecosystems.python.sources import facts_of
from refactor.ecosystems.python.values import Source, read_source
from refactor.ecosystems.serving import (
    BY_HAND,
    ROUTE,
    Port,
    Serving,
    argument_port,
    best_route,
    only_port,
    served,
    started_roots,
)
from refactor.flow.reading import Refused, StageReading

_DEFAULT_PORTS = {"uvicorn": 8000, "gunicorn": 8000, "hypercorn": 8000, "flask": 5000, "fastapi": 8000, "daphne": 8000,
                  "waitress-serve": 8080, "granian": 8000, "quart": 5000, "sanic": 8000}  # fmt: skip
"""What these listen on without an option. Sources: their documentation of ``--port`` and ``--bind``."""
_OWN_VARIABLES = {"gunicorn": "PORT", "uvicorn": "UVICORN_PORT", "flask": "FLASK_RUN_PORT", "quart": "QUART_RUN_PORT"}
_SECURE = r"--(?:ssl-)?(?:certfile|keyfile)\b|--cert\b|\bssl_context\s*=|\bssl_certfile\s*="
_ENVIRONMENT = r"(?:environ\.get|getenv|environ\.setdefault)\(\s*[\"'](\w*PORT)[\"']\s*,\s*[\"']?(\d{1,5})\b"
_REQUIRED = r"environ\[\s*[\"'](\w*PORT)[\"']\s*\]"
_ROOT_URLS = r"(?m)^ROOT_URLCONF\s*=\s*[\"']([\w.]+)[\"']"
_HOSTS = r"(?m)^\s*ALLOWED_HOSTS\s*\+?=\s*([^\n]*(?:\n\s+[^\n]*)*)"
_DJANGO_PATH = r"(?<![\w.])path\(\s*[\"']([\w/-]+)[\"']\s*,(?!\s*include\b)"

_APPS = frozenset({"Flask", "FastAPI", "Quart", "Starlette", "Sanic", "Litestar", "Bottle", "Robyn"})
_GETS = frozenset({"get", "route", "api_route"})


def serving(reading: StageReading) -> Serving | Refused | None:
    """See :meth:`Ecosystem.serving`."""
    files = program_sources(reading)
    if isinstance(files, Refused):
        return files
    if not files:
        return None
    texts = {path: reading.context.text(path) for path in files}
    found = served(reading, texts, _SECURE, _route(reading, texts), _port(reading, texts))
    return found if isinstance(found, Refused) else found._replace(probe=_probe(reading, found.route, found.port))


def _route(reading: StageReading, texts: dict[str, str]) -> tuple[str, str] | Refused | None:
    """A route of the application that is started: one of a router stands below a prefix, and a second application in
    the project may be another program."""
    found: list[tuple[str, str]] = []
    makers = []
    started = entries(reading)
    first = set(started) if not isinstance(started, Refused) else set()
    for path, text in texts.items():
        is_web = any(name in text for name in _APPS)
        source = read_source(reading.context, path) if is_web else Unknown("it makes no application")
        apps, own = (set[str](), []) if isinstance(source, Unknown) else _routes(source)
        makers += [path] if apps else []
        found += [(route, f"{path}:{line}") for route, line in own if re.fullmatch(ROUTE, route)]
    if len(makers) > 1:
        found = [one for one in found if one[1].rpartition(":")[0] in first]
    best = best_route(found)
    if best is not None:
        return best
    if any(re.search(r"\bROOT_URLCONF\s*=", text) for text in texts.values()):
        return _of_django(texts)
    return None


def _routes(source: Source) -> tuple[set[str], list[tuple[str, int]]]:
    """Names of applications that a source makes, and the literal routes that answer to GET on them with their lines."""
    makers = {name: source.made_by(ast.Name(name)).rpartition(".")[2] for name in source.expressions}
    apps = {name for name, maker in makers.items() if maker in _APPS}
    mounts = (one for call in source.calls if call.method == "mount" for one in call.node.args)
    mounted = {one.id for one in mounts if isinstance(one, ast.Name)}
    found: list[tuple[str, int]] = []
    for call in source.calls:
        receiver, route = call.receiver, source.value(call.positional(0))
        methods = ["GET"] if call.keyword("methods") is None else source.value(call.keyword("methods"))
        is_own = isinstance(receiver, ast.Name) and receiver.id in apps - mounted and call.method in _GETS
        if is_own and isinstance(route, str) and isinstance(methods, list) and "GET" in methods:
            found.append((route, call.node.lineno))
    return apps, found


def _of_django(texts: Mapping[str, str]) -> tuple[str, str] | Refused:
    """A route of the root URLconf, where every settings file lets the check's host in (``HttpRequest.get_host``)."""
    roots = {found[1] for text in texts.values() if (found := re.search(_ROOT_URLS, text))}
    hosts = [found for text in texts.values() for found in re.findall(_HOSTS, text)]
    if any(re.search(r"SECURE_SSL_REDIRECT\s*=\s*(?!False)", text) for text in texts.values()):
        return Refused("Django sends what asks without TLS to another address (SECURE_SSL_REDIRECT)", BY_HAND)
    if not hosts or not all(re.search(r"[\"'](?:\*|localhost|127\.0\.0\.1)[\"']", found) for found in hosts):
        because = "Django answers only to hosts that ALLOWED_HOSTS names, and it does not name localhost as text"
        return Refused(because, 'add "127.0.0.1" to ALLOWED_HOSTS')
    paths = []
    for path, text in texts.items():
        if not any(path.endswith(f"{root.replace('.', '/')}.py") for root in roots):
            continue
        for found in re.finditer(_DJANGO_PATH, text):
            if re.fullmatch(ROUTE, f"/{found[1]}"):
                paths.append((f"/{found[1]}", line_at(path, text, found.start())))
    return best_route(paths) or Refused(
        "no route of Django's root URLconf tells that it is well", 'add path("health/", ...) to it'
    )


def _port(reading: StageReading, texts: dict[str, str]) -> Port | Refused | None:
    for root in started_roots(reading):
        server = next((word for word in root.words if word.rpartition("/")[2] in SERVERS), None)
        given = argument_port(root)
        if given is not None:
            return given
        if "runserver" in root.words:
            given_to_it = [word for word in root.words[root.words.index("runserver") + 1 :] if word[:1] != "-"]
            number = re.fullmatch(r"(?:[\w.\[\]:]*:)?(\d{1,5})", given_to_it[0] if given_to_it else "8000")
            return Port(int(number[1]), by=root.where) if number else Refused("runserver's port is not known", BY_HAND)
        if server is not None:
            name = server.rpartition("/")[2]
            if name == "gunicorn" and any(path.rpartition("/")[2].startswith("gunicorn") for path in texts):
                return Refused("gunicorn's settings file may name the port", "name it in CMD: --bind 0.0.0.0:8000")
            if name not in _DEFAULT_PORTS:
                return Refused(f"where {name} listens is in its settings, which are not read for it", BY_HAND)
            return Port(_DEFAULT_PORTS[name], _OWN_VARIABLES.get(name, ""), f"{name} without --port")
    return only_port(_listened(reading.context, list(texts)))


def _listened(context: BuildContext, files: Sequence[str]) -> Iterator[Port]:
    for path, one in facts_of(context, files).items():
        text = context.text(path)
        variables = {int(number): name for name, number in re.findall(_ENVIRONMENT, text)}
        for number in one.ports:
            yield Port(number, variables.get(number, ""), path)
        if one.is_port_computed:
            required = re.findall(_REQUIRED, text)
            yield from (Port(None, name, path) for name in dict.fromkeys(required))


def probe(reading: StageReading, route: str, port: int) -> tuple[str, ...]:
    """See :meth:`Ecosystem.probe`."""
    return _probe(reading, route, Port(port))


def _probe(reading: StageReading, route: str, port: Port) -> tuple[str, ...]:
    image = reading.image
    own = image.entrypoint[:1] if image is not None and image.entrypoint else ()
    programs = {"python": ("python",), "pypy": ("pypy3",), "distroless": own}
    program = programs.get("" if image is None else image.family)
    if not program:
        return ()
    number = f"int(os.environ.get('{port.variable}') or {port.number})" if port.variable else str(port.number)
    imports = "http.client, os" if port.variable else "http.client"
    # Not urllib: it would ask a proxy that the environment names.
    code = (
        f"import {imports}; c = http.client.HTTPConnection('127.0.0.1', {number}, timeout=4); "
        f"c.request('GET', '{route}'); exit(c.getresponse().status >= 400)"
    )
    return *program, "-c", code


__all__ = ["probe", "serving"]
