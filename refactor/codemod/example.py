"""Examples: the documentation of a codemod that is run as its tests."""

from __future__ import annotations

from collections.abc import Mapping

NO_FILES: Mapping[str, str] = {}


class Example:
    """One Dockerfile and what a codemod makes of it.

    ``after`` is None where the codemod leaves the file alone; then ``because`` is a part of the refusal's reason, or
    None where there is nothing to say. ``files`` is the build context, ``written`` what the codemod writes into it,
    ``settings`` the codemod's configuration.
    """

    __slots__ = ("_after", "_before", "_written", "because", "files", "name", "settings")

    def __init__(
        self,
        name: str,
        before: str,
        after: str | None,
        because: str | None,
        files: Mapping[str, str] | None,
        settings: Mapping[str, object],
        written: Mapping[str, str],
    ) -> None:
        self.name = name
        # Examples are made at every start-up and read only by tests and `explain`: the text is dedented there.
        self._before = before
        self._after = after
        self.because = because
        self.files = files
        self.settings = settings
        self._written = written

    @property
    def before(self) -> str:
        return _dedented(self._before)

    @property
    def after(self) -> str | None:
        return None if self._after is None else _dedented(self._after)

    @property
    def written(self) -> Mapping[str, str]:
        return {path: _dedented(text) for path, text in self._written.items()}


def _dedented(text: str) -> str:
    from textwrap import dedent

    return dedent(text).lstrip("\n")


def rewrites(
    name: str,
    *,
    before: str,
    after: str,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, object] = NO_FILES,
    written: Mapping[str, str] = NO_FILES,
) -> Example:
    """The codemod turns ``before`` into ``after``; common indentation and a first empty line are dropped.

    ``files`` None means that the build context is unknown, a mapping is the whole context; ``written``
    is what it writes beside the Dockerfile.
    """
    return Example(name, before, after, None, files, settings, written)


def leaves(
    name: str,
    before: str,
    *,
    because: str | None = None,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, object] = NO_FILES,
) -> Example:
    """The codemod leaves ``before`` untouched; with ``because`` it says so in a refusal that contains these words."""
    return Example(name, before, None, because, files, settings, NO_FILES)
