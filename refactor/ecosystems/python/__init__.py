"""Python projects: requirements files, pyproject.toml with pip, poetry, uv, pdm or pipenv, setup.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import DirectStart, Install, Rewrite, Slim, SplitPlan, Written
    from refactor.ecosystems.program import Program
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.syntax import Instruction

_MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})


class Python(Language):
    name = "Python"
    families = frozenset({"python", "pypy"})
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

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.python.effects import effect

        return effect(call)

    def is_at_work(self, reading: StageReading) -> bool:
        # A build of another language may well call `python3` for a script.
        is_own = reading.image is not None and reading.image.family in self.families
        return is_own or not reading.managers.isdisjoint(_MANAGERS)

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.python.installing import installs

        return () if reading.context.why_unknown is not None else tuple(installs(reading))

    def production_install(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        from refactor.ecosystems.python.production import production_installs

        if reading.context.why_unknown is not None or reading.managers.isdisjoint(_MANAGERS - {"pip"}):
            return ()
        return tuple(production_installs(reading))

    def production_server(self, reading: StageReading) -> DirectStart | Refused | None:
        from refactor.ecosystems.python.production_server import production_server

        return None if reading.context.why_unknown is not None else production_server(reading)

    def slim(self, reading: StageReading) -> Slim | Refused | None:
        from refactor.ecosystems.python.slimming import slim

        return slim(reading)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.python.splitting import split

        return split(reading, runner)

    def tests(self, reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
        from refactor.ecosystems.python.testing import tests

        return tests(reading, plan)

    def programs_of(self, reading: StageReading) -> tuple[Program, ...] | Refused:
        from refactor.ecosystems.python.program import programs_of

        return programs_of(reading)

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.python.program import program as sources

        return sources(program.reading)

    def probe(self, reading: StageReading, route: str, port: int) -> tuple[str, ...]:
        from refactor.ecosystems.python.health import probe
        from refactor.ecosystems.serving import Port

        return probe(reading, route, Port(port))

    def serving(self, reading: StageReading) -> Serving | Refused | None:
        from refactor.ecosystems.python.health import serving

        return serving(reading)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.python.writing import writes

        return writes(program, files)

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.python.version import NAMING

        return NAMING if family == "python" else None
