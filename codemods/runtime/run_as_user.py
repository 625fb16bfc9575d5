"""run-as-user"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Edit,
    Finding,
    InsertAfter,
    InsertBefore,
    Instruction,
    Option,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    StageReading,
    Trivia,
    leaves,
    recognise,
    refuse,
    rewrites,
    why_windows,
)

if TYPE_CHECKING:
    from refactor import Prepared, Written

BY_HAND = "write USER with an id in front of CMD, and give that user the folders that the program writes to"
GO = {"go.mod": "module app\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"}
FLASK = {"requirements.txt": "flask==3.0.0\n", "app.py": "from flask import Flask\napp = Flask(__name__)\n"}


class RunAsUser(Codemod):
    """Run the program as a user other than root.

    Why
    ---
    A process that breaks out of its container is on the host whoever it was inside. Kubernetes' restricted profile
    refuses images that run as root.

    What it does
    ------------
    Adds USER, by numbers, before the start command: the user that the base image brings for it (Node's 1000), or one of
    its own with a fixed id. Folders that the program writes to, as far as its sources show, become that user's; all
    else stays root's, so that a process cannot change its own code. No file is stored twice for that: a COPY gets an
    owner, or folders alone do, or USER stands before the RUN that makes the files. An image without a shell gets its
    folders from the stage that it copies the program from.

    A USER that the author wrote as a name becomes numbers where those are known, from the base image or from the RUN
    that makes the user: Kubernetes' `runAsNonRoot` cannot verify a name.

    When it refuses
    ---------------
    When the sources of the started program were not all found and read; when it starts a shell, drops privileges itself
    (gosu, nginx, supervisord), installs packages when it starts, or lives below `/root`; when the stage is not what is
    shipped; when a Compose file decides on the user, or mounts the engine's socket, folders of the host, or those that
    the program writes to; when it is not known what is started or where it writes.

    Safety
    ------
    REVIEW: the user changes on purpose; the files that show where the program writes are named. Only a suggestion where
    it listens below port 1024: Docker has allowed those to every user since 20.10, Kubernetes and podman have not. With
    Compose alone, or `runtime = "docker"`, it is applied.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.USER, Aspect.COMMANDS, Aspect.LAYERS, Aspect.COPIES, Aspect.BASE})
    hadolint = ("DL3002",)
    options = {"runtime": Option("", "What runs the containers, where the repository does not say.", ("", "docker"))}
    examples = (
        rewrites(
            "Node has a user of its own",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            EXPOSE 3000
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            EXPOSE 3000
            USER 1000:1000
            CMD ["node", "server.js"]
            """,
            files={"server.js": "require('http').createServer().listen(3000)\n", "package.json": "{}"},
        ),
        rewrites(
            "a folder that the author gave to the user already",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir data && chown node:node data
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir data && chown node:node data
            USER 1000:1000
            CMD ["node", "app.js"]
            """,
            files={"app.js": "require('fs').appendFileSync('data/visits.txt', 'one')\n", "package.json": "{}"},
        ),
        rewrites(
            "Python gets one",
            before="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -r -g 10001 app \\
                && useradd --no-log-init -r -u 10001 -g app app
            WORKDIR /app
            COPY . .
            USER 10001:10001
            CMD ["python", "app.py"]
            """,
            files=FLASK,
        ),
        rewrites(
            "a volume belongs to the user before it is declared",
            before="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            VOLUME /data
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -r -g 10001 app \\
                && useradd --no-log-init -r -u 10001 -g app app
            WORKDIR /app
            RUN mkdir -p /data \\
                && chown app:app /data
            COPY . .
            VOLUME /data
            USER 10001:10001
            CMD ["python", "app.py"]
            """,
            files={
                "requirements.txt": "",
                "app.py": "with open('/data/log.txt', 'a') as log:\n    log.write('started')\n",
            },
        ),
        rewrites(
            "the folder stands above the sources, so that an edit of them does not make it again",
            before="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            # The program
            COPY . .
            RUN python manage.py collectstatic --noinput
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -r -g 10001 app \\
                && useradd --no-log-init -r -u 10001 -g app app
            WORKDIR /app
            COPY requirements.txt ./
            RUN pip install --no-cache-dir -r requirements.txt
            RUN chown app:app /app

            # The program
            COPY . .
            RUN python manage.py collectstatic --noinput
            USER 10001:10001
            CMD ["python", "app.py"]
            """,
            files={"requirements.txt": "", "app.py": "open('log.txt', 'a').write('started')\n", "manage.py": ""},
        ),
        rewrites(
            "a RUN behind the sources that names the folder keeps its place",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir /app/data
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir /app/data
            RUN mkdir -p /app/data \\
                && chown node:node /app/data
            USER 1000:1000
            CMD ["node", "app.js"]
            """,
            files={"app.js": "require('fs').appendFileSync('data/visits.txt', 'one')\n", "package.json": "{}"},
        ),
        rewrites(
            "files of a folder are not stored twice",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY app.js ./
            COPY data /app/data
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY app.js ./
            COPY --chown=1000:1000 data /app/data
            USER 1000:1000
            CMD ["node", "app.js"]
            """,
            files={
                "app.js": "require('fs').appendFileSync('data/visits.txt', 'one')\n",
                "package.json": "{}",
                "data/visits.txt": "",
            },
        ),
        rewrites(
            "numbers in place of a name",
            before="""
            FROM python:3.11-slim
            RUN groupadd -g 1337 www && useradd -u 1337 -g www www
            USER www
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -g 1337 www && useradd -u 1337 -g www www
            USER 1337:1337
            CMD ["python", "app.py"]
            """,
            files=FLASK,
        ),
        rewrites(
            "a base image of which only its own user is known",
            before="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /out/app .
            FROM registry.example.com/base:1
            RUN apk add --no-cache ca-certificates
            COPY --from=builder /out/app /usr/local/bin/app
            ENTRYPOINT ["/usr/local/bin/app"]
            """,
            after="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /out/app .
            FROM registry.example.com/base:1
            RUN apk add --no-cache ca-certificates
            COPY --from=builder /out/app /usr/local/bin/app
            USER 10001:10001
            ENTRYPOINT ["/usr/local/bin/app"]
            """,
            files=GO,
        ),
        rewrites(
            "an image without useradd",
            before="""
            FROM amazonlinux:2023
            RUN dnf install -y python3-pip && pip3 install flask
            WORKDIR /app
            COPY app.py .
            CMD ["python3", "app.py"]
            """,
            after="""
            FROM amazonlinux:2023
            RUN dnf install -y python3-pip && pip3 install flask
            WORKDIR /app
            COPY app.py .
            USER 10001:10001
            CMD ["python3", "app.py"]
            """,
            files={"app.py": "print('ok')\n"},
        ),
        rewrites(
            "an image without a shell gets the folders from its builder",
            before="""
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /out/app .
            FROM gcr.io/distroless/static-debian12
            WORKDIR /app
            COPY --from=builder /out/app /usr/local/bin/app
            ENTRYPOINT ["/usr/local/bin/app"]
            """,
            after="""
            FROM golang:1.24 AS builder
            RUN mkdir -p /writable
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /out/app .
            FROM gcr.io/distroless/static-debian12:nonroot
            COPY --from=builder --chown=65532:65532 /writable /data
            WORKDIR /app
            COPY --from=builder /out/app /usr/local/bin/app
            USER 65532:65532
            ENTRYPOINT ["/usr/local/bin/app"]
            """,
            files={**GO, "main.go": GO["main.go"].replace("{}", '{ os.Create("/data/log") }')},
        ),
        leaves(
            "a base image whose entrypoint nobody knows",
            """
            FROM golang:1.24 AS builder
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 go build -o /out/app .
            FROM registry.example.com/base:1
            RUN apk add --no-cache ca-certificates
            COPY --from=builder /out/app /usr/local/bin/app
            CMD ["/usr/local/bin/app"]
            """,
            files=GO,
            because="the entrypoint of the base image registry.example.com/base:1, which gets what CMD says, is not in",
        ),
        leaves(
            "what the Dockerfile copies is not there",
            """
            FROM ubuntu:14.04
            RUN apt-get update && apt-get install -y nginx supervisor
            ADD README.rst /deploy/
            EXPOSE 80
            ENTRYPOINT ["/deploy/docker-start.sh"]
            """,
            files={},
            because="copies README.rst, which is not in the build context",
        ),
        leaves(
            "the program is not there",
            """
            FROM python:3.7-alpine
            RUN mkdir /db; chmod 775 /db
            ADD . /code
            WORKDIR /code
            CMD ["gunicorn", "wsgi:app"]
            """,
            files={"requirements.txt": ""},
            because="the module wsgi",
        ),
        leaves(
            "a source cannot be read",
            """
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={"app.py": "((("},
            because="cannot be read: app.py: line 1 is not Python 3",
        ),
        leaves(
            "a toolbox",
            """
            FROM python:3.11-slim
            COPY . /app
            CMD ["/bin/bash"]
            """,
            files=FLASK,
            because="starts a shell",
        ),
        leaves(
            "the last stage is not what is shipped",
            """
            FROM node:20 AS builder
            WORKDIR /app
            COPY . .
            CMD ["node", "app.js"]
            FROM builder AS dev-envs
            RUN apt-get update && apt-get install -y --no-install-recommends git
            """,
            files={"app.js": "", "package.json": "{}"},
            because="the last stage is called dev-envs",
        ),
        leaves(
            "users made in a heredoc",
            """
            FROM python:3.11-slim
            RUN <<EOF
            adduser --system app
            EOF
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            files=FLASK,
            because="makes a user or a group already (adduser)",
        ),
        leaves(
            "a port below 1024, and nothing that shows Docker alone",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY app.js ./
            EXPOSE 80
            CMD ["node", "app.js"]
            """,
            files={"app.js": "require('http').createServer().listen(80)\n", "package.json": "{}"},
        ),
        leaves(
            "an image from before it had the user",
            """
            FROM node:5.11.0-slim
            WORKDIR /app
            USER node
            COPY app.js ./
            CMD ["node", "app.js"]
            """,
            files={"app.js": "", "package.json": "{}"},
            because="the numbers of the user node are not known",
        ),
        leaves(
            "a language that is not read",
            """
            FROM ubuntu:24.04
            COPY app.py /
            CMD ["python3", "/app.py"]
            """,
            files=FLASK,
            because="its sources are not read",
        ),
        leaves(
            "a program of another image",
            """
            FROM python:3.11-slim
            COPY --from=gcr.io/dataflow-templates-base/launcher:1 /opt/launcher /opt/launcher
            COPY . /app
            ENTRYPOINT ["/opt/launcher"]
            """,
            files=FLASK,
            because="its sources are not read",
        ),
        leaves(
            "the engine's socket",
            """
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            files={**FLASK, "test/run.sh": "docker run -v /var/run/docker.sock:/var/run/docker.sock app\n"},
            because="test/run.sh names the engine's socket",
        ),
        leaves(
            "the author made a user and does not say for what",
            """
            FROM python:3.11-slim AS base
            RUN groupadd -r app && useradd -r -g app app
            FROM base
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            files=FLASK,
            because="makes a user or a group already (groupadd)",
        ),
        leaves(
            "the entrypoint drops privileges itself",
            """
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["gosu", "app", "python", "app.py"]
            """,
            files=FLASK,
            because="drops privileges itself",
        ),
        leaves(
            "a user is set",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            USER 1000:1000
            CMD ["node", "server.js"]
            """,
            files={"server.js": "", "package.json": "{}"},
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not file.stages:
            return
        reading = StageReading.of(file, file.stages[-1], context)
        if why_windows(file, reading.stage) is not None:
            return
        user = reading.final_user
        place = reading.last("CMD") or reading.last("ENTRYPOINT") or reading.stage.from_
        if user is not None:
            answer = _numeric(reading)
        elif reading.image is not None and reading.image.default_user not in {"", "root", "0", None}:
            return
        else:
            answer = _answer(reading, self.option("runtime") == "docker")
        if isinstance(answer, Refused):
            yield refuse(place, answer.because, answer.hint)
        elif answer is not None:
            yield answer


def _answer(reading: StageReading, is_docker: bool) -> Finding | Refused:
    from refactor import why_not_seen, why_root

    context = reading.context
    if context.why_unknown is not None:
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    written = why_root(reading) or why_not_seen(reading) or _written(reading)
    return written if isinstance(written, Refused) else _add_user(reading, written, is_docker)


def _written(reading: StageReading) -> Written | Refused:
    """What all languages and the shell part of the start command write."""
    from refactor import Written, written_by_shell

    answers: list[Written] = []
    for language in recognise(reading):
        files = language.program(reading)
        answer = files if isinstance(files, Refused) else language.written(reading) if files else None
        if isinstance(answer, Refused):
            return answer
        if answer is not None:
            answers.append(answer)
    start = reading.start
    if not answers:
        shown = "" if start is None else start.text
        return Refused(
            f"where the program writes that is started ({shown}) is not known: its sources are not read", BY_HAND
        )
    by_shell = written_by_shell(reading)
    if isinstance(by_shell, Refused):
        return by_shell
    answers.insert(0, Written(tuple(by_shell), tuple(by_shell.values())))
    paths = tuple(dict.fromkeys(path for answer in answers for path in answer.paths))
    return Written(
        tuple(path for path in paths if not path.startswith(("/tmp/", "/var/tmp/", "/dev/", "/proc/"))),
        tuple(line for answer in answers for line in answer.evidence),
        tuple(path for answer in answers for path in answer.filled),
        tuple(node for answer in answers for node in answer.fillers),
        tuple(port for answer in answers for port in answer.ports),
        tuple(path for answer in answers for path in answer.caches),
    )


def _numeric(reading: StageReading) -> Finding | Refused | None:
    """The author's USER by its numbers: Kubernetes' ``runAsNonRoot`` cannot verify a name."""
    node = reading.last("USER")
    if node is None:
        return None
    name, colon, group = node.argument.partition(":")
    if re.fullmatch(r"\d*", name) and re.fullmatch(r"\d*", group):
        return None if name.strip("0") else Refused(f"line {reading.file.line_of(node)} sets USER to root", BY_HAND)
    if name == "root":
        return Refused(f"line {reading.file.line_of(node)} sets USER to root", BY_HAND)
    from refactor import user_ids

    ids = user_ids(reading, name, group if colon else None)
    if isinstance(ids, Refused):
        return ids
    return Finding(
        node,
        f"name the user {node.argument} by its numbers",
        [Replace(node, [node.splice([(0, len(node.argument), f"{ids.uid}:{ids.gid}")])])],
        why="Kubernetes refuses runAsNonRoot for a USER that is a name: it cannot tell whether that is root",
        evidence=(ids.where,),
    )


def _add_user(reading: StageReading, written: Written, is_docker: bool) -> Finding | Refused:
    from refactor import (
        above_sources,
        first_volume,
        head_anchor,
        installs_as_root,
        ownership,
        place_of_user,
        prepared_elsewhere,
        user_in,
    )

    file, image = reading.file, reading.image
    user, creation, owners = user_in(image)
    if reading.why_no_new_user is not None and creation is not None:
        return Refused(reading.why_no_new_user, "write USER with its id in front of CMD")
    plan = ownership(reading, written.paths, (*owners, user, user.partition(":")[0]), written.filled, written.caches)
    if isinstance(plan, Refused):
        return plan
    command = plan.command(owners[0] if owners else user)
    edits: list[Edit] = [Replace(node, [node.with_flag("chown", user)]) for node in plan.copies]
    anchor = head_anchor(reading)
    if image is not None and not image.has_shell:
        prepared = prepared_elsewhere(reading, plan) if command else None
        if command and prepared is None:
            return Refused(
                f"the program writes to {written.paths[0]}, and {image.reference} has no shell to prepare that"
            )
        edits += _without_shell(reading, prepared, anchor, user)
        command = ""
    head: list[Instruction | Trivia] = [file.new(f"RUN {creation}")] if creation else []
    if head and _is_blank_below(file, anchor):
        # Where the author sets what follows apart, the new step stands apart as well.
        head.insert(0, file.blank())
    line = file.new(f"USER {user}")
    place = place_of_user(reading, written.fillers)
    if isinstance(place, Refused):
        return place
    before_user: list[Instruction | Trivia] = []
    if command:
        # What is changed in a volume after VOLUME is lost on builders other than BuildKit.
        volume = first_volume(reading, written.paths)
        above = above_sources(reading, plan, volume or place)
        target = above or volume
        if above is not None and creation and _follows(reading, above, anchor):
            head[-1] = file.new(f"RUN {creation} \\\n    && {command}")
        elif target is not None:
            edits.append(_before(file, target, [file.new(f"RUN {command}")]))
        else:
            before_user.append(file.new(f"RUN {command}"))
    last = reading.stage.instructions[-1]
    if place is None and head and last is anchor:
        edits.append(InsertAfter(last, [*head, *before_user, line]))
    else:
        if head:
            edits.append(InsertAfter(anchor, head))
        if place is None:
            edits.append(InsertAfter(last, [*before_user, line]))
        else:
            edits.append(_before(file, place, [*before_user, line]))
    what = f"run as {user}" if creation is None else f"run as a user of its own ({user})"
    owned = f", who owns {', '.join(written.paths)}" if written.paths else ""
    safety, said, evidence = _ports(reading, written, is_docker)
    as_root = installs_as_root(reading)
    return Finding(
        place or last,
        what + owned + said,
        edits,
        why="a process that gets out of its container is not root on the host",
        evidence=(*written.evidence, *evidence, *([as_root] if image is None and as_root else [])),
        safety=safety,
    )


def _without_shell(reading: StageReading, prepared: Prepared | None, anchor: Instruction, user: str) -> Iterator[Edit]:
    """Folders come from the stage that the program is copied from, in front of the WORKDIR that would make them root's;
    distroless says by its tag who the user is, where it has none."""
    from refactor import head_anchor

    file, first, image = reading.file, reading.stage.from_, reading.image
    new: list[Instruction | Trivia] = []
    if prepared is not None:
        made = file.new("RUN mkdir -p /writable")
        yield InsertAfter(head_anchor(prepared.builder), [made])
        new += [file.new(f"COPY --from={prepared.name} --chown={user} /writable {path}") for path in prepared.folders]
        yield from (Replace(node, [node.with_flag("chown", user)]) for node in prepared.copies)
    written = reading.stage.image
    is_untagged = image is not None and image.family == "distroless" and not (image.parsed.tag or image.parsed.digest)
    if is_untagged and "$" not in written and reading.last("WORKDIR") is not None:
        at = first.argument.index(written) + len(written)
        named = first.splice([(at, at, ":nonroot")])
        yield Replace(first, [named, *(new if anchor is first else ())])
        new = [] if anchor is first else new
    if new:
        yield InsertAfter(anchor, new)


def _ports(reading: StageReading, written: Written, is_docker: bool) -> tuple[Safety, str, tuple[str, ...]]:
    """Ports below 1024: Docker lets every user listen on them, Kubernetes and podman do not."""
    from refactor import low_ports, only_docker

    low = low_ports(reading, written.ports)
    if not low:
        return Safety.REVIEW, "", ()
    port, where = next(iter(low.items()))
    by = "the configuration says that Docker runs it" if is_docker else only_docker(reading)
    if by is not None:
        fact = f"port {port} ({where}) is open to every user under Docker"
        return Safety.REVIEW, "", (f"{fact}: {by}" if is_docker else f"{fact}, and {by} shows no other runtime",)
    return (
        Safety.UNSAFE,
        f"; but port {port} ({where}) is root's under Kubernetes and podman: listen above 1023, add NET_BIND_SERVICE"
        ' there, or set runtime = "docker"',
        (),
    )


def _before(file: Dockerfile, node: Instruction, new: list[Instruction | Trivia]) -> InsertBefore:
    """In front of an instruction and the comment that it has, a blank line apart from that."""
    comments = file.comments_above(node)
    return InsertBefore(comments[0], [*new, file.blank()]) if comments else InsertBefore(node, new)


def _follows(reading: StageReading, node: Instruction, other: Instruction) -> bool:
    """Whether ``node`` is the instruction right behind ``other``."""
    instructions = reading.stage.instructions
    return instructions.index(node) == instructions.index(other) + 1


def _is_blank_below(file: Dockerfile, node: Instruction) -> bool:
    index = file.nodes.index(node) + 1
    following = file.nodes[index] if index < len(file.nodes) else None
    return isinstance(following, Trivia) and following.kind == "blank"
