"""The shell script of a RUN, or why there is none to work on."""

from __future__ import annotations

from refactor.images import lookup
from refactor.shell import ShellScript, read
from refactor.syntax import Dockerfile, Instruction, Stage

_POSIX = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"})


def script_of(file: Dockerfile, node: Instruction) -> ShellScript | str:
    """The script that ``node``, a RUN, gives to a POSIX shell; or the reason why it is not one that can be read.

    A RUN in exec form starts no shell, one under ``SHELL ["powershell"]`` another one, and in a heredoc a first line
    may name any interpreter.
    """
    if node.heredocs:
        return "its body is a heredoc"
    if node.json is not None:
        return "it is in exec form and has no shell"
    reason = why_not_posix(file, node)
    if reason is not None:
        return reason
    script = read(node.argument)
    return script if script.opaque is None else f"the shell script cannot be analysed: {script.opaque}"


def why_not_posix(file: Dockerfile, node: Instruction) -> str | None:
    """Why the shell in force at ``node`` is no POSIX shell as far as known; None where it is one."""
    if not _may_have_another_shell(file):
        return None
    stage = file.stage_of(node)
    before: Instruction | None = node
    while stage is not None:
        shell = _last_shell(stage, before)
        if shell is not None:
            words = shell.json or ()
            program = (words[0] if words else "").replace("\\", "/").rpartition("/")[2].lower()
            return None if program in _POSIX else f"SHELL {program or shell.argument} is no POSIX shell"
        parent = file.stage(stage.image)
        if parent is None or parent.index >= stage.index:
            return _why_windows(stage)
        stage, before = parent, None
    return None


_last_asked: tuple[Dockerfile, bool] | None = None


def _may_have_another_shell(file: Dockerfile) -> bool:
    """A glance at the whole file, which settles the matter for nearly all; kept for the file asked about last."""
    global _last_asked
    if _last_asked is None or _last_asked[0] is not file:
        words = ("windows", "nanoserver", "servercore")
        found = any(node.keyword == "SHELL" for node in file.instructions) or any(
            word in stage.image.lower() for stage in file.stages for word in words
        )
        _last_asked = (file, found)
    return _last_asked[1]


def _last_shell(stage: Stage, before: Instruction | None) -> Instruction | None:
    found = None
    for node in stage.instructions:
        if node is before:
            break
        if node.keyword == "SHELL":
            found = node
    return found


def _why_windows(stage: Stage) -> str | None:
    # On Windows the default is cmd /S /C (Dockerfile reference, SHELL).
    image = stage.image.lower()
    if "windows" in image or "nanoserver" in image or "servercore" in image:
        known = lookup(stage.image)
        if known is None or known.distro not in {"debian", "ubuntu", "alpine"}:
            return f"{stage.image} is a Windows image, whose shell is cmd"
    return None
