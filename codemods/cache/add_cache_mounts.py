"""add-cache-mounts"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    CompileCache,
    Dockerfile,
    Finding,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    compile_caches,
    leaves,
    refuse,
    rewrites,
)

OLD_FRONTEND = r"docker/dockerfile(?:-upstream)?:(?:1\.[01](?:\.\d+)?|0\.\S*)\Z"
"""`RUN --mount` is in the stable channel since docker/dockerfile 1.2."""


class AddCacheMounts(Codemod):
    """Keep what the compiler can use again in a cache mount.

    Why
    ---
    A RUN that compiles starts from nothing each time a source file changes: all packages are compiled again, those of
    the language and of the dependencies too. A cache mount outlives the layer, so only what changed is compiled, and
    the cache is no part of the image.

    What it does
    ------------
    Gives the RUN that compiles a mount for the compiler's cache, where its user has it: Go's build cache; and what
    Maven, Gradle, dotnet and cargo keep, where one RUN alone uses it. Downloaded Go modules stay in their layer, where
    later steps see them.

    When it refuses
    ---------------
    When another step or a `COPY --from` needs what the mount would hide, when the command keeps its cache elsewhere,
    and when the repository builds with something other than BuildKit or `builder = "portable"` is set.

    Safety
    ------
    REVIEW: the same commands run, with a cache of the build machine that is empty at first.
    """

    phase = Phase.CACHE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.CACHE_MOUNTS})
    examples = (
        rewrites(
            "go build in a builder",
            before="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN --mount=type=cache,target=/root/.cache/go-build \\
                go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
        ),
        rewrites(
            "the author's own folder and user",
            before="""
            FROM golang:1.24-alpine AS builder
            ENV GOCACHE=/cache/go
            COPY . /src
            WORKDIR /src
            USER 1000
            RUN CGO_ENABLED=0 go build -o /tmp/server ./cmd/server
            FROM scratch
            COPY --from=builder /tmp/server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.24-alpine AS builder
            ENV GOCACHE=/cache/go
            COPY . /src
            WORKDIR /src
            USER 1000
            RUN --mount=type=cache,target=/cache/go,uid=1000 \\
                CGO_ENABLED=0 go build -o /tmp/server ./cmd/server
            FROM scratch
            COPY --from=builder /tmp/server /server
            CMD ["/server"]
            """,
        ),
        rewrites(
            "another mount stays",
            before="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN --mount=type=cache,target=/go/pkg/mod go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \\
                go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
        ),
        rewrites(
            "Maven in one RUN",
            before="""
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY . .
            RUN mvn -B package
            FROM eclipse-temurin:21-jre
            COPY --from=builder /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            after="""
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY . .
            RUN --mount=type=cache,target=/root/.m2/repository,sharing=locked \\
                mvn -B package
            FROM eclipse-temurin:21-jre
            COPY --from=builder /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
        ),
        leaves(
            "a mount is there",
            """
            FROM golang:1.24 AS builder
            COPY . /src
            WORKDIR /src
            RUN --mount=type=cache,target=/root/.cache go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
        ),
        leaves(
            "a later step reads what the first one downloaded",
            """
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY pom.xml ./
            RUN mvn dependency:go-offline
            COPY src ./src
            RUN mvn package
            FROM eclipse-temurin:21-jre
            COPY --from=builder /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            because="the other one reads",
        ),
        leaves(
            "the user's home is not known",
            """
            FROM golang:1.24 AS builder
            RUN useradd -m build
            COPY . /src
            WORKDIR /src
            USER build
            RUN go build -o /tmp/server .
            FROM scratch
            COPY --from=builder /tmp/server /server
            CMD ["/server"]
            """,
            because="where that keeps its cache is not known",
        ),
        leaves(
            "the cache is emptied",
            """
            FROM golang:1.24 AS builder
            COPY . /src
            WORKDIR /src
            RUN go build -o /bin/server . && rm -rf /root/.cache
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
            because="empties the cache",
        ),
        leaves(
            "everything is compiled again on purpose",
            """
            FROM golang:1.24 AS builder
            COPY . /src
            WORKDIR /src
            RUN CGO_ENABLED=0 go build -a -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
            because="has every package compiled again",
        ),
        leaves(
            "builders of all kinds",
            """
            FROM golang:1.24 AS builder
            COPY . /src
            WORKDIR /src
            RUN go build -o /bin/server .
            FROM scratch
            COPY --from=builder /bin/server /server
            CMD ["/server"]
            """,
            settings={"builder": "portable"},
            because='builder = "portable"',
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            caches = list(compile_caches(reading))
            for node in dict.fromkeys(c.step.node if isinstance(c, CompileCache) else c[0].node for c in caches):
                own = [c for c in caches if isinstance(c, CompileCache) and c.step.node is node and not c.is_mounted]
                why = self._why_not_mounted(file, context) if own else None
                if why is not None:
                    yield refuse(node, *why)
                elif own:
                    yield _finding(own)
                yield from (
                    refuse(node, c[1].because, c[1].hint)
                    for c in caches
                    if not isinstance(c, CompileCache) and c[0].node is node
                )

    def _why_not_mounted(self, file: Dockerfile, context: BuildContext) -> tuple[str, str] | None:
        if self.settings.builder == "portable":
            return 'the configuration says builder = "portable": not every builder has cache mounts', ""
        frontend = file.directives.get("syntax", "")
        if re.search(OLD_FRONTEND, frontend):
            return f"{frontend} has no RUN --mount", "write # syntax=docker/dockerfile:1"
        other = context.deployment.other_builder
        return (f"{other}: not every builder has cache mounts", "build with BuildKit") if other else None


def _finding(caches: list[CompileCache]) -> Finding:
    node = caches[0].step.node
    new = node
    for cache in caches:
        new = new.with_flag("mount", cache.mount)
    # A long flag stands on a line of its own, as in Docker's documentation.
    if not node.heredocs and not new.text.partition(new.raw_argument)[0].rstrip(" \t").endswith("\n"):
        new = new.splice([(0, 0, "\\\n    ")])
    names = " and ".join(cache.folder for cache in caches)
    return Finding(
        node,
        f"keep {names} in a cache mount",
        [Replace(node, [new])],
        why="an edit of the sources compiles what changed, not everything",
        evidence=[reason for cache in caches for reason in cache.evidence],
    )
