"""Java and Kotlin: Maven and Gradle projects with their wrappers and modules, on the JRE of the same version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.flow.roots import Root

_RUNS = r"spring-boot:run|quarkus:dev|exec:java|jetty:run|tomcat7:run|micronaut:run|mn:run|bootRun|run|:run|quarkusDev"


class Java(Language):
    name = "Java"
    rooms = {
        "tools": "effect",
        "needs": "needs_of writes runner",
        "slimming": "slim",
        "health": "serving",
        "starting": "built_start",
    }
    families = frozenset({"maven", "gradle", "eclipse-temurin", "openjdk", "amazoncorretto"})
    versioned = frozenset({"eclipse-temurin", "amazoncorretto", "openjdk"})
    compilers = frozenset({"maven", "gradle"})
    programs = frozenset({"mvn", "mvnw", "gradle", "gradlew", "java", "javac", "kotlinc", "jar"})
    sources = r"\.(?:java|kt|scala|groovy)\Z"
    build_variables = r"MAVEN_\w+|GRADLE_\w+|MVNW_\w+"
    build_packages = frozenset(
        """maven gradle dos2unix default-jdk default-jdk-headless openjdk-8-jdk openjdk-8-jdk-headless openjdk-11-jdk
        openjdk-11-jdk-headless openjdk-17-jdk openjdk-17-jdk-headless openjdk-21-jdk openjdk-21-jdk-headless
        """.split()
    )

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
