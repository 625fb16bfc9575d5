"""Web applications that a Python source makes: their names, their routes, and how the source itself starts one."""

from __future__ import annotations

import ast

from refactor.context import Unknown
from refactor.ecosystems.python.use import parsed

_APPS = frozenset({"Flask", "FastAPI", "Quart", "Starlette", "Sanic", "Litestar", "Bottle", "Robyn"})
_GETS = frozenset({"get", "route", "api_route"})


def routes(text: str) -> tuple[set[str], list[tuple[str, int]]]:
    """Names of applications that a source makes, and the literal routes that answer to GET on them with their lines."""
    if not any(name in text for name in _APPS):
        return set(), []
    tree = parsed(text)
    if isinstance(tree, str):
        return set(), []
    apps: set[str] = set()
    mounted: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _last(node.value.func) in _APPS:
            apps |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Call) and _last(node.func) == "mount":
            mounted |= {one.id for one in node.args if isinstance(one, ast.Name)}
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        for call in node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ():
            route = _decorated(call, apps - mounted)
            if route is not None:
                found.append((route, call.lineno))
    return apps, found


def _decorated(call: ast.expr, apps: set[str]) -> str | None:
    """The route of ``@app.get("/health")``; None for other methods, arguments and receivers."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not call.args:
        return None
    receiver, first = call.func.value, call.args[0]
    if not isinstance(receiver, ast.Name) or receiver.id not in apps or call.func.attr not in _GETS:
        return None
    methods = next((word.value for word in call.keywords if word.arg == "methods"), None)
    if methods is not None and "GET" not in ast.dump(methods):
        return None
    text = first.value if isinstance(first, ast.Constant) else None
    return text if isinstance(text, str) else None


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def application(tree: ast.Module) -> str | None:
    """``app`` of ``app = Flask(__name__)``, ``create_app()`` of a factory that needs no arguments."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            function = node.value.func
            if getattr(function, "id", getattr(function, "attr", "")) in {"Flask", "create_app"}:
                return node.targets[0].id
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name not in {"create_app", "make_app"}:
            continue
        if len(node.args.args) == len(node.args.defaults) and not node.args.kwonlyargs:
            return f"{node.name}()"
    return None


def run_call(tree: ast.Module) -> tuple[str, str] | Unknown:
    """Host and port of ``app.run(...)``, where the program does nothing else when it is started."""
    last = tree.body[-1] if tree.body else None
    body = last.body if isinstance(last, ast.If) and "__main__" in ast.dump(last.test) else []
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Attribute)
        or call.func.attr != "run"
        or call.args
    ):
        return Unknown("the file does more than run the application when it is started")
    given = {word.arg: word.value for word in call.keywords}
    values = {name: value.value for name, value in given.items() if isinstance(value, ast.Constant)}
    other = next((name for name in given if name not in {"host", "port", "debug", "threaded", "use_reloader"}), None)
    if other is not None or any(name in given and name not in values for name in ("host", "port")):
        return Unknown("where it listens is not spelled out: write host and port as literals")
    return str(values.get("host", "127.0.0.1")), str(values.get("port", 5000))


__all__ = ["application", "routes", "run_call"]
