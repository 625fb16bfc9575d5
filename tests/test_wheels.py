"""Which distributions install without a compiler: the table, lockfiles, and the script that makes the table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from refactor import BuildContext, fix
from refactor.engine.record import Record
from refactor.engine.run import Options, Worker
from refactor.images.make_wheels import rows
from refactor.images.wheels import ask, read_name, state_of


@pytest.mark.parametrize(
    ("name", "specifier", "python", "libc", "state"),
    [
        # https://pypi.org/project/asyncpg/0.29.0/#files is the first with cp312.
        ("asyncpg", "==0.26.0", "3.12", "glibc", "built"),
        ("asyncpg", "==0.29.0", "3.12", "glibc", "wheel"),
        ("asyncpg", "", "3.12", "glibc", "wheel"),
        ("asyncpg", "<0.28", "3.12", "glibc", "unknown"),
        ("ujson", "==5.10.0", "3.14", "glibc", "built"),
        ("ujson", "==5.11.0", "3.14", "musl", "wheel"),
        # One wheel for every CPython since 3.7 (abi3).
        ("cryptography", "==41.0.3", "3.12", "glibc", "wheel"),
        ("flask", "==0.1", "3.12", "musl", "wheel"),
        # Pure, but each release wants one release of pydantic-core.
        ("pydantic", "==2.5.0", "3.13", "glibc", "unknown"),
        ("pydantic", "==1.10.2", "3.13", "glibc", "wheel"),
        # Built without the C part where there is no compiler, in the releases whose setup.py says so.
        ("pyyaml", "==5.1", "3.12", "glibc", "wheel"),
        ("pyyaml", "==3.13", "3.12", "glibc", "unknown"),
        ("msgpack", "==1.0.5", "3.13", "glibc", "wheel"),
        ("msgpack", "==1.0.7", "3.13", "glibc", "unknown"),
        ("zope-interface", "", "3.12", "musl", "wheel"),
        ("not-in-the-table", "", "3.12", "glibc", "unknown"),
        ("numpy", "", "", "glibc", "unknown"),
    ],
)
def test_table(name: str, specifier: str, python: str, libc: str, state: str) -> None:
    assert state_of(name, specifier, python, libc) == state


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("a-1.0-py3-none-any.whl", {"any"}),
        ("a-1.0-cp36-cp36m-manylinux1_x86_64.whl", {"36"}),
        ("a-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {"312"}),
        ("a-1.0-cp312-cp312-manylinux_2_39_x86_64.whl", set()),
        ("a-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl", set()),
        ("a-1.0-cp312-cp312-macosx_11_0_arm64.whl", set()),
        ("a-1.0-cp37-abi3-musllinux_1_2_x86_64.whl", {"a37m"}),
        ("a-1.0-py3-none-manylinux2014_x86_64.whl", {"p"}),
        ("a-1.0.tar.gz", set()),
    ],
)
def test_names_of_wheels(file: str, keys: set[str]) -> None:
    assert read_name(file) == ("a", "1.0", keys)


def test_rows() -> None:
    files = [
        "Fast_Lib-1.0-cp311-cp311-manylinux2014_x86_64.whl",
        "fast_lib-1.1-cp311-cp311-manylinux2014_x86_64.whl",
        "fast_lib-1.1-cp312-cp312-manylinux2014_x86_64.whl",
        "fast_lib-1.2-cp312-cp312-manylinux2014_x86_64.whl",
        "web-2.0-py3-none-any.whl",
        "old-0.1.tar.gz",
    ]
    assert rows(files, {"web": {"fast-lib"}, "web[more]": {"old"}}, (), "2026-01-01") == [
        "date 2026-01-01",
        "fast-lib 1.2 311:1.0-1.1 312:1.1",
        "web 2.0 >fast-lib",
        "web[more] - >old",
    ]


LOCK = """
[[package]]
name = "own-lib"
version = "1.0"
files = [{file = "own_lib-1.0-cp311-cp311-%s.whl", hash = "sha256:a"}, {file = "own_lib-1.0.tar.gz", hash = "sha256:b"}]

[metadata]
lock-version = "2.0"
python-versions = "*"
content-hash = "a"
"""
PROJECT = '[tool.poetry]\nname = "a"\nversion = "1"\n[tool.poetry.dependencies]\npython = "*"\nown-lib = "*"\n'
POETRY = b"""FROM python:%s
RUN pip install --no-cache-dir poetry==1.8.0
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry install --no-root
COPY app.py ./
CMD ["python", "app.py"]
"""


@pytest.mark.parametrize(
    ("python", "platform", "because"),
    [
        (b"3.11", "manylinux2014_x86_64", ""),
        (b"3.12", "manylinux2014_x86_64", "own-lib 1.0 has no wheel for CPython 3.12"),
        (b"3.11", "win_amd64", "own-lib 1.0 has no wheel for CPython 3.11"),
    ],
)
def test_lockfile_that_lists_files(python: bytes, platform: str, because: str) -> None:
    files = {"pyproject.toml": PROJECT, "poetry.lock": LOCK % platform, "app.py": "import own_lib\n"}
    change = fix(POETRY % python, BuildContext.of(files), select=["use-slim-base"])
    refused = " ".join(refusal.because for refusal in change.refused)
    assert (b"-slim" in change.after) is (because == ""), refused
    assert because in refused


@pytest.mark.parametrize(
    ("wanted", "because"),
    [
        ("uvicorn[standard]", ""),
        ("uvicorn[nonsense]", "nothing says whether uvicorn[nonsense] can be installed"),
        ("django==4.2 psycopg2==2.9.9", "psycopg2 has no Linux wheel"),
        ("nobody-knows==1 flask", "nothing says whether nobody-knows==1 can be installed"),
    ],
)
def test_requirements(wanted: str, because: str) -> None:
    packages = " ".join(f'"{word}"' for word in wanted.split())
    dockerfile = f'FROM python:3.12\nRUN pip install {packages}\nCOPY a.py ./\nCMD ["python", "a.py"]\n'.encode()
    change = fix(dockerfile, BuildContext.of({"a.py": ""}), select=["use-slim-base"])
    assert (b"slim" in change.after) is (because == "")
    assert because in " ".join(refusal.because for refusal in change.refused)


@pytest.fixture
def index() -> Iterator[str]:
    """A package index on this machine: `speedy` has a wheel for CPython 3.11 alone, `plain` needs it."""
    projects = {
        "speedy": (["speedy-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "speedy-1.0.tar.gz"], []),
        "plain-tool": (["plain_tool-2.0-py3-none-any.whl"], []),
        "on-speedy": (["on_speedy-3.0-py3-none-any.whl"], ["speedy>=1.0", "pytest; extra == 'test'"]),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[2]
            if name == "broken":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>")
                return
            self.send_response(200 if name in projects else 404)
            self.end_headers()
            if name in projects:
                files, needs = projects[name]
                releases = {"1": [{"filename": file} for file in files]}
                self.wfile.write(json.dumps({"releases": releases, "info": {"requires_dist": needs}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    ask(None)


def online(folder: Path, index: str | None, python: str, requirement: str) -> Record:
    (folder / "Dockerfile").write_text(
        f"FROM python:{python}\nWORKDIR /app\nCOPY requirements.txt ./\nRUN pip install --no-cache-dir -r"
        ' requirements.txt\nCOPY app.py ./\nCMD ["python", "app.py"]\n'
    )
    (folder / "requirements.txt").write_text(f"{requirement}\n")
    (folder / "app.py").write_text("print('hello')\n")
    options = Options(select=("use-slim-base",), is_isolated=True, diff=True, online=index)
    return Worker(options).work(str(folder / "Dockerfile"))


@pytest.mark.parametrize(
    ("python", "requirement", "is_slim"),
    [
        ("3.11", "speedy==1.0", True),
        ("3.12", "speedy==1.0", False),
        ("3.12", "plain-tool", True),
        ("3.11", "on-speedy", True),
        ("3.12", "on-speedy", False),
        ("3.11", "nobody-knows-it", False),
    ],
)
def test_online_the_index_is_asked(tmp_path: Path, index: str, python: str, requirement: str, is_slim: bool) -> None:
    offline = online(tmp_path, None, python, requirement)
    assert not offline.is_changed
    record = online(tmp_path, index, python, requirement)
    assert not record.errors
    assert record.is_changed == is_slim, record


@pytest.mark.parametrize("path", ["", "/broken"])
def test_an_index_that_does_not_answer_is_said_once(tmp_path: Path, index: str, path: str) -> None:
    url = "http://127.0.0.1:1" if not path else index
    record = online(tmp_path, url, "3.11", "broken" if path else "speedy")
    assert not record.is_changed
    (error,) = record.errors
    assert "does not answer as a package index" in str(error)
    assert "leave out --online" in str(error)
