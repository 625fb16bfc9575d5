"""Java and Kotlin: Maven and Gradle projects with their wrappers and modules, on the JRE of the same version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.answers import BuiltStart, Slim, Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root

_RUNS = r"spring-boot:run|quarkus:dev|exec:java|jetty:run|tomcat7:run|micronaut:run|mn:run|bootRun|run|:run|quarkusDev"


class Java(Language):
    name = "Java"
    families = frozenset({"maven", "gradle", "eclipse-temurin", "openjdk", "amazoncorretto"})
    compilers = frozenset({"maven", "gradle"})
    programs = frozenset({"mvn", "mvnw", "gradle", "gradlew", "java", "javac", "kotlinc", "jar"})
    sources = r"\.(?:java|kt|scala|groovy)\Z"
    build_variables = r"MAVEN_\w+|GRADLE_\w+|MVNW_\w+"
    build_packages = frozenset(
        """maven gradle dos2unix default-jdk default-jdk-headless openjdk-8-jdk openjdk-8-jdk-headless openjdk-11-jdk
        openjdk-11-jdk-headless openjdk-17-jdk openjdk-17-jdk-headless openjdk-21-jdk openjdk-21-jdk-headless
        """.split()
    )

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.java.tools import effect

        return effect(call)

    def entry(self, root: Root) -> str | Refused | None:
        words = root.words
        if root.name in {"mvn", "mvnw", "gradle", "gradlew"}:
            goal = next((word for word in words[1:] if re.fullmatch(rf"(?:[\w.-]*:)?(?:{_RUNS})", word)), None)
            what = f"`{' '.join(words)}`, which compiles at every start" if goal else f"`{' '.join(words)}`"
            return Refused(f"{root.where} starts {what}", "build the jar in a RUN, and start it: java -jar")
        if root.name != "java":
            return words[0] if "/" in words[0] else None
        if "-jar" in words[:-1]:
            return words[words.index("-jar") + 1]
        at = next((index for index, word in enumerate(words) if word in {"-cp", "-classpath", "--class-path"}), None)
        if at is not None and at + 1 < len(words):
            first = next((part for part in words[at + 1].split(":") if part and part != "."), None)
            if first is not None:
                return first.removesuffix("/*")
        named = [word for word in words[1:] if not word.startswith("-")]
        if named and named[0].endswith(".java"):
            return Refused(f"{root.where} compiles {named[0]} at every start", "compile it in a RUN with javac")
        return f"{named[-1].replace('.', '/')}.class" if named else None

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.java.needs import needs

        files = self.sources_of(program)
        return files if isinstance(files, Refused) else needs(program, files)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.java.needs import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.java.needs import release_of, runner

        programs = self.programs_of(reading)
        found = () if isinstance(programs, Refused) else programs
        return runner(reading, wish, next((release_of(one) for one in found), None))

    def slim(self, reading: StageReading) -> Slim | Refused | None:
        from refactor.ecosystems.java.slimming import slim

        image = reading.image
        is_jdk = image is not None and image.variant.startswith("jdk")
        return slim(self, reading, self.programs_of(reading)) if is_jdk else None

    def serving(self, reading: StageReading) -> Serving | Refused | None:
        from refactor.ecosystems.java.health import serving

        return serving(reading, self.programs_of(reading))

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        from refactor.ecosystems.java.starting import built_start

        return built_start(reading, self.flow(reading))

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.java.version import NAMING

        return NAMING if family in {"eclipse-temurin", "amazoncorretto", "openjdk"} else None
