"""part-own-scripts"""

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
    Replace,
    Safety,
    StageReading,
    leaves,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    pass

PACKAGE = '{"name": "a", "version": "1.0.0", "scripts": {"prepare": "node build.js"}, "dependencies": {"sharp": "1"}}'
LOCK = (
    '{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "a", "version": "1.0.0",'
    ' "dependencies": {"sharp": "1"}}, "node_modules/sharp": {"version": "1.0.0"%s}}}'
)
FILES = {
    "package.json": PACKAGE,
    "package-lock.json": LOCK % "",
    "build.js": "require('fs').readFileSync('page.md')\n",
    "page.md": "",
}


class PartOwnScripts(Codemod):
    """Install the dependencies first, and run the project's own install scripts after that.

    Why
    ---
    An install ends with scripts of the project itself (`prepare`, `postinstall`). Where these need the sources, the
    sources are copied before the install, and each edit of one installs every dependency again.

    What it does
    ------------
    Installs with `--ignore-scripts`, and calls the scripts by name afterwards. What is read before and after is then
    known apart, so that `copy-manifests-first` and `split-build-stage` can do their part. For Composer these are
    `--no-scripts --no-autoloader`, and `composer dump-autoload`, which reads the sources, behind it.

    When it refuses
    ---------------
    When a dependency has an install script too, comes from a repository or a folder, or when the lockfile does not say
    so; when there is a `preinstall`.

    Safety
    ------
    REVIEW: the same scripts run a moment later; the lockfile is the evidence that no other script is left out.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.COMMANDS})
    examples = (
        rewrites(
            "`prepare` builds from the sources",
            before="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install --ignore-scripts && npm run prepare
            CMD ["node", "dist/index.js"]
            """,
            files=FILES,
        ),
        leaves(
            "a dependency has an install script",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "dist/index.js"]
            """,
            files={**FILES, "package-lock.json": LOCK % ', "hasInstallScript": true'},
            because="sharp has an install script of its own",
        ),
        leaves(
            "no lockfile",
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "dist/index.js"]
            """,
            files={name: text for name, text in FILES.items() if name != "package-lock.json"},
            because="known from a lockfile",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            answers = [answer for language in recognise(reading) for answer in language.own_scripts(reading)]
            if answers:
                from refactor import Rewrite
            for answer in answers:
                if not isinstance(answer, Rewrite):
                    yield refuse(answer[0].node, answer[1].because, answer[1].hint)
                    continue
                node = answer.step.node
                yield Finding(
                    node,
                    f"run the project's own scripts after the install: `{answer.text}`",
                    [Replace(node, [node.splice([(*answer.command.span, answer.text)])])],
                    why="the install itself no longer needs the sources",
                    evidence=answer.evidence,
                )
                # Spans of a second one in the same RUN would have moved.
                return
