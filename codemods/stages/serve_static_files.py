"""serve-static-files"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Edit,
    FileEdit,
    Finding,
    InsertAfter,
    Instruction,
    Option,
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
    from refactor import StaticSite

FIRST_FREE_PORT = 1024
USER = "101"
"""nginx's own user in its images (https://github.com/nginx/docker-nginx)."""
HTML = "/usr/share/nginx/html"
MOVED = frozenset({"EXPOSE", "LABEL", "STOPSIGNAL"})
STARTS = frozenset({"CMD", "ENTRYPOINT"})

CONFIG = """\
# Serves the files of a build; needs no root, as what it writes is in /tmp.
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    charset utf-8;
    sendfile on;
    server_tokens off;

    gzip on;
    gzip_vary on;
    gzip_min_length 1024;
    gzip_types text/plain text/css text/javascript application/javascript application/json image/svg+xml;

    server {
        listen %(port)s;
        root /usr/share/nginx/html;
        index index.html;
        # A redirect names no port: outside of the container it may be another one.
        absolute_redirect off;
%(not_found)s%(hashed)s
        location / {
            add_header Cache-Control "no-cache";
            try_files %(files)s;
        }
    }
}
"""
NOT_FOUND = "        error_page 404 /404.html;\n"
HASHED = """
        # Their names have a hash of what is in them: they never change.
        location %s {
            add_header Cache-Control "public, max-age=31536000, immutable";
            try_files $uri =404;
        }
"""

VITE = {
    "package.json": '{"scripts": {"dev": "vite --host", "build": "vite build"}, "devDependencies": {"vite": "7"}}',
    "package-lock.json": '{"lockfileVersion": 3, "packages": {"": {"devDependencies": {"vite": "7"}}}}',
    "vite.config.js": "export default {}\n",
    "index.html": "<script type=module src=/main.js></script>\n",
    "main.js": "document.body.append(1)\n",
}
DEVELOPMENT = """
            FROM node:22
            WORKDIR /app
            COPY package*.json ./
            RUN npm ci
            COPY . .
            EXPOSE 5173
            CMD ["npm", "run", "dev"]
            """


class ServeStaticFiles(Codemod):
    """Build a front end or a site once and serve its files with nginx, instead of starting a development server.

    Why
    ---
    `vite`, `react-scripts start` and `serve` ship Node and hundreds of packages (over a gigabyte) to hand out a few
    files, which nginx does in some ten megabytes, compressed and with headers for caches. `hugo server`, `jekyll serve`
    and `mkdocs serve` build the whole site at every start as well.

    What it does
    ------------
    The stage becomes a builder; a runner on nginx gets the built files and a configuration that is written beside the
    Dockerfile: the same port, the start page for addresses of a single-page application, gzip, a long life in caches
    for names with a hash, and no root.

    When it refuses
    ---------------
    Where the server does more: a proxy, middleware, pages rendered on the server, settings of the environment when it
    starts; where sources are mounted over it, which is a development setup; and where no lockfile and script say what
    is built, or the port is not known. Where a site is served below another address than /, or as headers and
    redirects of its settings say.

    Safety
    ------
    REVIEW: a production build takes the place of the development server; script, output and port are the evidence.
    UNSAFE where a source asks whether it runs in development, as it may then use another address of an API, say, or
    leave out what a template has for production alone.
    """

    phase = Phase.STAGES
    safety = Safety.REVIEW
    may_change = frozenset(
        {
            *(Aspect.STAGES, Aspect.BASE, Aspect.COPIES, Aspect.COMMANDS, Aspect.LAYERS, Aspect.CMD, Aspect.ENTRYPOINT),
            *(Aspect.WORKDIR, Aspect.ENV, Aspect.USER, Aspect.SHELL, Aspect.STOPSIGNAL, Aspect.FILES, Aspect.EXPOSE),
        }
    )
    options = {"image": Option("nginx:stable-alpine", "the image that serves the files")}
    examples = (
        rewrites(
            "Vite's development server",
            before=DEVELOPMENT,
            after="""
            FROM node:22 AS builder
            WORKDIR /app
            COPY package*.json ./
            RUN npm ci
            COPY . .
            RUN npm run build

            FROM nginx:stable-alpine AS runner
            COPY nginx.conf /etc/nginx/nginx.conf
            COPY --from=builder /app/dist /usr/share/nginx/html
            EXPOSE 5173
            USER 101
            """,
            files=VITE,
            written={
                "nginx.conf": CONFIG
                % {"port": 5173, "not_found": "", "hashed": HASHED % "/assets/", "files": "$uri $uri/ /index.html"}
            },
        ),
        leaves(
            "a proxy for an API",
            DEVELOPMENT,
            files={**VITE, "vite.config.js": "export default {server: {proxy: {'/api': 'http://api'}}}\n"},
            because="it does more than serve files",
        ),
        leaves(
            "nothing says what is built",
            DEVELOPMENT,
            files={**VITE, "package.json": VITE["package.json"].replace('"build"', '"bundle"')},
            because="has no script `build`",
        ),
        leaves(
            "no lockfile",
            DEVELOPMENT.replace("npm ci", "npm install"),
            files={name: text for name, text in VITE.items() if "lock" not in name},
            because="no lockfile",
        ),
        leaves(
            "sources are mounted over it",
            DEVELOPMENT,
            files={**VITE, "compose.yaml": "services: {web: {build: ., volumes: ['.:/app']}}\n"},
            because="a setup for development",
        ),
        leaves(
            "settings come when it starts",
            DEVELOPMENT,
            files={**VITE, "compose.yaml": "services: {web: {build: ., environment: {VITE_API: http://api}}}\n"},
            because="gives VITE_API to the server when it starts",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if len(file.stages) != 1 or context.why_unknown is not None:
            return
        stage = file.stages[0]
        reading = StageReading.of(file, stage, context)
        for language in recognise(reading):
            site = language.static_site(reading)
            if isinstance(site, Refused):
                yield refuse(stage.from_, site.because, site.hint)
            elif site is not None:
                yield self._answer(file, reading, site)

    def _answer(self, file: Dockerfile, reading: StageReading, site: StaticSite) -> Finding | Refusal:
        context, stage = reading.context, reading.stage
        if stage.name in context.deployment.targets:
            where = context.deployment.named_by("target")
            return refuse(
                stage.from_, f"{where} builds the stage {stage.name} by name, and would get the builder", "remove it"
            )
        user = reading.last("USER")
        if user is not None and site.build:
            return refuse(
                user, "the build would run as this user, who may not write to the folder", "build above the USER"
            )
        text = _config(site).encode()
        path = _free_path(context, text)
        if path is None or context.is_ignored(path) is not False:
            return refuse(site.cmd, "nginx's configuration has no place in the build context", "allow `nginx.conf`")
        files = [FileEdit(path, None, text)] if context.stored(path) is None else []
        return Finding(
            site.cmd,
            f"serve {site.folder} with nginx on port {site.port}",
            self._edits(file, reading, site, path),
            why=site.what,
            evidence=[*site.evidence, *([site.doubt] if site.doubt else [])],
            safety=Safety.UNSAFE if site.doubt else None,
            files=files,
        )

    def _edits(self, file: Dockerfile, reading: StageReading, site: StaticSite, path: str) -> list[Edit]:
        stage, image = reading.stage, self.option("image")
        name = stage.name or "builder"
        platform = f"--platform={stage.platform} " if stage.platform else ""
        moved = [step.node for step in reading.steps if step.keyword in MOVED]
        last = next(step.node for step in reversed(reading.steps) if step.keyword not in {*MOVED, *STARTS})
        runner: list[Instruction | Trivia] = [
            *([] if file.comments_above(site.cmd) else [file.blank()]),
            file.new(f"FROM {image} AS {'runner' if name != 'runner' else 'server'}"),
            file.new(f"COPY {path} /etc/nginx/nginx.conf"),
            file.new(f"COPY --from={name} {site.folder} {HTML}"),
            *moved,
        ]
        if site.port >= FIRST_FREE_PORT:
            runner.append(file.new(f"USER {USER}"))
        edits: list[Edit] = [Remove(node) for node in moved]
        edits += [Remove(step.node) for step in reading.steps if step.keyword in STARTS and step.node is not site.cmd]
        if not stage.name:
            edits.append(Replace(stage.from_, [file.new(f"FROM {platform}{stage.image} AS {name}")]))
        if site.build:
            edits.append(InsertAfter(last, [file.new(f"RUN {site.build}")]))
        return [*edits, Replace(site.cmd, runner)]


def _config(site: StaticSite) -> str:
    files = "$uri $uri/ /index.html" if site.is_single_page else "$uri $uri.html $uri/ =404"
    places = f"/{site.hashed[0]}/" if len(site.hashed) == 1 else f"~ ^/(?:{'|'.join(site.hashed)})/"
    hashed = HASHED % places if site.hashed else ""
    not_found = NOT_FOUND if site.not_found else ""
    return CONFIG % {"port": site.port, "not_found": not_found, "hashed": hashed, "files": files}


def _free_path(context: BuildContext, text: bytes) -> str | None:
    """Where the configuration is written, or lies already: beside the Dockerfile."""
    folder = posixpath.dirname(context.dockerfile or "")
    for name in ("nginx.conf", "static.nginx.conf"):
        path = posixpath.join(folder, name)
        if context.stored(path) in (None, text):
            return path
    return None
