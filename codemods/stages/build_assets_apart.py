"""build-assets-apart"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    Remove,
    Replace,
    Safety,
    StageReading,
    Trivia,
    leaves,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    from refactor import Assets

Node = Instruction | Trivia
Edit = InsertBefore | Remove | Replace

VITE = {
    "package.json": '{"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "^6.0.0"}}',
    "package-lock.json": '{"lockfileVersion": 3, "packages": {"": {"devDependencies": {"vite": "^6.0.0"}}, '
    '"node_modules/vite": {"version": "6.0.0", "dev": true}}}',
    "vite.config.js": "export default { build: { outDir: 'public/build', manifest: true } }\n",
    "resources/app.js": "console.log(import.meta.env.VITE_NAME)\n",
}
PHP = {**VITE, "public/index.php": "<?php echo 1;\n", "composer.json": "{}", "composer.lock": '{"packages": []}'}
APACHE = """
            FROM php:8.3-apache-bookworm
            RUN apt-get update && apt-get install -y git unzip nodejs npm
            COPY --from=composer:2 /usr/bin/composer /usr/bin/composer
            WORKDIR /var/www/html
            COPY . .
            RUN composer install
            RUN npm ci && npm run build
            """


class BuildAssetsApart(Codemod):
    """Build a front end in a stage of its own, beside the program of another language that serves it.

    Why
    ---
    Where one stage installs Node to build scripts and styles for a PHP, Python, Ruby or Go program, the image ships
    Node, npm and all packages of the front end (often more than the program itself), and an edit of either builds both.

    What it does
    ------------
    A stage `assets` on the official image of Node, in the version that builds today and on the same C library, gets
    the copies, settings and commands of the front end. Its output is copied to where it was made. Node's packages, the
    set-up of their archive and copies of Node go from the other stage, which `split-build-stage` then takes apart as
    one of a single language.

    When it refuses
    ---------------
    When it is not known where the build writes; when something of the program starts Node or reads node_modules; when
    the build reads what another command makes (styles from Composer's vendor, an .env that a RUN writes); when a task
    such as `rails assets:precompile` calls Node itself; when nothing says which version of Node builds.

    Safety
    ------
    REVIEW: the image loses Node on purpose; what was read to tell that nothing misses it is printed as evidence.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset(
        {Aspect.STAGES, Aspect.LAYERS, Aspect.COMMANDS, Aspect.COPIES, Aspect.ENV, Aspect.CACHE, Aspect.WORKDIR}
    )
    examples = (
        rewrites(
            "PHP with Vite",
            before=APACHE,
            after="""
            FROM node:18 AS assets
            WORKDIR /var/www/html
            COPY . .
            RUN npm ci && npm run build

            FROM php:8.3-apache-bookworm
            RUN apt-get update && apt-get install -y git unzip
            COPY --from=composer:2 /usr/bin/composer /usr/bin/composer
            WORKDIR /var/www/html
            COPY . .
            RUN composer install
            COPY --from=assets /var/www/html/public/build ./public/build
            """,
            files=PHP,
        ),
        rewrites(
            "a folder of its own, with Node from its archive",
            before="""
            FROM python:3.12-bookworm
            RUN apt-get update && apt-get install -y curl \\
                && curl -fsSL https://deb.nodesource.com/setup_22.x | bash - \\
                && apt-get install -y nodejs && rm -rf /var/lib/apt/lists/*
            WORKDIR /srv
            COPY requirements.txt ./
            RUN pip install -r requirements.txt
            COPY web ./web
            RUN cd web && npm ci && npm run build
            COPY . .
            CMD ["gunicorn", "app:app"]
            """,
            after="""
            FROM node:22 AS assets
            WORKDIR /srv
            COPY web ./web
            RUN cd web && npm ci && npm run build

            FROM python:3.12-bookworm
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            WORKDIR /srv
            COPY requirements.txt ./
            RUN pip install -r requirements.txt
            COPY web ./web
            COPY --from=assets /srv/web/public/build ./web/public/build
            COPY . .
            CMD ["gunicorn", "app:app"]
            """,
            files={
                **{f"web/{name}": text for name, text in VITE.items()},
                "requirements.txt": "flask==3.1.0\ngunicorn==23.0.0\n",
                "app.py": "import flask\n\napp = flask.Flask(__name__, static_folder='web/public/build')\n",
            },
        ),
        rewrites(
            "a list of Python's packages beside the front end",
            before="""
            FROM python:3.12-bookworm
            RUN apt-get update && apt-get install -y curl \\
                && curl -fsSL https://deb.nodesource.com/setup_22.x | bash - \\
                && apt-get install -y nodejs && rm -rf /var/lib/apt/lists/*
            WORKDIR /srv
            COPY python.txt ./
            RUN pip install -r python.txt
            COPY . .
            RUN npm ci && npm run build
            CMD ["gunicorn", "app:app"]
            """,
            after="""
            FROM node:22 AS assets
            WORKDIR /srv
            COPY . .
            RUN npm ci && npm run build

            FROM python:3.12-bookworm
            RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
            WORKDIR /srv
            COPY python.txt ./
            RUN pip install -r python.txt
            COPY . .
            COPY --from=assets /srv/public/build ./public/build
            CMD ["gunicorn", "app:app"]
            """,
            files={
                **VITE,
                "python.txt": "flask==3.1.0\ngunicorn==23.0.0\n",
                "app.py": "import flask\n\napp = flask.Flask(__name__, static_folder='public/build')\n",
            },
        ),
        leaves(
            "styles that Composer installs",
            APACHE,
            files={**PHP, "resources/app.css": "@import '../vendor/acme/styles/all.css';\n"},
            because="resources/app.css names vendor, which `composer install`",
        ),
        leaves(
            "the program starts Node",
            APACHE,
            files={**PHP, "public/index.php": "<?php exec('node render.js');\n"},
            because="public/index.php:1 starts Node",
        ),
        leaves(
            "nothing says which Node builds",
            APACHE.replace(" nodejs npm", "").replace("composer install", "curl -o n.tgz https://nodejs.org/n.tgz"),
            files=PHP,
            because="which version of Node",
        ),
        leaves(
            "it is not known where the build writes",
            APACHE,
            files={**PHP, "vite.config.js": "export default { build: { outDir: process.env.OUT } }\n"},
            because="outDir or root of the Vite configuration is not a literal",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if len(file.stages) != 1:
            return
        stage = file.stages[0]
        reading = StageReading.of(file, stage, context)
        for language in recognise(reading):
            found = language.assets(reading)
            if isinstance(found, Refused):
                yield refuse(stage.from_, found.because, found.hint)
            elif found is not None:
                yield Finding(
                    stage.from_,
                    f"build {', '.join(found.outputs)} in a stage on {found.image}",
                    list(_edits(file, reading, found)),
                    why="the program needs what the front end's build makes, and nothing that makes it",
                    evidence=found.evidence,
                )


def _edits(file: Dockerfile, reading: StageReading, found: Assets) -> Iterator[Edit]:
    stage = reading.stage
    name = "assets" if (stage.name or "").lower() != "assets" else "front-end"
    platform = f"--platform={stage.platform} " if stage.platform else ""
    # Comments go with what they are about; those on how Node came into the image, with the image that has it.
    gone = [node for node, left in found.left.items() if left is None]
    comments = {id(node): file.comments_above(node) for node in gone}
    moved = {id(entry) for entry in found.stage if not isinstance(entry, str)}
    new: list[Node] = [one for node in gone if id(node) not in moved for one in comments[id(node)]]
    new.append(file.new(f"FROM {platform}{found.image} AS {name}"))
    for entry in found.stage:
        new += [file.new(entry)] if isinstance(entry, str) else [*comments.get(id(entry), ()), entry]
    yield InsertBefore(stage.from_, [*new, file.blank()])
    step = reading.step(found.place)
    workdir = "/" if step is None else step.workdir
    copies = [file.new(f"COPY --from={name} {path} {_target(path, workdir)}") for path in found.outputs]
    for node, left in found.left.items():
        yield from (Remove(one) for one in comments.get(id(node), ()))
        behind = [] if left is None else [left]
        if node is found.place:
            yield Replace(node, [*behind, *copies] if found.is_last else [*copies, *behind])
        elif left is None:
            yield Remove(node)
        else:
            yield Replace(node, behind)


def _target(path: str, workdir: str) -> str:
    return f"./{posixpath.relpath(path, workdir)}" if path.startswith(workdir.rstrip("/") + "/") else path
