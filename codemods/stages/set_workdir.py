"""set-workdir"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    InsertBefore,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Safety,
    StageReading,
    Trivia,
    leaves,
    refuse,
    rewrites,
)

FILES = {
    "package.json": '{"scripts": {"start": "node app.js"}}',
    "app.js": "require('./views/page')\n",
    "views/page.js": "",
}
FOLDER = "/app"


class SetWorkdir(Codemod):
    """Give an application that lives in `/` a folder of its own.

    Why
    ---
    Without WORKDIR, `COPY . .` puts the application among the folders of the system. No user but root can be given
    that place, a build stage has nothing that could be taken out of it as a whole, and a file called `etc` or `bin`
    would change the system.

    What it does
    ------------
    Inserts `WORKDIR /app` before the first copy of the build context to a relative path.

    When it refuses
    ---------------
    When the base image may have a working directory, when an instruction, a file that is copied, a Compose file or a
    manifest names one of the files by its absolute path, and when another stage takes something from this one.

    Safety
    ------
    REVIEW: the files lie elsewhere; the files that were searched for absolute paths are the evidence.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    words = ("copy", "add")
    may_change = frozenset({Aspect.WORKDIR, Aspect.COPIES})
    examples = (
        rewrites(
            "the whole context in the root folder",
            before="""
            FROM node:20-slim
            # the sources
            COPY . .
            RUN npm install
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            # the sources
            COPY . .
            RUN npm install
            CMD ["node", "app.js"]
            """,
            files=FILES,
        ),
        rewrites(
            "several files, behind what concerns the system",
            before="""
            FROM node:20-slim
            RUN mkdir -p /var/lib/shop
            COPY package.json .
            COPY app.js views/ ./
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            RUN mkdir -p /var/lib/shop
            WORKDIR /app
            COPY package.json .
            COPY app.js views/ ./
            CMD ["node", "app.js"]
            """,
            files=FILES,
        ),
        leaves(
            "CMD names the file absolutely",
            """
            FROM node:20-slim
            COPY . .
            CMD ["node", "/app.js"]
            """,
            files=FILES,
            because="names /app.js, which may be one of the files",
        ),
        leaves(
            "a source names a file absolutely",
            """
            FROM node:20-slim
            COPY . .
            CMD ["node", "app.js"]
            """,
            files={**FILES, "app.js": "require('fs').readdirSync('/views')\n"},
            because="app.js:1 names /views",
        ),
        leaves(
            "Compose mounts a folder over the copied one",
            """
            FROM node:20-slim
            COPY . .
            CMD ["node", "app.js"]
            """,
            files={**FILES, "compose.yaml": "services:\n  web:\n    build: .\n    volumes: ['./views:/views']\n"},
            because="compose.yaml names /views",
        ),
        leaves(
            "the base image has a working directory",
            """
            FROM golang:1.24
            COPY . .
            CMD ["go", "run", "."]
            """,
            files={"main.go": "package main\n\nfunc main() {}\n", "go.mod": "module a\n"},
        ),
        leaves(
            "the base image is not known",
            """
            FROM example.org/base:1
            COPY . .
            CMD ["node", "app.js"]
            """,
            files=FILES,
            because="whether example.org/base:1 has a working directory is not known",
        ),
        leaves(
            "a folder of the context goes into the system's",
            """
            FROM node:20-slim
            COPY . .
            CMD ["node", "app.js"]
            """,
            files={**FILES, "etc/shop.conf": ""},
            because="goes into the system's /etc",
        ),
        leaves(
            "another stage takes a file by its absolute path",
            """
            FROM node:20 AS build
            COPY . .
            RUN npm run build
            FROM node:20-slim
            COPY --from=build /dist /dist
            CMD ["node", "/dist/app.js"]
            """,
            files=FILES,
            because="copies out of this stage",
        ),
        leaves(
            "the packages are installed in the root folder before",
            """
            FROM node:20-slim
            COPY package.json /
            RUN npm install
            COPY . .
            CMD ["node", "app.js"]
            """,
            files=FILES,
            because="copies to / by its absolute name",
        ),
        leaves(
            "a command before may leave something there",
            """
            FROM node:20-slim
            RUN npm install express
            COPY . .
            CMD ["node", "app.js"]
            """,
            files=FILES,
            because="may write to / by relative paths",
        ),
        leaves(
            "one file alone",
            """
            FROM node:20-slim
            COPY app.js .
            CMD ["node", "app.js"]
            """,
            files=FILES,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            first = _first_to_root(reading)
            if first is None:
                continue
            if reading.image is None and stage.image != "scratch":
                yield refuse(
                    first,
                    f"whether {stage.image} has a working directory is not known",
                    "write WORKDIR before the first COPY",
                )
                continue
            if context.why_unknown is not None:
                yield refuse(first, f"the build context is not known: {context.why_unknown}", "name it with --context")
                continue
            from refactor import why_not_moved

            answer = why_not_moved(reading, first)
            if isinstance(answer, Refused):
                yield refuse(first, f"the application lives in /, and stays there: {answer.because}", answer.hint)
                continue
            line = file.line_of(first)
            above: Instruction | Trivia = next(iter(file.comments_above(first)), first)
            yield Finding(
                first,
                f"give the application a folder of its own, {FOLDER}",
                [InsertBefore(above, [file.new(f"WORKDIR {FOLDER}")])],
                why="the files of the application are told from those of the system, and can have another owner",
                evidence=(
                    f"line {line} copies to /, as no WORKDIR stands above it and {stage.image} sets none",
                    f"no file that is copied there names another absolutely; searched: {_shown(answer)}",
                ),
            )


def _first_to_root(reading: StageReading) -> Instruction | None:
    """The first copy of the context that a relative path takes to ``/``; None where that is one file at most."""
    found = [
        copied
        for copied in reading.copies
        if (step := reading.step(copied.node)) is not None
        and step.workdir == "/"
        and not (copied.node.destination or "/").startswith("/")
    ]
    return found[0].node if len(found) > 1 or (found and found[0].is_folder) else None


def _shown(files: tuple[str, ...]) -> str:
    return ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
