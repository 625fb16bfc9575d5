"""The version of Node.js that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place

NAMING = Naming(
    "Node.js",
    ".nvmrc with the version, such as 22",
    (
        Place(".nvmrc"),
        Place(".node-version"),
        Place("package.json", "volta.node"),
        Place("package.json", "engines.node"),
    ),
    ("nodejs", "node"),
    depth=1,
)
