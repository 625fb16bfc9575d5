"""Calls of a tool that builds whole projects, with what the language knows of each."""

from __future__ import annotations

from typing import Self

from refactor.flow.effects import Invocation
from refactor.shell import PackageCall


class ToolCall:
    """A call where it stands; languages add what it works on."""

    manager = ""
    """See :attr:`PackageCall.manager`."""

    def __init__(self, call: Invocation, package: PackageCall) -> None:
        self.call = call
        self.package = package

    @classmethod
    def of(cls, call: Invocation | None) -> Self | None:
        """The call as one of the tool; None where it is none."""
        package = None if call is None else call.package
        return None if call is None or package is None or package.manager != cls.manager else cls(call, package)


__all__ = ["ToolCall"]
