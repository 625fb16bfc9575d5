"""Python stages: what becomes of them, shown by the Dockerfile that results or the reason that is given."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from refactor import BuildContext, Settings, StageReading, fix, parse, written_by_shell
from refactor.ecosystems.answers import Install, Rewrite
from refactor.ecosystems.python import Python
from refactor.ecosystems.python.production import poetry_version
from refactor.ecosystems.python.stage import PythonStage
from refactor.ecosystems.python.testing import has_pytest
from refactor.ecosystems.python.tools import Action, distribution_name
from refactor.flow.reading import Refused

FLASK = {"requirements.txt": "flask==3.0.0\n", "app.py": "import flask\n"}
PSYCOPG = {"requirements.txt": "flask\npsycopg2==2.9.9\n", "app.py": "import flask\n", "main.py": ""}
SETUP = {"setup.py": "from setuptools import setup\nsetup()\n"}
READING = "from setuptools import setup\nsetup(long_description=open('README.md').read())\n"
POETRY = {
    "pyproject.toml": """
[tool.poetry]
name = "menu"
version = "1"
package-mode = false
[tool.poetry.dependencies]
python = "^3.11"
uvicorn = "*"
[tool.poetry.group.dev.dependencies]
pytest = "*"
""",
    "poetry.lock": """
[[package]]
name = "uvicorn"
version = "0.34.0"
files = [{file = "uvicorn-0.34.0-py3-none-any.whl", hash = "sha256:0"}]
[metadata]
lock-version = "2.1"
content-hash = "0"
""",
    "menu/main.py": "import os\n",
}
UV = {
    "pyproject.toml": """
[project]
name = "links"
version = "1"
readme = "README.md"
dependencies = ["uvicorn"]
[dependency-groups]
dev = ["pytest"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
""",
    "uv.lock": """
version = 1
[[package]]
name = "links"
version = "1"
source = { editable = "." }
dependencies = [{ name = "uvicorn" }]
[[package]]
name = "uvicorn"
version = "0.34.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.example/uvicorn-0.34.0-py3-none-any.whl", hash = "sha256:0" }]
""",
    "README.md": "",
    "src/links/__init__.py": "",
    "src/links/web.py": "",
}


def clean(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


INSTALLED = ("split-build-stage", "copy-manifests-first", "install-production-dependencies")


def split(
    text: str, files: Mapping[str, str], runner: str | None = None, select: Sequence[str] = ("split-build-stage",)
) -> str:
    """The split Dockerfile; fails with the refusal where there is none."""
    change = fix(clean(text).encode(), BuildContext.of(files), select=list(select), settings=Settings(runner))
    assert change.failure is None
    assert change.applied, [refusal.because for refusal in change.refused]
    return change.after.decode()


def refusal(text: str, files: Mapping[str, str], runner: str | None = None) -> str:
    """Why a Dockerfile is not split."""
    change = fix(clean(text).encode(), BuildContext.of(files), select=["split-build-stage"], settings=Settings(runner))
    assert change.failure is None
    assert change.after == change.before
    return "; ".join(f"{one.because} ({one.hint})" for one in change.refused)


def stages(text: str) -> tuple[str, str]:
    builder, _, runner = text.partition("\n\nFROM ")
    return builder, "FROM " + runner


def reading(text: str, files: Mapping[str, str]) -> StageReading:
    file = parse(clean(text).encode())
    return StageReading(file, file.stages[-1], BuildContext.of(files))


COMPILED = """
FROM python:3.11
RUN apt-get update && apt-get install -y gcc libpq-dev
WORKDIR /app
COPY . .
RUN pip install -r requirements.txt
EXPOSE 8000
CMD ["uvicorn", "main:app"]
"""


def test_compilers_for_wheels_stay_in_the_builder() -> None:
    assert split(COMPILED, PSYCOPG) == clean(
        """
        FROM python:3.11 AS builder
        RUN apt-get update && apt-get install -y gcc libpq-dev
        WORKDIR /app
        RUN python -m venv /opt/venv
        ENV VIRTUAL_ENV=/opt/venv \\
            PATH="/opt/venv/bin:$PATH"
        COPY requirements.txt ./
        RUN pip install -r requirements.txt

        FROM python:3.11-slim AS runner
        RUN apt-get update \\
            && apt-get install -y --no-install-recommends libpq5 \\
            && rm -rf /var/lib/apt/lists/*
        COPY --from=builder /opt/venv /opt/venv
        ENV VIRTUAL_ENV=/opt/venv \\
            PATH="/opt/venv/bin:$PATH"
        WORKDIR /app
        COPY . .
        EXPOSE 8000
        CMD ["uvicorn", "main:app"]
        """
    )


def test_pure_python_is_not_split() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    COPY . .
    RUN pip install -r requirements.txt
    CMD ["python", "app.py"]
    """
    assert "would not be smaller" in refusal(text, FLASK)


def test_pure_python_gets_the_slim_base() -> None:
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    change = fix(text.encode(), BuildContext.of(FLASK), select=["use-slim-base"])
    assert change.after.decode().startswith("FROM python:3.11-slim\nWORKDIR")


def test_removed_in_the_same_run_is_no_reason_to_split() -> None:
    text = """
    FROM python:3.11-alpine
    WORKDIR /app
    COPY requirements.txt .
    RUN apk add --no-cache --virtual .deps gcc musl-dev && pip install -r requirements.txt && apk del .deps
    COPY . .
    CMD ["python", "app.py"]
    """
    assert "gcc, musl-dev are removed in the RUN that installs them" in refusal(text, FLASK)


def test_removed_in_a_later_run_is_one() -> None:
    text = """
    FROM python:3.11-alpine
    RUN apk add --no-cache --virtual .deps gcc musl-dev
    WORKDIR /app
    COPY requirements.txt .
    RUN pip install -r requirements.txt
    RUN apk del .deps
    COPY . .
    CMD ["python", "app.py"]
    """
    builder, runner = stages(split(text, FLASK))
    assert "apk del" in builder
    assert "apk" not in runner
    assert runner.startswith("FROM python:3.11-alpine AS runner\nCOPY --from=builder /opt/venv")


def test_a_source_package_is_built_on_the_full_image() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    COPY . .
    RUN pip install -r requirements.txt
    CMD ["python", "app.py"]
    """
    builder, runner = stages(split(text, PSYCOPG))
    assert builder.startswith("FROM python:3.11 AS builder")
    assert "--no-install-recommends libpq5" in runner


def test_uwsgi_keeps_the_libraries_it_finds_on_the_full_image() -> None:
    text = (
        "FROM python:3.9-bookworm\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD uwsgi --ini a.ini\n"
    )
    _, runner = stages(split(text, {"requirements.txt": "uwsgi\nflask\n", "a.ini": "module = app", "app.py": ""}))
    assert "libxml2" in runner


@pytest.mark.parametrize("command", ["pip install .", "python setup.py install"])
def test_a_project_that_setup_py_describes_is_read_there(command: str) -> None:
    text = f"FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN {command}\nCMD python app.py\n"
    script = "from setuptools import setup\nsetup(name='a', version='1', install_requires=['psycopg2'])\n"
    built = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    _, runner = stages(split(text, {"setup.py": script, "pyproject.toml": built, "app.py": "import psycopg2\n"}))
    assert "--no-install-recommends libpq5" in runner


def test_git_requirements_need_the_full_image_only_to_install() -> None:
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    files = {"requirements.txt": "git+https://example.org/a/b@v1#egg=b\n", "app.py": ""}
    _, runner = stages(split(text, files))
    assert "git" not in runner


GIT_ON_SLIM = """
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY app.py ./
CMD ["python", "app.py"]
"""


def test_git_that_only_installs_is_a_build_tool() -> None:
    files = {"requirements.txt": "git+https://example.org/a/b@v1#egg=b\n", "app.py": ""}
    builder, runner = stages(split(GIT_ON_SLIM, files))
    assert "git" in builder
    assert runner.startswith("FROM python:3.11-slim AS runner\nCOPY --from=builder /opt/venv")
    assert "apt-get" not in runner


@pytest.mark.parametrize(
    ("source", "wanted"), [("import subprocess\nsubprocess.run(['git', 'log'])\n", ""), ("", "gitpython\n")]
)
def test_git_that_the_program_calls_is_no_reason_to_split(source: str, wanted: str) -> None:
    files = {"requirements.txt": "git+https://example.org/a/b@v1#egg=b\n" + wanted, "app.py": source}
    assert "is called at run time as well" in refusal(GIT_ON_SLIM, files)


def test_the_lockfile_says_what_has_no_wheel() -> None:
    lock = POETRY["poetry.lock"].replace("uvicorn-0.34.0-py3-none-any.whl", "uvicorn-0.34.0.tar.gz")
    files = {**POETRY, "poetry.lock": lock}
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN poetry install\nCMD uvicorn a:b\n"
    answer = Python().slim(reading(text, files))
    assert isinstance(answer, Refused)
    assert "poetry.lock lists no wheel of uvicorn" in answer.because


def test_included_requirements_come_first() -> None:
    text = """
    FROM python:3.11-slim
    RUN apt-get update && apt-get install -y build-essential
    WORKDIR /srv
    COPY . .
    RUN pip install -r requirements/prod.txt
    CMD ["python", "app.py"]
    """
    files = {
        "requirements/prod.txt": "-r base.txt\n-c pins.txt\ngunicorn\n",
        "requirements/base.txt": "flask\n",
        "requirements/pins.txt": "flask==3.0.0\n",
        "app.py": "",
    }
    builder, runner = stages(split(text, files))
    assert "COPY requirements/prod.txt requirements/base.txt requirements/pins.txt requirements/\n" in builder
    assert "apt-get" not in runner


def test_a_missing_included_file_is_named() -> None:
    files = {**FLASK, "requirements.txt": "-r more.txt\n"}
    assert "requirements.txt includes more.txt, which is not in the build context" in refusal(COMPILED, files)


def test_a_requirements_file_from_elsewhere_is_named() -> None:
    assert "requirements.txt, which line 5 installs from, does not come from the build context" in refusal(
        COMPILED, {"app.py": ""}
    )


def test_programs_of_the_project_run_in_the_runner() -> None:
    text = """
    FROM python:3.11
    RUN apt-get update && apt-get install -y gcc libpq-dev
    WORKDIR /srv
    COPY . .
    RUN pip install -r requirements.txt && python manage.py collectstatic --noinput
    CMD ["gunicorn", "shop.wsgi"]
    """
    builder, runner = stages(split(text, {**PSYCOPG, "manage.py": "", "shop/wsgi.py": ""}))
    assert "collectstatic" not in builder
    assert runner.index("COPY . .") < runner.index("RUN python manage.py collectstatic --noinput")


def test_gettext_stays_where_messages_are_compiled() -> None:
    text = """
    FROM python:3.11-slim
    RUN apt-get update && apt-get install -y gcc gettext
    WORKDIR /srv
    COPY . .
    RUN pip install -r requirements.txt
    RUN python manage.py compilemessages
    CMD ["gunicorn", "shop.wsgi"]
    """
    _, runner = stages(split(text, {**FLASK, "manage.py": "", "shop/wsgi.py": ""}))
    assert "apt-get install -y gettext" in runner


def test_programs_of_entrypoint_and_health_check_stay() -> None:
    text = """
    FROM python:3.11
    RUN apt-get update && apt-get install -y --no-install-recommends gcc postgresql-client
    WORKDIR /srv
    COPY . .
    RUN pip install -r requirements.txt
    HEALTHCHECK CMD curl -f http://localhost:8000/ || exit 1
    ENTRYPOINT ["./entrypoint.sh"]
    CMD ["gunicorn", "shop.wsgi"]
    """
    files = {**FLASK, "shop/wsgi.py": "", "entrypoint.sh": '#!/bin/sh\npg_isready -h db\nexec "$@"\n'}
    _, runner = stages(split(text, files))
    assert "postgresql-client curl" in runner
    assert "gcc" not in runner


def test_programs_of_the_sources_stay() -> None:
    files = {**PSYCOPG, "app.py": "import subprocess\nsubprocess.run(['git', 'log'])\n"}
    _, runner = stages(split(COMPILED, files))
    assert "libpq5 git" in runner


def test_compilers_that_the_program_calls_stay() -> None:
    files = {**FLASK, "requirements.txt": "pytensor\n"}
    assert "pytensor calls a C compiler when the program runs" in refusal(COMPILED, files)


def test_user_installs_go_into_the_environment() -> None:
    text = """
    FROM python:3.11-slim
    RUN apt-get update && apt-get install -y gcc
    WORKDIR /srv
    COPY requirements.txt .
    RUN pip install --user -r requirements.txt
    ENV PATH=/root/.local/bin:$PATH
    COPY . .
    CMD ["python", "app.py"]
    """
    builder, runner = stages(split(text, FLASK))
    assert "RUN pip install -r requirements.txt" in builder
    assert "/root/.local" not in runner


def test_users_and_permissions_are_made_in_the_runner() -> None:
    text = """
    FROM python:3.9-slim
    WORKDIR /srv
    COPY entrypoint.sh /entrypoint.sh
    RUN chmod +x /entrypoint.sh
    RUN useradd -m app
    RUN apt-get update && apt-get install -y gcc
    COPY requirements.txt requirements.txt
    RUN pip install -r requirements.txt
    COPY --chown=app . .
    USER app
    ENTRYPOINT ["/entrypoint.sh"]
    """
    builder, runner = stages(split(text, {**FLASK, "entrypoint.sh": "#!/bin/sh\nexec python app.py\n"}))
    assert "entrypoint" not in builder
    assert "useradd" not in builder
    assert runner.index("COPY entrypoint.sh") < runner.index("RUN chmod +x /entrypoint.sh")
    assert runner.index("RUN useradd") < runner.index("COPY --chown=app . .") < runner.index("USER app")


def test_poetry_is_a_build_tool() -> None:
    text = """
    FROM python:3.11
    RUN pip install poetry==2.1.3
    WORKDIR /code
    COPY . /code
    RUN poetry config virtualenvs.create false && poetry install --no-root
    CMD ["uvicorn", "menu.main:app"]
    """
    builder, runner = stages(split(text, POETRY, select=INSTALLED))
    assert builder.index("pip install poetry") < builder.index("python -m venv") < builder.index("COPY pyproject.toml")
    assert "COPY pyproject.toml poetry.lock ./\n" in builder
    assert "poetry install --no-root --only main" in builder
    assert "poetry" not in runner


def test_poetry_in_one_run_is_taken_apart() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    COPY . .
    RUN pip install poetry && poetry config virtualenvs.create false && poetry install --no-dev
    CMD ["uvicorn", "app.main:app"]
    """
    manifest = '[tool.poetry]\nname = "app"\nversion = "1"\n[tool.poetry.dependencies]\npython = "^3.9"\n'
    builder, _ = stages(split(text, {"pyproject.toml": manifest, "app/main.py": ""}, select=INSTALLED))
    assert builder == clean(
        """
        FROM python:3.11 AS builder
        WORKDIR /app
        RUN pip install poetry
        RUN python -m venv /opt/venv
        ENV VIRTUAL_ENV=/opt/venv \\
            PATH="/opt/venv/bin:$PATH"
        COPY pyproject.toml ./
        RUN poetry config virtualenvs.create false \\
            && poetry install --no-dev --no-root
        COPY . .
        RUN poetry install --no-dev"""
    )


def test_poetry_in_the_project_keeps_its_environment() -> None:
    text = """
    FROM python:3.9-slim
    ENV POETRY_VIRTUALENVS_IN_PROJECT=true
    WORKDIR /app
    COPY poetry.lock pyproject.toml ./
    RUN pip install poetry==1.1 && poetry install
    COPY . ./
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "menu.main:app"]
    """
    builder, runner = stages(split(text, POETRY, select=INSTALLED))
    assert "poetry install --no-dev" in builder
    assert "/opt/venv" not in builder + runner
    assert "COPY --from=builder /app/.venv /app/.venv\n" in runner


POETRY_RUN = """
FROM python:3.11-slim
WORKDIR /app
COPY poetry.lock pyproject.toml ./
RUN pip install poetry && poetry config virtualenvs.in-project true && poetry install --no-root
COPY . .
RUN poetry run python manage.py migrate
CMD poetry run alembic upgrade head && poetry run uvicorn menu.main:app
"""


def test_poetry_run_becomes_the_program_itself() -> None:
    builder, runner = stages(split(POETRY_RUN, {**POETRY, "manage.py": ""}, select=INSTALLED))
    assert "poetry install --no-root --only main" in builder
    assert runner == clean(
        """
        FROM python:3.11-slim AS runner
        WORKDIR /app
        COPY --from=builder /app/.venv /app/.venv
        ENV VIRTUAL_ENV=/app/.venv \\
            PATH="/app/.venv/bin:$PATH"
        COPY . .
        RUN python manage.py migrate
        CMD alembic upgrade head && uvicorn menu.main:app
        """
    )


@pytest.mark.parametrize(
    ("start", "files", "because"),
    [
        ('CMD ["poetry", "shell"]', {}, "CMD on line 7 calls poetry, so the runner needs it as well"),
        ('CMD ["poetry", "run", "--help"]', {}, "calls poetry with options of its own"),
        ('CMD ["poetry", "run", "serve"]', {}, "calls poetry for the script serve of the manifest"),
        ("CMD ./run.sh", {"run.sh": "#!/bin/sh\npoetry run uvicorn menu.main:app\n"}, "run.sh calls poetry"),
        ('CMD ["poetry", "run", "x"]', {"up.sh": "poetry run x\n"}, "up.sh calls poetry"),
        ("HEALTHCHECK CMD poetry run check\nCMD x", {}, "HEALTHCHECK on line 7 calls a build tool"),
    ],
)
def test_poetry_stays_where_it_does_more(start: str, files: Mapping[str, str], because: str) -> None:
    text = clean(POETRY_RUN).replace("CMD poetry run alembic upgrade head && poetry run uvicorn menu.main:app", start)
    scripts = POETRY["pyproject.toml"] + '[tool.poetry.scripts]\nserve = "menu.main:main"\n'
    assert because in refusal(text, {**POETRY, "pyproject.toml": scripts, "manage.py": "", **files})


def test_uv_run_keeps_uv() -> None:
    text = "FROM python:3.11\nRUN pip install uv\nWORKDIR /app\nCOPY . .\nRUN uv sync\nCMD uv run main.py\n"
    assert "CMD on line 6 calls uv, so the runner needs it as well" in refusal(text, UV)


def test_uv_installs_the_project_after_its_dependencies() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    RUN pip install uv
    COPY . .
    RUN uv sync --frozen
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "links.web:app"]
    """
    builder, runner = stages(split(text, UV, select=INSTALLED))
    assert builder.endswith(
        "COPY pyproject.toml uv.lock ./\n"
        "RUN uv sync --frozen --no-install-project --no-dev\n"
        "COPY . .\n"
        "RUN uv sync --frozen --no-dev"
    )
    assert "COPY --from=builder /app/.venv /app/.venv\nCOPY . .\n" in runner
    assert "uv sync" not in runner


def test_manifests_may_be_bound() -> None:
    text = """
    FROM python:3.11
    COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv
    WORKDIR /app
    RUN --mount=type=bind,source=uv.lock,target=uv.lock --mount=type=bind,source=pyproject.toml,target=pyproject.toml \\
        uv sync --locked --no-install-project --no-dev
    COPY . /app
    RUN uv sync --locked --no-dev
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "links.web:app"]
    """
    builder, runner = stages(split(text, UV))
    assert builder == clean(text).partition("ENV PATH")[0].replace("3.11", "3.11 AS builder").rstrip()
    assert "uv sync" not in runner


def test_an_environment_in_the_build_context_would_be_copied_over() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    RUN pip install uv
    COPY . .
    RUN uv sync --frozen
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "links.web:app"]
    """
    assert ".venv of the build context would be copied over" in refusal(text, {**UV, ".venv/bin/python": ""})
    assert split(text, {**UV, ".venv/bin/python": "", ".dockerignore": ".venv\n"})


def test_another_python_for_uv_is_named() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    RUN pip install uv
    COPY . .
    RUN uv sync --frozen
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "links.web:app"]
    """
    assert "asks for Python 3.12, which uv downloads" in refusal(text, {**UV, ".python-version": "3.12\n"})


def test_uv_pip_loses_its_system_flag() -> None:
    text = """
    FROM python:3.12-slim
    COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv
    WORKDIR /app
    COPY requirements.txt .
    RUN uv pip install --system --no-cache -r requirements.txt
    COPY . .
    CMD ["python", "app.py"]
    """
    builder, runner = stages(split(text, FLASK))
    assert "RUN uv pip install --no-cache -r requirements.txt" in builder
    assert "astral" not in runner


def test_editable_installs_keep_their_folder() -> None:
    text = """
    FROM python:3.11
    RUN apt-get update && apt-get install -y gcc
    WORKDIR /opt/x
    COPY . .
    RUN pip install -e .
    CMD ["x"]
    """
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "x"\nversion = "1"\n',
        "src/x/__init__.py": "",
    }
    builder, runner = stages(split(text, files))
    assert "COPY . .\nRUN pip install -e ." in builder
    assert "COPY --from=builder /opt/x /opt/x" in runner
    assert "COPY . ." not in runner


def test_requirements_come_before_an_editable_install() -> None:
    text = """
    FROM python:3.11
    RUN apt-get update && apt-get install -y gcc
    WORKDIR /opt/x
    COPY . .
    RUN pip install -r requirements.txt
    RUN pip install -e .
    CMD ["x"]
    """
    files = {**FLASK, "setup.py": "from setuptools import setup\nsetup()\n"}
    builder, runner = stages(split(text, files, select=INSTALLED))
    assert builder.endswith(
        "COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\nRUN pip install -e ."
    )
    assert "COPY --from=builder /opt/x /opt/x" in runner


def test_dependencies_that_come_first_already_stay_so() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    RUN pip install uv
    COPY pyproject.toml uv.lock ./
    RUN uv sync --frozen --no-dev --no-install-project
    COPY . .
    RUN uv sync --frozen --no-dev
    ENV PATH="/app/.venv/bin:$PATH"
    CMD ["uvicorn", "links.web:app"]
    """
    builder, _ = stages(split(text, UV))
    assert builder == clean(text).partition("ENV PATH")[0].replace("3.11", "3.11 AS builder").rstrip()


def test_an_environment_of_the_author_is_kept() -> None:
    text = """
    FROM python:3.11-bookworm
    RUN python -m venv /env
    ENV VIRTUAL_ENV=/env
    ENV PATH=$VIRTUAL_ENV/bin:$PATH
    RUN apt-get update && apt-get install -y libpq-dev
    WORKDIR /app
    COPY . ./
    RUN pip install -r requirements.txt
    CMD python app.py
    """
    builder, runner = stages(split(text, FLASK))
    assert "/opt/venv" not in builder + runner
    assert runner.startswith("FROM python:3.11-slim-bookworm AS runner")
    assert "COPY --from=builder /env /env\n" in runner


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ('CMD ["/usr/local/bin/gunicorn", "app:app"]', "/usr/local/bin/gunicorn, which is outside"),
        ('CMD ["bash", "-lc", "gunicorn app:app"]', "login shell"),
        ('CMD ["su", "app", "-c", "gunicorn app:app"]', "calls su, which sets a PATH"),
        ("RUN make assets", "what `make` on line 6 is for is not known"),
        ("RUN pip freeze > all.txt", "what `pip` on line 6 is for is not known"),
        ("RUN pytest", "what `pytest` on line 6 is for is not known"),
        ("ONBUILD COPY . .", "ONBUILD on line 6"),
        ("ENV PIP_TARGET=/lib", "PIP_TARGET on line 6 says where packages are installed"),
        ("RUN pip install --target /lib flask", "into a folder of its own (--target /lib)"),
        ("RUN sudo pip install flask", "installs with sudo"),
        ("RUN /usr/local/bin/pip install flask", "calls /usr/local/bin/pip by its path"),
        ("ENV PATH=/usr/bin", "sets PATH without the base image's own"),
        ("RUN <<EOF\npip install flask\nEOF", "heredoc"),
    ],
)
def test_refusals_name_the_reason(line: str, because: str) -> None:
    text = clean(COMPILED).replace("EXPOSE 8000", line, 1)
    if line.startswith("CMD"):
        text = text.replace('CMD ["uvicorn", "main:app"]\n', "")
    answer = refusal(text, PSYCOPG)
    assert because in answer
    assert "unknown" not in answer


def test_a_library_without_a_known_name_is_named() -> None:
    text = "FROM python:3.15-rc\nWORKDIR /a\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    answer = refusal(text, {"requirements.txt": "mysqlclient\n", "app.py": ""})
    assert "mysqlclient is compiled with default-libmysqlclient-dev, and what its library is called" in answer


def test_python_2_is_named() -> None:
    text = clean(COMPILED).replace("python:3.11", "python:2.7")
    assert "Python 2 has no venv module" in refusal(text, PSYCOPG)


@pytest.mark.parametrize(
    ("runner", "because"),
    [("alpine", "linked with glibc, which Alpine has not"), ("distroless", "which distroless has not")],
)
def test_other_runners_are_refused_with_the_reason(runner: str, because: str) -> None:
    assert because in refusal(COMPILED, PSYCOPG, runner)


def test_an_alpine_stage_is_split_on_alpine() -> None:
    text = (
        clean(COMPILED)
        .replace("python:3.11", "python:3.11-alpine")
        .replace("apt-get update && apt-get install -y gcc libpq-dev", "apk add gcc musl-dev postgresql-dev")
    )
    _, runner = stages(split(text, PSYCOPG, "alpine"))
    assert runner.startswith("FROM python:3.11-alpine AS runner\nRUN apk add --no-cache libpq\n")


def test_build_arguments_stay_in_the_image_names() -> None:
    text = "ARG PY=3.11\n" + clean(COMPILED).replace("FROM python:3.11", "FROM python:${PY}")
    assert "FROM python:${PY}-slim AS runner" in split(text, PSYCOPG)


def test_other_images_are_refused_by_name() -> None:
    text = """
    FROM ubuntu:22.04
    RUN apt-get update && apt-get install -y python3-pip python3-dev gcc
    WORKDIR /app
    COPY . .
    RUN pip3 install -r requirements.txt
    CMD ["python3", "app.py"]
    """
    assert "ubuntu:22.04 is no official Python image" in refusal(text, FLASK)


# installs


def test_installs_name_every_manifest() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install -r r/all.txt -c pins.txt\n"
    files = {"r/all.txt": "-r base.txt\n", "r/base.txt": "flask\n", "pins.txt": "", "app.py": ""}
    (install,) = Python().installs(reading(text, files))
    assert isinstance(install, Install)
    assert set(install.manifests) == {"r/all.txt", "r/base.txt", "pins.txt"}


@pytest.mark.parametrize(
    ("command", "files", "because"),
    [
        ("pip install .", {"setup.py": "from setuptools import setup\nsetup(packages=['a'])\n"},
         "setup.py lists the packages"),
        ("pip install .", {"setup.py": "from setuptools import setup\nsetup(py_modules=['app'])\n"},
         "setup.py has py_modules"),
        ("pip install -e .", {"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n'
                              'build-backend = "hatchling.build"\n[project]\nname = "a"\nversion = "1"\n'},
         "`-e .` (line 4) installs the project itself, from its sources, and hatchling.build builds no project"),
        ("pip install -e .", {"pyproject.toml": '[project]\nname = "a"\ndynamic = ["version"]\n'
                              '[tool.setuptools.dynamic]\nversion = {attr = "a.v"}\n'},
         "takes the version or dependencies from elsewhere"),
        ("pip install -r requirements.txt", {"requirements.txt": "-e .\n", **SETUP},
         "`-e .` (requirements.txt) installs the project"),
        ("python setup.py install", SETUP, "python setup.py"),
    ],
)  # fmt: skip
def test_installs_that_need_the_sources_say_so(command: str, files: Mapping[str, str], because: str) -> None:
    text = f"FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN {command}\n"
    (answer,) = Python().installs(reading(text, {"app.py": "", **files}))
    assert not isinstance(answer, Install)
    assert because in answer[1].because


@pytest.mark.parametrize(
    ("files", "manifests", "command"),
    [
        ({"setup.py": READING, "README.md": ""}, ("setup.py", "README.md"), "pip install ."),
        (
            {"pyproject.toml": '[project]\nname = "a"\nversion = "1"\n[tool.setuptools]\npackage-dir = {"" = "src"}\n'},
            ("pyproject.toml",),
            "mkdir -p src && pip install .",
        ),
    ],
)
def test_metadata_bring_the_dependencies(files: Mapping[str, str], manifests: Sequence[str], command: str) -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install -e .\n"
    (install,) = Python().installs(reading(text, {"app.py": "", **files}))
    assert isinstance(install, Install)
    assert install.manifests == manifests
    assert install.new_command == command


def test_dependencies_of_a_locked_project_come_first() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install uv && uv sync --frozen\n"
    change = fix(text.encode(), BuildContext.of(UV), select=["copy-manifests-first"])
    assert change.after.decode() == clean(
        """
        FROM python:3.11
        WORKDIR /a
        COPY pyproject.toml uv.lock ./
        RUN pip install uv && uv sync --frozen --no-install-project
        COPY . .
        RUN uv sync --frozen
        """
    )


@pytest.mark.parametrize("before", ["python make.py && ", "cp a.toml pyproject.toml && "])
def test_what_works_on_the_sources_stays_behind_them(before: str) -> None:
    text = f"FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN {before}uv sync --frozen\n"
    (answer,) = Python().installs(reading(text, UV))
    assert not isinstance(answer, Install)
    assert "`uv sync` also installs the project itself, from its sources; it reads README.md" in answer[1].because


def test_computed_requirements_are_named() -> None:
    script = "from setuptools import setup\nsetup(install_requires=sorted(find()))\n"
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install .\n"
    (answer,) = Python().installs(reading(text, {"setup.py": script}))
    assert not isinstance(answer, Install)
    assert "install_requires is no list of strings" in answer[1].because


def test_a_project_installed_after_its_dependencies_is_no_matter() -> None:
    text = """
    FROM python:3.11
    WORKDIR /a
    COPY pyproject.toml uv.lock ./
    RUN uv sync --no-install-project
    COPY . .
    RUN uv sync
    """
    (install,) = Python().installs(reading(text, UV))
    assert isinstance(install, Install)


# production_install


@pytest.mark.parametrize(
    ("tool", "command", "expected"),
    [
        ("poetry==2.1.3", "poetry install --no-root", "poetry install --no-root --only main"),
        ("poetry==1.1.15", "poetry install --no-root", "poetry install --no-root --no-dev"),
        ("poetry", "poetry install --no-root", "poetry install --no-root --only main"),
        ("pdm", "pdm install --no-self", "pdm install --no-self --prod"),
    ],
)
def test_development_dependencies_are_left_out(tool: str, command: str, expected: str) -> None:
    text = f"FROM python:3.11\nRUN pip install {tool}\nWORKDIR /a\nCOPY . .\nRUN {command}\nCMD uvicorn menu.main:app\n"
    answers = tuple(Python().production_install(reading(text, POETRY)))
    assert [answer.text for answer in answers if isinstance(answer, Rewrite)] == [expected]


def test_development_dependencies_stay_where_they_are_imported() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN poetry install --no-root\nCMD uvicorn menu.main:app\n"
    (answer,) = Python().production_install(reading(text, {**POETRY, "menu/main.py": "import pytest\n"}))
    assert not isinstance(answer, Rewrite)
    assert "menu/main.py:1 imports pytest, a development dependency" in answer[1].because


def test_development_dependencies_stay_where_uv_syncs_at_the_start() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN uv sync --frozen\nCMD uv run main.py\n"
    (answer,) = Python().production_install(reading(text, UV))
    assert not isinstance(answer, Rewrite)
    assert "calls uv, which installs the development dependencies again" in answer[1].because


def test_development_dependencies_stay_where_a_step_of_the_runner_calls_them() -> None:
    text = POETRY_RUN.replace("poetry run python manage.py migrate", "alembic upgrade head")
    files = {**POETRY, "pyproject.toml": POETRY["pyproject.toml"].replace("pytest", "alembic")}
    builder, runner = stages(split(text, files, select=INSTALLED))
    assert "--only main" not in builder
    assert "RUN alembic upgrade head" in runner


def test_chosen_groups_are_left_alone() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN poetry install --with dev\nCMD uvicorn menu.main:app\n"
    assert not tuple(Python().production_install(reading(text, POETRY)))


# slim


@pytest.mark.parametrize(
    ("requirement", "source", "package"),
    [
        ("python-magic", "", "libmagic1"),
        ("psycopg", "", "libpq5"),
        ("gitpython", "", "git"),
        ("lightgbm", "", "libgomp1"),
        ("flask", "import os\nos.system('curl http://x')\n", "curl"),
    ],
)
def test_the_slim_base_gets_what_is_missing(requirement: str, source: str, package: str) -> None:
    text = "FROM python:3.11-bookworm\nWORKDIR /a\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    change = fix(
        text.encode(),
        BuildContext.of({"requirements.txt": f"{requirement}\n", "app.py": source}),
        select=["use-slim-base"],
    )
    assert f"install -y --no-install-recommends {package}" in change.after.decode()


@pytest.mark.parametrize(
    ("requirement", "because"),
    [("psycopg2", "psycopg2 has no Linux wheel"), ("git+https://x.org/a/b#egg=b", "is fetched with git")],
)
def test_the_slim_base_cannot_build(requirement: str, because: str) -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    answer = Python().slim(reading(text, {"requirements.txt": f"{requirement}\n", "app.py": ""}))
    assert isinstance(answer, Refused)
    assert because in answer.because


def test_sources_that_were_not_all_read_are_no_evidence() -> None:
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    many = {f"parts/part{number}.py": "" for number in range(2_000)}
    for more, because in ((many, "there are more than 2000 Python sources"), ({}, None)):
        change = fix(text.encode(), BuildContext.of({**FLASK, **more}), select=["use-slim-base"])
        assert (b"slim" not in change.after) is (because is not None)
        assert because is None or any(because in refused.because for refused in change.refused)


def test_wheels_with_their_own_libraries_need_nothing() -> None:
    text = "FROM python:3.11\nWORKDIR /a\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    answer = Python().slim(reading(text, {"requirements.txt": "psycopg[binary]\nlxml\npillow\n", "app.py": ""}))
    assert answer is not None
    assert not isinstance(answer, Refused)
    assert answer.packages == ()


# written


def written(source: str, dockerfile: str = "CMD python app.py", **files: str) -> tuple[str, ...] | str:
    text = f"FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n{dockerfile}\n"
    stage = reading(text, {"requirements.txt": "flask\n", "app.py": source, **files})
    answer, by_shell = Python().written(stage), written_by_shell(stage)
    if isinstance(answer, Refused):
        return answer.because
    if isinstance(by_shell, Refused):
        return by_shell.because
    return tuple(dict.fromkeys((*answer.paths, *by_shell)))


def test_nothing_written_is_known() -> None:
    assert written("import flask\nprint('x')\n") == ()


def test_files_beside_the_program_are_known() -> None:
    assert written("open('out.txt', 'w').write('x')\n") == ("/app",)


def test_folders_that_are_made_are_known() -> None:
    assert written("import os\nos.makedirs('data/cache', exist_ok=True)\n") == ("/app/data/cache",)


def test_temporary_files_are_no_matter() -> None:
    assert written("open('/tmp/out.txt', 'w').write('x')\n") == ()


def test_computed_paths_are_named() -> None:
    answer = written("import os\nopen(os.environ['OUT'], 'w')\n")
    assert "app.py:2 (builtins.open) writes where only the running program knows" in answer


BEAM = """
import argparse
from beam import WriteToText
def run(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument('--output', default='out')
    known_args, rest = parser.parse_known_args(argv)
    pipeline = read() | WriteToText(known_args.output)
"""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (BEAM, 8),
        ("import sys, store\nstore.save_all(sys.argv[1])\n", 2),
        ("import os, store\nstore.exportTable(os.environ['OUT'])\n", 2),
        ("import os, store\nout = os.getenv('OUT')\nstore.dump({}, target=out)\n", 3),
        ("import click, store\n@click.command()\n@click.option('--to')\ndef main(to):\n    store.save(to)\n", 5),
    ],
)
def test_writers_behind_an_option_are_named(source: str, line: int) -> None:
    answer = written(source)
    assert answer.startswith(f"app.py:{line} (")
    assert "writes where only the running program knows" in answer


@pytest.mark.parametrize(
    "source",
    [
        "import json, sys\nprint(json.dumps(sys.argv[1]))\n",
        "import sys\nsys.stdout.write(sys.argv[1])\n",
        "import os, store\nstore.save('x')\nstore.load(os.environ['IN'])\n",
        "import store\ndef keep(to):\n    store.save(to)\n",
    ],
)
def test_what_gets_an_option_and_is_no_writer_is_no_matter(source: str) -> None:
    assert written(source) == ()


def test_log_files_of_the_start_command_are_known() -> None:
    start = 'CMD ["gunicorn", "--error-logfile", "logs/error.log", "app:app"]'
    assert written("", start) == ("/app/logs",)


def test_tools_that_write_at_the_start_are_named() -> None:
    assert "calls uv, which writes to its environment" in written("", "CMD uv run app.py")


def test_django_writes_its_database_where_base_dir_is() -> None:
    settings = (
        "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\n"
    )
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN python manage.py migrate\nCMD gunicorn shop.wsgi\n"
    answer = Python().written(reading(text, {"shop/settings.py": settings, "shop/wsgi.py": "", "manage.py": ""}))
    assert not isinstance(answer, Refused)
    assert answer.paths == ("/app",)
    # `migrate` makes the database: it has to run as the user who changes it.
    assert [node.argument for node in answer.fillers] == ["python manage.py migrate"]


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("mkdir -p logs", ("/app/logs",)),
        ("touch /var/lib/app/ready", ("/var/lib/app",)),
        ("python manage.py collectstatic --noinput", ("/app/static",)),
        ("envsubst < a.tmpl > conf/a.ini", ("/app/conf",)),
        ("echo start > /dev/stderr", ()),
        ("date > /tmp/started", ()),
    ],
)
def test_what_the_entrypoint_writes_is_known(line: str, paths: tuple[str, ...]) -> None:
    settings = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
    answer = written(
        "",
        'ENTRYPOINT ["./run.sh"]\nCMD ["python", "app.py"]',
        **{
            "run.sh": f'#!/bin/sh\n{line}\nexec "$@"\n',
            "a/settings.py": settings + "STATIC_ROOT = BASE_DIR / 'static'\n",
            "manage.py": "",
        },
    )
    assert answer == paths


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("mkdir -p $DATA", "run.sh writes to $DATA, which depends on a variable"),
        ("python manage.py makemigrations", "run.sh calls makemigrations"),
        ("python manage.py collectstatic", "where STATIC_ROOT is could not be read"),
    ],
)
def test_what_the_entrypoint_may_write_is_named(line: str, because: str) -> None:
    assert because in written(
        "",
        'ENTRYPOINT ["./run.sh"]\nCMD ["python", "app.py"]',
        **{"run.sh": f'#!/bin/sh\n{line}\nexec "$@"\n', "manage.py": ""},
    )


# tests


@pytest.mark.parametrize(
    ("manifest", "has_it"),
    [
        ('[tool.poetry.group.checks.dependencies]\npytest = "*"\n', True),
        ('[tool.poetry.group.checks]\noptional = true\n[tool.poetry.group.checks.dependencies]\npytest = "*"\n', False),
        ('[tool.poetry.dev-dependencies]\npytest = "*"\n', True),
        ('[dependency-groups]\ndev = ["pytest>=8"]\n', True),
        ('[dependency-groups]\nchecks = ["pytest>=8"]\n', False),
        ('[tool.uv]\ndev-dependencies = ["pytest-cov"]\n', False),
        ("[", False),
    ],
)
def test_groups_that_are_installed_unasked_may_have_pytest(manifest: str, has_it: bool) -> None:
    assert has_pytest(BuildContext.of({"pyproject.toml": manifest})) is has_it


# commands


def test_commands_are_told_apart() -> None:
    text = """
    FROM python:3.11
    WORKDIR /app
    COPY . .
    RUN apt-get update && apt-get install -y gcc
    RUN pip install --upgrade pip setuptools
    RUN pip install poetry pdm
    RUN curl -sSL https://install.python-poetry.org | python3 -
    RUN python -m venv /venv
    RUN pip install flask
    RUN python manage.py collectstatic
    RUN useradd app
    RUN chmod +x run.sh
    RUN pip check
    RUN make
    """
    stage = PythonStage(reading(text, {"run.sh": "", "manage.py": ""}))
    assert [act.action for act in stage.acts] == [
        Action.SYSTEM, Action.SYSTEM, Action.UPGRADE, Action.TOOL, Action.TOOL, Action.TOOL, Action.VENV,
        Action.INSTALL, Action.PROGRAM, Action.SET_UP, Action.FILES, Action.MAINTENANCE, Action.UNKNOWN,
    ]  # fmt: skip
    assert stage.tools == ("poetry", "pdm")


@pytest.mark.parametrize(
    ("written_as", "name"),
    [("Poetry==1.8", "poetry"), ("a_b[c]>=1", "a-b"), ("x; python_version<'3'", "x"), ("./lib", "./lib")],
)
def test_distribution_names(written_as: str, name: str) -> None:
    assert distribution_name(written_as) == name


def test_the_version_of_poetry_may_be_a_variable() -> None:
    text = "FROM python:3.11\nENV POETRY_VERSION=1.1.4\nRUN pip install poetry==$POETRY_VERSION\n"
    assert poetry_version(PythonStage(reading(text, {}))) == (1, 1)


# Evidence is positive

SHOP = {"requirements.txt": "psycopg2\n", "app.py": "import psycopg2\n"}
STARTED = """
FROM python:3.11
RUN apt-get update && apt-get install -y gcc libpq-dev
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY . .
CMD ["python", "app.py"]
"""


@pytest.mark.parametrize(
    ("files", "because"),
    [
        ({"requirements.txt": "psycopg2\n"}, "app.py, which CMD on line 7 starts, was not found in the build context"),
        ({**SHOP, "app.py": "(((\n"}, "app.py: line 1 is not Python 3"),
        ({**SHOP, "lib/shop.py": "def f(:\n"}, "lib/shop.py: line 1 is not Python 3"),
    ],
    ids=["none", "broken", "broken-beside"],
)
def test_what_was_not_read_is_not_known(files: dict[str, str], because: str) -> None:
    assert because in refusal(STARTED, files)


def test_a_copy_that_is_not_there_leaves_the_runner_unknown() -> None:
    text = STARTED.replace("COPY . .", "COPY app.py ./\nCOPY helpers ./helpers")
    assert "line 7 copies helpers, which is not in the build context" in refusal(text, SHOP)


def test_a_link_out_of_the_context_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "requirements.txt").write_text("psycopg2\n")
    (tmp_path / "secret.py").write_text("import flask\n")
    (folder / "app.py").symlink_to(tmp_path / "secret.py")
    change = fix(STARTED.lstrip("\n").encode(), BuildContext.open(folder))
    assert b"AS builder" not in change.after
    assert any("app.py" in one.because for one in change.refused if one.codemod == "split-build-stage")


def test_says_which_sources_call_no_other_program() -> None:
    change = fix(STARTED.lstrip("\n").encode(), BuildContext.of(SHOP))
    evidence = [line for one in change.applied for line in one.evidence]
    assert "the programs that it calls were looked for in the only file of the program (app.py)" in evidence


def test_settings_of_gunicorn_say_where_the_program_lies() -> None:
    text = STARTED.replace('"python", "app.py"', '"gunicorn", "shop.wsgi", "-c", "settings.py"')
    files = {"requirements.txt": "psycopg2\n", "src/shop/wsgi.py": "", "settings.py": "pythonpath = 'src'\n"}
    assert split(text, files)


AFTER_INSTALL = """
FROM python:3.11
RUN apt-get update && apt-get install -y gcc libpq-dev
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt{more}
COPY app.py ./
CMD ["python", "app.py"]
"""


@pytest.mark.parametrize("cache", ["~/.cache/pip", "/root/.cache", "/tmp/*"])
def test_caches_are_removed_where_they_are_filled(cache: str) -> None:
    builder, runner = stages(split(AFTER_INSTALL.format(more=f" && rm -rf {cache}"), PSYCOPG))
    assert f"rm -rf {cache}" in builder
    assert "rm -rf /var/lib/apt/lists/*\nCOPY" in runner


@pytest.mark.parametrize("more", [" && rm requirements.txt", "\nRUN rm -f requirements.txt"])
def test_manifests_are_not_removed_where_they_never_were(more: str) -> None:
    builder, runner = stages(split(AFTER_INSTALL.format(more=more), PSYCOPG))
    assert "requirements.txt" in builder.rpartition("rm ")[2]
    assert "requirements.txt" not in runner


def test_manifests_that_a_step_of_the_runner_reads_are_there() -> None:
    _, runner = stages(split(AFTER_INSTALL.format(more="\nRUN cat requirements.txt > deps.txt"), PSYCOPG))
    assert "COPY requirements.txt ./\nRUN cat requirements.txt > deps.txt\n" in runner


def test_programs_that_steps_of_the_runner_call_are_installed_there() -> None:
    text = AFTER_INSTALL.format(more="\nRUN curl -o data.json https://example.org/data.json && tar xf parts.tar")
    _, runner = stages(split(text, {**PSYCOPG, "parts.tar": ""}))
    assert "libpq5 curl" in runner
    assert "RUN curl -o data.json" in runner


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ("\nRUN strip lib.so", "what `strip` on line 6 is for is not known"),
        (" && pip wheel -w /wheels flask\nRUN cp -r /wheels /app/wheels",
         "line 6 reads /wheels, which line 5 makes, where packages are installed"),
    ],
)  # fmt: skip
def test_steps_that_need_what_the_builder_has_are_named(more: str, because: str) -> None:
    assert because in refusal(AFTER_INSTALL.format(more=more), PSYCOPG)


def test_steps_keep_the_folder_that_they_change_to() -> None:
    text = AFTER_INSTALL.format(more="\nRUN cd lib && pip install flask && touch x")
    assert "not simply joined by &&" in refusal(text, PSYCOPG)


def test_a_final_stage_with_the_environment_of_a_builder_is_pythons() -> None:
    text = clean(
        """
        FROM python:3.11 AS builder
        COPY requirements.txt ./
        RUN python -m venv /opt/venv && /opt/venv/bin/pip install -r requirements.txt
        FROM gcr.io/distroless/python3-debian12
        WORKDIR /app
        COPY --from=builder /opt/venv /opt/venv
        COPY app.py ./
        CMD ["app.py"]
        """
    )
    file = parse(text.encode())
    assert Python().recognises(StageReading(file, file.stages[-1], BuildContext.of(FLASK)))
