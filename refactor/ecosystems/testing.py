"""What the test stage of a split needs in any language: tests that are there, and sources in the builder."""

from __future__ import annotations

from collections.abc import Iterator

from refactor.context import Unknown
from refactor.context.literals import is_test
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.flow.reading import Refused, StageReading
from refactor.syntax import Instruction


def why_no_tests(reading: StageReading, endings: tuple[str, ...]) -> Refused | None:
    """No test of the project is sent to the build, or none of them is copied."""
    files = reading.context.files()
    if isinstance(files, Unknown):
        return Refused(f"the tests are not known: {files.reason}")
    found = [path for path in files if path.endswith(endings) and is_test(path)]
    if not found:
        return Refused("no test is in the build context", "let .dockerignore keep them")
    if not any(reading.in_image(path) for path in found):
        return Refused(f"no COPY takes the tests along ({found[0]})", "copy them with the sources")
    return None


def written(plan: SplitPlan) -> Iterator[str]:
    """What the builder of a plan does, as text: keywords and arguments."""
    for entry in plan.builder:
        one = entry.text if isinstance(entry, Instead) else entry
        yield one if isinstance(one, str) else one.text


def other_copies(reading: StageReading, plan: SplitPlan) -> Iterator[Instruction]:
    """The COPYs from the build context that the builder does without, or takes only in part."""
    kept = {id(entry) for entry in plan.builder}
    for node in dict.fromkeys(copied.node for copied in reading.copies):
        if id(node) not in kept:
            yield node


__all__ = ["other_copies", "why_no_tests", "written"]
