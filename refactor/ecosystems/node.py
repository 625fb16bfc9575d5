"""Node projects."""

from __future__ import annotations

from refactor.ecosystems.ecosystem import Ecosystem
from refactor.ecosystems.reading import StageReading


class Node(Ecosystem):
    name = "Node"

    def recognises(self, reading: StageReading) -> bool:
        return reading.image is not None and reading.image.family == "node"
