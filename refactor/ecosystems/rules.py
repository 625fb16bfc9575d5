"""Answers of a language that stand in modules of its room, each imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Rule:
    """A method of a language that is the function of the same name in a module beside the class."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.path, self.name = f"{owner.__module__}.{self.module}", name

    def __get__(self, language: object, owner: type | None = None) -> Any:
        return getattr(import_module(self.path), self.name)


def rule(module: str) -> Any:
    """A :class:`Rule`; its type is that of the method in :class:`Ecosystem` or :class:`Language`."""
    return Rule(module)


__all__ = ["Rule", "rule"]
