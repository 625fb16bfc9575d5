"""What a program of Deno needs when it runs, and where it writes: by its permissions, else by its sources.

Sources: docs.deno.com (Permissions, deno compile, Deno KV, Web Storage). What Deno fetched is in DENO_DIR, which any
user may read; it only writes there what it can do without (checked with Deno 2.9, run as a user who owns nothing).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found
from refactor.ecosystems.deno.modules import CODE, Modules, literals, modules_of, why_lock_moves
from refactor.ecosystems.deno.tools import Call, config_at, entry_modules, parsed
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.written import folders_written
from refactor.flow.effects import Invocation
from refactor.flow.places import origins
from refactor.flow.reading import Refused, StageReading, join
from refactor.shell import read

_DENO = r"(?:Deno|fs\w*)\."
_READS = (
    rf"{_DENO}(?:readDir|readdir|open|stat|lstat|realPath)(?:Sync)?|serveFile|existsSync|exists|"
    r"(?:\w+\.)?(?:readTextFile|readFile|createReadStream)(?:Sync)?"
)
_ROOTS = r"\b(?:fsRoot|root)\s*:\s*(?:([\"'`])([^\"'`$]*)\1|([^\s,}]+))"
_STARTS = r"new\s+Deno\.Command|Deno\.run|(?:cp\.|child_process\.)?(?:execFile|spawn|exec)(?:Sync)?"
_FILES = (
    r"(?:\w+\.)?(?:writeTextFile|writeFile|appendFile|createWriteStream|unlink|ensureFile)(?:Sync)?|"
    rf"{_DENO}(?:create|truncate|remove|openKv)(?:Sync)?|new\s+(?:DB|Database|DatabaseSync)"
)
_FOLDERS = r"(?:\w+\.)?(?:mkdir|ensureDir|emptyDir)(?:Sync)?"
_TARGETS = rf"{_DENO}(?:rename|copyFile|link|symlink)(?:Sync)?"
_FETCHES_LIBRARY = r"@db/sqlite|/sqlite3@|@denosaurs/plug|/x/plug"
"""Packages that fetch a library into DENO_DIR when they are loaded."""
_OWN = r"\b(?:localStorage\.|caches\.(?:open|delete)|Deno\.openKv\(\s*\))|\}\s*=\s*Deno\b"
_LISTENS = r"\bport\s*:\s*(\d{2,5})\b|\"PORT\"\)\s*(?:\?\?|\|\|)\s*[\"']?(\d{2,5})|\.listen\(\s*(\d{2,5})\b"
_ALL = frozenset("-A --allow-all -P --permission-set --allow-run --allow-ffi".split())
_BY_HAND = "write USER with an id in front of CMD, and give that user the folders that the program writes to"


def call_of(program: Program) -> tuple[Invocation, Call]:
    """The call of deno that compiles, or starts, a program."""
    act_call = program.call
    if act_call is not None:
        return act_call, parsed(act_call.command.args)
    import shlex

    reading = program.reading
    command = read(shlex.join(program.root.words)).commands[0]
    call = Invocation(command, reading, reading.steps[-1], program.root.folder, {})
    return call, parsed(program.root.words[1:])


def modules(program: Program) -> Modules | Refused:
    """The modules of a program."""
    call, one = call_of(program)
    config = config_at(call)
    if isinstance(config, Unknown):
        return Refused(f"the modules of {program.path} are not known: {config.reason}", "write it in deno.json")
    if program.act is None:
        return modules_of(program.reading.context, config, program.made)
    return entry_modules(call, config, one.operands[0]) if one.operands else Refused("nothing says what is compiled")


def sources_of(program: Program) -> tuple[str, ...] | Refused:
    """See :meth:`Language.sources_of`."""
    found = modules(program)
    return found if isinstance(found, Refused) else tuple(path for path in found.files if re.search(CODE, path))


def needs(program: Program) -> Needs | Refused:
    """See :meth:`Language.needs`; of a compiled program."""
    found = modules(program)
    if isinstance(found, Refused):
        return found
    if program.act is None:
        return Refused(f"{program.root.where} runs {program.path} from its sources, which needs Deno itself")
    call, one = call_of(program)
    inside = {path for word in one.flags.get("--include", "").split(",") if word for path in call.paths(word)}
    paths: dict[str, str] = {}
    called: dict[str, str] = {}
    for path, code in found.files.items():
        other = re.search(r"\bDeno\.dlopen\b", code)
        if other is not None:
            return Refused(f"{path} opens a library, and its package is not known", "split by hand")
        for value, where in _opened(path, code):
            if value is None:
                return Refused(f"{where} opens what only the running program knows", "name the file in the source")
            place = join(program.reading.final_workdir, value)
            is_made = any(maker.kind in {"context", "command"} for maker in program.flow.makers(program.reading, place))
            if place not in inside and is_made:
                paths.setdefault(place, f"{where} opens it")
        for match, value in literals(code, _STARTS):
            if value is None:
                return Refused(f"{_where(path, code, match)} may start a program whose name is only known when it runs")
            called.setdefault(value.split()[0], path)
    if any("dotenv" in name for name in found.remote):
        place = join(program.reading.final_workdir, ".env")
        if program.reading.in_context(place) is not None:
            paths[place] = "dotenv reads it"
    return Needs(paths, called, evidence=(f"`deno compile` packs {len(found.files)} modules and Deno's runtime",))


def _opened(path: str, code: str) -> Iterator[tuple[str | None, str]]:
    for match, value in literals(code, _READS):
        # Of a module's own folder: what was included is inside the program.
        if not re.match(r"\s*new\s+URL\([^()]*import\.meta\.url", code[match.end() :]):
            yield value, _where(path, code, match)
    for match in re.finditer(_ROOTS, code):
        yield match[2] if match[3] is None else None, _where(path, code, match)


def runner(reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """A small Debian: what Deno compiles is Deno's own runtime, made for the C library of any release since buster."""
    image = reading.image
    if wish in {"scratch", "alpine"}:
        return Refused("what Deno compiles needs the GNU C library", 'use runner = "slim"')
    if image is not None and image.distro == "alpine":
        hint = "start from denoland/deno, of Debian"
        return Refused("the image brings the GNU C library beside Alpine's own, which the runner would not have", hint)
    if wish == "distroless":
        return Runner("gcr.io/distroless/cc-debian12", has_shell=False)
    release = image.release if image is not None and image.distro == "debian" else None
    why = "the program is Deno's runtime, made for the GNU C library 2.27 and later"
    return Runner(f"debian:{release or 'bookworm'}-slim", evidence=(why,))


# Where it writes


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    found = modules(program)
    if isinstance(found, Refused):
        return found
    call, one = call_of(program)
    refused = _why_fetched(program, found, call) if program.act is None else None
    if refused is not None:
        return refused
    library = next((name for name in found.remote if re.search(_FETCHES_LIBRARY, name)), None)
    if library is not None:
        return Refused(f"{library} fetches its library into DENO_DIR when it starts", _BY_HAND)
    for path, code in found.files.items():
        own = re.search(_OWN, code)
        if own is not None:
            return Refused(f"{_where(path, code, own)} ({own[0]}) keeps data in DENO_DIR, or hides a call", _BY_HAND)
    ports = {int(next(filter(None, port))) for code in found.files.values() for port in re.findall(_LISTENS, code)}
    ports |= {int(one.flags["--port"])} if one.flags.get("--port", "").isdigit() else set()
    asked = one.flags.get("--allow-write", one.flags.get("-W"))
    is_known = not _ALL & one.flags.keys()
    if is_known and asked is None:
        said = f"`deno {one.verb}` has no --allow-write: Deno lets the program write nowhere"
        return Written((), (said,), ports=tuple(sorted(ports)))
    calls = [pair for path, code in found.files.items() for pair in _written(path, code)]
    answer = folders_written(program, files, calls, tuple(sorted(ports)))
    if not asked or not is_known or not isinstance(answer, Refused):
        return answer
    # Names of files that only the running program knows lie in what it was allowed.
    places = [join(program.reading.final_workdir, word) for word in asked.split(",")]
    folders = [place if "." not in posixpath.basename(place) else posixpath.dirname(place) for place in places]
    if any("$" in word for word in places) or set(folders) & {"/", program.reading.final_workdir}:
        return answer
    said = f"--allow-write={asked} lets the program write there alone"
    return Written(tuple(dict.fromkeys(folders)), (said,), ports=tuple(sorted(ports)))


def _why_fetched(program: Program, found: Modules, call: Invocation) -> Refused | None:
    """Why modules may be fetched, and the lockfile written, when the program starts."""
    if not found.remote:
        return None
    if not call.variable("DENO_DIR"):
        because = "DENO_DIR is not set: Deno keeps what it fetched in the home of root"
        return Refused(because, "set ENV DENO_DIR=/deno-dir")
    flags = parsed(program.root.words[1:]).flags
    if {"-r", "--reload", "--watch"} & flags.keys():
        return Refused(f"{program.root.where} fetches modules or watches files", "leave --reload and --watch out")
    config = config_at(call)
    if isinstance(config, Unknown):
        return Refused(f"whether modules are fetched at start is not known: {config.reason}", "write it in deno.json")
    moves = why_lock_moves(program.reading.context, config, found.remote)
    if moves is not None:
        return Refused(f"{moves}: Deno writes it when it starts", "run `deno install`, and commit deno.lock")
    mapped = [to for to in config.imports.values() if re.match(r"npm:|jsr:", to)]
    for reading in origins(program.reading):
        for act in program.flow.acts(reading):
            one = parsed(act.call.command.args) if act.call is not None and act.call.name == "deno" else None
            if act.call is None or one is None or one.verb not in {"cache", "install", "ci"}:
                continue
            inside = entry_modules(act.call, config, one.operands[0]) if one.operands else None
            known = inside.remote if isinstance(inside, Modules) else {}
            named = () if one.operands else (*mapped, *(f"npm:{name}" for name in config.packages))
            if all(name in known or name.startswith(tuple(named)) for name in found.remote):
                return None
    return Refused(
        f"{next(iter(found.remote))} may be fetched when the program starts: no RUN is known to do it",
        f"add RUN deno cache {posixpath.basename(program.path)}",
    )


def _written(path: str, code: str) -> Iterator[tuple[Found, bool]]:
    """Calls that write files, each with whether it names a folder."""
    kinds = ((_FILES, 0, False), (_FOLDERS, 0, True), (_TARGETS, 1, False))
    for names, argument, is_folder in kinds:
        for match, value in literals(code, names, argument):
            yield Found(match[0].rstrip("( "), value, _where(path, code, match)), is_folder
    for match, value in literals(code, rf"{_DENO}open(?:Sync)?"):
        rest = code[match.end() : match.end() + 200].partition(")")[0]
        if re.search(r"\b(?:write|append|create|createNew|truncate)\s*:\s*true|,\s*[^{\s]", rest):
            yield Found("open", value, _where(path, code, match)), False


def _where(path: str, code: str, match: re.Match[str]) -> str:
    return f"{path}:{code.count(chr(10), 0, match.start()) + 1}"
