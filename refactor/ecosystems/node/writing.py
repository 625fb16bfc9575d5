"""Where a Node program writes when it runs, from calls whose paths its sources spell out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.node.builds import build_of
from refactor.ecosystems.node.bun import starts_itself
from refactor.ecosystems.node.layout import Unit, below
from refactor.ecosystems.node.needs import Started, is_front_end, start_of
from refactor.ecosystems.node.program import is_of_node, program
from refactor.ecosystems.node.programs import MANAGERS, Programs, Ran
from refactor.ecosystems.node.projects import any_lock
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.node.tables import grouped, words
from refactor.ecosystems.node.values import Known, argument_of, evaluate
from refactor.flow.closure import named
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.shell_writes import QUIET

_FILES = re.compile(
    r"(?<![\w$])(?:(?:fs|fsp|fse|promises|fsPromises|fsExtra|this\.fs)\s*\.\s*(?:promises\s*\.\s*)?)?"
    r"(?P<name>writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|outputFile|outputFileSync|outputJson|outputJsonSync"
    r"|outputJSON|writeJson|writeJsonSync|writeJSON|unlink|unlinkSync|mkdir|mkdirSync|ensureDir|ensureDirSync|ensureFile|ensureFileSync"
    r"|mkdirp|mkdirpSync|mkdtemp|mkdtempSync|emptyDir|emptyDirSync|copyFile|copyFileSync|rename|renameSync|cpSync|moveSync|copySync)\s*\("
)
_FOLDER_CALLS = words("mkdir mkdirSync ensureDir ensureDirSync mkdirp mkdirpSync emptyDir emptyDirSync")
_SECOND = words("copyFile copyFileSync rename renameSync cpSync moveSync copySync")

# (rule whose match ends before the path, whether the path is a folder, word that the file must have)
_OTHERS = (
    (r"\bmulter\s*\(\s*\{[^}]{0,400}?\bdest\s*:\s*", True, "multer"),
    (r"\bdest\s*:\s*(?=[\"'`])", True, "MulterModule"),
    (r"\bdestination\s*:\s*(?=[\"'`])", True, "diskStorage"),
    (
        r"\b(?:cb|callback|done|next)\s*\(\s*null\s*,\s*(?=[\"'`]|path\.|join\(|__dirname|process\.cwd)",
        True,
        "diskStorage",
    ),
    (r"new\s+(?:sqlite3|sqlite)\s*\.\s*Database\s*\(\s*", False, "sqlite"),
    (r"new\s+(?:Database|DatabaseSync|BetterSqlite3|Sqlite|SQLite)\s*\(\s*", False, "sqlite"),
    (r"(?<![\w$.])(?:Database|betterSqlite3|sqlite)\s*\(\s*(?=[\"'`])", False, "better-sqlite3"),
    (r"\bfilename\s*:\s*", False, "sqlite"),
    (r"\bstorage\s*:\s*(?=[\"'`]|path\.|join\(|process\.env|__dirname)", False, "sqlite"),
    (r"\bdatabase\s*:\s*(?=[\"'`]|path\.|join\(|process\.env|__dirname)", False, "sqlite"),
    (r"\bfilename\s*:\s*", False, "nedb"),
    (r"new\s+(?:FileSync|JSONFile|JSONFileSync|FileAsync)\s*(?:<[^>]*>)?\s*\(\s*", False, "lowdb"),
    (r"\bJSONFilePreset\s*(?:<[^>]*>)?\s*\(\s*", False, "lowdb"),
    (r"\bnew\s+(?:winston\s*\.\s*)?transports\s*\.\s*File\s*\(\s*\{[^}]{0,400}?\bfilename\s*:\s*", False, "winston"),
    (r"\bDailyRotateFile\s*\(\s*\{[^}]{0,400}?\bdirname\s*:\s*", True, "winston"),
    (r"\bDailyRotateFile\s*\(\s*\{[^}]{0,400}?\bfilename\s*:\s*", False, "winston"),
    (r"\bpino\s*\.\s*destination\s*\(\s*(?=[\"'`])", False, "pino"),
    (r"new\s+LocalStorage\s*\(\s*", True, "node-localstorage"),
    (r"\btempFileDir\s*:\s*", True, "express-fileupload"),
    (r"\buploadDir\s*[:=]\s*", True, "formidable"),
    (r"\bFileStore\s*\(\s*\{[^}]{0,400}?\bpath\s*:\s*", True, "session-file-store"),
    (r"(?<![\w$.])(?:level|new\s+Level)\s*\(\s*(?=[\"'`])", True, "level"),
    (r"\.mv\s*\(\s*", False, "express-fileupload"),
    # Nest and type-graphql write the schema they derive from code at every start (code first).
    (r"\b(?:autoSchemaFile|emitSchemaFile)\s*:(?!\s*(?:true|false)\b|\s*\{)\s*", False, "chemaFile"),
    (r"\b(?:autoSchemaFile|emitSchemaFile)\s*:\s*\{[^}]{0,400}?\bpath\s*:\s*", False, "chemaFile"),
    (r"\bdefinitions\s*:\s*\{[^}]{0,400}?\bpath\s*:\s*", False, "GraphQLModule"),
    (r"\buseMultiFileAuthState\s*\(\s*", True, "useMultiFileAuthState"),
    (r"\bcreateObjectCsvWriter\s*\(\s*\{[^}]{0,400}?\bpath\s*:\s*", False, "csv-writer"),
    (r"\.toFile\s*\(\s*", False, "sharp"),
    (r"\.(?:screenshot|pdf)\s*\(\s*\{[^}]{0,400}?\bpath\s*:\s*", False, "puppeteer"),
    # Bun.write(Bun.stdout, ...) is no file.
    (r"\bBun\s*\.\s*write\s*\(\s*(?!Bun\.std)", False, "Bun"),
    (r"\bBun\s*\.\s*file\s*\(\s*(?=[^()]*\)\s*\.\s*(?:write|writer|delete|unlink)\s*\()", False, "Bun"),
    (r"\bnew\s+RollingFileStream\s*\(\s*", False, "streamroller"),
)

_BESIDE = grouped(
    """
    vite: node_modules/.vite node_modules/.vite-temp
    react-scripts react-app-rewired craco vue-cli-service storybook webpack-dev-server: node_modules/.cache
    ng: .angular
    next: .next
    nest: dist
    gatsby: .cache public
    astro: .astro node_modules/.vite
    parcel: .parcel-cache dist
    nuxt nuxi: .nuxt node_modules/.cache
    sails: .tmp
    docusaurus: .docusaurus node_modules/.cache
    """
)
"""What tools write when they serve, below the project's folder (their documentation, caching)."""
_WRITE_ON_THEIR_OWN = words("strapi directus n8n ghost medusa keystone payload expo json-server verdaccio")


class _Place(NamedTuple):
    path: str
    where: str


def written(reading: StageReading) -> Written | Refused:
    """See :meth:`Ecosystem.written`."""
    start = start_of(reading)
    if isinstance(start, Refused):
        return start
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    read = program(reading)
    if isinstance(read, Refused):
        return read
    paths: dict[str, str] = {}
    for ran in start.runs:
        answer = _of_program(start, ran)
        if isinstance(answer, Refused):
            return answer
        paths.update(answer)
    unit = start.unit
    if unit is None:
        if any(ran.program in {"node", *MANAGERS} for ran in start.runs) and not _has_only_stage_files(start):
            return Refused(
                f"the project that is started in {reading.final_workdir} is not known: no package.json is copied there"
            )
        return _of_files(start, read, None, paths)
    if is_front_end(start):
        return _of_files(start, (), unit, paths)
    for ran, place in start.entries():
        found = re.match(r"(.*?/\.next/standalone)(?:/|$)", place)
        if found is not None:
            paths[f"{found[1]}/.next"] = f"{ran.shown} keeps its cache there"
    database = _prisma(start, unit)
    if isinstance(database, Refused):
        return database
    paths.update(database)
    server = start.server
    if isinstance(server, Refused):
        return server
    return _of_files(start, server.files, unit, paths, is_interpreted=server.is_interpreted)


def _has_only_stage_files(start: Started) -> bool:
    """Every entry file is a file of the context, even without a manifest around it."""
    entries = start.entries()
    return bool(entries) and all(start.layout.source(place) is not None for _, place in entries)


def _of_files(
    start: Started, files: tuple[str, ...], unit: Unit | None, paths: dict[str, str], *, is_interpreted: bool = True
) -> Written | Refused:
    context = start.layout.context
    for source in files:
        for place in _writes(start, source, unit, is_interpreted):
            if isinstance(place, Refused):
                return place
            paths.setdefault(place.path, place.where)
    served = ", ".join(ran.shown for ran in start.runs)
    rest = "nothing else in" if paths else "nothing in"
    read = f"{rest} {named(files)} writes to a file" if files else f"{served} serves files of the image"
    ports = tuple(sorted({int(found) for path in files for found in _LISTENS.findall(facts(context, path).text)}))
    return Written(
        tuple(paths),
        (*(f"{path} is written to: {where}" for path, where in paths.items()), read),
        filled=tuple(path for path in paths if path.rpartition("/")[2] in _OUTPUTS and _is_built_here(start)),
        ports=ports,
    )


_LISTENS = re.compile(r"\.listen\(\s*(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?[\"']?(\d{1,5})\b")
_OUTPUTS = frozenset({".next", ".nuxt", "dist", "public", ".cache"})


def _is_built_here(start: Started) -> bool:
    """A RUN of the final stage runs more than installations, so that output folders hold what it made."""
    programs = Programs(start.layout)
    return any(
        not ran.program.endswith((" install", " ci"))
        for step in start.layout.reading.runs
        for _, ran in programs.of_step(step)
    )


def _of_program(start: Started, ran: Ran) -> dict[str, str] | Refused:
    manager = ran.program.split(" ")[0]
    if manager in MANAGERS and ran.program.endswith((" install", " ci", " add", " global-install")):
        return Refused(f"{ran.shown} installs packages when the container starts", "install them in a RUN")
    if ran.program in _WRITE_ON_THEIR_OWN:
        return Refused(
            f"{ran.program} keeps files of its own; where is a matter of its settings", "set USER and a volume by hand"
        )
    unit = start.layout.unit(ran.folder)
    folder = unit.folder if unit is not None else ran.folder
    beside = _BESIDE.get(ran.program)
    if beside is not None:
        if next((word for word in ran.args if not word.startswith("-")), "") in {"build", "export", "generate"}:
            return Refused(f"{ran.shown} builds when the container starts", "build in a RUN")
        places = {join(folder, path): f"{ran.shown} keeps its files there" for path in beside}
        reason = None if unit is None else _why_folder_itself(start, ran, unit)
        return places if reason is None else {**places, folder: reason}
    if ran.program in {"tsc", "webpack", "esbuild", "babel", "swc", "tsup", "rollup"}:
        built = build_of(start.layout, ran)
        if built is not None and built.outputs is None:
            return Refused(f"{ran.shown} builds when the container starts, and {built.why_unknown}")
        return dict.fromkeys(built.outputs or (), f"{ran.shown} writes it") if built is not None else {}
    is_known = is_of_node(unit, ran) or ran.program in QUIET or starts_itself(start.layout, ran) is not None
    if not is_known:
        return Refused(
            f"{ran.shown} is started, and where that writes is not known",
            "write USER with an id in front of CMD, and give that user the folders that it writes to",
        )
    return {}


def _prisma(start: Started, unit: Unit) -> dict[str, str] | Refused:
    """The folder of Prisma's SQLite database, named in its schema relative to the schema's own folder."""
    context = start.layout.context
    path = posixpath.join(unit.source, "prisma/schema.prisma")
    schema = context.read(path)
    if isinstance(schema, Unknown):
        return {}
    found = re.search(r'datasource\s+\w+\s*\{[^}]{0,400}?provider\s*=\s*"sqlite"[^}]{0,400}?\}', schema)
    if found is None:
        return {}
    url = re.search(r'url\s*=\s*"([^"]*)"', found[0])
    named = re.search(r'url\s*=\s*env\("(\w+)"\)', found[0])
    value = url[1] if url else _environment(start, unit).get(named[1]) if named else None
    if value is None or not value.startswith("file:"):
        return Refused(f"{path} keeps its database in a file whose place is not known", "set USER by hand")
    file = value.removeprefix("file:").split("?")[0]
    folder = posixpath.dirname(posixpath.normpath(posixpath.join(unit.folder, "prisma", file)))
    return {folder: f"{path} keeps the database there"}


def _environment(start: Started, unit: Unit) -> dict[str, str | None]:
    """ENV of the stage, and what a ``.env`` in the image adds to it."""
    reading = start.layout.reading
    found = dict(reading.variables)
    text = start.layout.context.read(posixpath.join(unit.source, ".env"))
    if not isinstance(text, Unknown):
        for match in re.finditer(r"(?m)^\s*(?:export\s+)?(\w+)\s*=\s*[\"']?([^\"'\n#]*)", text):
            found.setdefault(match[1], match[2].strip())
    return found


def _why_folder_itself(start: Started, ran: Ran, unit: Unit) -> str | None:
    """Why a development server writes right into the project's folder, None where it does not."""
    context = start.layout.context
    if ran.program == "nest":
        settings = context.read(posixpath.join(unit.source, "nest-cli.json"))
        if isinstance(settings, str) and re.search(r'"deleteOutDir"\s*:\s*true', settings):
            return f"{ran.shown} deletes its output folder first (deleteOutDir in nest-cli.json)"
    if ran.program == "vite":
        # Vite bundles a configuration that is an ES module into a file beside it; since version 6 into
        # node_modules/.vite-temp (vitejs/vite#18509).
        lock = any_lock(context, unit)
        locked = [] if lock is None else [found.version for found in lock.named("vite")]
        version = re.search(r"\d+", (locked or [unit.package.wanted.get("vite", "")])[0] or "")
        if version is not None and int(version[0]) >= 6:
            return None
        names = context.children(unit.source)
        if not isinstance(names, Unknown):
            for name in names:
                if re.fullmatch(r"vite\.config\.m[jt]s", name) or (
                    re.fullmatch(r"vite\.config\.[jt]s", name) and unit.package.is_module
                ):
                    return f"{ran.shown} compiles {name} into a file beside it (before Vite 6)"
    return None


def _writes(start: Started, source: str, unit: Unit | None, is_interpreted: bool) -> Iterator[_Place | Refused]:
    text = facts(start.layout.context, source).text
    if not text:
        return
    found: list[tuple[int, int, bool, str]] = []
    if any(name in text for name in ("fs", "mkdirp")):
        for match in _FILES.finditer(text):
            name = match["name"]
            if name in {"rename", "unlink", "mkdir", "copyFile"} and not _is_of_fs(text, match):
                continue
            found.append((match.end(), 1 if name in _SECOND else 0, name in _FOLDER_CALLS, name))
    for rule, is_folder, word in _OTHERS:
        if word in text:
            found += [(match.end(), 0, is_folder, word) for match in re.finditer(rule, text)]
    for at, argument, is_folder, name in found:
        place = f"{source}:{text.count(chr(10), 0, at) + 1}"
        expression = argument_of(text, at, argument)
        value = evaluate(expression, text, _known(start, source, unit, is_interpreted))
        if value is None:
            if name not in {"unlink", "unlinkSync"} and not _is_parameter_of_library(expression):
                yield Refused(
                    f"{place} writes to a path that is not spelled out ({name} {expression.strip()[:40]})",
                    "set USER by hand, and give the folder that is written to its owner",
                )
            continue
        if value.text in {":memory:", ""} and value.is_whole:
            continue
        folder = (
            value.text
            if is_folder and value.is_whole
            else posixpath.dirname(value.text if value.is_whole else value.text + "x")
        )
        if not folder and not value.is_whole and "/" not in value.text:
            folder = ""
        cwd = start.runs[-1].folder if start.runs else start.layout.reading.final_workdir
        path = join(cwd, folder or ".")
        if path.startswith("/dev/") or path in {"/dev", "/proc"}:
            continue
        yield _Place(path, place)


def _is_of_fs(text: str, match: re.Match[str]) -> bool:
    """``rename(`` and the like belong to fs where they are called on it, or imported from it."""
    if re.match(r"(?:fs|fsp|fse|promises|fsPromises|fsExtra)", match[0]):
        return True
    before = text[max(0, match.start() - 1) : match.start()]
    imported = re.search(
        rf"\{{[^}}]*\b{match['name']}\b[^}}]*\}}\s*(?:from|=\s*require\()\s*\(?[\"'](?:node:)?fs", text
    )
    return before != "." and imported is not None


def _is_parameter_of_library(expression: str) -> bool:
    return expression.strip() in {"", "null", "undefined"}


def _known(start: Started, source: str, unit: Unit | None, is_interpreted: bool) -> Known:
    reading = start.layout.reading
    cwd = start.runs[-1].folder if start.runs else reading.final_workdir
    environment = _environment(start, unit) if unit is not None else reading.variables
    return Known(_dirname(start, source, unit, is_interpreted), cwd, environment)


def _dirname(start: Started, source: str, unit: Unit | None, is_interpreted: bool) -> str | None:
    """The folder in the image that a source's ``__dirname`` is: its own, or that of what it is compiled to."""
    places = start.layout.places(source)
    if is_interpreted:
        return posixpath.dirname(places[-1]) if places else None
    if unit is None:
        return None
    files = start.layout.context.files(unit.source, without=("node_modules", ".git"))
    for _, entry in start.entries() if not isinstance(files, Unknown) else ():
        inside = below(entry, unit.folder)
        if inside is None or "/" not in inside:
            continue
        output, _, rest = inside.partition("/")
        stem = re.sub(r"\.[mc]?js$", "", rest)
        own = source[len(unit.source) :].lstrip("/")
        shallow_first = () if isinstance(files, Unknown) else sorted(files, key=lambda path: path.count("/"))
        for path in shallow_first:
            name = path[len(unit.source) :].lstrip("/")
            bare = re.sub(r"\.[mc]?[jt]sx?$", "", name)
            if bare == name or name.startswith(output + "/"):
                continue
            if bare == stem or bare.endswith((f"/{stem}", f"/{stem}/index")):
                root = bare[: len(bare) - len(stem)].rstrip("/") if bare.endswith(stem) else posixpath.dirname(bare)
                if root and not own.startswith(root + "/"):
                    continue
                relative = posixpath.relpath(posixpath.dirname(own) or ".", root or ".")
                return join(unit.folder, posixpath.join(output, relative))
    return None


__all__ = ["written"]
