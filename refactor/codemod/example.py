"""Examples: the documentation of a codemod that is run as its tests."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

NO_FILES: Mapping[str, str] = {}


class Example:
    """One Dockerfile and what a codemod makes of it.

    ``after`` is None where the codemod leaves the file alone; then ``because`` is a part of the refusal's reason, or
    None where there is nothing to say. ``files`` is the build context, ``settings`` the codemod's configuration.
    """

    __slots__ = ("after", "because", "before", "files", "name", "settings")

    def __init__(
        self,
        name: str,
        before: str,
        after: str | None,
        because: str | None,
        files: Mapping[str, str] | None,
        settings: Mapping[str, object],
    ) -> None:
        self.name = name
        self.before = textwrap.dedent(before).lstrip("\n")
        self.after = None if after is None else textwrap.dedent(after).lstrip("\n")
        self.because = because
        self.files = files
        self.settings = settings


def rewrites(
    name: str,
    *,
    before: str,
    after: str,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, object] = NO_FILES,
) -> Example:
    """The codemod turns ``before`` into ``after``; common indentation and a first empty line are dropped.

    ``files`` None means that the build context is unknown, a mapping is the whole context.
    """
    return Example(name, before, after, None, files, settings)


def leaves(
    name: str,
    before: str,
    *,
    because: str | None = None,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, object] = NO_FILES,
) -> Example:
    """The codemod leaves ``before`` untouched; with ``because`` it says so in a refusal that contains these words."""
    return Example(name, before, None, because, files, settings)
