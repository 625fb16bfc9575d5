"""The test stage of a Go project: ``go test ./...`` in the module that is built."""

from __future__ import annotations

from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.go.commands import go_calls
from refactor.ecosystems.testing import why_no_tests
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction


def tests(reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
    """See :meth:`Ecosystem.tests`."""
    del plan
    why = why_no_tests(reading, ("_test.go",))
    if why is not None:
        return why
    build = next((go for go in go_calls(reading) if go.builds), None)
    if build is None:
        return Refused("no go build is found")
    module = build.module()
    if isinstance(module, Refused):
        return module
    return ("RUN go test ./...",)


__all__ = ["tests"]
