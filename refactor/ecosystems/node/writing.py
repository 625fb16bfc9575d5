"""Where a Node program writes when it runs, from calls whose paths its sources spell out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from refactor.context import Unknown
from refactor.context.literals import line_at
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.node.builds import build_of, starts_itself
from refactor.ecosystems.node.health import ports
from refactor.ecosystems.node.known import grouped, lines, names
from refactor.ecosystems.node.layout import Unit, below
from refactor.ecosystems.node.needs import Started, is_of_node, program, runs_more, start_of
from refactor.ecosystems.node.programs import RUNTIMES, Ran
from refactor.ecosystems.node.projects import any_lock
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.node.values import Known, argument_of, evaluate
from refactor.ecosystems.program import Program
from refactor.ecosystems.written import folders_written
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import Root
from refactor.shell.posix import QUIET

_BESIDE = grouped("beside")
_OUTPUTS = frozenset({".next", ".nuxt", "dist", "public", ".cache"})


def written(reading: StageReading) -> Written | Refused:
    """See :meth:`Ecosystem.written`."""
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    start, read = start_of(reading), program(reading)
    if isinstance(start, Refused):
        return start
    if isinstance(read, Refused):
        return read
    found: dict[str, str] = {}
    unit, server, database = start.unit, start.server, _database(start)
    for answer in (*(_of_program(start, ran) for ran in start.runs), database):
        if isinstance(answer, Refused):
            return answer
        found.update(answer)
    if unit is None and not read and any(ran.program in RUNTIMES or ran.manager for ran in start.runs):
        folder = reading.final_workdir
        return Refused(f"the project that is started in {folder} is not known: no package.json is copied there")
    if unit is None or start.is_front_end:
        return _of_files(start, read if unit is None else (), unit, found)
    for ran, place in start.entries():
        standalone = re.match(r"(.*?/\.next/standalone)(?:/|$)", place)
        if standalone is not None:
            found[f"{standalone[1]}/.next"] = f"{ran.shown} keeps its cache there"
    return server if isinstance(server, Refused) else _of_files(start, server.files, unit, found)


def _of_files(start: Started, files: tuple[str, ...], unit: Unit | None, found: dict[str, str]) -> Written | Refused:
    context, reading = start.layout.context, start.layout.reading
    calls = [one for source in files for one in _writes(start, source, unit)]
    listening = sorted({port.number for port in ports(context, files) if port.number is not None})
    served = Written((), (f"{', '.join(ran.shown for ran in start.runs)} serves files of the image",))
    started = Program(Root(("node",), reading.final_workdir, ""), "", None, "", reading, start.layout.flow)
    answer = folders_written(started, files, calls, tuple(listening)) if files else served
    if isinstance(answer, Refused):
        return answer
    answer = answer.besides({path: f"{path} is written to: {why}" for path, why in found.items()})
    filled = (path for path in answer.paths if path.rpartition("/")[2] in _OUTPUTS)
    return answer._replace(filled=tuple(filled) if runs_more(reading) else ())


# What programs write


def _of_program(start: Started, ran: Ran) -> Mapping[str, str] | Refused:
    if ran.installs:
        return Refused(f"{ran.shown} installs packages when the container starts", "install them in a RUN")
    if ran.program in names("write-on-their-own"):
        because = f"{ran.program} keeps files of its own; where is a matter of its settings"
        return Refused(because, "set USER and a volume by hand")
    unit = start.layout.unit(ran.folder)
    if ran.program in _BESIDE:
        if ran.verb in {"build", "export", "generate"}:
            return Refused(f"{ran.shown} builds when the container starts", "build in a RUN")
        folder = unit.folder if unit is not None else ran.folder
        places = {join(folder, path): f"{ran.shown} keeps its files there" for path in _BESIDE[ran.program]}
        reason = None if unit is None else _why_folder_itself(start, ran, unit)
        return places if reason is None else {**places, folder: reason}
    if ran.program in names("compilers"):
        built = build_of(start.layout, ran)
        if built is not None and built.outputs is None:
            return Refused(f"{ran.shown} builds when the container starts, and {built.why_unknown}")
        return dict.fromkeys(() if built is None else built.outputs or (), f"{ran.shown} writes it")
    if is_of_node(unit, ran) or ran.program in QUIET or starts_itself(start.layout, ran) is not None:
        return {}
    because = f"{ran.shown} is started, and where that writes is not known"
    return Refused(because, "write USER with an id in front of CMD, and give that user the folders that it writes to")


def _why_folder_itself(start: Started, ran: Ran, unit: Unit) -> str | None:
    """Why a development server writes right into the project's folder, None where it does not."""
    context = start.layout.context
    settings = context.read(unit.file("nest-cli.json")) if ran.program == "nest" else ""
    if isinstance(settings, str) and re.search(r'"deleteOutDir"\s*:\s*true', settings):
        return f"{ran.shown} deletes its output folder first (deleteOutDir in nest-cli.json)"
    names = context.children(unit.source) if ran.program == "vite" else ()
    rule = r"vite\.config\.m?[jt]s" if unit.package.is_module else r"vite\.config\.m[jt]s"
    name = next((one for one in names if re.fullmatch(rule, one)), None) if not isinstance(names, Unknown) else None
    if name is None:
        return None
    # Vite bundles a configuration that is an ES module into a file beside it; since version 6 into
    # node_modules/.vite-temp (vitejs/vite#18509).
    lock = any_lock(context, unit)
    locked = [one.version for one in lock.named("vite")] if lock is not None else []
    version = re.search(r"\d+", (locked or [unit.package.wanted.get("vite", "")])[0] or "")
    is_new = version is not None and int(version[0]) >= 6
    return None if is_new else f"{ran.shown} compiles {name} into a file beside it (before Vite 6)"


def _database(start: Started) -> Mapping[str, str] | Refused:
    """The folder of Prisma's SQLite database, named in its schema relative to the schema's own folder."""
    unit = start.unit
    if unit is None or start.is_front_end:
        return {}
    path = unit.file("prisma/schema.prisma")
    schema = start.layout.context.read(path)
    rule = r'datasource\s+\w+\s*\{[^}]{0,400}?provider\s*=\s*"sqlite"[^}]{0,400}?\}'
    found = None if isinstance(schema, Unknown) else re.search(rule, schema)
    if found is None:
        return {}
    url = re.search(r'url\s*=\s*(?:"([^"]*)"|env\("(\w+)"\))', found[0])
    value = None if url is None else url[1] or _environment(start, unit).get(url[2])
    if value is None or not value.startswith("file:"):
        return Refused(f"{path} keeps its database in a file whose place is not known", "set USER by hand")
    file = value.removeprefix("file:").split("?")[0]
    return {posixpath.dirname(join(unit.folder, f"prisma/{file}")): f"{path} keeps the database there"}


def _environment(start: Started, unit: Unit | None) -> dict[str, str | None]:
    """ENV of the stage, and what a ``.env`` in the image adds to it."""
    reading = start.layout.reading
    last = reading.steps[-1].node if reading.steps else reading.stage.from_
    found = dict(reading.file.environment(last))
    text = start.layout.context.read(unit.file(".env")) if unit is not None else ""
    if isinstance(text, str):
        for match in re.finditer(r"(?m)^\s*(?:export\s+)?(\w+)\s*=\s*[\"']?([^\"'\n#]*)", text):
            found.setdefault(match[1], match[2].strip())
    return found


# What sources write


def _writes(start: Started, source: str, unit: Unit | None) -> Iterator[tuple[Found, bool]]:
    """Calls of a source that write, as :func:`folders_written` takes them."""
    text = facts(start.layout.context, source).text
    cwd = start.runs[-1].folder if start.runs else start.layout.reading.final_workdir
    for at, argument, is_folder, name in _calls(text):
        place, expression = line_at(source, text, at), argument_of(text, at, argument).strip()
        value = evaluate(expression, text, Known(_dirname(start, source, unit), cwd, _environment(start, unit)))
        if value is None and not (name in {"unlink", "unlinkSync"} or expression in {"", "null", "undefined"}):
            yield Found(f"{name} {expression[:40]}", None, place), False
        elif value is not None and not (value.is_whole and value.text in {":memory:", ""}):
            # Of a beginning that is known, the folder.
            known = join(cwd, value.text if value.is_whole else f"{value.text}x")
            yield Found(name, known, place), is_folder and value.is_whole


def _calls(text: str) -> Iterator[tuple[int, int, bool, str]]:
    """Calls that write: where the arguments begin, which of them is the path, whether it names a folder, and whose."""
    for word, kind, rule in (line.split(" ", 2) for line in lines("writing-calls")):
        for match in re.finditer(rule, text) if word in text else ():
            name = match.groupdict().get("name", word)
            if name not in {"rename", "unlink", "mkdir", "copyFile"} or _is_of_fs(text, match):
                yield match.end(), int(kind == "second"), kind == "folder", name


def _is_of_fs(text: str, match: re.Match[str]) -> bool:
    """``rename(`` and the like belong to fs where they are called on it, or imported from it."""
    if re.match(r"(?:fs|fsp|fse|promises|fsPromises|fsExtra)", match[0]):
        return True
    rule = rf"\{{[^}}]*\b{match['name']}\b[^}}]*\}}\s*(?:from|=\s*require\()\s*\(?[\"'](?:node:)?fs"
    return text[max(0, match.start() - 1) : match.start()] != "." and re.search(rule, text) is not None


def _dirname(start: Started, source: str, unit: Unit | None) -> str | None:
    """The folder in the image that a source's ``__dirname`` is: its own, or that of what it is compiled to."""
    places, server = start.layout.places(source), start.server
    if unit is None or isinstance(server, Refused) or server.is_interpreted:
        return posixpath.dirname(places[-1]) if places else None
    files = start.layout.context.files(unit.source, without=("node_modules", ".git"))
    names = [] if isinstance(files, Unknown) else [path[len(unit.source) :].lstrip("/") for path in files]
    own = source[len(unit.source) :].lstrip("/")
    for _, entry in start.entries():
        output, _, rest = (below(entry, unit.folder) or "").partition("/")
        rule = re.compile(rf"(?:(.*)/)?{re.escape(re.sub(r'[.][mc]?js$', '', rest))}\.[mc]?[jt]sx?")
        for name in sorted(names, key=lambda path: path.count("/")) if rest else ():
            found = rule.fullmatch(name)
            root = "" if found is None else found[1] or ""
            if found is None or name.startswith(f"{output}/") or (root and not own.startswith(f"{root}/")):
                continue
            relative = posixpath.relpath(posixpath.dirname(own) or ".", root or ".")
            return join(unit.folder, posixpath.join(output, relative))
    return None
