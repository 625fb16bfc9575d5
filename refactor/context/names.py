"""Names of files that are Dockerfiles, or say which files are."""

from __future__ import annotations

import posixpath
import re

COMPOSE_NAME = r"(?i)^(?:docker-)?compose(?:[._-].*)?\.ya?ml$"
BAKE = r"(?:^|/)docker-bake(?:\.override)?\.(?:hcl|json)$"
DEVCONTAINER = r"(?:^|/)(?:\.devcontainer\.json|\.devcontainer/(?:[^/]+/)?devcontainer\.json)$"

# Compiled where folders are searched only: a file that is named needs neither.
_NAME = r"(?i)(?:^|\.)(?:docker|container)file$|^(?:docker|container)file[^/]*$"
_NOT_A_NAME = (
    r"(?i)\.(?:dockerignore|containerignore|md|rst|txt|html?|j2|jinja2?|tmpl|tpl|template|erb|mustache|in|orig|rej|bak|swp"
    r"|py|go|js|ts|rb|java|sh|json|ya?ml|toml|lock)$|~$"
)


def names_dockerfiles(path: str) -> bool:
    """Whether a file of this name says which files are Dockerfiles: Compose, Bake, devcontainer."""
    return bool(
        re.match(COMPOSE_NAME, posixpath.basename(path)) or re.search(BAKE, path) or re.search(DEVCONTAINER, path)
    )


def is_dockerfile_name(name: str) -> bool:
    """Whether a file's name says that it is a Dockerfile."""
    return bool(re.search(_NAME, name)) and not re.search(_NOT_A_NAME, name)
