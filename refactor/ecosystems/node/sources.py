"""What JavaScript and TypeScript sources show by their literals: imports, programs they call, settings they read.

Text is searched, not evaluated: what is built from variables is said to be dynamic, never guessed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.literals import blanked, line_at
from refactor.ecosystems.calls import SLASHES
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.programs import package_of

SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx", ".vue", ".svelte")
COMPILED = (".ts", ".mts", ".cts", ".tsx", ".jsx", ".vue", ".svelte", ".coffee", ".astro")

_STRINGS = r'"(?:\\(?s:.)|[^"\\\n])*"|\'(?:\\(?s:.)|[^\'\\\n])*\'|`(?:\\(?s:.)|[^`\\])*`'
_FROM = re.compile(r"""(?<![\w$.])from\s{0,9}(["'])([^"'\n]{1,300})\1""")
_LOADED = re.compile(
    r"""(?<![\w$.])(?:import\s{0,9}(["'])([^"'\n]{1,300})\1"""
    r"""|(?:import|require(?:\.resolve)?)\s{0,9}\(\s{0,9}(["'`])([^"'`$\n]{1,300})\3)"""
)
_NAMES = re.compile(r"[\w$*{}\s,]*")
_MAX_NAMES = 4_000
"""Characters between ``import`` and ``from``."""
_DYNAMIC = re.compile(
    r"(?<![\w$.])(?:require|import)\s*\(\s*(?![\"'`)\s/])|(?<![\w$.])(?:require|import)\s*\(\s*`[^`]*\$\{"
)
_SPAWN = re.compile(
    r"(?<![\w$])(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|execa|execaSync|execaCommand|shell\.exec)\s*"
    r"\(\s*(?:\[\s*)?([\"'`])([^\"'`\n]+)\1?"
)
_READS = re.compile(
    r"\b(?:readFile|createReadStream|readdir|open|openAsBlob|opendir|glob|fast-glob|stat|lstat|exists|access|readlink"
    r"|realpath|copyFile|cp|copy|rename|readJson|readJSON|exec|spawn|execFile|execa|execaCommand)(?:Sync)?\s*\("
    r"|\bfork\s*\(|\bnew\s+Worker\s*\("
)
_REGULAR = re.compile(r"(?<=[=(,:;!&|?\[{}\n])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/")
"""A regular expression, where no division can stand."""
_MAX_FILES = 2_000
MAX_CHARACTERS = 1_000_000
"""Larger files are bundles of other people's code; they are not searched."""


class Facts(NamedTuple):
    """What one source file shows."""

    packages: dict[str, int]
    """Packages it imports at run time -> line. Imports of types alone are left out."""
    relative: tuple[str, ...]
    """Module names that start with ``.`` or ``/``."""
    is_dynamic: bool
    """It loads modules by names that are not literals."""
    spawns: dict[str, int]
    """Programs that it starts by name -> line."""
    text: str
    """The source without comments."""
    why_unread: str | None = None
    """Why nothing is known of it."""


def facts(context: BuildContext, path: str) -> Facts:
    """The facts of one file; empty ones, with the reason, where it cannot be read."""
    return context.remember(f"node-facts:{path}", lambda: _facts(context, path))


def _facts(context: BuildContext, path: str) -> Facts:
    text = context.read(path)
    why = text.reason if isinstance(text, Unknown) else f"{path} is no source that people write"
    if isinstance(text, Unknown) or "\0" in text or len(text) > MAX_CHARACTERS:
        return Facts({}, (), False, {}, "", why)
    return facts_of(text)


def found_in(context: BuildContext, files: Iterable[str], pattern: str) -> tuple[str, str] | None:
    """The first place of a pattern in the code of some sources, and what is there."""
    for path in files:
        text = facts(context, path).text
        found = re.search(pattern, text)
        if found is not None:
            return line_at(path, text, found.start()), found[0]
    return None


def facts_of(text: str) -> Facts:
    # Long runs of blanks would cost the patterns below a square of their length.
    code = re.sub(r"[^\S\n]{9,}", " ", re.sub(r"\n{50,}", "\n", without_comments(text)))
    packages: dict[str, int] = {}
    relative: list[str] = []
    spawns: dict[str, int] = {}
    if "import" in code or "require" in code or "export" in code:
        for module, at in _modules(code):
            if module.startswith((".", "/")):
                relative.append(module)
                continue
            if ":" in module.split("/")[0] or module.startswith(("#", "~", "$", "@/")) or " " in module:
                continue
            name = package_of(module)
            if name not in names("builtins") and name not in packages:
                packages[name] = code.count("\n", 0, at) + 1
    if "exec" in code or "spawn" in code:
        for found in _SPAWN.finditer(code):
            program = found[2].split()[0] if found[2].split() else ""
            name = program.rpartition("/")[2]
            if re.fullmatch(r"[A-Za-z][\w.+-]*", name) and not program.startswith("."):
                spawns.setdefault(name, code.count("\n", 0, found.start()) + 1)
    return Facts(packages, tuple(dict.fromkeys(relative)), _DYNAMIC.search(code) is not None, spawns, code)


def _modules(code: str) -> Iterator[tuple[str, int]]:
    """Names of modules that are loaded at run time, with their places."""
    for found in _FROM.finditer(code):
        low = max(0, found.start() - _MAX_NAMES)
        start = max(code.rfind("import", low, found.start()), code.rfind("export", low, found.start()))
        what = code[start + len("import") : found.start()] if start >= 0 else "?"
        if _NAMES.fullmatch(what) and not _is_type_only(what):
            yield found[2], found.start()
    for found in _LOADED.finditer(code):
        yield found[2] or found[4], found.start()


def _is_type_only(what: str) -> bool:
    what = what.strip()
    if re.match(r"type\s+[\w{*]", what) and not re.match(r"type\s*,|type\s+from\b", what):
        return True
    if what.startswith("{") and what.endswith("}"):
        names = [name.strip() for name in what[1:-1].split(",") if name.strip()]
        return bool(names) and all(re.match(r"type\s+\w", name) for name in names)
    return False


def without_comments(text: str) -> str:
    """The text with comments blanked; lines stay where they are."""
    return blanked(text, SLASHES, _STRINGS) if "//" in text or "/*" in text else text


_ENDINGS = ("", *".js .mjs .cjs .json .ts .mts .cts .tsx .jsx .node .vue .svelte".split())
_OF_TYPESCRIPT = ((".js", ".ts"), (".js", ".tsx"), (".mjs", ".mts"), (".cjs", ".cts"), (".jsx", ".tsx"))
"""TypeScript's ES modules name the compiled file."""


def resolve(context: BuildContext, importer: str, module: str) -> str | None:
    """The context path of a relative module as Node, TypeScript and bundlers find it; None where there is none."""
    base = posixpath.normpath(posixpath.join(posixpath.dirname(importer), module))
    if base.startswith("..") or module.startswith("/"):
        return None
    return resolve_path(context, "" if base == "." else base)


def resolve_path(context: BuildContext, base: str) -> str | None:
    """The same for a path of the context without its ending, or that of a folder."""
    names = [base + ending for ending in _ENDINGS] if base else []
    names += [base.removesuffix(written) + source for written, source in _OF_TYPESCRIPT if base.endswith(written)]
    for path in names:
        if context.exists(path) is True and context.is_dir(path) is False:
            return path
    if base and context.is_dir(base) is not True:
        return None
    names = [posixpath.join(base, "index" + ending) for ending in _ENDINGS[1:]]
    return next((path for path in names if context.exists(path) is True), None)


class Graph(NamedTuple):
    """The files that are reached from some files by relative imports."""

    files: tuple[str, ...]
    dynamic: str | None
    """A file that loads modules by computed names, or is one too many to follow, so that more may be reached."""
    missing: tuple[str, ...]
    """Imports that name no file of the context (made by a build, or left out)."""


def graph(context: BuildContext, entries: Iterable[str]) -> Graph:
    waiting = list(dict.fromkeys(entries))
    seen = dict.fromkeys(waiting)
    dynamic: str | None = None
    missing: list[str] = []
    while waiting and len(seen) < _MAX_FILES:
        path = waiting.pop()
        if not path.endswith(SUFFIXES):
            continue
        about = facts(context, path)
        if about.is_dynamic and dynamic is None:
            dynamic = path
        for module in about.relative:
            target = resolve(context, path, module)
            if target is None:
                missing.append(f"{path}: {module}")
            elif target not in seen:
                seen[target] = None
                waiting.append(target)
    if waiting and dynamic is None:
        dynamic = waiting[-1]
    return Graph(tuple(seen), dynamic, tuple(missing))


def script_files(context: BuildContext, path: str) -> tuple[str, ...] | None:
    """A script with everything that it imports relatively; None where that is not all in the context."""
    found = resolve_path(context, path)
    if found is None:
        return None
    reached = graph(context, (found,))
    return None if reached.dynamic is not None or reached.missing else reached.files


def why_reads(context: BuildContext, path: str) -> str | None:
    """Why a source may open files, or start programs that do; None where all of it was read and nothing does.

    What other people's packages do is not read.
    """
    if path.endswith(".json"):
        return None
    about = facts(context, path)
    if about.why_unread is not None:
        return f"cannot be read: {about.why_unread}"
    if not path.endswith(SUFFIXES) and not re.match(r"#!.*\bnode\b", about.text):
        return "is in a language that is not read"
    code = context.read(path)
    unclosed = _why_unclosed(about.text)
    if unclosed is not None:
        return f"cannot be read: {unclosed}"
    # Comments count as well: what a regular expression with `/*` in it hides looks like one.
    if isinstance(code, Unknown) or opens_files(code):
        return "reads other files"
    package = next(iter(about.packages), None)
    return None if package is None else f"uses {package}, and what that reads is not known"


def opens_files(code: str) -> bool:
    """Whether code may open files, or start programs that do, by the calls that it has."""
    return _READS.search(code) is not None or ("process.argv" in code and "fs" in code)


def _why_unclosed(code: str) -> str | None:
    """Brackets that do not close, outside of strings and regular expressions, as far as a look at the text tells."""
    bare = _REGULAR.sub(" ", re.sub(_STRINGS, " ", code))
    for first, last in ("()", "[]", "{}"):
        if bare.count(first) != bare.count(last):
            return f"`{first}` and `{last}` do not match"
    return None


_TEST = re.compile(
    r"(?:\A|/)(?:tests?|__tests__|__mocks__|spec|specs|e2e|cypress|fixtures|playwright|stories|\.storybook)/"
    r"|[._-](?:test|spec|e2e-spec|stories|cy)\.\w+\Z|\.d\.[mc]?ts\Z"
)
_CONFIG = re.compile(
    r"(?:\A|/)[\w.-]*\.(?:config|conf|setup)\.[mc]?[jt]sx?\Z|(?:\A|/)\.[\w-]+rc\.[mc]?js\Z"
    r"|(?:\A|/)(?:gulpfile|Gruntfile|webpack[\w.-]*|karma[\w.-]*|rollup[\w.-]*|esbuild[\w.-]*|vite[\w.-]*)\.[mc]?[jt]s\Z"
)


def is_test(path: str) -> bool:
    return _TEST.search(path) is not None


def is_tool_config(path: str) -> bool:
    """Settings of a build tool, a linter or a test runner, written as a program."""
    return _CONFIG.search(path) is not None


def packages_of(context: BuildContext, files: Sequence[str]) -> dict[str, str]:
    """Packages that the files import -> the first place, as ``src/app.ts:3``."""
    found: dict[str, str] = {}
    for path in files:
        for name, line in facts(context, path).packages.items():
            found.setdefault(name, f"{path}:{line}")
    return found
