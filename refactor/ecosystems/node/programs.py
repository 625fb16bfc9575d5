"""What a command comes down to: scripts of package.json, runners of scripts and wrappers are followed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.node.known import names, pairs
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.package_json import PackageJson, workspace_members
from refactor.flow.reading import Refused, Start, Step, join
from refactor.flow.roots import SHELLS, Root, roots_in, shell_file
from refactor.shell import Command, PackageCall, package_call, read
from refactor.syntax import Instruction

MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun"})
RUNTIMES = frozenset({"node", "nodejs", "bun"})
"""Programs that run a JavaScript file; Bun TypeScript as well."""
BUN_FILE = re.compile(r"\.[mc]?[jt]sx?\Z")
"""What Bun takes for a file to run, and not for a script of package.json (docs/cli/run: by its ending)."""
INSTALLING = frozenset({"install", "ci"})
_IT = "it"
"""What messages call the command that is followed, where no file of the context starts it."""
_DEPTH = 12
_MAX_SCRIPTS = 500
"""Scripts that are followed for one question; scripts that call each other twice would grow without end."""
_CALLED = MANAGERS | {"npx", "pnpx", "bunx", "corepack"}
_RUNNERS = frozenset("run-s run-p npm-run-all npm-run-all2 npm-s npm-p".split())
_PRELOADING = frozenset("-r --require --import --loader --experimental-loader --preload".split())
_VALUED = _PRELOADING | names("valued-options")


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
    def manager(self) -> str:
        """The package manager whose own call it is (``npm install``), "" for other programs."""
        name, _, action = self.program.partition(" ")
        return name if action and name in MANAGERS and self.program != "bun build" else ""

    @property
    def installs(self) -> bool:
        """It installs packages."""
        return bool(self.manager) and self.program.partition(" ")[2] in {*INSTALLING, "add", "global-install"}

    @property
    def operands(self) -> tuple[str, ...]:
        """Its words that are no options."""
        return tuple(word for word in self.args if not word.startswith("-"))

    @property
    def verb(self) -> str:
        """The first of them."""
        return next(iter(self.operands), "")

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Packages that ``node`` or ``bun`` loads by option: ``-r tsconfig-paths/register``, ``--import tsx``."""
        found = []
        for at, word in enumerate(self.args if self.program in RUNTIMES else ()):
            option, _, value = word.partition("=")
            name = value or next(iter(self.args[at + 1 :]), "")
            if option in _PRELOADING and name and not name.startswith((".", "/", "data:")):
                found.append(package_of(name))
        return tuple(found)

    @property
    def text(self) -> str:
        return " ".join((self.program, *self.args))

    @property
    def shown(self) -> str:
        """For messages: the command with the scripts that lead to it."""
        name, _, action = self.program.partition(" ")
        # The arguments of a package manager's call have its verb, as it was written.
        text = " ".join((name, *self.args)) if action and self.args else self.text
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
            at = _At(step.folder_of(command) or step.workdir)
            if command.words and command.name is None:
                yield command, at.lost(command.words[0].text)
            elif command.words:
                for ran in self._of_words((command.name or "", *command.args), at, command.redirects):
                    yield command, ran

    def of_start(self, start: Start, workdir: str) -> tuple[Ran, ...]:
        """What the container starts."""
        if start.script is not None:
            return tuple(self.of_text(start.script.text, workdir))
        image = self.layout.reading.image
        if image is None or self.layout.reading.last("ENTRYPOINT") is not None:
            return tuple(self.of_words(start.argv, workdir))
        # The base image's own: docker-entrypoint.sh of Node's, node itself of distroless.
        return tuple(self.of_words((*image.entrypoint, *start.argv), workdir))

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
        roots = roots_in(self.layout.reading, script, at.folder, _IT)
        yield from self._of_roots(roots, at, (), _tolerated(script.commands, text))

    def _of_words(self, words: tuple[str, ...], at: _At, redirects: tuple[str, ...] = ()) -> Iterator[Ran]:
        yield from self._of_roots(roots_in(self.layout.reading, words, at.folder, _IT), at, redirects)

    def _of_roots(
        self, roots: Iterable[Root | Refused], at: _At, redirects: tuple[str, ...], tolerated: Collection[int] = ()
    ) -> Iterator[Ran]:
        for root in roots:
            if isinstance(root, Refused):
                yield at.lost(root.because)
                continue
            here = at._replace(folder=root.folder, is_tolerated=at.is_tolerated or id(root.command) in tolerated)
            here = here if root.where == _IT else here._replace(via=(*at.via, root.where))
            yield from self._of_root(root.words, here, redirects if root.command is None else root.command.redirects)

    def _of_root(self, words: tuple[str, ...], at: _At, redirects: tuple[str, ...]) -> Iterator[Ran]:
        base, rest = posixpath.basename(words[0]), words[1:]
        inner = self._unwrapped(base, words)
        if inner is not None:
            yield from self._of_words(inner, at.inside(), redirects)
        elif base in _CALLED and (call := _call_of((base, *rest))) is not None:
            yield from self._of_call(call, at, redirects)
        elif base in SHELLS and rest:
            yield at.lost(" ".join((base, *rest)))
        elif base in {"concurrently", "conc"}:
            for word in rest:
                text = re.sub(r"^(npm|yarn|pnpm):", r"\1 run ", word)
                if " " in text:
                    yield from self._of_text(text, at.inside())
            yield at.ran(base, rest)
        elif base in _RUNNERS:
            unit = self.layout.unit(at.folder, self.before)
            yield at.ran(base, rest)
            for name in rest:
                if unit is not None and not name.startswith("-"):
                    for script in _scripts_like(unit.package, name.split(" ")[0]):
                        yield from self._script(unit, script, "", at)
        elif base in {"turbo", "lerna"}:
            # The script of every member that has it.
            names = [word for word in rest if not word.startswith("-") and word != "run"]
            text = " && ".join(f"npm run {name} --workspaces" for name in names)
            is_run = bool(names) and (base == "turbo" or "run" in rest)
            yield from (tuple(self._of_text(text, at.inside())) if is_run else ()) or (at.ran(base, rest),)
        else:
            yield at.ran(*_unpacked("node" if base == "nodejs" else base, rest), redirects)

    def _unwrapped(self, base: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The words without a wrapper of Node's that runs the rest of them; None where there is none."""
        rest = words[1:]
        if base in {"cross-env", "cross-env-shell", "env-cmd"}:
            while rest and (re.match(r"[A-Za-z_]\w*=", rest[0]) or rest[0].startswith("-")):
                rest = rest[2 if rest[0] in {"-f", "-e", "--file", "--environments"} else 1 :]
            return rest or None
        if base in {"dotenv", "dotenvx", "infisical", "doppler"}:
            return (rest[rest.index("--") + 1 :] or None) if "--" in rest else None
        if base == "docker-entrypoint.sh" and shell_file(self.layout.reading, words[0], "/usr/local/bin") is None:
            image = self.layout.reading.image
            if rest and (rest[0].startswith("-") or BUN_FILE.search(rest[0])):
                return ("bun" if image is not None and image.family == "bun" else "node", *rest)
            return rest or None
        return None

    def _of_call(self, call: PackageCall, at: _At, redirects: tuple[str, ...]) -> Iterator[Ran]:
        via = " ".join((call.program, *(word.literal for word in call.command.words[1:])))
        call = _npm_options(call)
        at = at._replace(folder=folder_of_call(call, at.folder))
        if call.action in INSTALLING and not call.packages:
            yield at.ran(f"{call.manager} {call.action}", call.command.args)
        elif call.action == "run" and call.script is not None:
            yield from self._of_run(call, call.script, at, via, redirects)
        elif call.action == "exec" and call.script is not None:
            selected = self._selected(call, at.folder)
            program = re.sub(r"(?<=.)@[^/]*$", "", call.script)
            words = (program, *(word.literal for word in call.operands if word.literal != "--"))
            yield from self._of_words(words, at.inside(selected[0].folder if selected else None))
        elif call.action == "workspace" and len(call.operands) > 1:
            # `yarn workspace <name> <command> ...`
            name, *more = (word.literal for word in call.operands)
            unit = next((one for one in self.members(at.folder) if one.package.name == name), None)
            known = None if unit is None else self._of_text(f"yarn {_quoted(more)}", at.inside(unit.folder))
            yield from (at.lost(f"no workspace {name} is known"),) if known is None else known
        else:
            action = "add" if call.action == "install" and call.packages else call.action
            yield at.ran(f"{call.manager} {action}", call.command.args, redirects)

    def _of_run(self, call: PackageCall, name: str, at: _At, via: str, redirects: tuple[str, ...]) -> Iterator[Ran]:
        selected = self._selected(call, at.folder)
        operands = [word.literal for word in call.operands if word.literal != "--"]
        behind = at._replace(via=(*at.via, via))
        is_file = call.manager == "bun" and BUN_FILE.search(name) is not None
        for unit in selected or (None,):
            if unit is not None and name in unit.package.scripts:
                yield from self._script(unit, name, _quoted(operands), behind)
            elif is_file:
                # `bun run --smol src/index.ts`: Bun itself runs the file.
                args = [word for word in call.command.args if (word, call.verb) != ("run", "run")]
                yield at.ran("bun", args, redirects)
            elif call.manager == "npm" and name == "start" and unit is not None:
                yield behind.ran("node", ("server.js",), folder=unit.folder)
            elif call.manager != "npm" and len(selected) < 2 and (unit is not None or call.verb == ""):
                yield from self._of_words((name, *operands), at.inside())
            elif len(selected) < 2:
                why = f"no package.json is known at {at.folder}"
                yield behind.lost(why if unit is None else f"{unit.package.path} has no script {name}")

    def _selected(self, call: PackageCall, folder: str) -> tuple[Unit, ...]:
        """The projects whose script a call runs."""
        names = call.values("-w", "--workspace", "-F", "--filter")
        if names:
            members = self.members(folder)
            return tuple(unit for name in names for unit in members if _is_named(unit, name.rstrip("."), folder))
        unit = self.layout.unit(folder, self.before)
        if unit is not None and call.has("--workspaces", "-ws", "--recursive", "-r"):
            return self.members(folder)
        return () if unit is None else (unit,)

    def members(self, folder: str) -> tuple[Unit, ...]:
        """The workspace members of the project at or above ``folder``, as they are in the image."""
        unit = self.layout.unit(folder, self.before)
        while unit is not None:
            paths = workspace_members(self.layout.context, unit.package)
            if not isinstance(paths, Unknown) and paths:
                found = [self.layout.unit(unit.place(posixpath.dirname(path)), self.before) for path in paths]
                return tuple(one for one in found if one is not None and one.package.path in paths)
            unit = None if unit.folder == "/" else self.layout.unit(posixpath.dirname(unit.folder), self.before)
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


def _unpacked(base: str, args: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """``node node_modules/next/dist/bin/next start`` -> ``next start``."""
    entry = node_entry(args) if base == "node" else None
    found = re.search(r"node_modules/(?:\.bin/([^/]+)|((?:@[^/]+/)?[^/]+)/.+)$", entry or "")
    if entry is None or found is None or entry.startswith("-"):
        return base, args
    return found[1] or posixpath.basename(entry).removesuffix(".js") or found[2], args[args.index(entry) + 1 :]


def _npm_options(call: PackageCall) -> PackageCall:
    """npm takes its own options behind the script's name too, up to ``--``; the other managers pass them on."""
    words = [word.literal for word in call.operands]
    if call.program != "npm" or call.action != "run" or call.script is None:
        return call
    end = words.index("--") if "--" in words else len(words)
    valued = {"-w", "--workspace", "--prefix", "-C", "--loglevel"}
    own = [at for at, word in enumerate(words[:end]) if word.startswith("-") or (at and words[at - 1] in valued)]
    if not own:
        return call
    before = [word.literal for word in call.command.words[1:] if word.span[0] < call.operands[0].span[0]]
    others = [word for at, word in enumerate(words[:end]) if at not in own]
    return _call_of(("npm", *(words[at] for at in own), *before, *others, *words[end:])) or call


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
    words = iter(args)
    for word in words:
        if word in {"-e", "--eval", "-p", "--print", "-i", "--test"}:
            return None
        if word == "--" or word in _VALUED:
            value = next(words, None)
            if word == "--":
                return value
        elif not word.startswith("-"):
            return word
    return None


def package_of(module: str) -> str:
    """The package of a module's name: ``@a/b/c`` -> ``@a/b``, ``a/b`` -> ``a``."""
    parts = module.split("/")
    return "/".join(parts[:2]) if module.startswith("@") else parts[0]


def owner(program: str, package: PackageJson) -> str | None:
    """The package of the project's own dependencies that brings the command, None where none is known to."""
    wanted = {**package.wanted, **package.peer_dependencies}
    for name in (pairs("commands").get(program, program), program, f"{program}-cli", f"{program}2"):
        if name in wanted:
            return name
    names = {program, f"{program}-cli"}
    scoped = [name for name in wanted if name.startswith("@") and name.rpartition("/")[2] in names]
    return scoped[0] if len(scoped) == 1 else None
