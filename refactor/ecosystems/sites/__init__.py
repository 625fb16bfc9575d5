"""Sites that a generator makes of text: Hugo, Jekyll, MkDocs, Sphinx."""

from __future__ import annotations

from refactor.ecosystems.ecosystem import Ecosystem
from refactor.flow.reading import StageReading

_SERVERS = ("hugo", "jekyll", "mkdocs", "sphinx")
_FAMILIES = frozenset({"hugo", "mkdocs-material", "jekyll"})


class Sites(Ecosystem):
    """Recognised by the development server that is started: what a RUN builds is served already, or goes elsewhere."""

    name = "Static sites"
    rooms = {
        "static_site": "static_site written",
    }

    def recognises(self, reading: StageReading) -> bool:
        if reading.image is not None and reading.image.family in _FAMILIES:
            return True
        start = reading.start
        if start is None or not any(name in start.text for name in _SERVERS):
            return False
        from refactor.ecosystems.sites.tools import server_of

        return server_of(reading) is not None
