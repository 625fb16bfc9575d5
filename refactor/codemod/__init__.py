"""What a codemod is made of: its findings, refusals, examples and how sure it is of them."""

from __future__ import annotations

from refactor.codemod.codemod import Codemod, Option, Phase, Settings
from refactor.codemod.example import Example, leaves, rewrites
from refactor.codemod.finding import FileEdit, Finding, Refusal, Safety, refuse
from refactor.codemod.package_lists import lives_on_lists, why_lists_needed, why_lists_needed_above
from refactor.codemod.scripts import Body, body_of, called_scripts, kept_apart, script_of, shell_at, why_not_posix
from refactor.model.aspects import Aspect

__all__ = [
    "Aspect",
    "Body",
    "Codemod",
    "Example",
    "FileEdit",
    "Finding",
    "Option",
    "Phase",
    "Refusal",
    "Safety",
    "Settings",
    "body_of",
    "called_scripts",
    "kept_apart",
    "leaves",
    "lives_on_lists",
    "refuse",
    "rewrites",
    "script_of",
    "shell_at",
    "why_lists_needed",
    "why_lists_needed_above",
    "why_not_posix",
]
