"""Java and Kotlin: Maven and Gradle projects with their wrappers and modules, on the JRE of the same version."""

from __future__ import annotations

from refactor.ecosystems.table import Language


class Java(Language):
    name = "Java"
    rooms = {"tools": "effect built_start", "needs": "entry needs_of writes runner serving"}
    families = frozenset({"maven", "gradle", "eclipse-temurin", "openjdk", "amazoncorretto"})
    versioned = frozenset({"eclipse-temurin", "amazoncorretto", "openjdk"})
    compilers = frozenset({"maven", "gradle"})
    programs = frozenset({"mvn", "mvnw", "gradle", "gradlew", "java", "javac", "kotlinc", "jar"})
    compiles = r"(?:mvnw?|gradlew?)(?: |\Z)"
    build_once = "build the jar in a RUN, and start it: java -jar"
    sources = r"\.(?:java|kt|scala|groovy)\Z"
    build_variables = r"MAVEN_\w+|GRADLE_\w+|MVNW_\w+"
    build_packages = frozenset({"dos2unix"}).union(*(
        (f"{name}-jdk", f"{name}-jdk-headless") for name in ("default", *(f"openjdk-{n}" for n in (8, 11, 17, 21, 25)))
    ))  # fmt: skip
