"""copy-manifests-first"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Move,
    Phase,
    Refusal,
    Refused,
    Remove,
    Replace,
    Safety,
    StageReading,
    Trivia,
    first_sources,
    flow_of,
    foreign,
    goes_first,
    leaves,
    recognise,
    refuse,
    rewrites,
    why_no_sources,
)

if TYPE_CHECKING:
    from refactor import Install

Node = Instruction | Trivia
NEEDED_TO_DOWNLOAD = (
    r"git config|go env|\.netrc|\.ssh|known_hosts|\.gitconfig|GOPRIVATE|GOPROXY|go mod (?:init|edit|tidy)"
)
PRODUCTS = ("node_modules", ".venv", "venv", "__pypackages__")
GO = {
    "go.mod": "module example.org/server\n\ngo 1.24\n\nrequire github.com/go-chi/chi/v5 v5.2.1\n",
    "go.sum": "github.com/go-chi/chi/v5 v5.2.1 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n",
    "main.go": 'package main\n\nimport _ "github.com/go-chi/chi/v5"\n\nfunc main() {}\n',
}
APP = {"package.json": '{"name": "a", "dependencies": {"express": "^4.0.0"}}', "server.js": "require('express')\n"}


class CopyManifestsFirst(Codemod):
    """Copy dependency manifests and install from them before the sources are copied.

    Why
    ---
    A layer is rebuilt when anything before it changes. With the sources copied before the install, each edit of one
    source line downloads and installs every dependency again.

    What it does
    ------------
    Copies the files that the install reads (manifests, lockfiles, settings of the package manager, what its scripts
    open), runs the install, and only then copies the sources. System packages installed in between move up too. An
    install that shares its RUN with a build is taken out of it.

    When it refuses
    ---------------
    When the install reads the sources (`pip install .`, a `prepare` script that compiles), when a step in between may
    change what it reads, and when the build context holds installed packages that a later copy would put over the
    fresh ones.

    Safety
    ------
    REVIEW: the same commands run in another order; the files that the install reads are printed as evidence.
    """

    phase = Phase.CACHE
    safety = Safety.REVIEW
    words = ("copy", "add")
    may_change = frozenset({Aspect.CACHE, Aspect.LAYERS, Aspect.COPIES})
    examples = (
        rewrites(
            "npm install after the sources",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY package.json ./
            RUN npm install
            COPY . .
            CMD ["node", "server.js"]
            """,
            files=APP,
        ),
        rewrites(
            "the install shares its RUN with the build",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN npm install && npm run build
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY package.json ./
            RUN npm install
            COPY . .
            RUN npm run build
            CMD ["node", "server.js"]
            """,
            files={**APP, "package.json": '{"scripts": {"build": "node server.js"}}'},
        ),
        rewrites(
            "the install and the build of a folder below",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN cd client && npm install && npm run build
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY client/package.json client/
            RUN cd client && npm install
            COPY . .
            RUN cd client && npm run build
            CMD ["node", "server.js"]
            """,
            files={
                "client/package.json": '{"scripts": {"build": "node build.js"}}',
                "client/build.js": "require('fs').writeFileSync('index.html', '')\n",
                "server.js": "require('http')\n",
            },
        ),
        rewrites(
            "go build downloads the modules itself",
            before="""
            FROM golang:1.24 AS builder
            WORKDIR /app
            COPY . .
            RUN go build -o server .
            FROM scratch
            COPY --from=builder /app/server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.24 AS builder
            WORKDIR /app
            COPY go.mod go.sum ./
            RUN go mod download
            COPY . .
            RUN go build -o server .
            FROM scratch
            COPY --from=builder /app/server /server
            CMD ["/server"]
            """,
            files=GO,
        ),
        rewrites(
            "the project itself is installed",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -e .
            CMD ["python", "-m", "shop"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY pyproject.toml README.md ./
            RUN pip install .
            COPY . .
            RUN pip install -e .
            CMD ["python", "-m", "shop"]
            """,
            files={
                "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nreadme = "README.md"\n'
                'dependencies = ["flask"]\n',
                "README.md": "A shop.\n",
                "shop/__main__.py": "import flask\n",
            },
        ),
        rewrites(
            "what is installed by name, into an environment made for it",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN python -m venv /opt/venv
            ENV PATH="/opt/venv/bin:$PATH"
            RUN useradd shop && mkdir -p /var/lib/shop
            RUN pip install flask gunicorn
            CMD ["gunicorn", "shop:app"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            RUN python -m venv /opt/venv
            ENV PATH="/opt/venv/bin:$PATH"
            RUN useradd shop && mkdir -p /var/lib/shop
            RUN pip install flask gunicorn
            COPY . .
            CMD ["gunicorn", "shop:app"]
            """,
            files={"shop.py": "import flask\napp = flask.Flask(__name__)\n"},
        ),
        rewrites(
            "programs that are installed for the whole image",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN npm install -g pm2@5 && npm cache clean --force
            CMD ["pm2-runtime", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            RUN npm install -g pm2@5 && npm cache clean --force
            COPY . .
            CMD ["pm2-runtime", "server.js"]
            """,
            files={"server.js": "require('http')\n", "node_modules/left/index.js": ""},
        ),
        rewrites(
            "settings of the package manager are copied in between",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            COPY pip.conf /etc/
            COPY certificates/ /usr/local/share/ca-certificates/
            RUN update-ca-certificates
            RUN pip install -r requirements.txt
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY pip.conf /etc/
            COPY certificates/ /usr/local/share/ca-certificates/
            RUN update-ca-certificates
            COPY requirements.txt ./
            RUN pip install -r requirements.txt
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask", "pip.conf": "", "certificates/own.crt": "", "app.py": "import flask"},
        ),
        leaves(
            "manifests come first already",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY package.json ./
            RUN npm install
            COPY . .
            CMD ["node", "server.js"]
            """,
            files=APP,
        ),
        leaves(
            "the project cannot be built without its sources",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install .
            CMD ["python", "-m", "shop"]
            """,
            files={
                "pyproject.toml": '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
                '[project]\nname = "shop"\nversion = "1"\n',
                "shop/__main__.py": "",
            },
            because="flit_core.buildapi builds no project without its packages",
        ),
        leaves(
            "the sources are not there",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "flask", "README.md": ""},
            because="nothing but manifests was found there",
        ),
        leaves(
            "installed packages lie in the build context",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            files={**APP, "node_modules/express/index.js": ""},
            because="node_modules of the build context would be copied over",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            last = next((step for step in reversed(reading.steps) if step.keyword == "RUN"), None)
            if last is None or first_sources(reading, last, ()) is None:
                continue
            languages = recognise(reading)
            other = None if languages else foreign(reading)
            if other and other.build and first_sources(reading, other.build, ()) is not None:
                yield refuse(other.build.node, *other.refused)
            installs = [one for language in languages for one in language.installs(reading)]
            if installs:
                from refactor import Install
            for install in installs:
                if isinstance(install, Install):
                    broad = first_sources(reading, install.step, install.manifests)
                    if broad is not None:
                        yield self._reorder(reading, install, broad)
                        # The next pass sees the stage as it is then.
                        return
                elif first_sources(reading, install[0], ()) is not None:
                    yield refuse(install[0].node, install[1].because, install[1].hint)

    def _reorder(self, reading: StageReading, install: Install, broad: Instruction) -> Finding | Refusal:
        from refactor import taken_apart

        file, context, node = reading.file, reading.context, install.step.node
        if context.why_unknown is not None:
            return refuse(node, f"the build context is not known: {context.why_unknown}", "name it with --context")
        unseen = why_no_sources(reading, broad, install.manifests)
        if unseen is not None:
            line = file.line_of(broad)
            return refuse(
                node,
                f"which sources line {line} copies is not known: {unseen}",
                "name the folder that is built from with --context",
            )
        reason = _why_not_products(reading, install) or _why_not_written(install)
        parts = taken_apart(reading, install)
        if isinstance(parts, Refused):
            return refuse(node, parts.because, parts.hint)
        if reason is not None:
            return refuse(node, reason.because, reason.hint)
        segment = _segment(reading, broad, node)
        if install.new_command:
            reason = _why_not_new(reading, segment)
            if reason is not None:
                return refuse(node, reason.because, reason.hint)
        move = Move(broad, node, install.manifests, partial(flow_of, file, context))
        above: list[Node] = []
        below: list[Node] = []
        for instruction, trivia in segment[:-1]:
            where = instruction is not broad and goes_first(reading, instruction, move)
            if isinstance(where, Refused) and install.new_command and instruction.keyword == "RUN":
                # It worked on the sources before anything was installed, and still does.
                where = False
            if isinstance(where, Refused):
                return refuse(node, where.because, where.hint)
            (above if where else below).extend([*trivia, instruction])
        copies = _manifest_copies(reading, install, broad, segment)
        if isinstance(copies, Refused):
            return refuse(node, copies.because, copies.hint)
        first, rest = parts
        comments = () if install.new_command else segment[-1][1]
        moved: list[Node] = [*above, *comments, *copies, node if first is None else file.new(first)]
        while _is_blank(moved[0]):
            del moved[0]
        old = [entry for instruction, trivia in segment for entry in (*trivia, instruction)]
        if _stands_apart(file, old[0]) and not _is_blank(below[0]):
            below.insert(0, file.blank())
        if install.new_command:
            below += [*segment[-1][1], node]
        if rest is not None:
            below.append(file.new(rest))
        order = [*moved, *below]
        renewed = [entry for i, entry in enumerate(order) if not (i and _is_blank(entry) and _is_blank(order[i - 1]))]
        reads = f"reads only {', '.join(install.manifests)}" if install.manifests else "nothing of the context is read"
        return Finding(
            node,
            f"install the dependencies before the sources are copied ({reads})",
            [Replace(old[0], renewed), *(Remove(entry) for entry in old[1:])],
            why="an edit of one source file no longer installs every dependency again",
            evidence=(
                f"line {file.line_of(broad)} copies the sources before line {file.line_of(node)} installs",
                *install.evidence,
                *_note_on_products(reading, install),
            ),
            # The build would have done what a new command does as a part of itself.
            may_change=_may_change(install),
        )


def _may_change(install: Install) -> set[Aspect]:
    if install.new_command or install.from_manifests:
        return {Aspect.COMMANDS}
    return {Aspect.CACHE_MOUNTS} if install.step.node.flags else set()


def _is_blank(node: Node) -> bool:
    return isinstance(node, Trivia) and node.kind == "blank"


def _stands_apart(file: Dockerfile, node: Node) -> bool:
    """A blank line stands above the node."""
    index = file.nodes.index(node)
    return index > 0 and _is_blank(file.nodes[index - 1])


def _why_not_products(reading: StageReading, install: Install) -> Refused | None:
    folder = reading.in_context(install.folder, install.step.node)
    if install.new_command or folder is None:
        return None
    for name in PRODUCTS:
        path = posixpath.join(folder, name)
        if reading.context.exists(path) is True:
            return Refused(
                f"{path} of the build context would be copied over what was installed", f"add {path} to .dockerignore"
            )
    return None


def _note_on_products(reading: StageReading, install: Install) -> Iterator[str]:
    """What a developer's own folder may hold beside a clone: the copy that now comes last would bring it in."""
    context = reading.context
    folder = reading.in_context(install.folder, install.step.node) or ""
    ignored = context.read(posixpath.join(folder, ".gitignore"))
    for name in PRODUCTS:
        path = posixpath.join(folder, name)
        if isinstance(ignored, str) and name in ignored and context.is_ignored(path) is False:
            yield f"{path} is not in the build context now; a line in .dockerignore keeps it out on other machines"


def _why_not_written(install: Install) -> Refused | None:
    if any(sign in path for path in install.manifests for sign in " \"'$[*?\\"):
        return Refused("a manifest's name has characters that COPY treats specially")
    return None


def _why_not_new(reading: StageReading, segment: Sequence[tuple[Instruction, object]]) -> Refused | None:
    """Credentials and addresses that a download needs are set up behind the copy."""
    for instruction, _ in segment[:-1]:
        found = re.search(NEEDED_TO_DOWNLOAD, instruction.argument) if instruction.keyword == "RUN" else None
        if found is not None:
            line = reading.file.line_of(instruction)
            return Refused(
                f"the RUN on line {line} sets up how modules are downloaded ({found[0]}) after the sources are copied",
                "move it above the copy",
            )
    return None


def _segment(
    reading: StageReading, first: Instruction, last: Instruction
) -> list[tuple[Instruction, tuple[Node, ...]]]:
    """The instructions from the copy to the install, each with the comments directly above it."""
    segment: list[tuple[Instruction, tuple[Node, ...]]] = []
    trivia: list[Node] = []
    inside = False
    for node in reading.stage.nodes:
        if isinstance(node, Trivia):
            if inside:
                trivia.append(node)
            continue
        if node is first:
            inside, trivia = True, list(reading.file.comments_above(node))
        if inside:
            segment.append((node, tuple(trivia)))
            trivia = []
        if node is last:
            break
    return segment


def _manifest_copies(
    reading: StageReading, install: Install, broad: Instruction, segment: Sequence[tuple[Instruction, object]]
) -> list[Instruction] | Refused:
    """COPY instructions that bring each manifest to where the broad copy would have put it."""
    from refactor import copies_to

    flags = "".join(f"{flag.text} " for flag in broad.flags if flag.name in {"chown", "chmod"})
    here = {id(instruction) for instruction, _ in segment}
    places: dict[str, str] = {}
    for path in install.manifests:
        early = reading.in_image(path, broad)
        late = reading.in_image(path, install.step.node)
        if not late:
            return Refused(f"{path}, which the install reads, is not copied before it")
        if late[-1] in early and not any(
            id(copied.node) in here and copied.source == path for copied in reading.copies
        ):
            continue
        is_folder = reading.context.is_dir(path) is True
        if not is_folder and posixpath.basename(late[-1]) != posixpath.basename(path):
            return Refused(f"{path} is renamed on the way into the image")
        places[path] = late[-1]
    return [reading.file.new(text) for text in copies_to(reading.context, places, install.step.workdir, flags)]
