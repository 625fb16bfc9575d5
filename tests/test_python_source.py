"""What Python sources of the context open, write, listen on and start; what setup.py needs beside it."""

from __future__ import annotations

import sys

import pytest

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.python.project import setup_reads
from refactor.ecosystems.python.sources import PythonFacts, facts


def of(source: str, path: str = "app/main.py") -> PythonFacts:
    found = facts(BuildContext.of({path: source}), path)
    assert isinstance(found, PythonFacts), found
    return found


def placed(source: str) -> list[tuple[str | None, bool]]:
    return [(use.path, use.is_anchored) for use in of(source).written]


def written(source: str) -> list[str | None]:
    return [use.path for use in of(source).written]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open('a.txt', 'w')", [("a.txt", False)]),
        ("open(file='a.txt', mode='wb')", [("a.txt", False)]),
        ("import io as x\nx.open('a.txt', 'w')", [("a.txt", False)]),
        ("from codecs import open\nopen('a.txt', 'a', 'utf-8')", [("a.txt", False)]),
        ("from pathlib import Path\nPath('a', 'b.txt').write_text('')", [("a/b.txt", False)]),
        (
            "from pathlib import Path as P\nROOT = P(__file__).resolve().parent\n(ROOT / 'x' / 'y').open('w')",
            [("app/x/y", True)],
        ),
        (
            "import os\nopen(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data.json'), 'w')",
            [("app/data.json", True)],
        ),
        (
            "from os.path import join, dirname as d\nHERE = d(__file__)\nopen(join(HERE, '..', 'x.ini'), 'w')",
            [("x.ini", True)],
        ),
        ("from pathlib import Path\nopen(Path(__file__).parents[1] / 'x', 'w')", [("x", True)]),
        ("import os\nopen(os.path.join(os.getcwd(), 'x'), 'w')", [("./x", False)]),
        ("NAME = 'a' + '.txt'\nopen(NAME, 'w')", [("a.txt", False)]),
        ("NAME = 'a'\nopen(f'{NAME}.txt', 'w')", [("a.txt", False)]),
        ("open('a' 'b', 'w')", [("ab", False)]),
        (
            "def save(name):\n    return open('data/' + name, 'w')\nsave('a')\nsave('b')",
            [("data/a", False), ("data/b", False)],
        ),
        # what is computed is said to be computed
        ("import sys\nopen(sys.argv[1], 'w')", [(None, False)]),
        ("NAME = 'a'\nNAME = 'b'\nopen(NAME, 'w')", [(None, False)]),
        ("NAME = 'a'\ndef f(NAME):\n    open(NAME, 'w')", [(None, False)]),
        ("for n in x:\n    open(n, 'w')", [(None, False)]),
        # names that only look like it
        ("def open(x): ...\nopen('a.txt', 'w')", []),
        ("from mine import open\nopen('a.txt', 'w')", []),
        ("class A:\n    def open(self, x): ...\nA().open('a.txt', 'w')", []),
        ("# open('a.txt', 'w')\nx = \"open('a.txt', 'w')\"", []),
    ],
)
def test_places(source: str, expected: list[tuple[str | None, bool]]) -> None:
    assert placed(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open('a.log', 'w')", ["a.log"]),
        ("open('a.log', mode='a+b')", ["a.log"]),
        ("open('a.log', 'r+')", ["a.log"]),
        ("open('a.log', mode)", ["a.log"]),
        ("import os\nos.makedirs('/data/out', exist_ok=True)", ["/data/out"]),
        ("from pathlib import Path\nPath('x').mkdir()\nPath('y').write_text('')", ["x", "y"]),
        ("import sqlite3\nsqlite3.connect('/tmp/x')", ["/tmp/x"]),
        ("import logging\nlogging.basicConfig(filename='app.log')", ["app.log"]),
        ("from logging.handlers import RotatingFileHandler as H\nH('logs/a')", ["logs/a"]),
        ("import shutil\nshutil.copy('a', 'b')", ["b"]),
        ("URL = 'sqlite:////var/lib/a.db'\nconnect(URL)", ["/var/lib/a.db"]),
        ("DATABASES = {'NAME': BASE / 'db.sqlite3'}", ["db.sqlite3"]),
        ("MEDIA_ROOT = '/srv/media'", ["/srv/media"]),
        ("app.config['UPLOAD_FOLDER'] = 'uploads'", ["uploads"]),
        ("import os\nf.save(os.path.join('uploads', 'x.png'))", ["uploads/x.png"]),
        ("df.to_csv('out.csv')", ["out.csv"]),
        ("import tempfile\ntempfile.mkdtemp()", []),
        ("model.save()", []),
        ("connect('sqlite:///:memory:')", []),
        ("import os\nos.makedirs(os.environ['OUT'])", [None]),
        # what a management command of Django is given
        ("def handle(self, **options):\n    options['output'].open('w').write('x')", [None]),
        ("def handle(self, *args, **options):\n    out = options['output']\n    out.open(mode='wb')", [None]),
        ("def handle(self, **options):\n    export_rows(options['output'])", [None]),
        ("def handle(self, **options):\n    dump_rows(options.get('output'))", [None]),
        ("def handle(self, output, **options):\n    write_rows(output)", [None]),
        ("import zipfile\ndef handle(self, **options):\n    zipfile.ZipFile(options['o'], 'w')", [None]),
        ("import argparse\nargparse.ArgumentParser().add_argument('o', type=argparse.FileType('w'))", [None]),
        ("import argparse\nargparse.ArgumentParser().add_argument('o', type=argparse.FileType())", []),
        ("archive.open('name.txt')", []),
    ],
)
def test_written(source: str, expected: list[str | None]) -> None:
    assert written(source) == expected


@pytest.mark.parametrize(
    ("source", "ports"),
    [
        ("from flask import Flask\napp = Flask(__name__)\napp.run()", (5000,)),
        ("from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=8080)", (8080,)),
        ("import os, uvicorn\nuvicorn.run('a:b', port=int(os.environ.get('PORT', 9000)))", (9000,)),
        ("import os, uvicorn\nuvicorn.run('a:b', port=int(os.getenv('PORT') or 9000))", (9000,)),
        ("import uvicorn as u\nu.run(app)", (8000,)),
        ("from aiohttp import web\nweb.run_app(app)", (8080,)),
        ("PORT = 8001\nfrom http.server import HTTPServer\nHTTPServer(('', PORT), H)", (8001,)),
        ("import socket\ns.bind(('0.0.0.0', 5005))", (5005,)),
        ("import tornado.web\napp = tornado.web.Application([])\napp.listen(8888)", (8888,)),
        ("from waitress import serve\nserve(app, listen='*:1', port='6543')", (6543,)),
        ("server.add_insecure_port('[::]:50051')", (50051,)),
        ("from wsgiref.simple_server import make_server\nmake_server('', 8003, app)", (8003,)),
        ("import asyncio\nasyncio.run(main())", ()),
        ("import subprocess\nsubprocess.run(['ls'])", ()),
        ("thread.run()", ()),
        ("from flask import Flask\napp = Flask(__name__)\napp.run(port=0)", ()),
    ],
)
def test_ports(source: str, ports: tuple[int, ...]) -> None:
    found = of(source)
    assert found.ports == ports
    assert not found.is_port_computed


def test_computed_port_is_said_to_be_computed() -> None:
    found = of("import os, uvicorn\n\nuvicorn.run(app, port=int(os.environ['PORT']))")
    assert (found.ports, found.is_port_computed) == ((), True)


def test_gunicorn_configuration() -> None:
    found = facts(BuildContext.of({"gunicorn.conf.py": "bind = '0.0.0.0:8000'\n"}), "gunicorn.conf.py")
    assert isinstance(found, PythonFacts)
    assert found.ports == (8000,)


def test_evidence_names_the_line() -> None:
    use = of("import os\n\n\nopen('a.txt', 'w')\n").written[0]
    assert (use.line, use.call) == (4, "builtins.open")


@pytest.mark.parametrize(
    "source",
    [
        "open(",
        "print 'python 2'; open('a')",
        "open(x)\nx=" + "not " * 20_000 + "1",
        "open(x)\nx=" + "-" * 50_000 + "1",
        "open(x)\nx=" + "+".join(["1"] * 20_000),
        "open(x)\nx=a" + ".a" * 20_000,
        "open(x)\nx=" + "lambda:" * 10_000 + "1",
        "open(x)\nx=" + "(" * 5_000,
        "open(x)\0",
        "open(x)\n" + "#" * 300_000,
    ],
    ids=lambda source: source[:24],
)
def test_sources_that_are_not_read(source: str) -> None:
    assert isinstance(facts(BuildContext.of({"a.py": source}), "a.py"), Unknown)


@pytest.mark.parametrize(
    "source",
    [
        "# coding: shift_jis\nopen('a.txt', 'w')",
        "x = " + "1 and " * 20_000 + "1\nopen('a.txt', 'w')",
        "import a" + ".a" * 5_000 + "\nopen('a.txt', 'w')",
    ],
    ids=lambda source: source[:24],
)
def test_sources_that_python_takes_are_read(source: str) -> None:
    found = facts(BuildContext.of({"a.py": source}), "a.py")
    assert isinstance(found, PythonFacts)
    assert [use.path for use in found.written] == ["a.txt"]


def test_missing_source() -> None:
    assert facts(BuildContext.of({}), "a.py") == Unknown("a.py does not exist")


# setup.py


def reads(files: dict[str, str], path: str = "setup.py") -> tuple[str, ...] | Unknown:
    return setup_reads(BuildContext.of(files), path)


def test_setup_that_reads_nothing() -> None:
    assert reads({"setup.py": "from setuptools import setup, find_packages\nsetup(packages=find_packages())"}) == ()


def test_setup_with_a_helper() -> None:
    source = """
import os, re
from setuptools import setup
here = os.path.abspath(os.path.dirname(__file__))
def read(*parts):
    with open(os.path.join(here, *parts), encoding='utf-8') as f:
        return f.read()
def unused(x):
    return x
with open('README.md') as f:
    long_description = f.read()
version = re.search('x', read('pkg', '__init__.py'))
setup(version=version, long_description=read('CHANGES.rst') + read('missing.txt'))
"""
    files = {"setup.py": source, "README.md": "", "pkg/__init__.py": "", "CHANGES.rst": "", "other.txt": ""}
    assert reads(files) == ("CHANGES.rst", "README.md", "pkg/__init__.py")


def test_setup_in_a_folder() -> None:
    source = "import os\nopen('README.md'); open(os.path.join(os.path.dirname(__file__), 'VERSION'))"
    files = {"lib/setup.py": source, "lib/README.md": "", "lib/VERSION": "", "README.md": ""}
    assert reads(files, "lib/setup.py") == ("lib/README.md", "lib/VERSION")


def test_setup_reads_the_modules_that_it_imports() -> None:
    files = {
        "setup.py": "from setuptools import setup\nfrom pkg.about import __version__\nimport versioneer\nsetup()",
        "pkg/__init__.py": "",
        "pkg/about.py": "",
        "versioneer.py": "",
    }
    assert reads(files) == ("pkg/__init__.py", "pkg/about.py", "versioneer.py")


def test_setup_that_parses_requirements() -> None:
    files = {
        "setup.py": "from pip.req import parse_requirements\nparse_requirements('requirements.txt', session='x')",
        "requirements.txt": "-r base.txt\n",
        "base.txt": "a\n",
    }
    assert reads(files) == ("base.txt", "requirements.txt")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import sys\nopen(sys.argv[1])", "setup.py:2 opens a path that is computed"),
        ("import os\nos.listdir('.')", "setup.py:2 lists a folder"),
        ("import subprocess\nsubprocess.check_output(['git', 'describe'])", "setup.py:2 runs a program"),
        ("import setuptools as s\ns.setup(use_scm_version=True)", "setup.py:2 takes the version from git"),
        ("from setuptools import setup\nsetup(pbr=True)", "setup.py:2 takes the version from git"),
        ("print 'python 2'", "setup.py: line 1 is not Python 3"),
    ],
)  # fmt: skip
def test_setup_that_cannot_be_followed(source: str, why: str) -> None:
    assert reads({"setup.py": source}) == Unknown(why)


def test_setup_with_a_pattern() -> None:
    files = {"setup.py": "import glob\nx = glob.glob('docs/*.md')", "docs/a.md": "", "docs/b.txt": ""}
    assert reads(files) == ("docs/a.md",)


def test_setup_that_is_not_there_or_ignored() -> None:
    assert isinstance(reads({}), Unknown)
    ignored = reads({"setup.py": "open('README.md')", "README.md": "", ".dockerignore": "*.md"})
    assert ignored == ()


NEWER = """type Path = str
class Store[T = int]:
    def save[**P](self, name: str) -> T:
        with open(f"{self.folders["a"]}/log", "w") as out:
            out.write(f"{"\\n".join(self.lines)}")
try:
    open("data.txt", "w")
except OSError, ValueError:
    pass
"""


def test_a_source_for_a_newer_python_is_read() -> None:
    """PEP 695, 696, 701 and 758, whatever Python runs."""
    found = facts(BuildContext.of({"a.py": NEWER}), "a.py")
    assert isinstance(found, PythonFacts), found
    assert [(use.path, use.line) for use in found.written] == [(None, 4), ("data.txt", 7)]


@pytest.mark.parametrize(
    "deep",
    ["(" * 20_000 + ")" * 20_000, "x=" + "lambda:" * 20_000 + "1", "x=" + ("-" * 9_000 + "\\\n") * 10 + "1",
     "if a:\n pass\n" + "elif a:\n pass\n" * 7_000, "x=" + 'f"{' * 2_000 + "1" + '}"' * 2_000],
)  # fmt: skip
def test_no_source_ends_the_process(deep: str) -> None:
    """libcst goes down its own stack, and would."""
    found = facts(BuildContext.of({"a.py": f"type X = 1\n{deep}\n"}), "a.py")
    assert isinstance(found, Unknown) or sys.version_info >= (3, 12)


@pytest.mark.parametrize("shape", ["[{}]", 'f"{{{}}}"', "({})"])
def test_names_that_double_with_every_step_come_to_an_end(shape: str) -> None:
    signs = {"[{}]": ", ", 'f"{{{}}}"': "}{", "({})": " or "}
    sums = (f"a{n} = " + shape.format(signs[shape].join([f"a{n - 1}"] * 40)) for n in range(1, 12))
    found = facts(BuildContext.of({"a.py": "\n".join(("a0 = f()", *sums, "open(a11, 'w')"))}), "a.py")
    assert isinstance(found, PythonFacts)
    assert {use.path for use in found.written} == {None}


def test_a_number_that_python_prints_to_nobody() -> None:
    source = f"open(f'{{0x{'f' * 20_000}}}', 'w')"
    found = facts(BuildContext.of({"a.py": source}), "a.py")
    assert isinstance(found, PythonFacts)
    assert [use.path for use in found.written] == [None]
