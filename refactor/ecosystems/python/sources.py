"""What a Python program of the build context opens, writes, listens on and starts.

Names are resolved through imports with libcst, which is only imported when a cheap test of the text says that
the file matters. Code that computes a path or a port at run time is listed as such: whoever asks must take
the cautious way then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from refactor.context import BuildContext, Unknown
from refactor.context.dockerignore import clean
from refactor.context.literals import NOT_SOURCES, is_test
from refactor.ecosystems.python.requirements import read_requirements
from refactor.ecosystems.python.use import Use, parsed, why_not_python

_MAX_BYTES = 128 * 1024
_MAX_MODULES = 60
_MOST = 2_000
"""Sources that are searched for a pattern."""


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """What one source does, as far as it can be told without running it."""

    path: str
    opened: tuple[Use, ...] = ()
    """Files and folders it reads."""
    written: tuple[Use, ...] = ()
    """Files and folders it makes or changes; databases too."""
    ports: tuple[int, ...] = ()
    """TCP ports it binds; the default where the environment may say otherwise."""
    computed_ports: tuple[int, ...] = ()
    """Lines where a port is bound that is computed at run time."""
    modules: tuple[str, ...] = ()
    """Modules it starts as programs (``python -m`` in a child process, ``runpy``)."""


_TRIGGERS = re.compile(
    # Words that also mean other things count as calls, or where they get another name.
    r"(?<!def )\b(?:open|touch|connect|run|serve|listen|bind|launch|system|popen|os\.(?:rename|replace|remove|unlink))"
    r"(?:\s*\(| as )"
    r"|\.save\(\s*[^)\s]|\.(?:db|sqlite3?)[\"']|^bind\s*="
    r"|\b(?:write_text|write_bytes|read_text|read_bytes|makedirs|mkdir|\w*FileHandler|basicConfig|fileConfig|savefig|"
    r"to_(?:csv|excel|json|parquet|pickle)|read_(?:csv|json|excel)|run_app|run_simple|run_module|run_path|urlretrieve|"
    r"make_server|\w*HTTPServer|\w*(?:TCP|UDP|WSGI)Server|start_http_server|start_server|create_server|"
    r"add_(?:in)?secure_port|load_dotenv|FileSystemLoader|StaticFiles|Jinja2Templates|sqlite\w*|shutil|joblib|shelve|"
    r"MEDIA_ROOT|UPLOAD_FOLDER|subprocess|ZipFile|FileType)\b|\bclick\.File\b",
    re.MULTILINE,
)
"""What a source must hold to be worth parsing."""
_OPTIONS = re.compile(
    r"\b(?:parse_(?:known_)?args|FLAGS|argv|environ|getenv|click|typer|docopt)\b|\*\*options\b|\boptions\["
)
_WRITERS = re.compile(r"\b_*(?:[Ww]rite\w+|[Ss]ave\w*|[Dd]ump(?!s\b)\w*|[Ee]xport\w*|to_\w+)\(")
"""Or both of these: options, and a call that writes by its name (see :mod:`refactor.ecosystems.python.options`)."""


def facts(context: BuildContext, path: str) -> PythonFacts | Unknown:
    """What the source at ``path`` does; Unknown if it cannot be read or is not Python 3."""
    return context.remember(f"python:{path}", lambda: _facts(context, path))


def _facts(context: BuildContext, path: str) -> PythonFacts | Unknown:
    source = _source(context, path)
    if isinstance(source, Unknown):
        return source
    if not _TRIGGERS.search(source) and not (_WRITERS.search(source) and _OPTIONS.search(source)):
        broken = why_not_python(source)
        return PythonFacts(clean(path)) if broken is None else Unknown(f"{clean(path)}: {broken}")
    from refactor.ecosystems.python.visitor import visit

    seen = visit(source, clean(path))
    if isinstance(seen, Unknown):
        return seen
    return PythonFacts(
        clean(path),
        tuple(seen.opened),
        tuple(seen.written),
        tuple(sorted(set(seen.ports))),
        tuple(seen.computed_ports),
        tuple(dict.fromkeys(seen.modules)),
    )


def in_sources(context: BuildContext, pattern: re.Pattern[str]) -> list[tuple[str, str]] | Unknown:
    """What the pattern's group finds in the Python sources, without tests and other people's code, each with its place;
    Unknown where they are too many to read."""
    files = context.files(without=NOT_SOURCES)
    if isinstance(files, Unknown):
        return files
    found: list[tuple[str, str]] = []
    own = [path for path in files if path.endswith(".py") and not is_test(path)]
    if len(own) > _MOST:
        return Unknown(f"there are more than {_MOST} Python sources")
    for path in own:
        data = context.read_bytes(path)
        if isinstance(data, Unknown):
            return data
        text = data.decode("utf-8", "replace")
        found += [(one[1], f"{path}:{text.count(chr(10), 0, one.start(1)) + 1}") for one in pattern.finditer(text)]
    return found


def setup_reads(context: BuildContext, path: str = "setup.py") -> tuple[str, ...] | Unknown:
    """Files of the context that running ``setup.py`` opens or imports, sorted, without ``setup.py`` itself.

    They must be copied together with it. Files that it names but that are not there are left out: it guards
    them, or fails today as well. Unknown when it does what cannot be followed: computed paths, listing
    folders, running programs, taking the version from git, compiling extensions.
    """
    return context.remember(f"setup:{path}", lambda: _setup_reads(context, clean(path)))


def setup_requires(source: str) -> list[str] | None:
    """The strings of ``install_requires`` in the text of a setup.py; None where it is no list, nor a name bound to
    one, of strings alone."""
    import ast

    tree = parsed(source)
    if isinstance(tree, str):
        return None
    nodes = list(ast.walk(tree))
    bound = {
        node.targets[0].id: node.value
        for node in nodes
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    }
    keywords = (node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "install_requires")
    value: ast.expr | None = next(keywords, None)
    if isinstance(value, ast.Name):
        value = bound.get(value.id)
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    texts = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return texts if isinstance(value, ast.List | ast.Tuple) and len(texts) == len(items) else None


def _setup_reads(context: BuildContext, path: str) -> tuple[str, ...] | Unknown:
    found: set[str] = set()
    waiting = [path]
    names: frozenset[str] = frozenset()
    seen_modules: set[str] = set()
    folder = path.rpartition("/")[0]
    while waiting:
        module = waiting.pop()
        if module in seen_modules:
            continue
        seen_modules.add(module)
        if len(seen_modules) > _MAX_MODULES:
            return Unknown(f"{path} imports more than {_MAX_MODULES} modules of the project")
        source = _source(context, module)
        if isinstance(source, Unknown):
            return source
        from refactor.ecosystems.python.visitor import visit

        if module == path:
            names = frozenset(re.findall(r"\w+", source))
        seen = visit(source, module, is_setup=True, run=None if module == path else names)
        if isinstance(seen, Unknown):
            return seen
        if seen.obstacles:
            line, what = seen.obstacles[0]
            return Unknown(f"{module}:{line} {what}")
        for use in seen.opened:
            if use.path is None:
                return Unknown(f"{module}:{use.line} opens a path that is computed")
            where = _in_context(use, folder)
            if where is None:
                continue
            matches = context.glob(where) if "*" in where else (where,)
            if isinstance(matches, Unknown):
                return matches
            for match in matches:
                there = context.exists(match)
                if isinstance(there, Unknown):
                    return there
                if there and context.is_dir(match):
                    return Unknown(f"{module}:{use.line} reads the folder {match}")
                if there:
                    found.add(match)
                    if use.call.endswith("parse_requirements"):
                        found.update(_included(context, match))
        for name in seen.imports:
            waiting.extend(_local_modules(context, name, module, folder))
    found |= seen_modules
    found.discard(path)
    return tuple(sorted(found))


def _included(context: BuildContext, path: str) -> Iterable[str]:
    requirements = read_requirements(context, path)
    return () if isinstance(requirements, Unknown) else requirements.included


def _in_context(use: Use, folder: str) -> str | None:
    """A path as the build sees it: setup.py runs in its own folder. None for what lies outside."""
    path = use.path or ""
    if not use.is_anchored:
        if path.startswith(("/", "~")):
            return None
        path = clean(f"{folder}/{path}" if folder else path)
    return None if path == ".." or path.startswith("../") else path


def _local_modules(context: BuildContext, name: str, importer: str, folder: str) -> list[str]:
    """Sources that importing a dotted name reads, packages' ``__init__`` included; [] for what is not local.

    A leading dot is relative to the importer's package.
    """
    base = folder
    if name.startswith("."):
        dots = len(name) - len(name.lstrip("."))
        base = importer
        for _ in range(dots):
            base = base.rpartition("/")[0]
        name = name[dots:]
    found = []
    here = base
    for part in name.split(".") if name else []:
        stem = f"{here}/{part}" if here else part
        if context.exists(f"{stem}/__init__.py"):
            found.append(f"{stem}/__init__.py")
        elif context.exists(f"{stem}.py"):
            found.append(f"{stem}.py")
            break
        elif not context.is_dir(stem):
            break
        here = stem
    return found


def _source(context: BuildContext, path: str) -> str | Unknown:
    data = context.read_bytes(path)
    if isinstance(data, Unknown):
        return data
    if len(data) > _MAX_BYTES:
        return Unknown(f"{path} is larger than {_MAX_BYTES // 1024} KiB")
    if b"\0" in data:
        return Unknown(f"{path} is not a text file")
    coding = re.match(rb"(?:[^\n]*\n)?[^\n]*?coding[:=][ \t]*([-\w.]+)", data[:400])
    if coding and coding.group(1).lower().replace(b"_", b"-") not in (
        b"utf-8",
        b"utf8",
        b"ascii",
        b"latin-1",
    ):
        return Unknown(f"{path} is not UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Only literals matter here, and those that name paths are ASCII.
        text = data.decode("latin-1")
    return text
