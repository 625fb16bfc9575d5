"""The shell script of a RUN, or why there is none to work on."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.reading import StageReading, join
from refactor.images import why_windows
from refactor.shell import Command, ShellScript, read
from refactor.syntax import Dockerfile, Instruction, Stage, Trivia

_POSIX = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"})


def script_of(file: Dockerfile, node: Instruction) -> ShellScript | str:
    """The script that ``node``, a RUN, gives to a POSIX shell; or the reason why it is not one that can be read.

    A RUN in exec form starts no shell, one under ``SHELL ["powershell"]`` another one, and in a heredoc a first line
    may name any interpreter.
    """
    # Asked by every codemod of every RUN.
    known: dict[Instruction, ShellScript | str] = file.remember("scripts", dict)
    if node not in known:
        known[node] = _script_of(file, node)
    return known[node]


def _script_of(file: Dockerfile, node: Instruction) -> ShellScript | str:
    if node.heredocs:
        return "its body is a heredoc"
    if node.json is not None:
        return "it is in exec form and has no shell"
    reason = why_not_posix(file, node)
    if reason is not None:
        return reason
    script = read(node.argument)
    return script if script.opaque is None else f"the shell script cannot be analysed: {script.opaque}"


class Body(NamedTuple):
    """What a RUN gives to a POSIX shell, on its own lines or in a heredoc."""

    node: Instruction
    script: ShellScript
    is_heredoc: bool

    def splice(self, changes: Sequence[tuple[int, int, str]]) -> Instruction:
        """The RUN with spans of the script replaced, (start, end, new text) each. No new text may hold a line break."""
        return self.node.splice_body(changes) if self.is_heredoc else self.node.splice(changes)

    def removal(self, commands: Sequence[Command]) -> list[tuple[int, int, str]] | None:
        """The changes that take commands out of the list that the script is.

        None where one of them is no member of the list, beside `||`, redirected, or has a comment; or where nothing
        would be left.
        """
        items = self.script.top
        gone = [at for at, item in enumerate(items) if any(item.command is command for command in commands)]
        if len(gone) < len(commands) or len(gone) == len(items):
            return None
        changes = []
        for at in gone:
            joints = {items[index].connector_before for index in (at, at + 1) if 0 < index < len(items)}
            is_head = all(index in gone for index in range(at))
            start, end = (items[at - 1].span[1], items[at].span[1])
            if is_head:
                start, end = items[at].span[0], items[at + 1].span[0]
                joints = {items[at + 1].connector_before}
            raw = self.script.text[start:end] if self.is_heredoc else self.node.raw(start, end)
            command = items[at].command
            if not joints <= {"&&", ";", "\n"} or len(joints) > 1 or "#" in raw or (command and command.redirects):
                return None
            changes.append((start, end, ""))
        return changes


def body_of(file: Dockerfile, node: Instruction) -> Body | str:
    """As :func:`script_of`, also for ``RUN <<EOF``, whose body is the script: for changes within its commands."""
    if not node.heredocs:
        found = script_of(file, node)
        return found if isinstance(found, str) else Body(node, found, False)
    if len(node.heredocs) > 1 or re.fullmatch(r"<<-?[ \t]*([\"']?)\w+\1", node.argument) is None:
        return "a heredoc is given to a program"
    reason = why_not_posix(file, node)
    if reason is not None:
        return reason
    text = node.heredocs[0].body
    if "\r" in text:
        return "its body is a heredoc with carriage returns"
    script = read(text)
    return Body(node, script, True) if script.opaque is None else f"the heredoc cannot be analysed: {script.opaque}"


_APART = r"\bseparate\s+(?i:RUN|command|step|layer|statement|instruction)s?\b"


def kept_apart(file: Dockerfile, stage: Stage) -> frozenset[Instruction]:
    """The RUNs behind another one that a comment above the first of them wants to stay commands of their own."""
    if not any("separate" in line.text for line in stage.nodes if isinstance(line, Trivia)):
        return frozenset()
    found: list[Instruction] = []
    is_apart = False
    for before, node in pairwise(stage.instructions):
        comments = file.comments_above(before)
        is_apart = any(re.search(_APART, line.text) for line in comments) if comments else is_apart
        is_apart = is_apart and before.keyword == "RUN"
        if is_apart and node.keyword == "RUN" and not file.comments_above(node):
            found.append(node)
    return frozenset(found)


def called_scripts(
    reading: StageReading, node: Instruction, script: ShellScript
) -> Iterator[tuple[Command, str, str | None]]:
    """The shell scripts that a RUN calls: the command, the script as written there, and its text; None for one that is
    not in the build context, or cannot be read.
    """
    step = reading.step(node)
    for command in script.commands:
        name = command.name or (command.words[0].text if command.words else "")
        base = name.rpartition("/")[2]
        path: str | None = name if base.endswith(".sh") else None
        if base in _POSIX or name in (".", "source"):
            path = next((arg for arg in command.args if not arg.startswith(("-", "<"))), None)
            if "-c" in command.args or command.in_pipeline:
                path = None
        if step is None or path is None or path.startswith("/etc/") or path.rpartition("/")[2] in _CONFIGURES:
            continue
        value = reading.expand(path, node) if "$" in path else path
        folder = step.folder_of(command)
        found = None
        if value is not None and (folder is not None or value.startswith("/")):
            found = reading.in_context(join(folder or "/", value), node)
        text = reading.context.read(found) if found else None
        if not found and _is_known_to_bring_lists(reading, path):
            continue
        yield command, path, None if isinstance(text, Unknown) else text


_CONFIGURES = frozenset({"configure", "autogen.sh", "config", "gradlew", "mvnw"})
"""Scripts of build systems, which prepare a build and install no packages."""
_SETTINGS = frozenset({"nvm.sh", ".bashrc", ".bash_profile", ".profile", ".zshrc", "conda.sh", "activate", "env"})
"""Files that a shell reads for functions and variables; they install no packages."""


def _is_known_to_bring_lists(reading: StageReading, path: str) -> bool:
    """Whether a script from outside the build context needs no package lists: of known names what they all do.

    NodeSource's setup script updates the lists before it installs anything, and once more behind that
    (https://github.com/nodesource/distributions, ``scripts/deb/setup_20.x``).
    """
    name = path.rpartition("/")[2]
    if name == "nodesource_setup.sh":
        return any("deb.nodesource.com/setup_" in node.argument for node in reading.stage.instructions)
    return name in _SETTINGS


def why_not_posix(file: Dockerfile, node: Instruction) -> str | None:
    """Why the shell in force at ``node`` is no POSIX shell as far as known; None where it is one."""
    return file.remember("other shells", lambda: dict(_other_shells(file))).get(node)


def _other_shells(file: Dockerfile) -> Iterator[tuple[Instruction, str]]:
    for stage in file.stages:
        windows = why_windows(file, stage)
        for node in stage.instructions:
            shell = shell_at(file, node) if windows is None else None
            if windows is not None:
                yield node, windows
            elif shell is not None:
                words = shell.json or ()
                program = (words[0] if words else "").replace("\\", "/").rpartition("/")[2].lower()
                if program not in _POSIX:
                    yield node, f"SHELL {program or shell.argument} is no POSIX shell"


def shell_at(file: Dockerfile, node: Instruction) -> Instruction | None:
    """The SHELL in force at ``node``, of its stage or of those that it is built from; None for the image's own."""
    return file.remember("shells", lambda: _shells(file)).get(node)


def _shells(file: Dockerfile) -> dict[Instruction, Instruction]:
    found: dict[Instruction, Instruction] = {}
    if not any(node.keyword == "SHELL" for node in file.instructions):
        return found
    last: dict[int, Instruction | None] = {}
    for stage in file.stages:
        parent = file.stage_before(stage.index, stage.image)
        shell = None if parent is None else last[parent.index]
        for node in stage.instructions:
            if shell is not None:
                found[node] = shell
            if node.keyword == "SHELL":
                shell = node
        last[stage.index] = shell
    return found
