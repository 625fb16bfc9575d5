"""The libcst side of :mod:`refactor.ecosystems.python.sources`, apart because importing libcst costs 150 ms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import libcst as cst
import libcst.matchers as m
from libcst.metadata import (
    MetadataWrapper,
)

from refactor.context import Unknown
from refactor.ecosystems.python.options import is_given, is_writer
from refactor.ecosystems.python.use import Use, why_not_readable
from refactor.ecosystems.python.values import Environment, Value, Values

_READ_CALLS = {
    "codecs.open": 0, "io.open": 0, "builtins.open": 0, "aiofiles.open": 0, "gzip.open": 0, "bz2.open": 0,
    "lzma.open": 0, "zipfile.ZipFile": 0, "tarfile.open": 0,
}  # fmt: skip
"""Calls that open a file in a mode -> the place of the path."""

_ONLY_READ = {
    "runpy.run_path": 0, "imp.load_source": 1, "importlib.util.spec_from_file_location": 1,
    "importlib.machinery.SourceFileLoader": 1, "linecache.getline": 0, "dotenv.load_dotenv": 0,
    "jinja2.FileSystemLoader": 0, "starlette.templating.Jinja2Templates": 0,
    "fastapi.templating.Jinja2Templates": 0, "starlette.staticfiles.StaticFiles": 0,
    "fastapi.staticfiles.StaticFiles": 0, "numpy.load": 0, "pandas.read_csv": 0, "pandas.read_json": 0,
    "pandas.read_excel": 0, "joblib.load": 0, "logging.config.fileConfig": 0, "os.listdir": 0,
    "os.scandir": 0, "os.walk": 0, "glob.glob": 0, "glob.iglob": 0, "pip.req.parse_requirements": 0,
    "pip._internal.req.parse_requirements": 0, "execfile": 0, "builtins.execfile": 0,
    "pip._internal.req.req_file.parse_requirements": 0, "pip.req.req_file.parse_requirements": 0,
}  # fmt: skip

_WRITE_CALLS = {
    "os.makedirs": 0, "os.mkdir": 0, "os.open": 0, "sqlite3.connect": 0, "aiosqlite.connect": 0,
    "logging.FileHandler": 0, "logging.handlers.RotatingFileHandler": 0,
    "logging.handlers.TimedRotatingFileHandler": 0, "logging.handlers.WatchedFileHandler": 0,
    "shutil.copy": 1, "shutil.copyfile": 1, "shutil.copy2": 1, "shutil.copytree": 1, "shutil.move": 1,
    "os.rename": 1, "os.replace": 1, "shelve.open": 0, "dbm.open": 0, "numpy.save": 0, "joblib.dump": 1,
    "urllib.request.urlretrieve": 1, "os.remove": 0, "os.unlink": 0, "shutil.rmtree": 0, "os.symlink": 1,
    "os.utime": 0, "torch.save": 1,
}  # fmt: skip

_KEYWORDS = ("file", "filename", "path", "name", "database", "directory", "searchpath", "dotenv_path", "dst")

_PATH_READ = frozenset(("read_text", "read_bytes", "iterdir", "rglob"))
_PATH_WRITE = frozenset(("write_text", "write_bytes", "mkdir", "touch", "symlink_to"))
_DATA_WRITE = frozenset(("to_csv", "to_excel", "to_json", "to_parquet", "to_pickle", "savefig"))

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

_RUNS = frozenset((
    "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    "subprocess.Popen", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "os.execvp", "os.execv", "os.spawnv", "commands.getoutput", "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
))  # fmt: skip

_WRITE_MODE = re.compile(r"[wax][bt]?\+?[bt]?|r[bt]?\+[bt]?")
_LISTS_FOLDERS = frozenset(("os.listdir", "os.scandir", "os.walk"))

_TAILS = frozenset(
    name.rpartition(".")[2] for names in (_READ_CALLS, _ONLY_READ, _WRITE_CALLS, _SERVERS, _RUNS) for name in names
) | {"FileType", "File", "basicConfig", "run_module", "setup", "iter_modules", "import_module", "__import__"}
"""Last components of all names that are looked for: only these are worth a look at the scope."""

_DATABASE = re.compile(r"(?:sqlite(?:\+\w+)?:///)(.+)\Z|(.+\.(?:sqlite3?|db))\Z")


@dataclass(slots=True)
class Seen:
    """What was met in one source."""

    opened: list[Use] = field(default_factory=list)
    written: list[Use] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    computed_ports: list[int] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    obstacles: list[tuple[int, str]] = field(default_factory=list)
    """setup.py only: line, what cannot be followed."""


def visit(source: str, path: str, *, is_setup: bool = False, run: frozenset[str] | None = None) -> Seen | Unknown:
    """Read one source. ``path`` is its path in the context.

    ``run`` None: all of it counts. Otherwise the module is imported: what its body does counts, and what the
    functions do that it calls or that have one of these names.
    """
    why_not = why_not_readable(source)
    if why_not is not None:
        return Unknown(f"{path} cannot be read as Python: {why_not}")
    try:
        wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        reader = _Reader(wrapper, path, is_setup, run)
        wrapper.module.visit(reader)
    except (cst.ParserSyntaxError, RecursionError, cst.CSTValidationError, UnicodeError, ValueError):
        return Unknown(f"{path} cannot be read as Python")
    return reader.seen


_Stack: TypeAlias = "tuple[cst.FunctionDef, ...]"
"""Functions around a place, the innermost last."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A use whose value is taken when the whole source is known: names may be bound further down."""

    kind: str
    target: cst.BaseExpression | None
    node: cst.Call
    name: str
    functions: _Stack


class _Reader(Values, cst.CSTVisitor):
    def __init__(self, wrapper: MetadataWrapper, path: str, is_setup: bool, run: frozenset[str] | None) -> None:
        super().__init__(wrapper, path)
        self.renamed = frozenset(re.findall(r"\bas\s+(\w+)", wrapper.module.code))
        self.path = path
        self.is_setup = is_setup
        self.run = run
        self.seen = Seen()
        self.functions: list[cst.FunctionDef] = []
        self.calls: dict[str, list[cst.Call]] = {}
        self.called_from: dict[str, set[str]] = {}
        """Function, "" for the module itself -> names of what it calls, methods too."""
        self.uses: list[_Pending] = []
        self.writers: list[tuple[cst.Call, str, _Stack]] = []
        self.obstacles: list[tuple[_Stack, int, str]] = []
        self.imports: list[tuple[_Stack, str]] = []

    # Assignments: a name that is set once has the value it is set to; a name that is set twice has none.

    def _bind(self, name: str, value: cst.BaseExpression | None) -> None:
        self.expressions[name] = None if name in self.expressions else value

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self._bind(target.target.value, node.value)
            elif isinstance(target.target, cst.Tuple):
                for element in target.target.elements:
                    if isinstance(element.value, cst.Name):
                        self._bind(element.value.value, None)
            elif m.matches(target.target, m.Subscript(slice=[m.SubscriptElement(m.Index(m.SimpleString()))])):
                self._setting(_index(target.target), node.value, node)
        if len(node.targets) == 1 and isinstance(node.targets[0].target, cst.Name):
            self._setting(node.targets[0].target.value, node.value, node)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if isinstance(node.target, cst.Name):
            self._bind(node.target.value, node.value)
            if node.value is not None:
                self._setting(node.target.value, node.value, node)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        if isinstance(node.target, cst.Name):
            self._bind(node.target.value, None)
            self._bind(node.target.value, None)

    def visit_For(self, node: cst.For) -> None:
        if isinstance(node.target, cst.Name):
            self._bind(node.target.value, None)
            self._bind(node.target.value, None)

    def _setting(self, name: str, value: cst.BaseExpression, node: cst.CSTNode) -> None:
        """Settings of frameworks that name what they write, and gunicorn's configuration file."""
        if name in ("MEDIA_ROOT", "UPLOAD_FOLDER"):
            folder = self.value(value)
            if folder != "":
                self.seen.written.append(self._use(folder, node, name))
        elif name == "bind" and "gunicorn" in self.path.rpartition("/")[2]:
            bound = self.value(value)
            port = re.search(r":(\d+)\Z", bound) if isinstance(bound, str) else None
            if port:
                self.seen.ports.append(int(port.group(1)))
            elif bound is None:
                self.seen.computed_ports.append(self._line(node))

    # Imports

    def visit_If(self, node: cst.If) -> bool:
        # `if __name__ == "__main__":` does not run on import.
        return not (self.run is not None and m.matches(node.test, m.Comparison(left=m.Name("__name__"))))

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            self.imports.append((tuple(self.functions), _dotted(alias.name)))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        module = "." * len(node.relative) + (_dotted(node.module) if node.module else "")
        self.imports.append((tuple(self.functions), module))
        if not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                joint = "" if module.endswith(".") or not module else "."
                self.imports.append((tuple(self.functions), f"{module}{joint}{_dotted(alias.name)}"))

    # Functions

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.functions.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self.functions.pop()

    # Literals that name a database

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        text = node.raw_value if "b" not in node.prefix else ""
        found = _DATABASE.match(text) if len(text) < 200 else None
        if found and not self.is_setup:
            path = found.group(1) or found.group(2)
            if path and ":memory:" not in path and "\n" not in path and " " not in path and "*" not in path:
                self.seen.written.append(Use(path, self._line(node), "database"))

    # Calls

    def visit_Call(self, node: cst.Call) -> None:
        method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        plain = node.func.value if isinstance(node.func, cst.Name) else ""
        if plain:
            self.calls.setdefault(plain, []).append(node)
        caller = self.functions[-1].name.value if self.functions else ""
        self.called_from.setdefault(caller, set()).add(method or plain)
        name = self._name(node.func) if method in _TAILS or plain in _TAILS or plain in self.renamed else ""
        if name in _READ_CALLS:
            self._open(node, _argument(node, 0), 1, name)
        elif name in _ONLY_READ:
            if self.is_setup and name in _LISTS_FOLDERS:
                self._obstacle(node, "lists a folder")
            elif _ONLY_READ[name] >= 0:
                target = _argument(node, _ONLY_READ[name])
                if target is not None:
                    self._later("read", target, node, name)
        elif name in _WRITE_CALLS:
            self._later("write", _argument(node, _WRITE_CALLS[name]), node, name)
        elif name in _SERVERS:
            self._serve(node, *_SERVERS[name])
        elif name in _RUNS:
            self._runs(node, name)
        elif name in ("argparse.FileType", "click.File"):
            # What the option names is opened; a path that is read is no fact either.
            self._open(node, None, 0, name)
        elif name == "logging.basicConfig":
            target = _keyword(node, "filename")
            if target is not None:
                self._later("write", target, node, name)
        elif name in ("runpy.run_module",):
            module = self.value(_argument(node, 0))
            if isinstance(module, str):
                self.seen.modules.append(module)
        elif method:
            self._method(node, method, name)
        if name not in _WRITE_CALLS and method not in _DATA_WRITE | _PATH_WRITE and is_writer(method or plain):
            self.writers.append((node, method or plain, tuple(self.functions)))
        if self.is_setup:
            self._setup_call(node, name)

    def _method(self, node: cst.Call, method: str, name: str) -> None:
        assert isinstance(node.func, cst.Attribute)
        receiver = node.func.value
        if method in _PATH_READ:
            self._later("read", receiver, node, f"pathlib.Path.{method}")
        elif method in _PATH_WRITE:
            if method != "touch" or not node.args:
                self._later("write", receiver, node, f"pathlib.Path.{method}")
        elif method == "open" and (self._is_path(receiver) or self._is_mode(node)):
            self._open(node, receiver, 0, "pathlib.Path.open")
        elif node.args and (method in _DATA_WRITE or (method == "save" and self._is_path(node.args[0].value))):
            self._later("write", node.args[0].value, node, method)
        elif method in ("run", "launch"):
            port = _keyword(node, "port") or _keyword(node, "server_port")
            default = _APPLICATIONS.get(self._class(receiver))
            if port is not None or default is not None:
                self._port(node, port, default)
        elif method == "listen" and node.args and self._class(receiver).startswith("tornado."):
            self._port(node, node.args[0].value, None)
        elif method == "bind" and node.args and isinstance(node.args[0].value, cst.Tuple):
            self._serve(node, None, None)
        elif method == "create_server" and len(node.args) > 2:
            self._port(node, _keyword(node, "port") or node.args[2].value, None)
        elif method in ("add_insecure_port", "add_secure_port") and node.args:
            bound = self.value(node.args[0].value)
            port_of = re.search(r":(\d+)\Z", bound) if isinstance(bound, str) else None
            if port_of:
                self.seen.ports.append(int(port_of.group(1)))
            else:
                self.seen.computed_ports.append(self._line(node))
        elif method == "read" and node.args and self._class(receiver).startswith("configparser."):
            # configparser takes one name or several, and skips those that are not there.
            self._later("read", node.args[0].value, node, "configparser.read")

    def _setup_call(self, node: cst.Call, name: str) -> None:
        if name in _RUNS:
            self._obstacle(node, "runs a program")
        elif name.rpartition(".")[2] == "setup" and ("setuptools" in name or "distutils" in name):
            for keyword, what in (
                ("use_scm_version", "takes the version from git"),
                ("pbr", "takes the version from git"),
                ("ext_modules", "compiles extensions"),
                ("cffi_modules", "compiles extensions"),
                ("rust_extensions", "compiles extensions"),
            ):
                value = _keyword(node, keyword)
                if value is not None and not m.matches(value, m.Name("False") | m.Name("None") | m.List(elements=[])):
                    self._obstacle(node, what)
        elif name in ("pkgutil.iter_modules", "importlib.import_module", "builtins.__import__"):
            self._obstacle(node, "imports a module whose name is computed")

    def _open(self, node: cst.Call, target: cst.BaseExpression | None, mode_at: int, name: str) -> None:
        mode_node = _keyword(node, "mode") or _positional(node, mode_at)
        mode = "r" if mode_node is None else self.value(mode_node)
        if not isinstance(mode, str) or any(letter in mode for letter in "wax+"):
            self._later("write", target, node, name)
        else:
            self._later("read", target, node, name)

    def _later(self, kind: str, target: cst.BaseExpression | None, node: cst.Call, name: str) -> None:
        self.uses.append(_Pending(kind, target, node, name, tuple(self.functions)))

    def _obstacle(self, node: cst.Call, what: str) -> None:
        self.obstacles.append((tuple(self.functions), self._line(node), what))

    def _serve(self, node: cst.Call, at: int | None, default: int | None) -> None:
        port = _keyword(node, "port") or (_positional(node, at) if at is not None else None)
        if port is None and node.args and isinstance(node.args[0].value, cst.Tuple):
            elements = node.args[0].value.elements
            port = elements[1].value if len(elements) > 1 else None
        if port is None and default is None:
            return
        self._port(node, port, default)

    def _port(self, node: cst.Call, port: cst.BaseExpression | None, default: int | None) -> None:
        self._later("port", port if port is not None else cst.Integer(str(default)), node, "")

    def _runs(self, node: cst.Call, name: str) -> None:
        command = self.value(_argument(node, 0))
        if isinstance(command, list):
            words = [word if isinstance(word, str) else "?" for word in command]
            if "-m" in words[1:-1] and (words[0] == "?" or re.search(r"python[\d.]*\Z", words[0])):
                self.seen.modules.append(words[words.index("-m") + 1])
        elif isinstance(command, str):
            self.seen.modules += re.findall(r"\bpython[\d.]*\s+(?:-\w+\s+)*?-m\s+([\w.]+)", command)

    def leave_Module(self, original_node: cst.Module) -> None:
        """Give every use its value, now that all names are known, and leave out what does not run."""
        live = None if self.run is None else self._reachable(self.run)

        def is_live(functions: _Stack) -> bool:
            return live is None or all(function.name.value in live for function in functions)

        self.seen.imports += [name for functions, name in self.imports if is_live(functions)]
        self.seen.obstacles += [(line, what) for functions, line, what in self.obstacles if is_live(functions)]
        for node, name, functions in self.writers:
            if is_live(functions) and any(is_given(one.value, self.expressions, functions) for one in node.args):
                self.seen.written.append(Use(None, self._line(node), name))
        for use in self.uses:
            if not is_live(use.functions):
                continue
            hidden: Environment = {
                parameter.name.value: None for function in use.functions for parameter in _parameters(function.params)
            }
            value = self.value(use.target, hidden)
            if use.kind == "port":
                number = int(value) if isinstance(value, str) and value.isdigit() else value
                if isinstance(number, int) and 0 < number < 65536:
                    self.seen.ports.append(number)
                elif number != 0:
                    self.seen.computed_ports.append(self._line(use.node))
                continue
            into = self.seen.opened if use.kind == "read" else self.seen.written
            values: Sequence[Value] = value if isinstance(value, list) else (value,)
            if None in values and len(use.functions) == 1:
                values = self._through_calls(use.functions[0], use.target) or values
            into.extend(self._use(one, use.node, use.name) for one in values)

    def _reachable(self, run: frozenset[str]) -> set[str]:
        """Names of functions that run when the module is imported and the names in ``run`` are used."""
        live: set[str] = set()
        waiting = {"", *run}
        while waiting:
            name = waiting.pop()
            live.add(name)
            # Making an object runs what its class defines with a double underscore.
            waiting |= self.called_from.get(name, set()) - live
        live.update(name for name in self.called_from if name.startswith("__"))
        return live

    def _through_calls(self, function: cst.FunctionDef, target: cst.BaseExpression | None) -> list[Value]:
        """Values of an expression in a helper such as ``def read(name): return open(name).read()``."""
        parameters = function.params
        found: list[Value] = []
        for call in self.calls.get(function.name.value, ()):
            environment: dict[str, Value] = {}
            names = [parameter.name.value for parameter in parameters.params]
            rest: list[Value] = []
            for at, argument in enumerate(call.args):
                value = self.value(argument.value)
                if argument.star:
                    rest.append(None)
                elif argument.keyword is not None:
                    environment[argument.keyword.value] = value
                elif at < len(names):
                    environment[names[at]] = value
                else:
                    rest.append(value)
            for parameter in (*parameters.params, *parameters.kwonly_params):
                if parameter.name.value not in environment:
                    environment[parameter.name.value] = self.value(parameter.default)
            if isinstance(parameters.star_arg, cst.Param):
                environment[parameters.star_arg.name.value] = rest
            value = self.value(target, environment)
            found.extend(value if isinstance(value, list) else [value])
        return found

    def _is_mode(self, node: cst.Call) -> bool:
        """Whether a call of some ``open`` has a mode where ``Path.open`` has it: ``options["output"].open("w")``."""
        mode = self.value(_keyword(node, "mode") or _positional(node, 0))
        return isinstance(mode, str) and len(node.args) < 3 and _WRITE_MODE.fullmatch(mode) is not None


def _parameters(parameters: cst.Parameters) -> list[cst.Param]:
    found = [*parameters.params, *parameters.posonly_params, *parameters.kwonly_params]
    if isinstance(parameters.star_arg, cst.Param):
        found.append(parameters.star_arg)
    return [*found, parameters.star_kwarg] if parameters.star_kwarg is not None else found


def _positional(node: cst.Call, at: int) -> cst.BaseExpression | None:
    plain = [argument for argument in node.args if argument.keyword is None and not argument.star]
    return plain[at].value if at < len(plain) else None


def _argument(node: cst.Call, at: int) -> cst.BaseExpression | None:
    """A positional argument, or the keyword that such calls give the path by."""
    found = _positional(node, at)
    if found is not None:
        return found
    return next(
        (argument.value for argument in node.args if argument.keyword and argument.keyword.value in _KEYWORDS),
        None,
    )


def _keyword(node: cst.Call, name: str) -> cst.BaseExpression | None:
    return next((a.value for a in node.args if a.keyword is not None and a.keyword.value == name), None)


def _index(node: cst.BaseExpression) -> str:
    """The text of ``x["text"]``."""
    if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
        value = node.slice[0].slice.value
        if isinstance(value, cst.SimpleString):
            return value.raw_value
    return ""


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""
