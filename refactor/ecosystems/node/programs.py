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
from refactor.ecosystems.node.tables import pairs, words
from refactor.flow.reading import StageReading, Start, Step, join
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
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_INITS = frozenset({"tini", "dumb-init", "docker-init", "catatonit"})
_TAKES_USER = frozenset({"gosu", "su-exec"})
_NODE_VALUED = words(
    """
    -r --require --import --loader --experimental-loader --env-file --env-file-if-exists -C --conditions
    --max-old-space-size --stack-size --icu-data-dir --title --inspect-port --dns-result-order
    --openssl-config --preload --cwd --port --define -d --loader -l --tsconfig-override --config
    """
)

BIN_PACKAGES = pairs(
    """
    tsc typescript  tsserver typescript  nest @nestjs/cli  ng @angular/cli  vue-cli-service @vue/cli-service
    run-s npm-run-all  run-p npm-run-all  babel @babel/cli  babel-node @babel/node  swc @swc/cli
    swc-node @swc-node/register  tsnd ts-node-dev  dotenv dotenv-cli  sequelize sequelize-cli
    remix @remix-run/dev  remix-serve @remix-run/serve  svelte-kit @sveltejs/kit  craco @craco/craco
    webpack webpack-cli  ncc @vercel/ncc  pm2-runtime pm2  pm2-docker pm2  gulp gulp-cli  grunt grunt-cli
    mikro-orm @mikro-orm/cli  strapi @strapi/strapi  medusa @medusajs/medusa  fastify fastify-cli
    redwood @redwoodjs/cli  docusaurus @docusaurus/core  eleventy @11ty/eleventy
    graphql-codegen @graphql-codegen/cli  openapi-generator-cli @openapitools/openapi-generator-cli
    cross-env-shell cross-env  react-router @react-router/dev  react-router-serve @react-router/serve
    medusa-server @medusajs/medusa  adonis @adonisjs/cli
    """
)
"""Commands whose package has another name (the ``bin`` of the package's manifest on the npm registry)."""


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


class Programs:
    """Follows commands through package.json of a stage's image. ``before``: files copied before that instruction."""

    def __init__(self, layout: Layout, before: Instruction | None = None) -> None:
        self.layout = layout
        self.before = before
        self._left = _MAX_SCRIPTS

    def of_step(self, step: Step) -> Iterator[tuple[Command, Ran]]:
        """The programs of a RUN, each with its command."""
        for command in step.commands:
            folder = step.folder_of(command) or step.workdir
            for ran in self.of_command(command, folder):
                yield command, ran

    def of_start(self, start: Start, workdir: str) -> tuple[Ran, ...]:
        """What the container starts."""
        if start.script is not None:
            if start.script.opaque is not None:
                return (Ran("?", (start.script.opaque,), workdir, ()),)
            return tuple(self.of_text(start.script.text, workdir))
        argv = start.argv
        image = self.layout.reading.image
        if image is not None and self.layout.reading.last("ENTRYPOINT") is None:
            # The base image's own: docker-entrypoint.sh of Node's, node itself of distroless.
            argv = (*image.entrypoint, *argv)
        return tuple(self.of_words(argv, workdir, (), 0))

    def of_text(
        self, text: str, folder: str, via: tuple[str, ...] = (), depth: int = 0, is_tolerated: bool = False
    ) -> Iterator[Ran]:
        """The programs of a shell text such as a script of package.json."""
        script = read(text)
        if script.opaque is not None:
            yield Ran("?", (script.opaque,), folder, via, is_tolerated)
            return
        tolerated = _tolerated(script.commands, text)
        here: str | None = folder
        for command in script.commands:
            if command.name == "cd":
                target = command.words[1].value if len(command.words) == 2 else None
                here = None if target is None or here is None else join(here, target)
                continue
            yield from self.of_command(command, here or folder, via, depth, is_tolerated or id(command) in tolerated)

    def of_command(
        self, command: Command, folder: str, via: tuple[str, ...] = (), depth: int = 0, is_tolerated: bool = False
    ) -> Iterator[Ran]:
        if not command.words:
            return
        if command.name is None:
            yield Ran("?", (command.words[0].text,), folder, via, is_tolerated)
            return
        call = package_call(command)
        if call is not None and call.manager in MANAGERS:
            yield from self._of_call(call, folder, via, depth, is_tolerated)
            return
        words = (command.name, *command.args)
        yield from self.of_words(words, folder, via, depth, is_tolerated, command.redirects)

    def of_words(
        self,
        words: Sequence[str],
        folder: str,
        via: tuple[str, ...] = (),
        depth: int = 0,
        is_tolerated: bool = False,
        redirects: tuple[str, ...] = (),
    ) -> Iterator[Ran]:
        """The programs of an argument vector."""
        words = tuple(words)
        if not words:
            return
        base = posixpath.basename(words[0])
        if depth > _DEPTH:
            yield Ran("?", ("scripts that call each other without end",), folder, via, is_tolerated)
            return
        peeled = self._peeled(base, words)
        if peeled is not None:
            yield from self.of_words(peeled, folder, via, depth + 1, is_tolerated, redirects)
            return
        if base in MANAGERS or base in {"npx", "pnpx", "bunx", "corepack"}:
            call = package_call(read(_quoted((base, *words[1:]))).commands[0])
            if call is not None and call.manager in MANAGERS:
                yield from self._of_call(call, folder, via, depth, is_tolerated)
                return
        if base in _SHELLS and len(words) > 1:
            yield from self._of_shell(base, words, folder, via, depth, is_tolerated)
            return
        if base in {"concurrently", "conc"}:
            for word in words[1:]:
                if word.startswith(("npm:", "yarn:", "pnpm:")):
                    manager, _, name = word.partition(":")
                    yield from self.of_text(f"{manager} run {name}", folder, via, depth + 1, is_tolerated)
                elif " " in word:
                    yield from self.of_text(word, folder, via, depth + 1, is_tolerated)
            yield Ran(base, words[1:], folder, via, is_tolerated)
            return
        if base in _RUNNERS:
            unit = self.layout.unit(folder, self.before)
            yield Ran(base, words[1:], folder, via, is_tolerated)
            for name in words[1:]:
                if unit is not None and not name.startswith("-"):
                    for script in _scripts_like(unit.package, name.split(" ")[0]):
                        yield from self._script(unit, script, "", via, depth, is_tolerated)
            return
        if base in {"turbo", "lerna"}:
            tasks = tuple(self._of_all_members(words, folder, via, depth, is_tolerated))
            yield from tasks or (Ran(base, words[1:], folder, via, is_tolerated),)
            return
        file = self._shell_file(words[0], folder)
        if file is not None:
            path, text = file
            yield from self._of_file(path, text, words[1:], folder, via, depth, is_tolerated)
            return
        if base == "node" or base == "nodejs":
            entry = node_entry(words[1:])
            if entry is not None:
                found = re.search(r"node_modules/(?:\.bin/([^/]+)|((?:@[^/]+/)?[^/]+)/.+)$", entry)
                if found is not None and not entry.startswith("-"):
                    rest = words[words.index(entry) + 1 :]
                    name = found[1] or posixpath.basename(entry).removesuffix(".js") or found[2]
                    yield Ran(name, tuple(rest), folder, via, is_tolerated, redirects)
                    return
            yield Ran("node", words[1:], folder, via, is_tolerated, redirects)
            return
        yield Ran(base, words[1:], folder, via, is_tolerated, redirects)

    def _of_all_members(
        self, words: tuple[str, ...], folder: str, via: tuple[str, ...], depth: int, is_tolerated: bool
    ) -> Iterator[Ran]:
        """``turbo run build``, ``lerna run build``: the script of every member that has it."""
        names = [word for word in words[1:] if not word.startswith("-")]
        if words[0] == "lerna" and names[:1] != ["run"]:
            return
        tasks = names[1:] if names[:1] == ["run"] else names
        for task in tasks:
            for unit in self.members(folder):
                if task in unit.package.scripts:
                    yield from self._script(unit, task, "", via, depth + 1, is_tolerated)

    def _peeled(self, base: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The words without a wrapper that runs the rest of them; None where there is none."""
        if base in {"cross-env", "cross-env-shell", "env-cmd", "env"}:
            rest = list(words[1:])
            while rest and (re.match(r"[A-Za-z_]\w*=", rest[0]) or rest[0].startswith("-")):
                valued = rest[0] in {"-f", "-e", "--file", "--environments", "-u"}
                del rest[: 2 if valued else 1]
            return tuple(rest) if rest else None
        if base in {"dotenv", "dotenvx", "infisical", "doppler"}:
            if "--" in words:
                return words[words.index("--") + 1 :] or None
            return None
        if base in _INITS:
            if "--" in words:
                return words[words.index("--") + 1 :] or None
            rest = [word for word in words[1:] if not word.startswith("-")]
            return tuple(rest) or None
        if base in _TAKES_USER:
            return words[2:] or None
        if base == "docker-entrypoint.sh" and self._shell_file(words[0], "/usr/local/bin") is None:
            rest = list(words[1:])
            image = self.layout.reading.image
            if rest and (rest[0].startswith("-") or BUN_FILE.search(rest[0])):
                return ("bun" if image is not None and image.family == "bun" else "node", *rest)
            return tuple(rest) or None
        if base in {"exec", "nice", "nohup", "time"} and len(words) > 1 and not words[1].startswith("-"):
            return words[1:]
        return None

    def _of_shell(
        self, base: str, words: tuple[str, ...], folder: str, via: tuple[str, ...], depth: int, is_tolerated: bool
    ) -> Iterator[Ran]:
        if re.fullmatch(r"-[a-z]*c", words[1]) and len(words) > 2:
            yield from self.of_text(words[2], folder, via, depth + 1, is_tolerated)
            return
        operands = [word for word in words[1:] if not word.startswith("-")]
        if operands:
            path = self.layout.source(join(folder, operands[0]), self.before)
            text = self.layout.context.read(path) if path else None
            if path and isinstance(text, str):
                yield from self._of_file(
                    path, text, words[words.index(operands[0]) + 1 :], folder, via, depth, is_tolerated
                )
                return
        yield Ran("?", (f"{base} {' '.join(words[1:])}",), folder, via, is_tolerated)

    def _of_file(
        self,
        path: str,
        text: str,
        more: Sequence[str],
        folder: str,
        via: tuple[str, ...],
        depth: int,
        is_tolerated: bool,
    ) -> Iterator[Ran]:
        body = text.split("\n", 1)[1] if text.startswith("#!") and "\n" in text else text
        if more:
            # The words that follow the script's name are what `exec "$@"` runs; quotes keep them as they are.
            body = re.sub(r'"?\$[@*]"?', lambda _: _quoted(more), body)
        yield from self.of_text(body.replace("\r\n", "\n"), folder, (*via, path), depth + 1, is_tolerated)

    def _shell_file(self, word: str, folder: str) -> tuple[str, str] | None:
        """The context path and text of a shell script that ``word`` names."""
        if word.startswith("-") or "$" in word:
            return None
        places = [join(folder, word)]
        if "/" not in word:
            if "." not in word:
                return None
            places = [f"/usr/local/bin/{word}", f"/usr/bin/{word}", join(folder, word)]
        for place in places:
            path = self.layout.source(place, self.before)
            if not path or path.endswith((".js", ".mjs", ".cjs", ".ts", ".py", ".json")):
                continue
            text = self.layout.context.read(path)
            if isinstance(text, Unknown):
                continue
            if path.endswith((".sh", ".bash")) or re.match(r"#!.*\b(?:ba|da|a)?sh\b", text):
                return path, text
        return None

    def _of_call(
        self, call: PackageCall, folder: str, via: tuple[str, ...], depth: int, is_tolerated: bool
    ) -> Iterator[Ran]:
        call = _npm_options(call)
        here = folder_of_call(call, folder)
        written = " ".join((call.program, *(word.literal for word in call.command.words[1:])))
        if call.action in INSTALLING and not call.packages:
            yield Ran(f"{call.manager} {call.action}", call.command.args, here, via, is_tolerated)
            return
        selected = self._selected(call, here)
        if call.action == "run" and call.script is not None:
            name = call.script
            more = _quoted([word.literal for word in call.operands if word.literal != "--"])
            for unit in selected:
                if name in unit.package.scripts:
                    yield from self._script(unit, name, more, (*via, written), depth, is_tolerated)
                elif call.manager == "npm" and name == "start":
                    yield Ran("node", ("server.js",), unit.folder, (*via, written), is_tolerated)
                elif call.manager == "bun" and BUN_FILE.search(name):
                    yield self._of_bun(call, here, via, is_tolerated)
                elif call.manager != "npm" and len(selected) == 1:
                    words = (name, *(word.literal for word in call.operands))
                    yield from self.of_words(words, here, via, depth + 1, is_tolerated)
                elif len(selected) == 1:
                    yield Ran("?", (f"{unit.package.path} has no script {name}",), here, (*via, written), is_tolerated)
            if not selected:
                if call.manager == "bun" and BUN_FILE.search(name):
                    yield self._of_bun(call, here, via, is_tolerated)
                elif call.manager != "npm" and call.verb == "":
                    words = (name, *(word.literal for word in call.operands))
                    yield from self.of_words(words, here, via, depth + 1, is_tolerated)
                else:
                    yield Ran("?", (f"no package.json is known at {here}",), here, (*via, written), is_tolerated)
            return
        if call.action == "exec" and call.script is not None:
            program = re.sub(r"(?<=.)@[^/]*$", "", call.script)
            words = (program, *(word.literal for word in call.operands if word.literal != "--"))
            where = selected[0].folder if selected else here
            yield from self.of_words(words, where, via, depth + 1, is_tolerated)
            return
        if call.action == "workspace" and len(call.operands) > 1:
            yield from self._of_workspace(call, here, via, depth, is_tolerated)
            return
        action = "add" if call.action == "install" and call.packages else call.action
        yield Ran(f"{call.manager} {action}", call.command.args, here, via, is_tolerated, call.command.redirects)

    def _of_bun(self, call: PackageCall, folder: str, via: tuple[str, ...], is_tolerated: bool) -> Ran:
        """``bun run --smol src/index.ts``: Bun itself runs the file."""
        args = list(call.command.args)
        if call.verb == "run":
            args.remove("run")
        return Ran("bun", tuple(args), folder, via, is_tolerated, call.command.redirects)

    def _of_workspace(
        self, call: PackageCall, folder: str, via: tuple[str, ...], depth: int, is_tolerated: bool
    ) -> Iterator[Ran]:
        """``yarn workspace <name> <command> ...``."""
        words = [word.literal for word in call.operands]
        for unit in self.members(folder):
            if unit.package.name == words[0]:
                yield from self.of_text(f"yarn {_quoted(words[1:])}", unit.folder, via, depth + 1, is_tolerated)
                return
        yield Ran("?", (f"no workspace {words[0]} is known",), folder, via, is_tolerated)

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

    def _script(
        self, unit: Unit, name: str, more: str, via: tuple[str, ...], depth: int, is_tolerated: bool
    ) -> Iterator[Ran]:
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            if self._left >= -1:
                why = f"script {name} of {unit.package.path} calls itself"
                yield Ran("?", (why,), unit.folder, via, is_tolerated)
            return
        scripts = unit.package.scripts
        for each in (f"pre{name}", name, f"post{name}"):
            text = scripts.get(each)
            if text is not None:
                if each == name and more:
                    text = f"{text} {more}"
                yield from self.of_text(text, unit.folder, via, depth + 1, is_tolerated)


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
    candidates = [BIN_PACKAGES.get(program, program), program, f"{program}-cli", f"{program}2"]
    for name in candidates:
        if name in wanted:
            return name
    scoped = [
        name for name in wanted if name.startswith("@") and name.rpartition("/")[2] in {program, f"{program}-cli"}
    ]
    return scoped[0] if len(scoped) == 1 else None


def programs_of_start(layout: Layout) -> tuple[Ran, ...] | None:
    """What a container of the stage starts, None where only the base image knows."""
    start = layout.reading.start
    if start is None:
        return None
    return Programs(layout).of_start(start, layout.reading.final_workdir)


def programs_of_health(layout: Layout) -> tuple[Ran, ...]:
    """What the last HEALTHCHECK calls."""
    node = layout.reading.last("HEALTHCHECK")
    if node is None or node.argument.upper() == "NONE":
        return ()
    if node.json is not None:
        return tuple(Programs(layout).of_words(node.json, layout.reading.final_workdir))
    text = re.sub(r"^CMD\s+", "", node.argument, count=1, flags=re.IGNORECASE)
    return tuple(Programs(layout).of_text(text, layout.reading.final_workdir))


def last_reading(reading: StageReading) -> StageReading:
    """The final stage of the file."""
    stages = reading.file.stages
    return reading if stages[-1] is reading.stage else StageReading(reading.file, stages[-1], reading.context)


__all__ = [
    "BUN_FILE", "INSTALLING", "MANAGERS", "RUNTIMES", "Programs", "Ran", "folder_of_call", "last_reading",
    "node_entry", "node_modules_wanted", "owner", "package_of", "programs_of_health", "programs_of_start",
]  # fmt: skip
