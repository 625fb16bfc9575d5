"""Whether a program runs on the JRE of the same image."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor.ecosystems.answers import Slim
from refactor.ecosystems.system import programs_started
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

_OF_THE_JDK = frozenset(
    """
    jar jarsigner javac javadoc javap jcmd jconsole jdb jdeprscan jdeps jhsdb jinfo jlink jmap jmod jpackage jps jshell
    jstack jstat jstatd serialver mvn mvnw gradle gradlew kotlinc sbt
    """.split()
)
"""Its own tools (https://docs.oracle.com/en/java/javase/21/docs/specs/man/), and what compiles with them."""


def slim(language: Language, reading: StageReading) -> Slim | Refused | None:
    """What the programs of a stage on a JDK need from the JRE of the same image: nothing more, or why not."""
    image = reading.image
    if image is None or not image.variant.startswith("jdk"):
        return None
    programs = language.programs_of(reading)
    if isinstance(programs, Refused):
        return programs
    if not programs:
        return None
    called = next(_tools(reading), None)
    if called is not None:
        return Refused(f"{called}, which only the JDK has", "build in a stage of its own")
    evidence = []
    for program in programs:
        found = language.needs(program)
        if isinstance(found, Refused):
            return found
        if found.packages or any(_is_of_the_jdk(name) for name in found.programs):
            return Refused(f"{program.made} calls tools of the JDK")
        evidence.append(f"{program.root.where} runs {program.made}, and no step or check calls a tool of the JDK")
    return Slim((), tuple(dict.fromkeys(evidence)))


def _tools(reading: StageReading) -> Iterator[str]:
    for step in reading.runs:
        line = reading.file.line_of(step.node)
        if step.script is None or step.script.opaque is not None:
            yield f"line {line} may call anything"
        yield from (f"line {line} calls {command.name}" for command in step.commands if _is_of_the_jdk(command.name))
    for name, where in programs_started(reading).items():
        if _is_of_the_jdk(name):
            yield f"{where} calls {name}"


def _is_of_the_jdk(name: str | None) -> bool:
    return posixpath.basename(name or "") in _OF_THE_JDK
