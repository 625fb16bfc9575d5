"""use-slim-base"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    Stage,
    StageReading,
    foreign,
    leaves,
    program_of,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    from refactor import Base, Slim

BUILDS = frozenset({"fat", "jdk", "jdk-alpine", "sdk"})
"""Variants that carry what builds programs, beside what runs them."""
SMALLER = {"fat": "slim", "jdk": "jre", "jdk-alpine": "jre-alpine"}
JAVA = {
    "pom.xml": "<project><artifactId>app</artifactId><build><finalName>app</finalName></build></project>",
    "src/main/java/App.java": "public class App { public static void main(String[] a) {} }",
}


class UseSlimBase(Codemod):
    """Start the final image from the slim variant of the same base.

    Why
    ---
    `node:20` and `python:3.11` carry compilers, headers and version control of a whole build machine: some 800 MB that
    a running program does not use, and that scanners report on.

    What it does
    ------------
    Replaces the base of the final stage by its slim variant (a JDK by the JRE), of the same version and the same
    distribution release, so that the C library and everything linked against it stay the same. Packages of the full
    image that the program needs are installed. Where the final stage is on a compiler's image and holds what an earlier
    stage built, it gets the small image that carries the program.

    When it refuses
    ---------------
    When packages are compiled in the final stage, when it is not known what the program needs from the full image, when
    the image is pinned by digest or has no slim variant.

    Safety
    ------
    REVIEW: system packages disappear on purpose; what shows that the program does without is printed as evidence.
    """

    phase = Phase.BASE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.BASE, Aspect.COMMANDS, Aspect.LAYERS})
    hadolint = ()
    examples = (
        rewrites(
            "pure Python",
            before="""
            FROM python:3.11
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            COPY . .
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask==3.0.0\n", "app.py": "import flask\n"},
        ),
        rewrites(
            "Compose's health check calls what only the full image has",
            before="""
            FROM python:3.11
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN apt-get update \\
                && apt-get install -y --no-install-recommends curl \\
                && rm -rf /var/lib/apt/lists/*
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            files={
                "app.py": "print(1)\n",
                "compose.yaml": "services: {web: {build: ., healthcheck: {test: [CMD, curl, localhost]}}}",
            },
        ),
        rewrites(
            "a JRE for what another stage compiled",
            before="""
            FROM maven:3.9-eclipse-temurin-17 AS build
            WORKDIR /src
            COPY . .
            RUN mvn package
            FROM eclipse-temurin:17
            COPY --from=build /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            after="""
            FROM maven:3.9-eclipse-temurin-17 AS build
            WORKDIR /src
            COPY . .
            RUN mvn package
            FROM eclipse-temurin:17-jre
            COPY --from=build /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            files=JAVA,
        ),
        rewrites(
            "the compiler's image, with nothing but its program",
            before="""
            FROM golang:1.22 AS build
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /hello .
            FROM golang:1.22
            WORKDIR /app
            COPY --from=build /hello /usr/local/bin/hello
            USER 10001:10001
            CMD ["hello"]
            """,
            after="""
            FROM golang:1.22 AS build
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /hello .
            FROM gcr.io/distroless/static-debian12
            WORKDIR /app
            COPY --from=build /hello /usr/local/bin/hello
            USER 10001:10001
            CMD ["hello"]
            """,
            files={"go.mod": "module hello\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() { println(1) }\n"},
        ),
        leaves(
            "a health check that calls a tool of the JDK",
            """
            FROM maven:3.9-eclipse-temurin-17 AS build
            WORKDIR /src
            COPY . .
            RUN mvn package
            FROM eclipse-temurin:17
            COPY --from=build /src/target/app.jar /app.jar
            HEALTHCHECK CMD ["jcmd", "1", "VM.version"]
            CMD ["java", "-jar", "/app.jar"]
            """,
            files=JAVA,
            because="calls jcmd, which only the JDK has",
        ),
        leaves(
            "no wheel for this CPython",
            """
            FROM python:3.12
            COPY requirements.txt app.py ./
            RUN pip install --no-cache-dir -r requirements.txt
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "asyncpg==0.26.0\n", "app.py": "import asyncpg\n"},
            because="asyncpg==0.26.0 has no wheel for CPython 3.12",
        ),
        leaves(
            "no wheel yet for the newest CPython",
            """
            FROM python:3.14
            RUN pip install --no-cache-dir ujson==5.10.0
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            files={"app.py": "import ujson\n"},
            because="ujson==5.10.0 has no wheel for CPython 3.14",
        ),
        leaves(
            "nobody knows how it is installed",
            """
            FROM python:3.12
            RUN pip install --no-cache-dir something-of-my-own==1.0
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            files={"app.py": "import something\n"},
            because="nothing says whether something-of-my-own==1.0 can be installed without a compiler",
        ),
        leaves(
            "the sources are not in the context",
            """
            FROM python:3.11
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            COPY app.py ./
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask==3.0.0\n"},
            because="app.py",
        ),
        leaves(
            "slim already",
            """
            FROM python:3.11-slim
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask==3.0.0\n", "app.py": "import flask\n"},
        ),
        leaves(
            "the image is pinned by digest",
            """
            FROM python:3.11@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask==3.0.0\n", "app.py": "import flask\n"},
            because="pinned by digest",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not file.stages:
            return
        stage = file.stages[-1]
        reading = StageReading.of(file, stage, context)
        if reading.parent is not None or reading.image is None:
            return
        languages = recognise(reading)
        other = None if languages else foreign(reading)
        if other is not None and reading.image.variant in BUILDS:
            yield refuse(stage.from_, *other.refused)
        variant = SMALLER.get(reading.image.variant)
        base = next((base for language in languages if (base := language.base(reading)) is not None), None)
        if base is not None:
            yield refuse(stage.from_, *base) if isinstance(base, Refused) else _on_another(file, stage, base)
            return
        if variant is None:
            return
        is_pinned = "@" in (reading.image_reference or "")
        if not languages or (reading.image.with_variant(variant) is None and not is_pinned):
            return
        if context.why_unknown is not None:
            yield refuse(
                stage.from_, f"the build context is not known: {context.why_unknown}", "name it with --context"
            )
            return
        from refactor import named, variant_reference

        slim = variant_reference(reading, variant)
        if isinstance(slim, Refused):
            yield refuse(stage.from_, slim.because, slim.hint)
            return
        needs: list[Slim] = []
        for language in languages:
            answer = language.slim(reading)
            if isinstance(answer, Refused):
                yield refuse(stage.from_, answer.because, answer.hint)
                return
            if answer is not None:
                needs.append(answer)
        if not needs:
            return
        sources = program_of(reading)
        if isinstance(sources, Refused):
            yield refuse(stage.from_, f"what the program needs is not known: {sources.because}", sources.hint)
            return
        packages = tuple(dict.fromkeys(name for need in needs for name in need.packages))
        more = [] if not packages else [file.new(_install(packages))]
        yield Finding(
            stage.from_,
            f"start from {slim}" + (f" with {', '.join(packages)}" if packages else ""),
            [Replace(stage.from_, [stage.with_image(slim), *more])],
            why=f"{stage.image} carries a whole build machine that the program does not use",
            evidence=(
                f"read {named(sources)} of the program that is started"
                if sources
                else "no file of the context is started",
                *(line for need in needs for line in need.evidence),
            ),
        )


def _on_another(file: Dockerfile, stage: Stage, base: Base) -> Finding:
    more = [file.new(text) for text in base.instructions]
    return Finding(
        stage.from_,
        f"start from {base.image}",
        [
            Replace(stage.from_, [stage.with_image(base.image), *more]),
            *(Replace(node, [file.new(text)]) for node, text in base.instead.items()),
        ],
        why=f"{stage.image} builds programs, and this stage starts one that is built",
        evidence=base.evidence,
        may_change={Aspect.WORKDIR} if base.sets_workdir else (),
    )


def _install(packages: tuple[str, ...]) -> str:
    return (
        "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends "
        + " ".join(packages)
        + " \\\n    && rm -rf /var/lib/apt/lists/*"
    )
