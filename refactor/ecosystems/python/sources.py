"""Where a Python program of the build context writes and what it listens on, by the calls of its sources.

Names are resolved through imports. Code that computes a path or a port at run time is listed as such: whoever asks must
take the cautious way then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.literals import NOT_SOURCES, is_test, line_at
from refactor.ecosystems.python.values import Call, Function, Source, Use, dotted, read_source, use_of

_MOST = 2_000
"""Sources that are searched for a pattern."""
OPENS = frozenset(
    {"codecs.open", "io.open", "builtins.open", "aiofiles.open", "gzip.open", "bz2.open", "lzma.open",
     "zipfile.ZipFile", "tarfile.open"}
)  # fmt: skip
"""Calls that open a file in a mode, which follows the path."""
_WRITES = {
    "os.makedirs": 0, "os.mkdir": 0, "os.open": 0, "sqlite3.connect": 0, "aiosqlite.connect": 0,
    "logging.FileHandler": 0, "logging.handlers.RotatingFileHandler": 0,
    "logging.handlers.TimedRotatingFileHandler": 0, "logging.handlers.WatchedFileHandler": 0,
    "shutil.copy": 1, "shutil.copyfile": 1, "shutil.copy2": 1, "shutil.copytree": 1, "shutil.move": 1,
    "os.rename": 1, "os.replace": 1, "shelve.open": 0, "dbm.open": 0, "numpy.save": 0, "joblib.dump": 1,
    "urllib.request.urlretrieve": 1, "os.remove": 0, "os.unlink": 0, "shutil.rmtree": 0, "os.symlink": 1,
    "os.utime": 0, "torch.save": 1,
}  # fmt: skip
"""Calls that write -> the place of the path."""
_PATH_WRITES = frozenset({"write_text", "write_bytes", "mkdir", "touch", "symlink_to"})
_DATA_WRITES = frozenset({"to_csv", "to_excel", "to_json", "to_parquet", "to_pickle", "savefig"})
_SERVERS: dict[str, tuple[int | None, int | None]] = {
    "uvicorn.run": (2, 8000), "aiohttp.web.run_app": (None, 8080), "waitress.serve": (None, 8080),
    "werkzeug.serving.run_simple": (1, None), "wsgiref.simple_server.make_server": (1, None),
    "bottle.run": (None, 8080), "asyncio.start_server": (2, None), "eventlet.listen": (None, None),
    "socketserver.TCPServer": (None, None), "http.server.HTTPServer": (None, None),
    "http.server.ThreadingHTTPServer": (None, None), "socketserver.ThreadingTCPServer": (None, None),
    "gevent.pywsgi.WSGIServer": (None, None), "socketserver.UDPServer": (None, None),
    "prometheus_client.start_http_server": (0, None), "hypercorn.run": (None, 8000),
}  # fmt: skip
"""Calls that bind a port -> place of the port, its default. Servers that take an address take ("", port)."""
_APPLICATIONS = {
    "flask.Flask": 5000, "quart.Quart": 5000, "sanic.Sanic": 8000, "bottle.Bottle": 8080, "dash.Dash": 8050,
    "flask_socketio.SocketIO": 5000, "gradio.Blocks": 7860, "gradio.Interface": 7860,
}  # fmt: skip
"""Classes whose ``run`` (or ``launch``) binds a port -> its default."""
_WRITE_MODE = re.compile(r"[wax][bt]?\+?[bt]?|r[bt]?\+[bt]?")
_DATABASE = re.compile(r"(?:sqlite(?:\+\w+)?:///)(.+)\Z|(.+\.(?:sqlite3?|db))\Z")

# Calls that write where an option, an argument or the environment of the program says. Of such a call only its name
# tells that it writes: `WriteToText(options.output)` is a class of another distribution.
_WRITER = re.compile(
    r"_*(?:[Ww]rite(?!(?:lines|rows?|r|able)?$)|[Ss]ave|[Dd]ump(?!s$)|[Ee]xport)\w*$"
    r"|to_(?:csv|excel|feather|hdf|json|orc|parquet|pickle|zarr)$"
)
"""Names of functions and classes that write a file; ``write`` alone writes to what is open, ``dumps`` to a text."""
_OPTIONS = re.compile(r"(?:.*_)?(?:args|arguments|namespace|options|opts|flags)$", re.IGNORECASE)
"""How people name what argparse, optparse, absl and docopt return."""
_PARSERS = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_COMMANDS = re.compile(r"(?:^|\.)(?:argument|callback|command|option)$")
"""Decorators of click and typer that make a function's parameters options."""


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """What one source does, as far as it can be told without running it."""

    written: tuple[Use, ...]
    """Files and folders it makes or changes; databases too."""
    ports: tuple[int, ...]
    """TCP ports it binds; the default where the environment may say otherwise."""
    is_port_computed: bool
    """It binds one that is computed at run time."""


@remembered
def facts(context: BuildContext, path: str) -> PythonFacts | Unknown:
    """What the source at ``path`` does; Unknown if it cannot be read or is not Python 3."""
    source = read_source(context, path)
    if isinstance(source, Unknown):
        return source
    written = (*_named(source), *_by_options(source), *_by_calls(source))
    ports = [_number(port) for port in _ports(source)]
    known = tuple(sorted({port for port in ports if port}))
    return PythonFacts(written, known, None in ports)


def facts_of(context: BuildContext, files: Iterable[str]) -> dict[str, PythonFacts]:
    """Those of the sources of a program, all of which can be read."""
    return {path: one for path in files if isinstance(one := facts(context, path), PythonFacts)}


def _named(source: Source) -> Iterator[Use]:
    """Settings of frameworks that name what they write, and literals that name a database."""
    for name, node in source.settings:
        folder = source.value(node) if name in {"MEDIA_ROOT", "UPLOAD_FOLDER"} else ""
        if folder != "":
            yield use_of(folder, node, name)
    for node in source.texts:
        found = _DATABASE.match(str(node.value)) if len(str(node.value)) < 200 else None
        path = (found[1] or found[2]) if found is not None else ""
        if path and ":memory:" not in path and not re.search(r"[\n *]", path):
            yield Use(path, node.lineno, "database")


def _by_calls(source: Source) -> Iterator[Use]:
    for call in source.calls:
        name, method = call.name, call.method
        if name in OPENS and is_writing(source, call, 1):
            yield from source.uses(call.argument(0), call, name)
        elif name in _WRITES:
            yield from source.uses(call.argument(_WRITES[name]), call, name)
        elif name in {"argparse.FileType", "click.File"} and is_writing(source, call, 0):
            # What the option names is opened.
            yield Use(None, call.node.lineno, name)
        elif name == "logging.basicConfig" and call.keyword("filename") is not None:
            yield from source.uses(call.keyword("filename"), call, name)
        elif method in _PATH_WRITES and name not in OPENS and (method != "touch" or not call.node.args):
            yield from source.uses(call.receiver, call, f"pathlib.Path.{method}")
        elif method == "open" and name not in OPENS and is_path_opened(source, call) and is_writing(source, call, 0):
            yield from source.uses(call.receiver, call, "pathlib.Path.open")
        elif call.given and (method in _DATA_WRITES or (method == "save" and source.is_path(call.given[0]))):
            yield from source.uses(call.given[0], call, method)


def is_writing(source: Source, call: Call, mode_at: int) -> bool:
    """Whether a call that takes a mode opens to write."""
    given = call.keyword("mode") or call.positional(mode_at)
    mode = "r" if given is None else source.value(given)
    return not isinstance(mode, str) or any(letter in mode for letter in "wax+")


def is_path_opened(source: Source, call: Call) -> bool:
    """Whether some ``open`` is that of a path: that is one, or has a mode where ``Path.open`` has it
    (``options["output"].open("w")``)."""
    mode = source.value(call.keyword("mode") or call.positional(0))
    has_mode = isinstance(mode, str) and len(call.given) < 3 and _WRITE_MODE.fullmatch(mode) is not None
    return has_mode or source.is_path(call.receiver)


def _by_options(source: Source) -> Iterator[Use]:
    """Calls that write by their name, and are given a value of the options."""
    for call in source.calls:
        name = call.method or call.plain
        is_known = call.name in _WRITES or call.method in _DATA_WRITES | _PATH_WRITES
        if not is_known and _WRITER.match(name) and any(_is_given(source, one, call.functions) for one in call.given):
            yield Use(None, call.node.lineno, name)


def _is_given(source: Source, node: ast.expr, functions: Sequence[Function], depth: int = 0) -> bool:
    """Whether a value comes from the options, the arguments or the environment of the program."""
    if depth > 5:
        return False
    match node:
        case ast.Name(id=name):
            bound = source.expressions.get(name)
            is_own = _is_option(name, functions)
            return is_own or (bound is not None and _is_given(source, bound, functions, depth + 1))
        case ast.Subscript(value=holder) | ast.Call(func=ast.Attribute(value=holder, attr="get" | "pop")):
            # A mapping of what the program was given: `os.environ`, docopt's, or what Django hands to `handle`.
            name = dotted(holder)
            return name in {"sys.argv", "argv", "os.environ", "environ"} or _is_options(name.rpartition(".")[2])
        case ast.Call(func=function):
            return dotted(function).rpartition(".")[2] == "getenv"
        case ast.Attribute(value=ast.Name(id=name)):
            made = source.expressions.get(name)
            called = made.func if isinstance(made, ast.Call) else None
            return _is_options(name) or (isinstance(called, ast.Attribute) and called.attr in _PARSERS)
    return False


def _is_options(name: str) -> bool:
    return _OPTIONS.match(name) is not None


def _is_option(name: str, functions: Sequence[Function]) -> bool:
    """A parameter of a command of click or typer, or of Django's ``handle(self, output, **options)``."""
    for function in functions:
        decorators = (one.func if isinstance(one, ast.Call) else one for one in function.decorator_list)
        is_django = function.name == "handle" and function.args.kwarg is not None
        is_command = is_django or any(_COMMANDS.search(dotted(one)) for one in decorators)
        if is_command and name in {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}:
            return True
    return False


def _ports(source: Source) -> Iterator[object]:
    """The values of the ports that are bound; None where one is computed."""
    for name, node in source.settings:
        if name == "bind" and "gunicorn" in source.path.rpartition("/")[2]:
            yield source.value(node)
    for call in source.calls:
        port, default = _port(source, call)
        if port is not None:
            yield source.value_in(port, call)
        elif default is not None:
            yield default


def _port(source: Source, call: Call) -> tuple[ast.expr | None, int | None]:
    """What names the port that a call binds, and its default; none where it binds none."""
    method, args = call.method, call.node.args
    port, default = call.keyword("port"), None
    if call.name in _SERVERS:
        at, default = _SERVERS[call.name]
        port = port or (call.positional(at) if at is not None else None)
    elif method in {"run", "launch"}:
        return port or call.keyword("server_port"), _APPLICATIONS.get(source.made_by(call.receiver))
    elif method == "listen" and args and source.made_by(call.receiver).startswith("tornado."):
        return args[0], None
    elif method == "create_server" and len(call.given) > 2:
        return port or call.given[2], None
    elif method in {"add_insecure_port", "add_secure_port"} and args:
        return args[0], None
    elif method == "bind":
        port = None
    else:
        return None, None
    if port is None and args and isinstance(args[0], ast.Tuple) and len(args[0].elts) > 1:
        port = args[0].elts[1]
    return port, default


def _number(port: object) -> int | None:
    """8000 of ``8000``, ``"8000"`` and ``"0.0.0.0:8000"``, 0 for any that is free."""
    found = re.fullmatch(r"(?:.*:)?(\d+)", port) if isinstance(port, str) else None
    number = int(found[1]) if found is not None else port
    return number if isinstance(number, int) and number < 65536 else None


def in_sources(context: BuildContext, pattern: re.Pattern[str]) -> list[tuple[str, str]] | Unknown:
    """What the pattern's group finds in the Python sources, without tests and other people's code, each with its place;
    Unknown where they are too many to read."""
    files = context.files(without=NOT_SOURCES)
    if isinstance(files, Unknown):
        return files
    own = [path for path in files if path.endswith(".py") and not is_test(path)]
    if len(own) > _MOST:
        return Unknown(f"there are more than {_MOST} Python sources")
    found: list[tuple[str, str]] = []
    for path in own:
        text = context.read(path)
        if isinstance(text, Unknown):
            return text
        found += [(one[1], line_at(path, text, one.start(1))) for one in pattern.finditer(text)]
    return found
