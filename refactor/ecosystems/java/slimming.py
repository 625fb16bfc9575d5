"""Whether a program runs on the JRE of the same image."""

from __future__ import annotations

import posixpath

from refactor.ecosystems.answers import Slim
from refactor.ecosystems.called import programs_started
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
    programs = language.programs_of(reading) if image is not None and image.variant.startswith("jdk") else ()
    if isinstance(programs, Refused):
        return programs
    if not programs:
        return None
    called: list[tuple[str, str]] = []
    for step in reading.runs:
        line = f"line {reading.file.line_of(step.node)}"
        if step.script is None or step.script.opaque is not None:
            return Refused(f"{line} may call anything, which only the JDK has", "build in a stage of its own")
        called += ((command.name or "", line) for command in step.commands)
    called += programs_started(reading).items()
    evidence = []
    for program in programs:
        found = language.needs(program)
        if isinstance(found, Refused):
            return found
        called += found.programs.items()
        evidence.append(f"{program.root.where} runs {program.made}, and no step or check calls a tool of the JDK")
    tool = next((one for one in called if posixpath.basename(one[0]) in _OF_THE_JDK), None)
    if tool is not None:
        return Refused(f"{tool[1]} calls {tool[0]}, which only the JDK has", "build in a stage of its own")
    return Slim((), tuple(dict.fromkeys(evidence)))
