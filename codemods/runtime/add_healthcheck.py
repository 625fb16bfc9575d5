"""add-healthcheck"""

from __future__ import annotations

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
    Safety,
    Stage,
    StageReading,
    leaves,
    recognise,
    refuse,
    rewrites,
    why_windows,
)

if TYPE_CHECKING:
    from refactor import Serving

EXPRESS = {
    "package.json": '{"dependencies": {"express": "^4.19.2"}}',
    "server.js": (
        "const express = require('express')\nconst app = express()\n"
        "app.get('/healthz', (ask, answer) => answer.send('ok'))\napp.listen(process.env.PORT || 3000)\n"
    ),
}
FASTAPI = {
    "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\n",
    "main.py": 'from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get("/health")\ndef health():\n    return {}\n',
}
GO = {
    "go.mod": "module example.com/shop\n\ngo 1.22\n",
    "main.go": (
        'package main\n\nimport "net/http"\n\nfunc main() {\n'
        '\thttp.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {})\n'
        '\thttp.ListenAndServe(":8080", nil)\n}\n'
    ),
}
SPRING = {
    "pom.xml": (
        "<project><groupId>org.example</groupId><artifactId>shop</artifactId><version>1.0</version><dependencies>"
        "<dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId>"
        "</dependency><dependency><groupId>org.springframework.boot</groupId>"
        "<artifactId>spring-boot-starter-actuator</artifactId></dependency></dependencies></project>\n"
    ),
    "src/main/resources/application.yml": "server:\n  port: 8081\n",
    "src/main/java/Shop.java": "class Shop {}\n",
}


class AddHealthcheck(Codemod):
    """Let the engine ask the program whether it is well.

    Why
    ---
    A process that hangs still runs: without a health check `docker ps`, Compose's `depends_on` with `service_healthy`
    and Swarm take it for well. Kubernetes ignores HEALTHCHECK: there the same route belongs into a probe of the pod.

    What it does
    ------------
    Writes a HEALTHCHECK in front of the start command where a source of the started program answers to a route that is
    made for it (`/health`, `/healthz`, `/ping`, `/livez`, `/ready`, `/status` and their like), and the port is spelled
    out by the start command or the sources. It is asked by what is in the image already: Node or Python itself where
    they run the program, busybox's wget on Alpine, curl or wget where the base has them or an install puts them there.
    Nothing is installed for it. A port that a variable decides on is read when the check runs.

    When it refuses
    ---------------
    When no source answers to such a route, or only through a router, whose prefix is another's; when the port is not
    known, there are several, or TLS is spoken; when nothing in the image can ask (scratch, distroless without an
    interpreter, slim images); when Compose checks the service already, or starts another program from the same image,
    which does not answer. A stage that has a HEALTHCHECK, or is built from one, is left alone; NONE is one too.

    Safety
    ------
    REVIEW: the image's configuration gains a check. `dockerfix verify` starts the image and waits for it to be healthy.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.HEALTHCHECK})
    opt_in = True
    modern = True
    hadolint = ("DL3057",)
    examples = (
        rewrites(
            "Express",
            before="""
            FROM node:22-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            EXPOSE 3000
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:22-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            EXPOSE 3000
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3000)+'/healthz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
            CMD ["node", "server.js"]
            """,
            files=EXPRESS,
        ),
        rewrites(
            "Node before it had fetch",
            before="""
            FROM node:16-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:16-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD ["node", "-e", "require('http').get('http://127.0.0.1:3000/healthz',r=>process.exit(r.statusCode<400?0:1)).on('error',()=>process.exit(1))"]
            CMD ["node", "server.js"]
            """,
            files={**EXPRESS, "server.js": EXPRESS["server.js"].replace("process.env.PORT || ", "")},
        ),
        rewrites(
            "FastAPI behind uvicorn",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install --no-cache-dir -r requirements.txt
            # One worker a container
            CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "80"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install --no-cache-dir -r requirements.txt
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 80, timeout=4); c.request('GET', '/health'); exit(c.getresponse().status >= 400)"]
            # One worker a container
            CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "80"]
            """,  # noqa: E501
            files=FASTAPI,
        ),
        rewrites(
            "busybox asks on Alpine",
            before="""
            FROM golang:1.22-alpine AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /server .
            FROM alpine:3.20
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.22-alpine AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /server .
            FROM alpine:3.20
            COPY --from=builder /server /server
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD ["wget", "-q", "-Y", "off", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
            CMD ["/server"]
            """,
            files=GO,
        ),
        rewrites(
            "curl where an install puts it, and a port that the environment decides on",
            before="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /server .
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            after="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /server .
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
            COPY --from=builder /server /server
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD curl -fsS --noproxy '*' -o /dev/null "http://127.0.0.1:${PORT:-8080}/healthz" || exit 1
            CMD ["/server"]
            """,
            files={
                **GO,
                "main.go": GO["main.go"]
                .replace('import "net/http"', 'import (\n\t"net/http"\n\t"os"\n)')
                .replace('":8080"', '":" + port')
                .replace(
                    "main() {\n", 'main() {\n\tport := os.Getenv("PORT")\n\tif port == "" {\n\t\tport = "8080"\n\t}\n'
                ),
            },
        ),
        rewrites(
            "Spring Boot's actuator",
            before="""
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY . .
            RUN mvn -q package
            FROM eclipse-temurin:21-jre-alpine
            COPY --from=builder /src/target/shop-1.0.jar /shop.jar
            CMD ["java", "-jar", "/shop.jar"]
            """,
            after="""
            FROM maven:3.9-eclipse-temurin-21 AS builder
            WORKDIR /src
            COPY . .
            RUN mvn -q package
            FROM eclipse-temurin:21-jre-alpine
            COPY --from=builder /src/target/shop-1.0.jar /shop.jar
            HEALTHCHECK --timeout=5s --start-period=30s \\
                CMD wget -q -Y off -O /dev/null "http://127.0.0.1:${SERVER_PORT:-8081}/actuator/health" || exit 1
            CMD ["java", "-jar", "/shop.jar"]
            """,
            files=SPRING,
        ),
        leaves(
            "nothing in the image can ask",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            FROM gcr.io/distroless/static-debian12:nonroot
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=GO,
            because="nothing in gcr.io/distroless/static-debian12:nonroot can ask",
        ),
        leaves(
            "no route",
            """
            FROM node:22-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            files={**EXPRESS, "server.js": "require('http').createServer().listen(3000)\n"},
            because="tells that it is well",
        ),
        leaves(
            "a route of a router stands below a prefix",
            """
            FROM node:22-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            files={
                **EXPRESS,
                "server.js": (
                    "const express = require('express')\nconst app = express()\nconst router = express.Router()\n"
                    "router.get('/health', (ask, answer) => answer.send('ok'))\napp.use('/api', router)\n"
                    "app.listen(3000)\n"
                ),
            },
            because="tells that it is well",
        ),
        leaves(
            "only POST is answered",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install --no-cache-dir -r requirements.txt
            CMD ["uvicorn", "main:app"]
            """,
            files={**FASTAPI, "main.py": FASTAPI["main.py"].replace("app.get", "app.post")},
            because="tells that it is well",
        ),
        leaves(
            "Compose checks it",
            """
            FROM node:22-slim
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            files={
                **EXPRESS,
                "compose.yaml": (
                    "services:\n  web:\n    build: .\n    healthcheck:\n      test: [CMD, node, check.js]\n"
                ),
            },
            because="healthcheck of web in compose.yaml asks it already",
        ),
        leaves(
            "a worker of the same image",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install --no-cache-dir -r requirements.txt
            CMD ["uvicorn", "main:app"]
            """,
            files={
                **FASTAPI,
                "compose.yaml": (
                    "services:\n  web:\n    build: .\n  worker:\n    build: .\n    command: python worker.py\n"
                ),
            },
            because="worker in compose.yaml starts another program",
        ),
        leaves(
            "TLS",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install --no-cache-dir -r requirements.txt
            CMD ["uvicorn", "main:app", "--ssl-keyfile", "key.pem"]
            """,
            files=FASTAPI,
            because="serves by TLS",
        ),
        leaves(
            "there is one",
            """
            FROM node:22-slim AS base
            HEALTHCHECK NONE
            FROM base
            WORKDIR /app
            COPY . .
            RUN npm install
            CMD ["node", "server.js"]
            """,
            files=EXPRESS,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not file.stages or why_windows(file, file.stages[-1]) is not None or _is_checked(file, file.stages[-1]):
            return
        reading = StageReading.of(file, file.stages[-1], context)
        place = _place(reading)
        answer = _serving(reading)
        command = answer if isinstance(answer, Refused) else _asked_by(reading, answer)
        if isinstance(answer, Refused) or isinstance(command, Refused):
            refused = answer if isinstance(answer, Refused) else command
            assert isinstance(refused, Refused)
            yield refuse(place or reading.stage.from_, refused.because, refused.hint)
        elif place is not None:
            # Docker asks every 30 seconds; failures in the first 30 do not count.
            new = file.new(f"HEALTHCHECK --timeout=5s --start-period=30s \\\n    CMD {command}\n")
            comments = file.comments_above(place)
            yield Finding(
                place,
                f"ask {answer.route} whether the program is well",
                [InsertBefore(comments[0] if comments else place, [new])],
                why="a process that hangs still runs, and nobody notices",
                evidence=answer.evidence,
            )


def _is_checked(file: Dockerfile, stage: Stage) -> bool:
    """The stage has a HEALTHCHECK (NONE is one), or one that it is built from."""
    current: Stage | None = stage
    while current is not None:
        if any(node.keyword == "HEALTHCHECK" for node in current.instructions):
            return True
        current = file.stage_before(current.index, current.image)
    return False


def _place(reading: StageReading) -> Instruction | None:
    """The first of the stage's last CMD and ENTRYPOINT."""
    nodes = [node for node in (reading.last("ENTRYPOINT"), reading.last("CMD")) if node is not None]
    return min(nodes, key=reading.position, default=None)


def _serving(reading: StageReading) -> Serving | Refused:
    from refactor import why_not_seen

    context = reading.context
    if context.why_unknown is not None:
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    unseen = why_not_seen(reading)
    if unseen is not None:
        return unseen
    for service in context.deployment.services:
        check = next((call.by for call in service.calls if call.by.startswith("healthcheck of ")), None)
        if check is not None:
            return Refused(f"{check} asks it already", "")
        if service.kind == "compose" and service.has_own_command:
            because = f"{service.name} in {service.source} starts another program from the same image"
            return Refused(because, "give the services health checks of their own in the Compose file")
    answers = [language.serving(reading) for language in recognise(reading)]
    found = [answer for answer in answers if answer is not None]
    for answer in found:
        if not isinstance(answer, Refused):
            return answer
    if found:
        return found[0]
    return Refused("no source of the started program is known, so no route of it is", "write the HEALTHCHECK by hand")


def _asked_by(reading: StageReading, serving: Serving) -> str | Refused:
    """The check's command as HEALTHCHECK takes it."""
    import json

    if serving.probe:
        return json.dumps(serving.probe, ensure_ascii=False)
    port, image = serving.port, reading.image
    number = f"${{{port.variable}:-{port.number}}}" if port.variable else str(port.number)
    address = f"http://127.0.0.1:{number}{serving.route}"
    words = _asker(reading)
    has_shell = image is not None and image.has_shell
    if words is None or (port.variable and not has_shell):
        shown = reading.image_reference or reading.stage.image
        hint = "let the program check itself by an option of its own, or use a base with a shell and wget"
        return Refused(f"nothing in {shown} can ask {serving.route}", hint)
    if not port.variable:
        return json.dumps([*words, address])
    quoted = " ".join("'*'" if word == "*" else word for word in words)
    return f'{quoted} "{address}" || exit 1'


def _asker(reading: StageReading) -> tuple[str, ...] | None:
    """A program of the image that fails where an address does not answer, without the proxies of the environment."""
    image = reading.image
    there = set(image.preinstalled) if image is not None else set[str]()
    for _, call in reading.calls:
        names = {word.literal.partition("=")[0] for word in call.packages}
        if call.manager in {"apt", "apk", "dnf", "yum", "microdnf"}:
            there = there | names if call.action == "install" else there - names if call.action == "remove" else there
    if "curl" in there:
        return "curl", "-fsS", "--noproxy", "*", "-o", "/dev/null"
    if image is not None and image.distro == "alpine" and "wget" not in there:
        return "wget", "-q", "-Y", "off", "-O", "/dev/null"
    return ("wget", "-q", "--no-proxy", "-O", "/dev/null") if "wget" in there else None
