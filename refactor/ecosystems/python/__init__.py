"""Python projects: requirements files, pyproject.toml with pip, poetry, uv, pdm or pipenv, setup.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import DirectStart, Rewrite
    from refactor.ecosystems.program import Program

_MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})


class Python(Language):
    name = "Python"
    rooms = {
        "effects": "effect",
        "installs": "installed",
        "slimming": "slim",
        "splitting": "split",
        "testing": "tests",
        "program": "programs_of",
        "health": "serving",
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

    def production_install(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        from refactor.ecosystems.python.production import production_installs

        if reading.context.why_unknown is not None or reading.managers.isdisjoint(_MANAGERS - {"pip"}):
            return ()
        return tuple(production_installs(reading))

    def production_server(self, reading: StageReading) -> DirectStart | Refused | None:
        from refactor.ecosystems.python.production_server import production_server

        return None if reading.context.why_unknown is not None else production_server(reading)

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.python.program import program as sources

        return sources(program.reading)

    def probe(self, reading: StageReading, route: str, port: int) -> tuple[str, ...]:
        from refactor.ecosystems.python.health import probe
        from refactor.ecosystems.serving import Port

        return probe(reading, route, Port(port))
