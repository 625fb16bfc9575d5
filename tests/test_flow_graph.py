"""The graph of a Dockerfile: what commands read and write, who makes a path, what an edit builds again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from refactor import BuildContext, parse
from refactor.context import Unknown
from refactor.ecosystems import flow_of
from refactor.flow.graph import Flow
from tests.bench import SHAPES
from tests.conftest import CORPUS
from tests.test_growth import calls_of

ROOT = Path(__file__).parents[1]


def flow(text: str, files: Mapping[str, str] | None = None) -> Flow:
    return flow_of(parse(text.encode()), BuildContext.of(files or {}))


def shown(path: str | Unknown) -> str:
    return "?" if isinstance(path, Unknown) else path


@pytest.mark.parametrize(
    ("command", "reads", "writes", "removes"),
    [
        ("mkdir -p -m 755 a /b", "", "/w/a /b", ""),
        ("touch a && tee b < c", "/w/c", "/w/a /w/b", ""),
        ("cp a b/ && mv c /d", "/w/a /w/c", "/w/b/a /d", "/w/c"),
        ("cp a b /usr/local/bin", "/w/a /w/b", "/usr/local/bin/a /usr/local/bin/b", ""),
        ("ln -s /a/b", "/a/b", "/w/b", ""),
        ("wget -qO- https://x/y.sh && wget -q $URL", "", "/w", ""),
        ("git clone -b v1 $REPO /src", "", "/src", ""),
        ("chmod -x a && touch -d 2020-01-01 b", "/w/a", "/w/a /w/b", ""),
        ("install -Dm 755 -o 1000 a /b/c", "/w/a", "/b/c", ""),
        ("install -d /data /logs", "", "/data /logs", ""),
        ("rm -rf /var/lib/apt/lists/* x", "", "", "/var/lib/apt/lists/* /w/x"),
        ("chmod 755 a", "/w/a", "/w/a", ""),
        ("sed -i s/a/b/ x && sed s/a/b/ y", "/w/x /w/y", "/w/x", ""),
        ("sed -i -e s/a/b/ x", "/w/x", "/w/x", ""),
        ("tar -xzf a.tgz -C /opt", "/w/a.tgz", "/opt", ""),
        ("tar czf a.tgz b", "/w/b", "/w/a.tgz", ""),
        ("curl -fsSL -o /a https://x/y && wget https://x/z.zip", "", "/a /w/z.zip", ""),
        ("git clone https://x/y.git && git clone https://x/y z", "", "/w/y /w/z", ""),
        ("cd sub && echo a > b && cd .. && cat b/c", "/w/b/c", "/w/sub/b", ""),
        ("(cd sub && touch a); touch b", "", "/w/sub/a /w/b", ""),
        ("V=1 && touch a-$V && touch $UNKNOWN", "", "/w/a-1 ?", ""),
        ("touch $NAME.txt", "", "/w/set.txt", ""),
        ("ls > /dev/null 2>&1", "", "", ""),
        ("frobnicate", "?", "?", ""),
        ("sh made.sh", "/w/in", "/w/out", ""),
        ("./made.sh", "/w/in", "/w/out", ""),
        ("npm ci", "/w/package.json /w/package-lock.json", "/w/node_modules", ""),
        ("go build -o /x .", "/w", "/x", ""),
        ("pip install -r requirements.txt", "/w/requirements.txt", "/usr/local/lib /usr/local/bin", ""),
    ],
)
def test_effects(command: str, reads: str, writes: str, removes: str) -> None:
    files = {
        "made.sh": "#!/bin/sh\ncat ./in > out\n",
        "package.json": '{"name": "a"}',
        "package-lock.json": '{"lockfileVersion": 3, "packages": {}}',
        "requirements.txt": "flask\n",
        "go.mod": "module a\n",
        "main.go": "package main\nfunc main() {}\n",
    }
    graph = flow(f"FROM debian:12\nENV NAME=set\nWORKDIR /w\nCOPY . .\nRUN {command}\n", files)
    step = graph.steps(graph.readings[0])[-1]
    for wanted, found in (
        (reads, [path for act in step.acts for path in act.effect.reads]),
        (writes, [path for act in step.acts for path in act.effect.writes]),
        (removes, [path for act in step.acts for path in act.effect.removes]),
    ):
        assert sorted(map(shown, found)) == sorted(wanted.split())


MULTI = """\
FROM debian:12 AS builder
WORKDIR /src
COPY . .
RUN mkdir /out && cp a.txt /out/b.txt
RUN mv /out/b.txt /out/c.txt && chmod 755 /out/c.txt
RUN touch /out/gone && rm /out/gone
FROM builder AS more
RUN touch /out/d.txt
FROM debian:12
RUN apt-get update && apt-get install -y curl
COPY --from=more /out /app
COPY --from=builder /out/c.txt /app/e.txt
CMD ["/app/e.txt"]
"""


@pytest.mark.parametrize(
    ("path", "kind", "line", "made"),
    [
        ("/app/e.txt", "context", 3, "a.txt"),
        ("/app/c.txt", "context", 3, "a.txt"),
        ("/app/d.txt", "command", 8, "/out/d.txt"),
        ("/usr/bin/curl", "package", 10, "/usr/bin/curl"),
    ],
)
def test_a_file_is_followed_to_what_made_it(path: str, kind: str, line: int, made: str) -> None:
    graph = flow(MULTI, {"a.txt": ""})
    maker = graph.trace(graph.readings[-1], path)
    assert maker is not None
    assert maker.act is not None
    assert (maker.kind, maker.act.step.line, maker.path) == (kind, line, made)


def test_what_nobody_makes() -> None:
    graph = flow(MULTI, {"a.txt": ""})
    assert graph.makers(graph.readings[0], "/out/gone") == ()
    assert graph.makers(graph.readings[-1], "/nowhere") == ()
    assert [maker.kind for maker in graph.makers(graph.readings[0], "/usr/bin/ls")] == ["image"]


@pytest.mark.parametrize(
    "copies", ["COPY src src\nCOPY pom.xml ./", "COPY pom.xml ./\nCOPY src src", "COPY pom.xml src ./src/"]
)
def test_a_folder_is_made_by_all_that_is_copied_into_it(copies: str) -> None:
    graph = flow(
        f"FROM maven:3-eclipse-temurin-21\nWORKDIR /app\n{copies}\nRUN mvn package\n",
        {"pom.xml": "<project/>", "src/App.java": "class App {}"},
    )
    build = next(act for act in graph.acts(graph.readings[0]) if act.text == "mvn package")
    assert sorted(graph.sources(build)) == ["pom.xml", "src"]


def test_an_archive_that_add_unpacks_is_its_content() -> None:
    graph = flow("FROM debian:12\nADD lib.tar.gz /srv/\nADD other.zip /data/\n", {"lib.tar.gz": "", "other.zip": ""})
    reading = graph.readings[0]
    assert [act.effect.writes for act in graph.acts(reading)] == [("/srv",), ("/data/other.zip",)]
    assert [maker.path for maker in graph.makers(reading, "/srv/lib/a.so")] == ["/srv"]


def test_what_a_mount_hides_is_not_in_the_image() -> None:
    graph = flow("FROM debian:12\nRUN --mount=type=cache,target=/cache touch /cache/a /b\n")
    assert graph.makers(graph.readings[0], "/cache/a") == ()
    assert graph.makers(graph.readings[0], "/b")


def lines(text: str, path: str, files: Mapping[str, str]) -> list[int]:
    return [step.line for step in flow(text, files).reached(path)]


@pytest.mark.parametrize(
    ("text", "path", "again"),
    [
        ("FROM debian:12\nCOPY a /x/\nRUN touch /y\nCOPY b /x/\nENV A=1\nWORKDIR /z\n", "b", [4, 6]),
        ("FROM debian:12\nCOPY a /x/\nRUN touch /y\nCOPY b /x/\n", "a", [2, 3, 4]),
        ("FROM debian:12\nCOPY a /x/\nRUN touch /y\n", "ignored", []),
        ("FROM debian:12\nCOPY . /x/\n", "ignored", []),
        ("FROM debian:12\nCOPY a /x/\nCOPY --link b /x/\nRUN touch /y\n", "a", [2, 4]),
        # Another stage sees only what it copies.
        ("FROM debian:12 AS one\nCOPY . /x/\nRUN cp /x/a /x/b /y/\nFROM debian:12\nCOPY --from=one /z /z\n", "b",
         [2, 3]),
        ("FROM debian:12 AS one\nCOPY . /x/\nRUN cp /x/a /a\nFROM debian:12\nCOPY --from=one /a /a\nRUN true\n", "a",
         [2, 3, 5, 6]),
        ("FROM debian:12\nRUN --mount=type=bind,target=/s cp /s/a /a\n", "b", [2]),
        ("FROM debian:12\nRUN --mount=type=bind,source=a,target=/s cp /s /a\n", "b", []),
        ("FROM debian:12 AS one\nCOPY a /a\nFROM one\nRUN true\n", "a", [2, 4]),
        # Nothing of the last stage needs the first.
        ("FROM debian:12 AS one\nCOPY a /a\nFROM debian:12\nCOPY b /b\n", "a", []),
        ("FROM debian:12 AS one\nCOPY a /x/\nRUN curl -o /y https://x/y\nFROM debian:12\nCOPY --from=one /y /y\n", "a",
         [2, 3, 5]),
    ],
)  # fmt: skip
def test_what_an_edit_builds_again(text: str, path: str, again: list[int]) -> None:
    assert lines(text, path, {"a": "", "b": "", "ignored": "", ".dockerignore": "ignored\n"}) == again


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith(("lines", "comment"))])
def test_its_cost_grows_with_the_size(name: str) -> None:
    def at(size: int) -> int:
        source = SHAPES[name](size)

        def draw() -> None:
            graph = flow(source)
            for reading in graph.readings:
                for step in graph.steps(reading):
                    graph.suppliers(step)

        return calls_of(draw)

    at(2)
    one, two = at(60), at(120)
    assert two < 2.3 * one, f"{one} calls, and {two} for twice the size"


NOT_KNOWN = {
    "cpp-library-in-usr": "it installs to /usr, among the files of the system (take /usr/local)",
    "python-django": "what `python` writes is not known",
    "deno-task-build": (
        "the task build of deno.json is `deno run -A dev.ts build && deno fmt --check`, more than one plain"
        " call of deno"
    ),
}
"""Applications with a command of their own: what it writes, the graph says, is not known."""


@pytest.mark.parametrize("app", sorted(path.parent.name for path in CORPUS.glob("apps/*/Dockerfile")))
def test_every_command_of_the_applications_is_known(app: str) -> None:
    path = CORPUS / "apps" / app / "Dockerfile"
    graph = flow_of(parse(path.read_bytes()), BuildContext.open(path.parent, path))
    effects = [act.effect for reading in graph.readings for act in graph.acts(reading)]
    paths = [path for effect in effects for path in (*effect.reads, *effect.writes, *effect.removes)]
    unknown = {path.reason for path in paths if isinstance(path, Unknown)}
    assert unknown == ({NOT_KNOWN[app]} if app in NOT_KNOWN else set())


# The command


def run(*words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "refactor", "flow", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": path}
    return subprocess.run(command, cwd=CORPUS, capture_output=True, text=True, check=False, env=environment)


def test_the_text_names_reads_writes_and_users() -> None:
    said = run("apps/rust-std-server").stdout
    assert "   4  RUN cargo build --release\n        reads    /app\n" in said
    assert "        writes   /app/target/release/tides\n" in said
    assert "        used by  the container\n      starts ./target/release/tides\n" in said


def test_json_and_dot() -> None:
    found = json.loads(run("apps/node-typescript-api", "--format", "json", "--edit", "src/index.ts").stdout)
    steps = {step["line"]: step for step in found["stages"][0]["steps"]}
    assert steps[6]["reads"] == ["/app/package.json", "/app/package-lock.json"]
    assert steps[9]["from"][-1] == 8
    assert [line for line, step in steps.items() if step["again"]] == [8, 9]
    dot = run("apps/node-typescript-api", "--format", "dot").stdout
    assert "s8 -> s9;" in dot
    assert dot.count("{") == dot.count("}")


def test_edit_names_the_steps() -> None:
    said = run("apps/rust-axum", "--edit", "src/main.rs").stdout
    assert said == (
        "an edit of src/main.rs builds 2 steps again:\n    3  COPY . .\n    4  RUN cargo install --locked --path .\n"
    )
    assert run("apps/rust-axum", "--edit", "target").stdout == "an edit of target builds nothing again\n"


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("apps/rust-axum", "--edit", "nothing"), "nothing: is not in the build context"),
        (("apps/rust-axum", "--format", "svg"), "dot: is not installed; install Graphviz"),
        (("apps",), "Dockerfiles in it; name one of them"),
        (("nowhere",), "nowhere"),
    ],
)
def test_faults_are_named(words: tuple[str, ...], because: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert because in done.stderr


def test_a_picture_is_what_graphviz_draws(tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "<svg>$1"; cat >/dev/null\n')
    program.chmod(0o755)
    assert run("apps/rust-axum", "--format", "svg", path=f"{tmp_path}:/bin:/usr/bin").stdout == "<svg>-Tsvg\n"
