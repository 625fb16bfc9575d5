"""What composer.json and composer.lock say: what an install reads, whose scripts it runs, what is for development.

Sources: getcomposer.org/doc (04-schema.md, articles/scripts.md, articles/autoloader-optimization.md).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from refactor.context import BuildContext
from refactor.context.tables import items, table, text

_ON_INSTALL = ("pre-install-cmd", "post-install-cmd", "pre-autoload-dump", "post-autoload-dump", "pre-update-cmd",
               "post-update-cmd", "post-root-package-install")  # fmt: skip
_OPTIMIZES = ("-o", "--optimize-autoloader", "-a", "--classmap-authoritative", "--apcu-autoloader")


class Project(NamedTuple):
    """A project of Composer."""

    folder: str
    """Context path of the folder with composer.json."""
    manifest: Mapping[str, object]
    lock: Mapping[str, object]
    """Empty where there is no composer.lock."""

    @property
    def has_lock(self) -> bool:
        return bool(self.lock)

    @property
    def vendor(self) -> str:
        return text(table(self.manifest.get("config")).get("vendor-dir")) or "vendor"

    @property
    def scripts(self) -> tuple[str, ...]:
        """Scripts of the project that an install runs."""
        return tuple(name for name in _ON_INSTALL if name in table(self.manifest.get("scripts")))

    @property
    def folder_of_packages(self) -> str | None:
        """A folder that packages come from (a repository of the type ``path``)."""
        own = self.manifest.get("repositories")
        found = own.values() if isinstance(own, Mapping) else items(own)
        return next((text(table(one).get("url")) for one in found if table(one).get("type") == "path"), None)

    def why_sources(self, words: Sequence[str]) -> str | None:
        """Why an install of these words reads the sources; None where it reads the manifests alone."""
        if "--no-scripts" not in words and self.scripts:
            return f"it runs the project's script {self.scripts[-1]}"
        autoload = table(self.manifest.get("autoload"))
        if "--no-autoloader" in words:
            return None
        if any(word in words for word in _OPTIMIZES) or table(self.manifest.get("config")).get("optimize-autoloader"):
            return "it looks for classes in the sources (optimised autoloader)"
        listed = next((kind for kind in ("classmap", "psr-0") if autoload.get(kind)), None)
        return f"it looks for classes in the sources ({listed})" if listed else None

    @property
    def names(self) -> frozenset[str]:
        """Packages for the running program."""
        return frozenset(table(self.manifest.get("require"))) | frozenset(
            name for one in items(self.lock.get("packages")) if (name := text(table(one).get("name")))
        )

    @property
    def development(self) -> dict[str, tuple[str, ...]]:
        """Packages that only development asks for -> the namespaces that they bring, by composer.lock."""
        found: dict[str, tuple[str, ...]] = {}
        for one in items(self.lock.get("packages-dev")):
            name, autoload = text(table(one).get("name")), table(table(one).get("autoload"))
            spaces = [space for kind in ("psr-4", "psr-0") for space in table(autoload.get(kind)) if space.strip("\\")]
            if name is not None:
                found[name] = tuple(space.strip("\\") for space in spaces)
        return found


def read_project(context: BuildContext, folder: str) -> Project | None:
    """The project in a folder of the context; None where no composer.json can be read there."""
    manifest = context.json(posixpath.join(folder, "composer.json"))
    lock = context.json(posixpath.join(folder, "composer.lock"))
    return Project(folder, manifest, table(lock)) if isinstance(manifest, dict) else None
