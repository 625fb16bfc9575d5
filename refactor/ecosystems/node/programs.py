"""What a command comes down to: scripts of package.json, runners of scripts and wrappers are followed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import PackageJson, workspace_members
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.packages import pairs
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Start, Step, join
from refactor.flow.roots import SHELLS, peeled, shell_file
from refactor.shell import Command, PackageCall, package_call, read
from refactor.syntax import Instruction

MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun"})
RUNTIMES = frozenset({"node", "nodejs", "bun"})
"""Programs that run a JavaScript file; Bun TypeScript as well."""
BUN_FILE = re.compile(r"\.[mc]?[jt]sx?\Z")
"""What Bun takes for a file to run, and not for a script of package.json (docs/cli/run: by its ending)."""
INSTALLING = frozenset({"install", "ci"})
_DEPTH = 12
_MAX_SCRIPTS = 500
"""Scripts that are followed for one question; scripts that call each other twice would grow without end."""

_RUNNERS = frozenset({"run-s", "run-p", "npm-run-all", "npm-run-all2", "npm-s", "npm-p"})
_CALLED = MANAGERS | {"npx", "pnpx", "bunx", "corepack"}
_NODE_VALUED = words(
    """
    -r --require --import --loader --experimental-loader --env-file --env-file-if-exists -C --conditions
    --max-old-space-size --stack-size --icu-data-dir --title --inspect-port --dns-result-order
    --openssl-config --preload --cwd --port --define -d --loader -l --tsconfig-override --config
    """
)


class Ran(NamedTuple):
    """One program that is run in the end."""

    program: str
    """Its name without folder: ``node``, ``tsc``; "npm install" for an install; "?" with the reason in ``args``."""
    args: tuple[str, ...]
    folder: str
    """Absolute image folder that it runs in."""
    via: tuple[str, ...]
    """How it was reached, as the user wrote it: ``npm start``, ``scripts.start of package.json``."""
    is_tolerated: bool = False
    """Its failure does not matter (``|| true``)."""
    redirects: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """Its first word that is no option."""
        return next((word for word in self.args if not word.startswith("-")), "")

    @property
    def text(self) -> str:
        return " ".join((self.program, *self.args))

    @property
    def shown(self) -> str:
        """For messages: the command with the scripts that lead to it."""
        manager, _, action = self.program.partition(" ")
        # The arguments of a package manager's call have its verb, as it was written.
        text = " ".join((manager, *self.args)) if action and self.args else self.text
        text = text if len(text) <= 60 else text[:57] + "..."
        return f"`{text}`" if not self.via else f"`{self.via[0]}` (`{text}`)"


class _At(NamedTuple):
    """Where a command stands that is followed."""

    folder: str
    via: tuple[str, ...] = ()
    depth: int = 0
    is_tolerated: bool = False

    def inside(self, folder: str | None = None, *via: str) -> _At:
        """One step further."""
        return self._replace(folder=folder or self.folder, via=(*self.via, *via), depth=self.depth + 1)

    def ran(
        self, program: str, args: Sequence[str] = (), redirects: tuple[str, ...] = (), folder: str | None = None
    ) -> Ran:
        return Ran(program, tuple(args), folder or self.folder, self.via, self.is_tolerated, redirects)

    def lost(self, why: str) -> Ran:
        return self.ran("?", (why,))


class Programs:
    """Follows commands through package.json of a stage's image. ``before``: files copied before that instruction."""

    def __init__(self, layout: Layout, before: Instruction | None = None) -> None:
        self.layout = layout
        self.before = before
        self._left = _MAX_SCRIPTS

    def of_step(self, step: Step) -> Iterator[tuple[Command, Ran]]:
        """The programs of a RUN, each with its command."""
        for command in step.commands:
            for ran in self._of_command(command, _At(step.folder_of(command) or step.workdir)):
                yield command, ran

    def of_start(self, start: Start, workdir: str) -> tuple[Ran, ...]:
        """What the container starts."""
        if start.script is not None:
            if start.script.opaque is not None:
                return (_At(workdir).lost(start.script.opaque),)
            return tuple(self.of_text(start.script.text, workdir))
        argv = start.argv
        image = self.layout.reading.image
        if image is not None and self.layout.reading.last("ENTRYPOINT") is None:
            # The base image's own: docker-entrypoint.sh of Node's, node itself of distroless.
            argv = (*image.entrypoint, *argv)
        return tuple(self.of_words(argv, workdir))

    def of_text(self, text: str, folder: str, via: tuple[str, ...] = ()) -> Iterator[Ran]:
        """The programs of a shell text such as a script of package.json."""
        return self._of_text(text, _At(folder, via))

    def of_words(self, words: Sequence[str], folder: str) -> Iterator[Ran]:
        """The programs of an argument vector."""
        return self._of_words(tuple(words), _At(folder))

    def _of_text(self, text: str, at: _At) -> Iterator[Ran]:
        script = read(text)
        if script.opaque is not None:
            yield at.lost(script.opaque)
            return
        tolerated = _tolerated(script.commands, text)
        here: str | None = at.folder
        for command in script.commands:
            if command.name == "cd":
                target = command.words[1].value if len(command.words) == 2 else None
                here = None if target is None or here is None else join(here, target)
                continue
            is_tolerated = at.is_tolerated or id(command) in tolerated
            yield from self._of_command(command, at._replace(folder=here or at.folder, is_tolerated=is_tolerated))

    def _of_command(self, command: Command, at: _At) -> Iterator[Ran]:
        if not command.words:
            return
        if command.name is None:
            yield at.lost(command.words[0].text)
            return
        call = package_call(command)
        if call is not None and call.manager in MANAGERS:
            yield from self._of_call(call, at)
            return
        yield from self._of_words((command.name, *command.args), at, command.redirects)

    def _of_words(self, words: tuple[str, ...], at: _At, redirects: tuple[str, ...] = ()) -> Iterator[Ran]:
        if not words:
            return
        base, rest = posixpath.basename(words[0]), words[1:]
        inner = self._peeled(base, words)
        if at.depth > _DEPTH:
            yield at.lost("scripts that call each other without end")
        elif inner is not None:
            yield from self._of_words(inner, at.inside(), redirects)
        elif base in _CALLED and (call := _call_of((base, *rest))) is not None:
            yield from self._of_call(call, at)
        elif base in SHELLS and rest:
            yield from self._of_shell(base, words, at)
        elif base in {"concurrently", "conc"}:
            for word in rest:
                manager, colon, name = word.partition(":")
                if colon and manager in {"npm", "yarn", "pnpm"}:
                    yield from self._of_text(f"{manager} run {name}", at.inside())
                elif " " in word:
                    yield from self._of_text(word, at.inside())
            yield at.ran(base, rest)
        elif base in _RUNNERS:
            unit = self.layout.unit(at.folder, self.before)
            yield at.ran(base, rest)
            for name in rest:
                if unit is not None and not name.startswith("-"):
                    for script in _scripts_like(unit.package, name.split(" ")[0]):
                        yield from self._script(unit, script, "", at)
        elif base in {"turbo", "lerna"}:
            yield from tuple(self._of_all_members(words, at)) or (at.ran(base, rest),)
        elif (file := shell_file(self.layout.reading, words[0], at.folder)) is not None:
            yield from self._of_file(*file, rest, at)
        else:
            yield at.ran(*_unpacked("node" if base == "nodejs" else base, rest), redirects)

    def _of_all_members(self, words: tuple[str, ...], at: _At) -> Iterator[Ran]:
        """``turbo run build``, ``lerna run build``: the script of every member that has it."""
        names = [word for word in words[1:] if not word.startswith("-")]
        if words[0] == "lerna" and names[:1] != ["run"]:
            return
        for task in names[1:] if names[:1] == ["run"] else names:
            for unit in self.members(at.folder):
                if task in unit.package.scripts:
                    yield from self._script(unit, task, "", at.inside())

    def _peeled(self, base: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The words without a wrapper that runs the rest of them; None where there is none."""
        inner = peeled(words)
        if inner != words:
            return inner
        if base in {"cross-env", "cross-env-shell", "env-cmd"}:
            rest = list(words[1:])
            while rest and (re.match(r"[A-Za-z_]\w*=", rest[0]) or rest[0].startswith("-")):
                del rest[: 2 if rest[0] in {"-f", "-e", "--file", "--environments"} else 1]
            return tuple(rest) if rest else None
        if base in {"dotenv", "dotenvx", "infisical", "doppler"}:
            return (words[words.index("--") + 1 :] or None) if "--" in words else None
        if base == "docker-entrypoint.sh" and shell_file(self.layout.reading, words[0], "/usr/local/bin") is None:
            image = self.layout.reading.image
            if words[1:] and (words[1].startswith("-") or BUN_FILE.search(words[1])):
                return ("bun" if image is not None and image.family == "bun" else "node", *words[1:])
            return words[1:] or None
        return None

    def _of_shell(self, base: str, words: tuple[str, ...], at: _At) -> Iterator[Ran]:
        if re.fullmatch(r"-[a-z]*c", words[1]) and len(words) > 2:
            yield from self._of_text(words[2], at.inside())
            return
        operand = next((word for word in words[1:] if not word.startswith("-")), None)
        path = self.layout.source(join(at.folder, operand), self.before) if operand else None
        text = self.layout.context.read(path) if path else None
        if operand and path and isinstance(text, str):
            yield from self._of_file(path, text, words[words.index(operand) + 1 :], at)
            return
        yield at.lost(f"{base} {' '.join(words[1:])}")

    def _of_file(self, path: str, text: str, more: Sequence[str], at: _At) -> Iterator[Ran]:
        body = text.split("\n", 1)[1] if text.startswith("#!") and "\n" in text else text
        if more:
            # The words that follow the script's name are what `exec "$@"` runs; quotes keep them as they are.
            body = re.sub(r'"?\$[@*]"?', lambda _: _quoted(more), body)
        yield from self._of_text(body.replace("\r\n", "\n"), at.inside(None, path))

    def _of_call(self, call: PackageCall, at: _At) -> Iterator[Ran]:
        call = _npm_options(call)
        at = at._replace(folder=folder_of_call(call, at.folder))
        if call.action in INSTALLING and not call.packages:
            yield at.ran(f"{call.manager} {call.action}", call.command.args)
        elif call.action == "run" and call.script is not None:
            yield from self._of_run(call, call.script, at)
        elif call.action == "exec" and call.script is not None:
            selected = self._selected(call, at.folder)
            program = re.sub(r"(?<=.)@[^/]*$", "", call.script)
            words = (program, *(word.literal for word in call.operands if word.literal != "--"))
            yield from self._of_words(words, at.inside(selected[0].folder if selected else None))
        elif call.action == "workspace" and len(call.operands) > 1:
            yield from self._of_workspace(call, at)
        else:
            action = "add" if call.action == "install" and call.packages else call.action
            yield at.ran(f"{call.manager} {action}", call.command.args, call.command.redirects)

    def _of_run(self, call: PackageCall, name: str, at: _At) -> Iterator[Ran]:
        selected = self._selected(call, at.folder)
        via = " ".join((call.program, *(word.literal for word in call.command.words[1:])))
        more = _quoted([word.literal for word in call.operands if word.literal != "--"])
        words, behind = (name, *(word.literal for word in call.operands)), at._replace(via=(*at.via, via))
        is_file = call.manager == "bun" and BUN_FILE.search(name) is not None
        for unit in selected:
            if name in unit.package.scripts:
                yield from self._script(unit, name, more, behind)
            elif call.manager == "npm" and name == "start":
                yield behind.ran("node", ("server.js",), folder=unit.folder)
            elif is_file:
                yield _of_bun(call, at)
            elif call.manager != "npm" and len(selected) == 1:
                yield from self._of_words(words, at.inside())
            elif len(selected) == 1:
                yield behind.lost(f"{unit.package.path} has no script {name}")
        if selected:
            return
        if is_file:
            yield _of_bun(call, at)
        elif call.manager != "npm" and call.verb == "":
            yield from self._of_words(words, at.inside())
        else:
            yield behind.lost(f"no package.json is known at {at.folder}")

    def _of_workspace(self, call: PackageCall, at: _At) -> Iterator[Ran]:
        """``yarn workspace <name> <command> ...``."""
        words = [word.literal for word in call.operands]
        unit = next((one for one in self.members(at.folder) if one.package.name == words[0]), None)
        if unit is None:
            yield at.lost(f"no workspace {words[0]} is known")
            return
        yield from self._of_text(f"yarn {_quoted(words[1:])}", at.inside(unit.folder))

    def _selected(self, call: PackageCall, folder: str) -> tuple[Unit, ...]:
        """The projects whose script a call runs."""
        names = call.values("-w", "--workspace", "-F", "--filter")
        if names:
            members = self.members(folder)
            return tuple(unit for name in names for unit in members if _is_named(unit, name.rstrip("."), folder))
        everywhere = call.has("--workspaces", "-ws", "--recursive", "-r")
        unit = self.layout.unit(folder, self.before)
        if everywhere and unit is not None:
            return self.members(folder)
        return () if unit is None else (unit,)

    def members(self, folder: str) -> tuple[Unit, ...]:
        """The workspace members of the project at or above ``folder``, as they are in the image."""
        unit = self.layout.unit(folder, self.before)
        while unit is not None:
            paths = workspace_members(self.layout.context, unit.package)
            if not isinstance(paths, Unknown) and paths:
                found = []
                for path in paths:
                    rest = path[len(unit.source) :].lstrip("/")
                    member = self.layout.unit(join(unit.folder, posixpath.dirname(rest)), self.before)
                    if member is not None and member.package.path == path:
                        found.append(member)
                return tuple(found)
            if unit.folder == "/":
                break
            unit = self.layout.unit(posixpath.dirname(unit.folder), self.before)
        return ()

    def _script(self, unit: Unit, name: str, more: str, at: _At) -> Iterator[Ran]:
        self._left -= 1
        if at.depth > _DEPTH or self._left < 0:
            if self._left >= -1:
                yield at._replace(folder=unit.folder).lost(f"script {name} of {unit.package.path} calls itself")
            return
        for each in (f"pre{name}", name, f"post{name}"):
            text = unit.package.scripts.get(each)
            if text is not None:
                text = f"{text} {more}" if each == name and more else text
                yield from self._of_text(text, at.inside(unit.folder))


def _call_of(words: Sequence[str]) -> PackageCall | None:
    call = package_call(read(_quoted(words)).commands[0])
    return call if call is not None and call.manager in MANAGERS else None


def _of_bun(call: PackageCall, at: _At) -> Ran:
    """``bun run --smol src/index.ts``: Bun itself runs the file."""
    args = list(call.command.args)
    if call.verb == "run":
        args.remove("run")
    return at.ran("bun", args, call.command.redirects)


def _unpacked(base: str, args: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """``node node_modules/next/dist/bin/next start`` -> ``next start``."""
    entry = node_entry(args) if base == "node" else None
    found = re.search(r"node_modules/(?:\.bin/([^/]+)|((?:@[^/]+/)?[^/]+)/.+)$", entry or "")
    if entry is None or found is None or entry.startswith("-"):
        return base, args
    return found[1] or posixpath.basename(entry).removesuffix(".js") or found[2], args[args.index(entry) + 1 :]


def _npm_options(call: PackageCall) -> PackageCall:
    """npm takes its own options behind the script's name too, up to ``--``; the other managers pass them on."""
    if call.manager != "npm" or call.action != "run" or call.program != "npm":
        return call
    operands, options = [], list(call.options)
    words = list(call.operands)
    while words:
        word = words.pop(0)
        text = word.literal
        if text == "--":
            operands += words
            break
        if not text.startswith("-"):
            operands.append(word)
            continue
        name, equals, value = text.partition("=")
        if equals:
            options.append((name, value))
        elif name in {"-w", "--workspace", "--prefix", "-C", "--loglevel"} and words:
            options.append((name, words.pop(0).literal))
        else:
            options.append((name, None))
    return call._replace(operands=tuple(operands), options=tuple(options))


def folder_of_call(call: PackageCall, folder: str) -> str:
    """Where a call works: ``--prefix``, ``--cwd``, ``-C`` or ``--dir`` move it."""
    given = call.option("--prefix", "--cwd", "-C", "--dir")
    return join(folder, given) if given is not None and "$" not in given else folder


def _is_named(unit: Unit, name: str, folder: str) -> bool:
    if name.startswith(("./", "{")) or ("/" in name and not name.startswith("@")):
        return unit.folder == join(folder, name.strip("{}./").rstrip("/"))
    name = name.strip("{}.")
    return unit.package.name is not None and (fnmatchcase(unit.package.name, name) or unit.folder == join(folder, name))


def _scripts_like(package: PackageJson, pattern: str) -> list[str]:
    if "*" not in pattern:
        return [pattern] if pattern in package.scripts else []
    # npm-run-all: `*` stops at a colon, `**` does not.
    rule = re.escape(pattern).replace(r"\*\*", ".+").replace(r"\*", "[^:]+")
    return [name for name in package.scripts if re.fullmatch(rule, name)]


def _tolerated(commands: Sequence[Command], text: str) -> set[int]:
    """Commands before a ``||``: what follows stands in for them."""
    found = set()
    for command in commands:
        rest = text[command.span[1] :].lstrip().lstrip(")}").lstrip()
        if rest.startswith("||") and not re.match(r"\|\|\s*\(?\s*exit\b", rest):
            found.add(id(command))
    return found


def _quoted(words: Sequence[str]) -> str:
    import shlex

    return " ".join(word if re.fullmatch(r"[\w@%+=:,./*$-]+", word) else shlex.quote(word) for word in words)


def node_entry(args: Sequence[str]) -> str | None:
    """The file that ``node`` runs: the first word that is neither an option nor an option's value."""
    at = 0
    while at < len(args):
        word = args[at]
        if word in {"-e", "--eval", "-p", "--print", "-i", "--test"}:
            return None
        if word == "--":
            return args[at + 1] if at + 1 < len(args) else None
        if not word.startswith("-"):
            return word
        at += 2 if word in _NODE_VALUED else 1
    return None


def node_modules_wanted(args: Sequence[str]) -> tuple[str, ...]:
    """Packages that ``node`` loads by option: ``-r tsconfig-paths/register``, ``--import tsx``."""
    found = []
    for at, word in enumerate(args):
        option, _, value = word.partition("=")
        if option in {"-r", "--require", "--import", "--loader", "--experimental-loader", "--preload"}:
            name = value or (args[at + 1] if at + 1 < len(args) else "")
            if name and not name.startswith((".", "/", "data:")):
                found.append(package_of(name))
    return tuple(found)


def package_of(module: str) -> str:
    """The package of a module's name: ``@a/b/c`` -> ``@a/b``, ``a/b`` -> ``a``."""
    parts = module.split("/")
    return "/".join(parts[:2]) if module.startswith("@") else parts[0]


def owner(program: str, package: PackageJson) -> str | None:
    """The package of the project's own dependencies that brings the command, None where none is known to."""
    wanted = {**package.wanted, **package.peer_dependencies}
    candidates = [pairs("commands").get(program, program), program, f"{program}-cli", f"{program}2"]
    for name in candidates:
        if name in wanted:
            return name
    scoped = [
        name for name in wanted if name.startswith("@") and name.rpartition("/")[2] in {program, f"{program}-cli"}
    ]
    return scoped[0] if len(scoped) == 1 else None


__all__ = [
    "BUN_FILE", "INSTALLING", "MANAGERS", "RUNTIMES", "Programs", "Ran", "folder_of_call", "node_entry",
    "node_modules_wanted", "owner", "package_of",
]  # fmt: skip
