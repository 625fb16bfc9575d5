"""Python projects."""

from __future__ import annotations

from refactor.ecosystems.ecosystem import Ecosystem
from refactor.ecosystems.reading import StageReading


class Python(Ecosystem):
    name = "Python"

    def recognises(self, reading: StageReading) -> bool:
        return reading.image is not None and reading.image.family == "python"
