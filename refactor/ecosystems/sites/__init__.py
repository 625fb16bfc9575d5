"""Sites that a generator makes of text: Hugo, Jekyll, MkDocs, Sphinx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.ecosystem import Ecosystem
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.answers import StaticSite, Written

_SERVERS = ("hugo", "jekyll", "mkdocs", "sphinx")
_FAMILIES = frozenset({"hugo", "mkdocs-material", "jekyll"})


class Sites(Ecosystem):
    """Recognised by the development server that is started: what a RUN builds is served already, or goes elsewhere."""

    name = "Static sites"

    def recognises(self, reading: StageReading) -> bool:
        if reading.image is not None and reading.image.family in _FAMILIES:
            return True
        start = reading.start
        if start is None or not any(name in start.text for name in _SERVERS):
            return False
        from refactor.ecosystems.sites.tools import server_of

        return server_of(reading) is not None

    def static_site(self, reading: StageReading) -> StaticSite | Refused | None:
        from refactor.ecosystems.sites.static_site import static_site

        return static_site(reading)

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.ecosystems.sites.static_site import written

        return written(reading)
