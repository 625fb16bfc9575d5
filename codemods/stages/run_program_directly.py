"""run-program-directly"""

from __future__ import annotations

from collections.abc import Iterator

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
    StageReading,
    leaves,
    recognise,
    refuse,
    rewrites,
)

SERVER = "require('http').createServer().listen(8080)\n"
FILES = {"package.json": '{"scripts": {"start": "node server.js"}}', "server.js": SERVER}
NEXT = {
    "package.json": '{"scripts": {"build": "next build", "start": "next start -p 8080"},'
    ' "dependencies": {"next": "15"}}',
    "pages/index.js": "export default () => 'hello'\n",
}


class RunProgramDirectly(Codemod):
    """Start the program itself, not a package manager that runs a script.

    Why
    ---
    `npm start` is a second Node process beside the program, and process 1 of the container: the signal of
    `docker stop` ends npm, with an error, and the program is killed before it has closed anything.

    What it does
    ------------
    Writes what the script consists of into CMD or ENTRYPOINT: `npm start`, `yarn start`, `pnpm start`, `npm run x`
    become `node server.js`, where the script is one plain call of `node`, or `node_modules/.bin/next start` for a
    program of a package that is installed in the project's own folder.

    When it refuses
    ---------------
    When the script has a `pre` or `post` script, uses a shell, sets variables, or names a program whose place is not
    known; when the sources of the program read what the package manager sets (`npm_package_version`) or
    were not found.

    Safety
    ------
    REVIEW: process 1 is another program. One that does not handle SIGTERM ignores it as process 1; the evidence says
    whether its sources do.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.CMD, Aspect.ENTRYPOINT})
    examples = (
        rewrites(
            "npm start",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["npm", "start"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["node", "server.js"]
            """,
            files=FILES,
        ),
        rewrites(
            "a script by name, in shell form, behind an init",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            ENTRYPOINT ["tini", "--"]
            CMD ["yarn", "serve"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            ENTRYPOINT ["tini", "--"]
            CMD ["node", "--enable-source-maps", "server.js"]
            """,
            files={**FILES, "package.json": '{"scripts": {"serve": "node --enable-source-maps server.js"}}'},
        ),
        rewrites(
            "shell form",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD npm start
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["node", "server.js"]
            """,
            files=FILES,
        ),
        leaves(
            "a script runs before it",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["npm", "start"]
            """,
            files={**FILES, "package.json": '{"scripts": {"prestart": "node migrate.js", "start": "node server.js"}}'},
            because="`prestart` of package.json runs too",
        ),
        leaves(
            "the script sets a variable",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["npm", "start"]
            """,
            files={**FILES, "package.json": '{"scripts": {"start": "PORT=80 node server.js"}}'},
            because="uses what only a shell does",
        ),
        leaves(
            "the program asks for its version as npm sets it",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["npm", "start"]
            """,
            files={**FILES, "server.js": SERVER + "console.log(process.env.npm_package_version)\n"},
            because="server.js reads npm_package_version, which the package manager sets",
        ),
        rewrites(
            "a program of a package, installed where the container starts",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install && npm run build
            CMD ["npm", "start"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install && npm run build
            CMD ["node_modules/.bin/next", "start", "-p", "8080"]
            """,
            files=NEXT,
        ),
        leaves(
            "a program of a package that nothing is seen to install",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            CMD ["npm", "start"]
            """,
            files=NEXT,
            because="is found in node_modules/.bin (next brings it)",
        ),
        leaves(
            "an entrypoint of the author's sees the words",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            ENTRYPOINT ["./entrypoint.sh"]
            CMD ["npm", "start"]
            """,
            files={**FILES, "entrypoint.sh": '#!/bin/sh\nif [ "$1" = npm ]; then migrate; fi\nexec "$@"\n'},
            because="gets these words, and may ask for them",
        ),
        leaves(
            "the script runs in a folder above",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            WORKDIR /app/data
            CMD ["npm", "start"]
            """,
            files=FILES,
            because="the container starts in /app/data",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages[-1:]:
            reading = StageReading.of(file, stage, context)
            for language in recognise(reading):
                answer = language.direct_start(reading)
                if isinstance(answer, Refused):
                    node = reading.start.nodes[-1] if reading.start is not None else stage.from_
                    yield refuse(node, answer.because, answer.hint)
                elif answer is not None:
                    import json

                    words = json.dumps(list(answer.words), ensure_ascii=False)
                    yield Finding(
                        answer.node,
                        f"start {' '.join(answer.words)} itself, without a package manager in between",
                        [Replace(answer.node, [answer.node.with_argument(words)])],
                        why="one process less in the container, and signals and exit status are the program's own",
                        evidence=answer.evidence,
                    )
