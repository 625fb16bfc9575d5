"""Spring Boot's actuator, which answers to ``/actuator/health`` where it is a dependency (its reference documentation,
"Endpoints")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from refactor.ecosystems.calls import texts_below
from refactor.ecosystems.java.needs import SETTINGS
from refactor.ecosystems.serving import BY_HAND, Port, Serving, only_port, served
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

_MANIFEST = r"(?:^|/)(?:pom\.xml|build\.gradle(?:\.kts)?|libs\.versions\.toml)$"
_MOVED = r"context-path|base-path|path-mapping|server\.ssl|\bssl\s*:|management\.server|exposure\.exclude|key-store"
"""Settings after which the route, its port or its protocol is another one; as properties and as YAML has them."""
_PORT = (
    r"(?m)^(?:server\.port\s*[=:]|server:\s*\n(?:[ \t]+[^\n]*\n)*?[ \t]+port:)[ \t]*[\"']?"
    r"(?:\$\{(\w+)(?::(\d+))?\}|(\d+))?"
)


def serving(language: Language, reading: StageReading) -> Serving | Refused | None:
    """See :meth:`Ecosystem.serving`."""
    programs = language.programs_of(reading)
    if isinstance(programs, Refused):
        return programs
    if not programs:
        return None
    folders = dict.fromkeys(folder for program in programs for folder in program.folders)
    texts = texts_below(reading.context, _MANIFEST, folders)
    manifest = next((path for path, text in texts.items() if "spring-boot-starter-actuator" in text), None)
    if manifest is None:
        return Refused("no manifest of the program has spring-boot-starter-actuator", f"add it, or {BY_HAND}")
    if not any(re.search(r"spring-boot-starter-web(?:flux|mvc)?\b", text) for text in texts.values()):
        return Refused(f"{manifest} has no web server: spring-boot-starter-web is missing", BY_HAND)
    if any(re.search(r"spring-boot-starter-(?:security|oauth2)", text) for text in texts.values()):
        return Refused("Spring Security may ask for a login at /actuator/health", BY_HAND)
    settings = texts_below(reading.context, SETTINGS, folders)
    default = Port(8080, "SERVER_PORT", f"Spring Boot, as no setting of {manifest} names a port,")
    port = only_port(_ports(settings)) or default
    return served(reading, settings, _MOVED, ("/actuator/health", f"the actuator of {manifest}"), port)


def _ports(settings: Mapping[str, str]) -> Iterator[Port]:
    for path, text in settings.items():
        for variable, default, number in re.findall(_PORT, text)[:1]:
            yield Port(int(default or number or 0) or None, variable or "SERVER_PORT", path)
