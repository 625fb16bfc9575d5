"""Calls of a tool that builds whole projects, with what the language knows of each."""

from __future__ import annotations

import posixpath
from typing import Self

from refactor.flow.effects import Invocation
from refactor.once import cached_property
from refactor.shell import PackageCall


class ToolCall:
    """A call where it stands; languages add what it works on."""

    manager = ""
    """See :attr:`PackageCall.manager`."""
    manifest_names: tuple[str, ...] = ()
    """Files, one of which the folder of a project has."""
    named_by: tuple[str, ...] = ()
    """Options that name that folder, or the manifest in it."""

    def __init__(self, call: Invocation, package: PackageCall) -> None:
        self.call = call
        self.package = package

    @classmethod
    def of(cls, call: Invocation | None) -> Self | None:
        """The call as one of the tool; None where it is none."""
        package = None if call is None else call.package
        return None if call is None or package is None or package.manager != cls.manager else cls(call, package)

    @cached_property
    def where(self) -> str:
        """The folder that it works on, as it is written."""
        named = self.package.option(*self.named_by) or "."
        endings = tuple(posixpath.splitext(name)[1] or name for name in self.manifest_names)
        return posixpath.dirname(named) or "." if named.endswith(endings) else named

    @cached_property
    def source(self) -> str | None:
        """The context path of that folder, whose manifest it reads; None where that is not known."""
        found = (self.call.source(posixpath.join(self.where, name)) for name in self.manifest_names)
        return next((posixpath.dirname(path) for path in found if path is not None), None)


__all__ = ["ToolCall"]
