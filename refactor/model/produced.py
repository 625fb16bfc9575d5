"""What a stage is known to hold, asked from the doubtful side: is there a reason why a path cannot be there?

An unknown program may write anywhere, and an unknown base may hold anything: then there is no reason. A
reason is given only where every instruction of the stage is known not to make the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from posixpath import basename
from typing import NamedTuple

from refactor.model.build_model import BuildModel, Command, Copy, StageModel
from refactor.model.words import normal_path, split_words, value_of


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SYSTEM = _set(
    """
    /bin /boot /dev /etc /go /home /lib /lib32 /lib64 /libx32 /media /mnt /nodejs /nonexistent /opt
    /proc /root /run /sbin /srv /sys /tmp /usr /var /busybox /docker-entrypoint.sh
    /docker-entrypoint.d /deno-dir /tini /__cacert_entrypoint.sh
    """
)
"""Folders that the images named below use themselves."""

_PLAIN_BASE = re.compile(
    r"(?:(?:docker\.io|index\.docker\.io|public\.ecr\.aws/docker|mirror\.gcr\.io)/)?(?:library/)?"
    r"(?:alpine|buildpack-deps|busybox|debian|eclipse-temurin|fedora|golang|gradle|httpd|maven|nginx|node|openjdk|php|"
    r"python|ruby|rust|scratch|ubuntu|rockylinux|almalinux|amazonlinux|centos)(?:[:@]|\Z)"
    r"|(?:gcr\.io/distroless/|mcr\.microsoft\.com/dotnet/|nginxinc/nginx-unprivileged(?:[:@]|\Z))"
)
"""Images whose files lie in the folders above and nowhere else."""

# Programs that write nothing, or only into the system folders or package stores: no application file comes
# from them.
_SILENT = _set(
    """
    apt apt-get apt-key apt-mark dpkg apk dnf yum microdnf tdnf zypper rpm add-apt-repository
    update-ca-certificates useradd groupadd adduser addgroup usermod groupmod deluser passwd chpasswd
    chown chmod chgrp set export unset true : test [ ls id whoami which command type printenv env pwd
    sleep date uname locale-gen localedef ldconfig dpkg-reconfigure update-alternatives a2enmod a2dissite
    a2ensite docker-php-ext-install docker-php-ext-enable docker-php-ext-configure pecl gem corepack
    rustup umask ulimit stat file head tail wc grep node-gyp sync strip upx locale
    """
)
_IN_PLACE = _set(
    """
    npm npx yarn pnpm bun tsc vite ng nest next nuxt react-scripts vue-cli-service webpack rollup esbuild
    gatsby hugo jekyll cargo mvn ./mvnw mvnw gradle ./gradlew gradlew composer bundle rails rake
    django-admin mkdocs sphinx-build pyinstaller dotnet poetry uv pdm pipenv bower grunt gulp lerna turbo
    nx astro svelte-kit remix prisma
    """
)
"""Build tools: they write under the first folder of the working directory, or where an argument says."""


_MOVES = r"\w+_(?:TARGET_DIR|BUILD_PATH|BUILD_ROOT|INSTALL_ROOT)"
"""Variables of the environment that say where one writes: CARGO_TARGET_DIR, MIX_BUILD_PATH."""


class _Makes(NamedTuple):
    """What one RUN step may make."""

    anywhere: bool = False
    trees: tuple[str, ...] = ()
    """Folders under which (or at which) anything may appear."""
    removes: tuple[str, ...] = ()


_NOTHING = _Makes()
_ANYTHING = _Makes(anywhere=True)


def why_not_produced(model: BuildModel, stage: StageModel, path: str) -> str | None:
    """Why a path cannot be in a stage's files, as far as that is known; None where it is or may be."""
    if model.escape != "\\" or "$" in path or "\\" in path:
        return None
    path = _absolute(path)
    literal = path
    while any(mark in basename(literal) for mark in "*?["):
        literal = literal.rpartition("/")[0] or "/"
    if any(mark in literal for mark in "*?["):
        return None
    if literal == "/":
        return None
    removed: str | None = None
    cached: str | None = None
    for each in model.chain(stage):
        for kind, what in reversed(list(_events(each))):
            if kind == "copy":
                assert not isinstance(what, str)
                copy: Copy = what  # type: ignore[assignment]
                if removed is None and _copy_makes(copy, literal, path):
                    return None
            else:
                command: Command = what  # type: ignore[assignment]
                makes = _made_by(command)
                mounted = _cache_over(command, literal)
                may_make = makes.anywhere or any(_touches(tree, literal) for tree in makes.trees)
                if may_make and removed is None:
                    if mounted is None:
                        return None
                    cached = mounted
                if removed is None and any(_is_under(literal, gone) for gone in makes.removes):
                    removed = command.text
    name = stage.name or str(stage.number)
    if removed is not None:
        return f"{path} is removed in stage {name} by `{_short(removed)}`"
    if cached is not None:
        return f"{path} lies in the cache mount {cached} of stage {name}, whose files are not part of the stage"
    for each in model.chain(stage):
        if each.config.workdir and _is_under(each.config.workdir, literal):
            return None
        if any(command.workdir and _is_under(command.workdir, literal) for command in each.commands):
            return None
        if any("$" in (command.workdir or "") for command in each.commands):
            return None
        moved = (value for name, value in each.config.env.items() if re.fullmatch(_MOVES, name))
        if any(_is_under(literal, value) for value in moved):
            return None
    root = model.root_image(stage)
    if root != "scratch" and (not _PLAIN_BASE.match(root) or _is_system(literal)):
        return None
    return f"nothing in stage {name} makes {path}"


def why_not_startable(model: BuildModel, stage: StageModel | None = None) -> str | None:
    """Why the program of ENTRYPOINT or CMD cannot be in the stage (default: the last), as far as that is known."""
    stage = stage or model.final
    if stage is None or model.escape != "\\":
        return None
    root = model.root_image(stage)
    config = stage.config
    form = config.entrypoint if config.entrypoint is not None else config.cmd
    if form is None:
        return None
    has_no_shell = root == "scratch" or (root.startswith("gcr.io/distroless/") and "debug" not in root)
    keyword = "ENTRYPOINT" if config.entrypoint is not None else "CMD"
    if isinstance(form, str):
        if not form:
            return None
        if has_no_shell and config.shell is None and not _copied_or_made(model, stage, "/bin/sh"):
            return f"{keyword} is in shell form and {root} has no shell"
        words = split_words(form)
        if any(mark in form for mark in "|&;()<>`$\n"):
            return None
        words = tuple(value_of(word) for word in words)
    else:
        words = form
        if config.entrypoint is not None and isinstance(config.cmd, tuple):
            words = form + config.cmd
    if not words:
        return None
    while words and words[0] in ("exec", "tini", "/sbin/tini", "/usr/bin/tini", "dumb-init", "--"):
        words = words[1:]
    if not words:
        return None
    reason = _why_no_program(model, stage, words[0], root)
    if reason is None:
        script = _script(words)
        if script is not None:
            reason = why_not_produced(model, stage, _joined(config.workdir, script))
    return f"{keyword} starts {words[0]}, but {reason}" if reason else None


def _why_no_program(model: BuildModel, stage: StageModel, program: str, root: str) -> str | None:
    if "$" in program:
        return None
    if "/" in program:
        return why_not_produced(model, stage, _joined(stage.config.workdir, program))
    if program.endswith(".wasm"):
        # WebAssembly runtimes take the module's name instead of a program.
        return None
    if root != "scratch" and not re.match(r"gcr\.io/distroless/(?:static|base|cc)", root):
        return None
    search = stage.config.env.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if "$" in search and root == "scratch":
        search = search.replace("${PATH}", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if "$" in search:
        return None
    for folder in search.split(":"):
        if folder and _copied_or_made(model, stage, f"{folder}/{program}"):
            return None
    return f"{root} has no {program} and nothing puts one on its PATH"


def _copied_or_made(model: BuildModel, stage: StageModel, path: str) -> bool:
    for each in model.chain(stage):
        for kind, what in _events(each):
            if kind == "copy":
                if _copy_makes(what, path, path):  # type: ignore[arg-type]
                    return True
            else:
                makes = _made_by(what)  # type: ignore[arg-type]
                if makes.anywhere or any(_touches(tree, path) for tree in makes.trees):
                    return True
    return False


_INTERPRETERS = re.compile(r"(?:.*/)?(?:node|nodejs|python[\d.]*|ruby|php|bun)\Z")


def _script(words: tuple[str, ...]) -> str | None:
    """The file an interpreter is told to run, where the command line says so plainly."""
    if _INTERPRETERS.match(words[0]):
        rest = words[1:]
        if rest[:1] == ("run",):
            return None
        if rest and not rest[0].startswith("-") and "." in basename(rest[0]) and "$" not in rest[0]:
            return rest[0]
    if basename(words[0]) == "java" and "-jar" in words[:-1]:
        jar = words[words.index("-jar") + 1]
        return None if "$" in jar or jar.startswith("-") else jar
    return None


def why_not_carried_out(before: BuildModel, after: BuildModel) -> str | None:
    """Why a rewrite of one file into another asks for files that are not there (the fourth gate).

    Looks at what the rewrite introduced: each COPY --from that was not there before, and the program that the last
    stage starts, if it was not already missing.
    """
    if before.why_unreadable or after.why_unreadable:
        return None
    known = {
        (copy.from_image, source)
        for stage in before.stages
        for copy in stage.copies
        for source in copy.sources
        if copy.from_image is not None
    }
    asked = {
        (before.stages[copy.from_stage].name, source)
        for stage in before.stages
        for copy in stage.copies
        for source in copy.sources
        if copy.from_stage is not None and copy.from_stage < len(before.stages)
    }
    same_count = len(before.stages) == len(after.stages)
    for stage in after.stages:
        for copy in stage.copies:
            for source in copy.sources:
                if copy.from_stage is not None:
                    if copy.from_stage >= stage.number:
                        return f"COPY --from={copy.from_stage} names no earlier stage"
                    origin = after.stages[copy.from_stage]
                    if (origin.name, source) in asked and (origin.name or same_count):
                        continue
                    reason = why_not_produced(after, origin, source)
                    if reason and not _was_missing(before, source):
                        return f"COPY --from={origin.name or origin.number} {source}: {reason}"
                elif copy.from_image is not None and _is_lost(copy.from_image, source, known):
                    return f"COPY --from={copy.from_image} names no earlier stage"
    last = after.final
    if last is None:
        return None
    reason = why_not_startable(after, last)
    if reason is None:
        return None
    first = before.final
    # What was missing before the rewrite (a file that the context does not show to this reader) is not its
    # fault.
    return None if first is not None and why_not_startable(before, first) == reason else reason


def _was_missing(model: BuildModel, path: str) -> bool:
    """A copy of the same path already asked a stage for what that does not make: not the rewrite's fault."""
    return any(
        path in copy.sources and why_not_produced(model, model.stages[copy.from_stage], path) is not None
        for stage in model.stages
        for copy in stage.copies
        if copy.from_stage is not None and copy.from_stage < stage.number
    )


def _is_lost(image: str, source: str, known: set[tuple[str, str]]) -> bool:
    """Whether a new --from looks like the name of a stage, and not like an image."""
    return (image, source) not in known and not any(mark in image for mark in ":/.@$")


def _events(stage: StageModel) -> Iterator[tuple[str, object]]:
    """Copies and commands of a stage in their order."""
    commands: dict[int, list[Command]] = {}
    for command in stage.commands:
        commands.setdefault(command.layer, []).append(command)
    copies = {copy.effect: copy for copy in stage.copies}
    layer = 0
    for number, effect in enumerate(stage.effects):
        if effect.keyword == "RUN":
            for command in commands.get(layer, ()):
                yield "run", command
            layer += 1
        elif number in copies:
            yield "copy", copies[number]


def _copy_makes(copy: Copy, literal: str, path: str) -> bool:
    destination = copy.destination
    if "$" in destination or any("$" in source for source in copy.sources):
        return True
    target = destination.rstrip("/") or "/"
    if _is_under(target, literal):
        return True
    if not _is_under(literal, target):
        return False
    if not destination.endswith("/") and len(copy.sources) == 1:
        # The destination is the file or the folder itself: anything below it may have come along.
        return True
    below = literal[len(target.rstrip("/")) + 1 :]
    first, _, deeper = below.partition("/")
    for source in copy.sources:
        name = basename(source.rstrip("/"))
        if copy.kind == "ADD" or not _is_surely_file(name):
            return True
        # A file lands in the folder under its own name (or becomes the destination itself).
        if fnmatchcase(first, name) and not deeper:
            return True
        if literal == target:
            return True
    return any(basename(name) == first for name, _ in copy.heredocs)


_FILE_NAMES = re.compile(
    r"(?:package(?:-lock)?|npm-shrinkwrap|tsconfig|composer|nest-cli|angular)\*?\.json|package\*?\.json|yarn\.lock|"
    r"pnpm-lock\.yaml|pnpm-workspace\.yaml|bun\.lockb?|\.npmrc|\.yarnrc(?:\.yml)?|requirements[\w.*-]*\.txt|Pipfile"
    r"(?:\.lock)?|Pipfile\*|pyproject\.toml|poetry\.lock\*?|uv\.lock|pdm\.lock|setup\.(?:py|cfg)|go\.(?:mod|sum|work)|go\.\*|"
    r"Cargo\.(?:toml|lock|\*)|pom\.xml|build\.gradle(?:\.kts)?|settings\.gradle(?:\.kts)?|gradle\.properties|gradlew|"
    r"mvnw|composer\.lock|Gemfile(?:\.lock)?|Gemfile\*|[\w.-]+\.(?:csproj|fsproj|sln|conf|ini|sh|jar|py|js|mjs|cjs|ts)"
)


def _is_surely_file(name: str) -> bool:
    return _FILE_NAMES.fullmatch(name) is not None


def _made_by(command: Command) -> _Makes:
    text = command.text
    if text.startswith("exec [") or command.shell is not None:
        return _ANYTHING
    if any(text.startswith(("cd ", "pushd ", "eval ", ". ", "source ")) for text in command.state):
        return _ANYTHING
    return _effect_of(text, command.workdir or "/")


_COMPOUND = re.compile(r"[|;()`\n]|\$\(|(?<!&)&(?!&)|(?:^| )(?:if|for|while|case|until|eval|source|\.) |<<")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@lru_cache(maxsize=1024)
def _effect_of(text: str, folder: str) -> _Makes:
    trees: list[str] = []
    if _COMPOUND.search(re.sub(r"'[^']*'|\"[^\"$`]*\"|[0-9]?>&[0-9]|&>", "_", text)):
        return _ANYTHING
    words = [value_of(word) for word in split_words(text)]
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in ("sudo", "exec", "time", "nice", "command")):
        words.pop(0)
    for at, word in enumerate(words):
        if ">" in word and not word.endswith("/dev/null"):
            target = word.rpartition(">")[2] or (words[at + 1] if at + 1 < len(words) else "")
            if target and not target.startswith("&") and target != "/dev/null":
                if "$" in target:
                    return _ANYTHING
                trees.append(_joined(folder, target))
    words = [word for word in words if ">" not in word]
    if not words:
        return _Makes(trees=tuple(trees))
    program, operands = words[0], [word for word in words[1:] if not word.startswith("-")]
    if program in _SILENT or program in ("echo", "printf", "cat", "cd"):
        return _Makes(trees=tuple(trees))
    if any("$" in word for word in words[1:]) and program not in _IN_PLACE | {"go", "pip", "pip3"}:
        # A variable may name a path that this reader does not know.
        return _ANYTHING
    places = [_joined(folder, word) for word in operands]
    if program in ("rm", "rmdir", "unlink"):
        flags = "".join(word for word in words[1:] if word.startswith("-"))
        is_tree = "r" in flags or "R" in flags or program != "rm"
        return _Makes(removes=tuple(place for place in places if "*" not in place and is_tree))
    if program in ("mkdir", "touch", "install", "tee"):
        return _Makes(trees=(*trees, *places))
    if program in ("cp", "mv", "ln", "rsync"):
        return _Makes(trees=(*trees, *places[-1:])) if len(places) > 1 else _ANYTHING
    if program == "go" and operands:
        return _go(operands, words, folder)
    if program in ("pip", "pip3") or (program.startswith("python") and words[1:3] == ["-m", "pip"]):
        targets = [
            _joined(folder, value)
            for flag, value in pairwise(words)
            if flag in ("-t", "--target", "--prefix", "--root", "-d", "--dest", "-w", "--wheel-dir", "--src")
        ]
        targets += [
            _joined(folder, word.partition("=")[2])
            for word in words
            if word.startswith(("--target=", "--prefix=", "--root=", "--dest=", "--wheel-dir=", "--src="))
        ]
        in_place = [folder] if "-e" in words or "--editable" in words or operands[:1] in (["wheel"],) else []
        return _Makes(trees=(*_STORES, *targets, *in_place))
    if program.startswith("python") and words[1:3] in (["-m", "venv"], ["-m", "virtualenv"]):
        return _Makes(trees=tuple(places[-1:]))
    if program == "virtualenv":
        return _Makes(trees=tuple(places))
    if program in _IN_PLACE:
        named = tuple(
            _joined(folder, word.partition("=")[2] if word.startswith("-") and "=" in word else word)
            for word in words[1:]
            if "/" in word and "$" not in word and "://" not in word
        )
        if any("/" in word and "$" in word for word in words):
            return _ANYTHING
        top = "/" + folder.lstrip("/").split("/", 1)[0]
        return _Makes(trees=(*trees, top, *named, *_STORES))
    return _ANYTHING


_STORES = ("/usr", "/root", "/home", "/var", "/opt", "/tmp", "/go", "/nodejs", "/venv", "/.venv")
"""Where package managers keep what they install."""


def _go(operands: list[str], words: list[str], folder: str) -> _Makes:
    action = operands[0]
    if action in ("mod", "env", "version", "vet", "test", "clean", "fmt") and not (
        action == "mod" and operands[1:2] == ["vendor"]
    ):
        return _Makes(trees=("/go", "/root")) if action in ("mod", "test") else _NOTHING
    if action in ("install", "get"):
        return _Makes(trees=("/go", "/root", "/usr/local/bin"))
    if action == "build":
        outputs = [value for flag, value in pairwise(words) if flag in ("-o", "--o")]
        outputs += [word.partition("=")[2] for word in words if word.startswith(("-o=", "--o="))]
        if outputs:
            return _ANYTHING if "$" in outputs[-1] else _Makes(trees=(_joined(folder, outputs[-1]),))
        return _Makes(trees=(folder,))
    return _Makes(trees=(folder, "/go", "/root")) if action in ("generate", "mod", "run") else _ANYTHING


def _cache_over(command: Command, path: str) -> str | None:
    """The cache mount of the command's RUN that covers the path."""
    for flag in command.flags:
        if not flag.startswith("--mount=") or "type=cache" not in flag:
            continue
        for part in flag[8:].strip("'\"").split(","):
            key, _, value = part.partition("=")
            if key in ("target", "dst", "destination") and "$" not in value:
                target = _joined(command.workdir, value)
                if _is_under(path, target):
                    return target
    return None


def _absolute(path: str) -> str:
    return normal_path(f"/{path}")


def _joined(folder: str | None, path: str) -> str:
    return _absolute(path if path.startswith("/") else f"{folder or '/'}/{path}")


def _is_under(path: str, folder: str) -> bool:
    return path == folder or folder == "/" or path.startswith(f"{folder}/")


def _touches(tree: str, path: str) -> bool:
    """Whether something made at or under `tree` is, holds, or lies under `path`."""
    return "*" in tree or "$" in tree or _is_under(path, tree) or _is_under(tree, path)


def _is_system(path: str) -> bool:
    return any(_is_under(path, folder) for folder in _SYSTEM)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
