"""PHP: projects of Composer, Laravel and Symfony among them, on the images for the command line, Apache and FPM."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.program import Program
    from refactor.flow.roots import Root

_SERVERS = frozenset("apache2-foreground php-fpm apachectl apache2ctl apache2".split())
_PUBLIC = ("public", "", "web", "html", "www", "src", "app/webroot")
"""Folders of start pages."""
_VALUED = frozenset(("-d", "-c", "-S", "-t", "-z", "-f"))


def _is_server(root: Root) -> bool:
    """It serves the start page of a folder."""
    from refactor.ecosystems.php.packaged import FPM, SERVICES

    name = root.words[1] if root.name == "service" and len(root.words) > 1 else root.name
    is_script = posixpath.dirname(root.words[0]) == "/etc/init.d"
    if root.name == "service" or is_script:
        return re.fullmatch(SERVICES, name) is not None
    return name in _SERVERS or re.fullmatch(FPM, name) is not None


class PHP(Language):
    name = "PHP"
    rooms = {
        "tools": "effect own_scripts",
        "needs": "needs_of why_not_split runner writes production_install",
    }
    families = frozenset({"php", "composer", "swoole", "frankenphp"})
    versioned = frozenset({"php"})
    programs = _SERVERS | frozenset(
        """php composer composer.phar artisan console pecl docker-php-ext-install docker-php-ext-enable
        docker-php-ext-configure docker-php-source""".split()
    )
    sources = r"\.(?:php|phtml|inc)\Z|(?:^|/)(?:artisan|bin/console)\Z"
    manifest = "composer.json"
    other_folders = ("node_modules", "vendor", "tests", ".git")
    development_server = (
        r"php artisan serve\b|php -S\b",
        "PHP's own web server",
        "start php-fpm behind nginx, or Apache (php:apache)",
    )
    build_packages = frozenset("git unzip zip p7zip-full libtool re2c php-pear".split())

    def roots(self, reading: StageReading) -> tuple[Root, ...] | Refused:
        from refactor.flow.roots import Root, roots_of

        image = reading.image
        if reading.start is None and image is not None and image.family == "php" and image.cmd[:1] != ("php",):
            return (Root(image.cmd, reading.final_workdir, f"{image.reference} itself"),)
        return roots_of(reading)

    def entry(self, root: Root) -> str | Refused | None:
        words = root.words
        if root.name in {"composer", "composer.phar"}:
            return Refused(f"{root.where} calls composer at every start", "call it in a RUN")
        if _is_server(root):
            return "index.php"
        if root.name != "php":
            return words[0] if re.search(self.sources, words[0]) else None
        named = self.script(root, words, "-r", _VALUED)
        if "-S" in words and named is None:
            folder = words[words.index("-t") + 1] if "-t" in words[:-1] else ""
            return posixpath.join(folder, "index.php")
        return named

    def _program(self, reading: StageReading, root: Root, word: str) -> Program | Refused | None:
        if not _is_server(root):
            return super()._program(reading, root, word)
        from refactor.ecosystems.php.packaged import document_roots
        from refactor.ecosystems.program import Program
        from refactor.flow.places import source_of

        roots = self.roots(reading)
        served = () if isinstance(roots, Refused) else tuple(document_roots(reading, roots))
        for folder in (*served, *_PUBLIC):
            place = posixpath.normpath(posixpath.join(root.folder, folder, word))
            # Tasks of frameworks may write into its folder: what it was copied from counts.
            source = source_of(reading, place)
            if source and self.flow(reading).makers(reading, place):
                return Program(root, place, None, source, reading, self.flow(reading))
        return Refused(
            f"no start page (index.php) that {root.where} serves is copied below {root.folder} from the context",
            "set WORKDIR to the folder of the application",
        )
