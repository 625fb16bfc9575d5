"""What the commands of deno read and write, and what of them comes before the sources.

Source: docs.deno.com/runtime/reference/cli (cache, install, compile, task, run), denoland/deno_docker.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import Install, SplitPlan, ahead, why_not_ahead
from refactor.ecosystems.deno.modules import REMOTE, Config, Modules, config_of, modules_of, why_lock_moves
from refactor.ecosystems.table import Language
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.flow.roots import Root
from refactor.images.history import version_of
from refactor.shell import read

_SUBCOMMANDS = frozenset(
    "add bench bundle cache check ci compile completions coverage doc eval fmt help info init install lint lsp outdated"
    " publish remove repl run serve task test types uninstall upgrade vendor".split()
)
_READS = frozenset("bench check completions coverage doc help info lint lsp test types --version -V --help".split())
_FETCHES = frozenset({"cache", "install", "ci", *_READS})
_VALUED = frozenset(
    "-o --output -c --config --import-map --lock --target --include --exclude --port --host -L --log-level --cert"
    " --location --seed --ext --icon --root -n --name".split()
)
_OTHER_CONFIG = frozenset("-c --config --import-map --lock --no-lock --no-config".split())
_SCRIPTS = frozenset({"run", "serve", "compile"})
_DEPTH = 3


class Call(NamedTuple):
    """A call of deno, taken apart."""

    verb: str
    flags: Mapping[str, str]
    """Name -> value; "" without one."""
    operands: tuple[str, ...]
    """Of a call that runs a program its file alone."""


def parsed(words: Sequence[str]) -> Call:
    """``deno run -A --port 80 main.ts --verbose``, without its first word."""
    rest = list(words)
    verb = rest.pop(0) if rest and rest[0] in _SUBCOMMANDS | _READS else "run"
    flags: dict[str, str] = {}
    operands: list[str] = []
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            operands.append(word)
            if verb in _SCRIPTS:
                break
            continue
        name, equals, value = word.partition("=")
        if name in _VALUED and not equals and rest:
            value = rest.pop(0)
        if re.fullmatch(r"-[A-Za-z]{2,}", name):
            # -RWN: the last one has the value.
            flags.update({f"-{letter}": "" for letter in name[1:-1]})
            name = f"-{name[-1]}"
        flags[name] = f"{flags[name]},{value}" if name in flags else value
    return Call(verb, flags, tuple(operands))


def task_of(config: Config | Unknown, name: str) -> tuple[str, ...] | Refused:
    """The words of a task of deno.json that is one plain call of deno."""
    if isinstance(config, Unknown):
        return Refused(config.reason)
    text = config.tasks.get(name)
    if not text:
        return Refused(f"no deno.json of the build context has a task {name}", "call deno itself")
    script = read(text)
    command = script.commands[0] if script.opaque is None and len(script.commands) == 1 else None
    is_plain = command is not None and not command.redirects and not command.assignments and not command.wrappers
    if command is None or not is_plain or command.name != "deno" or any(word.value is None for word in command.words):
        because = f"the task {name} of {config.path} is `{text}`, more than one plain call of deno"
        return Refused(because, "call it in the Dockerfile")
    return ("deno", *command.args)


def roots(language: Language, reading: StageReading) -> tuple[Root, ...] | Refused:
    """The entrypoint of the image runs what CMD says with deno; tasks are those of deno.json."""
    roots = Language.roots(language, reading)
    if isinstance(roots, Refused):
        return roots
    found = []
    is_image = reading.last("ENTRYPOINT") is None and reading.image is not None and reading.image.family == "deno"
    for root in roots:
        words = ("deno", *root.words) if is_image and root.words[0] in _SUBCOMMANDS else root.words
        if words[:2] == ("deno", "task") and len(words) > 2:
            folder = reading.in_context(root.folder)
            task = task_of(config_of(reading.context, folder or ""), words[2])
            if isinstance(task, Refused):
                return task
            words = (*task, *words[3:])
        found.append(root._replace(words=words))
    return tuple(found)


def entry(root: Root) -> str | Refused | None:
    """See :meth:`Language.entry`."""
    if root.name != "deno":
        return root.words[0]
    one = parsed(root.words[1:])
    script = one.operands[0] if one.verb in {"run", "serve"} and one.operands else None
    if script is None or re.match(REMOTE, script):
        shown = " ".join(root.words)
        return Refused(f"{root.where} starts `{shown}`, which is no file of the project", "start a file: deno run")
    return script


def effect(call: Invocation, depth: int = 0) -> Effect | None:
    """See :meth:`Language.effect`."""
    one = parsed(call.command.args)
    config = config_at(call)
    if one.verb in _READS or one.flags.keys() & {"--version", "-V", "--help", "-h"}:
        return Effect(call.paths(".")) if one.verb in {"check", "lint", "test", "bench"} else Effect()
    if isinstance(config, Unknown):
        return Effect(call.paths("."), (config,), needs=("network",))
    if one.verb == "task":
        words = task_of(config, one.operands[0] if one.operands else "")
        if isinstance(words, Refused) or depth > _DEPTH:
            reason = words.because if isinstance(words, Refused) else "its tasks call each other without end"
            return Effect(call.paths("."), (Unknown(reason),))
        import shlex

        return effect(call._replace(command=read(shlex.join(words)).commands[0]), depth + 1)
    if one.verb == "install" and is_global(call, one):
        return Effect(writes=(join(call.variable("DENO_INSTALL_ROOT") or "/root/.deno", "bin"),), needs=("network",))
    if one.verb in {"install", "ci", "cache"}:
        reads = call.places(config.manifests)
        for entry in one.operands:
            found = entry_modules(call, config, entry)
            if isinstance(found, Refused) or not _is_list(found):
                return Effect(call.paths("."), _caches(call), needs=("network",))
            reads += call.places(found.files)
        return Effect(reads, _caches(call), needs=("network",))
    if one.verb == "compile":
        return Effect(call.paths("."), (_compiled(call, one),), needs=("network",))
    if one.verb == "fmt":
        return Effect(call.paths("."), call.paths("."))
    shown = " ".join(call.command.args[:3])
    return Effect(call.paths("."), (Unknown(f"what `deno {shown}` writes is not known"),), needs=("network",))


def config_at(call: Invocation) -> Config | Unknown:
    """The configuration of the folder that a call works in."""
    if _OTHER_CONFIG & parsed(call.command.args).flags.keys():
        return Unknown("it names its configuration by an option")
    place = call.path(".")
    folder = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    if folder is None and isinstance(place, str):
        # Files that were copied one by one.
        names = [join(place, name) for name in ("deno.json", "deno.jsonc", "package.json")]
        first = next((one for name in names if (one := call.reading.in_context(name, call.step.node))), None)
        folder = None if first is None else posixpath.dirname(first)
    return config_of(call.reading.context, folder or "")


def _is_two(call: Invocation) -> bool | None:
    """Deno 2 or later; None where that is not known."""
    image = call.reading.image
    number = version_of(image.version or "2") if image is not None and image.family == "deno" else None
    return None if number is None else number >= (2,)


def is_global(call: Invocation, one: Call) -> bool:
    """`deno install -g tool`; Deno 1 knew no other."""
    return bool({"-g", "--global"} & one.flags.keys()) or _is_two(call) is False


def entry_modules(call: Invocation, config: Config, entry: str) -> Modules | Refused:
    place = call.path(entry)
    path = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    return Refused(f"{entry} is not copied from the build context") if path is None else modules_of(
        call.reading.context, config, path
    )  # fmt: skip


def _is_list(found: Modules) -> bool:
    """Modules that only name others (deps.ts): what they fetch changes with them alone."""
    return all(
        not re.sub(r"(?:import|export)\b[^;\"'`]*[\"'`][^\"'`]+[\"'`]\s*(?:with\s*\{[^}]*\})?|[;\s]", "", code)
        for code in found.files.values()
    )


def _caches(call: Invocation) -> tuple[Path, ...]:
    return (call.path(call.variable("DENO_DIR") or "~/.cache/deno"), *call.paths("deno.lock", "node_modules"))


def _compiled(call: Invocation, one: Call) -> Path:
    named = one.flags.get("-o") or one.flags.get("--output")
    stem = posixpath.splitext(posixpath.basename(one.operands[0]))[0] if one.operands else ""
    if not one.flags.get("--target", "-linux-gnu").endswith("-linux-gnu"):
        return Unknown("it compiles for another system")
    if named:
        return call.path(posixpath.join(named, stem) if named.endswith("/") else named)
    return Unknown("how `deno compile` calls its program is not said: name it with --output") if stem in {
        "", "main", "mod", "index", "cli"
    } else call.path(stem)  # fmt: skip


def split(language: Language, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """Only what is compiled leaves something behind: sources, modules and Deno are what runs them otherwise."""
    calls = [act.call for act in language.acts(reading) if act.call is not None]
    if all(parsed(call.command.args).verb in _FETCHES for call in calls):
        return None
    return Language.split(language, reading, wish)


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`."""
    acts = language.acts(reading)
    for act in acts:
        call = act.call
        one = None if call is None else parsed(call.command.args)
        if call is None or one is None or one.verb not in {"install", "ci", "cache", "compile"} or (
            one.verb == "install" and is_global(call, one)
        ):  # fmt: skip
            continue
        config = config_at(call)
        if isinstance(config, Unknown):
            because = f"what `{act.text}` reads is not known: {config.reason}"
            yield act.step.step, Refused(because, "write it in deno.json")
            return
        modules = entry_modules(call, config, one.operands[0]) if one.operands else Modules({}, {})
        if isinstance(modules, Refused):
            yield act.step.step, modules
            return
        asked = {**modules.remote, **{to: "" for to in config.imports.values() if re.match(r"npm:|jsr:", to)}}
        moves = why_lock_moves(reading.context, config, asked if not one.operands else modules.remote)
        packages = posixpath.join(posixpath.dirname(config.path or ""), "node_modules")
        refused = why_not_ahead(reading.context, (packages,), moves, "deno install", config.lock or "")
        if refused is not None:
            yield act.step.step, refused
            return
        if one.operands and not _is_list(modules):
            yield from _ahead(reading, acts, act, modules, config)
            return
        break
    yield from Language.installed(language, reading)


def _ahead(
    reading: StageReading, acts: Sequence[Act], act: Act, modules: Modules, config: Config
) -> Iterator[Install | tuple[Step, Refused]]:
    """`deno install` in front of a `deno compile`. In front of a `deno cache` it would leave its databases in the image
    twice."""
    call, image = act.call, reading.image
    if call is None or image is None or not modules.remote:
        return
    if parsed(call.command.args).verb != "compile":
        hint = "name the packages in `imports` of deno.json, and write `deno install` (Deno 2), or cache deps.ts"
        yield act.step.step, Refused(f"`{act.text}` reads the sources, and fetches what they import", hint)
        return
    before = [parsed(other.call.command.args) for other in acts if other.call and other.step.line < act.step.line]
    mapped = any(re.match(r"npm:|jsr:", to) for to in config.imports.values())
    if mapped and _is_two(call) and image.distro == "debian" and not {"install", "ci"} & {one.verb for one in before}:
        yield ahead(act, call.folder or "/", config.manifests, ["deno install"], "fetch all packages")
