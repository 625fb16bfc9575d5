"""install-production-dependencies"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    InsertAfter,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    foreign,
    leaves,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    from refactor import Rewrite

MANIFEST = '{"name": "a", "version": "1.0.0", "dependencies": {"express": "^4.0.0"}}'
LOCK = (
    '{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "a", "version": "1.0.0",'
    ' "dependencies": {"express": "^4.0.0"}}, "node_modules/express": {"version": "4.21.0"}}}'
)

BUILT = {
    "package.json": """{"name": "a", "version": "1.0.0", "scripts": {"build": "tsc"},
        "dependencies": {"express": "^4.0.0"}, "devDependencies": {"typescript": "^5.0.0"}}""",
    "package-lock.json": """{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": {
        "": {"dependencies": {"express": "^4.0.0"}, "devDependencies": {"typescript": "^5.0.0"}},
        "node_modules/express": {"version": "4.21.0"},
        "node_modules/typescript": {"version": "5.6.0", "dev": true}}}""",
    "tsconfig.json": '{"compilerOptions": {"outDir": "dist", "rootDir": "src"}}',
    "src/index.ts": "import express from 'express';\nexpress().listen(3000);\n",
}
WITH_GROUPS = frozenset({"bundle", "composer"})
"""Package managers of other languages that tell development dependencies from the rest."""


class InstallProductionDependencies(Codemod):
    """Install what the lockfile says, and only what the program needs to run.

    Why
    ---
    `npm install` may resolve other versions than the ones that were tested, and brings test runners and bundlers into
    an image that only runs a server.

    What it does
    ------------
    Replaces an install by the reproducible one where a lockfile is there and matches (`npm ci`,
    `yarn install --frozen-lockfile`, `pnpm install --frozen-lockfile`), copies a lockfile that lies beside the manifest
    together with it, and leaves development dependencies out where
    neither the build nor the start command needs them (`--omit=dev`, `--production`, `--prod`, `--only main`,
    `--no-dev`). Where a builder hands node_modules on with what only its build needed, that is pruned behind the build.

    When it refuses
    ---------------
    When there is no lockfile, when it does not match the manifest or is not copied before the install, and when
    development dependencies are needed: by a build step of the stage, by scripts of the install, by what is started.

    Safety
    ------
    REVIEW: other packages are installed on purpose; manifest, lockfile and start command are the evidence.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.COMMANDS})
    examples = (
        rewrites(
            "npm install with a lockfile",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm install
            COPY . .
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci --omit=dev
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={"package.json": MANIFEST, "package-lock.json": LOCK, "server.js": "require('express')\n"},
        ),
        rewrites(
            "the lockfile lies beside the manifest and is not copied",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY ./package.json /app
            RUN npm install
            COPY server.js ./
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY ./package.json ./package-lock.json /app/
            RUN npm ci --omit=dev
            COPY server.js ./
            CMD ["node", "server.js"]
            """,
            files={"package.json": MANIFEST, "package-lock.json": LOCK, "server.js": "require('express')\n"},
        ),
        rewrites(
            "what a builder hands on",
            before="""
            FROM node:20 AS build
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            RUN npm run build
            FROM node:20-slim
            WORKDIR /app
            COPY --from=build /app/node_modules ./node_modules
            COPY --from=build /app/dist ./dist
            COPY package.json ./
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20 AS build
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            RUN npm run build
            RUN npm prune --omit=dev
            FROM node:20-slim
            WORKDIR /app
            COPY --from=build /app/node_modules ./node_modules
            COPY --from=build /app/dist ./dist
            COPY package.json ./
            CMD ["node", "dist/index.js"]
            """,
            files=BUILT,
        ),
        leaves(
            "types are checked at each start",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY package.json package-lock.json server.ts ./
            RUN npm ci
            CMD ["npx", "ts-node", "server.ts"]
            """,
            files={
                "package.json": '{"name": "a", "version": "1.0.0", "dependencies": {"express": "^4.0.0",'
                ' "ts-node": "^10.0.0", "typescript": "^5.0.0"}, "devDependencies": {"@types/express": "^4.0.0"}}',
                "package-lock.json": LOCK,
                "server.ts": "import express from 'express'\n",
            },
            because="checks types when it starts, with @types/express",
        ),
        leaves(
            "no lockfile",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY package.json ./
            RUN npm install
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={"package.json": MANIFEST, "server.js": "require('express')\n"},
            because="no lockfile",
        ),
        leaves(
            "reproducible already",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci --omit=dev
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={"package.json": MANIFEST, "package-lock.json": LOCK, "server.js": "require('express')\n"},
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            rewritten: dict[Instruction, list[Rewrite]] = {}
            languages = recognise(reading)
            other = None if languages else foreign(reading)
            if other and any(call.action == "install" and call.manager in WITH_GROUPS for _, call in reading.calls):
                yield refuse((other.build or reading.steps[0]).node, *other.refused)
            answers = [answer for language in languages for answer in language.production_install(reading)]
            if answers:
                from refactor import Rewrite
            for answer in answers:
                if isinstance(answer, Rewrite):
                    rewritten.setdefault(answer.step.node, []).append(answer)
                else:
                    yield refuse(answer[0].node, answer[1].because, answer[1].hint)
            behind = [answer for language in languages for answer in language.handed_on(reading)]
            if behind:
                from refactor import Behind
            for each in behind:
                if isinstance(each, Behind):
                    yield Finding(
                        each.step.node,
                        "leave development dependencies out of what is handed on",
                        [InsertAfter(each.step.node, [file.new(each.text + "\n")])],
                        why="the image that is shipped has the packages that its program needs",
                        evidence=each.evidence,
                        may_change={Aspect.LAYERS},
                    )
                else:
                    yield refuse(each[0].node, each[1].because, each[1].hint)
            for node, rewrites_ in rewritten.items():
                yield Finding(
                    node,
                    "install with " + ", ".join(f"`{rewrite.text}`" for rewrite in rewrites_),
                    [*_copies(rewrites_), Replace(node, [_renewed(node, rewrites_)])],
                    why="the tested versions are installed, without what only development needs",
                    evidence=tuple(dict.fromkeys(line for rewrite in rewrites_ for line in rewrite.evidence)),
                    may_change={Aspect.COPIES} if any(one.copy is not None for one in rewrites_) else (),
                )


def _copies(rewrites_: list[Rewrite]) -> Iterator[Replace]:
    """The lockfile goes into the image together with its manifest."""
    for node, word, more in dict.fromkeys(rewrite.copy for rewrite in rewrites_ if rewrite.copy is not None):
        found = re.search(rf"(?<!\S){re.escape(word)}(?!\S)", node.argument)
        if found is None:
            continue
        edits = [(found.end(), found.end(), f" {more}")]
        destination = node.destination or ""
        if not destination.endswith("/") and destination not in {".", ".."}:
            # Of several files BuildKit wants a folder to be named as one.
            end = len(node.argument.rstrip())
            edits.append((end, end, "/"))
        yield Replace(node, [node.splice(edits)])


def _renewed(node: Instruction, rewrites_: list[Rewrite]) -> Instruction:
    if node.json is not None:
        import json
        import shlex

        return node.with_argument(json.dumps(shlex.split(rewrites_[0].text)))
    return node.splice([(*rewrite.command.span, rewrite.text) for rewrite in rewrites_])
