"""What a PHP program needs when it runs, where it writes, and which packages of it are for development."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context.literals import line_at
from refactor.ecosystems import system
from refactor.ecosystems.answers import Rewrite, Written
from refactor.ecosystems.calls import Found, sources
from refactor.ecosystems.development import why_production, why_used
from refactor.ecosystems.php.packaged import FOLDER, is_packaged
from refactor.ecosystems.php.tools import EXTENSIONS, project_calls
from refactor.ecosystems.program import Needs, Program, Runner, project_folder
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import folders_written
from refactor.flow.reading import Refused, StageReading, Step, join

_STRING = r"""(?:"[^"\n$]*"|'[^'\n]*')"""
_PLACE = rf"(?P<here>__DIR__\s*\.\s*)?(?P<text>{_STRING})(?P<more>\s*\.)?"
_WRITES = (
    r"(?<![\w>:$])(?:file_put_contents|mkdir|touch|error_log|image(?:png|jpeg|gif|webp))|new\s+\\?SQLite3|->saveAs"
    r"|->moveTo"
)
_MODES = r"(?<![\w>:$])fopen|new\s+\\?SplFileObject"
_SQLITE = r"[\"']sqlite:((?!:memory:)[^\"'$]*)[\"']"
_EXEC = r"(?<![\w>:$])(?:exec|shell_exec|system|passthru|proc_open|popen)\s*\(\s*"
_ENVIRONMENTS = ("APP_ENV", "SYMFONY_ENV", "ENVIRONMENT")
_OF_DEVELOPMENT = (
    r"(?i)(?:^|/)(?:tests?|spec|fixtures|factories|seeders|seeds|DataFixtures|vendor)/|(?:^|/)config/bundles\.php$"
)
OFFICIAL = frozenset({"php", "swoole", "frankenphp"})
"""Families of images on docker-library/php, whose layout they share."""
PROGRAMS_OF_BUILDS = frozenset({"git", "unzip", "zip", "p7zip-full", "autoconf", "libtool", "re2c"})
"""What composer and phpize call."""


def _texts(program: Program, files: Sequence[str]) -> dict[str, str]:
    return dict(sources(program.reading.context, files, r"(?m:^\s*(?://|#(?!\[)).*$)|/\*(?s:.*?)\*/"))


def needs_of(language: Language, program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    folder = project_folder(program, "composer.json")
    if isinstance(folder, Refused):
        return folder
    called = _called(_texts(program, files))
    if isinstance(called, Refused):
        return called
    made = [path for act in language.acts(program.reading) for path in act.effect.writes if isinstance(path, str)]
    paths = {path: "extensions of PHP, and their settings" for path in EXTENSIONS if path in made}
    paths.update({path: "pecl compiles it" for path in made if path.startswith(FOLDER)})
    return Needs({**paths, folder[1]: "the application"}, called)


def _called(texts: Mapping[str, str]) -> dict[str, str] | Refused:
    """Programs that the sources start -> where."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        for match in re.finditer(rf"{_EXEC}(?:[\"']([\w./-]+))?", text):
            where = line_at(path, text, match.start())
            if match[1] is None:
                return Refused(f"{where} starts what only the running program knows", "split by hand")
            found.setdefault(posixpath.basename(match[1]), where)
    return found


def why_not_split(language: Language, reading: StageReading, program: Program) -> Refused | None:
    """The benefit gate, and images whose layout is not known."""
    image = reading.image
    if image is None or image.family in OFFICIAL or is_packaged(reading):
        installed = system.installed(reading)
        tools = any("composer" in act.text or "docker-php-ext" in act.text for act in language.acts(reading))
        if system.build_only(reading) or (tools and installed & PROGRAMS_OF_BUILDS):
            return None
        smaller = "its packages of PHP would be installed again" if is_packaged(reading) else "PHP has no smaller image"
        return Refused(
            f"the stage has no packages that only its build needs, and {smaller}: a second stage would not be smaller"
        )
    name = "Composer" if image.family == "composer" else reading.stage.image
    return Refused(
        f"{name} is no image of PHP, and no package of Debian or Ubuntu that has PHP is installed",
        "start from php, or install php-cli, php-fpm or libapache2-mod-php by apt-get",
    )


def runner(reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """The same image: PHP has no smaller one, and its layers are there already."""
    if wish in {"scratch", "distroless"}:
        return Refused(f"PHP is not in {wish}", 'use runner = "slim"')
    if wish == "alpine" and reading.image is not None and reading.image.distro != "alpine":
        return Refused("extensions were compiled for glibc, which Alpine has not", 'use runner = "slim"')
    return Runner(reading.stage.image)


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    folder = project_folder(program, "composer.json")
    if isinstance(folder, Refused):
        return folder
    root, place = folder
    context = program.reading.context
    texts = {path: text for path, text in _texts(program, files).items() if not re.search(_OF_DEVELOPMENT, path)}
    found = [
        (call, "mkdir" in call.name and not (call.value or "").endswith("*"))
        for path, text in texts.items()
        for call in _calls(path, text)
    ]
    answer = folders_written(program, files, found)
    if isinstance(answer, Refused):
        return answer
    kept: dict[str, str] = {}
    if context.exists(posixpath.join(root, "artisan")) is True:
        kept = {join(place, "storage"): "Laravel writes to storage",
                join(place, "bootstrap/cache"): "Laravel writes to bootstrap/cache"}  # fmt: skip
        settings = context.read(posixpath.join(root, "config/database.php"))
        env = context.read(posixpath.join(root, ".env"))
        if "sqlite" in f"{env if isinstance(env, str) else ''}" or re.search(
            r"'DB_CONNECTION', 'sqlite'", f"{settings}"
        ):
            kept[join(place, "database")] = "Laravel keeps its database in database"
    elif context.exists(posixpath.join(root, "bin/console")) is True:
        kept = {join(place, "var"): "Symfony writes its caches and its log to var"}
    is_built = any("artisan" in step.node.argument or "console" in step.node.argument for step in program.reading.runs)
    caches = tuple(path for path in kept if not path.endswith("/database")) if is_built else ()
    return answer.besides(kept)._replace(caches=caches)


def _calls(path: str, text: str) -> Iterator[Found]:
    for match in re.finditer(rf"(?:{_WRITES}|{_MODES})\s*\(\s*", text):
        rest = text[match.end() : match.end() + 400]
        name = match[0].rstrip("( \n")
        if re.search(_MODES, name) and not re.search(r"^[^;]*,\s*[\"'](?:[waxc]|r\+)", rest):
            continue
        if name == "error_log" and not re.search(r"^[^;]*,\s*3\s*,", rest):
            continue
        if name.startswith("image"):
            # The first argument is the picture; without a second one it is sent to the client.
            second = re.match(r"[^,;()]+,\s*", rest)
            if second is None or rest[second.end() :].startswith("null"):
                continue
            rest = rest[second.end() :]
        yield _found(path, text, match, name, rest)
    for match in re.finditer(_SQLITE, text):
        yield Found("PDO", match[1], line_at(path, text, match.start()))


def _found(path: str, text: str, match: re.Match[str], name: str, rest: str) -> Found:
    place = re.match(_PLACE, rest)
    value = None
    if place is not None:
        own = place["text"][1:-1]
        value = posixpath.join(posixpath.dirname(path), own.lstrip("/")) if place["here"] else own
        if place["more"]:
            # 'data/' . $name: the folder is known.
            value = value + "*" if value.endswith("/") else None
        if value is not None and value.startswith("php://"):
            value = "/dev/stdout"
    return Found(name, value, line_at(path, text, match.start()))


def production_install(language: Language, reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`: `composer install --no-dev`."""
    for call, project, act in project_calls(language, reading):
        words, step, development = call.command.args, act.step.step, project.development
        if {"--no-dev", "--dev"} & set(words) or call.variable("COMPOSER_NO_DEV") or not development:
            continue
        where = why_production(reading, _ENVIRONMENTS, {"prod", "production"})
        if where is None:
            because = (
                f"nothing says that the image is for production, and composer.lock has {len(development)} packages"
            )
            yield step, Refused(f"{because} for development", "set APP_ENV to production by ENV (prod for Symfony)")
            continue
        programs = "|".join(sorted({re.escape(name.partition("/")[2]) for name in development}))
        spaces = "|".join(sorted({re.escape(space) for one in development.values() for space in one}))
        used = why_used(
            reading,
            project.folder,
            rf"(?:vendor/bin/|^|\s)({programs})(?=\s|$|\")",
            rf"(?<![\w\\])\\?({spaces})\\" if spaces else r"(?!)",
            (r"\.php\Z", _OF_DEVELOPMENT),
            ("uses", "for development", "move it from require-dev to require"),
        )
        if used is not None:
            yield step, used
            continue
        text = re.sub(r"\b(install|i)\b", r"\1 --no-dev", act.written, count=1)
        names = ", ".join(sorted(development)[:4])
        evidence = f"{names} of composer.lock are for development only, no source uses them, and {where}"
        yield Rewrite(step, call.command, text, (evidence,))
