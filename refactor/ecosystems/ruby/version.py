"""The version of Ruby that a project names."""

from __future__ import annotations

from refactor.ecosystems.versions import Naming, Place

NAMING = Naming(
    "Ruby",
    ".ruby-version with the version, such as 3.4",
    (
        Place(".ruby-version", plain=lambda text: text.removeprefix("ruby-")),
        Place("Gemfile", pattern=r"(?m)^\s*ruby\s*\(?\s*[\"']([^\"']+)[\"']"),
        Place("Gemfile.lock", pattern=r"(?m)^RUBY VERSION\n\s+ruby (\d+\.\d+\.\d+)"),
    ),
    ("ruby",),
)
