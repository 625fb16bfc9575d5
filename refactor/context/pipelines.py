"""What CI, scripts and Makefiles do with images: which stage they build, how they run it, what they call in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context.compose import container_port, mount
from refactor.context.deployment import Call, Mount
from refactor.context.safe_yaml import load
from refactor.shell import Command, read

_ENGINES = frozenset({"docker", "podman", "nerdctl", "docker-compose", "podman-compose"})
_SCRIPT_KEYS = frozenset({"run", "script", "before_script", "after_script", "command", "commands"})

_NO_VALUE = frozenset(
    """-d -i -t -q -P -T --detach --interactive --tty --no-tty --no-TTY --privileged --rm --init --read-only
    --publish-all --no-deps --service-ports --use-aliases --build --remove-orphans --quiet --quiet-pull --no-cache
    --pull --push --load --no-healthcheck --stdin --debug --verbose --all-resources""".split()
)
"""Options of docker, podman, Compose and kubectl that take no value."""


class ImageBuild(NamedTuple):
    """``docker build``, a Bake target or a build action."""

    file: str | None
    """``--file`` as written, None for the default."""
    target: str | None
    names: tuple[str, ...]
    context: str | None = None
    """Folder as a Bake target writes it, None for its file's own."""


class Use(NamedTuple):
    """A container started or asked by a command."""

    call: Call | None
    """``docker exec``; None where the container is started."""
    where: str
    """Name of the container, service, or image, as written."""
    is_image: bool
    command: tuple[str, ...] | None = None
    entrypoint: str | None = None
    mounts: tuple[Mount, ...] = ()
    user: str | None = None
    ports: tuple[int, ...] = ()
    container: str | None = None
    """Name that ``docker run --name`` gives."""


def scripts_of_yaml(text: str) -> Iterator[str]:
    """The shell texts of a CI configuration: GitHub, GitLab, CircleCI, Travis, Azure, Bitbucket."""
    try:
        pending = [load(text)]
    except ValueError:
        return
    for here in pending:
        if isinstance(here, list):
            pending += here
        for key, value in here.items() if isinstance(here, dict) else ():
            if key in _SCRIPT_KEYS and isinstance(value, str):
                yield value
            elif key in _SCRIPT_KEYS and isinstance(value, list) and all(isinstance(line, str) for line in value):
                yield "\n".join(value)
            else:
                pending.append(value)


def builds_of_yaml(text: str) -> Iterator[ImageBuild]:
    """What ``docker/build-push-action`` and the like are told to build."""
    try:
        pending = [load(text)]
    except ValueError:
        return
    for here in pending:
        if isinstance(here, list):
            pending += here
        elif isinstance(here, dict):
            given = here.get("with")
            if isinstance(given, dict) and "build" in str(here.get("uses")):
                tags = str(given.get("tags") or "").replace(",", "\n").split()
                yield ImageBuild(_text(given.get("file")), _text(given.get("target")), tuple(tags))
            pending += here.values()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def recipes_of_makefile(text: str) -> str:
    """The recipes of a Makefile as one shell text, with the file's own plain variables filled in."""
    variables = dict(re.findall(r"(?m)^([A-Za-z_][\w-]*)[ \t]*[:?]?=[ \t]*(.*?)[ \t]*$", text))

    def filled(found: re.Match[str]) -> str:
        return str(variables.get(found[1] or found[2], found[0]))

    lines = [line[1:].lstrip("@-+ ") for line in text.split("\n") if line.startswith("\t")]
    recipes = re.sub(r"\$(?:\(([\w-]+)\)|\{([\w-]+)\})", filled, "\n".join(lines))
    return recipes.replace("$$", "$")


def read_script(text: str, source: str) -> Iterator[ImageBuild | Use]:
    """Builds and uses in a shell text of the file ``source``."""
    text = re.sub(r"\$\{\{.*?\}\}", "$EXPRESSION", text)
    script = read(text)
    if script.opaque is None:
        texts: list[tuple[Command, ...]] = [script.commands]
    else:
        lines = re.sub(r"\\\n", " ", text).split("\n")
        texts = [read(line).commands for line in lines if re.search(r"\b(?:docker|podman|nerdctl|kubectl|oc)\b", line)]
    for commands in texts:
        for command in commands:
            words = [word.text.strip("\"'") if word.value is None else word.value for word in command.words]
            name = (command.name or "").rpartition("/")[2]
            if name in {"kubectl", "oc"}:
                yield from _kubectl(words, source)
            elif name in _ENGINES:
                yield from _engine(name, words, source)


def _kubectl(words: list[str], source: str) -> Iterator[Use]:
    if "exec" in words and "--" in words:
        inside = tuple(words[words.index("--") + 1 :])
        if inside:
            yield Use(Call(inside, f"`{words[0]} exec` in {source}"), "", False)


def _engine(name: str, words: list[str], source: str) -> Iterator[ImageBuild | Use]:
    _, rest = _options(words[1:])
    is_compose = name.endswith("-compose")
    while rest and rest[0] in {"compose", "container", "image", "buildx", "builder"}:
        is_compose = is_compose or rest[0] == "compose"
        _, rest = _options(rest[1:])
    if not rest:
        return
    verb, (options, operands) = rest[0], _options(rest[1:])
    if verb == "exec" and len(operands) > 1:
        shown = "docker compose exec" if is_compose else f"{name} exec"
        yield Use(Call(tuple(operands[1:]), f"`{shown}` in {source}"), operands[0], False)
    elif verb in {"run", "create"} and operands:
        yield _run(options, operands, is_compose)
    elif verb == "build" and not is_compose:
        tags = tuple(value for key, value in options if key in {"-t", "--tag"})
        found = dict(options)
        yield ImageBuild(found.get("-f", found.get("--file")), found.get("--target"), tags)


def _run(options: list[tuple[str, str]], operands: list[str], is_compose: bool) -> Use:
    def values(*names: str) -> list[str]:
        return [value for key, value in options if key in names]

    ports = [container_port(value) for value in values("-p", "--publish", "--expose")]
    mounts = [mount(value) for value in values("-v", "--volume")]
    for value in values("--mount"):
        pairs = dict(pair.partition("=")[::2] for pair in value.split(","))
        target = next((pairs[key] for key in ("target", "dst", "destination") if key in pairs), "")
        source = pairs.get("source") or pairs.get("src") or pairs.get("type", "")
        mounts.append(Mount(target, source, not {"readonly", "ro"}.isdisjoint(pairs)))
    return Use(
        None,
        operands[0],
        not is_compose,
        tuple(operands[1:]) or None,
        next(iter(values("--entrypoint")), None),
        tuple(one for one in mounts if one.target.startswith("/")),
        next(iter(values("-u", "--user")), None),
        tuple(port for port in ports if port is not None),
        next(iter(values("--name")), None),
    )


def _options(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options in front of the first operand with their values, and the operands."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        name, equals, value = words[at].partition("=")
        is_flags = re.fullmatch(r"-[ditqPT]{2,}", name) is not None
        if not equals and name not in _NO_VALUE and not is_flags and at + 1 < len(words):
            at += 1
            value = words[at]
        found.append((name, value))
        at += 1
    return found, words[at:]


def read_bake(path: str, text: str) -> Iterator[ImageBuild]:
    """The targets of a ``docker-bake.hcl`` or ``.json``; of HCL only plain strings are read."""
    if path.endswith(".json"):
        try:
            # JSON is a part of YAML; its reader here is bounded in depth.
            data = load(text)
        except ValueError:
            return
        targets = data.get("target") if isinstance(data, dict) else None
        for table in targets.values() if isinstance(targets, dict) else ():
            if isinstance(table, dict):
                tags = table.get("tags")
                names = tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()
                yield ImageBuild(
                    _text(table.get("dockerfile")), _text(table.get("target")), names, _text(table.get("context"))
                )
        return
    for block in re.findall(r'(?ms)^[ \t]*target[ \t]+"[^"]*"[ \t]*\{(.*?)^[ \t]*\}', text):
        values = dict(re.findall(r'(?m)^[ \t]*(dockerfile|target|context)[ \t]*=[ \t]*"([^"$]*)"', block))
        tags = re.search(r"(?s)\btags[ \t]*=[ \t]*\[(.*?)\]", block)
        names = tuple(re.findall(r'"([^"]+)"', tags[1])) if tags else ()
        yield ImageBuild(values.get("dockerfile"), values.get("target"), names, values.get("context"))
