"""Development servers (``flask run``, ``runserver``, ``--reload``) and what serves the same application instead."""

from __future__ import annotations

import ast
import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.answers import DirectStart
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.program import entries, program_sources
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.values import parsed
from refactor.flow.reading import Refused, StageReading, Start, join
from refactor.flow.roots import Root, roots_of
from refactor.syntax import Instruction

_RELOADING = frozenset("uvicorn gunicorn hypercorn granian daphne quart sanic fastapi".split())
_RELOADS = {"--reload": 0, "--debug": 0, "--reload-dir": 1, "--reload-include": 1, "--reload-exclude": 1,
            "--reload-engine": 1, "--reload-extra-file": 1, "--autoreload": 0, "--auto-reload": 0}  # fmt: skip
"""Options that restart on changes of the sources -> words behind them (``uvicorn --help``, gunicorn's settings)."""
_FLASK = {"--debug": 0, "--reload": 0, "--no-debugger": 0, "--no-reload": 0, "--with-threads": 0, "--host": 1, "-h": 1,
          "--port": 1, "-p": 1, "--app": 1, "-A": 1, "--no-debug": 0, "--debugger": 0}  # fmt: skip
_BY_HAND = "start a server for production by hand"
_SERVERS = ("gunicorn", "waitress")
_OWN_SERVERS = ("flask-socketio", "channels", "daphne", "uwsgi")
_THREADS = "8"
"""One process, as the development server is, so that what it keeps in memory stays one; requests beside each other."""


class _App(NamedTuple):
    host: str
    port: str
    target: str
    """``module:name`` as WSGI servers take it."""
    where: str


def production_server(reading: StageReading) -> DirectStart | Refused | None:
    """See :meth:`Ecosystem.production_server`."""
    roots = roots_of(reading)
    start = reading.start
    if isinstance(roots, Refused) or start is None or reading.context.why_unknown is not None:
        return None
    found = next(((root, words) for root in roots if (words := _development(reading, root)) is not None), None)
    if found is None:
        return None
    root, words = found
    shown = " ".join(root.words)
    node = start.nodes[-1]
    reason = _why_not_alone(reading, start, root, len(roots))
    if reason is None and words[0] in _RELOADING:
        return _without_reload(node, words, shown, start.argv[1:] if len(start.nodes) > 1 else start.argv)
    app = Refused(reason, _BY_HAND) if reason else (_django if "runserver" in words else _flask)(reading, words)
    server = app if isinstance(app, Refused) else _installed_server(reading, app)
    if isinstance(server, Refused):
        return Refused(f"`{shown}` is a development server; {server.because}", server.hint)
    assert not isinstance(app, Refused)
    command, told = server
    if len(start.nodes) > 1:
        command = ("-m", command[0].removesuffix("-serve"), *command[1:])
    return DirectStart(
        node,
        command,
        (
            f"{app.where} has the application, and `{shown}` listens on {app.host}:{app.port}",
            told,
            "one process with threads, as before; more workers need what they share outside of the process",
        ),
    )


def _why_not_alone(reading: StageReading, start: Start, root: Root, count: int) -> str | None:
    """What else the start does, that new words would leave out."""
    if count > 1:
        return "it is started together with other programs"
    is_own = all(reading.step(node) is not None for node in start.nodes)
    # `ENTRYPOINT ["python"]` before a CMD with the file.
    is_python = len(start.nodes[0].json or ()) == 1 and re.fullmatch(r"(?:.*/)?python[\d.]*", start.argv[0]) is not None
    if not is_own or (len(start.nodes) > 1 and not is_python):
        return "it is put together from several instructions"
    command = root.command
    if command is not None and (command.redirects or command.assignments or command.wrappers):
        return "the shell does something beside it"
    if not start.argv or any(sign in word for word in start.argv for sign in "$`*"):
        return "its words are put together by the shell"
    return None


def _development(reading: StageReading, root: Root) -> tuple[str, ...] | None:
    """The words of a development server, ``python -m`` and the folder taken away; None for any other program."""
    words = (root.name, *root.words[1:])
    if re.fullmatch(r"python[\d.]*", words[0]):
        rest = [word for word in words[1:] if word not in {"-u", "-B", "-O"}]
        words = tuple(rest[1:] if rest[:1] == ["-m"] else rest)
    if not words:
        return None
    if words[0] in _RELOADING:
        is_dev = words[:2] == ("fastapi", "dev")
        return words if is_dev or any(word in _RELOADS for word in words[1:]) else None
    if posixpath.basename(words[0]) in {"manage.py", "django-admin"} and "runserver" in words[1:2]:
        return words
    if words[0] == "flask" and "run" in words[1:]:
        return words
    if words[0].endswith(".py") and len(words) == 1:
        place = reading.in_context(join(root.folder, words[0]))
        text = reading.context.text(place) if place else ""
        if re.search(r"\bflask\b", text) and re.search(r"(?m)^\s+\w+\.run\(", text):
            return words
    return None


def _without_reload(
    node: Instruction, words: tuple[str, ...], shown: str, argv: tuple[str, ...]
) -> DirectStart | Refused:
    if any(sign in word for word in argv for sign in "$`*"):
        return Refused(f"`{shown}` restarts on changes of the sources", "leave that option out")
    kept: list[str] = []
    skip = 0
    for word in argv:
        if skip:
            skip -= 1
        elif word.partition("=")[0] in _RELOADS:
            skip = 0 if "=" in word else _RELOADS[word.partition("=")[0]]
        else:
            kept.append(word)
    if words[:2] == ("fastapi", "dev"):
        kept[kept.index("dev")] = "run"
    evidence = (f"`{shown}` watches sources, which do not change in an image", "all other words stay as they are")
    return DirectStart(node, tuple(kept), evidence)


def _flask(reading: StageReading, words: tuple[str, ...]) -> _App | Refused:
    environment = reading.environment
    host, port = environment.get("FLASK_RUN_HOST") or "127.0.0.1", environment.get("FLASK_RUN_PORT") or "5000"
    found = entries(reading)
    if isinstance(found, Refused) or not found:
        return found if isinstance(found, Refused) else Refused("its application was not found")
    loaded = next((name for name in (".flaskenv", ".env") if reading.context.exists(name) is True), None)
    if loaded is not None:
        return Refused(f"flask also loads {loaded}, which a WSGI server does not", "set these variables with ENV")
    named = environment.get("FLASK_APP") or ""
    if ":" in named or "(" in named:
        return Refused(f"FLASK_APP names {named}", "give that to a server for production by hand")
    tree = parsed(reading.context.text(found[0]))
    if isinstance(tree, str):
        return Refused(f"{found[0]} cannot be read")
    if words[0] == "flask":
        rest = list(words[1:])
        while rest:
            option, equals, value = rest.pop(0).partition("=")
            if option != "run" and option not in _FLASK:
                return Refused(f"{option} has no counterpart that is known", _BY_HAND)
            if _FLASK.get(option) and not equals:
                value = rest.pop(0) if rest else ""
            host = value if option in {"--host", "-h"} else host
            port = value if option in {"--port", "-p"} else port
    else:
        called = _run_call(tree)
        if isinstance(called, Unknown):
            return Refused(called.reason, _BY_HAND)
        host, port = called
    name = _application(tree)
    module = _module(reading, found[0])
    if name is None or module is None:
        return Refused(
            f"{found[0]} makes no application at its top that could be named", "name it for a server by hand"
        )
    return _App(host, port, f"{module}:{name}", found[0])


def _application(tree: ast.Module) -> str | None:
    """``app`` of ``app = Flask(__name__)``, ``create_app()`` of a factory that needs no arguments."""
    found = None
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name), *_],
                value=ast.Call(func=ast.Name(id="Flask" | "create_app") | ast.Attribute(attr="Flask" | "create_app")),
            ):
                return name
            case ast.FunctionDef(name="create_app" | "make_app" as name, args=args):
                is_plain = len(args.args) == len(args.defaults) and not args.kwonlyargs
                found = found or (f"{name}()" if is_plain else None)
    return found


def _run_call(tree: ast.Module) -> tuple[str, str] | Unknown:
    """Host and port of ``app.run(...)``, where the program does nothing else when it is started."""
    match tree.body[-1:]:
        case [
            ast.If(
                test=ast.Compare(left=ast.Name("__name__")),
                body=[ast.Expr(ast.Call(func=ast.Attribute(attr="run"), args=[], keywords=words))],
            )
        ]:
            given = {word.arg: word.value for word in words}
            values = {name: one.value for name, one in given.items() if isinstance(one, ast.Constant)}
            is_known = given.keys() <= {"host", "port", "debug", "threaded", "use_reloader"}
            if not is_known or given.keys() & {"host", "port"} != values.keys() & {"host", "port"}:
                return Unknown("where it listens is not spelled out: write host and port as literals")
            return str(values.get("host", "127.0.0.1")), str(values.get("port", 5000))
    return Unknown("the file does more than run the application when it is started")


def _module(reading: StageReading, path: str) -> str | None:
    """The dotted name of a source, as seen from the folder that the container starts in."""
    for place in reading.in_image(path):
        folder = reading.final_workdir.rstrip("/") + "/"
        if place.startswith(folder):
            name = place[len(folder) :].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else None
    return None


def _django(reading: StageReading, words: tuple[str, ...]) -> _App | Refused:
    files = program_sources(reading)
    if isinstance(files, Refused):
        return files
    place = next((word for word in words[2:] if not word.startswith("-")), "127.0.0.1:8000")
    if any(word.startswith("-") and word not in {"--noreload", "--nothreading", "--insecure"} for word in words[2:]):
        return Refused("its options have no counterpart that is known", _BY_HAND)
    host, _, port = place.rpartition(":")
    texts = {path: reading.context.text(path) for path in files}
    made = [path for path, text in texts.items() if path.endswith("wsgi.py") and "get_wsgi_application" in text]
    module = _module(reading, made[0]) if len(made) == 1 else None
    if module is None:
        return Refused("which wsgi.py it serves is not known", _BY_HAND)
    settings = " ".join(text for path, text in texts.items() if "settings" in path)
    collects = any("collectstatic" in step.node.argument for step in reading.runs)
    if "django.contrib.staticfiles" in settings and not ("whitenoise" in settings and collects):
        return Refused(
            "it also serves the files of django.contrib.staticfiles, which a WSGI server does not",
            "add whitenoise to the settings and `RUN python manage.py collectstatic --noinput`, or serve them by nginx",
        )
    return _App(host or "127.0.0.1", port, f"{module}:application", made[0])


def _installed_server(reading: StageReading, app: _App) -> tuple[tuple[str, ...], str] | Refused:
    names: dict[str, str] = {}
    for read in read_installs(PythonStage.of(reading)):
        if not isinstance(read, ReadInstall):
            return Refused(f"what is installed is not known: {read[1].because}", read[1].hint)
        where = ", ".join(read.manifests) or f"`{' '.join(read.act.command.args)}`"
        found = (*(need.name for need in read.requirements), *(one.name for one in read.locked))
        names.update({name: where for name in found if name})
    own = next((name for name in _OWN_SERVERS if name in names), None)
    if own is not None:
        return Refused(f"{own} is installed, which brings a server of its own", "start that one")
    server = next((name for name in _SERVERS if name in names), None)
    bind = f"{app.host}:{app.port}"
    if server is None:
        return Refused(
            "no server for production is installed",
            f"add gunicorn to what is installed, and start `gunicorn --bind {bind} --threads {_THREADS} {app.target}`",
        )
    told = f"{names[server]} installs {server}"
    if server == "waitress":
        factory = ("--call",) if app.target.endswith("()") else ()
        return ("waitress-serve", f"--listen={bind}", *factory, app.target.removesuffix("()")), told
    return ("gunicorn", "--bind", bind, "--threads", _THREADS, app.target), told


__all__ = ["production_server"]
