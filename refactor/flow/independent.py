"""RUN instructions that install system packages or tools by name: what they do follows from their words alone."""

from __future__ import annotations

import re

from refactor.context import Unknown
from refactor.flow.reading import StageReading, Step, is_within, join
from refactor.shell import SYSTEM_MANAGERS, Command, PackageCall, is_cleaning, keeps_archives, package_call
from refactor.syntax import Instruction

_BY_NAME = {"pip": "install", "npm": "global-install", "gem": "install"}
"""Managers of languages, and the action by which they install tools by name into a place of their own. Yarn and pnpm
read settings of the folder that they are called in."""
_OF_FILES = (
    *("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--user", "--no-index", "--file", "--local"),
    *("-t", "--target", "--prefix", "--root"),
)
"""Options by which they read or write files of one's own."""
_SETTINGS = r"(?:PIP|NPM|npm|GEM|BUNDLE)_.*"
_PLACES = frozenset({"PATH", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "NODE_PATH"})
"""Variables that say where a language looks for its tools and modules: perhaps among what was copied."""
_ACTIONS = frozenset({"install", "update", "upgrade", "clean", "autoclean", "autoremove", "remove", "purge"})
_NAME = r"[@.]?[A-Za-z0-9][\w.+:/@~^<>=!*,\[\]-]*"


def only_installs(reading: StageReading, step: Step, managers: frozenset[str] | None = None) -> bool:
    """Whether a RUN does nothing but install packages by their names (with ``managers`` None: of the system, and tools
    of pip, npm and gem), tidy up after that, and say something.

    Such a RUN reads no file that a COPY brought to a folder of its own, and no variable but those of its managers.
    """
    script = step.script
    if step.keyword != "RUN" or script is None or script.opaque is not None or step.node.heredocs:
        return False
    if any("type=cache" not in value for value in step.node.flag_values("mount")):
        return False
    commands = script.commands
    return any(_installs(command) for command in commands) and all(
        _is_by_name(reading, step, command, managers) for command in commands
    )


def _installs(command: Command) -> bool:
    call = package_call(command)
    return call is not None and call.action in {"install", "global-install", "upgrade"}


def _is_by_name(reading: StageReading, step: Step, command: Command, managers: frozenset[str] | None) -> bool:
    if command.redirects and any(not re.match(r"\d?>&\d|\d?>>?\s*/dev/null", text) for text in command.redirects):
        return False
    call = package_call(command)
    if call is None:
        name = command.name or ""
        if name == "set":
            return all(arg.startswith(("-", "+")) for arg in command.args)
        return name in {"echo", "true", ":"} or is_cleaning(command) or keeps_archives(command)
    if call.script is not None or (call.program.endswith("pip") and " " in call.program):
        # `python -m pip` looks for modules in the folder that it is called in.
        return False
    if any(value and "/" in value and "://" not in value for _, value in call.options):
        return False
    if call.manager in SYSTEM_MANAGERS:
        is_known = call.action in _ACTIONS
    else:
        is_known = (
            managers is None
            and _BY_NAME.get(call.manager) == call.action
            and not call.has(*_OF_FILES)
            and not call.has(*{"pip": ("-f", "--find-links"), "gem": ("-g",)}.get(call.manager, ()))
            and step.user in {None, "root", "0"}
            and not _is_set_elsewhere(reading, step)
        )
    return is_known and all(_is_name(reading, step, call, word.text) for word in call.operands)


def _is_set_elsewhere(reading: StageReading, step: Step) -> bool:
    """Variables of the file may lead a language's manager to files of one's own."""
    known = reading.file.environment(step.node)
    return any(
        name in _PLACES or (re.fullmatch(_SETTINGS, name) and (value is None or ("/" in value and "://" not in value)))
        for name, value in known.items()
    )


def _is_name(reading: StageReading, step: Step, call: PackageCall, text: str) -> bool:
    value = reading.expand(text, step.node) if "$" in text else text
    if value is None or "$" in value or "`" in value:
        return False
    return all(
        re.fullmatch(_NAME, part.strip("\"'")) is not None
        and ("/" not in part or (call.manager == "npm" and part.strip("\"'").startswith("@")) or call.manager == "apt")
        and not part.endswith((".deb", ".rpm", ".apk", ".whl", ".tgz", ".tar.gz", ".gem", ".zip"))
        for part in value.split()
    )


_OF_THE_SYSTEM = r"/(?:bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|tmp|usr|var)(?:/|\Z)|/(?:opt|home)\Z|/\Z"
_OF_ONE_S_OWN = r"/usr/src/[^/]"


def copies_apart(reading: StageReading, step: Step) -> bool:
    """Whether a COPY brings files only to a folder that no package is installed to: ``/app``, ``/usr/src/app``."""
    node = step.node
    written = None if node.destination is None else reading.expand(node.destination, node)
    if written is None or node.flag("link") is not None or node.keyword == "ADD":
        return False
    target = join(step.workdir, written)
    return "$" not in target and (
        re.match(_OF_ONE_S_OWN, target) is not None or re.match(_OF_THE_SYSTEM, target) is None
    )


def are_apart(reading: StageReading, one: Instruction, other: Instruction) -> bool:
    """Whether two COPYs from the build context are known to write to different places, so that their order is no
    matter."""
    first, second = reading.copied_by(one), reading.copied_by(other)
    return (
        len(first) >= len(one.sources) > 0
        and len(second) >= len(other.sources) > 0
        and not any("$" in copied.target for copied in (*first, *second))
        and not any(is_within(a.target, b.target) or is_within(b.target, a.target) for a in first for b in second)
    )


def commits_to(reading: StageReading, node: Instruction) -> int | None:
    """How many of the latest commits changed what a COPY brings; None where that is not known: something of it is in no
    commit."""
    history, context = reading.context.history, reading.context
    for copied in reading.copied_by(node):
        files = context.files(copied.source) if copied.is_folder else (copied.source,)
        if isinstance(files, Unknown) or not history.tracked.issuperset(files):
            return None
    return history.count(*(copied.source for copied in reading.copied_by(node)))


__all__ = ["are_apart", "commits_to", "copies_apart", "only_installs"]
