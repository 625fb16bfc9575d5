"""An install that shares its RUN with other commands, taken out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from refactor.ecosystems.answers import Install
from refactor.ecosystems.cache_places import target_of
from refactor.ecosystems.compile_caches import CompileCache, compile_caches
from refactor.ecosystems.split import laid_out
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command

_ALONE = "give the install a RUN of its own"


class Apart(NamedTuple):
    """The text of the RUN up to the install and of the rest, as instructions; both None where the RUN stays as it is,
    no rest where it stays and the install goes before it."""

    install: str | None
    rest: str | None


def taken_apart(reading: StageReading, install: Install) -> Apart | Refused:
    """The RUNs of an install and of what shares its RUN, or why it cannot be taken out of it."""
    if install.new_command:
        return _apart_from_build(reading, install)
    step = install.step
    script, node = step.script, step.node
    last = install.commands[-1]
    if script is None or script.opaque is not None:
        return Refused(
            f"the RUN that installs cannot be read: {script.opaque if script else 'it has a heredoc'}", _ALONE
        )
    if install.from_manifests:
        return _twice(install)
    following = [command for command in script.commands if command.span[0] >= last.span[1]]
    if not following or all(_is_cleanup(command, install) for command in following):
        return Apart(None, None)
    if not script.is_and_list or node.json is not None or node.has_inner_comment:
        return Refused("the install shares its RUN with other commands that are not simply joined by &&", _ALONE)
    entered = _enters_folder(script.commands[0])
    if any(
        command.name in {"cd", "export", "set", "."} or not command.words
        for command in script.commands[1 if entered else 0 :]
    ):
        return Refused("the install shares its RUN with commands that change the shell's folder or variables", _ALONE)
    end = next(i for i, item in enumerate(script.top) if item.span[0] <= last.span[0] < item.span[1])
    if end + 1 >= len(script.top):
        return Apart(None, None)
    split = script.top[end + 1].span[0]
    early, late = (
        _mounts_for(reading, step, [command for command in script.commands if (command.span[0] < split) is is_early])
        for is_early in (True, False)
    )
    folder = f"cd {entered} && " if entered else ""
    if node.text.partition(node.raw_argument)[0].rstrip(" \t").endswith("\n"):
        # The author's flags stand on lines of their own.
        early, late = (flags and f"{flags}\\\n    " for flags in (early, late))
    return Apart(
        f"RUN {early}{_joined(script.text[: script.top[end].span[1]])}",
        f"RUN {late}{folder}{_joined(script.text[split:])}",
    )


def _enters_folder(command: Command) -> str | None:
    """The folder that a RUN which opens with `cd folder` works in, as written; both halves then start with that."""
    if command.name != "cd" or len(command.words) != 2 or command.assignments or command.redirects:
        return None
    folder = command.words[1]
    return folder.text if folder.value and not folder.value.startswith("-") else None


def _apart_from_build(reading: StageReading, install: Install) -> Apart:
    """A RUN of its own for what the build would otherwise download itself."""
    step = install.step
    flags = "".join(f"{flag} " for flag in _mounts_for(reading, step, ()).split() if "type=cache" in flag)
    folder = "" if install.folder == step.workdir else f"cd {install.folder} && "
    return Apart(f"RUN {flags}{folder}{install.new_command}", None)


def _twice(install: Install) -> Apart | Refused:
    """The RUN up to the install, with that from the manifests alone, and the install itself with what follows."""
    step, (start, _) = install.step, install.commands[-1].span
    if step.script is None or not step.script.is_and_list or step.node.json is not None:
        return Refused("the install shares its RUN with other commands that are not simply joined by &&", _ALONE)
    folder = _enters_folder(step.script.commands[0])
    run = f"RUN {''.join(f'{flag.text} ' for flag in step.node.flags)}"
    again = (f"cd {folder} && " if folder else "") + step.script.text[start:]
    return Apart(run + laid_out(step.script.text[:start] + install.from_manifests), run + " ".join(again.split()))


def _joined(text: str) -> str:
    # Continuations of the author's text were folded into blanks; long lists read better one command a line.
    return " ".join(text.split()) if "'" not in text and '"' not in text else text.strip()


def _is_cleanup(command: Command, install: Install) -> bool:
    return command.name in {"rm", "true"} or any(
        call.command is command and call.action in {"clean", "remove"} for call in install.step.calls
    )


def _mounts_for(reading: StageReading, step: Step, commands: Sequence[Command]) -> str:
    """The flags of a RUN as they are written, each with a blank behind it, for a part of its commands: the mount of a
    cache stays with the commands that use it."""
    from refactor.ecosystems.download_caches import idle_mounts

    idle = idle_mounts(reading, step, commands) + [
        cache.folder
        for cache in compile_caches(reading)
        if isinstance(cache, CompileCache) and cache.step is step and not set(cache.commands) & set(commands)
    ]
    return "".join(
        f"{flag.text} "
        for flag in step.node.flags
        if flag.name != "mount" or target_of(reading, step, flag.value or "", "cache") not in idle
    )


__all__ = ["Apart", "taken_apart"]
