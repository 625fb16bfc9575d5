"""Proofs without an engine: what is read from builders, images and containers, and what is made of it."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from refactor.context import BuildContext
from refactor.model.aspects import Aspect
from refactor.proof import ProbeOptions, ProofOptions, Prover, Verdict, WorkspaceProblem, prove
from refactor.proof.bisect import bisect
from refactor.proof.client import configuration, parse_time, why_it_failed
from refactor.proof.command import run
from refactor.proof.compare import differences
from refactor.proof.engine import (
    BuildRequest,
    Built,
    Configuration,
    Engine,
    EngineProblem,
    Image,
    Layer,
    RunRequest,
    State,
)
from refactor.proof.engines import find_engine
from refactor.proof.filesystem import gone, read_contents
from refactor.proof.probe import Outcome, Starter, Tools, compare_outcomes, mask, parse_answer
from refactor.proof.progress import Progress, Step, is_install, reinstalled
from refactor.proof.reach import Helper, listening_ports
from refactor.proof.render import as_json, render_markdown, render_text
from refactor.proof.rewrite import Rewrite
from refactor.proof.verify import Verified, verify
from refactor.proof.workspace import choose_source, copy_context, edit_source, put, twin

# --- what builders print ---------------------------------------------------------------------------------------------

PLAIN = """\
#0 building with "default" instance using docker driver
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s
#4 [builder 1/5] FROM docker.io/library/node:20
#4 CACHED
#5 [builder 2/5] WORKDIR /app
#5 CACHED
#7 [builder 4/5] RUN npm ci
#6 [builder 3/5] COPY package.json ./
#6 DONE 0.1s
#7 0.412 #8 CACHED
#7 12.01 added 200 packages
#7 DONE 12.3s
#8 [stage-1 2/2] COPY --from=builder /app/dist ./dist
#8 CANCELED
#9 [builder 5/5] RUN npm run build
#9 1.000 boom
#9 ERROR: process "/bin/sh -c npm run build" did not complete successfully: exit code: 2
------
 > [builder 5/5] RUN npm run build:
ERROR: failed to build: failed to solve: process "/bin/sh -c npm run build" did not complete successfully: exit code: 2
"""


def steps_of(text: str) -> tuple[Step, ...]:
    progress = Progress()
    for line in text.splitlines():
        progress.take(line)
    return progress.steps


def test_buildkit_progress_tells_run_from_cached() -> None:
    steps = steps_of(PLAIN)
    assert [(step.text, step.is_cached, step.seconds) for step in steps] == [
        ("WORKDIR /app", True, None),
        ("RUN npm ci", False, 12.3),
        ("COPY package.json ./", False, 0.1),
        ("RUN npm run build", False, None),
    ]
    assert why_it_failed(PLAIN) == ('process "/bin/sh -c npm run build" did not complete successfully: exit code: 2')


def test_podman_and_classic_progress() -> None:
    podman = "[1/2] STEP 1/3: FROM node:20 AS builder\n[1/2] STEP 2/3: COPY . .\n--> Using cache 8f2a\n--> 8f2a\n"
    podman += "[1/2] STEP 3/3: ENV A=1\n--> Using cache 9\n"
    podman += "[1/2] STEP 3/3: RUN npm ci\n--> 11aa\n[2/2] STEP 1/1: FROM node:20-slim\n"
    assert [(s.stage, s.text, s.is_cached) for s in steps_of(podman)] == [
        ("1", "COPY . .", True),
        ("1", "RUN npm ci", False),
    ]
    classic = "Step 1/2 : FROM alpine\n ---> abc\nStep 2/2 : RUN true\n ---> Using cache\n ---> def\n"
    assert [(s.text, s.is_cached) for s in steps_of(classic)] == [("RUN true", True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN npm ci --omit=dev", True),
        ("RUN --mount=type=cache,target=/root/.npm npm ci", True),
        ("RUN apt-get update && apt-get install -y curl", True),
        ("RUN go mod download", True),
        ("RUN pip install -r requirements.txt", True),
        ("RUN npm run build", False),
        ("RUN npm prune --omit=dev", False),
        ("RUN go install ./cmd/app", False),
        ("RUN pip install --no-deps .", False),
        ("COPY package.json ./", False),
        ("RUN echo npm ci", False),
    ],
)
def test_steps_that_install(text: str, expected: bool) -> None:
    assert is_install(text) is expected


def test_installing_the_project_behind_cached_dependencies_is_no_reinstall() -> None:
    first = Step("", "RUN uv sync --frozen --no-install-project", True, None)
    second = Step("", "RUN uv sync --frozen", False, 1.0)
    assert reinstalled((first, second)) == ()
    assert reinstalled((first._replace(is_cached=False), second)) != ()
    assert reinstalled((second,)) == (second,)
    tools = Step("", "RUN pip install poetry", True, None)
    everything = Step("", "RUN poetry install", False, 9.0)
    assert reinstalled((tools, everything)) == (everything,)
    other_stage = Step("deps", "RUN uv sync --no-install-project", True, None)
    assert reinstalled((other_stage, second)) == (second,)
    modules = Step("", "RUN go mod download", True, None)
    missing = Step("", "RUN go get", False, 0.3)
    named = Step("", "RUN go get github.com/go-chi/chi/v5", False, 3.0)
    assert reinstalled((modules, missing)) == ()
    assert reinstalled((missing,)) == (missing,)
    assert reinstalled((modules, named)) == (named,)


# --- programs within limits ------------------------------------------------------------------------------------------


def test_a_flood_is_read_and_dropped() -> None:
    code = "import sys\nfor i in range(200): sys.stdout.write('x' * 10000)\nsys.stderr.write('the end')"
    finished = run([sys.executable, "-c", code], timeout=30, limit=5000)
    assert finished.status == 0
    assert len(finished.out) == 5000
    assert finished.is_flooded
    assert finished.err == b"the end"


def test_the_end_of_a_log_is_kept_and_its_lines_are_handed_on() -> None:
    seen: list[bytes] = []
    code = "for i in range(1000): print(i)"
    finished = run([sys.executable, "-c", code], timeout=30, limit=100, on_line=seen.append)
    assert seen[0] == b"0"
    assert seen[-1] == b"999"
    assert finished.out.endswith(b"998\n999\n")
    assert len(finished.out) <= 100


def test_a_program_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    finished = run([sys.executable, "-c", code], timeout=1.5)
    assert finished.is_late
    assert not finished.is_good
    assert "stopped after" in finished.complaint
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not _is_alive(pid):
            break
        time.sleep(0.1)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False


def test_a_program_that_is_not_there() -> None:
    finished = run(["dockerfix-no-such-program"], timeout=5)
    assert finished.status == 127
    assert "dockerfix-no-such-program" in finished.complaint


# --- images ----------------------------------------------------------------------------------------------------------


def tar_of(entries: Sequence[tuple[str, bytes | str | None, int]], format: int = tarfile.PAX_FORMAT) -> bytes:
    """Bytes: a file; str: a symbolic link's target; None: a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for path, content, mode in entries:
            member = tarfile.TarInfo(path)
            member.mode = mode
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


DPKG = b"""Package: bash
Status: install ok installed
Version: 5.2-1
Description: shell
 Package: not-a-package

Package: gone
Status: deinstall ok config-files
Version: 1

Package: libc6
Status: install ok installed
Version: 2.36
"""

LONG = "opt/" + "d" * 90 + "/" + "e" * 120

ENTRIES: list[tuple[str, bytes | str | None, int]] = [
    ("usr/", None, 0o755),
    ("usr/bin/", None, 0o755),
    ("usr/bin/bash", b"x" * 700, 0o755),
    ("usr/bin/sh", "bash", 0o777),
    ("usr/bin/su", b"s", 0o4755),
    ("usr/share/doc/su", b"s", 0o4644),
    ("usr/local/bin/node", b"n", 0o755),
    ("var/lib/dpkg/status", DPKG, 0o644),
    ("app/node_modules/@scope/pkg/package.json", b"{}", 0o644),
    ("app/node_modules/express/package.json", b"{}", 0o644),
    ("app/node_modules/express/lib/package.json", b"{}", 0o644),
    ("venv/lib/python3.11/site-packages/Flask_Login-0.6.dist-info/METADATA", b"", 0o644),
    (LONG, b"long", 0o644),
]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_contents_of_an_image(format: int) -> None:
    contents = read_contents(io.BytesIO(tar_of(ENTRIES, format)))
    assert contents.is_whole
    assert contents.count == len(ENTRIES)
    assert contents.system_packages == {"bash": "5.2-1", "libc6": "2.36"}
    assert contents.node_packages == {"@scope/pkg", "express"}
    assert contents.python_packages == {"flask-login": "0.6"}
    assert contents.set_uid == ["usr/bin/su"]
    assert contents.shells == ["usr/bin/bash", "usr/bin/sh"]
    assert contents.programs["node"] == "/usr/local/bin/node"
    assert contents.folders["usr/bin"] == 701
    assert contents.folders["opt/" + "d" * 90] == 4


def test_distroless_and_alpine_packages() -> None:
    entries: list[tuple[str, bytes | str | None, int]] = [
        ("./var/lib/dpkg/status.d/base", b"Package: base-files\nVersion: 12\n", 0o644),
        ("./lib/apk/db/installed", b"C:Q1\nP:musl\nV:1.2\n\nP:busybox\nV:1.36\n", 0o644),
    ]
    assert read_contents(io.BytesIO(tar_of(entries))).system_packages == {
        "base-files": "12",
        "musl": "1.2",
        "busybox": "1.36",
    }


@pytest.mark.parametrize("cut", [100, 513, 1600])
def test_a_stream_that_ends_early_is_said_to(cut: int) -> None:
    data = tar_of(ENTRIES)
    assert not read_contents(io.BytesIO(data[:cut])).is_whole
    assert not read_contents(io.BytesIO(b"no tar at all" * 100)).is_whole


def test_what_went_away() -> None:
    before = read_contents(io.BytesIO(tar_of(ENTRIES)))
    after = read_contents(
        io.BytesIO(tar_of([entry for entry in ENTRIES if not entry[0].startswith(("app", "venv", "var"))]))
    )
    lost = gone(before, after)
    assert lost.system_packages == ("bash", "libc6")
    assert lost.node_packages == ("@scope/pkg", "express")
    assert lost.python_packages == ("flask-login",)
    assert {path for path, _ in lost.folders} == {"app", "venv", "var"}


def test_configurations_are_compared_by_meaning() -> None:
    one = configuration({"User": "root", "WorkingDir": "", "Env": ["A=1=2"], "Labels": None, "StopSignal": "SIGTERM"})
    two = configuration({"User": "", "WorkingDir": "/", "Env": ["A=1=2"], "Labels": {"dockerfix.proof": "x"}})
    assert one == two
    assert one.env == {"A": "1=2"}
    assert configuration({"Healthcheck": {"Test": ["NONE"]}}).healthcheck == ()


BEFORE = b'FROM golang:1.22\nENV MINE=1\nUSER 5\nCMD ["/app"]\n'
AFTER = b'FROM golang:1.22 AS builder\nFROM gcr.io/distroless/static\nENV MINE=2\nUSER nonroot\nCMD ["/app"]\n'


def test_inherited_configuration_may_change_with_the_base_image() -> None:
    old = Configuration(env={"GOPATH": "/go", "MINE": "1"}, user="5", working_dir="/go", cmd=("/app",))
    new = Configuration(env={"SSL_CERT_FILE": "/c", "MINE": "2"}, user="nonroot", cmd=("/app",))
    found = {d.field: d.expected_by for d in differences(old, new, (BEFORE, AFTER), frozenset({Aspect.BASE}))}
    assert found == {
        "WorkingDir": "base image",
        "User": "",
        "Env GOPATH": "base image",
        "Env MINE": "",
        "Env SSL_CERT_FILE": "base image",
    }
    announced = differences(old, new, (BEFORE, AFTER), frozenset({Aspect.BASE, Aspect.USER, Aspect.ENV}))
    assert all(difference.expected_by for difference in announced)


def test_a_stage_built_on_another_of_the_file_inherits_from_it() -> None:
    source = b'FROM a AS base\nENV X=1\nFROM base\nCMD ["x"]\n'
    found = differences(
        Configuration(env={"X": "1"}), Configuration(), (source, b'FROM a\nCMD ["x"]\n'), frozenset({Aspect.BASE})
    )
    assert [(d.field, d.expected_by) for d in found] == [("Env X", "")]


# --- answers ---------------------------------------------------------------------------------------------------------


def test_answers_are_read() -> None:
    outcome = parse_answer(
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        80,
    )
    assert (outcome.status, outcome.location, outcome.content_type) == (302, "/login", "text/html")
    assert outcome.body == "hello world"
    assert len(parse_answer(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 5000, 80).body) == 1024


HTTP = Outcome("http", port=80, status=200, content_type="text/html", body="hi 1")


@pytest.mark.parametrize(
    ("before", "after", "is_alike", "text"),
    [
        (HTTP, replace(HTTP, body="hi 2"), True, "HTTP 200 on port 80"),
        (HTTP, replace(HTTP, status=500), False, "HTTP 200 before, 500 now"),
        (HTTP, replace(HTTP, content_type="application/json"), False, "application/json"),
        (HTTP, Outcome("exit", exit_code=1, output="Error: EACCES: permission denied"), False, "EACCES"),
        (HTTP, Outcome("alive", port=80), False, "nothing answers on port 80"),
        (replace(HTTP, health="healthy"), replace(HTTP, health="unhealthy"), False, "health check passed before"),
        (HTTP, replace(HTTP, health="unhealthy"), False, "there was no health check before"),
        (Outcome("alive"), Outcome("healthy", health="healthy"), True, "stays alive"),
        (Outcome("healthy", health="healthy"), Outcome("alive"), False, "health check passed before"),
        (replace(HTTP, status=500), replace(HTTP, status=500), True, "the same failure before and after"),
        (Outcome("tcp", port=1), Outcome("tcp", port=2), False, "port 2"),
        (Outcome("alive"), Outcome("alive"), True, "stays alive"),
        (Outcome("alive"), Outcome("exit", exit_code=137, is_out_of_memory=True), False, "out of memory"),
        (
            Outcome(
                "exit",
                exit_code=1,
                output="x\nError: connect ECONNREFUSED 127.0.0.1:5432\n    at a (/app/src/x.js:1:2)",
            ),
            Outcome("exit", exit_code=1, output="Error: connect ECONNREFUSED 127.0.0.1:5432\n    at a (/app/x.js:9:2)"),
            True,
            "the same failure before and after",
        ),
        (
            Outcome("exit", exit_code=1, output="Error: connect ECONNREFUSED"),
            Outcome("exit", exit_code=1, output="Error: Cannot find module 'x'"),
            False,
            "for other reasons: Error: Cannot find module",
        ),
        (Outcome("exit", output="took 5 ms"), Outcome("exit", output="took 12 ms"), True, "the same output"),
        (Outcome("exit", exit_code=0), Outcome("exit", exit_code=3), False, "status 0, now with 3"),
    ],
)
def test_outcomes_are_compared(before: Outcome, after: Outcome, is_alike: bool, text: str) -> None:
    likeness = compare_outcomes(before, after)
    assert bool(likeness) is is_alike
    assert text in likeness.text


def test_output_that_differs_by_itself_is_not_held_against_the_rewrite() -> None:
    heads, tails, edge = (Outcome("exit", output=text) for text in ("heads", "tails", "on the edge"))
    assert not compare_outcomes(heads, tails, lambda: heads)
    likeness = compare_outcomes(heads, tails, lambda: edge)
    assert likeness
    assert "differs from start to start" in likeness.notes[0]


def test_other_text_with_the_same_status_is_shown_and_no_failure() -> None:
    likeness = compare_outcomes(HTTP, replace(HTTP, body="<h1>other</h1>"))
    assert likeness
    assert "<h1>other</h1>" in likeness.notes[0]


def test_masking() -> None:
    assert mask("\x1b[32m[10:11:12] id 7f3a9c21e4 took 1.5ms\x1b[0m") == mask("[23:59:01] id 0123456789ab took 12 ms")
    assert mask("Error: no such file") != mask("Error: no such table")


def test_listening_ports() -> None:
    text = (
        "  sl  local_address rem_address   st\n"
        "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000\n"
        "   1: 0100007F:A1B2 0100007F:1F90 01 00000000:00000000\n"
        "   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A\n"
        "   2: garbage\n"
    )
    assert sorted(listening_ports(text)) == [3000, 8080]


# --- copies of the context -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.py").write_text("print(1)")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "secret").write_text("ignored")
    (root / ".dockerignore").write_text("secret\n")
    (tmp_path / "outside").write_text("outside")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    return root


def test_a_copy_keeps_links_and_modes_and_leaves_out_what_is_ignored(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_context(str(folder), str(copy), BuildContext.open(folder))
    assert (copy / "link").is_symlink()
    assert os.readlink(copy / "loop") == str(folder)
    assert os.access(copy / "run.sh", os.X_OK)
    assert not (copy / "secret").exists()
    assert not (copy / "pipe").exists()
    assert (copy / ".dockerignore").exists()


def test_an_edit_touches_neither_the_original_nor_the_other_copy(folder: Path, tmp_path: Path) -> None:
    copy_context(str(folder), str(tmp_path / "a"))
    twin(str(tmp_path / "a"), str(tmp_path / "b"), {"new/.dockerignore": b"x"})
    edit_source(str(tmp_path / "b"), "src/main.py", "mark")
    put(str(tmp_path / "b"), "run.sh", b"#!/bin/sh\ntrue\n")
    assert (tmp_path / "b" / "src" / "main.py").read_text() == "print(1)\n# mark\n"
    assert (tmp_path / "b" / "new" / ".dockerignore").read_bytes() == b"x"
    assert os.access(tmp_path / "b" / "run.sh", os.X_OK)
    for place in (folder, tmp_path / "a"):
        assert (place / "src" / "main.py").read_text() == "print(1)"
        assert (place / "run.sh").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "link/x", "a/../../x", ""])
def test_nothing_is_written_outside_a_copy(folder: Path, tmp_path: Path, path: str) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(WorkspaceProblem):
        put(str(folder), path, b"x")
    assert not (tmp_path / "x").exists()


def test_a_link_is_never_edited(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("x = 1\n")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(WorkspaceProblem):
        edit_source(str(folder), "link.py", "mark")
    assert (tmp_path / "outside.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("files", "covered", "expected"),
    [
        (["package.json", "src/server.ts", "src/deep/x.ts", "test/a.ts"], None, "src/server.ts"),
        (["setup.py", "vite.config.ts", "pkg/core.py", "style.css"], None, "pkg/core.py"),
        (["docs/a.py", "cmd/main.go"], ["docs"], "docs/a.py"),
        (["index.html", "style.css"], None, "index.html"),
        (["data.csv", "Dockerfile"], None, None),
        (["main_test.go", "types.d.ts", ".hidden.py"], None, None),
    ],
)
def test_choice_of_the_file_to_edit(files: list[str], covered: list[str] | None, expected: str | None) -> None:
    assert choose_source(BuildContext.of(dict.fromkeys(files, "")), covered) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.ts", "x\n", "x\n// mark\n"),
        ("a.go", "x\r\n", "x\r\n// mark\r\n"),
        ("a.html", "x", "x\n<!-- mark -->\n"),
        ("a.css", "", "/* mark */\n"),
    ],
)
def test_comments_of_each_language(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    edit_source(str(tmp_path), name, "mark")
    assert (tmp_path / name).read_bytes().decode() == expected


# --- the whole proof, on an engine that is made up -------------------------------------------------------------------


class PaperEngine:
    """Builds nothing: what an image is and does is read from its Dockerfile's last lines.

    ``FAIL`` in the file: the build fails. ``#does WORDS``: what its container prints before it ends with 0.
    ``#status N``: its exit status.
    """

    name = "paper"
    version = "1"
    is_cache_ambiguous = False
    runs_health_checks = True

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}
        self.containers: dict[str, bytes] = {}
        self.seen: list[BuildRequest] = []
        self.started: list[RunRequest] = []
        self.on_build: Callable[[BuildRequest], None] = lambda request: None

    def build(self, request: BuildRequest) -> Built:
        self.seen.append(request)
        self.on_build(request)
        source = Path(request.dockerfile).read_bytes()
        if b"FAIL" in source:
            return Built("exit code: 1", "a secret: hunter2-hunter2\n", (), 1.0)
        self.images[request.image] = source
        edited = b"dockerfix" in (Path(request.context) / "main.py").read_bytes()
        steps = (
            Step("", "RUN pip install -r requirements.txt", not request.is_cold, 1.0),
            Step("", "COPY . .", False, 0.1),
        )
        return Built(None, "", steps, 2.0 if edited else 5.0)

    def check(self, request: BuildRequest) -> frozenset[str] | None:
        return frozenset({"JSONArgsRecommended: x"} if b"#warn" in Path(request.dockerfile).read_bytes() else ())

    def inspect(self, image: str) -> Image:
        source = self.images[image]
        user = next((line[5:] for line in source.decode().splitlines() if line.startswith("USER ")), "")
        size = 1000 if b"slim" in source else 5000
        return Image(image, size, (Layer(size, "RUN x"),), Configuration(user=user, cmd=("python", "main.py")))

    def start(self, request: RunRequest) -> str:
        self.started.append(request)
        self.containers[request.name] = self.images[request.image]
        return request.name

    def state(self, container: str) -> State:
        return State(False, int(self._said(container, "#status ") or 0), 0, False, "")

    def _said(self, container: str, word: str) -> str:
        lines = self.containers[container].decode().splitlines()
        return "\n".join(line[len(word) :] for line in lines if line.startswith(word))

    def port(self, container: str, port: int) -> int | None:
        return None

    def output(self, container: str, limit: int) -> bytes:
        return self._said(container, "#does ").encode()

    def call(self, request: RunRequest, beside: str | None, timeout: float, input: bytes = b"") -> tuple[int, bytes]:
        return 1, b""

    @contextmanager
    def files(self, image: str, run: str) -> Iterator[IO[bytes]]:
        yield io.BytesIO(tar_of(ENTRIES if b"slim" not in self.images[image] else ENTRIES[:4]))

    def remove_container(self, container: str) -> None:
        self.containers.pop(container, None)

    def remove_image(self, image: str) -> None:
        self.images.pop(image, None)

    def remove_cache(self, steps: Sequence[Step], since: float) -> None:
        self.cache_removed = True

    def leftovers(self, run: str | None) -> Iterator[tuple[str, str]]:
        yield from [("container", name) for name in list(self.containers)]
        yield from [("image", name) for name in list(self.images)]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "main.py").write_text("print('hello')\n")
    return root


FAT = b"FROM python:3.11\nCOPY . .\nCMD python main.py\n#does hello\n"
SLIM = b"FROM python:3.11-slim\nCOPY . .\nUSER app\nCMD python main.py\n#does hello\n"
ALL = frozenset({Aspect.BASE, Aspect.USER})


def test_a_rewrite_is_proved(app: Path) -> None:
    engine = PaperEngine()
    proof = prove(FAT, SLIM, str(app), may_change=ALL, engine=engine)
    assert proof.verdict is Verdict.PROVED
    assert proof.edited == "main.py"
    assert proof.before.rebuild is not None
    assert proof.before.rebuild.ran == 1
    assert proof.before.rebuild.cached == 1
    assert "usr/local/bin/node" not in str(proof.after and proof.after.contents)
    assert engine.images == {}
    assert engine.containers == {}
    assert [request.is_cold for request in engine.seen] == [True, True, False, False]
    assert len({request.cache_name for request in engine.seen}) == 2
    assert (app / "main.py").read_text() == "print('hello')\n"
    assert not Path(engine.seen[0].context).exists()


def test_containers_are_started_within_limits_and_without_a_network(app: Path) -> None:
    engine = PaperEngine()
    options = ProofOptions(probe=ProbeOptions(memory=1 << 28, pids=99, is_read_only=True, env=("A=1",)))
    prove(FAT, SLIM, str(app), options, may_change=ALL, engine=engine)
    assert {(r.network, r.hostname, r.memory, r.pids, r.is_read_only, r.env) for r in engine.started} == {
        ("none", "localhost", 1 << 28, 99, True, ("A=1",))
    }


def test_a_dockerfile_that_does_not_build_cannot_be_judged(app: Path) -> None:
    options = ProofOptions(build_args=("TOKEN=hunter2-hunter2",))
    proof = prove(b"FROM x\nRUN FAIL\n", SLIM, str(app), options, engine=PaperEngine())
    assert proof.verdict is Verdict.UNJUDGED
    assert "does not build as it is" in proof.problems[0]
    assert proof.after is None
    assert "hunter2" not in proof.before.built.log


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (b"FROM x\nRUN FAIL\n", "the rewrite does not build"),
        (SLIM.replace(b"hello", b"bye"), "it does not start alike"),
        (SLIM + b"#status 3\n", "status 0, now with 3"),
    ],
)
def test_a_rewrite_that_breaks_fails(app: Path, after: bytes, words: str) -> None:
    proof = prove(FAT, after, str(app), may_change=ALL, engine=PaperEngine())
    assert proof.verdict is Verdict.FAILED
    assert words in proof.problems[0]


def test_an_unannounced_change_of_the_configuration_fails(app: Path) -> None:
    proof = prove(FAT, SLIM, str(app), may_change=frozenset({Aspect.BASE}), engine=PaperEngine())
    assert proof.verdict is Verdict.FAILED
    assert proof.problems == ("the image's configuration changed unannounced: User: (none) -> app",)


def test_new_warnings_of_the_builder_are_noted(app: Path) -> None:
    proof = prove(FAT, SLIM + b"#warn\n", str(app), may_change=ALL, engine=PaperEngine())
    assert any("JSONArgsRecommended" in note for note in proof.notes)


def test_what_was_made_is_removed_after_an_interruption(app: Path) -> None:
    engine = PaperEngine()

    def interrupt(request: BuildRequest) -> None:
        if len(engine.seen) == 2:
            raise KeyboardInterrupt

    engine.on_build = interrupt
    with pytest.raises(KeyboardInterrupt):
        prove(FAT, SLIM, str(app), may_change=ALL, engine=engine)
    assert engine.images == {}
    assert not Path(engine.seen[0].context).parent.exists()


def rewriter(*changes: tuple[str, bytes, bytes]) -> Callable[..., Rewrite]:
    """Codemods that replace a text of FAT: (id, old, new)."""

    def rewrite(only: object = None) -> Rewrite:
        chosen = [change for change in changes if only is None or change[0] in only]  # type: ignore[operator]
        text = FAT
        for _, old, new in chosen:
            text = text.replace(old, new)
        return Rewrite(text, tuple(id for id, *_ in chosen), ALL)

    return rewrite


GOOD = ("use-slim-base", b"python:3.11\n", b"python:3.11-slim\n")
BAD = ("break-it", b"#does hello", b"#does nothing")
FINE = ("run-as-user", b"CMD", b"USER app\nCMD")
BROKEN = ("do-not-build", b"COPY . .", b"RUN FAIL")


@pytest.mark.parametrize(
    ("changes", "culprits", "kept"),
    [
        ([GOOD, BAD, FINE], ["break-it"], ("use-slim-base", "run-as-user")),
        ([BAD, GOOD, FINE], ["break-it"], ("use-slim-base", "run-as-user")),
        ([GOOD, FINE, BROKEN], ["do-not-build"], ("use-slim-base", "run-as-user")),
        ([BROKEN, GOOD, BAD, FINE], ["do-not-build", "break-it"], ("use-slim-base", "run-as-user")),
        ([BAD], ["break-it"], ()),
    ],
)
def test_bisect_names_what_broke_it_and_keeps_the_rest(
    app: Path, changes: list[tuple[str, bytes, bytes]], culprits: list[str], kept: tuple[str, ...]
) -> None:
    rewrite = rewriter(*changes)
    with Prover(FAT, str(app), ProofOptions(), engine=PaperEngine()) as prover:
        failed = rewrite()
        found = bisect(prover, rewrite, failed, prover.judge(failed.after, failed.may_change))
    assert [culprit.codemod for culprit in found.culprits] == culprits
    assert all(culprit.problems for culprit in found.culprits)
    assert (found.kept.codemods if found.kept else ()) == kept
    assert found.proof is None or found.proof.is_proved


def verified(app: Path, *changes: tuple[str, bytes, bytes], is_bisecting: bool = True) -> Verified:
    context = BuildContext.open(app)
    return verify(
        "app/Dockerfile", FAT, rewriter(*changes), context, ProofOptions(), PaperEngine(), is_bisecting=is_bisecting
    )


def test_what_may_be_written_is_what_proves(app: Path) -> None:
    assert verified(app, GOOD, FINE).after == rewriter(GOOD, FINE)().after
    assert verified(app, GOOD, BAD).after == rewriter(GOOD)().after
    assert verified(app, GOOD, BAD, is_bisecting=False).after is None
    assert verified(app, BAD).after is None
    assert [verified(app, *changes).status for changes in ([GOOD], [GOOD, BAD], [])] == [0, 1, 0]


def test_reports(app: Path) -> None:
    good = verified(app, GOOD, FINE)
    text = render_text(good)
    assert text.startswith("app/Dockerfile: proved with paper 1")
    assert "-80 %" in text
    assert "steps re-run" in text
    assert "User: (none) -> app (user)" in text
    assert "/usr/bin/su" not in text.partition("left in the image")[2]
    markdown = render_markdown(good)
    assert "| image size | 0.0 MB | 0.0 MB | -80 % |" in markdown
    data = json.loads(json.dumps(as_json(good)))
    assert data["status"] == "proved"
    assert data["proof"]["after"]["image"]["bytes"] == 1000
    bad = verified(app, GOOD, BAD)
    assert "broken by break-it: it does not start alike" in render_text(bad)
    assert "without it it proves: use-slim-base" in render_text(bad)
    assert json.loads(json.dumps(as_json(bad)))["culprits"][0]["codemod"] == "break-it"


def test_markdown_takes_nothing_from_a_container_as_markup(app: Path) -> None:
    nasty = ("nasty", b"#does hello", b"#does <b>@all</b> | [x](http://e) ~~~~\n#does ~~~~~~\n#does error")
    markdown = render_markdown(verified(app, nasty, is_bisecting=False))
    assert "<b>@all" not in markdown.partition("~~~~~~~")[0]
    fence = next(line for line in markdown.splitlines() if line.startswith("~~~~~~~"))
    assert markdown.splitlines().count(fence.removesuffix("text")) == 1


def test_no_engine_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineProblem, match="start docker, podman or buildah") as caught:
        find_engine()
    assert "podman:" in str(caught.value)


def test_secrets_are_not_shown_in_process_listings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from refactor.proof.docker import DockerEngine

    log = tmp_path / "log"
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\nprintf "env %s\\n" "$TOKEN" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    engine = DockerEngine("1", True, None)
    request = BuildRequest(
        "/f/Dockerfile", "-context", "i", "r", True, build_args=("TOKEN=swordfish",), secrets=("id=a,src=/s",)
    )
    assert engine.build(request).problem is None
    words = log.read_text().splitlines()
    assert "--build-arg=TOKEN" in words
    assert "env swordfish" in words
    assert "--secret=id=a,src=/s" in words
    assert not any("swordfish" in word for word in words if not word.startswith("env "))
    assert words[words.index("--") + 1] == "-context"


def test_only_what_was_built_here_goes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from refactor.proof.docker import DockerEngine

    records = [
        ("old", "2020-01-01 00:00:00.5 +0000 UTC", "mount / from exec /bin/sh -c npm ci"),
        ("ours1", "2030-01-01 00:00:00.5 +0000 UTC", "mount / from exec /bin/sh -c npm ci"),
        ("ours2", "2030-01-01 00:00:00.5 +0000 UTC", "[2/3] COPY . ."),
        ("other", "2030-01-01 00:00:00.5 +0000 UTC", "mount / from exec /bin/sh -c make"),
    ]
    lines = [json.dumps({"ID": id, "CreatedAt": at, "Description": text}) for id, at, text in records]
    (tmp_path / "du").write_text("\n".join(lines))
    program, log = tmp_path / "docker", tmp_path / "log"
    program.write_text(f'#!/bin/sh\ncase $2 in du) cat {tmp_path}/du;; *) echo "$@" >> {log};; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    steps = [Step("", "RUN npm ci", False, 1.0), Step("", "COPY . .", False, 1.0)]
    DockerEngine("1", True, None).remove_cache(steps, time.time())
    assert log.read_text() == "buildx prune --force --all --filter=id~=ours1|ours2\n"


def test_times_of_the_build_cache() -> None:
    assert parse_time("1970-01-01 00:01:00.123456 +0000 UTC") == 60.0
    assert parse_time("1970-01-01T01:00:00+01:00") == 0.0
    assert parse_time("yesterday") == 0.0


def test_a_helper_is_found_by_what_the_image_has() -> None:
    class Speaking(PaperEngine):
        def call(
            self, request: RunRequest, beside: str | None, timeout: float, input: bytes = b""
        ) -> tuple[int, bytes]:
            self.started.append(request)
            return (0, b"") if request.command[-2] == "0" else (0, b"+HTTP/1.1 200 OK\r\n\r\n")

    engine = Speaking()
    assert Helper.open(engine, "c", "image", {"cat": "/bin/cat"}, "r") is None
    helper = Helper.open(engine, "c", "image", {"perl": "/usr/bin/perl", "sh": "/bin/sh"}, "r")
    assert helper is not None
    assert helper.exchange(80, b"GET", 1.0) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert engine.started[-1].entrypoint == "/usr/bin/perl"
    assert engine.started[-1].network == "none"


def test_the_paper_engine_is_an_engine() -> None:
    engine: Engine = PaperEngine()
    assert engine.name == "paper"


def test_a_probe_of_the_user_needs_a_shell_before() -> None:
    class Living(PaperEngine):
        def state(self, container: str) -> State:
            return State(True, 0, 0, False, "")

    engine = Living()
    engine.images["i"] = FAT
    programs: Mapping[str, str] = {}
    starter = Starter(engine, "r", ProbeOptions(command="true"), Tools("i", programs))
    with pytest.raises(EngineProblem, match="needs a shell"):
        starter.observe("i", Configuration())
    assert engine.containers == {}


def test_a_program_that_compiles_first_may_take_its_time_to_end(app: Path) -> None:
    class Slow(PaperEngine):
        """The image before ends as the one after does, but only when it was looked at for a while."""

        looks = 0

        def state(self, container: str) -> State:
            ended = super().state(container)
            if b"slim" in self.containers[container]:
                return ended
            self.looks += 1
            return ended if self.looks > 8 else State(True, 0, 0, False, "")

    options = ProofOptions(probe=ProbeOptions(alive=0.3, timeout=20))
    proof = prove(FAT, SLIM, str(app), options, may_change=ALL, engine=Slow())
    assert proof.verdict is Verdict.PROVED, proof.problems
    assert proof.before.outcome is not None
    assert proof.before.outcome.kind == "exit"


def test_a_container_that_ends_at_the_first_look_says_nothing_about_ways_into_the_next() -> None:
    class Ending(PaperEngine):
        """Says once that the process runs, and it is gone by the time that its network is looked for."""

        looks = 0

        def state(self, container: str) -> State:
            self.looks += 1
            gone = 2**22 + 1  # above pid_max of Linux
            return State(True, 0, gone, False, "") if self.looks == 1 else super().state(container)

    engine = Ending()
    engine.images["i"] = FAT
    starter = Starter(engine, "r", ProbeOptions(), Tools("i"))
    assert starter.observe("i", Configuration(exposed=frozenset({"80/tcp"}))).kind == "exit"
    assert [request.published for request in engine.started] == [()]
    starter.observe("i", Configuration(exposed=frozenset({"80/tcp"})))
    assert [request.published for request in engine.started] == [(), ()]
