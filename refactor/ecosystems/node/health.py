"""The route by which a Node server tells that it is well, and its port: Express, Fastify, Hono, Polka, Koa's kin, and
``http`` itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor.context import BuildContext
from refactor.context.literals import line_at
from refactor.ecosystems.node.needs import program
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.serving import BY_HAND, ROUTE, Port, Serving, best_route, only_port, served
from refactor.flow.reading import Refused, StageReading

_APP = (
    r"(?:const|let|var)\s+(\w+)[^=\n;]{0,80}=\s*(?:await\s+)?"
    r"(?:express|connect|[Ff]astify|polka|restify\.createServer|new\s+Hono)\s*[(<]"
)
_ADDED = (
    rf"\.\s*(?:(?:get|all)\s*\(\s*([\"'`])({ROUTE})\1\s*,"
    rf"|use\s*\(\s*([\"'`])({ROUTE})\3\s*,\s*(?:async\s*)?(?:\(|function))"
)
"""What `use` is given is a prefix, too: only a function answers to the route itself."""
_ASKED = rf"\b(?:\w*req(?:uest)?|ctx|context|url)\.(?:url|path|pathname)\s*===?\s*([\"'])({ROUTE})\1"
_SECURE = r"\bhttps\.createServer|\bcreateSecureServer\b|\bserverHttps\b"
_NUMBER = r"[\"'`]?(\d{1,5})[\"'`]?"
_VALUE = (
    r"(?:(?:Number|parseInt)\s*\(\s*|\+\s*)?process\.env\.(\w+)(?:\s*,\s*10)?\s*\)?"
    rf"(?:\s*(?:\|\||\?\?)\s*{_NUMBER})?"
)
"""``process.env.PORT || 3000``, also inside or behind ``Number(``: (variable, default)."""
_VALUE_OR_NUMBER = rf"(?:{_VALUE}|{_NUMBER})"
_LISTENS = rf"\.listen\s*\(\s*(?:\{{[^{{}}]{{0,200}}?\bport\s*:\s*)?(?:{_VALUE}|{_NUMBER}|(\w+))"
_SHORT = r"\.listen\s*\(\s*\{[^{}]{0,200}?\bport\b\s*[,}]"


def serving(reading: StageReading) -> Serving | Refused | None:
    """See :meth:`Ecosystem.serving`."""
    files = program(reading)
    if isinstance(files, Refused):
        return files
    if not files:
        return None
    context = reading.context
    texts = {path: facts(context, path).text for path in files}
    route = best_route(one for path, text in texts.items() for one in _routes(path, text))
    found = served(reading, texts, _SECURE, route, only_port(ports(context, files)))
    if isinstance(found, Refused):
        return found
    options = [step.node for step in reading.steps if step.keyword == "ENV" and "NODE_OPTIONS" in step.node.argument]
    if options:
        line = reading.file.line_of(options[0])
        return Refused(f"NODE_OPTIONS on line {line} would be loaded by each check as well", BY_HAND)
    return found._replace(probe=probe(reading, found.route, found.port.number or 0, found.port.variable))


def _routes(path: str, text: str) -> Iterator[tuple[str, str]]:
    """The routes of the application itself: one of a router stands below a prefix that is another file's."""
    for name in dict.fromkeys(re.findall(_APP, text)):
        for found in re.finditer(rf"\b{re.escape(name)}\s*{_ADDED}", text):
            yield found[2] or found[4], line_at(path, text, found.start())
    for found in re.finditer(_ASKED, text):
        yield found[2], line_at(path, text, found.start())


def ports(context: BuildContext, files: Sequence[str]) -> Iterator[Port]:
    """Ports that sources listen on, as far as they spell them out."""
    for path in files:
        text = facts(context, path).text
        found = [(one.groups(), line_at(path, text, one.start())) for one in re.finditer(_LISTENS, text)]
        found += [((None, None, None, "port"), path)] if re.search(_SHORT, text) else []
        for (variable, default, number, name), by in found:
            if name is not None:
                value = re.search(rf"(?:const|let|var)\s+{name}\b[^=\n;]{{0,40}}=\s*{_VALUE_OR_NUMBER}", text)
                variable, default, number = value.groups() if value is not None else (None, None, None)
            if variable or number:
                yield Port(int(default or number) if default or number else None, variable or "", by)


def probe(reading: StageReading, route: str, port: int, variable: str = "") -> tuple[str, ...]:
    """What asks for the route, see :class:`Serving`."""
    image = reading.image
    program = "node"
    if image is not None and image.family == "distroless" and image.entrypoint:
        program = image.entrypoint[0]
    elif image is not None and image.family == "bun":
        program = "bun"
    elif image is None or image.family != "node":
        return ()
    address = f"'http://127.0.0.1:{port}{route}'"
    if variable:
        address = f"'http://127.0.0.1:'+(process.env.{variable}||{port})+'{route}'"
    major = re.match(r"\d+", image.version)
    if program == "bun" or (major is not None and int(major[0]) >= 18):
        return program, "-e", f"fetch({address}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"
    code = f"require('http').get({address},r=>process.exit(r.statusCode<400?0:1)).on('error',()=>process.exit(1))"
    return program, "-e", code
