"""RUN bodies: shell scripts as commands and connectors with spans, and the package managers they call."""

from refactor.shell.command import Command, Word
from refactor.shell.managers import PackageCall, package_call, package_calls
from refactor.shell.reader import read
from refactor.shell.script import Item, ShellScript

__all__ = [
    "Command",
    "Item",
    "PackageCall",
    "ShellScript",
    "Word",
    "package_call",
    "package_calls",
    "read",
]
