"""Python projects: requirements files, pyproject.toml with pip, poetry, uv, pdm or pipenv, setup.py."""

from __future__ import annotations

from refactor.ecosystems.table import Language
from refactor.flow.reading import StageReading

_MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})


class Python(Language):
    name = "Python"
    rooms = {
        "effects": "effect",
        "installs": "installed",
        "splitting": "slim split",
        "testing": "tests",
        "production": "production_install",
        "production_server": "production_server",
        "program": "programs_of sources_of",
        "health": "serving probe",
        "writing": "writes",
    }
    families = frozenset({"python", "pypy"})
    versioned = frozenset({"python"})
    programs = frozenset(
        ["pip", "pip3", "poetry", "uv", "uvx", "pipenv", "pdm", "virtualenv", "python", "python3", "pypy", "pypy3"]
        + [f"{name}3.{minor}" for name in ("python", "pip") for minor in range(6, 16)]
    )
    tools = frozenset(
        """flask django-admin alembic playwright spacy streamlit celery pybabel mkdocs invoke aerich prisma gdown
        huggingface-cli transformers-cli manage.py dvc scrapy jupyter opentelemetry-bootstrap reflex superset dbt
        sphinx-build chainlit nltk""".split()
    )
    """Programs of distributions that Dockerfiles call at build time once these are installed."""
    carries_builds = False

    def is_at_work(self, reading: StageReading) -> bool:
        # A build of another language may well call `python3` for a script.
        is_own = reading.image is not None and reading.image.family in self.families
        return is_own or not reading.managers.isdisjoint(_MANAGERS)
