"""The version of PHP that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place

NAMING = Naming(
    "PHP",
    "config.platform.php to composer.json, such as 8.4",
    (
        # What packages are chosen for; the last number is often a plain 0.
        Place("composer.json", "config.platform.php", plain=lambda text: ".".join(text.split(".")[:2])),
        Place("composer.json", "require.php", is_pessimistic=True),
        Place(".php-version"),
    ),
    ("php",),
)
