"""Python projects: requirements files, pyproject.toml with pip, poetry, uv, pdm or pipenv, setup.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import PackageCall

if TYPE_CHECKING:
    from refactor.context.python_manifests import Requirement
    from refactor.ecosystems.answers import DirectStart, Install, Rewrite, Slim, SplitPlan, Written
    from refactor.ecosystems.program import Program
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.syntax import Instruction

_MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})


class Python(Language):
    name = "Python"
    families = frozenset({"python"})
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
        from refactor.ecosystems.python.tools import effect

        return effect(call)

    def _is_at_work(self, reading: StageReading) -> bool:
        # A build of another language may well call `python3` for a script.
        is_own = reading.image is not None and reading.image.family in self.families
        return is_own or not reading.managers.isdisjoint(_MANAGERS)

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.answers import Install
        from refactor.ecosystems.python.installs import ReadInstall, read_installs
        from refactor.ecosystems.python.metadata import dependencies_first
        from refactor.ecosystems.python.stage import PythonStage

        if reading.context.why_unknown is not None:
            return ()
        stage = PythonStage.of(reading)
        answers: list[Install | tuple[Step, Refused]] = []
        by_name: list[Install] = []
        apart: set[str] = set()
        for read in read_installs(stage):
            if not isinstance(read, ReadInstall):
                answers.append((read[0].step, read[1]))
            elif read.sources is not None:
                if read.call is not None and read.call.manager in apart:
                    # Its dependencies are there already: only the project itself is installed now.
                    continue
                first = dependencies_first(stage, read)
                if first is not None:
                    if isinstance(first, Install) and read.call is not None:
                        apart.add(read.call.manager)
                    answers.append(first)
                    continue
                answers.append((read.act.step, Refused(read.sources, _hint(read))))
            elif read.manifests:
                if read.call is not None:
                    apart.add(read.call.manager)
                names = ", ".join(read.manifests)
                answers.append(
                    Install(
                        read.act.step,
                        (read.act.command,),
                        read.folder,
                        read.manifests,
                        (f"the installation reads {names} and nothing of the sources",),
                    )
                )
            elif read.call is not None and _is_by_name(read.call, read.requirements):
                named = " ".join(word.text for word in read.call.packages)
                by_name.append(
                    Install(read.act.step, (read.act.command,), read.folder, (), (f"{named} come from the index",))
                )
        # An install from manifests takes those before it along.
        return [*answers, *by_name]

    def production_install(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        from refactor.ecosystems.python.installs import ReadInstall, read_installs
        from refactor.ecosystems.python.production import production
        from refactor.ecosystems.python.stage import PythonStage

        locking = _MANAGERS - {"pip"}
        if reading.context.why_unknown is not None or not any(call.manager in locking for _, call in reading.calls):
            return ()
        stage = PythonStage.of(reading)
        reads = [read for read in read_installs(stage) if isinstance(read, ReadInstall)]
        return [answer for read in reads for answer in production(stage, read)]

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


def _is_by_name(call: PackageCall, requirements: Sequence[Requirement]) -> bool:
    """pip installs what it is told by name, from the index, into its own environment."""
    return (
        call.manager == "pip"
        and call.action == "install"
        and bool(requirements)
        and all(need.name and need.path is None for need in requirements)
        and not call.has("-t", "--target", "--prefix", "--root", "-f", "--find-links", "--no-index", "-r", "-c", "-e")
    )


def _hint(read: object) -> str:
    from refactor.ecosystems.python.installs import ReadInstall

    call = read.call if isinstance(read, ReadInstall) else None
    if call is not None and call.manager in {"poetry", "uv", "pdm"}:
        flag = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}[call.manager]
        return (
            f"install the dependencies alone first (`{call.program} {call.verb} {flag}`), the project after the sources"
        )
    return "list the dependencies in a requirements file and install that first"
