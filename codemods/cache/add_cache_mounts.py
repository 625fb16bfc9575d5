"""add-cache-mounts"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    Option,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    body_of,
    leaves,
    recognise,
    refuse,
    rewrites,
    why_lists_needed,
    why_lists_needed_above,
)

OLD_FRONTEND = r"docker/dockerfile(?:-upstream)?:(?:1\.[01](?:\.\d+)?|0\.\S*)\Z"
"""`RUN --mount` is in the stable channel since docker/dockerfile 1.2."""


class AddCacheMounts(Codemod):
    """Keep what a build can use again in a cache mount.

    Why
    ---
    A RUN that compiles starts from nothing each time a source file changes: all packages are compiled again, those of
    the language and of the dependencies too. A cache mount outlives the layer, so only what changed is compiled, and
    the cache is no part of the image.

    What it does
    ------------
    Gives the RUN that compiles a mount for the compiler's cache, where its user has it: Go's build cache; and what
    Maven, Gradle, dotnet and cargo keep, where one RUN alone uses it. Downloaded Go modules stay in their layer, where
    later steps see them. With `downloads = true` (`--preset modern`) what package managers download is kept as well:
    the archives of apt, pip, uv, npm, yarn 1, pnpm, Composer and Bundler; and what Go, Maven, Gradle and cargo fetch,
    in a mount of every RUN that calls them. For apt the cleaning of its lists goes, and so does `docker-clean` of
    Debian's images, which would empty the mount.

    When it refuses
    ---------------
    When another step or a `COPY --from` needs what the mount would hide, when the command keeps its cache elsewhere or
    none (`--no-cache-dir`), when the RUN empties it itself, when the user's home or number is not known, and when the
    repository builds with something other than BuildKit or `builder = "portable"` is set.

    Safety
    ------
    REVIEW: the same commands run, with a cache of the build machine that is empty at first.
    """

    phase = Phase.CACHE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.CACHE_MOUNTS})
    options = {
        "downloads": Option(False, "keep what package managers download, too", (False, True), modern=True),
    }
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
        rewrites(
            "downloads, when asked",
            before="""
            FROM python:3.12-slim
            RUN apt-get update && apt-get install -y --no-install-recommends libpq5 \\
                && rm -rf /var/lib/apt/lists/*
            RUN groupadd -g 1001 app && useradd -m -u 1001 -g 1001 app
            USER app
            RUN pip install --user psycopg
            """,
            after="""
            FROM python:3.12-slim
            RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \\
                rm -f /etc/apt/apt.conf.d/docker-clean \\
                && apt-get update && apt-get install -y --no-install-recommends libpq5
            RUN groupadd -g 1001 app && useradd -m -u 1001 -g 1001 app
            USER app
            RUN --mount=type=cache,target=/home/app/.cache/pip,uid=1001,gid=1001 \\
                pip install --user psycopg
            """,  # noqa: E501
            settings={"downloads": True},
        ),
        rewrites(
            "what one RUN downloads and another one reads",
            before="""
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
            after="""
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY pom.xml ./
            RUN --mount=type=cache,target=/root/.m2/repository,sharing=locked \\
                mvn dependency:go-offline
            COPY src ./src
            RUN --mount=type=cache,target=/root/.m2/repository,sharing=locked \\
                mvn package
            FROM eclipse-temurin:21-jre
            COPY --from=builder /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            settings={"downloads": True},
        ),
        leaves(
            "no cache is wanted",
            """
            FROM python:3.12-slim
            RUN pip install --no-cache-dir flask
            """,
            because="has --no-cache-dir",
            settings={"downloads": True},
        ),
        leaves(
            "the folder is copied from later",
            """
            FROM node:22 AS builder
            RUN npm install -g serve
            FROM node:22-slim
            COPY --from=builder /root /root
            """,
            because="copies /root from this stage",
            settings={"downloads": True},
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
            because="whose number is not known",
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
            found = _compiled(reading) if recognise(reading) else []
            if self.option("downloads"):
                found = _together(found, _downloaded(reading))
            why = self._why_not_mounted(file, context) if any(one.mounts for one in found) else None
            for one in found:
                if why is not None and one.mounts:
                    yield refuse(one.node, *why)
                elif one.mounts:
                    yield _finding(file, one)
                yield from one.refusals

    def _why_not_mounted(self, file: Dockerfile, context: BuildContext) -> tuple[str, str] | None:
        if self.settings.builder == "portable":
            return 'the configuration says builder = "portable": not every builder has cache mounts', ""
        frontend = file.directives.get("syntax", "")
        if re.search(OLD_FRONTEND, frontend):
            return f"{frontend} has no RUN --mount", "write # syntax=docker/dockerfile:1"
        other = context.deployment.other_builder
        return (f"{other}: not every builder has cache mounts", "build with BuildKit") if other else None


class _Run:
    """What one RUN is given."""

    def __init__(self, node: Instruction) -> None:
        self.node = node
        self.mounts: dict[str, str] = {}
        """Values of ``--mount`` by what they keep."""
        self.why: list[str] = []
        self.evidence: list[str] = []
        self.refusals: list[Refusal] = []
        self.cleanings: tuple[Command, ...] = ()
        """Commands that would empty a mount."""
        self.first = ""
        """A command that has to come before the others."""


def _compiled(reading: StageReading) -> list[_Run]:
    from refactor import CompileCache, compile_caches

    runs: dict[Instruction, _Run] = {}
    for cache in compile_caches(reading):
        node = cache.step.node if isinstance(cache, CompileCache) else cache[0].node
        run = runs.setdefault(node, _Run(node))
        if not isinstance(cache, CompileCache):
            run.refusals.append(refuse(node, cache[1].because, cache[1].hint))
        elif not cache.is_mounted:
            run.mounts[cache.folder] = cache.mount
            run.why = ["an edit of the sources compiles what changed, not everything"]
            run.evidence += cache.evidence
    return list(runs.values())


def _downloaded(reading: StageReading) -> list[_Run]:
    from refactor import DownloadCache, download_caches

    runs: dict[Instruction, _Run] = {}
    found = list(download_caches(reading))
    of_apt = [cache.step.node for cache in found if isinstance(cache, DownloadCache) and cache.manager == "apt"]
    why_lists = _why_lists_needed(reading, of_apt) if of_apt else None
    for cache in found:
        node = cache.step.node if isinstance(cache, DownloadCache) else cache[0].node
        run = runs.setdefault(node, _Run(node))
        if not isinstance(cache, DownloadCache):
            run.refusals.append(refuse(node, cache[1].because, cache[1].hint))
            continue
        if cache.manager == "apt" and why_lists is not None:
            run.refusals.append(refuse(node, why_lists, "run apt-get update there"))
        elif not cache.is_mounted:
            run.mounts.update(cache.mounts)
            run.why = ["what was downloaded once is not fetched again, and is no part of the image"]
            run.evidence += cache.evidence
            run.cleanings, run.first = (*run.cleanings, *cache.cleanings), run.first or cache.first
    return list(runs.values())


def _why_lists_needed(reading: StageReading, nodes: Sequence[Instruction]) -> str | None:
    """Why a later step needs the package lists of one of these RUNs, which a mount would hide."""
    runs = [(step.node, body_of(reading.file, step.node)) for step in reading.runs]
    for (node, _), reason in zip(runs, why_lists_needed(reading, runs)):
        if reason is not None and node in nodes:
            return reason
    return why_lists_needed_above(reading.file, reading.context).get(reading.stage.index)


def _together(compiled: list[_Run], downloaded: list[_Run]) -> list[_Run]:
    """Both for each RUN. Where a mount keeps the downloads, why one of a compile cache would not do is settled."""
    known = {run.node: run for run in compiled}
    for run in downloaded:
        other = known.setdefault(run.node, run)
        if other is not run:
            other.refusals = run.refusals if run.mounts else [*other.refusals, *run.refusals]
            other.mounts = {**other.mounts, **run.mounts}
            other.why += run.why
            other.evidence += run.evidence
            other.cleanings, other.first = run.cleanings, run.first
    return list(known.values())


def _finding(file: Dockerfile, run: _Run) -> Finding | Refusal:
    new = run.node
    if run.cleanings or run.first:
        body = body_of(file, run.node)
        removal = None if isinstance(body, str) else body.removal(run.cleanings) if run.cleanings else []
        if isinstance(body, str) or removal is None:
            return refuse(run.node, "the cleaning of the cache cannot be taken out", "give it a command of its own")
        new = body.splice([(0, 0, f"{run.first} \\\n    && "), *removal] if run.first else removal)
    for mount in run.mounts.values():
        new = new.with_flag("mount", mount)
    # A long flag stands on a line of its own, as in Docker's documentation.
    if not run.node.heredocs and not new.text.partition(new.raw_argument)[0].rstrip(" \t").endswith("\n"):
        new = new.splice([(0, 0, "\\\n    ")])
    return Finding(
        run.node,
        f"keep {' and '.join(run.mounts)} in a cache mount",
        [Replace(run.node, [new])],
        why="; ".join(run.why),
        evidence=run.evidence,
        may_change={Aspect.COMMANDS} if run.cleanings or run.first else (),
    )
