"""Python projects: requirements files, pyproject.toml with pip, poetry, uv, pdm or pipenv, setup.py."""

from __future__ import annotations

from collections.abc import Sequence

from refactor.ecosystems.ecosystem import Ecosystem, Install, Rewrite, Slim, SplitPlan, Written
from refactor.ecosystems.reading import Refused, StageReading, Step

_MANAGERS = frozenset({"pip", "poetry", "uv", "pdm", "pipenv"})


class Python(Ecosystem):
    name = "Python"

    def recognises(self, reading: StageReading) -> bool:
        if reading.image is not None and reading.image.family == "python":
            return True
        return any(call.manager in _MANAGERS for _, call in reading.calls)

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.python.installs import ReadInstall, read_installs
        from refactor.ecosystems.python.stage import PythonStage

        if reading.context.why_unknown is not None:
            return ()
        answers: list[Install | tuple[Step, Refused]] = []
        apart: set[str] = set()
        for read in read_installs(PythonStage.of(reading)):
            if not isinstance(read, ReadInstall):
                answers.append((read[0].step, read[1]))
            elif read.sources is not None:
                if read.call is not None and read.call.manager in apart:
                    # Its dependencies are there already: only the project itself is installed now.
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
        return answers

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

    def slim(self, reading: StageReading) -> Slim | Refused | None:
        from refactor.ecosystems.python.slimming import slim

        return slim(reading)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.python.splitting import split

        return split(reading, runner)

    def program(self, reading: StageReading) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.python.program import program

        return program(reading)

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.ecosystems.python.writing import written

        return written(reading)


def _hint(read: object) -> str:
    from refactor.ecosystems.python.installs import ReadInstall

    call = read.call if isinstance(read, ReadInstall) else None
    if call is not None and call.manager in {"poetry", "uv", "pdm"}:
        flag = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}[call.manager]
        return (
            f"install the dependencies alone first (`{call.program} {call.verb} {flag}`), the project after the sources"
        )
    return "list the dependencies in a requirements file and install that first"
