"""Which room may import which, and what must not be loaded at start-up."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from refactor.ecosystems import Ecosystem, ecosystems

ROOT = Path(__file__).parents[1]
ROOMS = {
    "syntax": set(),
    "shell": {"tree_sitter", "tree_sitter_bash"},
    "context": {"syntax", "shell", "yaml", "defusedxml"},
    "images": {"syntax", "shell", "httpx"},
    "flow": {"syntax", "shell", "context", "images"},
    "ecosystems": {"syntax", "shell", "context", "images", "flow", "libcst", "tree_sitter"},
    # Aspect, the vocabulary in which codemods declare and gates judge, lives with the model.
    "model": {"shell", "dockerfile_parse"},
    "codemod": {"syntax", "shell", "context", "flow", "ecosystems", "images", "model.aspects"},
    "engine": {"syntax", "shell", "context", "flow", "ecosystems", "images", "model", "codemod", "yaml"},
    "report": {"engine", "codemod", "codemods"},
    "proof": {"engine", "codemod", "syntax", "context", "images", "model", "shell"},
    "forge": {"engine", "git", "gitdb", "httpx", "jwt"},
    "cli": {
        *("engine", "codemod", "report", "proof", "forge", "context", "flow", "ecosystems", "images", "syntax"),
        *("click", "rich", "git", "distributed", "pygls", "lsprotocol"),
    },
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", modules("refactor"), ids=lambda path: str(path.relative_to(ROOT)))
def test_room_imports_only_its_neighbours(path: Path) -> None:
    parts = path.relative_to(ROOT / "refactor").parts
    if len(parts) == 1:
        return
    room = parts[0]
    allowed = ROOMS[room]
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "refactor":
            neighbour = rest.partition(".")[0]
            # `once` stands for a part of the standard library.
            assert neighbour in {room, "once"} or neighbour in allowed or rest in allowed, f"{path}: {name}"
        else:
            assert top in sys.stdlib_module_names or top in allowed, f"{path}: {name}"


@pytest.mark.parametrize("path", modules("codemods"), ids=lambda path: str(path.relative_to(ROOT)))
def test_codemod_imports_only_the_public_door(path: Path) -> None:
    outside = {"os", "subprocess", "socket", "urllib", "http", "pathlib", "shutil", "tempfile"}
    for name in imports(path):
        top = name.partition(".")[0]
        assert name == "refactor" or (top in sys.stdlib_module_names and top not in outside), f"{path}: {name}"


MAX_LINES = 300


@pytest.mark.parametrize("path", modules("codemods"), ids=lambda path: str(path.relative_to(ROOT)))
def test_codemod_is_short_without_its_examples(path: Path) -> None:
    """What is longer asks questions that are not its own: about files (refactor/flow), commands (refactor/shell)."""
    text = path.read_text()
    examples = [
        node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and node.end_lineno and ast.unparse(node.targets[0]) == "examples"
    ]
    assert len(text.splitlines()) - sum(examples) <= MAX_LINES


LANGUAGES = sorted(path.parent.name for path in (ROOT / "refactor" / "ecosystems").glob("*/__init__.py"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_do_not_import_each_other(language: str) -> None:
    others = tuple(f"refactor.ecosystems.{other}" for other in LANGUAGES if other != language)
    for path in modules(f"refactor/ecosystems/{language}"):
        assert not [name for name in imports(path) if name.startswith(others)], path


@pytest.mark.parametrize("language", ecosystems(), ids=lambda language: language.name)
def test_rooms_answer_questions_as_they_are_asked(language: Ecosystem) -> None:
    """What is not a method of the class takes the same arguments as one."""
    for room, questions in language.rooms.items():
        module = import_module(f"{type(language).__module__}.{room}")
        for question in questions.split():
            asked = next(getattr(one, question) for one in type(language).__mro__[1:] if question in vars(one))
            _, *names = inspect.signature(asked).parameters
            given = inspect.signature(getattr(module, question)).parameters.values()
            own = [one.name for one in given if one.default is inspect.Parameter.empty and one.name != "language"]
            assert own == names, f"{room}.{question}"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_modules_import_each_other() -> None:
    """Wherever an import stands: at the top, for the type checker only, or inside a function."""
    paths = {module_of(path): path for folder in ("refactor", "codemods") for path in modules(folder)}
    needs: dict[str, set[str]] = {}
    for module, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                whole = [f"{node.module}.{name}" for name in names]
                names = [name if name in paths else str(node.module) for name in whole]
            needs.setdefault(module, set()).update(paths.keys() & set(names) - {module})
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_start_up_loads_nothing_heavy() -> None:
    heavy = {
        "tree_sitter",
        "git",
        "rich",
        "httpx",
        "yaml",
        "dockerfile_parse",
        "subprocess",
        "json",
        "tomllib",
        "heapq",
        "shlex",
        "fnmatch",
    }
    code = (
        "import sys, refactor.cli.main, refactor.cli.session;"
        "from refactor.codemod.codemod import discover; discover();"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not heavy.intersection(loaded.split())
    # Patterns that every file is read with; `re` compiles all others, which are plain strings, at their first use.
    always = {f"refactor.{name}" for name in ("syntax.words", "syntax.expansion", "shell.fast", "shell.command")}
    paths = {module_of(path): path for folder in ("refactor", "codemods") for path in modules(folder)}
    assert {name for name in paths.keys() & set(loaded.split()) if compiles_at_import(paths[name])} == always


def test_a_file_with_nothing_to_do_loads_little() -> None:
    """What few files ask for waits until one asks."""
    source = b'FROM debian:bookworm-slim\nWORKDIR /app\nCOPY run.sh ./\nUSER 65534:65534\nENTRYPOINT ["/app/run.sh"]\n'
    code = f"import sys; from refactor import fix; assert not fix({source!r}).applied; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    late = {"refactor.later", "refactor.flow.graph", "refactor.ecosystems.slicing", "refactor.ecosystems.node.layout"}
    assert not late.intersection(loaded.split())


def compiles_at_import(path: Path) -> bool:
    """Whether a statement of the module itself compiles a pattern."""
    calls = (
        node
        for outer in ast.parse(path.read_text()).body
        if isinstance(outer, ast.Assign | ast.AnnAssign)
        for node in ast.walk(outer)
        if isinstance(node, ast.Call)
    )
    return any(ast.unparse(call.func) == "re.compile" for call in calls)


@pytest.mark.parametrize(
    ("app", "readers"),
    [
        ("", {"dockerfile_parse"}),
        ("node-typescript-api", {"dockerfile_parse", "yaml"}),
        ("go-embed", {"dockerfile_parse", "yaml", "tree_sitter"}),
        ("python-flask", {"dockerfile_parse", "yaml"}),
    ],
)
def test_a_diff_of_one_file_loads_only_what_it_reads_with(app: str, readers: set[str], tmp_path: Path) -> None:
    path = ROOT / "corpus" / "apps" / app / "Dockerfile"
    if not app:
        path = tmp_path / "Dockerfile"
        path.write_text("FROM debian:12\nRUN apt-get update && apt-get install -y curl\nCMD curl example.org\n")
    code = (
        "import sys; before = set(sys.modules); from refactor.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "--diff", "--isolated", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("--- a/")
    loaded = set(done.stderr.split())
    outside = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names - {"refactor", "codemods"}
    parts = {name for name in outside if "cython" in name or name == "_yaml"}
    assert outside - parts == readers
    idle = {"asyncio", "email", "http", "multiprocessing", "socket", "sqlite3", "ssl", "unittest", "xml"}
    assert not idle & loaded
    assert not {
        name for name in loaded if re.match(r"refactor\.(?:forge|proof|cli\.command|report\.(?!paint|text))", name)
    }
    assert "subprocess" not in loaded


def test_every_file_has_its_room() -> None:
    top = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    known = {
        "pyproject.toml",
        "README.md",
        "refactor",
        "codemods",
        "tests",
        "corpus",
        "LICENSE",
        "CHANGELOG.md",
        "action.yml",
    }
    assert top - {"build", "dist"} <= known
    assert {path.name for path in (ROOT / "refactor").iterdir() if path.is_dir()} - {"__pycache__"} <= set(ROOMS)
