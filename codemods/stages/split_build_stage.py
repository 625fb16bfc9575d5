"""split-build-stage"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Ecosystem,
    Finding,
    Instruction,
    Option,
    Phase,
    Refusal,
    Refused,
    Remove,
    Replace,
    Safety,
    Stage,
    StageReading,
    Trivia,
    foreign,
    leaves,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    from refactor import Instead, Joined, SplitPlan

Node = Instruction | Trivia
Entry = Instruction | str

TYPESCRIPT = {
    "package.json": """{
        "name": "api", "version": "1.0.0", "main": "dist/index.js",
        "scripts": {"build": "tsc"},
        "dependencies": {"express": "^4.21.0"},
        "devDependencies": {"typescript": "^5.6.0"}
    }""",
    "package-lock.json": """{
        "name": "api", "version": "1.0.0", "lockfileVersion": 3,
        "packages": {
            "": {"name": "api", "version": "1.0.0", "dependencies": {"express": "^4.21.0"},
                 "devDependencies": {"typescript": "^5.6.0"}},
            "node_modules/express": {"version": "4.21.0"},
            "node_modules/typescript": {"version": "5.6.0", "dev": true}
        }
    }""",
    "tsconfig.json": """{"compilerOptions": {"outDir": "dist", "rootDir": "src"}}""",
    "src/index.ts": "import express from 'express';\nexpress().listen(3000);\n",
}
SERVER = {
    "go.mod": "module example.org/hello\n\ngo 1.22\n",
    "main.go": 'package main\n\nimport "net/http"\n\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
}
FASTAPI = {
    "requirements.txt": "fastapi==0.115.0\npsycopg2==2.9.9\nuvicorn==0.30.0\n",
    "main.py": "import fastapi\n\napp = fastapi.FastAPI()\n",
}
TESTED = {
    **TYPESCRIPT,
    "package.json": TYPESCRIPT["package.json"].replace('"tsc"', '"tsc", "test": "node --test"'),
    "test/index.test.js": "require('node:test')\n",
}

STARTS = frozenset({Aspect.CMD, Aspect.ENTRYPOINT})


class SplitBuildStage(Codemod):
    """Split a stage into a builder and a small runner.

    Why
    ---
    Compilers, development dependencies and sources are needed to build a program, not to run it. In a single stage they
    are shipped all the same: the image is several times larger, slower to pull, and has more in it to attack.

    What it does
    ------------
    The stage becomes `builder`. A second stage, `runner`, starts from the smallest image of the same distribution that
    carries the program, and copies what the program needs to run: the compiled output and production dependencies
    (Node), the virtual environment (Python), the binary and the files that it opens by path (Go, Rust), the jar on a
    JRE (Java). ENV, LABEL, EXPOSE, VOLUME, USER, WORKDIR, ENTRYPOINT and CMD are carried over; system packages are
    installed again only where the program needs them at run time. `runner = "alpine" | "distroless" | "scratch"` asks
    for another runner.

    A final stage that carries the whole folder of its builder (`COPY --from=build /app /app`), or is on the same large
    image, is narrowed down in the same way: it gets what the program needs, and keeps its own settings.

    With `test-stage = true` a stage `test` from the builder runs the project's tests: `npm test`, `pytest`, `go test`.
    `docker build --target test` builds it; the image itself does without, as BuildKit builds only what it needs.

    When it refuses
    ---------------
    When the build context is not known, when it is not known what a step is for, when what is started needs the build
    tools, when a Compose file builds the stage by name, and when the split would not make the image smaller.

    Safety
    ------
    REVIEW: the image changes on purpose; the facts of the build context that justify it are printed as evidence.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset(
        {
            Aspect.STAGES,
            Aspect.BASE,
            Aspect.LAYERS,
            Aspect.CACHE,
            Aspect.COMMANDS,
            Aspect.COPIES,
            Aspect.ENV,
        }
    )

    options = {
        "test-stage": Option(
            False, "a stage `test` that runs the project's tests, where there are some: `--target test`", (True, False)
        )
    }
    examples = (
        rewrites(
            "TypeScript",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            EXPOSE 3000
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20 AS builder
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            RUN npm prune --omit=dev

            FROM node:20-slim AS runner
            ENV NODE_ENV=production
            WORKDIR /app
            COPY --from=builder /app/package.json ./
            COPY --from=builder /app/node_modules ./node_modules
            COPY --from=builder /app/dist ./dist
            EXPOSE 3000
            CMD ["node", "dist/index.js"]
            """,
            files=TYPESCRIPT,
        ),
        rewrites(
            "Python with a compiler for wheels",
            before="""
            FROM python:3.11
            RUN apt-get update && apt-get install -y gcc libpq-dev
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install -r requirements.txt
            COPY . .
            CMD ["uvicorn", "main:app"]
            """,
            after="""
            FROM python:3.11 AS builder
            RUN apt-get update && apt-get install -y gcc libpq-dev
            WORKDIR /app
            RUN python -m venv /opt/venv
            ENV VIRTUAL_ENV=/opt/venv \\
                PATH="/opt/venv/bin:$PATH"
            COPY requirements.txt ./
            RUN pip install -r requirements.txt

            FROM python:3.11-slim AS runner
            RUN apt-get update \\
                && apt-get install -y --no-install-recommends libpq5 \\
                && rm -rf /var/lib/apt/lists/*
            COPY --from=builder /opt/venv /opt/venv
            ENV VIRTUAL_ENV=/opt/venv \\
                PATH="/opt/venv/bin:$PATH"
            WORKDIR /app
            COPY . .
            CMD ["uvicorn", "main:app"]
            """,
            files=FASTAPI,
        ),
        rewrites(
            "a stage for the tests, too",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20 AS builder
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            RUN npm prune --omit=dev

            FROM builder AS test
            RUN npm ci
            RUN npm test

            FROM node:20-slim AS runner
            ENV NODE_ENV=production
            WORKDIR /app
            COPY --from=builder /app/package.json ./
            COPY --from=builder /app/node_modules ./node_modules
            COPY --from=builder /app/dist ./dist
            CMD ["node", "dist/index.js"]
            """,
            files=TESTED,
            settings={"test-stage": True},
        ),
        rewrites(
            "pytest gets the sources that the builder does without",
            before="""
            FROM python:3.11
            RUN apt-get update && apt-get install -y gcc libpq-dev
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install -r requirements.txt
            COPY . .
            CMD ["uvicorn", "main:app"]
            """,
            after="""
            FROM python:3.11 AS builder
            RUN apt-get update && apt-get install -y gcc libpq-dev
            WORKDIR /app
            RUN python -m venv /opt/venv
            ENV VIRTUAL_ENV=/opt/venv \\
                PATH="/opt/venv/bin:$PATH"
            COPY requirements.txt ./
            RUN pip install -r requirements.txt

            FROM builder AS test
            COPY . .
            RUN pip install --no-cache-dir -r /app/requirements-dev.txt
            RUN python -m pytest

            FROM python:3.11-slim AS runner
            RUN apt-get update \\
                && apt-get install -y --no-install-recommends libpq5 \\
                && rm -rf /var/lib/apt/lists/*
            COPY --from=builder /opt/venv /opt/venv
            ENV VIRTUAL_ENV=/opt/venv \\
                PATH="/opt/venv/bin:$PATH"
            WORKDIR /app
            COPY . .
            CMD ["uvicorn", "main:app"]
            """,
            files={**FASTAPI, "requirements-dev.txt": "-r requirements.txt\npytest==8.3.3\n", "tests/test_main.py": ""},
            settings={"test-stage": True},
        ),
        rewrites(
            "Go's tests",
            before="""
            FROM golang:1.22
            WORKDIR /src
            COPY . .
            RUN go build -o /hello .
            CMD ["/hello"]
            """,
            after="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /hello .

            FROM builder AS test
            RUN go test ./...

            FROM gcr.io/distroless/static-debian12 AS runner
            WORKDIR /src
            COPY --from=builder /hello /hello
            CMD ["/hello"]
            """,
            files={**SERVER, "main_test.go": "package main\n"},
            settings={"test-stage": True},
        ),
        rewrites(
            "no tests, no stage for them",
            before="""
            FROM golang:1.22
            WORKDIR /src
            COPY . .
            RUN go build -o /hello .
            CMD ["/hello"]
            """,
            after="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /hello .

            FROM gcr.io/distroless/static-debian12 AS runner
            WORKDIR /src
            COPY --from=builder /hello /hello
            CMD ["/hello"]
            """,
            files=SERVER,
            settings={"test-stage": True},
        ),
        rewrites(
            "a final stage that carries the whole folder of the builder",
            before="""
            FROM node:20 AS build
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build

            # What is shipped.
            FROM node:20
            WORKDIR /app
            ENV PORT=3000
            COPY --from=build --chown=node:node /app .
            USER node
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20 AS build
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            RUN npm prune --omit=dev

            # What is shipped.
            FROM node:20-slim
            ENV NODE_ENV=production
            WORKDIR /app
            ENV PORT=3000
            COPY --chown=node:node --from=build /app/package.json ./
            COPY --chown=node:node --from=build /app/node_modules ./node_modules
            COPY --chown=node:node --from=build /app/dist ./dist
            USER node
            CMD ["node", "dist/index.js"]
            """,
            files=TYPESCRIPT,
        ),
        leaves(
            "the build context is not known",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            CMD ["node", "dist/index.js"]
            """,
            because="the build context is not known",
        ),
        leaves(
            "what is started compiles when it starts",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm ci
            RUN npm run build
            CMD ["npx", "ts-node", "src/index.ts"]
            """,
            files=TYPESCRIPT,
            because="ts-node",
        ),
        leaves(
            "a language that is not known yet",
            """
            FROM haskell:9
            COPY . .
            RUN cabal build
            CMD ["dist-newstyle/app"]
            """,
            because="how Haskell programs are built, and what they need at run time, is not known",
        ),
        leaves(
            "split already",
            """
            FROM node:20 AS builder
            WORKDIR /app
            COPY . .
            RUN npm ci && npm run build && npm prune --omit=dev
            FROM node:20-slim
            WORKDIR /app
            COPY --from=builder /app/package.json ./
            COPY --from=builder /app/node_modules ./node_modules
            COPY --from=builder /app/dist ./dist
            CMD ["node", "dist/index.js"]
            """,
            files=TYPESCRIPT,
        ),
        leaves(
            "the whole folder, started from another one",
            """
            FROM node:20 AS builder
            WORKDIR /app
            COPY . .
            RUN npm ci && npm run build
            FROM node:20-slim
            COPY --from=builder /app /app
            CMD ["node", "/app/dist/index.js"]
            """,
            files=TYPESCRIPT,
            because="starts in / while",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not file.stages:
            return
        last, one = file.stages[-1], None
        if len(file.stages) > 1:
            from refactor import joined

            one = joined(file, context)
        if isinstance(one, Refused):
            if recognise(StageReading.of(file, file.stages[-2], context)):
                yield refuse(last.from_, one.because, one.hint)
            return
        stage = last if one is None else one.stage
        reading = StageReading.of(file if one is None else one.file, stage, context)
        languages = recognise(reading)
        if one is None and len(file.stages) > 1 and not _are_helpers(file, file.stages[:-1], languages, context):
            return
        other = None if languages else foreign(reading)
        if other is not None and other.build is not None:
            yield refuse(last.from_, *other.refused)
        chosen = self._chosen(reading, languages)
        if chosen is None:
            return
        language, made = chosen
        plan = made if one is None else one.plan_of(made, reading)
        if isinstance(plan, Refused):
            yield refuse(last.from_, plan.because, plan.hint)
        elif plan is not None:
            tests = self._tests(reading, language, plan) if self.option("test-stage") else ()
            yield self._finding(reading, plan, tests, one)

    def _chosen(
        self, reading: StageReading, languages: Sequence[Ecosystem]
    ) -> tuple[Ecosystem, SplitPlan | Refused] | None:
        """The language that takes the stage apart, with its plan; None where none builds in it."""
        answers = [(language, language.split(reading, self.settings.runner)) for language in languages]
        plans = [(language, plan) for language, plan in answers if plan is not None]
        if not plans:
            return None
        context, name = reading.context, reading.stage.name
        if context.why_unknown is not None:
            because = f"the build context is not known: {context.why_unknown}"
            return plans[0][0], Refused(because, "name it with --context")
        if context.deployment.targets and name in context.deployment.targets:
            because = f"builds the stage {name} by name, and would get the builder"
            return plans[0][0], Refused(f"{context.deployment.named_by('target')} {because}", "remove `target` there")
        if len(plans) > 1:
            names = " and ".join(language.name for language, _ in plans)
            behind = {language.name: language.left_behind(reading) for language, _ in plans}
            plans = [(language, plan) for language, plan in plans if behind[language.name] is None]
            why = next((why for why in behind.values() if isinstance(why, Refused)), None)
            if why is not None or len(plans) != 1 or not plans[0][0].carries_builds:
                because, hint = why or ("only one language at a time is split", "")
                return languages[0], Refused(f"the stage builds with {names}; {because}", hint)
        return plans[0]

    def _tests(self, reading: StageReading, language: Ecosystem, plan: SplitPlan) -> tuple[Entry, ...] | Refused:
        other = reading.context.deployment.other_builder
        if self.settings.builder == "portable" or other:
            return Refused(
                f"{other or 'any builder is to be served'}: not every one leaves out what the image does without"
            )
        if (reading.stage.name or "").lower() == "test":
            return Refused("the builder is called test already")
        return language.tests(reading, plan)

    def _finding(
        self, reading: StageReading, plan: SplitPlan, tests: tuple[Entry, ...] | Refused, one: Joined | None
    ) -> Finding:
        from refactor import Instead

        may_change = set()
        if plan.sets_user:
            # A runner without a shell gets its user here, as no RUN can make one there.
            may_change.add(Aspect.USER)
        if plan.sets_workdir:
            may_change.add(Aspect.WORKDIR)
        # `poetry run x` becomes `x`, and distroless starts node by its own ENTRYPOINT: only where the plan rewrote it.
        anew = {
            entry.partition(" ")[0] if isinstance(entry, str) else entry.node.keyword
            for entry in plan.runner
            if isinstance(entry, (str, Instead))
        }
        may_change.update(aspect for aspect in STARTS if aspect.name in anew)
        stage = reading.stage
        old = stage.nodes if one is None else (*one.builder.nodes, *one.final.nodes)
        evidence = list(plan.evidence)
        if isinstance(tests, Refused):
            evidence.append(f"no stage for the tests: {tests.because}{f' ({tests.hint})' if tests.hint else ''}")
            tests = ()
        what = "split into" if one is None else "narrow down to"
        return Finding(
            stage.from_ if one is None else one.final.from_,
            f"{what} a builder and a runner on {plan.runner_image}",
            [Replace(old[0], _render(reading.file, stage, plan, tests, one)), *(Remove(node) for node in old[1:])],
            why="what only the build needs stays out of the image that is shipped",
            evidence=evidence,
            may_change=may_change,
        )


def _are_helpers(
    file: Dockerfile, stages: Sequence[Stage], languages: Sequence[Ecosystem], context: BuildContext
) -> bool:
    """Earlier stages that build in other languages (a front end), so that the last one is not split yet."""
    names = {language.name for language in languages}
    for stage in stages:
        own = {language.name for language in recognise(StageReading.of(file, stage, context))}
        if not own or own & names or (stage.name or "").lower() in {"builder", "runner"}:
            return False
    last = file.stages[-1]
    return file.stage_before(last.index, last.image) is None


def _render(file: Dockerfile, stage: Stage, plan: SplitPlan, tests: Sequence[Entry], one: Joined | None) -> list[Node]:
    """The nodes of both stages; each instruction keeps the comments above it, the blank lines before it stay."""
    from refactor import Instead

    leading, trailing = stage.trivia()
    platform = f"--platform={stage.platform} " if stage.platform else ""
    image = plan.builder_image or stage.image
    first = stage.from_
    if not stage.name or plan.builder_image is not None:
        first = file.new(f"FROM {platform}{image} AS {stage.name or 'builder'}")
    result: list[Node] = [*leading[stage.from_], first]
    in_builder: set[int] = set()
    for entry in plan.builder:
        if isinstance(entry, str):
            result.append(file.new(entry))
            continue
        node = entry.node if isinstance(entry, Instead) else entry
        result += leading.get(node, ())
        result.append(_new(file, entry) if isinstance(entry, Instead) else node)
        in_builder.add(id(node))
    if tests:
        result += [file.blank(), file.new(f"FROM {stage.name or 'builder'} AS test")]
        result += [file.new(one) if isinstance(one, str) else one for one in tests]
    if one is None:
        result += [file.blank(), file.new(f"FROM {platform}{plan.runner_image} AS {_free_name(file)}")]
    else:
        result += [file.blank(), *one.above, one.final.with_image(plan.runner_image)]
    start = len(result)
    above = [] if one is None else list(one.above_copies)
    for entry in plan.runner:
        if isinstance(entry, str):
            if entry.startswith("COPY --from="):
                result += above
                above = []
            result.append(file.new(entry))
            continue
        node = entry.node if isinstance(entry, Instead) else entry
        if id(node) not in in_builder:
            before = list(leading.get(node, ()))
            while len(result) == start and before and _is_blank(before[0]):
                del before[0]
            result += before
        result.append(_new(file, entry) if isinstance(entry, Instead) else node)
    return [
        node for i, node in enumerate(result) if not (i and _is_blank(node) and _is_blank(result[i - 1]))
    ] + trailing


def _new(file: Dockerfile, entry: Instead) -> Instruction:
    return file.new(entry.text) if isinstance(entry.text, str) else entry.text


def _is_blank(node: Node) -> bool:
    return isinstance(node, Trivia) and node.kind == "blank"


def _free_name(file: Dockerfile) -> str:
    taken = {(stage.name or "").lower() for stage in file.stages} | {"builder"}
    return next(name for name in ("runner", "final", "runtime", "runner-image") if name not in taken)
