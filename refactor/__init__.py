"""dockerfix: the public API, and the only door for authors of codemods.

``parse(source)`` gives the lossless tree (``bytes(tree) == source``), ``fix(source, context)`` the rewrite of a whole
Dockerfile. A codemod is a class in one file of the package ``codemods``; everything it needs is imported from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# From the lowest room up: begun at the top, imports stand in imports a hundred frames deep, for which Python 3.11
# asks the operating system for memory again and again.
# isort: off
from refactor.syntax import (
    Dockerfile as Dockerfile,
    Edit as Edit,
    Heredoc as Heredoc,
    InsertAfter as InsertAfter,
    InsertBefore as InsertBefore,
    Instruction as Instruction,
    MoveAfter as MoveAfter,
    MoveBefore as MoveBefore,
    Problem as Problem,
    Remove as Remove,
    Replace as Replace,
    Stage as Stage,
    Trivia as Trivia,
    is_same_word as is_same_word,
    parse as parse,
    stage_references as stage_references,
    with_stage_reference as with_stage_reference,
)
from refactor.shell import (
    CACHE_PLACES as CACHE_PLACES,
    CACHES as CACHES,
    SHELL_BUILTINS as SHELL_BUILTINS,
    SYSTEM_MANAGERS as SYSTEM_MANAGERS,
    Command as Command,
    Files as Files,
    PackageCall as PackageCall,
    ShellScript as ShellScript,
    Word as Word,
    asks as asks,
    changes_shell as changes_shell,
    files_of as files_of,
    installer as installer,
    is_cleaned as is_cleaned,
    is_cleaning as is_cleaning,
    only_cleans as only_cleans,
    package_call as package_call,
    package_calls as package_calls,
    read as read,
    why_not_one_list as why_not_one_list,
)
from refactor.context import (
    BuildContext as BuildContext,
    Unknown as Unknown,
)
from refactor.images import (
    BaseImage as BaseImage,
    is_known_tag as is_known_tag,
    lookup as lookup,
    moves as moves,
    parse_reference as parse_reference,
    why_windows as why_windows,
    with_version as with_version,
)
from refactor.images.retired import (
    end_of as end_of,
    kept_line as kept_line,
    next_debian as next_debian,
    release_end as release_end,
    repository_end as repository_end,
    version_end as version_end,
)
from refactor.flow import (
    SECRET_NAME as SECRET_NAME,
    Move as Move,
    Token as Token,
    first_sources as first_sources,
    goes_first as goes_first,
    is_token as is_token,
    is_within as is_within,
    leaked as leaked,
    may_leak as may_leak,
    tokens as tokens,
    why_no_sources as why_no_sources,
)
from refactor.flow.independent import (
    are_apart as are_apart,
    commits_to as commits_to,
    copies_apart as copies_apart,
    only_installs as only_installs,
)
from refactor.ecosystems import (
    Copied as Copied,
    Ecosystem as Ecosystem,
    Foreign as Foreign,
    Refused as Refused,
    StageReading as StageReading,
    Start as Start,
    Step as Step,
    flow_of as flow_of,
    foreign as foreign,
    join as join,
    program_of as program_of,
    recognise as recognise,
    version_named as version_named,
)
from refactor.codemod import (
    Aspect as Aspect,
    Body as Body,
    Codemod as Codemod,
    Example as Example,
    FileEdit as FileEdit,
    Finding as Finding,
    Option as Option,
    Phase as Phase,
    Refusal as Refusal,
    Safety as Safety,
    Settings as Settings,
    body_of as body_of,
    called_scripts as called_scripts,
    kept_apart as kept_apart,
    leaves as leaves,
    lives_on_lists as lives_on_lists,
    refuse as refuse,
    rewrites as rewrites,
    script_of as script_of,
    shell_at as shell_at,
    why_lists_needed as why_lists_needed,
    why_lists_needed_above as why_lists_needed_above,
    why_not_posix as why_not_posix,
)
from refactor.engine.change import (
    Change as Change,
)
from refactor.engine.fix import (
    fix as fix,
)
from refactor.engine.selection import (
    UnknownCodemod as UnknownCodemod,
)
# isort: on

__version__ = "0.1.0"

if TYPE_CHECKING:
    from refactor.later import *  # noqa: F403
else:

    def __getattr__(name):
        """What few files need is imported when its first name is asked for, in the function that uses it."""
        from importlib import import_module

        found = vars(import_module("refactor.later")).get(name)
        if found is None or name.startswith("_"):
            raise AttributeError(f"module 'refactor' has no attribute {name!r}")
        globals()[name] = found
        return found
