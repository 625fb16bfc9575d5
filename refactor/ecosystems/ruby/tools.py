"""What the commands of Ruby read and write: bundle, gem, the tasks of Rails that build assets."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.ruby.gems import Gemfile, Lock, read_gemfile, read_lock
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, StageReading, join
from refactor.shell import PackageCall, package_call

GEMS = "/usr/local/bundle"
"""GEM_HOME and BUNDLE_APP_CONFIG of the images of Ruby: gems, their programs, and what ``bundle config`` sets."""
_TASKS = r"(?:assets|tmp|css|javascript|webpacker|shakapacker|vite|log|tailwindcss|dartsass):[\w:]+\Z"
_BUILT = ("public", "tmp", "log", "app/assets/builds")
_LOOKS = frozenset("-v --version version -h --help list check info env show about -T doctor".split())
_QUIET_SETTINGS = frozenset(
    """frozen jobs retry timeout silence_root_warning silence_deprecations no_cache ssl_ca_cert build cache_all
    ignore_messages disable_shared_gems specific_platform deployment_means_frozen clean redirect""".split()
)


class Bundle(NamedTuple):
    """A project as Bundler installs it in a stage."""

    manifest: str
    """Context path of its Gemfile."""
    gemfile: Gemfile
    lock: Lock | None
    """None where no Gemfile.lock is in the context."""
    names: frozenset[str]
    """Gems that are installed; without a lockfile those that the Gemfile names."""


def unwrapped(words: Sequence[str]) -> tuple[str, ...]:
    """``bundle exec rails server`` -> ``rails server``; also Rails' ``thrust`` taken away."""
    words = tuple(words)
    while len(words) > 1 and posixpath.basename(words[0]) in {"bundle", "bundler", "thrust"}:
        is_thrust = posixpath.basename(words[0]) == "thrust"
        at = 0 if is_thrust else next((at for at, word in enumerate(words) if at and word in {"exec", "e"}), len(words))
        rest = words[at + 1 :] if is_thrust else tuple(dropwhile(lambda word: word.startswith("-"), words[at + 1 :]))
        if not rest:
            break
        words = rest
    return words


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    package = call.package
    if package is not None and package.manager in {"bundle", "bundler"} and package.action != "exec":
        return _bundle(call, package)
    if package is not None and package.manager == "gem":
        return _gem(call, package)
    words = unwrapped((call.command.name or "", *call.command.args))
    name = posixpath.basename(words[0])
    rest = [word for word in words[1:] if "=" not in word]
    if rest and set(rest) <= _LOOKS:
        return Effect()
    if name == "bootsnap" and "precompile" in rest:
        return Effect(call.paths("."), call.paths("tmp/cache"))
    if name in {"rails", "rake"} and rest and all(re.match(_TASKS, word) for word in rest if not word.startswith("-")):
        return Effect(call.paths("."), call.paths(*_BUILT), needs=_runtime_of_scripts(call))
    return None


def _runtime_of_scripts(call: Invocation) -> tuple[str, ...]:
    """Tasks that build assets call Node where the project has packages of it (jsbundling-rails, Webpacker)."""
    return ("node",) if call.source("package.json") else ()


def _bundle(call: Invocation, package: PackageCall) -> Effect | None:
    if package.action in {"config", "clean"} or package.verb in {"config", "binstubs", "lock", "clean"}:
        return Effect(writes=(GEMS,))
    if package.verb in _LOOKS or set(call.command.args) & {"-v", "--version"}:
        return Effect()
    if package.action != "install":
        return None
    reads = _manifests(call, package)
    path = package.option("--path") or settings(call.reading, call).get("path")
    written = call.path(path) if path else GEMS
    return Effect(reads, (written,), needs=("network",))


def _manifests(call: Invocation, package: PackageCall) -> tuple[str | Unknown, ...]:
    """What an install reads, in the image."""
    word = package.option("--gemfile") or call.variable("BUNDLE_GEMFILE") or "Gemfile"
    place = call.path(word)
    if isinstance(place, Unknown):
        return (place,)
    folder = posixpath.dirname(place)
    found: list[str | Unknown] = [place, f"{place}.lock", *(join(folder, name) for name in (".bundle/config",))]
    manifest = call.reading.in_context(place, call.step.node)
    if manifest is None:
        return tuple(found)
    context = call.reading.context
    gemfile = read_gemfile(context, manifest)
    if isinstance(gemfile, Unknown):
        return (*found, gemfile)
    lock = read_lock(context, f"{manifest}.lock")
    if not isinstance(lock, Unknown) and lock.folders and any(one != "." for one in lock.folders):
        return (*found, Unknown(f"{manifest} takes gems from the folder {lock.folders[0]}, whose sources it reads"))
    if gemfile.unknown:
        return (*found, Unknown(f"of {manifest}, {gemfile.unknown}"))
    root = posixpath.dirname(manifest)
    cached = posixpath.join(root, "vendor/cache")
    more = [*gemfile.reads, *([cached] if context.is_dir(cached) is True else [])]
    return (*found, *(join(folder, posixpath.relpath(path, root or ".")) for path in more))


def _gem(call: Invocation, package: PackageCall) -> Effect | None:
    if package.action in {"install", "global-install"}:
        return Effect(writes=(GEMS,), needs=("network",))
    if "--system" in call.command.args:
        return Effect(
            writes=(Unknown("it changes the Ruby of the image itself, which a smaller image would not have"),)
        )
    if package.action in {"upgrade", "remove", "clean"}:
        return Effect(writes=(GEMS,), needs=("network",))
    return Effect() if set(call.command.args) & _LOOKS else None


def settings(reading: StageReading, at: Invocation | None = None) -> Mapping[str, str]:
    """Bundler's settings in a stage, without ``BUNDLE_``, in small letters: by ENV, ``bundle config`` and options."""
    node = at.step.node if at is not None else (reading.steps[-1].node if reading.steps else reading.stage.from_)
    found = {
        name.removeprefix("BUNDLE_").lower(): value
        for name, value in reading.file.environment(node).items()
        if name.startswith("BUNDLE_") and value is not None
    }
    for step in reading.runs:
        for command in step.commands:
            package = package_call(command)
            if package is None or package.manager not in {"bundle", "bundler"}:
                continue
            if package.verb == "config" or command.args[:1] == ("config",):
                found.update(_configured(command.args))
            elif package.action == "install":
                for name in ("without", "with", "path"):
                    values = package.values(f"--{name}")
                    found.update({name: ":".join(values)} if values else {})
                found.update({"deployment": "true"} if package.has("--deployment") else {})
    if found.get("deployment", "").lower() in {"true", "1"}:
        found.setdefault("path", "vendor/bundle")
    return found


def _configured(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = [word for word in args[1:] if word not in {"set", "--local", "--global"}]
    if len(words) > 1 and "get" not in args and "unset" not in args:
        yield words[0].lower().replace(".", "__"), ":".join(words[1:])


def why_not_carried(reading: StageReading) -> Refused | None:
    """A setting of the home folder, which a copy of the gems does not bring."""
    for step in reading.runs:
        for command in step.commands:
            is_config = posixpath.basename(command.name or "") in {"bundle", "bundler"} and "config" in command.args[:1]
            for name, _ in _configured(command.args) if is_config and "--global" in command.args else ():
                if name.split("__")[0] not in _QUIET_SETTINGS:
                    line = reading.file.line_of(step.node)
                    return Refused(
                        f"`bundle config --global {name}` on line {line} is kept in root's home folder",
                        f"write ENV BUNDLE_{name.upper()}, or use --local",
                    )
    return None


def groups(text: str) -> frozenset[str]:
    """``development:test`` -> its names."""
    return frozenset(re.findall(r"\w+", text))


def bundle_of(reading: StageReading, manifest: str) -> Bundle | Refused:
    """The project of a Gemfile, with the gems that the stage installs of it."""
    context = reading.context
    gemfile, lock = read_gemfile(context, manifest), read_lock(context, f"{manifest}.lock")
    if isinstance(gemfile, Unknown):
        return Refused(f"{manifest} cannot be read: {gemfile.reason}")
    known = settings(reading)
    without = gemfile.out(groups(known.get("without", "")), groups(known.get("with", "")))
    if isinstance(lock, Unknown):
        return Bundle(manifest, gemfile, None, frozenset(gemfile.groups) - without)
    if not lock.is_for_linux:
        return Refused(
            f"{lock.path} is for {', '.join(lock.platforms)} only: what is installed on Linux is not in it",
            "run `bundle lock --add-platform x86_64-linux`, and commit it",
        )
    return Bundle(manifest, gemfile, lock, lock.closure(without))


def installs_of(reading: StageReading) -> Iterator[tuple[PackageCall, str | None]]:
    """The installs of a stage: the call, and the context path of the Gemfile; None for gems by name."""
    for step, package in reading.calls:
        if package.manager == "gem" and package.action in {"install", "global-install"}:
            yield package, None
        elif package.manager in {"bundle", "bundler"} and package.action == "install":
            call = Invocation(package.command, reading, step, step.folder_of(package.command), {})
            place = _manifests(call, package)[0]
            yield package, None if isinstance(place, Unknown) else reading.in_context(place, step.node)


__all__ = [
    "GEMS", "Bundle", "bundle_of", "effect", "groups", "installs_of", "settings", "unwrapped", "why_not_carried",
]  # fmt: skip
