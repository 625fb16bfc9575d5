"""What the commands of PHP read and write: composer, docker-php-ext-install, pecl, tasks of Laravel and Symfony."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from refactor.context import Unknown
from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.php.composer import Project, read_project
from refactor.ecosystems.php.packaged import extension, is_packaged
from refactor.ecosystems.table import Language
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import PackageCall

EXTENSIONS = ("/usr/local/lib/php/extensions", "/usr/local/etc/php/conf.d")
"""Where docker-php-ext-install and pecl put extensions, and the settings that load them (docker-library/php)."""
_MANIFESTS = ("composer.json", "composer.lock", "symfony.lock", "auth.json")
_TASKS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "artisan": (
        "artisan",
        r"(?:config|route|view|event|package|storage|key|optimize|icons|filament|livewire|vendor|octane|laravels)"
        r"(?::[\w:-]+)?\Z",
        ("bootstrap/cache", "storage", "public", "config", "bin", ".env"),
    ),
    "console": (
        "bin/console",
        r"(?:cache|assets|asset-map|importmap|tailwind|sass|ckeditor|fos:js-routing|bazinga:js-translation)(?::[\w:-]+)?\Z",
        ("var", "public", "assets"),
    ),
}
"""Program -> its file, the tasks that build, and where these write."""


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    package = call.package
    if package is not None and package.manager == "composer":
        return _composer(call, package)
    if call.name == "pecl" and is_packaged(call.reading):
        names = call.operands[1:] if call.operands[:1] == ("install",) else ()
        return Effect(writes=tuple(extension(call.reading, name) for name in names), needs=("network",))
    if call.name in {"docker-php-ext-install", "docker-php-ext-enable", "docker-php-ext-configure", "pecl"}:
        is_network = call.name == "pecl" and call.operands[:1] == ("install",)
        return Effect(writes=(*EXTENSIONS, "/usr/src"), needs=("network",) if is_network else ())
    if call.name == "docker-php-source":
        return Effect(writes=("/usr/src",))
    words = list(call.command.args) if call.name == "php" else [call.command.name or "", *call.command.args]
    if call.name == "php" and (set(words) & {"-v", "-m", "-i", "--version", "--ini", "--ri"} or not words):
        return Effect()
    return _installer(call, words) or _task(call, words)


def _installer(call: Invocation, words: list[str]) -> Effect | None:
    """Composer's own installer: a script that is piped in, or downloaded first."""
    code = " ".join(words)
    if words[:1] == ["-r"]:
        is_own = re.search(r"composer-setup\.php|getcomposer\.org", code) is not None
        return Effect(writes=call.paths("composer-setup.php"), needs=("network",)) if is_own else None
    if words[:1] == ["--"] or (words and re.search(r"composer-setup\.php\Z|/installer\Z", words[0])):
        folder = call.option("--install-dir") or "."
        return Effect(writes=call.paths(posixpath.join(folder, call.option("--filename") or "composer.phar")))
    return None


def _task(call: Invocation, words: list[str]) -> Effect | None:
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in {"-d", "-c"} else 1]
    if len(words) < 2:
        return None
    name = posixpath.basename(words[0])
    _, pattern, written = _TASKS.get(name, ("", r"(?!)", ()))
    task = next((word for word in words[1:] if not word.startswith("-")), "")
    if not re.match(pattern, task):
        return None
    folder = posixpath.dirname(words[0]).removesuffix("bin").rstrip("/") or "."
    return Effect(call.paths(folder), call.paths(*(posixpath.join(folder, one) for one in written)))


def project_of(call: Invocation, package: PackageCall) -> tuple[Project, str] | None:
    """The project that a call of composer works on, and its folder in the image."""
    place = call.path(package.option("-d", "--working-dir") or ".")
    if isinstance(place, Unknown):
        return None
    manifest = call.reading.in_context(join(place, "composer.json"), call.step.node)
    project = None if manifest is None else read_project(call.reading.context, posixpath.dirname(manifest))
    return None if project is None else (project, place)


def _composer(call: Invocation, package: PackageCall) -> Effect | None:
    words = call.command.args
    if package.verb == "global" or "global" in words[:1]:
        return Effect(writes=call.paths("~/.composer"), needs=("network",))
    if package.verb in {"self-update", "selfupdate", "clear-cache", "config"} or "--version" in words:
        return Effect()
    folder = package.option("-d", "--working-dir") or "."
    found = project_of(call, package)
    vendor = call.path(posixpath.join(folder, found[0].vendor if found else "vendor"))
    if package.action == "dump-autoload":
        return Effect(call.paths(folder), (vendor,))
    if package.action in {"install", "upgrade"} and package.verb in {"install", "i", "", "update", "u", "upgrade"}:
        return Effect(_reads(call, folder, words, found), (vendor,), needs=("network",))
    if package.verb == "create-project":
        names = [word for word in call.operands[1:] if "/" not in word or word.startswith((".", "/"))][1:2]
        return Effect(writes=call.paths(*names) or (Unknown("the folder of create-project is not named"),),
                      needs=("network",))  # fmt: skip
    if package.action in {"install", "remove", "script", "exec", "run"} or package.verb in {"require", "dump-env"}:
        return Effect(call.paths(folder), (*call.paths(folder), vendor), needs=("network",))
    return Effect() if package.verb in {"validate", "show", "audit", "check-platform-reqs", "diagnose"} else None


def _reads(
    call: Invocation, folder: str, words: tuple[str, ...], found: tuple[Project, str] | None
) -> tuple[Path, ...]:
    names = call.paths(*(posixpath.join(folder, name) for name in _MANIFESTS))
    if found is None:
        return names
    project, _ = found
    if project.folder_of_packages is not None:
        return (
            *names,
            Unknown(f"it takes packages from the folder {project.folder_of_packages}, whose sources it reads"),
        )
    patches = "cweagans/composer-patches" in project.names
    return (*names, *call.paths(folder)) if project.why_sources(words) or patches else names


def project_calls(language: Language, reading: StageReading) -> Iterator[tuple[Invocation, Project, Act]]:
    """The calls of `composer install`, each with its project."""
    # Without Composer, or what may call it, the graph need not be made.
    may_install = "composer" in reading.managers or reading.has_heredocs
    for act in language.acts(reading) if may_install and reading.context.why_unknown is None else ():
        package = None if act.call is None else act.call.package
        if act.call is not None and package is not None and package.manager == "composer":
            found = project_of(act.call, package)
            if found is not None and package.verb in {"install", "i"}:
                yield act.call, found[0], act


def own_scripts(language: Language, reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.own_scripts`: `composer install` that reads the manifests alone, then what reads sources."""
    for call, project, act in project_calls(language, reading):
        words, step = call.command.args, act.step.step
        why = project.why_sources(words)
        if why is None or not any(copied.is_folder for copied in reading.copies_before(step.node)):
            continue
        if call.option("-d", "--working-dir") is not None or project.folder_of_packages is not None:
            continue
        if not project.has_lock:
            where = posixpath.join(project.folder, "composer.lock")
            because = f"{where} is not in the build context: each build resolves anew"
            yield step, Refused(because, "commit composer.lock")
            continue
        written = act.written
        program = re.split(r"\s+(?:install|i)\b", written)[0]
        kept = [word for word in words if word in {"--no-dev", "-a", "--classmap-authoritative", "-o", "--no-scripts"}]
        kept += ["--optimize"] if "--optimize-autoloader" in words and "-o" not in words else []
        dump = " ".join([program, "dump-autoload", *kept])
        options = [word for word in ("--no-scripts", "--no-autoloader") if word not in words]
        bare = re.sub(r"\s+(?:-o|-a|--optimize-autoloader|--classmap-authoritative)(?=\s|$)", "", written)
        parts = [" ".join([bare, *options]), dump]
        if "post-install-cmd" in project.scripts and "--no-scripts" not in words:
            parts.append(f"{program} run-script {'--no-dev ' if '--no-dev' in words else ''}post-install-cmd")
        if {"pre-install-cmd", "pre-autoload-dump"} & set(project.scripts) and "--no-scripts" not in words:
            yield step, Refused("composer.json has a script that runs before the packages are there", "call it by name")
            continue
        evidence = f"`{written}` reads more than its manifests: {why}"
        yield Rewrite(step, call.command, " \\\n    && ".join(parts), (evidence,))


__all__ = ["EXTENSIONS", "effect", "own_scripts", "project_calls"]
