"""What the container of a Go stage starts: the programs that its builds make, and what else stands before them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.go.program import Binary, GoCommand, GoStage
from refactor.ecosystems.go.steps import Effect, Made
from refactor.ecosystems.system import script_path
from refactor.flow.reading import Refused, StageReading, Start, join
from refactor.shell import ShellScript, read
from refactor.syntax import Instruction

_RELOADERS = frozenset(
    "air reflex CompileDaemon realize nodemon modd watchexec fresh arelo wgo gow gin-bin entr fswatch".split()
)
_INITS = frozenset({"tini", "dumb-init", "catatonit"})
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_DEFAULT_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Launch(NamedTuple):
    """How the container starts, and what that asks of the runner."""

    binaries: tuple[Binary, ...]
    """Programs of the project that are started, by the paths that they are started from."""
    run: GoCommand | None
    """``go run`` that starts the program, instead of ``binaries``."""
    arguments: tuple[str, ...]
    """Words behind ``go run`` and its package."""
    shell: tuple[str, ...]
    """Why the runner needs a shell."""
    files: tuple[tuple[str, str], ...]
    """Absolute paths of scripts and fetched programs that take part, with the reason."""
    exec_form: tuple[tuple[Instruction, tuple[str, ...]], ...]
    """Shell forms that use nothing of a shell -> the same words as exec form."""


def search_path(stage: GoStage) -> tuple[str, ...]:
    """Folders of PATH, as the stage sets it."""
    for step in reversed(stage.reading.steps):
        if step.keyword == "ENV":
            for name, value in step.node.pairs:
                if name == "PATH":
                    image = stage.reading.image
                    base = (image.env.get("PATH") if image is not None else None) or ":".join(_DEFAULT_PATH)
                    found = stage.reading.expand(value, step.node)
                    text = found if found is not None else re.sub(r"\$\{?PATH\}?", base, value.strip("\"'"))
                    return tuple(part for part in text.split(":") if part.startswith("/"))
    image = stage.reading.image
    own = (image.env.get("PATH") if image is not None else None) or ""
    return tuple(part for part in own.split(":") if part) or _DEFAULT_PATH


def launch(stage: GoStage, binaries: Sequence[Binary], made: Sequence[Made]) -> Launch | Refused:
    start = stage.reading.start
    if start is None:
        return Refused("there is no CMD or ENTRYPOINT that says what the container runs", "add a CMD")
    return _Follower(stage, binaries, made, start).follow()


class _Follower:
    def __init__(self, stage: GoStage, binaries: Sequence[Binary], made: Sequence[Made], start: Start) -> None:
        self.stage = stage
        self.reading: StageReading = stage.reading
        self.binaries = binaries
        self.made = made
        self.start = start
        self.path = search_path(stage)
        self.found: dict[str, Binary] = {}
        self.run: GoCommand | None = None
        self.arguments: tuple[str, ...] = ()
        self.shell: list[str] = []
        self.files: dict[str, str] = {}

    def follow(self) -> Launch | Refused:
        start = self.start
        where = " and ".join(f"{node.keyword} on line {self.reading.file.line_of(node)}" for node in start.nodes)
        exec_form: list[tuple[Instruction, tuple[str, ...]]] = []
        refused: Refused | None
        if start.is_shell and start.script is not None:
            words = plain_words(start.script)
            node = start.nodes[0] if start.nodes[0].json is None else start.nodes[-1]
            ignores = node.keyword == "ENTRYPOINT" and self.reading.last("CMD") is not None
            own_shell = self.reading.last("SHELL") is not None
            if words is None or ignores or own_shell:
                self.shell.append(f"{where} uses the shell" if words is None else f"{where} is in shell form")
                refused = self._script(start.script, where, 0)
            else:
                exec_form.append((node, words))
                refused = self._words(words, where, 0)
        else:
            for node in start.nodes:
                if node.json is None:
                    self.shell.append(f"{where} is in shell form")
            refused = self._words(start.argv, where, 0)
        if refused is not None:
            return refused
        health = self.reading.last("HEALTHCHECK")
        if health is not None:
            self._health(health)
        if not self.found and self.run is None:
            return Refused(
                f"what is started ({' '.join(start.argv) or where}) is not built by a go build or go install of this"
                " stage",
                "build it with go build -o, and start that path",
            )
        return Launch(
            tuple(self.found.values()), self.run, self.arguments, tuple(dict.fromkeys(self.shell)),
            tuple(self.files.items()), tuple(exec_form),
        )  # fmt: skip

    def _script(self, script: ShellScript, where: str, depth: int) -> Refused | None:
        if script.opaque is not None:
            return Refused(f"{where} cannot be read: {script.opaque}", "start the program itself")
        for command in script.commands:
            words = tuple(word.literal for word in command.words)
            if not words:
                continue
            if command.name == "go" or words[0] == "go":
                return Refused(f"{where} calls `{' '.join(words)[:60]}`, which needs the toolchain", "build in a RUN")
            refused = self._words(words, where, depth + 1)
            if refused is not None and words[0].rpartition("/")[2] in _RELOADERS | {"dlv"}:
                return refused
        return None

    def _words(self, words: Sequence[str], where: str, depth: int) -> Refused | None:
        """One command line: the program, or what stands before it."""
        if not words or depth > 4:
            return None
        name = posixpath.basename(words[0])
        if (name == "go" and words[1:2] == ("run",)) or list(words[:2]) == ["go", "run"]:
            return self._go_run(words, where, depth)
        if name in _RELOADERS:
            return Refused(
                f"{where} starts {name}, which compiles the sources again when they change", "start the built program"
            )
        if name == "dlv":
            return Refused(
                f"{where} starts the debugger dlv, which needs the toolchain and the sources", "start the built program"
            )
        if name in _INITS:
            rest = list(words[1:])
            while rest and rest[0].startswith("-"):
                last = rest.pop(0)
                if last == "--":
                    break
            return self._words(rest, where, depth + 1)
        if name in _SHELLS:
            self.shell.append(f"{where} starts {name}")
            if len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
                return self._script(read(words[2]), where, depth + 1)
            if len(words) > 1:
                return self._file(words[1], where, depth)
            return Refused(f"{where} starts a shell and no program", "start the program itself")
        binary = self._binary(words[0])
        if binary is not None:
            self.found.setdefault(binary.path, binary)
            return None
        refused = self._file(words[0], where, depth)
        if refused is not None or words[0] in self.files or any(path.endswith("/" + name) for path in self.files):
            for word in words[1:]:
                other = self._binary(word)
                if other is not None:
                    self.found.setdefault(other.path, other)
            return refused
        fetched = self._fetched(words[0])
        if fetched is not None:
            self.files.setdefault(*fetched)
            self.shell.append(f"{where} starts {name}, which is fetched in a RUN and may need what the base image has")
            for word in words[1:]:
                other = self._binary(word)
                if other is not None:
                    self.found.setdefault(other.path, other)
            return None
        if depth == 0 and len(words) > 1:
            for at, word in enumerate(words[1:], 1):
                other = self._binary(word)
                if other is not None and not word.startswith("-"):
                    self.found.setdefault(other.path, other)
                    self.shell.append(f"{where} starts {name}")
                    return self._words(words[at:], where, depth + 1)
        return None

    def _binary(self, word: str) -> Binary | None:
        """The program of the project that a word names, by path or through PATH."""
        if not word or word.startswith("-") or "$" in word:
            return None
        places = (
            [join(self.reading.final_workdir, word)] if "/" in word else [f"{folder}/{word}" for folder in self.path]
        )
        for place in places:
            for binary in self.binaries:
                if binary.path == place:
                    return binary
        return None

    def _file(self, word: str, where: str, depth: int) -> Refused | None:
        """A script of the project."""
        path = script_path(self.reading, word)
        if path is None:
            return None
        text = self.reading.context.read(path)
        if isinstance(text, Unknown):
            return Refused(f"{path}, which is started, cannot be read: {text.reason}")
        first = text.split("\n", 1)[0]
        if not re.match(r"#!.*\b(?:ba|da|a)?sh\b", first) and not (
            path.endswith((".sh", ".bash")) and not first.startswith("#!")
        ):
            return Refused(f"{path}, which is started, is no shell script", "start the program itself")
        place = next((place for place in self._places(word) if self.reading.in_context(place) == path), None)
        if place is not None:
            self.files.setdefault(place, f"{where} starts {path}")
        self.shell.append(f"{path} is a shell script")
        body = (
            text.split("\n", 1)[1]
            if first.startswith("#!") and "\n" in text
            else ""
            if first.startswith("#!")
            else text
        )
        refused = self._script(read(body), path, depth + 1)
        if refused is None and re.search(r'(?:exec\s+)?"?\$[@*]', body):
            cmd = self.reading.last("CMD")
            if cmd is not None and cmd.json is not None:
                return self._words(cmd.json, f"CMD on line {self.reading.file.line_of(cmd)}", depth + 1)
        return refused

    def _places(self, word: str) -> Iterator[str]:
        if "/" in word or "." in word:
            yield join(self.reading.final_workdir, word)
        if "/" not in word:
            for folder in self.path:
                yield f"{folder}/{word}"

    def _fetched(self, word: str) -> tuple[str, str] | None:
        """A program that a RUN fetched or unpacked to where it is started from."""
        places = list(self._places(word)) if "/" in word else [f"{folder}/{word}" for folder in self.path]
        for one in self.made:
            line = self.stage.line(one.step)
            for place in places:
                if one.path == place and one.effect in {Effect.DOWNLOAD, Effect.FILE}:
                    return place, f"line {line} puts it there"
                if one.effect is Effect.DOWNLOAD and one.path == posixpath.dirname(place):
                    return place, f"line {line} unpacks it to {one.path}"
        return None

    def _go_run(self, words: Sequence[str], where: str, depth: int) -> Refused | None:
        if depth > 0:
            return Refused(f"{where} calls `{' '.join(words)[:60]}`, which needs the toolchain", "build in a RUN")
        nodes = self.start.nodes
        step = self.reading.step(nodes[0])
        assert step is not None
        last = self.reading.steps[-1]
        tail = step if self.reading.final_workdir == step.workdir else last
        from refactor.shell import Command

        command = Command("go", (), (), (), (), (0, 0), 0, False, False, False)
        # CMD's place in the file does not matter: it runs in the last WORKDIR.
        go = self.stage.read_words(tail, command, words[1:])._replace(folder=self.reading.final_workdir)
        operands = list(go.operands)
        files = [word for word in operands if word.endswith(".go")]
        count = len(files) if operands and operands[0].endswith(".go") else 1
        if not operands:
            return Refused(f"{where} runs no package", "name the package")
        if len(nodes) > 1 and (nodes[0].json is None or len(nodes[0].json) < len(words) - len(operands) + count):
            return Refused(f"{where} share `go run` between them", "write `go run` and its package into one of them")
        self.run = go._replace(operands=tuple(operands[:count]))
        self.arguments = tuple(operands[count:])
        return None

    def _health(self, node: Instruction) -> None:
        where = f"HEALTHCHECK on line {self.reading.file.line_of(node)}"
        text = node.argument
        if text.upper() == "NONE":
            return
        words = re.sub(r"^CMD\s+", "", text, count=1, flags=re.IGNORECASE)
        if words.startswith("["):
            import json

            try:
                argv = [str(word) for word in json.loads(words)]
            except ValueError:
                argv = []
            binary = self._binary(argv[0]) if argv else None
            if binary is not None:
                self.found.setdefault(binary.path, binary)
                return
            self.shell.append(f"{where} calls {argv[0] if argv else words}")
            return
        self.shell.append(f"{where} uses the shell")
        for command in read(words).commands:
            for word in command.words[:1]:
                binary = self._binary(word.literal)
                if binary is not None:
                    self.found.setdefault(binary.path, binary)


def plain_words(script: ShellScript) -> tuple[str, ...] | None:
    """The words of a script that is one command and uses nothing of a shell, None otherwise."""
    if script.opaque is not None or len(script.top) != 1 or script.trailing or script.top[0].command is None:
        return None
    command = script.top[0].command
    if command.redirects or command.assignments or not command.words or set(command.wrappers) - {"exec"}:
        return None
    words = [word.value for word in command.words]
    if any(word is None for word in words) or any(sign in word.text for word in command.words for sign in "$`"):
        return None
    return tuple(word for word in words if word is not None)


__all__ = ["Launch", "launch", "plain_words", "search_path"]
