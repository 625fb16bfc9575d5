"""PyPy's images: which wheels fit, what is compiled, where packages are."""

from __future__ import annotations

import pytest

from refactor import BuildContext, fix
from refactor.ecosystems.python.installs import ReadInstall, read_installs
from refactor.ecosystems.python.needs import judge
from refactor.ecosystems.python.stage import PythonStage
from refactor.images import lookup
from refactor.images.wheels import key_fits, read_name
from tests.test_node import dockerfile, reading

TEXT = """
    FROM pypy:{tag}
    WORKDIR /app
    COPY requirements.txt .
    RUN pip install --no-cache-dir -r requirements.txt
    COPY . .
    CMD {start}
"""
APP = "from flask import Flask\napp = Flask(__name__)\n"


def split(requirements: str, tag: str = "3.10-bookworm", start: str = '["gunicorn", "app:app"]') -> tuple[str, str]:
    """The file after the split, and what was refused."""
    context = BuildContext.of({"requirements.txt": requirements, "app.py": APP})
    change = fix(dockerfile(TEXT.format(tag=tag, start=start)).encode(), context, select=["split-build-stage"])
    return change.after.decode(), "\n".join(one.because for one in change.refused)


def test_what_is_compiled_goes_to_the_slim_image() -> None:
    after, _ = split("flask==3.0.3\npsycopg2cffi==2.9.0\n")
    assert "RUN python -m venv /opt/venv\n" in after
    runner = after.partition("FROM pypy:3.10-slim-bookworm AS runner\n")[2]
    assert "--no-install-recommends libpq5" in runner
    assert "COPY --from=builder /opt/venv /opt/venv\n" in runner


@pytest.mark.parametrize(
    ("requirements", "because"),
    [
        ("flask==3.0.3\n", "a virtual environment copied between slim stages would not be smaller"),
        ("numpy==1.26.0; implementation_name != 'pypy'\n", "would not be smaller"),
        ("pyarrow==14.0.0\n", "nothing says whether pyarrow==14.0.0 has a wheel for PyPy 3.10"),
        ("uwsgi\n", "uwsgi has PyPy by a plugin"),
        ("psycopg2cffi\nhttps://example.org/a.zip#egg=a\n", "what a is linked with is not known"),
    ],
)
def test_why_not(requirements: str, because: str) -> None:
    after, refused = split(requirements)
    assert because in refused
    assert "AS runner" not in after


def test_a_program_that_is_named_by_its_path_stays() -> None:
    _, refused = split("psycopg2cffi\n", start='["/opt/pypy/bin/gunicorn", "app:app"]')
    assert "names /opt/pypy/bin/gunicorn, which is outside of a virtual environment" in refused


def test_a_line_for_the_other_python_is_none() -> None:
    text = "orjson; platform_python_implementation == 'CPython'\nflask\ngevent; implementation_name == 'pypy'\n"
    for image, names in (("pypy:3.9", {"flask", "gevent"}), ("python:3.9", {"flask", "orjson"}), ("debian:12", None)):
        read = reading(f"FROM {image}\nCOPY . .\nRUN pip install -r requirements.txt\n", {"requirements.txt": text})
        install = next(one for one in read_installs(PythonStage.of(read)) if isinstance(one, ReadInstall))
        assert {need.name for need in install.requirements} == (names or {"flask", "gevent", "orjson"})


def test_a_wheel_for_cpython_is_none_for_pypy() -> None:
    read = reading(
        "FROM pypy:3.9-slim\nCOPY . .\nRUN pip install -r requirements.txt\n",
        {"requirements.txt": "ujson==5.4.0\nmarkupsafe==2.1.2\nflask==3.0.3\n"},
    )
    installs = [one for one in read_installs(PythonStage.of(read)) if isinstance(one, ReadInstall)]
    image = lookup("pypy:3.9-slim")
    assert image is not None
    verdict = judge(installs, image)
    assert verdict.unknown == ("ujson==5.4.0",)
    assert verdict.wheels == ("flask", "markupsafe")
    assert not verdict.built


def test_names_of_wheels() -> None:
    name = "ujson-5.4.0-pp38-pypy38_pp73-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    assert read_name(name)[2] == {"pp38"}
    assert key_fits("pp38", "pp3.8", "glibc")
    assert not key_fits("pp38", "pp3.9", "glibc")
    assert not key_fits("38", "pp3.8", "glibc")
    assert not key_fits("a37", "pp3.8", "glibc")
    assert key_fits("p", "pp3.8", "glibc")
    assert not key_fits("pp38", "3.8", "glibc")


@pytest.mark.parametrize(
    ("reference", "variant", "version", "release", "slim"),
    [
        ("pypy", "fat", "3.11", "trixie", "pypy:slim"),
        ("pypy:3.9-bullseye", "fat", "3.9", "bullseye", "pypy:3.9-slim-bullseye"),
        ("pypy:3.10-7.3.19", "fat", "3.10", "bookworm", "pypy:3.10-7.3.19-slim"),
        ("pypy:3.11-slim", "slim", "3.11", "trixie", "pypy:3.11-slim"),
        ("pypy:2.7", "fat", "2.7", "trixie", "pypy:2.7-slim"),
    ],
)
def test_images(reference: str, variant: str, version: str, release: str, slim: str) -> None:
    image = lookup(reference)
    assert image is not None
    assert (image.family, image.variant, image.version, image.release) == ("pypy", variant, version, release)
    assert image.with_variant("slim") == slim
