"""The build context as a build sees it: folders, memory, ignore files, and everything that is hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refactor.context import BuildContext, Unknown
from refactor.context.literals import literal, paths_named


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


FILES: dict[str, str | bytes] = {
    ".dockerignore": "**/*.log\nnode_modules\nsecrets\n!secrets/public.txt\n",
    "Dockerfile": "FROM scratch\n",
    "package.json": '{"name": "app"}',
    "package-lock.json": "{}",
    "src/app.js": "",
    "src/lib/util.js": "",
    "src/debug.log": "",
    "node_modules/a/index.js": "",
    "secrets/key.pem": "",
    "secrets/public.txt": "x",
}


@pytest.fixture(params=["folder", "memory"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> BuildContext:
    if request.param == "memory":
        return BuildContext.of(FILES)
    return BuildContext.open(write(tmp_path, FILES))


def test_what_the_build_sees(context: BuildContext) -> None:
    assert context.why_unknown is None
    assert context.ignore_file == ".dockerignore"
    assert context.files() == (
        ".dockerignore",
        "Dockerfile",
        "package-lock.json",
        "package.json",
        "secrets/public.txt",
        "src/app.js",
        "src/lib/util.js",
    )
    assert context.children() == (
        ".dockerignore",
        "Dockerfile",
        "package-lock.json",
        "package.json",
        "secrets/",
        "src/",
    )
    assert context.files("src") == ("src/app.js", "src/lib/util.js")
    assert context.files("src/app.js") == ("src/app.js",)
    assert context.files("nothing") == ()
    assert context.files(without=["lib", "secrets"]) == (
        ".dockerignore",
        "Dockerfile",
        "package-lock.json",
        "package.json",
        "src/app.js",
    )


def test_ignored_is_not_there_for_the_build(context: BuildContext) -> None:
    assert context.exists("src/app.js") is True
    assert context.exists("./src//app.js") is True
    assert context.exists("src/debug.log") is False
    assert context.exists("node_modules") is False
    assert context.exists("node_modules/a/index.js") is False
    assert context.exists("secrets") is True
    assert context.exists("secrets/key.pem") is False
    assert context.exists("secrets/public.txt") is True
    assert context.is_ignored("node_modules/x/y") is True
    assert context.is_ignored("src") is False
    assert context.is_on_disk("node_modules/a") is True
    assert context.is_on_disk("nothing") is False
    read = context.read("src/debug.log")
    assert isinstance(read, Unknown)
    assert read.reason == "src/debug.log is left out by .dockerignore"


def test_folders(context: BuildContext) -> None:
    assert context.is_dir("src") is True
    assert context.is_dir("src/") is True
    assert context.is_dir("") is True
    assert context.is_dir(".") is True
    assert context.is_dir("package.json") is False
    assert context.exists("package.json/x") is False


def test_names_are_case_sensitive_on_every_machine(context: BuildContext) -> None:
    assert context.exists("Package.json") is False
    assert context.exists("SRC/app.js") is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (".", ("",)),
        ("./", ("",)),
        ("/", ("",)),
        ("package*.json", ("package-lock.json", "package.json")),
        ("/package.json", ("package.json",)),
        ("./src", ("src",)),
        ("src/", ("src",)),
        ("s*", ("secrets", "src")),
        ("src/*", ("src/app.js", "src/lib")),
        ("*/*.js", ("src/app.js",)),
        ("node_modules", ()),
        ("src/*.log", ()),
        ("**/util.js", ()),
        ("nothing*", ()),
        ("[", ()),
        ("src/../package.json", ("package.json",)),
    ],
)
def test_copy_sources(context: BuildContext, pattern: str, expected: tuple[str, ...]) -> None:
    assert context.glob(pattern) == expected


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/passwd", "a\0b"])
def test_paths_that_leave_are_unknown(context: BuildContext, path: str) -> None:
    for answer in (context.exists(path), context.read(path), context.children(path), context.is_dir(path)):
        assert isinstance(answer, Unknown)
        assert not answer
    if not path.startswith("/") and "\0" not in path:
        assert isinstance(context.glob(path), Unknown)


def test_unknown_answers_everything_with_its_reason() -> None:
    context = BuildContext.unknown("read from standard input")
    answers = (
        context.exists("a"),
        context.is_dir("a"),
        context.is_ignored("a"),
        context.read("a"),
        context.files(),
        context.children(),
        context.glob("*"),
        context.json("a"),
        paths_named(context, (".py",)),
    )
    assert all(answer == Unknown("read from standard input") for answer in answers)
    assert context.why_unknown == "read from standard input"
    assert context.dockerfile is None
    assert context.broken == ()


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    context = BuildContext.open(tmp_path / "nothing")
    assert isinstance(context.exists("a"), Unknown)
    assert context.why_unknown is not None
    assert "No such file" in context.why_unknown


# Which ignore file applies


def test_ignore_file_beside_the_dockerfile_wins() -> None:
    files = {
        ".dockerignore": "a",
        "deploy/web.Dockerfile": "",
        "deploy/web.Dockerfile.dockerignore": "b",
        "a": "",
        "b": "",
    }
    context = BuildContext.of(files, dockerfile="deploy/web.Dockerfile")
    assert context.ignore_file == "deploy/web.Dockerfile.dockerignore"
    assert (context.exists("a"), context.exists("b")) == (True, False)
    other = BuildContext.of(files)
    assert other.ignore_file == ".dockerignore"
    assert (other.exists("a"), other.exists("b")) == (False, True)


def test_empty_ignore_file_beside_the_dockerfile_ignores_nothing() -> None:
    context = BuildContext.of({"Dockerfile": "", "Dockerfile.dockerignore": "", ".dockerignore": "a", "a": ""})
    assert context.exists("a") is True


def test_dockerfile_outside_of_the_context(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"app/a": "", "app/.dockerignore": "", "ci/Dockerfile": "", "ci/Dockerfile.dockerignore": "a"},
    )
    context = BuildContext.open(tmp_path / "app", tmp_path / "ci" / "Dockerfile")
    assert context.dockerfile is None
    assert context.ignore_file == str(tmp_path / "ci" / "Dockerfile.dockerignore")
    assert context.exists("a") is False


def test_where_the_dockerfile_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"app/Dockerfile": "", "app/deploy/Dockerfile": ""})
    assert BuildContext.open(tmp_path / "app").dockerfile == "Dockerfile"
    assert BuildContext.open(tmp_path / "app", tmp_path / "app/deploy/Dockerfile").dockerfile == "deploy/Dockerfile"
    monkeypatch.chdir(tmp_path)
    assert BuildContext.open("app", "app/deploy/Dockerfile").dockerfile == "deploy/Dockerfile"
    assert BuildContext.open("app", "deploy/Dockerfile").dockerfile == "deploy/Dockerfile"
    assert BuildContext.of({"dockerfile": ""}).dockerfile == "dockerfile"


def test_ignored_dockerfile_is_still_the_dockerfile() -> None:
    context = BuildContext.of({"Dockerfile": "", ".dockerignore": "Dockerfile\n.dockerignore\n", "a": ""})
    assert context.dockerfile == "Dockerfile"
    assert context.files() == ("a",)


def test_ignored_folder_is_seen_through_an_exception() -> None:
    context = BuildContext.of(
        {".dockerignore": "*\n!a/b/c.txt\n", "a/b/c.txt": "", "a/b/d.txt": "", "e/f.txt": "", "g/": ""}
    )
    assert context.files() == ("a/b/c.txt",)
    assert context.children() == ("a/",)
    assert context.glob("*") == ("a",)
    assert context.is_dir("a/b") is True
    assert context.exists("e") is False
    assert context.is_on_disk("g") is True


def test_ignored_folders_are_not_walked(tmp_path: Path) -> None:
    write(tmp_path, {".dockerignore": "cache", "a": "", "cache/x": ""})
    locked = tmp_path / "cache" / "locked"
    locked.mkdir(mode=0)
    try:
        assert BuildContext.open(tmp_path).files() == (".dockerignore", "a")
    finally:
        locked.chmod(0o755)


# Links, devices and other traps


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_links(tmp_path: Path) -> None:
    root = write(tmp_path / "app", {"real/file.txt": "inside", ".dockerignore": "hidden", "hidden/x": "h"})
    write(tmp_path, {"outside.txt": "outside"})
    (root / "to_file").symlink_to("real/file.txt")
    (root / "to_folder").symlink_to("real")
    (root / "real" / "up").symlink_to("../real/file.txt")
    (root / "out").symlink_to("../outside.txt")
    (root / "absolute").symlink_to("/etc")
    (root / "dangling").symlink_to("nothing")
    (root / "loop").symlink_to("loop2")
    (root / "loop2").symlink_to("loop")
    (root / "to_hidden").symlink_to("hidden")
    (root / "self").symlink_to(".")
    context = BuildContext.open(root)
    assert context.read("to_file") == "inside"
    assert context.read("to_folder/file.txt") == "inside"
    assert context.read("to_folder/up") == "inside"
    assert context.is_dir("to_folder") is True
    assert context.read("self/self/real/file.txt") == "inside"
    assert context.exists("dangling") is False
    assert context.exists("to_hidden/x") is False
    for path in ("out", "absolute", "absolute/passwd", "loop"):
        assert isinstance(context.exists(path), Unknown), path
        assert isinstance(context.read(path), Unknown), path
    # Links are sent as links: named, not followed.
    files = context.files()
    assert not isinstance(files, Unknown)
    assert {"to_folder", "out", "loop", "self", "real/up"} <= set(files)
    assert not any(path.startswith(("to_folder/", "absolute/", "self/")) for path in files)


def test_pipe_and_folder_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    context = BuildContext.open(tmp_path)
    for path in ("pipe", "folder"):
        read = context.read(path)
        assert read == Unknown(f"{path} is not a regular file")
    assert context.files() == ()


def test_pipe_in_place_of_an_ignore_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".dockerignore")
    (tmp_path / "a").touch()
    assert BuildContext.open(tmp_path).exists("a") is True


def test_file_without_permission(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": "{}", "sub/b": ""})
    (tmp_path / "a.json").chmod(0)
    (tmp_path / "sub").chmod(0)
    try:
        if os.access(tmp_path / "a.json", os.R_OK):
            pytest.skip("this user may read everything")
        context = BuildContext.open(tmp_path)
        assert isinstance(context.json("a.json"), Unknown)
        assert isinstance(context.exists("sub/b"), Unknown)
        assert isinstance(context.files(), Unknown)
        assert context.exists("sub") is True
    finally:
        (tmp_path / "sub").chmod(0o755)


def test_large_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as file:
        file.truncate(9 * 1024 * 1024)
    assert BuildContext.open(tmp_path).read("big") == Unknown("big is larger than 8 MiB")
    assert isinstance(BuildContext.of({"big": b"x" * (9 * 1024 * 1024)}).read("big"), Unknown)


def test_names_and_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    context = BuildContext.open(tmp_path)
    assert context.files() == (name,)
    text = context.read(name)
    assert isinstance(text, str)
    assert text.encode("utf-8", "surrogateescape") == b"\xff\xfe\x00"


def test_deep_folders(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(260):
        folder = folder / "d"
    folder.mkdir(parents=True)
    assert isinstance(BuildContext.open(tmp_path).files(), Unknown)


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    from refactor.context import build_context

    monkeypatch.setattr(build_context, "MAX_ENTRIES", 10)
    files = BuildContext.of({f"f{number}": "" for number in range(20)}).files()
    assert isinstance(files, Unknown)
    assert "more than" in files.reason


def test_memory_forgets_paths_outside() -> None:
    context = BuildContext.of({"../x": "", "/a": "", "./b/../c": "", "d/e": "", "d": "a file that became a folder"})
    assert context.files() == ("a", "c", "d/e")


# Documents


def test_json_with_byte_order_mark() -> None:
    assert BuildContext.of({"a.json": b'\xef\xbb\xbf{"a": 1}'}).json("a.json") == {"a": 1}


def test_broken_documents_are_listed_with_their_place() -> None:
    context = BuildContext.of(
        {
            "package.json": '{\n "a": 1,\n "b" 2}',
            "pyproject.toml": "[project]\nname = \n",
            "compose.yaml": "a:\n  - b\n c: d\n",
            "good.json": "[]",
        }
    )
    assert context.json("good.json") == []
    broken = context.json("package.json")
    assert isinstance(broken, Unknown)
    assert broken.reason.startswith("package.json: broken JSON at line 3 column 6: ")
    toml = context.toml("pyproject.toml")
    assert isinstance(toml, Unknown)
    assert "line 2" in toml.reason
    yaml = context.yaml("compose.yaml")
    assert isinstance(yaml, Unknown)
    assert "at line 3 column 2" in yaml.reason
    context.json("package.json")
    assert [path for path, _ in context.broken] == ["package.json", "pyproject.toml", "compose.yaml"]


def test_missing_document_is_unknown_but_not_broken() -> None:
    context = BuildContext.of({})
    assert context.json("package.json") == Unknown("package.json does not exist")
    assert context.broken == ()


def test_json_with_comments() -> None:
    text = """{
  // outDir is below
  "compilerOptions": { /* "outDir": "no" */ "outDir": "dist", "paths": {"a/*": ["b//c", "d,}"],}, },
}"""
    context = BuildContext.of({"tsconfig.json": text})
    assert context.jsonc("tsconfig.json") == {"compilerOptions": {"outDir": "dist", "paths": {"a/*": ["b//c", "d,}"]}}}
    assert isinstance(context.json("tsconfig.json"), Unknown)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", "[" * 200_000),
        ("json", '{"a":' * 200_000),
        ("json", "1" * 50_000),
        ("json", '"\\ud800'),
        ("jsonc", "/*" * 50_000),
        ("jsonc", '"' + '\\"' * 100_000),
        ("toml", "a = " + "[" * 50_000),
        ("toml", "a." * 20_000 + "b = 1"),
        ("toml", "a = 1\na = 2"),
        ("yaml", "[" * 100_000),
        ("yaml", "- " * 100_000 + "a"),
        ("yaml", "".join(" " * depth + "a:\n" for depth in range(1000))),
        ("yaml", "!!python/object/apply:os.system ['true']"),
        ("yaml", "a: &a [*a]"),
        ("yaml", "a: 2001-99-99"),
        ("yaml", "{[1]: 2}"),
        ("yaml", "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"k{n}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
        )),
        ("yaml", "a: &a {x: 1}\n" + "".join(
            f"k{n}: &{chr(98 + n)}\n  <<: [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
        )),
    ],
)  # fmt: skip
def test_hostile_documents_are_unknown(kind: str, text: str) -> None:
    context = BuildContext.of({"file": text})
    answer = getattr(context, kind)("file")
    assert isinstance(answer, Unknown)
    assert [path for path, _ in context.broken] == ["file"]


def test_yaml_anchors_of_honest_files_work() -> None:
    text = "x-common: &common\n  restart: always\nservices:\n  a:\n    <<: *common\n    image: b\n"
    data = BuildContext.of({"compose.yaml": text}).yaml("compose.yaml")
    assert data == {
        "x-common": {"restart": "always"},
        "services": {"a": {"restart": "always", "image": "b"}},
    }


# String literals


def test_literals_are_evidence_of_files_opened_at_run_time() -> None:
    context = BuildContext.of(
        {
            "main.go": 'package main\nimport (\n\t"config"\n)\n'
            'var t = template.ParseGlob("web/templates/*.html")\nvar c = os.Open("config.yml")\n',
            "web/templates/index.html": "",
            "config.yml": "",
            "config/config.go": "",
            "static/a.css": "",
            "main_test.go": 'var s = "static"',
        }
    )
    assert paths_named(context, (".go",)) == {"web/templates": "main.go:5", "config.yml": "main.go:6"}


def test_literals_are_relative_to_the_source_too() -> None:
    context = BuildContext.of(
        {
            "server/src/index.js": "const app = require('./routes');\n"
            "app.use(express.static(path.join(__dirname, '../public')));\n"
            "const data = require('./data.json'); fetch('https://x/data.json');\n",
            "server/src/routes/index.js": "",
            "server/src/data.json": "{}",
            "server/public/a.css": "",
            "node_modules/x/index.js": "read('server/src')",
        }
    )
    assert paths_named(context, (".js",)) == {
        "server/public": "server/src/index.js:2",
        "server/src/data.json": "server/src/index.js:3",
    }


@pytest.mark.parametrize("text", ["'" + "x" * 100_000, '"\\' * 100_000, "`" * 50_000, "'../../../../etc/passwd'"])
def test_hostile_literals(text: str) -> None:
    assert paths_named(BuildContext.of({"a.js": text, "b": ""}), (".js",)) == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("[]", []),
        ("[\n  :a,\n  'b',\n]", ["a", "b"]),
        (
            '[app: :shop, "a.b": [c: {:d, "e", only: :test}]]',
            {"app": "shop", "a.b": {"c": ("d", "e", {"only": "test"})}},
        ),
        ("['~> 1', :groups => [:test], require: false]", ["~> 1", {"groups": ["test"], "require": "false"}]),
        ('["a]", :b]', ["a]", "b"]),
        ("[a: fn -> [] end, a: :b]", {"a": Unknown("fn -> [] end")}),
        ("[:a] ++ [:b]", Unknown("[:a] ++ [:b]")),
        ("[:a", Unknown("[:a")),
        ('"#{name}.exs"', Unknown('"#{name}.exs"')),
        ("[:a, names]", ["a", ["b"]]),
        ("endless", Unknown("endless")),
        ("[" * 50_000, Unknown("[" * 50_000)),
    ],
)
def test_literals_are_values_as_far_as_they_are_known(written: str, value: object) -> None:
    meanings = {"names": "[:b]", "endless": "endless"}
    assert literal(written, meaning=meanings.get) == value


# Cost


def test_importing_the_room_stays_cheap() -> None:
    program = (
        "import sys; import refactor.context; "
        "heavy = {'yaml', 'tomllib', 'json', 'tree_sitter', 'configparser', 'subprocess', "
        "'tempfile', 'refactor.ecosystems.node.package_json', 'refactor.ecosystems.python.sources'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_touches_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was touched")

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    BuildContext.open(tmp_path, tmp_path / "Dockerfile")
