"""RUN bodies: shell scripts as commands and connectors with spans, and the package managers they call."""

from refactor.shell.command import Command, Word, unwrapped
from refactor.shell.files import Files, files_of, removes_files, with_folders
from refactor.shell.installs import (
    CACHE_PLACES,
    CACHES,
    DOCKER_CLEAN,
    SYSTEM_MANAGERS,
    asks,
    installer,
    is_cleaned,
    is_cleaning,
    keeps_archives,
    only_cleans,
    why_not_one_list,
)
from refactor.shell.managers import PackageCall, package_call, package_calls
from refactor.shell.names import normalise
from refactor.shell.reader import read
from refactor.shell.script import SHELL_BUILTINS, Item, ShellScript, changes_shell

__all__ = [
    "CACHES",
    "CACHE_PLACES",
    "DOCKER_CLEAN",
    "SHELL_BUILTINS",
    "SYSTEM_MANAGERS",
    "Command",
    "Files",
    "Item",
    "PackageCall",
    "ShellScript",
    "Word",
    "asks",
    "changes_shell",
    "files_of",
    "installer",
    "is_cleaned",
    "is_cleaning",
    "keeps_archives",
    "normalise",
    "only_cleans",
    "package_call",
    "package_calls",
    "read",
    "removes_files",
    "unwrapped",
    "why_not_one_list",
    "with_folders",
]
