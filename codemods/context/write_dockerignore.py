"""write-dockerignore"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    FileEdit,
    Finding,
    Phase,
    Refusal,
    Safety,
    StageReading,
    flow_of,
    leaves,
    refuse,
    rewrites,
    why_windows,
)

if TYPE_CHECKING:
    from refactor import Leftover

NODE = {"package.json": '{"dependencies": {"express": "4"}}', "server.js": "require('express')()\n"}
SIMPLE = """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """


class WriteDockerignore(Codemod):
    """Leave out of the build context what no build needs: .git, node_modules, caches, .env.

    Why
    ---
    `COPY . .` takes the folder as it lies on the machine that builds: history, packages for another platform over
    those that were installed, secrets. Each commit and each local install makes the copy and what follows run again.

    What it does
    ------------
    Writes `.dockerignore`, or adds to the one that is there (to `NAME.dockerignore` where that one counts), a line for
    each of these that is there: `.git`, folders of packages that the image installs itself, virtual environments,
    caches, coverage reports, editors' folders, `.env`, and what a build on the host left (`dist`, `target`, `bin` and
    `obj`) where the image makes it itself and `.gitignore` names it. Lines that are there stay as they are.

    When it refuses
    ---------------
    For what an instruction of any Dockerfile of the folder names or mounts, for `.git` where versions are made of it
    (setuptools-scm, `git describe`, ...), for packages and products that the image does not make, and for `.env` that
    the program reads itself. Silent where nothing is there that is worth a line, and where the context was not seen.

    Safety
    ------
    REVIEW: less is copied into the image; what goes, and why nothing misses it, is the evidence.
    """

    phase = Phase.CONTEXT
    safety = Safety.REVIEW
    words = ("copy", "add")
    may_change = frozenset({Aspect.FILES})
    examples = (
        rewrites(
            "packages of the host would be copied over those of the image",
            before=SIMPLE,
            after=SIMPLE,
            files={**NODE, "node_modules/express/index.js": "", ".git/HEAD": "ref: x\n", ".vscode/settings.json": "{}"},
            written={".dockerignore": ".git\n.vscode\nnode_modules\n"},
        ),
        rewrites(
            "the lines that are there stay, and so does their order",
            before=SIMPLE,
            after=SIMPLE,
            files={**NODE, ".git/HEAD": "ref: x\n", ".dockerignore": "# ours\n*.md\n!README.md"},
            written={".dockerignore": "# ours\n*.md\n!README.md\n.git\nnode_modules\n"},
        ),
        rewrites(
            "the file of its own counts",
            before=SIMPLE,
            after=SIMPLE,
            files={**NODE, "Dockerfile": "FROM x\n", ".git/HEAD": "x", "Dockerfile.dockerignore": "node_modules\r\n"},
            written={"Dockerfile.dockerignore": "node_modules\r\n.git\r\n"},
        ),
        rewrites(
            "what a build on the host left",
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
            RUN mvn -B package
            FROM eclipse-temurin:21-jre
            COPY --from=builder /src/target/app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            files={"pom.xml": "<project/>", "target/classes/A.class": "", ".gitignore": "/target/\n"},
            written={".dockerignore": "target\n"},
        ),
        leaves(
            "what only the host can have made",
            """
            FROM eclipse-temurin:21-jre
            COPY . /app
            CMD ["java", "-jar", "/app/target/app.jar"]
            """,
            files={"pom.xml": "<project/>", "target/app.jar": "", ".gitignore": "/target/\n"},
            because="no step is known to make it",
        ),
        leaves(
            "nothing is there",
            """
            FROM nginx
            COPY . /usr/share/nginx/html
            """,
            files={"index.html": "<p>"},
        ),
        leaves(
            "packages that nothing installs",
            """
            FROM node:20
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={**NODE, "node_modules/express/index.js": ""},
            because="nothing in the image installs what node_modules holds",
        ),
        leaves(
            "the version is made of git's history",
            """
            FROM python:3.12
            COPY . .
            RUN pip install .
            CMD ["app"]
            """,
            files={"pyproject.toml": '[build-system]\nrequires = ["setuptools-scm"]\n', ".git/HEAD": "ref: x\n"},
            because="pyproject.toml may read git's history",
        ),
        leaves(
            "another Dockerfile of the folder copies it",
            """
            FROM golang:1.24
            COPY . .
            CMD ["go", "run", "."]
            """,
            files={"go.mod": "module x\n", ".git/HEAD": "x", "Dockerfile.docs": "FROM alpine\nCOPY .git /git\n"},
        ),
        leaves(
            "the program reads its .env",
            """
            FROM python:3.12
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"app.py": "from dotenv import load_dotenv\n", ".env": "KEY=x\n"},
            because="app.py may read it",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if any(why_windows(file, stage) is not None for stage in file.stages):
            return
        readings = [StageReading.of(file, stage, context) for stage in file.stages]
        if not any(copied.is_folder for reading in readings for copied in reading.copies):
            return
        from refactor import Needed, leftovers, with_patterns

        found: list[Leftover] = []
        first = None
        for node, one in leftovers(file, context, flow_of):
            if isinstance(one, Needed):
                if one.because:
                    yield refuse(node, f"{one.path} is copied: {one.because}", one.hint)
            elif not context.keeps_below(one.path):
                first = first or node
                found.append(one)
        if first is None or not any(one.is_worth for one in found):
            return
        path = context.ignore_file or ".dockerignore"
        stored = context.stored(path)
        if stored is not None and not isinstance(stored, bytes):
            yield refuse(first, f"{path} cannot be extended: {stored.reason}", "add the lines by hand")
            return
        patterns = sorted({one.pattern for one in found})
        shown = ", ".join(patterns[:3]) + (f" and {len(patterns) - 3} more" if len(patterns) > 3 else "")
        yield Finding(
            first,
            f"leave {shown} out of the build context",
            [],
            why="they repeat the copy and what follows it whenever they change, and do not belong in the image",
            evidence=tuple(dict.fromkeys(fact for one in found for fact in one.evidence)),
            files=[FileEdit(path, stored, with_patterns(stored or b"", patterns))],
        )
