"""dockerfix: the public API, and the only door for authors of codemods.

``parse(source)`` gives the lossless tree (``bytes(tree) == source``), ``fix(source, context)`` the rewrite of a whole
Dockerfile. A codemod is a class in one file of the package ``codemods``; everything it needs is imported from here.
Names are loaded when they are first used, so that a program that needs one room does not pay for the others.
"""

from __future__ import annotations

from refactor.light import TYPE_CHECKING, import_module

__version__ = "0.1.0"

_HOMES = {
    "refactor.syntax": (
        "Dockerfile", "Edit", "Heredoc", "InsertAfter", "InsertBefore", "Instruction", "MoveAfter", "MoveBefore",
        "Problem", "Remove", "Replace", "Stage", "Trivia", "parse",
    ),
    "refactor.shell": ("Command", "PackageCall", "ShellScript", "Word", "package_call", "package_calls", "read"),
    "refactor.context": ("BuildContext", "Deployment", "Unknown"),
    "refactor.ecosystems": (
        "Ecosystem", "Install", "Instead", "Refused", "Rewrite", "Slim", "SplitPlan", "StageReading", "Start", "Step",
        "Written", "join", "recognise",
    ),
    "refactor.ecosystems.split": ("variant_reference",),
    "refactor.images": ("BaseImage", "lookup"),
    "refactor.codemod": (
        "Aspect", "Codemod", "Example", "Finding", "Option", "Phase", "Refusal", "Safety", "Settings", "leaves",
        "refuse", "rewrites", "script_of",
    ),
    "refactor.engine.change": ("Change",),
    "refactor.engine.fix": ("UnknownCodemod", "fix"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from refactor.codemod import (
        Aspect,
        Codemod,
        Example,
        Finding,
        Option,
        Phase,
        Refusal,
        Safety,
        Settings,
        leaves,
        refuse,
        rewrites,
        script_of,
    )
    from refactor.context import BuildContext, Deployment, Unknown
    from refactor.ecosystems import (
        Ecosystem,
        Install,
        Instead,
        Refused,
        Rewrite,
        Slim,
        SplitPlan,
        StageReading,
        Start,
        Step,
        Written,
        join,
        recognise,
    )
    from refactor.ecosystems.split import variant_reference
    from refactor.engine.change import Change
    from refactor.engine.fix import UnknownCodemod, fix
    from refactor.images import BaseImage, lookup
    from refactor.shell import Command, PackageCall, ShellScript, Word, package_call, package_calls, read
    from refactor.syntax import (
        Dockerfile,
        Edit,
        Heredoc,
        InsertAfter,
        InsertBefore,
        Instruction,
        MoveAfter,
        MoveBefore,
        Problem,
        Remove,
        Replace,
        Stage,
        Trivia,
        parse,
    )

__all__ = [
    "Aspect",
    "BaseImage",
    "BuildContext",
    "Change",
    "Codemod",
    "Command",
    "Deployment",
    "Dockerfile",
    "Ecosystem",
    "Edit",
    "Example",
    "Finding",
    "Heredoc",
    "InsertAfter",
    "InsertBefore",
    "Install",
    "Instead",
    "Instruction",
    "MoveAfter",
    "MoveBefore",
    "Option",
    "PackageCall",
    "Phase",
    "Problem",
    "Refusal",
    "Refused",
    "Remove",
    "Replace",
    "Rewrite",
    "Safety",
    "Settings",
    "ShellScript",
    "Slim",
    "SplitPlan",
    "Stage",
    "StageReading",
    "Start",
    "Step",
    "Trivia",
    "Unknown",
    "UnknownCodemod",
    "Word",
    "Written",
    "__version__",
    "fix",
    "join",
    "leaves",
    "lookup",
    "package_call",
    "package_calls",
    "parse",
    "read",
    "recognise",
    "refuse",
    "rewrites",
    "script_of",
    "variant_reference",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'refactor' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
