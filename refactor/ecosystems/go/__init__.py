"""Go projects: modules, vendored and GOPATH trees; static programs, cgo, and what a program reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.ecosystem import Ecosystem
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import Crossing, Install, SplitPlan, Written
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.syntax import Instruction


class Go(Ecosystem):
    name = "Go"
    programs = frozenset({"go"})

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.go.effects import effect

        return effect(call)

    def recognises(self, reading: StageReading) -> bool:
        if reading.image is not None and reading.image.family == "golang":
            return True
        return _builds(reading) or self._origin(reading) is not None

    def _origin(self, reading: StageReading) -> StageReading | None:
        """The Go stage that the programs of this one are copied from."""
        for _, other in reading.copies_of_stages:
            if (other.image is not None and other.image.family == "golang") or _builds(other):
                return other
        return None

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.go.installing import installs

        if reading.context.why_unknown is not None:
            return ()
        return tuple(installs(reading))

    def crossing(self, reading: StageReading) -> Crossing | Refused | None:
        from refactor.ecosystems.go.crossing import crossing

        return crossing(reading)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.go.splitting import split

        return split(reading, runner)

    def tests(self, reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
        from refactor.ecosystems.go.testing import tests

        return tests(reading, plan)

    def program(self, reading: StageReading) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.go.writing import program

        return program(reading, self._origin(reading))

    def serving(self, reading: StageReading) -> Serving | Refused | None:
        from refactor.ecosystems.go.health import serving

        return serving(reading, self.program(reading))

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.ecosystems.go.writing import written

        return written(reading, self._origin(reading))

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.go.version import NAMING

        return NAMING if family == "golang" else None


def _builds(reading: StageReading) -> bool:
    return "go" in reading.managers and any(
        call.manager == "go" and call.action in {"build", "install"} for _, call in reading.calls
    )
