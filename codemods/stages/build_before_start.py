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
NEXT = {
    "package.json": '{"scripts": {"dev": "next dev", "build": "next build", "start": "next start"},'
    ' "dependencies": {"next": "15"}}',
    "pages/index.js": "export default () => 'hello'\n",
}


class BuildBeforeStart(Codemod):
    """Build in a RUN and start the result, instead of compiling at every start.

    Why
    ---
    A container that compiles when it starts (`nest start`, `ts-node`, `go run`), or runs a development server
    (`next dev`, `nodemon`), is up late, and ships compilers and sources.

    What it does
    ------------
    Where the project has a script that builds and one that starts what was built (`build` and `start:prod`, or
    `start` beside `dev`), or where tsconfig.json says what becomes of the started source, the build becomes a RUN after
    the last copy, and CMD starts its result. `split-build-stage` can then do its part. A plain file that is only
    watched (`nodemon app.js`) is started as the `start` script does.

    When it refuses
    ---------------
    When it is not known that the build makes the file that is started, when the install leaves out what the build
    needs, when a source opens other sources as it runs or reads a value that a build would write into its result, and
    where Compose mounts the sources, which is meant for development.

    Safety
    ------
    REVIEW: the program is compiled at another time; both scripts and the output are the evidence.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.COMMANDS, Aspect.LAYERS, Aspect.CMD, Aspect.ENTRYPOINT})
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
        rewrites(
            "go run",
            before="""
            FROM golang:1.24
            WORKDIR /app
            COPY . .
            CMD ["go", "run", ".", "-v"]
            """,
            after="""
            FROM golang:1.24
            WORKDIR /app
            COPY . .
            RUN go build -o /usr/local/bin/shop .
            CMD ["/usr/local/bin/shop", "-v"]
            """,
            files={"go.mod": "module example.org/shop\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"},
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
        rewrites(
            "compiled and watched for changes",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npx", "nest", "start", "--watch"]
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
        rewrites(
            "a plain file that is watched for changes",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "run", "dev"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "app.js"]
            """,
            files={
                "package.json": '{"scripts": {"start": "node app.js", "dev": "nodemon --watch . app.js"}}',
                "app.js": "require('http')\n",
            },
        ),
        rewrites(
            "ts-node, and a script that compiles",
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
            RUN npm run compile
            CMD ["node", "lib/index.js"]
            """,
            files={
                "package.json": '{"scripts": {"start": "ts-node src/index", "compile": "shx rm -rf lib/ && tsc"}}',
                "tsconfig.json": '{"compilerOptions": {"module": "commonjs", "rootDir": "./src", "outDir": "./lib"}}',
                "src/index.ts": "import app from './app'\napp()\n",
                "src/app.ts": "export default () => console.log(1)\n",
            },
        ),
        rewrites(
            "Next's development server",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "run", "dev"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            RUN npm run build
            CMD ["npm", "run", "start"]
            """,
            files=NEXT,
        ),
        leaves(
            "a value that only the running container has would be built in",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "run", "dev"]
            """,
            files={**NEXT, "pages/index.js": "export default () => process.env.NEXT_PUBLIC_API\n"},
            because="pages/index.js reads NEXT_PUBLIC_API, which a build writes into its result",
        ),
        leaves(
            "a source looks for other sources when it runs",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "start"]
            """,
            files={**FILES, "src/main.ts": "load({\n  entities: ['src/entities/*.ts'],\n})\n"},
            because="src/main.ts names src/entities/*.ts, which it may read when it runs",
        ),
        leaves(
            "Compose mounts the sources",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["npm", "start"]
            """,
            files={**FILES, "compose.yaml": "services:\n  web:\n    build: .\n    volumes: ['.:/app']\n"},
            because="the image is meant for development",
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

                    shown = " ".join(answer.words)
                    cmd = answer.cmd.with_argument(json.dumps(list(answer.words)))
                    build = [InsertAfter(last.node, [file.new(f"RUN {answer.build}")])] if answer.build else []
                    yield Finding(
                        answer.cmd,
                        f"start what `{answer.build}` builds"
                        if answer.build
                        else f"start `{shown}`, which is there already",
                        [*build, Replace(answer.cmd, [cmd])],
                        why="the container starts at once, and needs neither compiler nor sources",
                        evidence=answer.evidence,
                    )
