"""cross-compile"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Edit,
    Finding,
    InsertBefore,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Replace,
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
    from refactor import Crossing

SERVER = {
    "go.mod": "module example.org/hello\n\ngo 1.22\n",
    "main.go": 'package main\n\nimport "net/http"\n\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
}
FILES_OF_ALL = ("/etc/ssl/certs", "/usr/share/zoneinfo", "/etc/passwd", "/etc/group", "/usr/share/ca-certificates")
"""What is the same on every platform, however it came into the builder."""
HARMLESS = frozenset({"go", "cd", "export", "set"})
"""Commands behind a build that start no program which it made, besides tools of the system."""


class CrossCompile(Codemod):
    """Compile for other platforms on the builder's own.

    Why
    ---
    `docker build --platform linux/arm64` on an amd64 machine emulates every step of every stage: a compiler under QEMU
    takes ten times as long. Go compiles for all platforms from any of them.

    What it does
    ------------
    A builder stage of Go starts from `--platform=$BUILDPLATFORM`, takes `ARG TARGETOS TARGETARCH`, which BuildKit fills
    in, in front of its first `go build`, and builds with `GOOS=$TARGETOS GOARCH=$TARGETARCH`. A `GOOS=linux` that the
    author wrote stays. On one platform alone nothing changes but these variables.

    When it refuses
    ---------------
    When the program may need cgo, or CGO_ENABLED=0 is not said; when a step behind the build may start what it made,
    which cannot run there; when other files than the programs, what the context brings, certificates and time zones are
    copied from the stage, as they are the builder's platform's; when the stage is shipped itself, is built from another
    stage, or names a platform; when an image is built without BuildKit, which alone knows these variables.

    Safety
    ------
    REVIEW: for the builder's own platform the program is the same; for others it was compiled under emulation before.
    """

    phase = Phase.PLATFORM
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.BASE, Aspect.COMMANDS, Aspect.ENV, Aspect.CACHE})
    opt_in = True
    modern = True
    examples = (
        rewrites(
            "a static program",
            before="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -trimpath -o /server .
            FROM gcr.io/distroless/static-debian12:nonroot
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            after="""
            FROM --platform=$BUILDPLATFORM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            ARG TARGETOS TARGETARCH
            RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /server .
            FROM gcr.io/distroless/static-debian12:nonroot
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=SERVER,
        ),
        rewrites(
            "modules are downloaded once for all platforms",
            before="""
            FROM golang:1.22-alpine AS builder
            RUN apk add --no-cache ca-certificates git
            ENV CGO_ENABLED=0
            WORKDIR /src
            COPY go.mod ./
            RUN go mod download
            COPY . .
            # The program
            RUN go vet ./... && go build -o /out/server . && chmod 755 /out/server
            FROM scratch
            COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
            COPY --from=builder /out/server /server
            CMD ["/server"]
            """,
            after="""
            FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS builder
            RUN apk add --no-cache ca-certificates git
            ENV CGO_ENABLED=0
            WORKDIR /src
            COPY go.mod ./
            RUN go mod download
            COPY . .
            ARG TARGETOS TARGETARCH
            # The program
            RUN go vet ./... && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/server . && chmod 755 /out/server
            FROM scratch
            COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
            COPY --from=builder /out/server /server
            CMD ["/server"]
            """,
            files=SERVER,
        ),
        rewrites(
            "for Linux alone, as the author says",
            before="""
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOOS=linux go build -a -o app .
            FROM alpine:3.20
            COPY --from=builder /src/app /app
            CMD ["/app"]
            """,
            after="""
            FROM --platform=$BUILDPLATFORM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            ARG TARGETARCH
            RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -a -o app .
            FROM alpine:3.20
            COPY --from=builder /src/app /app
            CMD ["/app"]
            """,
            files=SERVER,
        ),
        rewrites(
            "the variables are there, and emulated all the same",
            before="""
            FROM golang:1.22 AS builder
            ARG TARGETOS TARGETARCH
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -o /app .
            FROM alpine:3.20
            COPY --from=builder /app /app
            CMD ["/app"]
            """,
            after="""
            FROM --platform=$BUILDPLATFORM golang:1.22 AS builder
            ARG TARGETOS TARGETARCH
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -o /app .
            FROM alpine:3.20
            COPY --from=builder /app /app
            CMD ["/app"]
            """,
            files=SERVER,
        ),
        leaves(
            "cgo is not ruled out",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN go build -o /server .
            FROM debian:bookworm-slim
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=SERVER,
            because="does not say CGO_ENABLED=0",
        ),
        leaves(
            "a source needs cgo",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            FROM debian:bookworm-slim
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files={**SERVER, "go.mod": SERVER["go.mod"] + "\nrequire github.com/mattn/go-sqlite3 v1.14.22\n"},
            because="requires github.com/mattn/go-sqlite3, which needs cgo",
        ),
        leaves(
            "the builder starts what it built",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            RUN /server --version
            FROM scratch
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=SERVER,
            because="runs `/server` behind the build",
        ),
        leaves(
            "a script may start what was built",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server . && ./smoke.sh
            FROM scratch
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files={**SERVER, "smoke.sh": "#!/bin/sh\n/server --version\n"},
            because="runs `./smoke.sh` behind the build",
        ),
        leaves(
            "a program of the builder's platform is copied, too",
            """
            FROM golang:1.22 AS builder
            RUN apt-get update && apt-get install -y --no-install-recommends tini
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            FROM scratch
            COPY --from=builder /usr/bin/tini /tini
            COPY --from=builder /server /server
            CMD ["/tini", "--", "/server"]
            """,
            files=SERVER,
            because="copies /usr/bin/tini",
        ),
        leaves(
            "the stage is shipped itself",
            """
            FROM golang:1.22
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            CMD ["/server"]
            """,
            files=SERVER,
            because="is shipped itself",
        ),
        leaves(
            "there is no BuildKit",
            """
            FROM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /server .
            FROM scratch
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=SERVER,
            settings={"builder": "portable"},
            because="only BuildKit knows",
        ),
        leaves(
            "it is done",
            """
            FROM --platform=$BUILDPLATFORM golang:1.22 AS builder
            WORKDIR /src
            COPY . .
            ARG TARGETOS TARGETARCH
            RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /server .
            FROM scratch
            COPY --from=builder /server /server
            CMD ["/server"]
            """,
            files=SERVER,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            if stage.from_.flag("platform") is not None or why_windows(file, stage) is not None:
                continue
            reading = StageReading.of(file, stage, context)
            answers = [language.crossing(reading) for language in recognise(reading)]
            answer = next((one for one in answers if one is not None), None)
            if answer is None:
                continue
            why = answer if isinstance(answer, Refused) else self._why_not(reading, answer)
            if why is not None:
                yield refuse(stage.from_, why.because, why.hint)
            elif not isinstance(answer, Refused):
                yield _finding(reading, answer)

    def _why_not(self, reading: StageReading, crossing: Crossing) -> Refused | None:
        file, stage = reading.file, reading.stage
        other = reading.context.deployment.other_builder
        if self.settings.builder == "portable" or other:
            return Refused(f"{other or 'any builder is to be served'}: only BuildKit knows TARGETOS and TARGETARCH", "")
        if stage.index in file.shipped:
            return Refused("the stage that compiles is shipped itself", "split it: see split-build-stage")
        if reading.parent is not None:
            return Refused(f"the stage is built from the stage {stage.image}, which others may ship", "")
        return _why_run(reading, crossing) or _why_copied(reading, crossing)


def _why_run(reading: StageReading, crossing: Crossing) -> Refused | None:
    """A command behind the first build that may start what was built."""
    from refactor import STARTS_NO_OTHER

    first_step, first, _ = crossing.commands[0]
    start = reading.position(first_step.node)
    for step in reading.steps[start:]:
        if step.keyword != "RUN":
            continue
        line = reading.file.line_of(step.node)
        if step.script is None or step.script.opaque is not None:
            return Refused(f"what line {line} runs behind the build cannot be read", "write it as plain commands")
        for command in step.commands:
            if step is first_step and command.span[0] <= first.span[0]:
                continue
            name = command.name or (command.words[0].text if command.words else "")
            if name and name not in HARMLESS | STARTS_NO_OTHER:
                because = f"line {line} runs `{name}` behind the build, and it may start what was built"
                return Refused(because, "a program for another platform cannot run there: leave that to the tests")
    return None


def _why_copied(reading: StageReading, crossing: Crossing) -> Refused | None:
    """A copy from the stage of what is neither made for the other platform nor the same on all."""
    file, stage = reading.file, reading.stage
    for node in file.instructions:
        line = file.line_of(node)
        if any(_is_from(file, value, stage) for value in _mounted(node)):
            return Refused(f"line {line} mounts files of the stage, and which of them is not known", "copy them")
        source = node.flag("from") if node.keyword in {"COPY", "ADD"} else None
        if source is None or not _is_from(file, source, stage):
            continue
        for path in node.sources:
            place = "/" + path.strip("/")
            if place in crossing.outputs or reading.in_context(place) is not None:
                continue
            if any((place + "/").startswith(one + "/") for one in FILES_OF_ALL):
                continue
            because = f"line {line} copies {path}, and only what go build makes is for the other platform"
            return Refused(because, "copy the program alone, and take the rest from the runner's own packages")
    return None


def _mounted(node: Instruction) -> Iterator[str]:
    for mount in node.flag_values("mount"):
        yield from (part.partition("=")[2] for part in mount.split(",") if part.startswith("from="))


def _is_from(file: Dockerfile, name: str, stage: Stage) -> bool:
    found = file.stage(name)
    return found is not None and found.index == stage.index


def _finding(reading: StageReading, crossing: Crossing) -> Finding:
    file, stage = reading.file, reading.stage
    edits: list[Edit] = [Replace(stage.from_, [stage.from_.with_flag("platform", "$BUILDPLATFORM")])]
    first = crossing.commands[0][0].node
    declared = {name for step in reading.steps if step.keyword == "ARG" for name, _ in step.node.pairs}
    used = "".join(text + step.node.argument for step, _, text in crossing.commands)
    missing = [name for name in ("TARGETOS", "TARGETARCH") if name in used and name not in declared]
    if missing:
        comments = file.comments_above(first)
        edits.append(InsertBefore(comments[0] if comments else first, [file.new(f"ARG {' '.join(missing)}\n")]))
    changes: dict[Instruction, list[tuple[int, int, str]]] = {}
    for step, command, assignments in crossing.commands:
        at = command.words[0].span[0]
        changes.setdefault(step.node, []).append((at, at, assignments))
    changes = {node: [one for one in added if one[2]] for node, added in changes.items()}
    edits += [Replace(node, [node.splice(added)]) for node, added in changes.items() if added]
    return Finding(
        stage.from_,
        "compile for other platforms on the builder's own",
        edits,
        why="a compiler under emulation takes many times as long",
        evidence=crossing.evidence,
    )
