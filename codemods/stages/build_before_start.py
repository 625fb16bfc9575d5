"""build-before-start"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    InsertAfter,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    StageReading,
    leaves,
    recognise,
    refuse,
    rewrites,
)

SCRIPTS = '"build": "nest build", "start": "nest start", "start:prod": "node %s"'
FILES = {
    "package.json": '{"scripts": {' + SCRIPTS % "dist/main" + "}}",
    "tsconfig.json": '{"compilerOptions": {"outDir": "./dist"}}',
    "src/main.ts": "console.log(1)\n",
}


class BuildBeforeStart(Codemod):
    """Build in a RUN and start the result, instead of compiling at every start.

    Why
    ---
    A container that compiles when it starts (`nest start`, `ts-node`, `tsx`) is up late, and ships
    compilers and sources.

    What it does
    ------------
    Where the project has a script that builds and one that starts what was built (`build` and `start:prod`), the
    build becomes a RUN after the last copy, and CMD starts its result. `split-build-stage` can then do its part.

    When it refuses
    ---------------
    When it is not known that the build makes the file that is started, when the install leaves out what the build
    needs, and when the program is watched for changes, which is meant for development.

    Safety
    ------
    REVIEW: the program is compiled at another time; both scripts and the output are the evidence.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.COMMANDS, Aspect.LAYERS, Aspect.CMD})
    examples = (
        rewrites(
            "nest start",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "start"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            RUN npm run build
            CMD ["node", "dist/main"]
            """,
            files=FILES,
        ),
        leaves(
            "the build makes another file",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "start"]
            """,
            files={**FILES, "package.json": '{"scripts": {' + SCRIPTS % "out/main" + "}}"},
            because="is not known to make out/main",
        ),
        leaves(
            "watched for changes",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npx", "nest", "start", "--watch"]
            """,
            files=FILES,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if context.why_unknown is not None:
            return
        for stage in file.stages[-1:]:
            reading = StageReading.of(file, stage, context)
            last = next((step for step in reversed(reading.steps) if step.keyword in {"RUN", "COPY", "ADD"}), None)
            for language in recognise(reading):
                answer = language.built_start(reading)
                if isinstance(answer, Refused):
                    yield refuse(stage.from_, answer.because, answer.hint)
                elif answer is not None and last is not None:
                    import json

                    cmd = answer.cmd.with_argument(json.dumps(list(answer.words)))
                    build = [InsertAfter(last.node, [file.new(f"RUN {answer.build}")])] if answer.build else []
                    yield Finding(
                        answer.cmd,
                        f"start what `{answer.build}` builds" if answer.build else "start what is built already",
                        [*build, Replace(answer.cmd, [cmd])],
                        why="the container starts at once, and needs neither compiler nor sources",
                        evidence=answer.evidence,
                    )
