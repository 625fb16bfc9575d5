"""The programs that a container runs: ENTRYPOINT and CMD, followed through wrappers and shell scripts."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.places import source_of
from refactor.flow.reading import Refused, StageReading, join
from refactor.shell import Command, ShellScript, read, unwrapped
from refactor.syntax import Instruction
from refactor.syntax.environment import DEFAULT_PATH

SHELLS = frozenset("sh bash ash dash zsh ksh fish busybox".split())
INITS = frozenset("tini dumb-init docker-init catatonit".split())
ON_PATH = tuple(DEFAULT_PATH.split(":"))
_WAITERS = frozenset("wait-for-it.sh wait-for-it wait-for.sh wait-for dockerize".split())
"""Programs that wait for others, and then start the words behind their options."""
_DEPTH = 4
"""Scripts that start scripts; entrypoints of real images have two."""


class Root(NamedTuple):
    """One program that a container runs, wrappers (``tini --``, ``env A=b``, ``sh -c``) taken away."""

    words: tuple[str, ...]
    """The program as written, then its arguments."""
    folder: str
    """Absolute folder in the image that it starts in."""
    where: str
    """For messages: ``CMD on line 5``, or the context path of the shell script that starts it."""
    command: Command | None = None
    """The command of a shell script, with its redirections; None for an argument vector."""

    @property
    def name(self) -> str:
        """The program without its folder."""
        return posixpath.basename(self.words[0])


def roots_of(reading: StageReading) -> tuple[Root, ...] | Refused:
    """Every program that the stage's start command runs, in order; refused where that cannot be followed.

    The base image's own ENTRYPOINT is not among them: the catalogue knows those.
    """
    return reading.remember("roots", lambda: _roots_of(reading))


def _roots_of(reading: StageReading) -> tuple[Root, ...] | Refused:
    start = reading.start
    deployed = [] if start is not None else [*_deployed(reading)]
    if start is None and not deployed:
        return Refused("it is not known what the container runs: there is no CMD or ENTRYPOINT", "add a CMD")
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    if start is not None:
        where = " and ".join(f"{node.keyword} on line {reading.file.line_of(node)}" for node in start.nodes)
        deployed = [(start.argv if start.script is None else start.script, where or "the start")]
    walks = [roots_in(reading, words, reading.final_workdir, where) for words, where in deployed]
    found: list[Root] = []
    for one in chain.from_iterable(walks):
        if isinstance(one, Refused):
            return one
        found.append(one)
    return tuple(found)


def roots_in(
    reading: StageReading, started: Sequence[str] | ShellScript, folder: str, where: str
) -> Iterator[Root | Refused]:
    """The programs that words, or a shell script, run in a folder of the image; refused where that cannot be followed.

    ``where`` is what messages call them; a root that a file of the context starts has its path there.
    """
    if isinstance(started, ShellScript):
        return _of_script(reading, started, folder, where, 0)
    return _of_words(reading, started, folder, where, 0)


def _deployed(reading: StageReading) -> Iterator[tuple[Sequence[str] | ShellScript, str]]:
    """What is started of an image without a start of its own, by those who deploy it."""
    for service in reading.context.deployment.services if reading.context.why_unknown is None else ():
        words, more = service.entrypoint or service.command, service.command if service.entrypoint else None
        if words and service.kind != "ci":
            where = f"{service.name} in {service.source}" if service.name else service.source
            if isinstance(words, tuple) and isinstance(more, tuple):
                words += more
            yield read(words) if isinstance(words, str) else words, where


def health_roots(reading: StageReading) -> tuple[Root, ...]:
    """The programs that HEALTHCHECK calls, as far as they can be told."""
    node = reading.last("HEALTHCHECK")
    if node is None or node.argument.upper() == "NONE":
        return ()
    words: Sequence[str] | ShellScript | None = node.json
    if words is None:
        words = read(re.sub(r"^CMD\s+", "", node.argument, count=1, flags=re.IGNORECASE))
    walk = roots_in(reading, words, reading.final_workdir, f"HEALTHCHECK on line {reading.file.line_of(node)}")
    return tuple(one for one in walk if isinstance(one, Root))


def _of_script(
    reading: StageReading, script: ShellScript, folder: str, where: str, depth: int
) -> Iterator[Root | Refused]:
    if script.opaque is not None:
        yield Refused(f"{where} cannot be read: {script.opaque}", "start the program by its name in CMD")
        return
    here: str | None = folder
    for command in script.commands:
        if command.name in {"cd", "pushd", "popd"}:
            target = command.words[1].value if len(command.words) == 2 else None
            here = None if target is None or here is None or command.name != "cd" else join(here, target)
            continue
        if not command.words:
            continue
        if command.name is None:
            yield Refused(
                f"{where} starts what only the running container knows: {command.words[0].text}",
                "start the program by its name",
            )
            return
        words = (command.name, *command.args)
        if here is None:
            yield Refused(f"{where} changes to a folder that is not known", "name folders as text")
            return
        yield from _of_words(reading, words, here, where, depth, command)


def _of_words(
    reading: StageReading, words: Sequence[str], folder: str, where: str, depth: int, command: Command | None = None
) -> Iterator[Root | Refused]:
    words = peeled(tuple(words))
    if not words:
        return
    if depth > _DEPTH:
        yield Refused(f"{where} starts scripts that start each other without end")
        return
    name = posixpath.basename(words[0])
    waited = _behind_waiter(words) if name in _WAITERS else ()
    if waited:
        yield Root(words[: len(words) - len(waited)], folder, where, command)
        yield from _of_words(reading, waited, folder, where, depth + 1, command)
        return
    if name in SHELLS and len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
        yield from _of_script(reading, read(words[2]), folder, where, depth + 1)
        return
    at = 0
    if name in SHELLS or name in {".", "source"}:
        at = next((index for index, word in enumerate(words[1:], 1) if not word.startswith("-")), 0)
    file = None if at == 0 and name in SHELLS else shell_file(reading, words[at], folder)
    if file is None:
        yield Root(words, folder, where, command)
        return
    path, text = file
    import shlex

    # The words behind the script's name are what `exec "$@"` runs.
    rest = " ".join(shlex.quote(word) for word in words[at + 1 :])
    body = re.sub(r'"?\$(?:[@*]|\{@\})"?', lambda _: rest, text.replace("\r\n", "\n"))
    yield from _of_script(reading, read(body), folder, path, depth + 1)


def _behind_waiter(words: tuple[str, ...]) -> tuple[str, ...]:
    """What a program that waits starts: behind ``--``, or behind its own options."""
    if "--" in words:
        return words[words.index("--") + 1 :]
    if posixpath.basename(words[0]) != "dockerize":
        return ()
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        has_value = "=" not in rest[0] and rest[0].lstrip("-") not in {"no-overwrite", "poll", "version"}
        rest = rest[1 + has_value :]
    return rest


def peeled(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without the wrappers that run the rest of the words."""
    while words:
        rest = unwrapped(words)
        if posixpath.basename(rest[0]) in INITS:
            started = rest[rest.index("--") + 1 :] if "--" in rest else rest[1:]
            rest = tuple(dropwhile(lambda word: word.startswith("-"), started))
        if rest in ((), words):
            break
        words = rest
    return words


def shell_file(
    reading: StageReading, word: str, folder: str, before: Instruction | None = None
) -> tuple[str, str] | None:
    """The context path and the text of a shell script of the image that ``word`` names, started in ``folder``."""
    if not word or word.startswith("-") or "$" in word:
        return None
    places = [join(folder, word)] if "/" in word or "." in word else []
    if "/" not in word:
        places += [f"{folder}/{word}" for folder in ON_PATH]
    for place in places:
        path = source_of(reading, place, before)
        if not path or reading.context.is_dir(path) is not False:
            continue
        text = reading.context.read(path)
        if isinstance(text, Unknown):
            return None
        if re.match(r"#!.*\b(?:ba|da|a|k|z)?sh\b", text) or (
            path.endswith((".sh", ".bash")) and not text.startswith("#!")
        ):
            return path, text
    return None


def places_of(reading: StageReading, root: Root, word: str) -> tuple[str, ...]:
    """Absolute paths at which a started program may lie: by its folder, or along PATH."""
    if "/" in word or root.words[0] != word:
        return (join(root.folder, word),)
    last = reading.steps[-1].node if reading.steps else reading.stage.from_
    path = reading.expand("$PATH", last)
    folders = path.split(":") if path else ON_PATH
    return tuple(join(folder, word) for folder in folders if folder.startswith("/"))


def files_started(reading: StageReading) -> dict[str, str]:
    """Absolute paths of files of the context that the start command and its scripts name, as far as they are read: the
    scripts themselves, and files among the arguments -> where."""
    start = reading.start
    roots = roots_of(reading)
    if start is None or isinstance(roots, Refused):
        return {}
    where = " and ".join(f"{node.keyword} on line {reading.file.line_of(node)}" for node in start.nodes)
    named = [(word, reading.final_workdir, where) for word in start.words]
    named += [(word, root.folder, root.where) for root in roots for word in root.words]
    found: dict[str, str] = {}
    for word, folder, place in named:
        for text in {word, word.partition("=")[2]} - {""}:
            path = join(folder, text) if "/" in text or "." in text else None
            if path is None or text.startswith("-") or path == reading.final_workdir:
                continue
            source = source_of(reading, path)
            if source and reading.context.is_dir(source) is False:
                found.setdefault(path, f"{place} names it")
    return found
