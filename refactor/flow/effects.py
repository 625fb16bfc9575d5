"""What one command does to the files of an image.

Languages bring tables of their own tools (:data:`Tools`); the rest is asked of the one for POSIX systems
(:mod:`refactor.shell.posix`). A command that neither knows has an effect that is unknown, with a reason.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.reading import StageReading, Step, join
from refactor.flow.roots import ON_PATH, shell_file
from refactor.shell import (
    SYSTEM_MANAGERS,
    Command,
    PackageCall,
    ShellScript,
    package_call,
    read,
    with_folders,
)
from refactor.shell.posix import Does, Use, operands, option, redirected, tools, use_of

Path = str | Unknown
"""Absolute path in the image, with wildcards where they are written so; or why it is not known."""


class Effect(NamedTuple):
    """What a command does."""

    reads: tuple[Path, ...] = ()
    """Files, and folders with all that lies in them."""
    writes: tuple[Path, ...] = ()
    """Files that it makes or changes, and folders into which it puts some."""
    removes: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    """What must be there besides files: ``network``, or a program by name."""
    carries: tuple[tuple[str, str], ...] = ()
    """Pairs of paths: what is at the first is, unchanged, at the second afterwards (``cp``, ``mv``, ``ln``)."""
    by: str = ""
    """The language whose tool it is, "" for the system's."""

    @property
    def why_unknown(self) -> str | None:
        """Why it is not known what it writes or removes; None where it is."""
        return next((path.reason for path in (*self.writes, *self.removes) if isinstance(path, Unknown)), None)


def together(effects: Sequence[Effect]) -> Effect:
    """What several commands do, one after the other."""
    return Effect(
        tuple(path for one in effects for path in one.reads),
        tuple(path for one in effects for path in one.writes),
        tuple(path for one in effects for path in one.removes),
        tuple(dict.fromkeys(need for one in effects for need in one.needs)),
        tuple(pair for one in effects for pair in one.carries),
    )


class Invocation(NamedTuple):
    """One command where it stands, as the tables of tools see it."""

    command: Command
    reading: StageReading
    step: Step
    folder: str | None
    """Absolute folder that it runs in, None where that is not known."""
    values: Mapping[str, str | None]
    """Variables that the script itself has set so far."""

    @property
    def name(self) -> str:
        """The program without its folder; "" where only the running shell knows."""
        return (self.command.name or "").rpartition("/")[2]

    @property
    def package(self) -> PackageCall | None:
        return package_call(self.command)

    @property
    def operands(self) -> tuple[str, ...]:
        return operands(self.command.args)

    def option(self, *names: str) -> str | None:
        return option(self.command.args, *names)

    def variable(self, name: str) -> str | None:
        """The value of an environment variable where the command runs; None where it is not set, or not known."""
        given = next((word.value for key, word in self.command.assignments if key == name), None)
        if given is None:
            given = self.values.get(name)
        if given is None:
            given = self.reading.file.environment(self.step.node).get(name)
        if given is None and self.reading.image is not None:
            given = self.reading.image.env.get(name)
        return given

    def expanded(self, word: str) -> str | None:
        """A word with its variables filled in; None where one is not known."""
        if "$" not in word and "`" not in word:
            return word

        def filled(found: re.Match[str]) -> str:
            value = self.values.get(found[1] or found[2])
            return found[0] if value is None else value

        # Double quotes go wherever they stand: `"$HOME"/*.log`.
        bare = word.strip('"') if "'" in word or "\\" in word else word.replace('"', "")
        text = re.sub(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", filled, bare)
        return text if "$" not in text and "`" not in text else self.reading.expand(text, self.step.node)

    def path(self, word: str) -> Path:
        """The absolute path that a word names."""
        text = self.expanded(word)
        if text is None:
            return Unknown(f"{word} depends on a variable")
        if text.startswith("~"):
            home = self.reading.file.environment(self.step.node).get("HOME") or "/root"
            return join(home, text[1:].lstrip("/") or ".") if text[1:2] in {"", "/"} else Unknown(f"{text} is a home")
        if self.folder is None and not text.startswith("/"):
            return Unknown(f"{text} lies in a folder that is not known")
        return join(self.folder or "/", text)

    def paths(self, *words: str) -> tuple[Path, ...]:
        return tuple(self.path(word) for word in words)

    def source(self, word: str) -> str | None:
        """The context path of what a word names; None where that is not known to come from there."""
        place = self.path(word)
        return None if isinstance(place, Unknown) else self.reading.in_context(place, self.step.node)

    def places(self, sources: Iterable[str]) -> tuple[str, ...]:
        """Where context paths lie in the image when the command runs, as far as they do."""
        return tuple(place for path in sources for place in self.reading.in_image(path, self.step.node)[-1:])


Tools = Callable[[Invocation], Effect | None]
"""A table of tools: the effect of a command, None where it is none of its own."""


UNPACKS = tools(Does.UNPACKS)
"""What an archive holds comes to what is in the folder already."""
SYSTEM = ("/usr", "/lib", "/bin", "/sbin", "/etc", "/var", "/lib64", "/opt")
"""Where packages of the system put their files."""


_CARRY = (Does.COPIES, Does.LINKS)


def _of_tool(call: Invocation) -> Effect | None:
    """The effect of a tool of POSIX systems; None where it is none."""
    use = use_of(call.name, call.command.args)
    if use is None:
        return None
    reads, writes = call.paths(*use.reads), call.paths(*use.makes, *use.changes)
    carries = tuple(_carried(call, use)) if use.does in _CARRY else ()
    if carries and len(carries) == len(reads):
        writes = tuple(target for _, target in carries)
    removes = tuple(path for path in call.paths(*use.removes) if path != "/")
    is_fetched = use.does is Does.DOWNLOADS or (use.does is Does.CLONES and bool(use.makes))
    return Effect(reads, writes, removes, ("network",) if is_fetched else (), carries)


def _carried(call: Invocation, use: Use) -> Iterator[tuple[str, str]]:
    """Where a copy or a link puts each of its sources, as far as their paths are known."""
    target = use.makes[-1]
    into = call.path(target)
    is_folder = target.endswith("/") or target in {".", ".."} or len(use.reads) > 1 or call.folder == into
    is_folder = is_folder or into in (*ON_PATH, "/opt", "/tmp", "/go/bin")
    for path in call.paths(*use.reads):
        if isinstance(path, str) and isinstance(into, str):
            name = posixpath.basename(path)
            # Into a folder that is there already, or as its content: which of them is not seen here.
            yield path, join(into, name) if is_folder and not _is_pattern(path) else into


_DEPTH = 3
_READ_SCRIPTS = frozenset(("sh", "bash", "ash", "dash", ".", "source"))


def effect_of(call: Invocation, tools: Tools, depth: int = 0) -> Effect:
    """The effect of a command: by the languages' tables, by the table of POSIX tools, or unknown with a reason.

    Redirections count; a shell script of the build context is read in its turn.
    """
    own = tools(call) or _own(call, tools, depth)
    if not call.command.redirects:
        return own
    files = [(call.path(word), is_written) for word, is_written in redirected(call.command.redirects)]
    return own._replace(
        reads=(*own.reads, *(path for path, is_written in files if not is_written)),
        writes=(*own.writes, *(path for path, is_written in files if is_written)),
    )


def _own(call: Invocation, tools: Tools, depth: int) -> Effect:
    if not call.command.words:
        return Effect()
    if call.command.name is None:
        return _unknown(f"`{call.command.words[0].text}` is only known when it runs")
    package = call.package
    if package is not None and package.manager in SYSTEM_MANAGERS:
        if package.action in {"install", "upgrade", "build-dep", "remove", "autoremove"}:
            return Effect(writes=SYSTEM, needs=("network",))
        return Effect(writes=("/var/lib", "/var/cache"), needs=("network",) if package.action == "update" else ())
    script = _script(call) if depth < _DEPTH else None
    if script is not None:
        return together([one for _, one in effects_of(call, read(script), tools, depth + 1)])
    is_elsewhere = "/" in call.command.name.removeprefix("/usr/bin/").removeprefix("/bin/")
    known = None if is_elsewhere else _of_tool(call)
    return known or _unknown(f"what {call.command.name} reads and writes is not known")


def _unknown(reason: str) -> Effect:
    return Effect((Unknown(reason),), (Unknown(reason),))


def _script(call: Invocation) -> str | None:
    """The text of a shell script of the build context that a command runs."""
    name = call.command.name or ""
    if "/" not in name and name not in _READ_SCRIPTS:
        return None
    words = [name, *call.command.args]
    if call.name in _READ_SCRIPTS:
        if len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
            return words[2]
        words = [word for word in words[1:] if not word.startswith("-")]
    place = call.path(words[0]) if words else None
    found = shell_file(call.reading, place, "/", call.step.node) if isinstance(place, str) else None
    return None if found is None else found[1]


def effects_of(
    call: Invocation, script: ShellScript, tools: Tools, depth: int = 0
) -> Iterator[tuple[Invocation, Effect]]:
    """The effects of the commands of a script, in order, run where ``call`` runs."""
    if script.opaque is not None:
        yield call, _unknown(f"the script cannot be read: {script.opaque}")
        return
    values: dict[str, str | None] = dict(call.values)
    first = call._replace(values=values)
    for command, here in with_folders(script, call.folder or "/", first.expanded):
        if not command.words or command.name in {"export", "readonly", "local"}:
            for name, word in command.assignments:
                values[name] = first.expanded(word.literal)
            for arg in command.args:
                name, equals, value = arg.partition("=")
                if equals:
                    values[name] = first.expanded(value)
        one = Invocation(command, call.reading, call.step, here, values)
        yield one, effect_of(one, tools, depth)


def effects_of_step(reading: StageReading, step: Step, tools: Tools) -> Iterator[tuple[Invocation, Effect]]:
    """The effects of the commands of a RUN, in order."""
    scripts = [step.script] if step.script is not None else [read(heredoc.body) for heredoc in step.node.heredocs]
    blank = Command(None, (), (), (), (), (0, 0), 0, False, False, False)
    for script in scripts:
        yield from effects_of(Invocation(blank, reading, step, step.workdir, {}), script, tools)


def _is_pattern(path: str) -> bool:
    return re.search(r"[*?\[]", path) is not None


__all__ = [
    "ON_PATH", "SYSTEM", "Effect", "Invocation", "Path", "Tools", "effect_of", "effects_of", "effects_of_step",
    "together",
]  # fmt: skip
